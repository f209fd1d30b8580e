"""The horizontal pod autoscaler's decision rule, exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.hpa_behavior import BehaviorPath, History, Path, PlainPath
from sim.policies.scaling.hpa_replicas import (
    Proposal,
    ReplicaCalculator,
    Tolerance,
    ToleranceOfDistance,
    ToleranceOfRange,
)
from sim.policies.scaling.hpa_values import Behavior, MetricSpec, MetricValue, Pod, one_of, to_ns

ToleranceForm: TypeAlias = Literal["1.32", "1.33"]
IN_VAIN: Final = "failed to compute desired number of replicas based on listed metrics"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The autoscaler's conditions, each a truth value and a reason such as ``True:ReadyForNewScale``.

    Attributes:
        able_to_scale: whether it could act, and what it did.
        scaling_active: whether metrics could be had; empty until they were asked for.
        scaling_limited: whether a bound or a rate limited it; empty until metrics could be had. It stays as it was
            while they cannot.
    """

    able_to_scale: str = ""
    scaling_active: str = ""
    scaling_limited: str = ""


@dataclass(frozen=True, slots=True)
class HpaDecision:
    """What one sync decided.

    Attributes:
        desired: the replicas wanted from now on.
        rescaled: whether that is a change.
        reason: of the change, in the controller's words; empty where it has none.
        proposals: what each metric alone asked for; empty where none was asked.
        error: what went wrong, in the controller's words; empty if nothing did. Replicas may change all the same.
        conditions: after the sync.
    """

    desired: int
    rescaled: bool
    reason: str
    proposals: tuple[Proposal, ...]
    error: str
    conditions: Conditions


