"""Calls in any order that are more than fit into memory: kept in files until they can be written by function."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.workload.partition import saving
from sim.workload.partition.layout import Layout
from sim.workload.partition.saving import function_runs, write_functions
from sim.workload.partition.writer import PartitionWriter

Rows = npt.NDArray[np.void]
IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]

CHUNK_CALLS: Final = 1 << 20
"""Calls that are read at a time."""

_AS_ADDED: Final = np.dtype([("function", "<i4"), ("arrival_s", "<f8"), ("duration_s", "<f8")])
_WITH_TIES: Final = np.dtype([*_AS_ADDED.descr, ("tie", "<i4")])


class Spool(AbstractContextManager["Spool"]):
    """What readers gather calls in, as `sim.workload.readers.calls.Calls` does, but on disk: 20 bytes a call.

    The files are gone when the ``with`` block ends. Writing takes another 24 bytes a call on disk, besides the trace.

    Args:
        folder: where the files are, in a folder of their own.

    Attributes:
        count: calls that were added.
    """

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self._place = tempfile.TemporaryDirectory(prefix=".spool.", dir=folder, ignore_cleanup_errors=True)
        self._file = Path(self._place.name, "added")
        self._raw = self._file.open("wb")
        self._calls = np.zeros(0, np.int64)
        self._earliest = np.inf
        self._zero, self._per_s = 0.0, 1.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._raw.close()
        self._place.cleanup()

    def add(self, function: IntArray, arrival_s: FloatArray, duration_s: FloatArray) -> None:
        """Take up some calls."""
        rows = np.empty(function.size, _AS_ADDED)
        rows["function"], rows["arrival_s"], rows["duration_s"] = function, arrival_s, duration_s
        self._raw.write(rows.data)
        self.count += rows.size
        self._earliest = min(self._earliest, float(arrival_s.min(initial=np.inf)))
        calls = np.bincount(function, minlength=self._calls.size)
        calls[: self._calls.size] += self._calls
        self._calls = calls.astype(np.int64)

    def per_function(self, functions: int) -> npt.NDArray[np.int64]:
        """int64[functions]: the calls of each."""
        return np.pad(self._calls, (0, functions - self._calls.size))

    def after(self, horizon_s: float | None) -> int:
        """Calls later than a horizon, once arrivals are seconds; 0 where none is declared."""
        if horizon_s is None:
            return 0
        return sum(int(np.count_nonzero(rows["arrival_s"] > horizon_s)) for rows in self._chunks())

    @property
    def earliest(self) -> float:
        """The first arrival; 0 where there is none."""
        return self._earliest if self.count else 0.0

    def rescale(self, zero: float, per_s: float) -> None:
        """Make seconds of arrivals that were added in other units, `per_s` to a second, counted from elsewhere."""
        self._zero, self._per_s = zero, per_s

    def write(
        self, path: Path, functions: pd.DataFrame, about: Mapping[str, Any], horizon_s: float | None, layout: Layout
    ) -> None:
        """Write the calls by function.

        Calls of one instant stay in the order in which they were added, if all were added in order of arrival; else
        those of different functions are in order of function.

        Args:
            path: the folder.
            functions: a row a function.
            about: the trace's origin.
            horizon_s: its span; by default the last arrival.
            layout: of its files; `ties` follows from the calls.
        """
        runs = list(function_runs(self.per_function(len(functions))))
        run_of = np.repeat(np.arange(len(runs)), [high - low for low, high in runs])
        files = [self._file.with_name(f"run-{number}") for number in range(len(runs))]
        ties = self._spread(run_of, files)
        self._file.unlink()
        with PartitionWriter(path, functions, horizon_s, about=about, layout=replace(layout, ties=ties)) as writer:
            for file in files:
                for rows in _in_order(file):
                    write_functions(writer, {name: rows[name] for name in writer.layout.kinds})

    def _spread(self, run_of: npt.NDArray[np.int64], files: list[Path]) -> bool:
        """Put each call into the file of its function's run, in the order they have; returns whether ties are kept."""
        for file in files:
            file.touch()
        ties = _Ties()
        for rows in self._chunks():
            placed = np.empty(rows.size, _WITH_TIES)
            for name in _AS_ADDED.names or ():
                placed[name] = rows[name]
            placed["tie"] = ties.of(rows["function"], rows["arrival_s"])
            _append(placed, run_of[rows["function"]], files)
        return ties.ascending and ties.out_of_order

    def _chunks(self) -> Iterator[Rows]:
        self._raw.flush()
        for rows in _chunks(self._file, _AS_ADDED):
            rows["arrival_s"] = (rows["arrival_s"] - self._zero) / self._per_s
            yield rows


