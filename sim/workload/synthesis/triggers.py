"""What calls functions: timers of exact periods, and other triggers, each with its arrival processes."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.arrivals import Process
from sim.workload.synthesis.draws import FloatArray, WholeArray, choose, ranked, shuffled


@dataclass(frozen=True)
class Pattern:
    """One way in which functions of a trigger are called.

    Attributes:
        process: an arrival process (see `sim.workload.synthesis.arrivals`).
        share: of the trigger's functions.
        base_share: of the load that is constant; the rest follows the day.
    """

    process: Process
    share: float = 1.0
    base_share: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.process, Process):
            raise ConfigError(f"process must be an arrival process, not {self.process!r}")
        checks.number("share", self.share, low=0.0, high=1.0)
        checks.number("base_share", self.base_share, low=0.0, high=1.0)


@dataclass(frozen=True)
class Trigger:
    """A kind of event that calls functions.

    Attributes:
        name: as in the column `trigger`.
        functions, calls: its shares of all functions and of all calls.
        patterns: how its functions are called; their shares add up to 1.
        by_popularity: 0 where patterns are dealt at random, 1 where the rarest functions have the first pattern and the
            busiest the last. Nothing is published on this; ours.
    """

    name: str
    functions: float
    calls: float
    patterns: tuple[Pattern, ...]
    by_popularity: float = 0.0

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("name must not be empty")
        checks.number("functions", self.functions, low=0.0, high=1.0)
        checks.number("calls", self.calls, low=0.0, high=1.0)
        checks.number("by_popularity", self.by_popularity, low=0.0, high=1.0)
        object.__setattr__(self, "patterns", checks.items("patterns", self.patterns, Pattern))
        checks.shares(f"the shares of {self.name}'s patterns", [pattern.share for pattern in self.patterns])

    def deal_patterns(self, calls: WholeArray, random: np.random.Generator) -> list[Pattern]:
        """The pattern of each of the trigger's functions, by how often they are called."""
        chosen = choose(ranked(calls, self.by_popularity, random), [pattern.share for pattern in self.patterns])
        return [self.patterns[i] for i in chosen.tolist()]


@dataclass(frozen=True)
class Timers:
    """Functions called with an exact period, each with a phase of its own, in whole seconds.

    Which functions are timers is drawn among those wanted about as often as some period calls; each then gets the
    period whose number of calls is nearest, in ratio, to what it was wanted for.

    Attributes:
        functions, calls: their shares of all functions and of all calls.
        periods_s: whole seconds, rising.
    """

    functions: float
    calls: float
    periods_s: tuple[float, ...] = (60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)

    def __post_init__(self) -> None:
        checks.number("functions", self.functions, low=0.0, high=1.0)
        checks.number("calls", self.calls, low=0.0, high=1.0)
        object.__setattr__(self, "periods_s", checks.rising("periods_s", self.periods_s, low=1.0))
        for i, period in enumerate(self.periods_s):
            if period != math.floor(period):
                raise ConfigError(f"periods_s[{i}] must be whole seconds, not {period}")

    def nearest_period_s(self, wanted: FloatArray, horizon_s: float) -> FloatArray:
        """The period for each function that is wanted so many times in the span."""
        periods = np.array(self.periods_s)
        calls = horizon_s / periods
        between = np.sqrt(calls[1:] * calls[:-1])  # falling; square roots are exact to the bit everywhere
        return periods[np.searchsorted(-between, -wanted, "right")]

    def pick(self, wanted: FloatArray, count: int, calls: float, horizon_s: float, random: np.random.Generator
             ) -> WholeArray:  # fmt: skip
        """The indices of `count` functions to be timers, ascending.

        They are spread evenly over all that are rare enough, but for as many of the busiest or of the rarest as must be
        left out for the timers to make `calls` calls.
        """
        rare = np.flatnonzero(wanted <= 2.0 * horizon_s / self.periods_s[0])
        if rare.size < count:
            raise ConfigError(f"functions: {count} are to be timers, but only {rare.size} are rare enough")
        rare = rare[np.argsort(wanted[rare], kind="stable")]
        made = np.floor(horizon_s / self.nearest_period_s(wanted[rare], horizon_s))
        place = (np.arange(count) + random.random()) / max(count, 1)
        spans = [(0, high) for high in range(count, rare.size)]  # without the busiest
        spans += [(low, rare.size) for low in range(rare.size - count + 1)]  # without the rarest

        def chosen(span: tuple[int, int]) -> WholeArray:
            low, high = span
            return low + (place * (high - low)).astype(np.int64)

        first = bisect_left(spans, True, key=lambda span: bool(made[chosen(span)].sum() >= calls))
        return np.sort(rare[chosen(spans[min(first, len(spans) - 1)])])

    def times_s(self, period_s: float, horizon_s: float, random: np.random.Generator) -> FloatArray:
        """The arrival times of one timer: a phase of whole seconds, then one call a period."""
        phase = math.floor(random.random() * min(period_s, horizon_s))
        return np.arange(phase, horizon_s, period_s)


def deal_triggers(wanted: FloatArray, triggers: Sequence[Trigger], quotas: WholeArray, total: float,
                  random: np.random.Generator) -> WholeArray:  # fmt: skip
    """The trigger of each function, so that functions and calls have the published shares.

    The functions called more than the average, which make nearly all the calls, go one by one, the busiest first, to
    the trigger that lacks most calls; the others are dealt at random, as many to each as it is still to have.

    Args:
        wanted: calls of each function.
        triggers: the triggers to deal.
        quotas: how many functions each is to have; they add up to the number of functions.
        total: calls of the whole trace, of which the triggers have their shares.
        random: what deals the others.
    """
    dealt = np.full(wanted.size, -1, np.int64)
    order = np.argsort(-wanted, kind="stable")
    head = int(np.sum(wanted * wanted.size > total))
    rest = math.fsum(wanted[order[head:]].tolist()) / max(int(quotas.sum()), 1)
    left = quotas.copy()
    lacking = np.array([trigger.calls * total for trigger in triggers]) - rest * quotas
    made = np.concatenate(([0.0], np.cumsum(wanted[order])))
    for place, function in enumerate(order[:head].tolist()):
        urgent = lacking >= made[place + left] - made[place]  # its last functions must be the very next ones
        chosen = int(np.argmax(np.where(left > 0, lacking + urgent * total, -np.inf)))
        dealt[function] = chosen
        left[chosen] -= 1
        lacking[chosen] -= wanted[function]
    dealt[order[head:]] = np.repeat(np.arange(len(triggers)), left)[shuffled(wanted.size - head, random)]
    return dealt
