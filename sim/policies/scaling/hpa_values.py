"""What the horizontal pod autoscaler is told: metrics and their values, pods, and the behaviour of scaling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from sim.core import checks
from sim.core.errors import ConfigError

MetricKind: TypeAlias = Literal["resource_util", "resource_raw", "pods", "external_value", "external_per_pod"]
Resource: TypeAlias = Literal["cpu", "memory"]
Phase: TypeAlias = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
PolicyType: TypeAlias = Literal["Pods", "Percent"]
Select: TypeAlias = Literal["Max", "Min", "Disabled"]


def one_of(name: str, value: object, words: object) -> None:
    """Refuse what is none of the words of a Literal."""
    allowed = get_args(words)
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def to_ns(time_s: float) -> int:
    """Seconds as integer nanoseconds, the nearest: times that differ by less than rounding errors become equal."""
    return round(time_s * 1e9)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric and its target (Kubernetes, autoscaling/v2, MetricSpec).

    Metrics of an object are computed as external ones are.

    Attributes:
        kind: ``resource_util``, a resource as a percentage of what pods request; ``resource_raw``, a resource per pod;
            ``pods``, any metric per pod, such as the concurrency; ``external_value``, one number for all pods together,
            with a ratio to the target; ``external_per_pod``, one number, divided by the pods.
        target: percent of the request if the kind is ``resource_util``, else 1/1000 of the metric's unit.
        resource: ``cpu`` or ``memory``, of kinds that are about a resource, else None.
        name: of the metric in messages, of kinds that are not about a resource.
    """

    kind: MetricKind
    target: int
    resource: Resource | None = None
    name: str = "metric"

    def __post_init__(self) -> None:
        one_of("MetricSpec: kind", self.kind, MetricKind)
        checks.whole("MetricSpec: target", self.target, low=1)
        if self.kind.startswith("resource_"):
            one_of("MetricSpec: resource", self.resource, Resource)
        elif self.resource is not None:
            raise ConfigError(f"MetricSpec: resource must be None where kind is {self.kind!r}, not {self.resource!r}")


@dataclass(frozen=True, slots=True)
class Sample:
    """A metric of one pod.

    Attributes:
        value_milli: 1/1000 of the metric's unit (of a core, a byte, a request).
        timestamp_s: seconds, the end of the time over which it was taken.
        window_s: seconds, how long that was.
    """

    value_milli: int
    timestamp_s: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Unavailable:
    """What stands for the value of a metric that could not be had.

    Attributes:
        cause: why, in words.
    """

    cause: str = "metrics unavailable"


MetricValue: TypeAlias = Sequence[Sample | None] | Sequence[int] | Unavailable
"""A sample a pod, in the order of the pods, None where it is missing; or the numbers of an external metric, whose sum
counts, in 1/1000 of its unit."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the autoscaler sees it.

    Attributes:
        name: of the pod.
        phase: of its life.
        start_s: seconds, when the node took it over; None: not yet.
        ready: whether it is; None: nothing is known yet.
        ready_change_s: seconds, when `ready` last changed; None: nothing is known yet.
        deleting: whether it has been told to end.
        cpu_request_milli: 1/1000 cores that it requests; None: no request.
        memory_request_milli: 1/1000 bytes that it requests; None: no request.
    """

    name: str
    phase: Phase = "Running"
    start_s: float | None = None
    ready: bool | None = None
    ready_change_s: float | None = None
    deleting: bool = False
    cpu_request_milli: int | None = None
    memory_request_milli: int | None = None


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """How far one direction of scaling may go within a period (Kubernetes, autoscaling/v2, HPAScalingPolicy).

    Attributes:
        type: ``Pods`` or ``Percent`` of the replicas at the start of the period.
        value: how many of these.
        period_s: whole seconds, at most 1800.
    """

    type: PolicyType
    value: int
    period_s: int

    def __post_init__(self) -> None:
        one_of("ScalingPolicy: type", self.type, PolicyType)
        checks.whole("ScalingPolicy: value", self.value, low=1)
        checks.whole("ScalingPolicy: period_s", self.period_s)
        checks.number("ScalingPolicy: period_s", self.period_s, low=1, high=1800)


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """How one direction of scaling behaves (Kubernetes, autoscaling/v2, HPAScalingRules).

    Attributes:
        stabilization_s: whole seconds, at most 3600, of the recommendations that count, the least of them on the way up
            and the greatest on the way down; None: 0 up, the autoscaler's `downscale_stabilization_s` down.
        select: the policy that counts: ``Max``, the one that allows the greatest change, ``Min``, the least, or
            ``Disabled``: no change in this direction.
        policies: at least one; None: 4 pods or 100 percent in 15 s up, 100 percent in 15 s down.
        tolerance: of this direction, instead of the autoscaler's, from Kubernetes 1.33 on; None: the autoscaler's.
    """

    stabilization_s: int | None = None
    select: Select = "Max"
    policies: tuple[ScalingPolicy, ...] | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.stabilization_s is not None:
            checks.whole("ScalingRules: stabilization_s", self.stabilization_s)
            checks.number("ScalingRules: stabilization_s", self.stabilization_s, low=0, high=3600)
        one_of("ScalingRules: select", self.select, Select)
        if self.policies is not None and not self.policies:
            raise ConfigError("ScalingRules: policies must hold at least one policy, or be None for the usual ones")
        if self.tolerance is not None:
            checks.number("ScalingRules: tolerance", self.tolerance, low=0)


@dataclass(frozen=True, slots=True)
class Behavior:
    """How scaling behaves in either direction (Kubernetes, autoscaling/v2, HorizontalPodAutoscalerBehavior).

    Attributes:
        scale_up: the way up.
        scale_down: the way down.
    """

    scale_up: ScalingRules = ScalingRules()
    scale_down: ScalingRules = ScalingRules()
