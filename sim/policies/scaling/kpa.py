"""Knative's pod autoscaler (KPA): how many pods a revision wants, from two averages of its load."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from inspect import signature
from math import ceil, floor
from typing import Final, NamedTuple

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.kpa_window import NANOSECONDS, nanoseconds

TICK_S: Final = 2
"""Seconds between decisions in Knative, and a bucket of the scale-down delay."""


class KpaDecision(NamedTuple):
    """What a tick decides.

    Attributes:
        desired: pods wanted, before the revision's own lowest and highest scale.
        excess_burst_capacity: requests that the ready pods could take at once beyond those in flight and the target
            burst capacity, rounded down; below 0 the activator stays in the path.
        valid: whether there was a decision at all; if not, the other two say nothing.
    """

    desired: int
    excess_burst_capacity: int
    valid: bool


NO_DECISION: Final = KpaDecision(0, 0, valid=False)
"""Pods or metrics are not known: everything stays as it is."""


@dataclass(slots=True, eq=False)
class Kpa:
    """The decision rule of one revision, with what it remembers: the panic and the scale-down delay.

    Wanted is load over target, rounded up: by the stable average, within what the rates allow of the ready pods. If the
    panic average wants at least `panic_threshold` times the ready pods there is panic, until for more than
    `stable_window_s` it has not; in panic the larger of both averages counts, and what is wanted never falls. With more
    than one pod ready at the start a revision starts in panic, so that a new autoscaler without data takes none away.

    Time is counted from an even whole second: the scale-down delay goes by seconds // 2.

    Source: Knative serving, 98e5ef90, pkg/autoscaler/scaling/autoscaler.go; defaults, config/core/configmaps/
    autoscaler.yaml.

    Attributes:
        target: load a pod should have, in the unit of the metric (concurrent requests, or requests a second): in
            Knative `total` times the target utilisation, 0.7, and at least 0.01.
        total: load a pod can take, same unit.
        panic_threshold: pods wanted over pods ready from which there is panic; infinity: never, but at the start.
        max_scale_up_rate: a decision is at most this many times the ready pods (or 1), rounded up.
        max_scale_down_rate: and at least the ready pods over this, rounded down, while the revision is reachable.
        stable_window_s: seconds that panic lasts at least after the threshold was last reached.
        scale_down_delay_s: seconds for which a larger decision holds, while the revision is reachable. Settled at the
            start: an update does not change it.
        target_burst_capacity: requests at once to be ready for; 0: excess burst capacity is 0, negative: it is −1.
        activation_scale: pods at least, where any are wanted; 0 and 1 change nothing.
        reachable: whether a route leads to the revision.
        initial_ready: pods ready at the start, 0 if that is not known.
        now_s: seconds, the start.

    Raises:
        ConfigError: a parameter is not in its range.
    """

    target: float
    total: float
    panic_threshold: float = 2.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    stable_window_s: float = 60.0
    scale_down_delay_s: float = 0.0
    target_burst_capacity: float = 211.0
    activation_scale: int = 1
    reachable: bool = True
    initial_ready: int = 1
    now_s: float = 0.0
    _max_panic_pods: int = field(init=False, repr=False)
    _panic_time_ns: int | None = field(init=False, repr=False)
    _delay: _Highest | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _require_spec(**{name: getattr(self, name) for name in _SPEC})
        checks.whole("Kpa: initial_ready", self.initial_ready, low=0)
        checks.number("Kpa: now_s", self.now_s)
        self._max_panic_pods = self.initial_ready
        self._panic_time_ns = nanoseconds(self.now_s) if self.initial_ready > 1 else None
        delay_ticks = -(-nanoseconds(self.scale_down_delay_s) // (TICK_S * NANOSECONDS))
        self._delay = _Highest(delay_ticks) if delay_ticks else None

    @property
    def in_panic(self) -> bool:
        """Whether there is panic."""
        return self._panic_time_ns is not None

    @property
    def panic_time_s(self) -> float | None:
        """Seconds, when the threshold was last reached; None without panic."""
        return None if self._panic_time_ns is None else self._panic_time_ns / NANOSECONDS

    @property
    def max_panic_pods(self) -> int:
        """The most pods wanted in this panic; before the first one, those ready at the start."""
        return self._max_panic_pods

    def update(self, **changed: float) -> None:
        """Change parameters for the decisions to come.

        Raises:
            ConfigError: a parameter is not in its range, or is none of the rule's; then nothing is changed.
        """
        unknown = sorted(changed.keys() - set(_SPEC))
        if unknown:
            raise ConfigError(f"Kpa: {unknown[0]} cannot be updated; what can is {', '.join(_SPEC)}")
        _require_spec(**{name: getattr(self, name) for name in _SPEC} | changed)
        for name, value in changed.items():
            setattr(self, name, value)

    def decide(self, now_s: float, ready: int | None, stable: float | None, panic: float | None) -> KpaDecision:
        """Decide; nothing is decided, and nothing remembered, unless pods and averages are known.

        Args:
            now_s: seconds, not before the last decision.
            ready: pods that are ready; None if that is not known.
            stable: average load of all pods over the stable window, in the unit of the target; None if not known.
            panic: the same over the panic window.
        """
        if ready is None or stable is None or panic is None:
            return NO_DECISION
        pods = max(1, ready)
        wanted_by_panic = ceil(panic / self.target)
        over = wanted_by_panic / pods >= self.panic_threshold
        if over or self._panic_time_ns is not None:
            self._settle_panic(now_s, over)
        desired = self._within_rates(pods, ceil(stable / self.target))
        if self._panic_time_ns is not None:
            desired = max(desired, self._within_rates(pods, wanted_by_panic), self._max_panic_pods)
            self._max_panic_pods = desired
        if self._delay is not None and self.reachable:
            desired = self._delay.record(nanoseconds(now_s) // (TICK_S * NANOSECONDS), desired)
        return KpaDecision(desired, self._excess_burst_capacity(ready, panic), True)

    def _settle_panic(self, now_s: float, over: bool) -> None:
        reached_ns = self._panic_time_ns
        if over:
            self._panic_time_ns = nanoseconds(now_s)
        elif reached_ns is not None and reached_ns + nanoseconds(self.stable_window_s) < nanoseconds(now_s):
            self._panic_time_ns, self._max_panic_pods = None, 0

    def _within_rates(self, pods: int, wanted: int) -> int:
        least = floor(pods / self.max_scale_down_rate) if self.reachable else 0
        most = ceil(self.max_scale_up_rate * pods)
        bounded = least if wanted < least else min(wanted, most)
        return self.activation_scale if bounded < self.activation_scale and wanted > 0 else bounded

    def _excess_burst_capacity(self, ready: int, panic: float) -> int:
        if self.target_burst_capacity > 0:
            return floor(ready * self.total - self.target_burst_capacity - panic)
        return 0 if self.target_burst_capacity == 0 else -1


class _Highest:
    """The highest of the values recorded in the last so many ticks, as Knative's max.TimeWindow finds it.

    Candidates descend from the oldest to the newest: what is not above a newer value can never be the highest again.
    """

    __slots__ = ("_candidates", "_ticks")

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._candidates: deque[tuple[int, int]] = deque()

    def record(self, tick: int, value: int) -> int:
        candidates = self._candidates
        while candidates and candidates[-1][1] <= value:
            candidates.pop()
        while candidates and tick - candidates[0][0] >= self._ticks:
            candidates.popleft()
        candidates.append((tick, value))
        return candidates[0][1]


def _require_spec(
    target: float,
    total: float,
    panic_threshold: float,
    max_scale_up_rate: float,
    max_scale_down_rate: float,
    stable_window_s: float,
    scale_down_delay_s: float,
    target_burst_capacity: float,
    activation_scale: int,
    reachable: bool,
) -> None:
    checks.number("Kpa: target", target, above=0)
    checks.number("Kpa: total", total, low=0)
    checks.number("Kpa: panic_threshold", panic_threshold, above=0, finite=False)
    checks.number("Kpa: max_scale_up_rate", max_scale_up_rate, above=1)
    checks.number("Kpa: max_scale_down_rate", max_scale_down_rate, above=1)
    checks.number("Kpa: stable_window_s", stable_window_s, above=0)
    checks.number("Kpa: scale_down_delay_s", scale_down_delay_s, low=0)
    checks.number("Kpa: target_burst_capacity", target_burst_capacity)
    checks.whole("Kpa: activation_scale", activation_scale, low=0)
    if not isinstance(reachable, bool):
        raise ConfigError(f"Kpa: reachable must be true or false, not {reachable!r}")


_SPEC: Final = tuple(signature(_require_spec).parameters)
"""What an update may change."""
