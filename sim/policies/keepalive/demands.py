"""What a policy may ask of a platform besides windows: instances held, generic ones, calls of its own, limits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any, Literal, get_args

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.rates import Rate

Scope = Literal["platform", "owner"]


@dataclass(frozen=True)
class Floor:
    """How many instances each unit has at least, whatever its calls do.

    Those of time 0 are ready then; later ones start when they are wanted. They never idle out, and are replaced when
    their life is over.

    Attributes:
        steps: (from_s, instances), from_s ascending from 0 and below `period_s`.
        period_s: after which the steps repeat; infinity: never.
        functions: names of those functions that have it; None: all.
        served_first: whether calls take these instances before others.
    """

    steps: tuple[tuple[float, int], ...]
    period_s: float = inf
    functions: tuple[str, ...] | None = None
    served_first: bool = False

    def __post_init__(self) -> None:
        steps: Any = self.steps
        if not isinstance(steps, list | tuple) or not all(map(_is_pair, steps)):
            raise ConfigError(f"steps must be pairs of seconds and instances, not {steps!r}")
        checks.number("period_s", self.period_s, above=0, finite=False)
        for start_s, instances in self.steps:
            checks.number("start_s of a step", start_s, low=0)
            checks.whole("instances", instances, low=0)
        starts = [start_s for start_s, _ in self.steps]
        if not starts or starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
            raise ConfigError(f"steps must begin at 0 s and ascend, not {starts}")
        if not starts[-1] < self.period_s:
            raise ConfigError(f"steps must begin before the period of {self.period_s} s is over, not at {starts[-1]} s")

    @property
    def most(self) -> int:
        """The largest number of instances of any step; 0: it holds nothing."""
        return max(instances for _, instances in self.steps)

    def changes(self, after_s: float) -> tuple[float, int]:
        """The first step after `after_s`: when, and how many instances from then on. Infinity if there is none."""
        starts = [start_s for start_s, _ in self.steps]
        begin_s = after_s // self.period_s * self.period_s if self.period_s < inf else 0.0
        i = bisect_right(starts, after_s - begin_s)
        while i < len(starts) and begin_s + starts[i] <= after_s:  # rounding
            i += 1
        if i < len(starts):
            return begin_s + starts[i], self.steps[i][1]
        return begin_s + self.period_s, self.steps[0][1]


@dataclass(frozen=True)
class TrackedFloor:
    """Instances that are always there, as many as a scaling policy wants from their own use.

    Attributes:
        scaling: the policy, a `sim.policies.Scaling`; its scalers see a unit's requests, and these instances as the
            ready ones.
        delay_s: seconds from wanting more to having them.
        per_s: instances a second that take more time besides; all are ready at once, when the last is.
        functions: names of those functions that have it; None: all.
        served_first: whether calls take these instances before others.
    """

    scaling: Any
    delay_s: float = 0.0
    per_s: float = inf
    functions: tuple[str, ...] | None = None
    served_first: bool = True

    def __post_init__(self) -> None:
        checks.number("delay_s", self.delay_s, low=0)
        checks.number("per_s", self.per_s, above=0, finite=False)


@dataclass(frozen=True)
class Pings:
    """Calls that a user sends to every function to keep it warm; they are no invocations.

    Attributes:
        period_s: seconds from one round of pings to the next; the first is at time 0.
        ping_s: seconds that a ping runs.
        at_once: pings to each function in a round, all at the same instant.
    """

    period_s: float
    ping_s: float
    at_once: int = 1

    def __post_init__(self) -> None:
        checks.number("period_s", self.period_s, above=0)
        checks.number("ping_s", self.ping_s, low=0)
        checks.whole("pings", self.at_once, low=1)


@dataclass(frozen=True)
class GenericPools:
    """Cells kept ready: sandboxes with a runtime that belong to no function yet, in a pool for each class of functions.

    A class is a runtime and a memory. The fields are those of `sim.policies.StemCells`, which says what they mean.
    """

    initial_count: int
    min_count: int
    max_count: int
    ttl_s: float
    threshold: int
    increment: int
    check_s: float
    memory_step_mb: float
    generic_phases: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("initial_count", "min_count", "increment"):
            checks.whole(name, getattr(self, name), low=0)
        checks.whole("max_count", self.max_count, low=self.min_count)
        checks.whole("threshold", self.threshold, low=1)
        checks.number("ttl_s", self.ttl_s, low=0, finite=False)
        checks.number("check_s", self.check_s, above=0, finite=False)
        checks.number("memory_step_mb", self.memory_step_mb, low=0)

    def wanted(self, cold_starts: int) -> int:
        """How many cells of a class there are to be after a check, given its cold starts since the last one."""
        return min(max(cold_starts // self.threshold * self.increment, self.min_count), self.max_count)


@dataclass(frozen=True)
class Retries:
    """How calls come again that were not let in: after a pause that doubles each time.

    Attributes:
        triggers: of the functions whose calls do; all others are rejected.
        first_s: seconds, the first pause.
        longest_s: seconds, the longest pause.
        age_s: seconds since its arrival, after which a call does not come again and is rejected.
    """

    triggers: tuple[str, ...]
    first_s: float = 1.0
    longest_s: float = 300.0
    age_s: float = 21_600.0

    def __post_init__(self) -> None:
        checks.number("first_s", self.first_s, above=0)
        checks.number("longest_s", self.longest_s, low=self.first_s)
        checks.number("age_s", self.age_s, low=0)


@dataclass(frozen=True)
class Admission:
    """Which calls are let in, and how fast instances may be started for them; others are rejected, or come again.

    A call that runs, or waits for a start, is in flight. What a function's provisioned instances can serve is let in
    always, and lessens what is left to others of its scope.

    Attributes:
        concurrency: requests in flight of a scope at once.
        scope: what is limited together: all functions, or those of each owner.
        reserved: requests in flight of single functions at once, by name, which others cannot use.
        unreserved: of `concurrency`, what can not be reserved.
        calls: how often calls of a scope may be let in; None: as often as they come.
        starts: how often instances of a unit may be started by calls; None: as often as they are needed.
        retries: which calls come again; None: none.
    """

    concurrency: float = inf
    scope: Scope = "platform"
    reserved: Mapping[str, int] = field(default_factory=dict, hash=False)
    unreserved: int = 0
    calls: Rate | None = None
    starts: Rate | None = None
    retries: Retries | None = None

    def __post_init__(self) -> None:
        checks.whole("concurrency", self.concurrency, low=1, or_infinity=True)
        checks.whole("unreserved", self.unreserved, low=0)
        if self.scope not in get_args(Scope):
            raise ConfigError(f"scope must be one of {', '.join(get_args(Scope))}, not {self.scope!r}")
        for name, most in self.reserved.items():
            checks.whole(f"reserved[{name!r}]", most, low=0)
        if self.reserved and sum(self.reserved.values()) + self.unreserved > self.concurrency:
            raise ConfigError(
                f"{sum(self.reserved.values())} are reserved of a concurrency of {self.concurrency}; at least"
                f" {self.unreserved} must be left"
            )


def _is_pair(step: Any) -> bool:
    return isinstance(step, list | tuple) and len(step) == 2
