"""From what metrics ask for to what is done: stabilisation, limits of the rate, and bounds.

Source: Kubernetes, pkg/controller/podautoscaler/horizontal.go, 1.28 series, and the defaults of
pkg/apis/autoscaling/v2/defaults.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, NamedTuple, Protocol, TypeAlias

from sim.policies.scaling.hpa_values import Behavior, ScalingPolicy, ScalingRules

Entry: TypeAlias = tuple[int, int]
"""A number of replicas, and the time in nanoseconds."""
Select: TypeAlias = Callable[[list[int]], int]
NS: Final = 10**9
UP: Final = (ScalingPolicy("Pods", 4, 15), ScalingPolicy("Percent", 100, 15))
"""The policies of the way up unless others are given."""
DOWN: Final = (ScalingPolicy("Percent", 100, 15),)
"""The policies of the way down unless others are given."""
WITHIN: Final = "DesiredWithinRange"


@dataclass(slots=True)
class History:
    """What the autoscaler remembers.

    Attributes:
        recommendations: what metrics asked for, in slots that are used again, not in order of time.
        up_events: replicas added, likewise.
        down_events: replicas removed, likewise.
    """

    recommendations: list[Entry] = field(default_factory=list)
    up_events: list[Entry] = field(default_factory=list)
    down_events: list[Entry] = field(default_factory=list)


class Outcome(NamedTuple):
    """What is done, and why: whether it could be (`able`) and whether it was limited, as conditions."""

    desired: int
    able: str
    limited: str


class Path(Protocol):
    """One of the two ways from what metrics ask for to what is done."""

    def settle(self, history: History, now_ns: int, current: int, wanted: int) -> Outcome:
        """What is done with `current` replicas where metrics ask for `wanted`, which becomes part of the history."""

    def scaled(self, history: History, now_ns: int, current: int, desired: int) -> None:
        """Remember a change from `current` to `desired`."""


@dataclass(frozen=True, slots=True)
class PlainPath:
    """The way without a behaviour: the greatest recommendation of a while, at most twice as many or 4.

    Attributes:
        min_replicas: at least.
        max_replicas: at most.
        window_ns: nanoseconds for which a recommendation counts; one just as old still does.
    """

    min_replicas: int
    max_replicas: int
    window_ns: int

    def settle(self, history: History, now_ns: int, current: int, wanted: int) -> Outcome:
        """What is done; the recommendation is remembered."""
        cutoff_ns = now_ns - self.window_ns
        steady = max([wanted, *(n for n, at_ns in history.recommendations if at_ns >= cutoff_ns)])
        _remember(history.recommendations, wanted, now_ns, cutoff_ns)
        desired, why = self._bounded(current, steady)
        return _outcome(desired, wanted, steady, "ScaleDownStabilized", why)

    def scaled(self, history: History, now_ns: int, current: int, desired: int) -> None:
        """Nothing: no limit looks at changes."""

    def _bounded(self, current: int, wanted: int) -> tuple[int, str]:
        limit = max(2 * current, 4)
        if wanted < self.min_replicas:
            return self.min_replicas, "TooFewReplicas"
        if wanted > min(limit, self.max_replicas):
            return min(limit, self.max_replicas), "ScaleUpLimit" if limit < self.max_replicas else "TooManyReplicas"
        return wanted, WITHIN


@dataclass(frozen=True, slots=True)
class _Direction:
    """The rules of one direction, made ready for use; None as `select`: no change."""

    stabilization_ns: int
    longest_ns: int
    select: Select | None
    policies: tuple[ScalingPolicy, ...]


@dataclass(frozen=True, slots=True)
class BehaviorPath:
    """The way with a behaviour: windows that steady either direction, then policies that limit the rate.

    Attributes:
        min_replicas: at least.
        max_replicas: at most.
        up: the rules of the way up.
        down: the rules of the way down.
    """

    min_replicas: int
    max_replicas: int
    up: _Direction
    down: _Direction

    @classmethod
    def of(cls, behavior: Behavior, min_replicas: int, max_replicas: int, window_ns: int) -> BehaviorPath:
        """The way that `behavior` describes; `window_ns`, without its fraction of a second, is down's by default."""
        up = _direction(behavior.scale_up, UP, 0, max, min)
        return cls(min_replicas, max_replicas, up, _direction(behavior.scale_down, DOWN, window_ns // NS, min, max))

    def settle(self, history: History, now_ns: int, current: int, wanted: int) -> Outcome:
        """What is done; the recommendation is remembered."""
        up_cutoff_ns, down_cutoff_ns = now_ns - self.up.stabilization_ns, now_ns - self.down.stabilization_ns
        least = min([wanted, *(n for n, at_ns in history.recommendations if at_ns > up_cutoff_ns)])
        greatest = max([wanted, *(n for n, at_ns in history.recommendations if at_ns > down_cutoff_ns)])
        steady = min(max(current, least), greatest)
        _remember(history.recommendations, wanted, now_ns, min(up_cutoff_ns, down_cutoff_ns))
        desired, why = self._limited(history, now_ns, current, steady)
        held = "ScaleUpStabilized" if wanted >= current else "ScaleDownStabilized"
        return _outcome(desired, wanted, steady, held, why)

    def scaled(self, history: History, now_ns: int, current: int, desired: int) -> None:
        """Remember the change, in the slot of one that no policy looks at any more."""
        if desired > current:
            _remember(history.up_events, desired - current, now_ns, now_ns - self.up.longest_ns)
        else:
            _remember(history.down_events, current - desired, now_ns, now_ns - self.down.longest_ns)

    def _limited(self, history: History, now_ns: int, current: int, wanted: int) -> tuple[int, str]:
        if wanted > current:
            most = max(_limit(self.up, history, now_ns, current, _most), current)
            if wanted > min(most, self.max_replicas):
                return min(most, self.max_replicas), "ScaleUpLimit" if most < self.max_replicas else "TooManyReplicas"
        if wanted < current:
            fewest = min(_limit(self.down, history, now_ns, current, _fewest), current)
            if wanted < max(fewest, self.min_replicas):
                why = "ScaleDownLimit" if fewest > self.min_replicas else "TooFewReplicas"
                return max(fewest, self.min_replicas), why
        return wanted, WITHIN


def _direction(
    rules: ScalingRules,
    policies: tuple[ScalingPolicy, ...],
    stabilization_s: int,
    boldest: Select,
    mildest: Select,
) -> _Direction:
    policies = rules.policies or policies
    if rules.stabilization_s is not None:
        stabilization_s = rules.stabilization_s
    select = {"Max": boldest, "Min": mildest}.get(rules.select)
    return _Direction(stabilization_s * NS, max(policy.period_s for policy in policies) * NS, select, policies)


def _limit(
    direction: _Direction, history: History, now_ns: int, current: int, reach: Callable[[ScalingPolicy, int], int]
) -> int:
    """How far the policies let the replicas go, each counted from the start of its period, changes both ways undone."""
    if direction.select is None:
        return current
    reached = []
    for policy in direction.policies:
        cutoff_ns = now_ns - policy.period_s * NS
        start = current - _changes(history.up_events, cutoff_ns) + _changes(history.down_events, cutoff_ns)
        reached.append(reach(policy, start))
    return direction.select(reached)


def _most(policy: ScalingPolicy, start: int) -> int:
    if policy.type == "Pods":
        return start + policy.value
    return ceil(float(start) * (1.0 + float(policy.value) / 100.0))  # up, or few replicas would stay as few for ever


def _fewest(policy: ScalingPolicy, start: int) -> int:
    if policy.type == "Pods":
        return start - policy.value
    return int(float(start) * (1.0 - float(policy.value) / 100.0))


def _changes(events: Sequence[Entry], cutoff_ns: int) -> int:
    return sum(n for n, at_ns in events if at_ns > cutoff_ns)


def _remember(entries: list[Entry], number: int, now_ns: int, cutoff_ns: int) -> None:
    """Put an entry into the last slot whose own is older than the cut-off, or into a new one."""
    for slot in range(len(entries) - 1, -1, -1):
        if entries[slot][1] < cutoff_ns:
            entries[slot] = number, now_ns
            return
    entries.append((number, now_ns))


def _outcome(desired: int, wanted: int, steady: int, held: str, why: str) -> Outcome:
    able = "True:ReadyForNewScale" if steady == wanted else f"True:{held}"
    return Outcome(desired, able, f"{desired != steady}:{why}")
