"""What a policy may ask of a platform besides windows: instances always there, generic ones, calls of its own."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from sim.core.errors import ConfigError


@dataclass(frozen=True)
class Floor:
    """How many instances each unit has at least, whatever its calls do.

    Those of time 0 are ready then; later ones start when they are wanted. They never idle out, and are replaced when
    their life is over.

    Attributes:
        steps: (from_s, instances), from_s ascending from 0 and below `period_s`.
        period_s: after which the steps repeat; infinity: never.
    """

    steps: tuple[tuple[float, int], ...]
    period_s: float = inf

    def __post_init__(self) -> None:
        starts = [start_s for start_s, _ in self.steps]
        if not starts or starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
            raise ConfigError(f"steps must begin at 0 s and ascend, not {starts}")
        if not starts[-1] < self.period_s:
            raise ConfigError(f"steps must begin before the period of {self.period_s} s is over, not at {starts[-1]} s")
        for _, instances in self.steps:
            _require_whole("instances", instances, least=0)

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
        if not 0 < self.period_s < inf:
            raise ConfigError(f"period_s must be a finite number of seconds > 0, not {self.period_s!r}")
        if not 0 <= self.ping_s < inf:
            raise ConfigError(f"ping_s must be a finite number of seconds >= 0, not {self.ping_s!r}")
        _require_whole("pings", self.at_once, least=1)


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
        _require_whole("initial_count", self.initial_count, least=0)
        _require_whole("min_count", self.min_count, least=0)
        _require_whole("max_count", self.max_count, least=self.min_count)
        _require_whole("threshold", self.threshold, least=1)
        _require_whole("increment", self.increment, least=0)
        if not self.ttl_s >= 0:
            raise ConfigError(f"ttl_s must be a number of seconds >= 0, not {self.ttl_s!r}")
        if not self.check_s > 0:
            raise ConfigError(f"check_s must be a number of seconds > 0, not {self.check_s!r}")
        if not 0 <= self.memory_step_mb < inf:
            raise ConfigError(f"memory_step_mb must be a finite number of MB >= 0, not {self.memory_step_mb!r}")

    def wanted(self, cold_starts: int) -> int:
        """How many cells of a class there are to be after a check, given its cold starts since the last one."""
        return min(max(cold_starts // self.threshold * self.increment, self.min_count), self.max_count)


def _require_whole(name: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} must be a whole number >= {least}, not {value!r}")