@dataclass
class Hpa:
    """Kubernetes's horizontal pod autoscaler for one target, as it decides at each sync (every 15 s by default).

    Every metric proposes ``ceil(ratio of usage and target * ready pods)`` and the greatest proposal counts; what is
    not known of pods is assumed such that it makes the change smaller; no metric may be missing for a change
    downwards. Then comes a memory of recommendations against flapping, limits of the rate, and the bounds.

    An autoscaler remembers: one for each target and run, called with times that never fall.

    Source: Kubernetes, pkg/controller/podautoscaler/horizontal.go and replica_calculator.go, 1.28 series.

    Attributes:
        metrics: at least one; Kubernetes itself takes 80 percent of the CPU requests where none is given.
        min_replicas: at least; 0 needs an external metric.
        max_replicas: at most.
        behavior: how scaling behaves; None: as Kubernetes does it where nothing is said, at most twice as many or 4 at
            each sync, downwards not below any recommendation of `downscale_stabilization_s`.
        tolerance: of the ratio of usage and target, relative to 1.
        tolerance_form: how it is compared: ``1.32``, up to that release: |1 - ratio| <= tolerance; ``1.33``, from that
            release on: 1 - tolerance <= ratio <= 1 + tolerance. They differ in the last digit.
        cpu_initialization_period_s: seconds since the start of a pod for which its CPU counts only once it is ready and
            measured since then.
        initial_readiness_delay_s: seconds since the start of a pod; one that is not ready and has not changed
            after them has never been ready.
        downscale_stabilization_s: seconds for which a recommendation keeps the replicas from falling below it, where
            the behaviour does not say.
        target: kind, namespace and name of what is scaled, in messages.
        history: what it remembers.
        conditions: after the last sync.
    """

    metrics: tuple[MetricSpec, ...]
    min_replicas: int
    max_replicas: int
    behavior: Behavior | None = None
    tolerance: float = 0.1
    tolerance_form: ToleranceForm = "1.33"
    cpu_initialization_period_s: float = 300.0
    initial_readiness_delay_s: float = 30.0
    downscale_stabilization_s: float = 300.0
    target: str = "Deployment/default/function"
    history: History = field(default_factory=History, init=False, repr=False)
    conditions: Conditions = field(default=Conditions(), init=False, repr=False)

    def __post_init__(self) -> None:
        self._check()
        window_ns = to_ns(self.downscale_stabilization_s)
        low, high = self.min_replicas, self.max_replicas
        self._path: Path = PlainPath(low, high, window_ns)
        if self.behavior is not None:
            self._path = BehaviorPath.of(self.behavior, low, high, window_ns)
        self._calculator = ReplicaCalculator(
            self._tolerance(),
            self.target.split("/")[1],
            to_ns(self.cpu_initialization_period_s),
            to_ns(self.initial_readiness_delay_s),
        )

    def decide(
        self,
        now_s: float,
        spec_replicas: int,
        pods: Sequence[Pod],
        metric_values: Sequence[MetricValue],
        status_replicas: int | None = None,
    ) -> HpaDecision:
        """What the controller does at one sync.

        Args:
            now_s: seconds, the time.
            spec_replicas: replicas that are wanted now.
            pods: of the target, those that end or failed included.
            metric_values: one for each metric, in their order.
            status_replicas: replicas that are there; None: the pods that neither end nor have ended.

        Raises:
            ConfigError: `spec_replicas` or `status_replicas` is no count, or values do not match metrics or pods.
        """
        checks.number("Hpa: now_s", now_s)
        checks.whole("Hpa: spec_replicas", spec_replicas, low=0)
        now_ns = to_ns(now_s)
        if not self.history.recommendations:
            self.history.recommendations.append((spec_replicas, now_ns))
        if spec_replicas == 0 and self.min_replicas != 0:
            self._note("True:SucceededGetScale", "False:ScalingDisabled")
            return HpaDecision(0, False, "", (), "", self.conditions)
        if spec_replicas > self.max_replicas:
            why = "Current number of replicas above Spec.MaxReplicas"
            return self._apply(now_ns, spec_replicas, self.max_replicas, why)
        if spec_replicas < self.min_replicas:
            why = "Current number of replicas below Spec.MinReplicas"
            return self._apply(now_ns, spec_replicas, self.min_replicas, why)
        proposals = self.propose(now_s, spec_replicas, pods, metric_values, status_replicas)
        return self._follow(now_ns, spec_replicas, proposals)

    def propose(
        self,
        now_s: float,
        spec_replicas: int,
        pods: Sequence[Pod],
        metric_values: Sequence[MetricValue],
        status_replicas: int | None = None,
    ) -> tuple[Proposal, ...]:
        """What each metric alone asks for; arguments and errors as for `decide`, nothing is remembered."""
        checks.number("Hpa: now_s", now_s)
        if status_replicas is None:
            status_replicas = sum(not pod.deleting and pod.phase not in ("Succeeded", "Failed") for pod in pods)
        checks.whole("Hpa: status_replicas", status_replicas, low=0)
        if len(metric_values) != len(self.metrics):
            raise ConfigError(f"Hpa: metric_values must be {len(self.metrics)}, one a metric, not {len(metric_values)}")
        now_ns = to_ns(now_s)
        return tuple(
            self._calculator.propose(metric, value, pods, now_ns, spec_replicas, status_replicas)
            for metric, value in zip(self.metrics, metric_values, strict=True)
        )

    def _follow(self, now_ns: int, current: int, proposals: tuple[Proposal, ...]) -> HpaDecision:
        """Do what the greatest proposal asks for, as far as history and bounds let it."""
        wanted, leader = 0, ""
        failed: list[tuple[MetricSpec, str]] = []
        for metric, proposal in zip(self.metrics, proposals, strict=True):
            if proposal.error:
                failed.append((metric, proposal.error))
            elif wanted == 0 or proposal.replicas > wanted:  # a metric below 0 takes the place of 0, as it does there
                wanted, leader = proposal.replicas, _described(metric)
        error = ""
        if failed:
            metric, first = failed[0]
            count = f"{len(failed)} invalid out of {len(proposals)}"
            error = f"invalid metrics ({count}), first error is: {_explained(metric, first)}"
            if len(failed) == len(proposals) or wanted < current:
                self._note("True:SucceededGetScale", f"False:{_failure(metric)}")
                error = f"{IN_VAIN} for {self.target}: {error}"
                return HpaDecision(current, False, "", proposals, error, self.conditions)
        wanted = max(wanted, 0)
        reason = f"{leader} above target" if wanted > current else ""
        if wanted < current:
            reason = "All metrics below target"
        outcome = self._path.settle(self.history, now_ns, current, wanted)
        self.conditions = Conditions(outcome.able, "True:ValidMetricFound", outcome.limited)
        if outcome.desired == current:
            return HpaDecision(current, False, "", proposals, error, self.conditions)
        return self._apply(now_ns, current, outcome.desired, reason, proposals, error)

    def _apply(
        self,
        now_ns: int,
        current: int,
        desired: int,
        reason: str,
        proposals: tuple[Proposal, ...] = (),
        error: str = "",
    ) -> HpaDecision:
        self._note("True:SucceededRescale", self.conditions.scaling_active)
        self._path.scaled(self.history, now_ns, current, desired)
        return HpaDecision(desired, True, reason, proposals, error, self.conditions)

    def _note(self, able: str, active: str) -> None:
        self.conditions = Conditions(able, active, self.conditions.scaling_limited)

    def _tolerance(self) -> Tolerance:
        if self.tolerance_form == "1.32":
            return ToleranceOfDistance(self.tolerance)
        rules = self.behavior or Behavior()
        down, up = rules.scale_down.tolerance, rules.scale_up.tolerance
        return ToleranceOfRange(self.tolerance if down is None else down, self.tolerance if up is None else up)

    def _check(self) -> None:
        if not self.metrics:
            raise ConfigError("Hpa: metrics must hold at least one metric")
        checks.whole("Hpa: min_replicas", self.min_replicas, low=0)
        checks.whole("Hpa: max_replicas", self.max_replicas, low=max(self.min_replicas, 1))
        if self.min_replicas == 0 and not any(metric.kind.startswith("external_") for metric in self.metrics):
            raise ConfigError("Hpa: min_replicas must be >= 1 without an external metric: no pod could be measured")
        checks.number("Hpa: tolerance", self.tolerance, low=0)
        one_of("Hpa: tolerance_form", self.tolerance_form, ToleranceForm)
        for name in ("cpu_initialization_period_s", "initial_readiness_delay_s", "downscale_stabilization_s"):
            checks.number(f"Hpa: {name}", getattr(self, name), low=0)
        if self.target.count("/") != 2:
            raise ConfigError(f"Hpa: target must be kind/namespace/name, not {self.target!r}")
        rules = (self.behavior.scale_up, self.behavior.scale_down) if self.behavior else ()
        if self.tolerance_form == "1.32" and any(rule.tolerance is not None for rule in rules):
            raise ConfigError("Hpa: behavior may not have tolerances of its own up to Kubernetes 1.32")


def _described(metric: MetricSpec) -> str:
    """The metric as the controller names it when it gives a reason."""
    if metric.kind == "resource_util":
        return f"{metric.resource} resource utilization (percentage of request)"
    if metric.kind == "resource_raw":
        return f"{metric.resource} resource"
    return f"pods metric {metric.name}" if metric.kind == "pods" else f"external metric {metric.name}(nil)"


def _failure(metric: MetricSpec) -> str:
    """The reason of the condition where the metric could not be had."""
    if metric.resource:
        return "FailedGetResourceMetric"
    return "FailedGetPodsMetric" if metric.kind == "pods" else "FailedGetExternalMetric"


def _explained(metric: MetricSpec, error: str) -> str:
    """The calculator's error with what the controller puts before it."""
    prefixes = {
        "resource_util": f"{metric.resource} resource metric value: failed to get {metric.resource} utilization",
        "resource_raw": f"{metric.resource} resource metric value: failed to get {metric.resource} usage",
        "pods": "pods metric value",
        "external_value": f"{metric.name} external metric value: failed to get external metric {metric.name}",
        "external_per_pod": f"{metric.name} external metric value: failed to get {metric.name} external metric",
    }
    return f"failed to get {prefixes[metric.kind]}: {error}"
