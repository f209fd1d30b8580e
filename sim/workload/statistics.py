"""What a trace is like, in numbers: popularity, triggers, gaps between calls, durations, memory, load over time.

Everything is computed from the columns, a handful of arrays of the length of the trace at a time. Quantiles are
numpy's default (linear between order statistics); of nothing they are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.workload.trace import Trace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEVELS: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
"""The quantiles of a `TraceStatistics`."""

_CURVE_POINTS: Final = 401
_MOST_BINS: Final = 300
_ROUNDING: Final = 1e-6
_BIN_WIDTHS_S: Final = (
    1e-3, 0.01, 0.1, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sample:
    """The distribution of one quantity over calls, functions or apps.

    Attributes:
        size: how many values there are.
        quantiles: float64[7], at `LEVELS`; NaN if there are none.
        curve: float64[401], quantiles at equal distances from 0 to 1, for a picture; empty if there are no values.
    """

    size: int
    quantiles: FloatArray
    curve: FloatArray

    @classmethod
    def of(cls, values: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> Sample:
        """Of an array without NaN."""
        if not values.size:
            return cls(0, np.full(len(LEVELS), np.nan), np.empty(0))
        both = np.quantile(values, [*LEVELS, *np.linspace(0.0, 1.0, _CURVE_POINTS)])
        return cls(values.size, both[: len(LEVELS)], both[len(LEVELS) :])


@dataclass(frozen=True, eq=False)
class Timeline:
    """A trace over its span, in bins of equal width (the last may be cut short by the horizon).

    Attributes:
        edges_s: float64[bins + 1], seconds.
        calls: int64[bins], arrivals; a call at the horizon is in the last bin.
        running: float64[bins], the mean number of calls that run, if starts take no time.
    """

    edges_s: FloatArray
    calls: IntArray
    running: FloatArray


@dataclass(frozen=True, eq=False)
class TraceStatistics:
    """A trace in numbers.

    Attributes:
        calls, functions, apps, owners: how many.
        never_called: functions without a call.
        horizon_s: the span.
        calls_of_functions: int64[F], descending.
        busiest_share: of all calls, those of the busiest 1 % of functions, rounded up to whole functions; NaN without
            calls.
        calls_per_function: over functions, those never called too.
        triggers: a row a trigger, most calls first: `trigger`, `functions`, `calls` (numbers).
        gap_variation: over functions with three calls or more: the coefficient of variation of the gaps between their
            arrivals (standard deviation, of the population, by mean); 0 below 1e-6, which is rounding. Functions whose
            calls all come at one instant have none.
        duration_s: over calls.
        mean_duration_s: over functions that are called.
        memory_mb: over functions.
        app_memory_mb: over apps, the sum over their functions.
        peak_running: the most calls that run at once, if starts take no time and calls are cut at their functions'
            time-outs; a call that ends as another arrives is not counted with it.
        mean_running: the mean of that number over the span, later seconds of calls that overrun it left out; NaN if the
            span is 0.
        timeline: calls and concurrency over time.
    """

    calls: int
    functions: int
    apps: int
    owners: int
    never_called: int
    horizon_s: float
    calls_of_functions: IntArray
    busiest_share: float
    calls_per_function: Sample
    triggers: pd.DataFrame
    gap_variation: Sample
    duration_s: Sample
    mean_duration_s: Sample
    memory_mb: Sample
    app_memory_mb: Sample
    peak_running: int
    mean_running: float
    timeline: Timeline


def trace_statistics(trace: Trace) -> TraceStatistics:
    """Everything about a trace that `keepwarm traces inspect` shows."""
    table, calls = trace.functions, trace.calls_per_function
    busy_s = np.bincount(trace.function, trace.duration_s, len(table))
    called = calls > 0
    app_memory = table.groupby(["owner", "app"], sort=False)["memory_mb"].sum().to_numpy(np.float64)
    ends_s = np.sort(trace.arrival_s + trace.service_s)
    return TraceStatistics(
        calls=len(trace),
        functions=len(table),
        apps=app_memory.size,
        owners=table["owner"].nunique(),
        never_called=int((~called).sum()),
        horizon_s=trace.horizon_s,
        calls_of_functions=np.sort(calls)[::-1],
        busiest_share=busiest_share(calls),
        calls_per_function=Sample.of(calls),
        triggers=trigger_table(trace),
        gap_variation=Sample.of(gap_variation(trace)),
        duration_s=Sample.of(trace.duration_s),
        mean_duration_s=Sample.of(busy_s[called] / calls[called]),
        memory_mb=Sample.of(table["memory_mb"].to_numpy(np.float64)),
        app_memory_mb=Sample.of(app_memory),
        peak_running=peak_running(trace.arrival_s, ends_s),
        mean_running=mean_running(trace.arrival_s, ends_s, trace.horizon_s),
        timeline=timeline_of(trace, ends_s),
    )


def busiest_share(calls: IntArray, share: float = 0.01) -> float:
    """The part of all calls that the busiest functions make; NaN if there are none.

    Args:
        calls: int64[F], of each function.
        share: of the functions, rounded up to whole ones.
    """
    total = int(calls.sum())
    head = int(np.ceil(share * calls.size))
    return float(np.sort(calls)[calls.size - head :].sum() / total) if total else float("nan")


def trigger_table(trace: Trace) -> pd.DataFrame:
    """Functions and calls of each trigger, most calls first (see `TraceStatistics.triggers`)."""
    given = pd.DataFrame({"trigger": trace.functions["trigger"], "functions": 1, "calls": trace.calls_per_function})
    table = given.groupby("trigger", as_index=False).sum()
    return table.sort_values(["calls", "functions", "trigger"], ascending=[False, False, True], ignore_index=True)


def gap_variation(trace: Trace) -> FloatArray:
    """The coefficient of variation of gaps, of each function that has one (see `TraceStatistics.gap_variation`)."""
    arrival_s = trace.arrival_s[np.argsort(trace.function, kind="stable")]  # function by function
    calls = trace.calls_per_function[trace.calls_per_function > 0]
    last = np.cumsum(calls) - 1
    first, gaps = last - calls + 1, calls - 1
    mean_s = (arrival_s[last] - arrival_s[first]) / np.maximum(gaps, 1)
    deviation = np.append(np.diff(arrival_s), 0.0) if calls.size else arrival_s
    deviation -= np.repeat(mean_s, calls)
    deviation[last] = 0.0  # the last call of a function has no gap after it
    squares = np.add.reduceat(np.square(deviation, out=deviation), first) if calls.size else deviation
    some = (gaps >= 2) & (mean_s > 0.0)
    variation = np.sqrt(squares[some] / gaps[some]) / mean_s[some]
    return np.where(variation < _ROUNDING, 0.0, variation)


def peak_running(arrival_s: FloatArray, ends_s: FloatArray) -> int:
    """The most calls that run at once: at an instant calls end before others arrive.

    Args:
        arrival_s: float64[n], ascending.
        ends_s: float64[n], the ends of the same calls, ascending.
    """
    if not arrival_s.size:
        return 0
    ended = np.searchsorted(ends_s, arrival_s, "right")
    return int((np.arange(1, arrival_s.size + 1) - ended).max())


def mean_running(arrival_s: FloatArray, ends_s: FloatArray, horizon_s: float) -> float:
    """The mean number of calls that run, over the span; see `peak_running`. NaN if the span is 0."""
    if not horizon_s:
        return float("nan")
    return float((np.minimum(ends_s, horizon_s).sum() - np.minimum(arrival_s, horizon_s).sum()) / horizon_s)


def timeline_of(trace: Trace, ends_s: FloatArray) -> Timeline:
    """Calls and concurrency in bins: the narrowest round width that gives 300 bins at most.

    Args:
        trace: the trace.
        ends_s: float64[n], the ends of its calls, ascending.
    """
    width = next((w for w in _BIN_WIDTHS_S if trace.horizon_s <= w * _MOST_BINS), trace.horizon_s / _MOST_BINS)
    bins = max(1, int(np.ceil(trace.horizon_s / width)))
    edges = np.minimum(np.arange(bins + 1) * width, trace.horizon_s)
    before = np.searchsorted(trace.arrival_s, edges, "left")
    before[-1] = np.searchsorted(trace.arrival_s, trace.horizon_s, "right")
    busy_s = _passed(trace.arrival_s, edges) - _passed(ends_s, edges)
    lengths = np.diff(edges)
    running = np.divide(np.diff(busy_s), lengths, out=np.zeros(bins), where=lengths > 0)
    return Timeline(edges, np.diff(before).astype(np.int64), np.maximum(running, 0.0))


def _passed(times_s: FloatArray, edges_s: FloatArray) -> FloatArray:
    """At each edge: the seconds that have passed since each earlier time, added up."""
    earlier = np.searchsorted(times_s, edges_s, "left")
    total = np.concatenate(([0.0], np.cumsum(times_s)))[earlier]
    return np.asarray(edges_s * earlier - total, np.float64)
