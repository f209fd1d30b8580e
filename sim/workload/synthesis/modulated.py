"""Poisson processes whose rate varies: in bursts, on and off, with a flash crowd.

Each draws a *path*, the rate over time in multiples of the function's own, constant in steps; given the path the calls
are a Poisson process (they are doubly stochastic, or Cox, processes). All of them also place a given number of calls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sim.core.distributions import Exponential, look_up
from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.arrivals import Clock
from sim.workload.synthesis.draws import FloatArray, WholeArray, choose, poisson_count, rounded_table

MOST_STAYS: Final = 10_000_000
"""Changes of state in a path, on average; more would fill the memory before there is a call."""

_RAMP_STEPS: Final = 100
_BELOW_ONE: Final = 1.0 - 2.0**-53


class Steps:
    """A rate over time that is constant in steps, and where shares of its integral have passed.

    Args:
        ends_s: float64[n], the end of each step, ascending; the first begins at 0. What lies behind `horizon_s` is cut.
        level: float64[n], multiples of the function's rate, >= 0.
        horizon_s: the span, which the steps cover.
    """

    def __init__(self, ends_s: FloatArray, level: FloatArray, horizon_s: float) -> None:
        ends = np.minimum(ends_s, horizon_s)
        starts = np.concatenate(([0.0], ends[:-1]))
        busy = (ends > starts) & (level > 0.0)
        self._start, self._level = starts[busy], level[busy]
        self._passed = np.concatenate(([0.0], np.cumsum(self._level * (ends - starts)[busy])))

    @property
    def total_s(self) -> float:
        """The integral: seconds at the function's own rate that would make as many calls on average."""
        return float(self._passed[-1])

    def seconds(self, u: FloatArray) -> FloatArray:
        """Where the shares `u`, in [0, 1), of the integral have passed; there must be some."""
        passed = u * self._passed[-1]
        step = np.searchsorted(self._passed[1:-1], passed, "right")
        return np.asarray(self._start[step] + (passed - self._passed[step]) / self._level[step], np.float64)


class Modulated(ABC):
    """A Poisson process along a random path of its rate."""

    @abstractmethod
    def path(self, horizon_s: float, random: np.random.Generator) -> Steps:
        """The rate over the span, in multiples of the function's own."""

    def arrivals_s(self, rate_per_s: float, horizon_s: float, random: np.random.Generator) -> FloatArray:
        """A Poisson number of calls, spread as the path says; see `sim.workload.synthesis.arrivals.RateProcess`."""
        path = self.path(horizon_s, random)
        calls = poisson_count(rate_per_s * path.total_s, random)
        return path.seconds(random.random(calls))

    def times_s(self, calls: int, clock: Clock, random: np.random.Generator) -> FloatArray:
        """A given number of calls, spread as the path says, which runs on the clock; evenly where it is all zero."""
        path = self.path(clock.horizon_s, random)
        u = random.random(calls)
        if path.total_s:
            u = np.minimum(path.seconds(u) / clock.horizon_s, _BELOW_ONE)
        return clock.seconds(u)


@dataclass(frozen=True)
class MMPP(Modulated):
    """Markov-modulated Poisson process: the rate jumps between levels.

    Each level is held for an exponential time, after which every other level is as likely to follow. The function's
    rate is the mean in the long run, and the path starts in its steady state, so that it is the mean over any span.
    See Fischer and Meier-Hellstern, "The Markov-modulated Poisson process (MMPP) cookbook", Performance Evaluation 18
    (1993).

    Attributes:
        rates: of the levels, in proportion to each other; at least two, >= 0, not all of them 0.
        stays_s: mean seconds that each level is held.
    """

    rates: tuple[float, ...]
    stays_s: tuple[float, ...]

    def __post_init__(self) -> None:
        rates, stays = checks.items("rates", self.rates), checks.items("stays_s", self.stays_s)
        checks.same_length("rates", rates, "stays_s", stays)
        for i, (rate, stay) in enumerate(zip(rates, stays, strict=True)):
            checks.number(f"rates[{i}]", rate, low=0.0)
            checks.number(f"stays_s[{i}]", stay, above=0.0)
        if len(rates) < 2 or not any(rates):
            raise ConfigError(f"rates must be two or more, one of them above 0, not {list(rates)}")
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "stays_s", stays)

    @property
    def steady(self) -> FloatArray:
        """float64[levels]: the share of time in each level; all are entered equally often."""
        stays = np.array(self.stays_s, np.float64)
        return np.asarray(stays / stays.sum(), np.float64)

    def path(self, horizon_s: float, random: np.random.Generator) -> Steps:
        """Levels and how long each is held, until the span is over."""
        stays, rates = np.array(self.stays_s, np.float64), np.array(self.rates, np.float64)
        wanted = int(horizon_s / stays.mean())
        if wanted > MOST_STAYS:
            raise ConfigError(f"stays_s is too short at {list(self.stays_s)}: {wanted:,} changes in {horizon_s:g} s")
        state = int(choose(random.random(1), self.steady.tolist())[0])
        levels, ends, last = [], [], 0.0
        while last < horizon_s:
            visited = self._visits(state, wanted + 64, random)
            held = stays[visited] * look_up(self._exponential, random.random(visited.size))
            levels.append(visited)
            ends.append(last + np.cumsum(held))
            last, state = float(ends[-1][-1]), self._next(int(visited[-1]), random)
        relative = rates / float((rates * self.steady).sum())
        return Steps(np.concatenate(ends), relative[np.concatenate(levels)], horizon_s)

    def _visits(self, first: int, count: int, random: np.random.Generator) -> WholeArray:
        others = len(self.rates) - 1
        moves = 1 + (random.random(count - 1) * others).astype(np.int64)
        return np.concatenate(([first], first + np.cumsum(moves))) % (others + 1)

    def _next(self, state: int, random: np.random.Generator) -> int:
        return int(self._visits(state, 2, random)[1])

    @cached_property
    def _exponential(self) -> FloatArray:
        return rounded_table(Exponential(1.0))


