"""Knative: pods by the load of the last minute, or of the last seconds where it rises, down to none."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Final, Literal

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.kpa import Kpa
from sim.policies.scaling.kpa_window import KpaWindow
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit
from sim.policies.scaling.scale_to_zero import ScaleToZero

Metric = Literal["concurrency", "rps"]
LEAST_TARGET: Final = 0.01


@dataclass(frozen=True)
class Knative(Scaling):
    """Knative's pod autoscaler with its metric windows, its activator's poke and its way to zero.

    A function is a revision whose container concurrency is the platform's `concurrency`. Once a second the load of all
    its pods and of the activator is recorded; every `tick_s` the rule of `Kpa` decides from the averages over the
    stable and the panic window. Where no pod is wanted the first call is told to the autoscaler at once. While the
    excess burst capacity is negative calls go through the activator, and wait there; else to any pod, and wait in it.

    Source: Knative serving, 98e5ef90: pkg/autoscaler/scaling, pkg/reconciler/autoscaling/kpa/scaler.go; defaults,
    config/core/configmaps/autoscaler.yaml. Not modelled: that with more than three pods only a sample of them is asked.

    Attributes:
        metric: requests in flight (concurrency), or requests a second (rps).
        target_utilization: share of what a pod can take that it should have.
        rps_target: requests a second that a pod can take, where that is the metric.
        stable_window_s: seconds, of the average that decides.
        panic_window_percent: per cent of it, of the average that decides in panic; at least one second.
        panic_threshold: pods wanted over pods ready from which there is panic.
        max_scale_up_rate: a decision is at most this many times the ready pods.
        max_scale_down_rate: and at least the ready pods over this.
        target_burst_capacity: requests at once to be ready for; below that the activator stays in the path.
        scale_down_delay_s: seconds for which a larger decision holds.
        activation_scale: pods at least, where any are wanted.
        min_scale: pods at least.
        max_scale: pods at most.
        initial_scale: pods of every function when the trace begins; Knative makes 1 when a revision is deployed, which
            is taken to be long past.
        scale_to_zero_grace_s: seconds until the last pod goes, unless the activator has been in the path that long.
        pod_retention_s: seconds that the last pod stays at least once nothing is wanted.
        weighted: whether recent seconds weigh more.
        queue_depth: calls of a function that the activator lets wait.
        pod_queue_depth: calls that a pod lets wait, for each that it serves at a time: the limit of its queue-proxy.
        tick_s: seconds between decisions.
    """

    may_bypass: ClassVar[bool] = True
    metric: Metric = "concurrency"
    target_utilization: float = 0.7
    rps_target: float = 200.0
    stable_window_s: float = 60.0
    panic_window_percent: float = 10.0
    panic_threshold: float = 2.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    target_burst_capacity: float = 211.0
    scale_down_delay_s: float = 0.0
    activation_scale: int = 1
    min_scale: int = 0
    max_scale: float = inf
    initial_scale: int = 0
    scale_to_zero_grace_s: float = 30.0
    pod_retention_s: float = 0.0
    weighted: bool = False
    queue_depth: float = 10_000
    pod_queue_depth: float = 10
    tick_s: float = 2.0

    def __post_init__(self) -> None:
        if self.metric not in ("concurrency", "rps"):
            raise ConfigError(f"Knative: metric must be concurrency or rps, not {self.metric!r}")
        if not isinstance(self.weighted, bool):
            raise ConfigError(f"Knative: weighted must be true or false, not {self.weighted!r}")
        checks.number("Knative: target_utilization", self.target_utilization, above=0, high=1)
        checks.number("Knative: rps_target", self.rps_target, above=0)
        checks.number("Knative: stable_window_s", self.stable_window_s, low=6, high=3600)
        checks.number("Knative: panic_window_percent", self.panic_window_percent, low=1, high=100)
        checks.number("Knative: tick_s", self.tick_s, above=0)
        for name in ("scale_to_zero_grace_s", "pod_retention_s"):
            checks.number(f"Knative: {name}", getattr(self, name), low=0)
        for name in ("min_scale", "initial_scale"):
            checks.whole(f"Knative: {name}", getattr(self, name), low=0)
        checks.whole("Knative: max_scale", self.max_scale, low=max(1, self.min_scale), or_infinity=True)
        checks.whole("Knative: queue_depth", self.queue_depth, low=1, or_infinity=True)
        checks.whole("Knative: pod_queue_depth", self.pod_queue_depth, low=0, or_infinity=True)
        self.scaler(Unit(1))  # the rest is checked where it is used

    def at_start(self) -> int:
        """The initial scale, and no less than the least."""
        return max(self.initial_scale, self.min_scale)

    @property
    def panic_window_s(self) -> float:
        """Seconds of the panic window, whole ones."""
        return float(max(1, round(self.stable_window_s * self.panic_window_percent / 100)))

    def scaler(self, unit: Unit) -> KnativeScaler:
        """The autoscaler of one revision."""
        return KnativeScaler(self, unit)


class KnativeScaler(Scaler):
    """The autoscaler of one revision: `kpa` decides, from the windows `stable` and `panic`."""

    def __init__(self, policy: Knative, unit: Unit) -> None:
        total = float(unit.concurrency) if policy.metric == "concurrency" else policy.rps_target
        self.kpa = Kpa(
            target=max(LEAST_TARGET, total * policy.target_utilization), total=total,
            panic_threshold=policy.panic_threshold, max_scale_up_rate=policy.max_scale_up_rate,
            max_scale_down_rate=policy.max_scale_down_rate, stable_window_s=policy.stable_window_s,
            scale_down_delay_s=policy.scale_down_delay_s, target_burst_capacity=policy.target_burst_capacity,
            activation_scale=policy.activation_scale, initial_ready=policy.at_start(),
        )  # fmt: skip
        self.stable = KpaWindow(policy.stable_window_s, weighted=policy.weighted)
        self.panic = KpaWindow(policy.panic_window_s, weighted=policy.weighted)
        self._to_zero = ScaleToZero(policy.scale_to_zero_grace_s, policy.pod_retention_s, policy.stable_window_s)
        self._least, self._most = policy.min_scale, policy.max_scale
        self._by_rate = policy.metric == "rps"
        self._desired = -1
        self._told: tuple[int, float] | None = None  # what the activator has told of a second before its report
        self._active = True

    def wanted(self, load: Load) -> int | None:
        """Record the seconds since the last tick, and decide."""
        self._record(load)
        return self._decide(load.now_s, load.ready, any_pods=load.ready + load.starting > 0)

    def poked(self, load: Load) -> int | None:
        """The activator's first report of a request, if the last decision was that no pod is wanted."""
        if self._desired > 0:
            return None
        self._told = int(load.now_s), 1.0
        self.stable.record(load.now_s, 1.0)
        self.panic.record(load.now_s, 1.0)
        return self._decide(load.now_s, load.ready, any_pods=False)

    @property
    def remembers(self) -> bool:
        """While its windows have something in them."""
        return self._active

    def _record(self, load: Load) -> None:
        """A second's value belongs to the bucket of the second in which it is reported, the next one.

        Without a pod there is nobody to ask, and the activator reports only seconds in which it had requests.
        """
        values = [float(calls) for calls in load.arrivals] if self._by_rate else load.concurrency
        first = load.since + 1
        if self._told is not None:
            told = self._told[0] - load.since
            if 0 <= told < len(values):
                values = [*values]
                values[told] -= self._told[1]
                self._told = None
        if not load.ready:
            values = [*values]
            while values and not values[-1]:
                values.pop()
            while values and not values[0]:
                del values[0]
                first += 1
        if values:
            self.stable.record_from(first, values)
            self.panic.record_from(first, values)

    def _bounded(self, desired: int) -> int:
        return int(min(max(desired, self._least), self._most))

    def _decide(self, now_s: float, ready: int, *, any_pods: bool) -> int | None:
        second = self.stable.bucket(now_s)  # as of the other window
        empty = self.stable.empty_at(second)
        if any_pods and empty:
            return None  # pods that have not reported yet: no data, no decision
        self._active = not empty
        decision = self.kpa.decide(now_s, ready, self.stable.average_at(second), self.panic.average_at(second))
        self._desired = decision.desired
        bounded = decision.desired if self._least <= decision.desired <= self._most else self._bounded(decision.desired)
        wanted = self._to_zero.settle(now_s, bounded, decision.excess_burst_capacity)
        self.bypasses = self._to_zero.proxy_since_s is None
        if wanted != bounded:
            self.why = "before zero"
        elif bounded != decision.desired:
            self.why = "panic, bound" if self.kpa.in_panic else "bound"
        else:
            self.why = "panic" if self.kpa.in_panic else "stable"
        return wanted
