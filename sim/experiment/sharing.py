"""A trace that many processes read and only one holds: its columns lie in a file that each of them maps into memory."""

from __future__ import annotations

import io
import mmap
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

import pandas as pd
from pyarrow import feather

from sim.workload.functions import function_table
from sim.workload.partitioned import PartitionedTrace, open_trace
from sim.workload.source import Source
from sim.workload.trace import Trace

ALIGNED: Final = 64
"""Bytes at whose multiples columns begin."""
FUNCTIONS: Final = ".functions"
"""Ends the name of the file of the table of functions."""


class TraceSource(Protocol):
    """Where a run gets its trace from."""

    def draw(self, replication: int) -> Source:
        """The trace of a replication; what is not in memory is the same in all of them."""


class HeldTrace:
    """A trace of this process; or any other source, which is small, or makes itself anew where it comes to."""

    def __init__(self, trace: Source) -> None:
        self._trace = trace
        self._last = (0, trace)

    def draw(self, replication: int) -> Source:
        """The trace of a replication; that of the last one asked for is kept."""
        if isinstance(self._trace, Trace) and self._last[0] != replication:
            self._last = (replication, self._trace.draw(replication) if replication else self._trace)
        return self._last[1]


@dataclass(frozen=True)
class SharedTrace:
    """A trace of any process that sees the files. What travels to them is this, which is small.

    Attributes:
        path: the columns, one after the other; beside it, as ``<stem>.functions``, the table of functions, as an Arrow
            file. Nothing in them is ever unpickled.
        frame: the trace less these, pickled.
        places: begin and length of each column, in bytes.
    """

    path: Path
    frame: bytes
    places: tuple[tuple[int, int], ...]

    def draw(self, replication: int) -> Trace:
        """The trace of a replication; that of the last one asked for is kept."""
        return _drawn(self, replication)


@dataclass(frozen=True)
class TraceOnDisk:
    """A trace by function of any process that sees its folder: what travels is the folder's name."""

    path: Path

    def draw(self, replication: int) -> PartitionedTrace:
        """The trace of any replication."""
        return _on_disk(self.path)


@lru_cache(maxsize=1)
def _on_disk(path: Path) -> PartitionedTrace:
    """The trace opened last."""
    return open_trace(path)


class _Writer(pickle.Pickler):
    """Pickles a trace but for its table of functions, which may be as large as many a column."""

    def __init__(self, file: BinaryIO, columns: list[pickle.PickleBuffer], functions: pd.DataFrame) -> None:
        super().__init__(file, protocol=5, buffer_callback=columns.append)
        self._functions = functions

    def persistent_id(self, obj: object) -> str | None:
        return FUNCTIONS if obj is self._functions else None


class _Reader(pickle.Unpickler):
    def __init__(self, frame: bytes, columns: Sequence[memoryview], functions: Path) -> None:
        super().__init__(io.BytesIO(frame), buffers=columns)
        self._functions = functions

    def persistent_load(self, pid: object) -> pd.DataFrame:
        return function_table(feather.read_feather(str(self._functions), use_threads=False))


def share(trace: Source, path: Path) -> TraceSource:
    """Write the columns of a trace and its table of functions into files; nothing of one that is not in memory."""
    if isinstance(trace, PartitionedTrace):
        return TraceOnDisk(trace.path)
    if not isinstance(trace, Trace):
        return HeldTrace(trace)
    columns: list[pickle.PickleBuffer] = []
    frame = io.BytesIO()
    _Writer(frame, columns, trace.functions).dump(trace)
    with path.open("wb") as file:
        places = tuple(_append(file, column) for column in columns)
    feather.write_feather(trace.functions, str(path.with_suffix(FUNCTIONS)))
    return SharedTrace(path.resolve(), frame.getvalue(), places)


def _append(file: BinaryIO, column: pickle.PickleBuffer) -> tuple[int, int]:
    """Write a column where the next multiple of `ALIGNED` is: where it begins, and its length."""
    begin = file.seek(-(-file.tell() // ALIGNED) * ALIGNED)
    return begin, file.write(column.raw())


@lru_cache(maxsize=1)
def _opened(shared: SharedTrace) -> Trace:
    """The trace whose file is mapped; a value that never changes, whoever asks."""
    with shared.path.open("rb") as file:
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if shared.places else memoryview(b"")
    columns: Sequence[memoryview] = [mapped[begin : begin + length] for begin, length in shared.places]
    return cast(Trace, _Reader(shared.frame, columns, shared.path.with_suffix(FUNCTIONS)).load())


@lru_cache(maxsize=1)
def _drawn(shared: SharedTrace, replication: int) -> Trace:
    """The last trace drawn: the cells of a replication come one after another."""
    trace = _opened(shared)
    return trace.draw(replication) if replication else trace
