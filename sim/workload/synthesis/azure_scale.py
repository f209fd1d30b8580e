"""A whole cloud: a synthetic trace of the size and skew published of Azure Functions 2019, made of counts, in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from sim.core.describe import describe
from sim.core.distributions import Distribution
from sim.core.errors import ConfigError, TraceError
from sim.core.random import function_keys, stream, uniforms
from sim.workload import checks
from sim.workload.arrivals import MINUTE_S
from sim.workload.counted import CountedTrace
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import PROBABILITIES, DurationStatistics
from sim.workload.functions import function_table
from sim.workload.memory import require_room
from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import DAY_S, Day, Poisson
from sim.workload.synthesis.draws import FloatArray, WholeArray, apportion, rounded
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory
from sim.workload.synthesis.minutes import Curve, by_minute, calls_before, counted, joined, scattered, timed
from sim.workload.synthesis.popularity import Popularity, Zipf
from sim.workload.synthesis.synthesizer import Synthesizer
from sim.workload.synthesis.triggers import Pattern, Timers, Trigger, deal_triggers

FUNCTIONS: Final = 46_413
CALLS: Final = 12_500_000_000
HOURS: Final = 336.0
_POISSON: Final = (Pattern(Poisson()),)
_TRIGGERS: Final = tuple(
    Trigger(name, functions, calls, _POISSON)
    for name, functions, calls in (
        ("http", 0.551, 0.36), ("queue", 0.152, 0.335), ("event", 0.022, 0.247), ("orchestration", 0.069, 0.023),
        ("storage", 0.028, 0.007), ("others", 0.022, 0.008),
    )
)  # fmt: skip
"""Shares of functions and calls, as in ``configs/synthesis/default.yaml``, where their sources are."""
_PEAK_STEP_MIN: Final = 10
_BYTES_A_CELL: Final = 100
"""At the peak, while cells are put in order."""
_EXTREME: Final = 0.0001
"""The quantile that stands for the least and, from above, for the most of a function's durations."""


@dataclass(frozen=True)
class AzureScale(Synthesizer):
    """Functions with the size and skew of Azure Functions 2019, called by the minute; by default as many, for as long.

    Popularity, triggers, apps, memory and durations have the marginals published of it (Shahrad et al., USENIX ATC
    2020; 46,413 functions, 14 days, 12.5 billion calls). Timers have exact periods, all other functions are Poisson
    processes that follow the day. Fewer functions or hours have proportionally fewer calls. `make` makes all of it, as
    counts; `parts` makes any of its functions.

    Attributes:
        functions: how many.
        hours: the span, in whole minutes.
        daily_calls: mean calls a day of a function.
        seed: of all that is drawn.
        arrivals: inside a minute, one of `sim.workload.arrivals.KINDS`.
        base_share: of the load that is constant; the rest follows the day.
        timers: the functions called with exact periods. Those below a minute are ours: without them timers cannot make
            2 % of the calls, as published.
        popularity: published up to the 81st percentile of apps. The last point and the rest are ours: with them the
            busiest 1 %, 5 % and 10 % of functions make about the shares of calls that they make in a sample of 500 real
            ones (84, 96 and 98 %).
        apps, day, durations, memory, packages: the other parts (see there).
        about: facts on the origin, kept in `Trace.about`.

    Raises:
        ConfigError: a parameter out of range or of the wrong kind, named.
    """

    functions: int = FUNCTIONS
    hours: float = HOURS
    daily_calls: float = round(CALLS / FUNCTIONS / HOURS * 24.0, 2)
    seed: int = 0
    arrivals: str = "even"
    base_share: float = 0.5
    timers: Timers = field(
        default_factory=lambda: Timers(
            0.156, 0.02, (5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)
        )
    )
    popularity: Popularity | Zipf = field(
        default_factory=lambda: Popularity(
            (0.0, 0.45, 0.81, 0.99), (1.0 / 14.0, 24.0, 1440.0, 300_000.0), zipf_exponent=3.0, large_are_busy=0.55
        )
    )
    apps: Apps = field(default_factory=Apps)
    day: Day = field(default_factory=Day)
    durations: Durations | Distribution = field(default_factory=lambda: Durations(busy_are_short=0.4))
    memory: Memory | Distribution = field(default_factory=Memory)
    packages: Packages = field(default_factory=Packages)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check_parts()
        checks.number("daily_calls", self.daily_calls, above=0.0)
        checks.number("base_share", self.base_share, low=0.0, high=1.0)
        if not isinstance(self.timers, Timers):
            raise ConfigError(f"timers must be a Timers, not {self.timers!r}")
        if not isinstance(self.durations, Durations):
            raise ConfigError(f"durations must be a Durations, not {self.durations!r}")
        if self.horizon_s % MINUTE_S:
            raise ConfigError(f"hours must be whole minutes, not {self.hours}")
        if self.calls < self.functions:
            raise ConfigError(f"daily_calls is too small at {self.daily_calls:g}: a function has one call at least")
        try:
            Recipe(self.arrivals)
        except TraceError as error:
            raise ConfigError(str(error)) from None

    @property
    def calls(self) -> int:
        """How many calls there are in all."""
        return round(self.daily_calls * self.functions * self.horizon_s / DAY_S)

    def make(self, replication: int = 0) -> CountedTrace:
        """The whole trace, as counts."""
        return self.parts(replication).part(np.arange(self.functions))

    def parts(self, replication: int = 0) -> TraceParts:
        """The trace, of which any part can be made by itself; another one for each replication."""
        return TraceParts(self, replication)


