"""The figures of cold starts against what they cost, and how figures are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.report import tradeoff
from sim.report.canvas import blank, lay_out, line_height_in
from sim.report.glyphs import drawable, figure_names, shortened
from sim.report.metrics import numbers
from sim.report.naming import add_legend, name_beside
from sim.report.palette import looks
from sim.report.style import POINTS_PER_INCH, SMALL, house_style
from sim.report.tradeoff import MARKER_PT, Points, pareto_front, points_of, spread

__all__ = ["cost", "pareto", "pareto_front", "save_figure"]

FloatArray = npt.NDArray[np.float64]

DPI: Final = 200
NAMED_BESIDE: Final = 12
"""Policies named beside their points; more get a legend below, as do names that do not fit."""
COSTS: Final = (
    ("provider_cost_per_million_usd", "provider cost"),
    ("user_cost_per_million_usd", "user cost"),
)
"""What is drawn as cost, in USD per million calls; the user's only where it tells policies apart."""
TOLD_APART: Final = 1.01
"""The ratio of the largest to the smallest user cost from which it is drawn."""
MOST_POINTS: Final = 500
"""Of a line."""
FRONTIER: Final = "clairvoyant frontier"
FRONTIER_COLOR: Final = "#666666"
SIDE_BY_SIDE_IN: Final = 5.0
"""The width from which two panels stand beside each other."""


def pareto(
    frame: pd.DataFrame, notes: Mapping[str, str], *, width_in: float = 7.0, frontier: pd.DataFrame | None = None
) -> Figure:
    """Cold-start rate against wasted memory-time, each policy a point, with the Pareto front as steps.

    Wasted memory-time is normalised to the fixed 10-minute window, as by Shahrad et al. (USENIX ATC 2020, section 5);
    where that wasted nothing, it is in GB-s.

    Args:
        frame: the comparison. Policies for which a bool column `needs_future` is true are drawn, but take no part in
            the front.
        notes: sentences to set below the figure (workload, intervals); none for a paper, which has its caption.
        width_in: inches; 3.4 is a paper's column, 7 its text width.
        frontier: the least waste at every cold-start rate if the future were known, `wasted_gb_s` and
            `cold_start_rate` (a share): a thin line.
    """
    key, x_title = "wasted_normalised", "wasted memory-time (fixed 10-minute window = 1)"
    if not np.isfinite(numbers(frame, key)).any():
        key, x_title = "wasted_gb_s", "wasted memory-time (GB-s)"
    points = points_of(frame, key)
    line = None if frontier is None else _frontier_line(frame, frontier, points, normalised=key != "wasted_gb_s")
    with house_style():
        foot = _foot(points, notes, width_in)
        foot_in = len(foot) * line_height_in(SMALL)
        figure = blank(width_in, 0.6 * width_in + 0.3 + foot_in)
        axes = figure.subplots()
        axes.set(xlabel=x_title, ylabel="cold-start rate (%)")
        figure.text(0.05, 0.04, "\n".join(foot), transform=figure.dpi_scale_trans, fontsize=SMALL, color="#555555",
                    va="bottom", in_layout=False)  # fmt: skip
        if points.drawn.any():
            _draw_and_name(figure, axes, points, foot_in, line)
        else:
            axes.text(0.5, 0.5, "no policy has a value for both", ha="center", transform=axes.transAxes)
            lay_out(figure, foot_in)
        figure.set_layout_engine("none")
    return figure


def cost(frame: pd.DataFrame, *, width_in: float = 7.0) -> Figure | None:
    """Cold-start rate against cost per million calls, the provider's and, where policies differ in it, the user's.

    Args:
        frame: the comparison.
        width_in: inches.

    Returns:
        A panel a cost, beside or below each other; None if there is none to show.
    """
    panels = [(points_of(frame, key), title) for key, title in costs_shown(frame)]
    if not panels:
        return None
    with house_style():
        beside = len(panels) > 1 and width_in >= SIDE_BY_SIDE_IN
        panel_in = width_in / 2 if beside else width_in
        figure = blank(width_in, (0.6 * panel_in + 0.5) * (1 if beside else len(panels)))
        grid = figure.subplots(*(1, len(panels)) if beside else (len(panels), 1), squeeze=False)
        if len(panels) == 1:
            grid[0, 0].set(xlabel=f"{panels[0][1]} (USD per million calls)", ylabel="cold-start rate (%)")
            _draw_and_name(figure, grid[0, 0], panels[0][0], 0.0)
        else:
            _draw_panels(figure, grid.ravel().tolist(), panels)
        figure.set_layout_engine("none")
    return figure


