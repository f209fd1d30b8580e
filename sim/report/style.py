"""How all figures look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import matplotlib.style

TEXT_COLOR: Final = "#222222"
FAINT: Final = "#8A8A8A"
POINTS_PER_INCH: Final = 72.0
SMALL: Final = 6.5
"""Size of what is said below a figure, in points."""

STYLE: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so text has the same shape everywhere
    "font.size": 8.0,
    "text.parse_math": False,  # names are names, whatever dollar signs they hold
    "text.color": TEXT_COLOR,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "figure.dpi": 200,
    "svg.fonttype": "path",  # a browser without the font would set other widths, and names would run into each other
    "svg.hashsalt": "keepwarm",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own defaults and `STYLE`, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", STYLE]):
        yield
