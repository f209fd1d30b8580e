"""What figures are drawn on: a blank page, room for a legend below, and lines that twenty policies can share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.report.naming import add_legend
from sim.report.pooled import Policy
from sim.report.style import POINTS_PER_INCH
from sim.report.tradeoff import REFERENCE_MARKER

FloatArray = npt.NDArray[np.float64]

LOWEST_IN: Final = 2.2
HIGHEST_IN: Final = 3.6
"""Between these the height of a panel grows with its width."""
MARKS: Final = 0.3
"""Between the markers of one line, as a part of the diagonal of its panel."""
MARKER_PT: Final = 3.6


def blank(width_in: float, height_in: float) -> Figure:
    """An empty figure that can measure text."""
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    return figure


def panel_height_in(width_in: float) -> float:
    """Inches that suit a panel as wide as the figure."""
    return min(max(0.58 * width_in, LOWEST_IN), HIGHEST_IN)


def line_height_in(size_pt: float) -> float:
    """Inches from one line of text to the next."""
    return size_pt * 1.25 / POINTS_PER_INCH


def lay_out(figure: Figure, below_in: float) -> None:
    """Give the axes all but some inches below."""
    below = (below_in + 0.02) / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
    engine = figure.get_layout_engine()
    if engine is not None:  # it was just set
        engine.execute(figure)  # twice as fast as to draw everything, which does this too


def finish(figure: Figure, handles: Sequence[Line2D], names: Sequence[str]) -> None:
    """Set a legend below the axes, make the figure higher by it, and fix the layout."""
    height_in = add_legend(figure, handles, names, 0.04)
    figure.set_figheight(figure.get_figheight() + height_in)
    lay_out(figure, height_in + 0.08)
    figure.set_layout_engine("none")


def finish_with_policies(figure: Figure, policies: Sequence[Policy], *, lines: bool = True) -> None:
    """Set a legend of policies below the axes, by line and marker or by marker alone."""
    handles = [Line2D([], [], **(line_of(policy) if lines else marker_of(policy))) for policy in policies]
    finish(figure, handles, [policy.name for policy in policies])


def draw_lines(
    axes: Axes, policies: Sequence[Policy], curves: Sequence[tuple[FloatArray, FloatArray]], *, steps: bool = False
) -> None:
    """A line a policy, x and y, in its colour and dash; its marker here and there, at other places for each policy.

    Args:
        axes: with its limits set or not.
        policies: in the order compared.
        curves: x and y of each.
        steps: whether each y holds up to the next x.
    """
    drawstyle = "steps-post" if steps else "default"
    for i, (policy, (x, y)) in enumerate(zip(policies, curves, strict=True)):
        start = 0.04 + MARKS * i / len(policies)
        axes.plot(
            x, y, **line_of(policy), markevery=(start, MARKS) if len(x) > 2 else None, drawstyle=drawstyle, zorder=2.5
        )


def line_of(policy: Policy) -> dict[str, Any]:
    """How the line of a policy looks."""
    return marker_of(policy) | {"linestyle": policy.look.dash, "linewidth": 1.2}


def marker_of(policy: Policy) -> dict[str, Any]:
    """How the marker of a policy looks: a star if it knows the future."""
    marker = REFERENCE_MARKER if policy.reference else policy.look.marker
    size = 1.6 * MARKER_PT if policy.reference else MARKER_PT
    return {"color": policy.look.color, "marker": marker, "markersize": size, "markeredgewidth": 0.8,
            "linestyle": "none"}  # fmt: skip
