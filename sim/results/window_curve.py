"""The window curve: cold starts and waste for every keep-alive window at once; and the clairvoyant frontier below it.

Definitions and proofs: ``docs/window_curve.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import ConfigError
from sim.results.call_sums import Span
from sim.results.idle_periods import IdlePeriods

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_POINTS: Final = 10_000
"""Points that `WindowCurve.points` has at most, unless told otherwise: a figure shows no more."""


@dataclass(frozen=True, eq=False)
class Growth:
    """A sum of idle memory-time as a function of the window: continuous, and straight between knots.

    Attributes:
        knot_s: float64[k], windows, ascending from 0.
        gb_s: float64[k], the sum at each knot.
        growing_gb: float64[k], how fast it grows from that knot to the next: the memory that still idles.
    """

    knot_s: FloatArray
    gb_s: FloatArray
    growing_gb: FloatArray

    def at(self, windows_s: FloatArray) -> FloatArray:
        """GB-s for each of some windows >= 0; float64 of their shape."""
        knot = np.searchsorted(self.knot_s, windows_s, "right") - 1
        beyond_s = np.minimum(windows_s, self.knot_s[-1]) - self.knot_s[knot]
        total: FloatArray = self.gb_s[knot] + self.growing_gb[knot] * beyond_s
        return total


@dataclass(frozen=True, eq=False)
class Frontier:
    """The least waste of every number of cold starts, for policies that only decide how long to keep.

    Attributes:
        calls: the counted calls.
        cold_starts: int64[k], descending one by one; the first is the most that can be had for no waste.
        wasted_gb_s: float64[k], ascending from 0: the least memory-time that must be wasted for no more of them.
    """

    calls: int
    cold_starts: IntArray
    wasted_gb_s: FloatArray

    def least_gb_s(self, cold_starts: npt.ArrayLike) -> FloatArray:
        """The least waste with at most so many cold starts; NaN where there are always more."""
        spared = self.cold_starts[0] - np.minimum(np.asarray(cold_starts, np.int64), self.cold_starts[0])
        possible = spared < self.cold_starts.size
        least: FloatArray = np.where(possible, self.wasted_gb_s[np.where(possible, spared, 0)], nan)
        return least

    def points(self, most: int = MOST_POINTS) -> pd.DataFrame:
        """`cold_starts`, `cold_start_rate` and `wasted_gb_s` of at most so many of its points, densest at both ends."""
        last = self.cold_starts.size - 1
        rows = np.arange(last + 1)
        if rows.size > most:
            steps = np.geomspace(1, last + 1, most // 2).round().astype(np.int64) - 1
            rows = np.unique(np.concatenate([steps, last - steps]))
        cold = self.cold_starts[rows]
        return pd.DataFrame({"cold_starts": cold, "cold_start_rate": cold / self.calls if self.calls else nan,
                             "wasted_gb_s": self.wasted_gb_s[rows]})  # fmt: skip


@dataclass(frozen=True, eq=False)
class WindowCurve:
    """Cold starts and wasted memory-time of `FixedWindow` for every window.

    Attributes:
        calls: the counted calls.
        warm_from_s: float64[k], ascending: of each counted call that some window makes warm, the least such window. It
            is the least float64 w with ``arrival <= end + w`` in float64, as the platform judges.
        waste: the wasted memory-time.
        frontier: the least waste for each number of cold starts.
        approximate: what the platform has that the curve leaves out, a phrase each; empty if the curve is exact.
    """

    calls: int
    warm_from_s: FloatArray
    waste: Growth
    frontier: Frontier
    approximate: tuple[str, ...] = ()

    def cold_starts(self, windows_s: npt.ArrayLike) -> IntArray:
        """The cold starts under each of some windows: int64 of their shape.

        Raises:
            ConfigError: a window that is no number of seconds >= 0 (infinity is one).
        """
        warm: IntArray = np.searchsorted(self.warm_from_s, _checked(windows_s), "right")
        return self.calls - warm

    def wasted_gb_s(self, windows_s: npt.ArrayLike) -> FloatArray:
        """The wasted memory-time under each of some windows: float64 of their shape, GB-s; raises as `cold_starts`."""
        return self.waste.at(_checked(windows_s))

    def at(self, windows_s: npt.ArrayLike) -> pd.DataFrame:
        """A row a window: `window_s`, `cold_starts`, `cold_start_rate` and `wasted_gb_s`; raises as `cold_starts`."""
        windows = np.atleast_1d(_checked(windows_s))
        cold = self.cold_starts(windows)
        return pd.DataFrame({"window_s": windows, "cold_starts": cold,
                             "cold_start_rate": cold / self.calls if self.calls else nan,
                             "wasted_gb_s": self.wasted_gb_s(windows)})  # fmt: skip

    def points(self, most: int = MOST_POINTS) -> pd.DataFrame:
        """The curve at its own windows, those at which a call becomes warm, and at 0 and infinity.

        If there are more than `most`, only those next to as many windows evenly spaced by logarithm.
        """
        windows_s = np.unique(self.warm_from_s)
        windows_s = windows_s[windows_s > 0]
        if windows_s.size > most - 2:
            wanted_s = np.geomspace(windows_s[0], windows_s[-1], most - 2)
            near = np.searchsorted(windows_s, wanted_s).clip(max=windows_s.size - 1)
            windows_s = windows_s[np.unique(near)]
        return self.at(np.concatenate([[0.0], windows_s, [inf]]))

    def knee(self, low_s: float = 0.0, high_s: float = inf) -> float:
        """The window of the knee, in seconds, by Kneedle (Satopää et al., ICDCS Workshops 2011) without smoothing.

        Waste and cold starts are scaled so that the shortest window is at (0, 1) and the longest at (1, 0); the knee is
        the point of the curve that lies furthest below the straight line between them, the first if there are several.
        It depends on the range: where most calls come within seconds, so does the knee of the whole curve.

        Args:
            low_s: the shortest window considered.
            high_s: the longest.

        Returns:
            Seconds; NaN where the curve is nowhere below that line, no window in between makes a call warm, or none
            wastes anything.

        Raises:
            ConfigError: not ``0 <= low_s < high_s``.
        """
        low_s, high_s = _checked([low_s, high_s]).tolist()
        if not low_s < high_s:
            raise ConfigError(f"the knee is sought between a shorter and a longer window, not {low_s} and {high_s}")
        between = (self.warm_from_s > low_s) & (self.warm_from_s < high_s)
        windows_s = np.concatenate([[low_s], np.unique(self.warm_from_s[between]), [high_s]])
        cold, wasted = self.cold_starts(windows_s).astype(np.float64), self.wasted_gb_s(windows_s)
        if cold[0] == cold[-1] or wasted[0] == wasted[-1]:
            return nan
        below = 1 - (cold - cold[-1]) / (cold[0] - cold[-1]) - (wasted - wasted[0]) / (wasted[-1] - wasted[0])
        knee = int(np.argmax(below))
        return float(windows_s[knee]) if below[knee] > 0 else nan


def curve_of(periods: IdlePeriods, span: Span, approximate: tuple[str, ...] = ()) -> WindowCurve:
    """The window curve of some idle periods.

    Args:
        periods: of calls that arrive up to the end of the span.
        span: what is measured: calls that arrive earlier count nowhere, memory-time is that inside.
        approximate: what is left out.
    """
    since_s, until_s, gb = periods.since_s, periods.until_s, periods.gb
    calls = int(np.count_nonzero(periods.arrival_s >= span.start_s))
    counted = (until_s >= span.start_s) & (until_s < inf)
    warm_from_s = np.sort(least_windows_s(since_s[counted], until_s[counted]))
    # Within the span an idle period wastes nothing up to the window `low`, and no more from the window `high` on.
    low_s = np.maximum(span.start_s - since_s, 0.0)
    high_s = np.minimum(until_s, span.end_s) - since_s
    wastes = high_s > low_s
    cost_gb_s = (gb * span.overlap_s(since_s, until_s))[counted]
    return WindowCurve(
        calls=calls,
        warm_from_s=warm_from_s,
        waste=_growth(low_s[wastes], high_s[wastes], gb[wastes]),
        frontier=_frontier(calls, cost_gb_s),
        approximate=approximate,
    )


def least_windows_s(end_s: FloatArray, arrival_s: FloatArray) -> FloatArray:
    """The least float64 window w >= 0 with ``arrival <= end + w``, the sum rounded to float64.

    That is less than the gap by half the distance of arrival to the number before it, which rounding makes up for; the
    comparison itself settles the last bit.

    Args:
        end_s: float64[n]
        arrival_s: float64[n], finite, each no less than its end.
    """
    half_s = (arrival_s - np.nextafter(arrival_s, -inf)) / 2
    gap_s = arrival_s - end_s
    minus_end_s = gap_s - arrival_s
    lost_s = (arrival_s - (gap_s - minus_end_s)) - (end_s + minus_end_s)  # the error of that difference (Knuth)
    window_s = np.maximum((gap_s - half_s) + lost_s, 0.0)
    while (short := end_s + window_s < arrival_s).any():
        window_s[short] = np.nextafter(window_s[short], inf)
    while True:
        less_s = np.nextafter(window_s, 0.0)
        enough = (end_s + less_s >= arrival_s) & (window_s > 0)
        if not enough.any():
            return window_s
        window_s[enough] = less_s[enough]


def _growth(low_s: FloatArray, high_s: FloatArray, gb: FloatArray) -> Growth:
    """The sum of gb · (w − low) cut to [0, high − low], as a function of w."""
    late = low_s > 0
    knot_s = np.concatenate([[0.0], low_s[late], high_s])
    change_gb = np.concatenate([[0.0], gb[late], -gb])
    order = np.argsort(knot_s, kind="stable")
    knot_s = knot_s[order]
    # What grows after a knot is what is yet to stop growing: summed from the far end, so that few are not the
    # difference of two large sums.
    growing_gb = np.append(-np.cumsum(change_gb[order][:0:-1])[::-1], 0.0)
    gb_s = np.append(0.0, np.cumsum(growing_gb[:-1] * np.diff(knot_s)))
    return Growth(knot_s, gb_s, growing_gb)


def _frontier(calls: int, cost_gb_s: FloatArray) -> Frontier:
    """The frontier, where keeping for one call costs so much each."""
    paid = np.sort(cost_gb_s[cost_gb_s > 0])
    most = calls - (cost_gb_s.size - paid.size)
    return Frontier(calls, most - np.arange(paid.size + 1), np.append(0.0, np.cumsum(paid)))


def _checked(windows_s: npt.ArrayLike) -> FloatArray:
    try:
        windows = np.asarray(windows_s, np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"windows_s must be numbers of seconds >= 0, not {windows_s!r}") from None
    if not np.all(windows >= 0):
        raise ConfigError(f"windows_s must be numbers of seconds >= 0, not {windows[~(windows >= 0)].flat[0]}")
    return windows
