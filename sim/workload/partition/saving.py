"""Writing by function what is in memory, or counts of calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.workload.partition.layout import Layout
from sim.workload.partition.writer import PartitionWriter
from sim.workload.trace import Trace

IntArray = npt.NDArray[np.int32]

SORTED_CALLS: Final = 1 << 24
"""Calls that are brought into order at a time, unless one function has more: some 1 GB with their scratch memory."""


def save_by_function(trace: Trace, path: str | Path, *, layout: Layout | None = None) -> Path:
    """Write a trace by function, whole or not at all; a trace by function that is there already is replaced.

    Args:
        trace: what to write. One made from counts is written as one draw of them, the calls that it has.
        path: the folder; its parents are made.
        layout: of the files; its `ties` follow from the trace.

    Returns:
        The path given.

    Raises:
        TraceError: the path holds something else, or `trace.about` has values that JSON has not.
    """
    tie = _ties(trace) if trace.counts is None else None  # of counts they are in order of function
    laid = replace(layout if layout is not None else Layout(), ties=tie is not None)
    about = trace.slice(functions=[]).recorded().about
    with PartitionWriter(path, trace.functions, trace.horizon_s, about=about, layout=laid) as writer:
        for low, high in _runs(trace.calls_per_function):
            some, places = _of_functions(trace, tie, low, high)
            order = np.argsort(some.function, kind="stable")
            edges = np.searchsorted(some.function[order], np.arange(high - low + 1)).tolist()
            for number in range(high - low):
                rows = order[edges[number] : edges[number + 1]]
                writer.write(low + number, some.arrival_s[rows], some.duration_s[rows],
                             None if places is None else places[rows])  # fmt: skip
    return Path(path)


def _of_functions(trace: Trace, tie: IntArray | None, low: int, high: int) -> tuple[Trace, IntArray | None]:
    """The calls of a run of functions, and their ties."""
    some = trace.slice(functions=np.arange(low, high))
    return some, None if tie is None else tie[(trace.function >= low) & (trace.function < high)]


def _ties(trace: Trace) -> IntArray | None:
    """int32[n], each call's place among all calls of its instant; None if these are in order of function anyway."""
    same = trace.arrival_s[1:] == trace.arrival_s[:-1]
    if not (same & (trace.function[1:] < trace.function[:-1])).any():
        return None
    row = np.arange(len(trace))
    first = np.maximum.accumulate(np.where(np.concatenate(([False], same)), 0, row))
    return (row - first).astype(np.int32)


def _runs(calls_per_function: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """All functions as runs (first, last, itself outside) of at most `SORTED_CALLS` calls, or of one function."""
    before, ends = 0, np.cumsum(calls_per_function)
    low = 0
    while low < ends.size:
        high = max(int(np.searchsorted(ends, before + SORTED_CALLS, "right")), low + 1)
        yield low, high
        low, before = high, int(ends[high - 1])
