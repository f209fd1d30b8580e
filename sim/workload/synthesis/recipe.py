"""The recipe of a synthetic trace: its parts put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from sim.core.errors import ConfigError
from sim.core.random import generator
from sim.workload.synthesis import checks
from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import DAY_S, Day
from sim.workload.synthesis.draws import FloatArray, WholeArray, apportion
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory
from sim.workload.synthesis.popularity import Popularity
from sim.workload.synthesis.triggers import Pattern, Timers, Trigger, deal_triggers
from sim.workload.trace import Trace

_PARTS = {"popularity": Popularity, "apps": Apps, "day": Day, "durations": Durations, "memory": Memory,
          "packages": Packages}  # fmt: skip


@dataclass(frozen=True)
class Synthesis:
    """A synthetic trace from the marginal distributions that are published of real ones.

    The same recipe makes the same columns, bit for bit, with any version of numpy on any processor. Arrivals and
    durations lie on a grid of 1 ms.

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
    popularity: Popularity = field(default_factory=Popularity)
    apps: Apps = field(default_factory=Apps)
    day: Day = field(default_factory=Day)
    durations: Durations = field(default_factory=Durations)
    memory: Memory = field(default_factory=Memory)
    packages: Packages = field(default_factory=Packages)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.whole("functions", self.functions, low=1)
        checks.whole("calls", self.calls, low=self.functions)
        checks.number("hours", self.hours, above=0.0, high=8784.0)
        checks.whole("seed", self.seed, low=0)
        object.__setattr__(self, "triggers", checks.items("triggers", self.triggers, Trigger))
        if self.timers is not None and not isinstance(self.timers, Timers):
            raise ConfigError(f"timers must be a Timers or null, not {self.timers!r}")
        for name, kind in _PARTS.items():
            if not isinstance(getattr(self, name), kind):
                raise ConfigError(f"{name} must be a {kind.__name__}, not {getattr(self, name)!r}")
        checks.shares("the shares of functions of triggers and timers", self.function_shares())

    @property
    def horizon_s(self) -> float:
        """The span in seconds, to the millisecond."""
        return round(self.hours * 3_600_000.0) / 1000.0

    def make(self, replication: int = 0) -> Trace:
        """The trace; another one of the same distribution for each replication."""
        draw = _Draw(self, replication)
        sizes = self.apps.app_sizes(self.functions, draw.generator("apps"))
        arrivals_ms, trigger = draw.arrivals(sizes)
        calls = np.array([times.size for times in arrivals_ms])
        function = np.repeat(np.arange(self.functions), calls)
        average_s = self.durations.average_s(calls, draw.generator("averages"))
        duration_ms = self.durations.calls_ms(function, average_s, draw.generator("durations"))
        arrival_ms = np.concatenate(arrivals_ms)
        order = np.argsort(arrival_ms, kind="stable")
        about = {**self.about, "format": "synthesis", "seed": self.seed, "replication": replication}
        trace = Trace.from_arrays(
            function[order],
            arrival_ms[order] / 1000.0,
            duration_ms[order] / 1000.0,
            functions=draw.table(sizes, trigger),
            horizon_s=self.horizon_s,
        )
        return replace(trace, about=about)

    def function_shares(self) -> list[float]:
        """Of each trigger and, last, of the timers: the share of all functions."""
        return [*(trigger.functions for trigger in self.triggers), self.timers.functions if self.timers else 0.0]


@dataclass(frozen=True)
class _Draw:
    """One replication of a recipe."""

    recipe: Synthesis
    replication: int

    def generator(self, purpose: str) -> np.random.Generator:
        return generator(self.recipe.seed, self.replication, f"synthesis.{purpose}")

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
            function: _milliseconds(timers.times_s(period, horizon_s, random), horizon_s)
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
            times[function] = np.sort(_milliseconds(drawn, recipe.horizon_s))
        return times

    def table(self, sizes: WholeArray, trigger: list[str]) -> pd.DataFrame:
        """The table of functions, app by app; an app's memory is split evenly among its functions, to 0.01 MB."""
        recipe, app = self.recipe, np.repeat(np.arange(sizes.size), sizes)
        owner = recipe.apps.owners(sizes.size, self.generator("owners"))
        memory_mb = recipe.memory.app_mb(sizes.size, self.generator("memory")) / sizes
        packages = recipe.packages.columns(sizes.size, self.generator("packages"))
        return pd.DataFrame(
            {
                "name": _names("f", np.arange(app.size)),
                "app": _names("a", app),
                "owner": _names("o", owner[app]),
                "trigger": trigger,
                "memory_mb": np.rint(memory_mb[app] * 100.0) / 100.0,
                **{column: values[app] for column, values in packages.items()},
            }
        )


def _milliseconds(times_s: FloatArray, horizon_s: float) -> WholeArray:
    """Seconds to the millisecond below; what overruns the span comes in at its beginning."""
    return np.floor(times_s * 1000.0).astype(np.int64) % round(horizon_s * 1000.0)


def _names(letter: str, numbers: WholeArray) -> list[str]:
    """A letter and the number, with zeros before it so that names sort."""
    digits = len(str(int(numbers.max())))
    return [f"{letter}{number:0{digits}d}" for number in numbers.tolist()]
