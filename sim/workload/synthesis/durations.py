"""How long calls run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from sim.core.distributions import LogNormal, look_up
from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.draws import FloatArray, WholeArray, ranked, rounded, rounded_table


@dataclass(frozen=True)
class Durations:
    """A log-normal average for each function, and a log-normal variation of its calls around it.

    Averages below `min_s` or above `max_s` are not drawn (the distribution is truncated: 0.5 % of its mass with the
    defaults); calls are cut at these bounds.

    Attributes:
        log_mean, log_sigma: of a function's average, ln seconds (Shahrad et al., USENIX ATC 2020, section 3.4).
        within_log_sigma: of the calls of one function, ln seconds; their mean is the function's average. Ours.
        min_s: the resolution of the trace.
        max_s: the longest execution that Azure's Consumption plan allows, 10 minutes.
        busy_are_short: 0 where a function's average has nothing to do with its popularity, 1 where the more often it
            is called the shorter it runs. The published averages do not count calls, so the load is not published;
            ours.
    """

    log_mean: float = -0.38
    log_sigma: float = 2.36
    within_log_sigma: float = 0.5
    min_s: float = 0.001
    max_s: float = 600.0
    busy_are_short: float = 0.5

    def __post_init__(self) -> None:
        checks.number("log_mean", self.log_mean)
        checks.number("log_sigma", self.log_sigma, above=0.0)
        checks.number("within_log_sigma", self.within_log_sigma, low=0.0, high=4.0)
        checks.number("min_s", self.min_s, low=0.001)
        checks.number("max_s", self.max_s, above=self.min_s, high=1e6)
        checks.number("busy_are_short", self.busy_are_short, low=0.0, high=1.0)
        if self._mass(self.max_s) - self._mass(self.min_s) < 1e-6:
            raise ConfigError(f"min_s and max_s leave nothing of a log-normal with log_mean {self.log_mean}")

    def average_s(self, calls: WholeArray, random: np.random.Generator) -> FloatArray:
        """The average of each function, in seconds; `calls` ranks the functions by popularity."""
        low, high = self._mass(self.min_s), self._mass(self.max_s)
        u = ranked(-calls, self.busy_are_short, random)
        return rounded(np.exp(self.log_mean + self.log_sigma * ndtri(low + (high - low) * u)))

    def calls_ms(self, function: WholeArray, average_s: FloatArray, random: np.random.Generator) -> WholeArray:
        """The duration of each call, in whole milliseconds; `function` is an index into `average_s`."""
        median = math.exp(-0.5 * self.within_log_sigma**2)
        spread = LogNormal(median, median * math.exp(self.within_log_sigma * float(ndtri(0.99))))
        drawn = average_s[function] * look_up(rounded_table(spread), random.random(function.size))
        return np.rint(np.clip(drawn, self.min_s, self.max_s) * 1000.0).astype(np.int64)

    def _mass(self, seconds: float) -> float:
        return float(ndtr((math.log(seconds) - self.log_mean) / self.log_sigma))