@dataclass(frozen=True)
class _Calls:
    """How each function is called: int64[F] each.

    Attributes:
        number: of calls.
        period_s: of timers; 0 for the others.
        phase_s: of timers.
        trigger: its name.
    """

    number: WholeArray
    period_s: WholeArray
    phase_s: WholeArray
    trigger: list[str]


@dataclass(frozen=True, eq=False)
class TraceParts:
    """A trace of counts that need not be held whole: what is known of all functions, and any of them as a trace.

    It is what its recipe says, so it may travel to other processes, and be made there again.

    Attributes:
        recipe: of the trace.
        replication: which of the traces of this recipe.
    """

    recipe: AzureScale
    replication: int = 0

    def __repr__(self) -> str:
        calls, functions = int(self.calls_per_function.sum()), self.recipe.functions
        return f"<TraceParts: {calls:,} calls of {functions:,} functions over {self.horizon_s:,.0f} s, made in parts>"

    def __getstate__(self) -> dict[str, Any]:
        """What it is, not what was made of it."""
        return {"recipe": self.recipe, "replication": self.replication}

    @property
    def horizon_s(self) -> float:
        """The span in seconds."""
        return self.recipe.horizon_s

    @cached_property
    def functions(self) -> pd.DataFrame:
        """The complete table of functions (see `sim.workload.functions`)."""
        return function_table(self.recipe.table(self._sizes, self._calls.trigger, self.replication))

    @property
    def calls_per_function(self) -> WholeArray:
        """int64[F]: the number of calls of each function: exactly, unless arrivals are ``poisson``."""
        return self._calls.number

    def content_hash(self) -> str:
        """A hash of all that the trace depends on: its recipe, and which of its traces it is."""
        return hashlib.blake2b(repr((self.recipe, self.replication)).encode(), digest_size=16).hexdigest()

    def part(self, chosen: npt.ArrayLike) -> CountedTrace:
        """Some functions and all their calls. A function has the same counts whichever others are chosen.

        Args:
            chosen: indices of functions, none twice.

        Raises:
            TraceError: there is no such function, one is chosen twice, or they are too many for the memory.
        """
        rows, minutes = self._rows(chosen), round(self.horizon_s / MINUTE_S)
        most = int(np.minimum(self.calls_per_function[rows], minutes).sum())
        advice = "make it in parts, or of fewer functions or hours"
        require_room(f"up to {most:,} minutes of functions", most * _BYTES_A_CELL, advice)
        table = self.functions.iloc[rows].reset_index(drop=True)
        function, minute, count = by_minute(self._cells(rows, table, minutes), rows.size, minutes)
        known = DurationStatistics(self._average_s[rows], np.outer(self._average_s[rows], self._quantile_factors))
        source = CountSource(
            function, minute, count, table, known, ((0, minutes),), Recipe(self.recipe.arrivals, seed=self.recipe.seed)
        )
        facts = {"format": "synthesis", "seed": self.recipe.seed, "replication": self.replication,
                 "recipe": describe(self.recipe)}  # fmt: skip
        return source.draw(self.replication, {**self.recipe.about, **facts})

    def _rows(self, chosen: npt.ArrayLike) -> WholeArray:
        rows = np.asarray(chosen)
        if rows.ndim != 1 or not (np.issubdtype(rows.dtype, np.integer) or not rows.size):
            raise TraceError("functions are chosen by a list of their numbers")
        rows = rows.astype(np.int64)
        bad = (rows < 0) | (rows >= self.recipe.functions)
        if bad.any():
            raise TraceError(f"there is no function {int(rows[bad][0])} among {self.recipe.functions}")
        if np.unique(rows).size != rows.size:
            raise TraceError("a function is chosen twice")
        return rows

    def _cells(self, rows: WholeArray, table: pd.DataFrame, minutes: int) -> tuple[WholeArray, WholeArray, WholeArray]:
        """The cells of some functions, in any order of functions."""
        calls, curve = self._calls, Curve(self.recipe.base_share, minutes)
        number, period_s, phase_s = calls.number[rows], calls.period_s[rows], calls.phase_s[rows]
        keys = self._stream("minutes", table)
        is_timer, is_rare = period_s > 0, number <= minutes
        kinds = [np.flatnonzero(kind) for kind in (is_timer, ~is_timer & is_rare, ~is_timer & ~is_rare)]
        timers, rare, busy = kinds
        peaks = self._peaks(table)
        made = (
            timed(period_s[timers], phase_s[timers], curve),
            scattered(keys[rare], number[rare], peaks[rare], curve),
            counted(keys[busy], number[busy], peaks[busy], curve),
        )
        return joined([(kind[row], minute, count) for kind, (row, minute, count) in zip(kinds, made, strict=True)])

    def _stream(self, purpose: str, table: pd.DataFrame) -> npt.NDArray[np.uint64]:
        keys = function_keys(table["owner"].tolist(), table["app"].tolist(), table["name"].tolist())
        return stream(self.recipe.seed, self.replication, f"synthesis.{purpose}", *keys)

    def _peaks(self, table: pd.DataFrame) -> WholeArray:
        """The minute of the day at which each function's load is highest: few different ones, for speed."""
        day, u = self.recipe.day, uniforms(self._stream("peaks", table), np.zeros(len(table), np.uint64))
        peak_min = np.floor((day.peak_h + day.spread_h * (2.0 * u - 1.0)) * 60.0 / _PEAK_STEP_MIN) * _PEAK_STEP_MIN
        return peak_min.astype(np.int64) % round(DAY_S / MINUTE_S)

    @cached_property
    def _sizes(self) -> WholeArray:
        return self.recipe.apps.app_sizes(self.recipe.functions, self._generator("apps"))

    @cached_property
    def _calls(self) -> _Calls:
        """Timers first, as those among the functions that are rare enough; the others share the calls that are left."""
        recipe, horizon_s = self.recipe, self.horizon_s
        wanted = recipe.popularity.function_calls(
            self._sizes, recipe.calls, horizon_s / DAY_S, self._generator("popularity")
        )
        shares = [*(trigger.functions for trigger in _TRIGGERS), recipe.timers.functions]
        quotas = apportion(recipe.functions, np.array(shares))
        random = self._generator("timers")
        timers = recipe.timers.pick(wanted, int(quotas[-1]), recipe.timers.calls * recipe.calls, horizon_s, random)
        period_s, phase_s = np.zeros((2, recipe.functions), np.int64)
        period_s[timers] = recipe.timers.nearest_period_s(wanted[timers], horizon_s).astype(np.int64)
        phase_s[timers] = np.floor(random.random(timers.size) * np.minimum(period_s[timers], horizon_s))
        number = np.zeros(recipe.functions, np.int64)
        number[timers] = calls_before(round(horizon_s), period_s[timers], phase_s[timers])
        others = np.flatnonzero(period_s == 0)
        left = recipe.calls - int(number.sum())
        if left < others.size:
            raise ConfigError(f"daily_calls: of {recipe.calls} calls the timers alone make {recipe.calls - left}")
        number[others] = apportion(left, wanted[others], least=1)
        dealt = deal_triggers(wanted[others], _TRIGGERS, quotas[:-1], recipe.calls, self._generator("triggers"))
        names = np.full(recipe.functions, "timer", object)
        names[others] = np.array([trigger.name for trigger in _TRIGGERS], object)[dealt]
        return _Calls(number, period_s, phase_s, names.tolist())

    @cached_property
    def _average_s(self) -> FloatArray:
        durations = self.recipe.durations
        assert isinstance(durations, Durations)
        return durations.average_s(self.calls_per_function, self._generator("averages"))

    @property
    def _quantile_factors(self) -> FloatArray:
        """float64[7]: a function's quantiles of durations, by its average: log-normal, as its recipe says."""
        durations = self.recipe.durations
        assert isinstance(durations, Durations)
        sigma = durations.within_log_sigma
        p = np.clip(PROBABILITIES, _EXTREME, 1.0 - _EXTREME)
        return rounded(np.exp(sigma * ndtri(p) - 0.5 * sigma**2))

    def _generator(self, purpose: str) -> np.random.Generator:
        return self.recipe.generator(self.replication, purpose)
