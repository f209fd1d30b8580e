"""A table of a page as data: what is shown, what it is sorted by, and what is said when one points at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf, isnan
from typing import Literal

Kind = Literal["name", "number", "text"]


@dataclass(frozen=True)
class Cell:
    """One cell, plain text throughout.

    Attributes:
        text: what is shown.
        aside: what follows it, smaller: an interval, a mark.
        order: for numbers, what the column is sorted by; empty sorts last in both directions.
        title: what is said when one points at it.
        look: a class of the style sheet, or none.
    """

    text: str
    aside: str = ""
    order: str = ""
    title: str = ""
    look: Literal["", "more", "less", "same"] = ""


@dataclass(frozen=True)
class Head:
    """The head of a column: `kind` says how it is set and sorted."""

    text: str
    unit: str = ""
    title: str = ""
    kind: Kind = "number"


@dataclass(frozen=True)
class Grid:
    """A table: every row has a cell for each head, and its first cell names it.

    Attributes:
        label: what it is, for those who cannot see it.
        sortable: whether a column's cells are of one kind, so that it means something to sort them.
    """

    label: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    sortable: bool = True


def order(value: float) -> str:
    """A number at full precision as a script reads it; empty for NaN."""
    if isnan(value):
        return ""
    return ("Infinity" if value > 0 else "-Infinity") if isinf(value) else repr(float(value))