def costs_shown(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Column and name of the costs that `cost` draws."""
    shown = [(key, title) for key, title in COSTS if points_of(frame, key).drawn.any()]
    return [(key, title) for key, title in shown if key != COSTS[1][0] or spread(numbers(frame, key)) >= TOLD_APART]


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write ``<stem>.png`` (`DPI` dots per inch) and ``<stem>.svg``; the same figure gives the same bytes.

    Returns:
        The files written.
    """
    png, svg = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    stem.parent.mkdir(parents=True, exist_ok=True)
    canvas, dpi, layout = figure.canvas, figure.dpi, figure.get_layout_engine()
    try:  # by the canvases themselves, since `savefig` draws everything twice
        with house_style():
            figure.dpi = DPI
            FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})  # type: ignore[no-untyped-call]
            if layout is not None:
                figure.set_layout_engine("none")  # everything has its place: that is half the work
            FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    finally:
        figure.dpi = dpi
        figure.set_canvas(canvas)
        if layout is not None:
            figure.set_layout_engine(layout)
    return [png, svg]


def _frontier_line(
    frame: pd.DataFrame, frontier: pd.DataFrame, points: Points, *, normalised: bool
) -> FloatArray | None:
    """float64[m, 2]: the part of the frontier beside the points, in the units of the figure; None if there is none."""
    waste, rate = numbers(frontier, "wasted_gb_s"), 100 * numbers(frontier, "cold_start_rate")
    if normalised:
        with np.errstate(divide="ignore", invalid="ignore"):
            baseline = numbers(frame, "wasted_gb_s") / numbers(frame, "wasted_normalised")
        waste = waste / np.nanmedian(np.where(np.isfinite(baseline), baseline, np.nan))
    x, y = points.x.value[points.drawn], points.y.value[points.drawn]
    if not x.size:
        return None
    from_x = 0.3 * x[x > 0].min(initial=np.inf)
    near = (rate >= y.min()) & (rate <= y.max()) & (waste >= from_x) & (waste <= x.max())
    line = np.column_stack([waste, rate])[near]
    return line[np.unique(np.linspace(0, len(line) - 1, MOST_POINTS).astype(np.int64))] if len(line) > 1 else None


def _draw_panels(figure: Figure, grid: Sequence[Axes], panels: Sequence[tuple[Points, str]]) -> None:
    labels = panels[0][0].labels
    markers: dict[str, dict[str, Any]] = {}
    for axes, (points, title) in zip(grid, panels, strict=True):
        axes.set(xlabel=f"{title} (USD per million calls)", ylabel="cold-start rate (%)")
        tradeoff.set_scales(axes, points)
        drawn = [label for label in labels if label not in points.lost]
        for label, marker in zip(drawn, tradeoff.draw(axes, points, looks(labels)), strict=True):
            markers.setdefault(label, marker | {"markerfacecolor": marker["color"]})
    names = figure_names(labels)
    lay_out(figure, 0.0)
    handles = [Line2D([], [], **marker) for marker in markers.values()]
    height_in = add_legend(figure, handles, [names[label] for label in markers], 0.04)
    figure.set_figheight(figure.get_figheight() + height_in)
    lay_out(figure, height_in + 0.08)


def _draw_and_name(
    figure: Figure, axes: Axes, points: Points, foot_in: float, frontier: FloatArray | None = None
) -> None:
    index = np.flatnonzero(points.drawn)
    shown = figure_names(points.labels)
    names = [shown[points.labels[i]] for i in index]
    xy = np.column_stack([points.x.value[index], points.y.value[index]])
    tradeoff.set_scales(axes, points, None if frontier is None else frontier[:, 0])
    markers = tradeoff.draw(axes, points, looks(points.labels))
    handles = [Line2D([], [], **marker) for marker in markers]
    if frontier is not None:
        [line] = axes.plot(*frontier.T, color=FRONTIER_COLOR, linewidth=0.8, linestyle=(0, (4, 1.5)), zorder=1.5)
        handles, names = [*handles, line], [*names, FRONTIER]
        xy = np.vstack([xy, frontier[len(frontier) // 2]])
    lay_out(figure, foot_in)
    if index.size <= NAMED_BESIDE and name_beside(axes, xy, names, MARKER_PT):
        return
    height_in = add_legend(figure, handles, names, foot_in + 0.04)
    figure.set_figheight(figure.get_figheight() + height_in)
    lay_out(figure, foot_in + height_in + 0.04)


def _foot(points: Points, notes: Mapping[str, str], width_in: float) -> list[str]:
    """What is said below the figure, in lines; nothing if there are no notes."""
    if not notes:
        return []
    said = [notes[key] for key in ("workload", "intervals") if notes.get(key)]
    said.append("filled: on the Pareto front, hollow: dominated")
    if points.reference.any():
        said[-1] += ", star: knows the future and takes no part"
    if points.lost:
        said.append(f"not drawn, having no value: {', '.join(map(shortened, points.lost))}")
    text = drawable(". ".join(s[:1].upper() + s[1:] for s in said) + ".")
    return wrap(text, int(width_in * POINTS_PER_INCH / (0.54 * SMALL)))
