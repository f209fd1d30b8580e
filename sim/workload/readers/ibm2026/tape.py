"""The bytes of a pickle, from a stream, some at a time; with an account of the memory that its values take."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError

FLOAT: Final = ord("G")
"""The opcode of a float: eight bytes follow, the highest first."""

_CHUNK_BYTES: Final = 1 << 18
_FLOATS: Final = np.dtype([("opcode", "u1"), ("value", ">f8")])
_FEW: Final = 8
"""Floats in a row from which numpy takes them faster than one by one."""
_MANY: Final = 1024
"""Floats taken at once; a pickler appends 1000 at a time."""
_LONGEST_NAME: Final = 1024
_MB: Final = 1024.0**2


class Tape:
    """What is read, and how much may be held.

    Attributes:
        opcode_at: where in the buffer the present opcode is, for errors.
        held: bytes that the values read take, by the reader's reckoning; looked at whenever more is read.
    """

    def __init__(self, stream: io.BufferedIOBase, file: Path, limit_mb: float) -> None:
        self._stream, self._file = stream, file
        self._limit = limit_mb * _MB
        self._buffer, self._place, self._before = b"", 0, 0
        self.opcode_at = 0
        self.held = 0

    def error(self, why: str) -> TraceError:
        """An error at the present opcode."""
        return TraceError(f"{why} (byte {self._before + self.opcode_at:,})", file=self._file)

    def opcode(self) -> int:
        """The next opcode."""
        self.opcode_at = self._place
        return self.byte()

    def byte(self) -> int:
        """The next byte."""
        if self._place == len(self._buffer):
            self._fill(1)
        self._place += 1
        return self._buffer[self._place - 1]

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if self._place + size > len(self._buffer):
            self._fill(size)
        self._place += size
        return self._buffer[self._place - size : self._place]

    def number(self, form: str) -> Any:
        """The next number, in one of the forms of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """Text up to the end of the line."""
        letters = bytearray()
        while (letter := self.byte()) != ord("\n"):
            letters.append(letter)
            if len(letters) > _LONGEST_NAME:
                raise self.error("has a name without end")
        return letters.decode("utf-8", "replace")

    def floats(self) -> npt.NDArray[np.float64] | None:
        """The float whose opcode was the last byte and those that follow it, if they are some; else nothing is read."""
        first, buffer = self._place - 1, self._buffer
        last = first + _FEW * _FLOATS.itemsize
        if last >= len(buffer) or buffer[last] != FLOAT or buffer[first + _FLOATS.itemsize] != FLOAT:
            return None
        rows = np.frombuffer(buffer, _FLOATS, min(_MANY, (len(buffer) - first) // _FLOATS.itemsize), first)
        are_floats = rows["opcode"] == FLOAT
        size = rows.size if are_floats.all() else int(np.argmin(are_floats))
        self._place = first + size * _FLOATS.itemsize
        return rows["value"][:size].astype(np.float64)

    def at_end(self) -> bool:
        """Whether there is nothing more."""
        self.opcode_at = self._place
        return self._place == len(self._buffer) and not self._stream.read(1)

    def require(self, size: int) -> None:
        """Refuse what would be too much, with `size` bytes more."""
        if self.held + size > self._limit:
            raise self.error(f"takes more than the {self._limit / _MB:,.0f} MB allowed: see memory_limit_mb")

    def _fill(self, size: int) -> None:
        """Have at least `size` bytes ahead. What is promised is believed as it comes, and only up to the limit."""
        self.require(size)
        parts = [self._buffer[self.opcode_at :]]
        ahead = len(self._buffer) - self._place
        while ahead < size:
            more = self._stream.read(_CHUNK_BYTES)
            if not more:
                raise self.error("ends in the middle")
            parts.append(more)
            ahead += len(more)
        self._before += self.opcode_at
        self._place -= self.opcode_at
        self.opcode_at = 0
        self._buffer = b"".join(parts)
