"""How often each app is called, and how an app's calls are split among its functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.draws import FloatArray, WholeArray, log_interpolated, ranked, rounded, shuffled


@dataclass(frozen=True)
class Popularity:
    """Calls a day per app: published points of the CDF, straight between them on a log axis, and a free head.

    The apps above the last point have the calls that are left: from the last point's rate up, log-uniformly, as far as
    the total asks. The functions of an app share its calls by Zipf's law.

    Attributes:
        probabilities: of an app being called at most `calls_per_day`; rising from 0, the last below 1.
        calls_per_day: rising. Defaults: 45 % of apps at most one call an hour, 81 % at most one a minute (Shahrad et
            al., USENIX ATC 2020, section 3.3); the least, one a day, is ours, for a trace of one day.
        zipf_exponent: of the calls of an app's functions by rank; not published, ours.
        large_are_busy: 0 where the calls of an app have nothing to do with how many functions it has, 1 where the
            larger it is the more calls it has; not published, ours.
    """

    probabilities: tuple[float, ...] = (0.0, 0.45, 0.81)
    calls_per_day: tuple[float, ...] = (1.0, 24.0, 1440.0)
    zipf_exponent: float = 2.0
    large_are_busy: float = 0.0

    def __post_init__(self) -> None:
        probabilities = checks.rising("probabilities", self.probabilities, low=0.0, high=0.999)
        calls = checks.rising("calls_per_day", self.calls_per_day, low=1e-3)
        if probabilities[0] != 0.0:
            raise ConfigError(f"probabilities must start at 0, not {probabilities[0]}")
        checks.same_length("probabilities", probabilities, "calls_per_day", calls)
        checks.number("zipf_exponent", self.zipf_exponent, low=0.0, high=10.0)
        checks.number("large_are_busy", self.large_are_busy, low=0.0, high=1.0)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "calls_per_day", calls)

    def function_calls(self, sizes: WholeArray, total: float, days: float, random: np.random.Generator) -> FloatArray:
        """The calls wanted of each function, app by app; they add up to `total` to about six digits.

        Args:
            sizes: int64[apps], the number of functions of each app.
            total: calls in all.
            days: the span, in days of 86,400 s.
            random: what popularity is drawn from.

        Raises:
            ConfigError: fewer calls than the apps below the head make by themselves.
        """
        wanted = self._app_calls(total, days, ranked(sizes, self.large_are_busy, random))
        parts = []
        for calls, size in zip(wanted.tolist(), sizes.tolist(), strict=True):
            weights = rounded((1.0 + shuffled(size, random)) ** -self.zipf_exponent)
            parts.append(weights * (calls / math.fsum(weights.tolist())))
        return np.concatenate(parts)

    def _app_calls(self, total: float, days: float, u: FloatArray) -> FloatArray:
        last, rate = self.probabilities[-1], self.calls_per_day[-1]
        calls = log_interpolated(u, self.probabilities, self.calls_per_day) * days
        head = u >= last
        left = total - math.fsum(calls[~head].tolist())
        height = (u[head] - last) / (1.0 - last)
        if left < rate * days * height.size:
            least = math.ceil(total - left + rate * days * height.size)
            raise ConfigError(
                f"calls is too small at {total:g}: {u.size} apps of this popularity make {least} at least"
            )
        if height.size:
            calls[head] = rounded(rate * days * np.exp(_growth(height, left / (rate * days)) * height))
        return calls


@dataclass(frozen=True)
class Zipf:
    """Zipf's law over functions: the r-th busiest has calls in proportion to r ** -exponent, whatever its app.

    Attributes:
        exponent: 0 where all functions are called alike; about 1 in many catalogues. In traces of functions the head is
            steeper and the tail longer than any power law: `Popularity` has what is published of them.
    """

    exponent: float = 1.0

    def __post_init__(self) -> None:
        checks.number("exponent", self.exponent, low=0.0, high=10.0)

    def function_calls(self, sizes: WholeArray, total: float, days: float, random: np.random.Generator) -> FloatArray:
        """The calls wanted of each function; as `Popularity.function_calls`. Ranks are dealt at random."""
        weights = rounded((1.0 + shuffled(int(sizes.sum()), random)) ** -self.exponent)
        return weights * (total / math.fsum(weights.tolist()))


def _growth(height: FloatArray, wanted: float) -> float:
    """The g for which the sum of exp(g * height) is `wanted`, by bisection."""
    low, high = 0.0, math.log(max(wanted, 1.0)) / float(height.max()) + 1.0
    for _ in range(200):
        middle = (low + high) / 2.0
        if math.fsum(np.exp(middle * height).tolist()) < wanted:
            low = middle
        else:
            high = middle
    return low
