"""What every recipe of a synthetic trace has: functions in apps, a span, a seed, and how the trace is put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.core.describe import describe
from sim.core.distributions import Distribution, look_up
from sim.core.errors import ConfigError
from sim.core.random import generator
from sim.workload import checks
from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import Day
from sim.workload.synthesis.draws import FloatArray, WholeArray, rounded_table
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory, app_mb
from sim.workload.synthesis.popularity import Popularity, Zipf
from sim.workload.trace import Trace

PARTS: Final[Mapping[str, tuple[type, ...]]] = {
    "popularity": (Popularity, Zipf), "apps": (Apps,), "day": (Day,), "durations": (Durations, Distribution),
    "memory": (Memory, Distribution), "packages": (Packages,),
}  # fmt: skip
"""The parts that recipes share, and what each may be."""


class Synthesizer(ABC):
    """A recipe of a synthetic trace, a value: the same recipe makes the same columns, bit for bit, anywhere.

    Arrivals and durations lie on a grid of 1 ms. The trace's `about` holds the recipe, from which
    ``sim.core.build.build(about["recipe"], ...)`` makes it again.

    Attributes:
        functions: how many.
        hours: the span.
        seed: of all that is drawn.
        apps, packages, memory, durations: what the functions are (see there). A distribution for durations, in seconds,
            is that of every function; one for memory, in MB, is that over apps.
        about: facts on the origin, kept in `Trace.about`.
    """

    functions: int
    hours: float
    seed: int
    apps: Apps
    packages: Packages
    memory: Memory | Distribution
    durations: Durations | Distribution
    about: Mapping[str, Any]

    @abstractmethod
    def make(self, replication: int = 0) -> Trace:
        """The trace; another one of the same distribution for each replication."""

    @property
    def horizon_s(self) -> float:
        """The span in seconds, to the millisecond."""
        return round(self.hours * 3_600_000.0) / 1000.0

    def check_parts(self) -> None:
        """Refuse parameters that every recipe has and that are out of range or of the wrong kind.

        Raises:
            ConfigError: which, and what it was given.
        """
        checks.whole("functions", self.functions, low=1)
        checks.number("hours", self.hours, low=1e-6, high=8784.0)
        checks.whole("seed", self.seed, low=0)
        for name, kinds in PARTS.items():
            if not isinstance(getattr(self, name), kinds):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                raise ConfigError(f"{name} must be a {wanted}, not {getattr(self, name)!r}")

    def generator(self, replication: int, purpose: str) -> np.random.Generator:
        """The source of random numbers of one purpose."""
        return generator(self.seed, replication, f"synthesis.{purpose}")

    def trace(
        self, arrivals_ms: Sequence[WholeArray], sizes: WholeArray, trigger: Sequence[str], replication: int
    ) -> Trace:
        """The trace of given arrivals, with durations drawn for them.

        Args:
            arrivals_ms: of each function, ascending, in milliseconds.
            sizes: int64[apps], functions of each app.
            trigger: of each function.
            replication: its number.
        """
        calls = np.array([times.size for times in arrivals_ms], np.int64)
        function = np.repeat(np.arange(self.functions), calls)
        duration_ms = self._durations_ms(function, calls, replication)
        arrival_ms = np.concatenate(arrivals_ms)
        order = np.argsort(arrival_ms, kind="stable")
        made = Trace.from_arrays(
            function[order],
            arrival_ms[order] / 1000.0,
            duration_ms[order] / 1000.0,
            functions=self.table(sizes, trigger, replication),
            horizon_s=self.horizon_s,
        )
        facts = {"format": "synthesis", "seed": self.seed, "replication": replication, "recipe": describe(self)}
        return replace(made, about={**self.about, **facts})

    def _durations_ms(self, function: WholeArray, calls: WholeArray, replication: int) -> WholeArray:
        random = self.generator(replication, "durations")
        if isinstance(self.durations, Durations):
            average_s = self.durations.average_s(calls, self.generator(replication, "averages"))
            return self.durations.calls_ms(function, average_s, random)
        drawn = look_up(rounded_table(self.durations), random.random(function.size))
        return np.rint(drawn * 1000.0).astype(np.int64)

    def table(self, sizes: WholeArray, trigger: Sequence[str], replication: int) -> pd.DataFrame:
        """The table of functions, app by app; an app's memory is split evenly among its functions, to 0.01 MB."""
        app = np.repeat(np.arange(sizes.size), sizes)
        owner = self.apps.owners(sizes.size, self.generator(replication, "owners"))
        memory_mb = app_mb(self.memory, sizes.size, self.generator(replication, "memory")) / sizes
        packages = self.packages.columns(sizes.size, self.generator(replication, "packages"))
        return pd.DataFrame(
            {
                "name": _names("f", np.arange(app.size)),
                "app": _names("a", app),
                "owner": _names("o", owner[app]),
                "trigger": list(trigger),
                "memory_mb": np.maximum(np.rint(memory_mb[app] * 100.0), 1.0) / 100.0,
                **{column: values[app] for column, values in packages.items()},
            }
        )


def milliseconds(times_s: FloatArray, horizon_s: float) -> WholeArray:
    """Seconds to the millisecond below; what overruns the span comes in at its beginning."""
    return np.floor(times_s * 1000.0).astype(np.int64) % round(horizon_s * 1000.0)


def _names(letter: str, numbers: WholeArray) -> list[str]:
    """A letter and the number, with zeros before it so that names sort."""
    digits = len(str(int(numbers.max())))
    return [f"{letter}{number:0{digits}d}" for number in numbers.tolist()]
