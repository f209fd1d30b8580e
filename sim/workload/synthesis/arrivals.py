"""When calls arrive: one class a process, placing a given number of calls, or as many as a rate makes, in the span.

A process works on the *clock* of its function, on which time passes as fast as the day is busy: what is even on the
clock follows the day in seconds. `Synthesis` says how many calls a function has, and asks for `times_s`;
`Superposition` says at which rate it is called, and asks for `arrivals_s`. See `modulated` for rates that vary, and
`periodic` for timers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, runtime_checkable

import numpy as np

from sim.core.distributions import Exponential, look_up
from sim.workload import checks
from sim.workload.synthesis.draws import FloatArray, poisson_count, rounded, rounded_table

DAY_S: Final = 86_400.0
_CELLS_A_DAY: Final = 288


class Clock:
    """A load curve over the span, constant within cells of about five minutes, and its inverse."""

    def __init__(self, load: FloatArray, horizon_s: float) -> None:
        self.horizon_s = horizon_s
        self._load = load
        self._passed = np.concatenate(([0.0], np.cumsum(load)))

    def seconds(self, u: FloatArray) -> FloatArray:
        """Where the shares `u`, in [0, 1), of the load have been, in seconds from the start."""
        passed = u * self._passed[-1]
        cell = np.searchsorted(self._passed[1:-1], passed, "right")
        within = (passed - self._passed[cell]) / self._load[cell]
        return np.asarray((cell + within) * (self.horizon_s / self._load.size), np.float64)


@dataclass(frozen=True)
class Day:
    """The curve of a day: a raised cosine of mean 1 that is 0 twelve hours from its peak.

    Attributes:
        peak_h: hour of the peak, counted from the start of the trace.
        spread_h: functions peak up to this many hours earlier or later.
    """

    peak_h: float = 14.0
    spread_h: float = 2.0

    def __post_init__(self) -> None:
        checks.number("peak_h", self.peak_h, low=0.0, high=24.0)
        checks.number("spread_h", self.spread_h, low=0.0, high=12.0)

    def clock(self, base_share: float, horizon_s: float, u: float) -> Clock:
        """The clock of a function of whose load `base_share` is constant; `u` in [0, 1) draws its peak."""
        peak_s = (self.peak_h + self.spread_h * (2.0 * u - 1.0)) * 3600.0
        cells = max(1, round(horizon_s / DAY_S * _CELLS_A_DAY))
        middle_s = (np.arange(cells) + 0.5) * (horizon_s / cells)
        wave = rounded(1.0 + np.cos((middle_s - peak_s) * (2.0 * np.pi / DAY_S)))
        return Clock(np.maximum(base_share + (1.0 - base_share) * wave, 1e-6), horizon_s)


@runtime_checkable
class Process(Protocol):
    """How the calls of one function are spread over the span."""

    def times_s(self, calls: int, clock: Clock, random: np.random.Generator) -> FloatArray:
        """Arrival times of `calls` calls, in any order, in seconds; the span is a ring, so they may overrun it."""
        ...


@runtime_checkable
class RateProcess(Protocol):
    """How a function that is called at some mean rate is called."""

    def arrivals_s(self, rate_per_s: float, horizon_s: float, random: np.random.Generator) -> FloatArray:
        """Arrival times in [0, horizon_s), in any order; how many is drawn too.

        Args:
            rate_per_s: mean calls a second; what it is the mean of, each process says.
            horizon_s: the span.
            random: what is drawn from.
        """
        ...


@dataclass(frozen=True)
class Poisson:
    """Calls independent of each other."""

    def times_s(self, calls: int, clock: Clock, random: np.random.Generator) -> FloatArray:
        """Uniform on the clock."""
        return clock.seconds(random.random(calls))

    def arrivals_s(self, rate_per_s: float, horizon_s: float, random: np.random.Generator) -> FloatArray:
        """A Poisson number of calls, each anywhere in the span: numbers in disjoint spans are independent."""
        return np.asarray(random.random(poisson_count(rate_per_s * horizon_s, random)) * horizon_s, np.float64)


@dataclass(frozen=True)
class Even:
    """Machines calling in turn: evenly spaced, each call off its place by up to half of `jitter` spacings.

    Attributes:
        jitter: 0 for exact spacing; the coefficient of variation of the gaps is 0.41 times this, on the clock.
    """

    jitter: float = 1.0

    def __post_init__(self) -> None:
        checks.number("jitter", self.jitter, low=0.0, high=10.0)

    def times_s(self, calls: int, clock: Clock, random: np.random.Generator) -> FloatArray:
        """One call a spacing, with a phase of the function's own."""
        phase = random.random()
        place = (np.arange(calls) + phase + self.jitter * (random.random(calls) - 0.5)) / calls
        return clock.seconds(np.minimum(place - np.floor(place), 1.0 - 2.0**-53))


@dataclass(frozen=True)
class Bursts:
    """Batches and sessions: bursts at random, more of them the more calls there are.

    Attributes:
        calls: mean number in a burst.
        length_s: mean time of a call after the start of its burst, exponential.
    """

    calls: float
    length_s: float

    def __post_init__(self) -> None:
        checks.number("calls", self.calls, low=1.0)
        checks.number("length_s", self.length_s, low=0.0)

    def times_s(self, calls: int, clock: Clock, random: np.random.Generator) -> FloatArray:
        """Each call in a burst at random, so burst sizes vary."""
        starts = clock.seconds(random.random(max(1, round(calls / self.calls))))
        burst = (random.random(calls) * starts.size).astype(np.int64)
        return starts[burst] + self.length_s * look_up(self._exponential, random.random(calls))

    @cached_property
    def _exponential(self) -> FloatArray:
        return rounded_table(Exponential(1.0))


@dataclass(frozen=True)
class OnOff:
    """A source that is on now and then: spells at random, nothing between them.

    Attributes:
        spells_per_day: how many, however many calls there are.
        spell_s: mean length of a spell, exponential; spells may overlap.
    """

    spells_per_day: float
    spell_s: float

    def __post_init__(self) -> None:
        checks.number("spells_per_day", self.spells_per_day, above=0.0, high=1e5)
        checks.number("spell_s", self.spell_s, above=0.0)

    def times_s(self, calls: int, clock: Clock, random: np.random.Generator) -> FloatArray:
        """Each call at random in the time on."""
        spells = max(1, round(self.spells_per_day * clock.horizon_s / DAY_S))
        starts = clock.seconds(random.random(spells))
        ends = np.cumsum(self.spell_s * look_up(self._exponential, random.random(spells)))
        on = random.random(calls) * ends[-1]
        spell = np.searchsorted(ends[:-1], on, "right")
        return np.asarray(starts[spell] + (on - np.concatenate(([0.0], ends))[spell]), np.float64)

    @cached_property
    def _exponential(self) -> FloatArray:
        return rounded_table(Exponential(1.0))
