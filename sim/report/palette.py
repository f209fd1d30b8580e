"""One look a policy, the same in every figure of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
"""Okabe & Ito's palette (Color Universal Design, 2008) without its yellow, too pale for lines on white."""

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h")
"""As many as share no divisor with the number of colours, so that the pairs repeat only after all of them."""

DASHES: Final = ("solid", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
"""One for each turn through the colours, so that lines without markers can be told apart too."""

Dash = str | tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class Look:
    """How one policy is drawn: a colour, a marker and a line style, each as matplotlib takes it."""

    color: str
    marker: str
    dash: Dash


def looks(labels: Sequence[str]) -> dict[str, Look]:
    """The look of each policy, by its place in the order compared.

    Neighbours differ in colour and in marker. Colour and marker together are unique for the first 77 policies, colour
    and dash for the first 28; then they repeat.

    Args:
        labels: the policies of the whole comparison in its order, also where a figure draws only some of them.
    """
    return {label: _look(i) for i, label in enumerate(labels)}


def _look(i: int) -> Look:
    dash = DASHES[i // len(COLORS) % len(DASHES)]
    return Look(COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)], dash)
