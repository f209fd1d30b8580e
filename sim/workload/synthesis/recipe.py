"""The recipe of a synthetic trace: its parts put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.core.distributions import Distribution
from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import DAY_S, Day
from sim.workload.synthesis.draws import FloatArray, WholeArray, apportion
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory
from sim.workload.synthesis.popularity import Popularity, Zipf
from sim.workload.synthesis.synthesizer import Synthesizer, milliseconds
from sim.workload.synthesis.triggers import Pattern, Timers, Trigger, deal_triggers
from sim.workload.trace import Trace


@dataclass(frozen=True)
class Synthesis(Synthesizer):
    """A synthetic trace of a given number of calls, from the marginal distributions that are published of real ones.

    Attributes:
        functions: how many.
        calls: how many.
        triggers: what calls the functions that are no timers; the shares of functions, with the timers', add up to 1.
        timers: the functions called with exact periods, or None.
        hours: the span.
        seed: of all that is drawn.
        popularity, apps, day, durations, memory, packages: the parts (see there).
        about: facts on the origin, kept in `Trace.about`.

    Raises:
        ConfigError: a parameter out of range or of the wrong kind, named.
    """

    functions: int
    calls: int
    triggers: tuple[Trigger, ...]
    timers: Timers | None = None
    hours: float = 24.0
    seed: int = 0
    popularity: Popularity | Zipf = field(default_factory=Popularity)
    apps: Apps = field(default_factory=Apps)
    day: Day = field(default_factory=Day)
    durations: Durations | Distribution = field(default_factory=Durations)
    memory: Memory | Distribution = field(default_factory=Memory)
    packages: Packages = field(default_factory=Packages)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check_parts()
        checks.whole("calls", self.calls, low=self.functions)
        object.__setattr__(self, "triggers", checks.items("triggers", self.triggers, Trigger))
        if self.timers is not None and not isinstance(self.timers, Timers):
            raise ConfigError(f"timers must be a Timers or null, not {self.timers!r}")
        checks.shares("the shares of functions of triggers and timers", self.function_shares())

    def make(self, replication: int = 0) -> Trace:
        """The trace; another one of the same distribution for each replication."""
        sizes = self.apps.app_sizes(self.functions, self.generator(replication, "apps"))
        arrivals_ms, trigger = _Draw(self, replication).arrivals(sizes)
        return self.trace(arrivals_ms, sizes, trigger, replication)

    def function_shares(self) -> list[float]:
        """Of each trigger and, last, of the timers: the share of all functions."""
        return [*(trigger.functions for trigger in self.triggers), self.timers.functions if self.timers else 0.0]


@dataclass(frozen=True)
class _Draw:
    """One replication of a recipe."""

    recipe: Synthesis
    replication: int

    def generator(self, purpose: str) -> np.random.Generator:
        return self.recipe.generator(self.replication, purpose)

    def arrivals(self, sizes: WholeArray) -> tuple[list[WholeArray], list[str]]:
        """Arrival times of each function in milliseconds, and its trigger."""
        recipe = self.recipe
        wanted = recipe.popularity.function_calls(
            sizes, recipe.calls, recipe.horizon_s / DAY_S, self.generator("popularity")
        )
        quotas = apportion(recipe.functions, np.array(recipe.function_shares()))
        times = self._timers(wanted, int(quotas[-1]))
        others = np.array([f for f in range(recipe.functions) if f not in times], np.int64)
        left = recipe.calls - sum(timer.size for timer in times.values())
        if left < others.size or not others.size:
            raise ConfigError(f"calls is {recipe.calls}, but the timers alone make {recipe.calls - left}")
        calls = apportion(left, wanted[others], least=1)
        trigger = deal_triggers(wanted[others], recipe.triggers, quotas[:-1], recipe.calls, self.generator("triggers"))
        times |= self._others(others, calls, trigger)
        names = dict(zip(others.tolist(), (recipe.triggers[t].name for t in trigger.tolist()), strict=True))
        return [times[f] for f in range(recipe.functions)], [names.get(f, "timer") for f in range(recipe.functions)]

    def _timers(self, wanted: FloatArray, count: int) -> dict[int, WholeArray]:
        timers, horizon_s = self.recipe.timers, self.recipe.horizon_s
        if timers is None:
            return {}
        random = self.generator("timers")
        picked = timers.pick(wanted, count, timers.calls * self.recipe.calls, horizon_s, random)
        periods = timers.nearest_period_s(wanted[picked], horizon_s)
        return {
            function: milliseconds(timers.times_s(period, horizon_s, random), horizon_s)
            for function, period in zip(picked.tolist(), periods.tolist(), strict=True)
        }

    def _others(self, functions: WholeArray, calls: WholeArray, trigger: WholeArray) -> dict[int, WholeArray]:
        recipe = self.recipe
        pattern: dict[int, Pattern] = {}
        random = self.generator("patterns")
        for number, kind in enumerate(recipe.triggers):
            members = trigger == number
            pattern |= zip(functions[members].tolist(), kind.deal_patterns(calls[members], random), strict=True)
        peaks = self.generator("peaks").random(functions.size)
        random = self.generator("arrivals")
        times = {}
        for function, count, peak in zip(functions.tolist(), calls.tolist(), peaks.tolist(), strict=True):
            clock = recipe.day.clock(pattern[function].base_share, recipe.horizon_s, peak)
            drawn = pattern[function].process.times_s(count, clock, random)
            times[function] = np.sort(milliseconds(drawn, recipe.horizon_s))
        return times
