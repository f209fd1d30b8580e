"""Names in figures: short enough, drawable with the figures' one font, and still told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Final

from matplotlib.font_manager import FontProperties, findfont, get_font

from sim.report.metrics import printable
from sim.report.style import STYLE

LONGEST: Final = 60
"""Characters of a name in a figure or a caption."""
NO_NAME: Final = "(no name)"


def shortened(name: str, most: int = LONGEST) -> str:
    """The name on one line without control characters, its middle left out if it is long: names often differ at an end.

    Args:
        name: from a trace or a configuration.
        most: characters, at least three.
    """
    text = printable(name)
    if len(text) <= most:
        return text or NO_NAME
    tail = (most - 1) // 3
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def drawable(text: str) -> str:
    """The text with a replacement character for each that the font of the figures lacks (Chinese, emoji, ...).

    Another font may have them, but not on every machine, and a figure would no longer be the same everywhere.
    """
    glyphs = _glyphs()
    return "".join(c if ord(c) in glyphs else "\N{REPLACEMENT CHARACTER}" for c in printable(text))


def figure_names(labels: Sequence[str]) -> dict[str, str]:
    """How figures write the policies: those that lose characters, or would be alike, get their place in the order."""
    short = {label: shortened(label) for label in labels}
    drawn = {label: drawable(text) for label, text in short.items()}
    count = Counter(drawn.values())
    return {
        label: name if count[name] == 1 and name == short[label] else f"{name} (no. {place})"
        for place, (label, name) in enumerate(drawn.items(), start=1)
    }


@cache
def _glyphs() -> frozenset[int]:
    """What the font has; it comes with matplotlib, and is read once."""
    font = get_font(findfont(FontProperties(family=STYLE["font.family"])))
    return frozenset(font.get_charmap())
