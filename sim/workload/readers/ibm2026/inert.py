"""What a pickle becomes where nobody runs it: plain values, lists, and records of what would have been called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_MOST_PENDING: Final = 1024


@dataclass(frozen=True, slots=True)
class Name:
    """Something that a pickle names, as a word: never imported, never called.

    Attributes:
        kind: what it is to us.
    """

    kind: str


@dataclass(slots=True, eq=False)
class Made:
    """What a call of `kind` with `arguments` would have given, and the `state` that it would have been given then."""

    kind: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(slots=True, eq=False)
class Run:
    """Numbers that follow one another on the stack."""

    values: FloatArray


@dataclass(slots=True, eq=False)
class Items:
    """A list. Numbers are kept as arrays of float64, 8 bytes each, whatever they were."""

    parts: list[FloatArray | list[Any]] = field(default_factory=list)
    pending: list[Any] = field(default_factory=list)
    size: int = 0

    def extend(self, batch: list[Any]) -> int:
        """Append the items of a batch; a `Run` in it stands for its numbers.

        Returns:
            How many numbers, these or earlier ones, are no longer objects of their own.
        """
        packed = 0
        for item in batch:
            if type(item) is Run:
                packed += self._settle()
                self.parts.append(item.values)
                self.size += item.values.size
            else:
                self.pending.append(item)
                self.size += 1
        return packed + (self._settle() if len(self.pending) >= _MOST_PENDING else 0)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Any]:
        self._settle()
        for part in self.parts:
            yield from part.tolist() if isinstance(part, np.ndarray) else part

    def numbers(self) -> FloatArray | None:
        """All items, if all are numbers."""
        self._settle()
        if not self.parts:
            return np.empty(0)
        arrays = [part for part in self.parts if isinstance(part, np.ndarray)]
        return np.concatenate(arrays) if len(arrays) == len(self.parts) else None

    def _settle(self) -> int:
        """Pack what is pending, if all of it is numbers; returns how many are packed."""
        pending, self.pending = self.pending, []
        if not pending:
            return 0
        are_numbers = {type(item) for item in pending} <= {int, float}
        self.parts.append(np.array(pending, np.float64) if are_numbers else pending)
        return len(pending) if are_numbers else 0
