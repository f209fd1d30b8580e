"""How many replicas one metric asks for: the horizontal pod autoscaler's replica calculator.

Source: Kubernetes, pkg/controller/podautoscaler/replica_calculator.go and metrics/utilization.go, 1.28 series, and
the tolerances of 1.33. Metrics are integers; a quotient of integers is cut towards zero, and only then is the ratio to
the target taken in float64. Integers have no limit here, where those of the controller overflow at 2^31 replicas or
percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol, cast

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.hpa_values import MetricSpec, MetricValue, Pod, Sample, Unavailable, to_ns

NO_PODS: Final = "no pods returned by selector while calculating replica count"
NO_METRICS: Final = "did not receive metrics for targeted pods (pods might be unready)"
NO_REQUESTS: Final = "no metrics returned matched known pods"
PER_NO_POD: Final = -(2**63)
"""What the controller reports as the usage per pod where there is none: infinity as a 64-bit integer, on amd64."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one metric alone asks for.

    Attributes:
        replicas: how many; 0 if there is an error.
        utilisation: percent of the requests if the kind is ``resource_util``, else the usage in 1/1000 of the metric's
            unit: of all pods together if the kind is ``external_value``, else per pod.
        average_milli: if the kind is ``resource_util``, the usage per pod in 1/1000 of the resource's unit, else 0.
        error: why there is no answer, in the controller's words; empty if there is one.
    """

    replicas: int
    utilisation: int = 0
    average_milli: int = 0
    error: str = ""


class Tolerance(Protocol):
    """Which ratios of usage and target ask for no change."""

    def covers(self, ratio: float) -> bool:
        """Whether the ratio is near enough to 1."""


@dataclass(frozen=True, slots=True)
class ToleranceOfDistance:
    """Up to Kubernetes 1.32: the distance from 1 counts; in float64, 1.1 is farther from 1 than 0.1."""

    tolerance: float

    def covers(self, ratio: float) -> bool:
        """Whether the ratio is near enough to 1."""
        return abs(1.0 - ratio) <= self.tolerance


@dataclass(frozen=True, slots=True)
class ToleranceOfRange:
    """From Kubernetes 1.33 on: a range around 1 counts, with a bound for each direction."""

    down: float
    up: float

    def covers(self, ratio: float) -> bool:
        """Whether the ratio is near enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(slots=True)
class _Tally:
    """Sums over pods; a weight is what a pod's value is compared with, its request or 1."""

    ready: int = 0
    ready_value: int = 0
    ready_weight: int = 0
    unready: int = 0
    unready_weight: int = 0
    missing: int = 0
    missing_weight: int = 0
    missing_full: int = 0
    """What the pods without a sample are taken to use where less would be wanted."""


