"""Parts of a trace: some of its functions, some spans of its time; of counts exactly, before any call is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import TraceError
from sim.workload.arrivals import MINUTE_S
from sim.workload.counted import CountedTrace
from sim.workload.counts import CountSource
from sim.workload.trace import Trace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Cells:
    """Calls counted by minute and function: the non-empty cells, in any order.

    Attributes:
        function, minute, count: int64[c] each; minutes from the start.
        minutes: how many there are, empty ones included.
    """

    function: IntArray
    minute: IntArray
    count: IntArray
    minutes: int


@dataclass(frozen=True, eq=False)
class Population:
    """What a sample of functions is chosen from: the same for every replication of a trace made from counts.

    Attributes:
        functions: their table.
        cells: their calls, counted.
        average_s: float64[F], mean duration in seconds; 0 for a function that is never called.
    """

    functions: pd.DataFrame
    cells: Cells
    average_s: FloatArray

    @classmethod
    def of(cls, source: Trace | CountSource) -> Population:
        """Of a trace, by its counts if it has any; or of counts before calls are made."""
        counts = source.counts if isinstance(source, Trace) else source
        if counts is None:
            assert isinstance(source, Trace)
            busy_s = np.bincount(source.function, source.duration_s, len(source.functions))
            return cls(source.functions, count_cells(source), busy_s / np.maximum(source.calls_per_function, 1))
        function, minute = counts.function.astype(np.int64), counts.minute.astype(np.int64)
        cells = Cells(function, minute, counts.count.astype(np.int64), counts.minutes)
        return cls(source.functions, cells, counts.durations.average_s)

    @property
    def calls(self) -> IntArray:
        """int64[F]: calls of each function."""
        calls = np.bincount(self.cells.function, self.cells.count, len(self.functions))
        return calls.astype(np.int64)


def count_cells(trace: Trace) -> Cells:
    """The calls of a trace by minute and function; a call at the horizon belongs to the last minute before it."""
    minutes, functions = max(1, int(np.ceil(trace.horizon_s / MINUTE_S))), max(len(trace.functions), 1)
    minute: IntArray = np.minimum((trace.arrival_s / MINUTE_S).astype(np.int64), minutes - 1)
    place, count = np.unique(minute * functions + trace.function, return_counts=True)
    return Cells(place % functions, place // functions, count.astype(np.int64), minutes)


def select_spans(trace: Trace, spans_s: Spans) -> Trace:
    """The calls of some spans of time, which are put one after another: the new horizon is the sum of their lengths.

    A span [start, end) has no call that arrives at its end, unless that is the trace's horizon, whose calls count. If
    the trace has counts and the spans are whole minutes, it keeps them: calls are drawn as before (arrivals to within
    rounding). Otherwise the trace becomes a recorded one.

    Args:
        trace: from which to choose.
        spans_s: start and end of each, in seconds of the trace, ascending and disjoint.

    Raises:
        TraceError: a span that is empty, reversed, overlaps the one before or lies beyond the horizon.
    """
    check_spans(spans_s, trace.horizon_s)
    counts = None if trace.counts is None else trace.counts.of_minutes(spans_s)
    if isinstance(trace, CountedTrace) and counts is not None:
        return replace(trace, counts=counts, horizon_s=counts.horizon_s)
    trace, rows, arrivals, before = trace.recorded(), [], [], 0.0
    for start, end in spans_s:
        first, last = np.searchsorted(trace.arrival_s, (start, end), "left").tolist()
        last = len(trace) if end == trace.horizon_s else last
        rows.append(np.arange(first, last))
        arrivals.append(trace.arrival_s[first:last] - start + before)
        before += end - start
    chosen = np.concatenate(rows)
    return replace(
        trace,
        function=trace.function[chosen],
        arrival_s=np.concatenate(arrivals),
        duration_s=trace.duration_s[chosen],
        horizon_s=before,
    )


def check_spans(spans_s: Spans, horizon_s: float) -> None:
    """Refuse what `select_spans` refuses."""
    if not spans_s:
        raise TraceError("no span of time is chosen")
    for start, end in spans_s:
        if not 0 <= start < end:
            raise TraceError(f"a span must have a start >= 0 and a later end, not {start:g} to {end:g} s")
        if end > horizon_s:
            raise TraceError(f"the span from {start:g} to {end:g} s overruns the trace, which ends at {horizon_s:g} s")
    for (start, end), (following, _) in pairwise(spans_s):
        if following < end:
            raise TraceError(f"spans must ascend and not overlap: {following:g} s comes after {start:g} to {end:g} s")
