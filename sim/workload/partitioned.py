"""Traces that are larger than memory: on disk by function, and streamed from there (see `sim.workload.partition`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.checks import whole
from sim.core.errors import TraceError
from sim.workload import display
from sim.workload.canonical import CALLS, FUNCTIONS, TRACE
from sim.workload.functions import FROM_ZERO
from sim.workload.partition.groups import Groups
from sim.workload.partition.layout import Columns, Head, Layout, content_hash, part_file
from sim.workload.readers.canonical import read_columns, read_functions
from sim.workload.trace import Trace

IntArray = npt.NDArray[np.int64]
Block = tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]]

BLOCK_CALLS: Final = 1 << 20
"""Calls of a block at most: 20 MB of columns."""


@dataclass(frozen=True, eq=False)
class PartitionedTrace:
    """A trace on disk, by function: as much of it is read as is asked for. Get one with `open_trace`.

    It holds no call and no open file, so it is small to send to another process.

    Attributes:
        path: the folder.
        functions: the table of functions (see `sim.workload.functions`).
        horizon_s: the declared span.
        calls_per_function: int64[F], those after the horizon too.
        about: facts on the origin.
        layout: of its files.
        digests: of its files' content, as its ``trace.json`` has them.
    """

    path: Path
    functions: pd.DataFrame
    horizon_s: float
    calls_per_function: IntArray
    about: Mapping[str, Any]
    layout: Layout
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.calls_per_function.sum())

    def __repr__(self) -> str:
        size = f"{len(self):,} calls of {len(self.functions):,} functions over {self.horizon_s:,.0f} s"
        return f"<PartitionedTrace: {size}, by function in {self.path}>"

    def _repr_html_(self) -> str:
        """Its size, origin and load report, for notebooks."""
        facts = display.size(len(self), self.calls_per_function, self.functions, self.horizon_s)
        facts.append(("files", f"{len(self.digests):,} in {self.path}"))
        return display.with_origin("Trace by function", facts, self.about)

    def content_hash(self) -> str:
        """A hash of all that a simulation sees, from the digests of its files: no call is read.

        It is of this form: the same calls in memory have another. That the files are what the digests say is checked
        when a trace is loaded whole; blocks rely on the checksums inside the files.
        """
        return content_hash(self.digests, self.calls_per_function, self.functions, self.horizon_s)

    def blocks(self, chosen: Sequence[int] | IntArray | None = None, most: int = BLOCK_CALLS) -> Iterator[Block]:
        """The calls of some functions, function by function in the order chosen, those of each in order of arrival.

        A block holds either whole functions, as many as there is room for, or a part of one that has more calls than
        that. Only the row groups with their calls are read, in memory for two of them and the block; many small
        functions are read fastest if those of one block lie side by side in the table.

        Args:
            chosen: int[k], rows of the table, none twice; all functions by default.
            most: calls of a block at most.

        Yields:
            function int32[n], rows of the table; arrival_s float64[n]; duration_s float64[n]; n is 1 or more.

        Raises:
            TraceError: there is no such function, or one is chosen twice; a file is missing or damaged, or a call is
                impossible (with file, row and column).
            ConfigError: `most` is not a whole number above 0.
        """
        whole("most", most, low=1)
        order = self._indices(chosen)
        with self._groups() as groups:
            for functions, first, count in _blocks(order, self.calls_per_function[order], most):
                block = self._gather(groups, functions, first, count)
                yield block["function"], block["arrival_s"], block["duration_s"]

    def part(self, chosen: Sequence[int] | IntArray) -> Trace:
        """The calls of some functions as a trace in memory, as `Trace.slice` would give it of the whole.

        Args:
            chosen: int[k], rows of the table, none twice: the functions of the trace, in this order.

        Raises:
            TraceError: as for `blocks`.
        """
        order = self._indices(chosen)
        by_row = np.sort(order)  # ties between functions are in the order of the table
        with self._groups(ties=self.layout.ties) as groups:
            columns = self._gather(groups, by_row, 0, int(self.calls_per_function[by_row].sum()))
        number = np.zeros(len(self.functions), np.int32)
        number[order] = np.arange(order.size, dtype=np.int32)
        function, arrival_s, duration_s = by_arrival(columns)
        table = self.functions.iloc[order].reset_index(drop=True)
        return Trace(number[function], arrival_s, duration_s, table, self.horizon_s, about=self.about)

    def _groups(self, *, ties: bool = False) -> Groups:
        return Groups(self.path, self.layout, self.calls_per_function, ties=ties)

    def _gather(self, groups: Groups, functions: IntArray, first: int, count: int) -> Columns:
        """`count` calls of functions one after another, from the `first` of the first function on."""
        calls = self.calls_per_function
        starts = np.cumsum(calls) - calls
        columns: Columns = {name: np.empty(count, kind) for name, kind in groups.kinds.items()}
        places = np.cumsum(calls[functions]) - calls[functions] - first
        for i in np.argsort(functions, kind="stable").tolist():  # so that a group is read once
            begin, at = int(starts[functions[i]]), int(places[i])
            rows = min(int(calls[functions[i]]), count - at)
            groups.copy(begin + max(-at, 0), begin + rows, columns, max(at, 0))
        return columns

    def _indices(self, chosen: Sequence[int] | IntArray | None) -> IntArray:
        count = len(self.functions)
        order = np.arange(count) if chosen is None else np.asarray(chosen)
        if order.ndim != 1 or (order.size and not np.issubdtype(order.dtype, np.integer)):
            raise TraceError("functions are chosen by a list of their rows in the table")
        order = order.astype(np.int64)
        bad = (order < 0) | (order >= count)
        if bad.any():
            row = int(np.argmax(bad))
            raise TraceError(f"there is no function {int(order[row])} among {count}{FROM_ZERO}", row=row)
        if np.unique(order).size != order.size:
            raise TraceError("a function is chosen twice")
        return order


def open_trace(path: str | Path) -> PartitionedTrace:
    """Open a trace that `save_by_function` or `PartitionWriter` wrote, without reading its calls.

    Args:
        path: the folder.

    Raises:
        TraceError: it is no trace by function, a file is missing, or what its files say does not go together.
    """
    folder = Path(path).resolve()  # it may be opened again where another folder is the current one
    if not (folder / TRACE).is_file():
        raise TraceError("is not a trace by function (keepwarm traces convert --by-function makes one)", file=folder)
    head = Head.read(folder / TRACE)
    functions = read_functions(folder / FUNCTIONS)
    calls: IntArray = read_columns(folder / CALLS)["calls"]
    if calls.size != len(functions):
        raise TraceError(f"{calls.size} rows, but there are {len(functions)} functions", file=folder / CALLS)
    if (calls < 0).any() or sum(calls.tolist()) != head.calls:
        raise TraceError(f"must be numbers >= 0 that add up to {head.calls}", file=folder / CALLS, column="calls")
    for number in range(len(head.digests)):
        if not part_file(folder, number).is_file():
            raise TraceError("the file is missing", file=part_file(folder, number))
    return PartitionedTrace(folder, functions, head.horizon_s, calls, head.about, head.layout, head.digests)


def by_arrival(columns: Columns) -> Block:
    """Calls that are by function, in the order of a trace: by arrival, then by `tie`, or as they are."""
    arrival = columns["arrival_s"]
    tie = columns.get("tie")
    order = np.argsort(arrival, kind="stable") if tie is None else np.lexsort((tie, arrival))
    return columns["function"][order], arrival[order], columns["duration_s"][order]


def _blocks(order: IntArray, calls: IntArray, most: int) -> Iterator[tuple[IntArray, int, int]]:
    """Blocks as (functions, number of the first call in the first of them, calls)."""
    ends = np.cumsum(calls)
    place = 0
    while place < order.size:
        if calls[place] > most:
            for first in range(0, int(calls[place]), most):
                yield order[place : place + 1], first, min(most, int(calls[place]) - first)
            place += 1
            continue
        before = int(ends[place] - calls[place])
        last = int(np.searchsorted(ends, before + most, "right"))
        if ends[last - 1] > before:
            yield order[place:last], 0, int(ends[last - 1]) - before
        place = last
