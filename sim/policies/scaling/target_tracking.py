"""Target tracking: provisioned concurrency that follows its own utilisation, as AWS scales it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import fsum, inf
from typing import Literal, get_args

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.recent import DIGITS, instances_for, require_whole_seconds
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit

Statistic = Literal["maximum", "average"]


@dataclass(frozen=True)
class TargetTracking(Scaling):
    """Keep the share of instances in use near a target, as AWS Application Auto Scaling does for Lambda.

    Every `tick_s` gives a datapoint: requests in flight over what the ready instances can serve, 1 at most. Once the
    last `scale_out_datapoints` are all above the target, or the last `scale_in_datapoints` all below its
    `scale_in_share`, there are to be ``ceil(instances * newest datapoint / target)`` instances, which also replace
    those whose life is over. Growth is slow, and at most 1 / target at a time; small numbers never reach the target.
    While fewer are ready than there are to be, be it that a cap forbids them, no more are asked for.

    Source: AWS Lambda developer guide, concurrency and provisioned concurrency. Metric, target and cooldowns are those
    of published set-ups; that 3 and 15 datapoints of one minute count, and 90 % of the target, has not been verified.
    Which datapoint counts is not documented, nor what is done while instances are missing; the newest is taken. Not
    modelled: that calls beyond the provisioned instances run on demand, for here they wait; and that an allocation
    begins after one or two minutes and serves no call before it is whole.

    Attributes:
        target: share of the instances that should be in use.
        scale_out_datapoints: datapoints above the target that scale out (3 is unverified).
        scale_in_datapoints: datapoints below the share of the target that scale in (15 is unverified).
        scale_in_share: of the target, below which datapoints scale in (0.9 is unverified).
        statistic: what a datapoint takes of its seconds, the maximum (as set-ups do) or the average.
        scale_out_cooldown_s: seconds after scaling out in which that is not done again.
        scale_in_cooldown_s: seconds after scaling in in which that is not done again.
        min_capacity: instances at least.
        max_capacity: instances at most.
        initial_scale: instances of every function when the trace begins, if that is more than the least.
        queue_depth: calls of a function that may wait.
        tick_s: whole seconds of a datapoint, and between decisions.
    """

    target: float = 0.7
    scale_out_datapoints: int = 3
    scale_in_datapoints: int = 15
    scale_in_share: float = 0.9
    statistic: Statistic = "maximum"
    scale_out_cooldown_s: float = 0.0
    scale_in_cooldown_s: float = 0.0
    min_capacity: int = 1
    max_capacity: float = inf
    initial_scale: int = 1
    queue_depth: float = inf
    tick_s: float = 60.0

    def __post_init__(self) -> None:
        checks.number("TargetTracking: target", self.target, above=0, high=1)
        checks.number("TargetTracking: scale_in_share", self.scale_in_share, above=0, high=1)
        for name in ("scale_out_datapoints", "scale_in_datapoints", "min_capacity"):
            checks.whole(f"TargetTracking: {name}", getattr(self, name), low=1)
        if self.statistic not in get_args(Statistic):
            raise ConfigError(f"TargetTracking: statistic must be maximum or average, not {self.statistic!r}")
        for name in ("scale_out_cooldown_s", "scale_in_cooldown_s"):
            checks.number(f"TargetTracking: {name}", getattr(self, name), low=0)
        checks.whole("TargetTracking: max_capacity", self.max_capacity, low=self.min_capacity, or_infinity=True)
        checks.whole("TargetTracking: initial_scale", self.initial_scale, low=0)
        checks.whole("TargetTracking: queue_depth", self.queue_depth, low=1, or_infinity=True)
        require_whole_seconds(self, "tick_s")

    def at_start(self) -> int:
        """The initial scale, within the bounds."""
        return self.bounded(self.initial_scale)

    def bounded(self, capacity: int) -> int:
        """What the bounds make of a capacity."""
        return int(min(max(capacity, self.min_capacity), self.max_capacity))

    def scaler(self, unit: Unit) -> TargetTrackingScaler:
        """The scaler of one function's provisioned concurrency."""
        return TargetTrackingScaler(self, unit)


class TargetTrackingScaler(Scaler):
    """The scaler of one function: its datapoints, its capacity, and when either direction was last taken."""

    def __init__(self, policy: TargetTracking, unit: Unit) -> None:
        self._policy, self._slots = policy, unit.concurrency
        self._capacity = policy.at_start()
        self._datapoints: deque[float] = deque(maxlen=max(policy.scale_out_datapoints, policy.scale_in_datapoints))
        self._out_s = self._in_s = -inf

    def wanted(self, load: Load) -> int:
        """Note a datapoint, unless no instance is ready, and decide by it and those before it."""
        if load.ready and load.concurrency:
            self._datapoints.append(self._datapoint(load))
            self._decide(load.now_s, load.ready)
        return self._capacity

    def poked(self, load: Load) -> int:
        """The capacity: there should have been instances."""
        return self._capacity

    @property
    def remembers(self) -> bool:
        """Always: an instance whose life is over is replaced."""
        return True

    def _datapoint(self, load: Load) -> float:
        used = load.concurrency
        of_all = max(used) if self._policy.statistic == "maximum" else fsum(used) / len(used)
        return min(round(of_all / (load.ready * self._slots), DIGITS), 1.0)

    def _decide(self, now_s: float, ready: int) -> None:
        policy, newest = self._policy, list(self._datapoints)
        out, back = newest[-policy.scale_out_datapoints :], newest[-policy.scale_in_datapoints :]
        low = round(policy.target * policy.scale_in_share, DIGITS)
        if len(out) == policy.scale_out_datapoints and min(out) > policy.target:
            if ready >= self._capacity and now_s - self._out_s >= policy.scale_out_cooldown_s:
                self._out_s = now_s
                self._track("above target")
        elif (
            len(back) == policy.scale_in_datapoints
            and max(back) < low
            and now_s - self._in_s >= policy.scale_in_cooldown_s
        ):
            self._in_s = now_s
            self._track("below target")

    def _track(self, why: str) -> None:
        self.why = why
        tracked = instances_for(self._capacity * self._datapoints[-1], self._policy.target)
        self._capacity = self._policy.bounded(tracked)
