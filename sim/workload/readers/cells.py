"""What a column must hold: told of the text of one cell, and of a parsed column at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MISSING: Final = ("", "NaN", "nan", "NA", "null", "NULL")
"""Cells without a value, where a kind allows it."""

LARGEST: Final = 1e30

_DIGITS: Final = re.compile(r"[ \t]*[0-9]{1,19}[ \t]*", re.ASCII)
_NUMBER: Final = re.compile(r"[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")

BoolArray = npt.NDArray[np.bool_]


class Kind(Protocol):
    """What a column must hold.

    Attributes:
        arrow: the type that it is parsed as.
        rule: what a value must be, for messages.
    """

    @property
    def arrow(self) -> str: ...  # noqa: D102
    @property
    def rule(self) -> str: ...  # noqa: D102

    def accepts(self, cell: str) -> bool:
        """Whether the text of a cell obeys."""

    def value(self, cell: str) -> Any:
        """The value of a cell that does; None where it is missing."""

    def bad(self, column: pa.Array) -> BoolArray:
        """Which values of a column of type `arrow` do not obey."""


@dataclass(frozen=True)
class Text:
    """Text without control characters; not empty unless it is `optional`, and never missing."""

    optional: bool = False
    arrow = "string"

    @property
    def rule(self) -> str:
        """For messages."""
        return f"must not {'' if self.optional else 'be empty or '}hold control characters"

    def accepts(self, cell: str) -> bool:
        """Whether the text of a cell obeys."""
        return (bool(cell) or self.optional) and not _CONTROL.search(cell)

    def value(self, cell: str) -> str:
        """The cell itself."""
        return cell

    def bad(self, column: pa.Array) -> BoolArray:
        """Which values do not obey."""
        bad = column.is_null() if self.optional else pc.equal(pc.binary_length(column).fill_null(0), 0)
        control = pc.match_substring_regex(column, _CONTROL.pattern).fill_null(False)
        return np.asarray(pc.or_(bad, control).to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class Number:
    """A number; no measured quantity is beyond `LARGEST`, and below it no sum or product overflows.

    Attributes:
        rule: what it must be.
        least: the smallest that it may be.
        optional: whether it may be missing (one of `MISSING`), and is then null.
    """

    rule: str
    least: float = -LARGEST
    optional: bool = False
    arrow = "float64"

    def accepts(self, cell: str) -> bool:
        """Whether the text of a cell obeys."""
        if _NUMBER.fullmatch(cell) is None:
            return self.optional and cell in MISSING
        return self.least <= float(cell) <= LARGEST

    def value(self, cell: str) -> float | None:
        """The number."""
        return None if cell in MISSING else float(cell)

    def bad(self, column: pa.Array) -> BoolArray:
        """Which values do not obey."""
        values = column.to_numpy(zero_copy_only=False)
        good = (values >= self.least) & (values <= LARGEST)
        return np.asarray(~(good | np.isnan(values)) if self.optional else ~good)


@dataclass(frozen=True)
class Whole:
    """A whole number.

    Attributes:
        arrow: int32 or int64.
        most: the largest that it may be; the smallest is 0.
    """

    arrow: str
    most: int

    @property
    def rule(self) -> str:
        """For messages."""
        return f"must be a whole number from 0 to {self.most}"

    def accepts(self, cell: str) -> bool:
        """Whether the text of a cell obeys."""
        return _DIGITS.fullmatch(cell) is not None and int(cell) <= self.most

    def value(self, cell: str) -> int:
        """The number."""
        return int(cell)

    def bad(self, column: pa.Array) -> BoolArray:
        """Which values do not obey."""
        values = (column.fill_null(-1) if column.null_count else column).to_numpy()
        return np.asarray((values < 0) | (values > self.most))


TEXT: Final = Text()
MAYBE_TEXT: Final = Text(optional=True)
COUNT: Final = Whole("int32", 2**31 - 1)
WHOLE: Final = Whole("int64", 2**62)
"""The difference of two of them is one of the kind too."""
NUMBER: Final = Number(f"must be a number of at most {LARGEST:g}")
NOT_NEGATIVE: Final = Number(f"must be a number from 0 to {LARGEST:g}", 0.0)
POSITIVE: Final = Number(f"must be a number above 0, of at most {LARGEST:g}", math.ulp(0.0))
MAYBE_NUMBER: Final = Number(f"must be a number of at most {LARGEST:g}, or missing", optional=True)
MAYBE_NOT_NEGATIVE: Final = Number(f"must be a number from 0 to {LARGEST:g}, or missing", 0.0, optional=True)
