"""A trace that many processes read and only one holds: its columns in a file that each of them maps into memory."""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from sim.workload.trace import Trace

ALIGNED: Final = 64
"""Bytes at whose multiples columns begin."""


class TraceSource(Protocol):
    """Where a run gets its trace from."""

    def draw(self, replication: int) -> Trace:
        """The trace of a replication."""


class HeldTrace:
    """A trace of this process."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._last = (0, trace)

    def draw(self, replication: int) -> Trace:
        """The trace of a replication; that of the last one asked for is kept."""
        if self._last[0] != replication:
            self._last = (replication, self._trace.draw(replication) if replication else self._trace)
        return self._last[1]


@dataclass(frozen=True)
class SharedTrace:
    """A trace of any process that sees the file. What travels to them is this, without the columns.

    Attributes:
        path: the columns, one after the other. Nothing else is in the file, and nothing in it is ever unpickled.
        frame: the trace less its columns, pickled.
        places: begin and length of each column, in bytes.
    """

    path: Path
    frame: bytes
    places: tuple[tuple[int, int], ...]

    def draw(self, replication: int) -> Trace:
        """The trace of a replication; that of the last one asked for is kept."""
        return _drawn(self, replication)


def share(trace: Trace, path: Path) -> SharedTrace:
    """Write the columns of a trace into a file."""
    columns: list[pickle.PickleBuffer] = []
    frame = pickle.dumps(trace, protocol=5, buffer_callback=columns.append)
    with path.open("wb") as file:
        places = tuple(_append(file, column) for column in columns)
    return SharedTrace(path.resolve(), frame, places)


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
    trace: Trace = pickle.loads(shared.frame, buffers=columns)
    return trace


@lru_cache(maxsize=1)
def _drawn(shared: SharedTrace, replication: int) -> Trace:
    """The last trace drawn: the cells of a replication come one after another."""
    trace = _opened(shared)
    return trace.draw(replication) if replication else trace