@dataclass(frozen=True)
class Interrupted(Modulated):
    """On and off: an interrupted Poisson process, the `MMPP` of two levels of which one is silence.

    The function's rate is the mean in the long run: while it is on, it is called ``(on_s + off_s) / on_s`` times as
    often.

    Attributes:
        on_s: mean length of a spell of calls, exponential.
        off_s: mean length of the silence between two.
    """

    on_s: float
    off_s: float

    def __post_init__(self) -> None:
        checks.number("on_s", self.on_s, above=0.0)
        checks.number("off_s", self.off_s, above=0.0)

    def path(self, horizon_s: float, random: np.random.Generator) -> Steps:
        """Spells, until the span is over."""
        return self._mmpp.path(horizon_s, random)

    @cached_property
    def _mmpp(self) -> MMPP:
        return MMPP((1.0, 0.0), (self.on_s, self.off_s))


@dataclass(frozen=True)
class FlashCrowd(Modulated):
    """A crowd that comes on top of the usual calls: the rate rises straight to `peak` times its own, stays, and falls.

    Three phases, as in Ari, Hong, Miller, Brandt and Long, "Managing flash crowds on the Internet", MASCOTS 2003. The
    function's rate is that without the crowd, which adds ``(peak - 1) * (rise_s / 2 + hold_s + fall_s / 2)`` seconds'
    worth of calls, if the span holds all of it.

    Attributes:
        start_s: when it begins, from the start of the trace; the same for every function.
        peak: multiple of the usual rate, 1 or more.
        rise_s, hold_s, fall_s: lengths of the phases; a rise or fall is made of 100 steps.
        share: of the functions that it comes to, drawn one by one.
    """

    start_s: float
    peak: float
    rise_s: float = 60.0
    hold_s: float = 300.0
    fall_s: float = 600.0
    share: float = 1.0

    def __post_init__(self) -> None:
        checks.number("peak", self.peak, low=1.0)
        checks.number("share", self.share, low=0.0, high=1.0)
        for name in ("start_s", "rise_s", "hold_s", "fall_s"):
            checks.number(name, getattr(self, name), low=0.0)

    def path(self, horizon_s: float, random: np.random.Generator) -> Steps:
        """The usual rate and, for a function that is chosen, the crowd."""
        if random.random() >= self.share:
            return Steps(np.array([horizon_s]), np.ones(1), horizon_s)
        ramp = (np.arange(_RAMP_STEPS) + 0.5) / _RAMP_STEPS
        rising = 1.0 + (self.peak - 1.0) * ramp
        risen = np.arange(1, _RAMP_STEPS + 1) / _RAMP_STEPS
        falls_s = self.start_s + self.rise_s + self.hold_s
        ends = [
            self.start_s, *(self.start_s + self.rise_s * risen), falls_s, *(falls_s + self.fall_s * risen),
            max(horizon_s, falls_s + self.fall_s),
        ]  # fmt: skip
        levels = [1.0, *rising, self.peak, *rising[::-1], 1.0]
        return Steps(np.array(ends), np.array(levels), horizon_s)
