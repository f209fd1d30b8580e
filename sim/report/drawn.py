"""A figure of a report with the words that go with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from matplotlib.figure import Figure

from sim.report.glyphs import shortened
from sim.report.metrics import MISSING

MOST_SAID: Final = 24
"""Policies whose numbers an alternative text gives."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure of a report.

    Attributes:
        name: of its files.
        title: a short heading.
        caption: what is drawn, how to read it and what is left out, as plain text: names in it are printable, but still
            names to be escaped.
        alt: the same for those who cannot see it, with numbers; plain text as well.
        figure: the picture.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


def sentences(*parts: str) -> str:
    """A caption of all parts that are not empty, a full stop after each; none may begin with a name."""
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts if part)


def listed(facts: Sequence[tuple[str, str]]) -> str:
    """What is said of each policy, by label, as one list; of very many, only of the first."""
    said = [f"{shortened(label)} {fact}" for label, fact in facts[:MOST_SAID]]
    rest = [f"and {len(facts) - MOST_SAID} more"] if len(facts) > MOST_SAID else []
    return ", ".join(said + rest)


def left_out(labels: Iterable[str], why: str) -> str:
    """A sentence on the policies that are not drawn; empty if all are."""
    names = ", ".join(map(shortened, labels))
    return f"not drawn, {why}: {names}" if names else ""


def worded(value: float, unit: str = "") -> str:
    """A number with three significant digits for a sentence."""
    if not isfinite(value):
        return MISSING
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()