class _Ties:
    """Calls' places among all calls of their instant, of calls that come in order of arrival.

    Attributes:
        ascending: whether they do.
        out_of_order: whether calls of one instant are not in order of function.
    """

    def __init__(self) -> None:
        self.ascending, self.out_of_order = True, False
        self._arrival_s, self._function, self._place = -np.inf, -1, -1

    def of(self, function: IntArray, arrival_s: FloatArray) -> IntArray:
        """int32[k]: the places of the next k calls."""
        same = np.diff(arrival_s, prepend=self._arrival_s) == 0
        self.ascending &= bool(np.all(np.diff(arrival_s, prepend=self._arrival_s) >= 0))
        self.out_of_order |= bool(np.any(same & (np.diff(function, prepend=np.int32(self._function)) < 0)))
        row = np.arange(same.size)
        first = np.maximum.accumulate(np.where(same, -1 - self._place, row))
        place = (row - first).astype(np.int32)
        if place.size:
            self._arrival_s, self._function, self._place = float(arrival_s[-1]), int(function[-1]), int(place[-1])
        return place


def _in_order(file: Path) -> Iterator[Rows]:
    """The calls of a file by function, then by arrival, those that tie in the order they have; the file is used up."""
    count = file.stat().st_size // _WITH_TIES.itemsize
    if count <= saving.SORTED_CALLS:
        rows = np.fromfile(file, _WITH_TIES)
        yield rows[np.lexsort((rows["arrival_s"], rows["function"]))]
    elif _ascends(file):  # of one function, as all that are too large to be sorted at once
        yield from _chunks(file, _WITH_TIES)
    else:
        parts = _split(file, count)
        file.unlink()
        for part in parts:
            yield from _in_order(part)
        return
    file.unlink()


def _ascends(file: Path) -> bool:
    latest = -np.inf
    for rows in _chunks(file, _WITH_TIES):
        if np.any(np.diff(rows["arrival_s"], prepend=latest) < 0):
            return False
        latest = rows["arrival_s"][-1]
    return True


def _split(file: Path, count: int) -> list[Path]:
    """The calls of one function by arrival, in files that do not overlap; one instant alone where it is an edge.

    Edges are arrivals of a sample, evenly spaced, so that half of what can be sorted at once is the size to expect.
    """
    step = -(-count // CHUNK_CALLS)
    sample = np.sort(np.concatenate([rows["arrival_s"][::step].copy() for rows in _chunks(file, _WITH_TIES)]))
    pieces = 2 * -(-count // saving.SORTED_CALLS)
    edges = np.unique(sample[np.linspace(0, sample.size - 1, pieces + 1).astype(int)[1:-1]])
    parts = [file.with_name(f"{file.name}-{number}") for number in range(2 * edges.size + 1)]
    for part in parts:
        part.touch()
    for rows in _chunks(file, _WITH_TIES):
        arrival_s = rows["arrival_s"]
        _append(rows, np.searchsorted(edges, arrival_s, "left") + np.searchsorted(edges, arrival_s, "right"), parts)
    return parts


def _append(rows: Rows, number: npt.NDArray[np.int64], files: list[Path]) -> None:
    """Add each row to the file of its number."""
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    for some in np.split(order, starts[1:]):
        with files[number[some[0]]].open("ab") as raw:
            raw.write(rows[some].data)


def _chunks(file: Path, kind: np.dtype[np.void]) -> Iterator[Rows]:
    with file.open("rb") as raw:
        while (rows := np.fromfile(raw, kind, CHUNK_CALLS)).size:
            yield rows