@dataclass(frozen=True, slots=True)
class ReplicaCalculator:
    """The replica calculator.

    Attributes:
        tolerance: which ratios ask for no change.
        namespace: of the metrics, in messages.
        cpu_initialization_ns: nanoseconds since a pod's start in which the CPU it uses may be that of its start-up.
        initial_readiness_ns: nanoseconds since a pod's start in which a change to not ready means: never was ready.
    """

    tolerance: Tolerance
    namespace: str
    cpu_initialization_ns: int
    initial_readiness_ns: int

    def propose(
        self, metric: MetricSpec, value: MetricValue, pods: Sequence[Pod], now_ns: int, spec: int, status: int
    ) -> Proposal:
        """How many replicas `metric` asks for.

        Args:
            metric: the metric and its target.
            value: of the metric.
            pods: of the target, those that end included.
            now_ns: nanoseconds, the time.
            spec: replicas that are wanted.
            status: replicas that are there.

        Raises:
            ConfigError: there is not one sample a pod, or values are no integers.
        """
        if isinstance(value, Unavailable):
            return Proposal(0, error=f"unable to get {self._of(metric)}: {value.cause}")
        if metric.kind.startswith("external_"):
            usage = sum(cast("Sequence[int]", value))
            checks.whole("Hpa: the sum of an external metric", usage)
            if metric.kind == "external_value":
                return self._for_all(metric.target, usage, pods, spec)
            return self._shared(metric.target, usage, status)
        if len(value) != len(pods):
            raise ConfigError(f"Hpa: metric_values must hold a sample a pod, {len(pods)}, not {len(value)}")
        return self._per_pod(metric, cast("Sequence[Sample | None]", value), pods, now_ns, spec)

    def _of(self, metric: MetricSpec) -> str:
        if metric.resource:
            return f"metrics for resource {metric.resource}"
        if metric.kind == "pods":
            return f"metric {metric.name}"
        return f"external metric {self.namespace}/{metric.name}/nil"

    def _for_all(self, target: int, usage: int, pods: Sequence[Pod], spec: int) -> Proposal:
        ratio = float(usage) / float(target)
        if spec == 0:
            return Proposal(ceil(ratio), usage)
        if self.tolerance.covers(ratio):
            return Proposal(spec, usage)
        if not pods:
            return Proposal(0, usage, error=f"unable to calculate ready pods: {NO_PODS}")
        ready = sum(pod.phase == "Running" and pod.ready is True for pod in pods)  # those that are told to end count
        return Proposal(ceil(ratio * ready), usage)

    def _shared(self, target: int, usage: int, status: int) -> Proposal:
        wanted = ceil(float(usage) / float(target))
        if status == 0:
            return Proposal(wanted, PER_NO_POD)
        steady = self.tolerance.covers(float(usage) / (float(target) * float(status)))
        return Proposal(status if steady else wanted, ceil(float(usage) / float(status)))

    def _per_pod(
        self, metric: MetricSpec, samples: Sequence[Sample | None], pods: Sequence[Pod], now_ns: int, spec: int
    ) -> Proposal:
        if not pods:
            return Proposal(0, error=NO_PODS)
        weights = _weights(metric, pods)
        tally = self._tally(metric, samples, pods, weights, now_ns)
        if not tally.ready:
            return Proposal(0, error=NO_METRICS)
        checks.whole("Hpa: the sum of a metric of pods", tally.ready_value)
        if None in weights:
            name = pods[weights.index(None)].name
            return Proposal(0, error=f"missing request for {metric.resource} of Pod {name}")
        if not tally.ready_weight:
            return Proposal(0, error=NO_REQUESTS)
        scale = 100 if metric.kind == "resource_util" else 1
        usage = _quotient(tally.ready_value * scale, tally.ready_weight)
        average_milli = _quotient(tally.ready_value, tally.ready) if metric.kind == "resource_util" else 0
        return Proposal(self._replicas(tally, scale, usage, metric.target, spec), usage, average_milli)

    def _replicas(self, tally: _Tally, scale: int, usage: int, target: int, spec: int) -> int:
        """The count that the pods ask for, those of which nothing is known taken to make the change smaller."""
        ratio = float(usage) / float(target)
        count, value, weight = tally.ready, tally.ready_value, tally.ready_weight
        unready_count_too = tally.unready > 0 and ratio > 1.0
        if not unready_count_too and not tally.missing:
            return spec if self.tolerance.covers(ratio) else ceil(ratio * count)
        if tally.missing and ratio != 1.0:
            count += tally.missing
            weight += tally.missing_weight
            value += tally.missing_full if ratio < 1.0 else 0
        if unready_count_too:
            count += tally.unready
            weight += tally.unready_weight
        damped = float(_quotient(value * scale, weight)) / float(target)
        turned = (ratio < 1.0 < damped) or (damped < 1.0 < ratio)
        if turned or self.tolerance.covers(damped):
            return spec
        wanted = ceil(damped * count)
        return spec if (damped < 1.0 and wanted > spec) or (damped > 1.0 and wanted < spec) else wanted

    def _tally(
        self,
        metric: MetricSpec,
        samples: Sequence[Sample | None],
        pods: Sequence[Pod],
        weights: Sequence[int | None],
        now_ns: int,
    ) -> _Tally:
        tally = _Tally()
        of_cpu = metric.resource == "cpu"
        fallback = max(100, metric.target)
        for pod, sample, request in zip(pods, samples, weights, strict=True):
            weight = request or 0  # without a request there is an error in any case
            if pod.deleting or pod.phase == "Failed":
                continue
            if pod.phase == "Pending" or (sample is not None and of_cpu and self._unready(pod, sample, now_ns)):
                tally.unready += 1
                tally.unready_weight += weight
            elif sample is None:
                tally.missing += 1
                tally.missing_weight += weight
                tally.missing_full += weight * fallback // 100 if metric.kind == "resource_util" else metric.target
            else:
                tally.ready += 1
                tally.ready_value += sample.value_milli
                tally.ready_weight += weight
        return tally

    def _unready(self, pod: Pod, sample: Sample, now_ns: int) -> bool:
        """Whether what the pod uses may be what its start-up uses."""
        if pod.ready is None or pod.start_s is None or pod.ready_change_s is None:
            return True
        start_ns, change_ns = to_ns(pod.start_s), to_ns(pod.ready_change_s)
        if start_ns + self.cpu_initialization_ns > now_ns:
            return not pod.ready or to_ns(sample.timestamp_s) < change_ns + to_ns(sample.window_s)
        return not pod.ready and start_ns + self.initial_readiness_ns > change_ns


def _weights(metric: MetricSpec, pods: Sequence[Pod]) -> list[int | None]:
    if metric.kind != "resource_util":
        return [1] * len(pods)
    if metric.resource == "cpu":
        return [pod.cpu_request_milli for pod in pods]
    return [pod.memory_request_milli for pod in pods]


def _quotient(dividend: int, divisor: int) -> int:
    """The quotient cut towards zero; the divisor is > 0."""
    return dividend // divisor if dividend >= 0 else -(-dividend // divisor)
