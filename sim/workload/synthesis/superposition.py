"""The recipe of a workload with one kind of arrivals: functions called at rates, independently of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from sim.core.distributions import Distribution
from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.memory import default_limit_mb
from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import DAY_S, Day, RateProcess
from sim.workload.synthesis.draws import FloatArray, WholeArray
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory
from sim.workload.synthesis.periodic import Periodic
from sim.workload.synthesis.popularity import Popularity, Zipf
from sim.workload.synthesis.synthesizer import Synthesizer, milliseconds
from sim.workload.trace import Trace

_BYTES_A_CALL: Final = 100.0
_MB: Final = 1024.0**2


@dataclass(frozen=True)
class Superposition(Synthesizer):
    """Functions called at given mean rates, each by a process of its own: how many calls there are is drawn.

    Attributes:
        functions: how many.
        calls_per_s: mean calls a second of all functions together (`FlashCrowd`: without the crowd; `Periodic`: each
            function has the nearest period there is).
        process: how each function is called: `Poisson`, `MMPP`, `Interrupted`, `FlashCrowd`, `Periodic`, or any other
            `sim.workload.synthesis.arrivals.RateProcess`.
        hours: the span.
        seed: of all that is drawn.
        trigger: the name of what calls them, as in the column `trigger`.
        base_share: of the load that is constant; the rest follows the day. 1 for no day at all; timers have none.
        popularity: how the calls are split among functions.
        apps, day, durations, memory, packages: the other parts (see there). By default each function is an app, takes
            log-normal times around an average of its own, and has the memory published of Azure's apps.
        about: facts on the origin, kept in `Trace.about`.

    Raises:
        ConfigError: a parameter out of range or of the wrong kind, named.
    """

    functions: int
    calls_per_s: float
    process: RateProcess
    hours: float = 1.0
    seed: int = 0
    trigger: str = "http"
    base_share: float = 1.0
    popularity: Popularity | Zipf = field(default_factory=Zipf)
    apps: Apps = field(default_factory=lambda: Apps((1.0,), (1.0,), 0.0))
    day: Day = field(default_factory=Day)
    durations: Durations | Distribution = field(default_factory=Durations)
    memory: Memory | Distribution = field(default_factory=Memory)
    packages: Packages = field(default_factory=Packages)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check_parts()
        checks.number("calls_per_s", self.calls_per_s, above=0.0)
        checks.number("base_share", self.base_share, low=0.0, high=1.0)
        if not isinstance(self.process, RateProcess):
            raise ConfigError(f"process must be an arrival process with a rate, not {self.process!r}")
        if not self.trigger:
            raise ConfigError("trigger must not be empty")
        needed_mb = self.calls_per_s * self.horizon_s * _BYTES_A_CALL / _MB
        if needed_mb > default_limit_mb():
            raise ConfigError(
                f"calls_per_s at {self.calls_per_s:g} over {self.hours:g} hours makes about"
                f" {self.calls_per_s * self.horizon_s:,.0f} calls, which take {needed_mb:,.0f} MB; fewer fit"
            )

    def make(self, replication: int = 0) -> Trace:
        """The trace; another one of the same distribution for each replication."""
        horizon_s = self.horizon_s
        sizes = self.apps.app_sizes(self.functions, self.generator(replication, "apps"))
        wanted = self.popularity.function_calls(
            sizes, self.calls_per_s * horizon_s, horizon_s / DAY_S, self.generator(replication, "popularity")
        )
        peaks = self.generator(replication, "peaks").random(self.functions)
        random = self.generator(replication, "arrivals")
        arrivals_ms = [
            self._arrivals_ms(calls / horizon_s, peak, random)
            for calls, peak in zip(wanted.tolist(), peaks.tolist(), strict=True)
        ]
        return self.trace(arrivals_ms, sizes, [self.trigger] * self.functions, replication)

    def _arrivals_ms(self, rate_per_s: float, peak: float, random: np.random.Generator) -> WholeArray:
        times_s = self.process.arrivals_s(rate_per_s, self.horizon_s, random)
        if self.base_share < 1.0 and not isinstance(self.process, Periodic):
            times_s = self._through_the_day(times_s, peak)
        return np.sort(milliseconds(times_s, self.horizon_s))

    def _through_the_day(self, times_s: FloatArray, peak: float) -> FloatArray:
        """Times on the function's clock as seconds."""
        clock = self.day.clock(self.base_share, self.horizon_s, peak)
        return clock.seconds(np.minimum(times_s / self.horizon_s, 1.0 - 2.0**-53))
