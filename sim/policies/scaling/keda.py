"""KEDA: from none to one and back by polls, from one to many by Kubernetes's horizontal pod autoscaler."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.hpa import Hpa
from sim.policies.scaling.hpa_values import MetricSpec
from sim.policies.scaling.recent import RecentSeconds, require_whole_seconds
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit

MILLI = 1000
"""Kubernetes counts metrics in 1/1000."""


@dataclass(frozen=True)
class Keda(Scaling):
    """KEDA with a trigger that tells the requests in flight, waiting ones included.

    Every `polling_s` the trigger is asked. It is active above `activation`: then a function without replicas gets
    ``max(1, min_replicas)``. Once it has last been active more than `cooldown_s` ago there are none again, if
    `min_replicas` or `idle_replicas` is 0. In between the rule of `Hpa` decides every `sync_s`, from the same metric as
    an average of `target_concurrency` a pod, without a behaviour. At one instant the poll comes before the sync.

    Source: KEDA, 8b4f083c: polling, cooldown, and what it leaves to the autoscaler. The metric is an average over
    `metric_window_s`, as a query of a monitoring system gives it, cut to 1/1000: ours, like the target and `tick_s`,
    which stands for the phases of two loops that know nothing of each other. Not modelled: fallbacks, pauses, and a
    cooldown after the creation of a function.

    Attributes:
        target_concurrency: requests in flight that a pod should have.
        activation: requests in flight above which the trigger is active.
        polling_s: seconds between polls, a multiple of `tick_s`.
        cooldown_s: seconds since the trigger was last active until the last replicas go.
        min_replicas: replicas at least, but for what `idle_replicas` says.
        max_replicas: replicas at most (100 is unverified).
        idle_replicas: 0: none while the trigger is not active, though `min_replicas` is above 0, KEDA allows no other
            number; null: `min_replicas`.
        push: whether the trigger tells of the first request at once, as external-push scalers do.
        metric_window_s: whole seconds over which requests in flight are averaged.
        sync_s: seconds between decisions of the horizontal pod autoscaler, a multiple of `tick_s`.
        tolerance: of its ratio of metric and target.
        downscale_stabilization_s: seconds for which one of its recommendations keeps replicas.
        initial_scale: replicas of every function when the trace begins; `min_replicas`, if that is more and
            `idle_replicas` does not say otherwise.
        queue_depth: calls of a function that may wait.
        tick_s: seconds between looks at what is due.
    """

    target_concurrency: float = 1.0
    activation: float = 0.0
    polling_s: float = 30.0
    cooldown_s: float = 300.0
    min_replicas: int = 0
    max_replicas: int = 100
    idle_replicas: int | None = None
    push: bool = False
    metric_window_s: float = 30.0
    sync_s: float = 15.0
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    initial_scale: int = 0
    queue_depth: float = inf
    tick_s: float = 15.0

    def __post_init__(self) -> None:
        checks.number("Keda: target_concurrency", self.target_concurrency, low=1 / MILLI)
        for name in ("activation", "cooldown_s"):
            checks.number(f"Keda: {name}", getattr(self, name), low=0)
        checks.number("Keda: tick_s", self.tick_s, above=0)
        for name in ("polling_s", "sync_s"):
            _require_multiple(f"Keda: {name}", getattr(self, name), self.tick_s)
        for name in ("min_replicas", "initial_scale"):
            checks.whole(f"Keda: {name}", getattr(self, name), low=0)
        if self.idle_replicas is not None and not (self.idle_replicas == 0 < self.min_replicas):
            raise ConfigError(f"Keda: idle_replicas must be null, or 0 where min_replicas is more: {self!r}")
        if not isinstance(self.push, bool):
            raise ConfigError(f"Keda: push must be true or false, not {self.push!r}")
        checks.whole("Keda: queue_depth", self.queue_depth, low=1, or_infinity=True)
        require_whole_seconds(self, "metric_window_s")
        self.hpa()  # the rest is checked where it is used

    def at_start(self) -> int:
        """The initial scale, and no less than what an idle function has."""
        return max(self.initial_scale, self.min_replicas if self.idle_replicas is None else 0)

    @property
    def waking_replicas(self) -> int:
        """Replicas that a function gets which has none."""
        return max(1, self.min_replicas)

    def hpa(self) -> Hpa:
        """The horizontal pod autoscaler that KEDA makes for a function."""
        target_milli = round(self.target_concurrency * MILLI)
        return Hpa(
            (MetricSpec("external_per_pod", target_milli, name="concurrency"),),
            self.waking_replicas, self.max_replicas,
            tolerance=self.tolerance, downscale_stabilization_s=self.downscale_stabilization_s,
        )  # fmt: skip

    def scaler(self, unit: Unit) -> KedaScaler:
        """KEDA's operator and the autoscaler, for one function."""
        return KedaScaler(self)


class KedaScaler(Scaler):
    """KEDA's operator and the autoscaler, for one function."""

    def __init__(self, policy: Keda) -> None:
        self._policy = policy
        self._hpa = policy.hpa()
        self._polls, self._syncs = round(policy.polling_s / policy.tick_s), round(policy.sync_s / policy.tick_s)
        self._in_flight = RecentSeconds(int(policy.metric_window_s))
        self._has_rest = policy.min_replicas == 0 or policy.idle_replicas == 0
        self._replicas = policy.at_start()
        self._active_s = -inf

    def wanted(self, load: Load) -> int:
        """Poll and sync, if it is time for them."""
        self._in_flight.add(load.since, load.concurrency)
        metric = self._in_flight.total / self._policy.metric_window_s
        tick = round(load.now_s / self._policy.tick_s)
        if tick % self._polls == 0:
            self._poll(load.now_s, metric > self._policy.activation)
        if tick % self._syncs == 0:
            there = load.ready + load.starting
            decision = self._hpa.decide(load.now_s, self._replicas, (), [[int(metric * MILLI)]], there)
            self._set(decision.desired, "autoscaler")
        return self._replicas

    def poked(self, load: Load) -> int:
        """A trigger that pushes is active at once; others are asked at the next poll."""
        if self._policy.push:
            self._poll(load.now_s, True)
        return self._replicas

    @property
    def remembers(self) -> bool:
        """While there should be replicas."""
        return self._replicas > 0

    def _poll(self, now_s: float, active: bool) -> None:
        if active:
            self._active_s = now_s
        if active and not self._replicas:
            self._set(self._policy.waking_replicas, "trigger active")
        elif self._has_rest and self._active_s + self._policy.cooldown_s < now_s:
            self._set(0, "cooldown over")

    def _set(self, replicas: int, why: str) -> None:
        if replicas != self._replicas:
            self._replicas, self.why = replicas, why


def _require_multiple(name: str, value: float, tick_s: float) -> None:
    checks.number(name, value, above=0)
    if value < tick_s or abs(value / tick_s - round(value / tick_s)) > 1e-9:
        raise ConfigError(f"{name} must be a multiple of tick_s, {tick_s:g}, not {value!r}")
