"""The figures of a comparison, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.report import scales
from sim.report.metrics import numbers, printable
from sim.report.naming import add_legend, name_beside
from sim.report.palette import Look, looks
from sim.report.style import FAINT, POINTS_PER_INCH, SMALL, house_style

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MARKER_PT: Final = 5.5
REFERENCE_MARKER: Final = "*"
"""Of policies that know the future: no other has it, and it is told from them at any size."""
NAMED_BESIDE: Final = 12
"""Policies named beside their points; more get a legend below, as do names that do not fit."""


@dataclass(frozen=True)
class Points:
    """The policies of a comparison as points to minimise in both directions.

    Attributes:
        labels: their names.
        x, y: float64[n]; NaN where a policy has no value.
        x_half, y_half: float64[n], half-widths of intervals; NaN where there is none.
        reference: bool[n], policies that know the future: no one can choose them, so they take no part in the front.
    """

    labels: tuple[str, ...]
    x: FloatArray
    y: FloatArray
    x_half: FloatArray
    y_half: FloatArray
    reference: BoolArray

    @property
    def drawn(self) -> BoolArray:
        """bool[n]: those with both values."""
        return np.isfinite(self.x) & np.isfinite(self.y)

    @property
    def front(self) -> BoolArray:
        """bool[n]: those on the Pareto front."""
        return pareto_front(np.where(self.reference, np.nan, self.x), self.y)


def pareto_front(x: FloatArray, y: FloatArray) -> BoolArray:
    """Which points no other point beats: none is as small in both and smaller in one.

    Of equal points all are on the front or none. A point with a NaN is not, and beats none.

    Args:
        x: float64[n], to be minimised.
        y: float64[n], to be minimised.

    Returns:
        bool[n]
    """
    no_worse = (x[:, None] <= x) & (y[:, None] <= y)
    better = (x[:, None] < x) | (y[:, None] < y)
    front: BoolArray = ~(no_worse & better).any(axis=0) & np.isfinite(x) & np.isfinite(y)
    return front


def pareto(frame: pd.DataFrame, notes: Mapping[str, str], *, width_in: float = 7.0) -> Figure:
    """Cold-start rate against wasted memory-time, each policy a point, with the Pareto front as steps.

    Wasted memory-time is normalised to the fixed 10-minute window, as by Shahrad et al. (USENIX ATC 2020, section 5);
    where that wasted nothing, it is in GB-s.

    Args:
        frame: the comparison. Policies for which a bool column `needs_future` is true are drawn, but take no part in
            the front.
        notes: sentences to set below the figure (workload, intervals); none for a paper, which has its caption.
        width_in: inches; 3.4 is a paper's column, 7 its text width.
    """
    points, x_title = _points(frame)
    with house_style():
        foot = _foot(points, notes, width_in)
        foot_in = len(foot) * SMALL * 1.25 / POINTS_PER_INCH
        figure = Figure(figsize=(width_in, 0.6 * width_in + 0.3 + foot_in))
        FigureCanvasAgg(figure)  # measures text
        axes = figure.subplots()
        axes.set_xlabel(x_title)
        axes.set_ylabel("cold-start rate (%)")
        figure.text(0.05, 0.04, "\n".join(foot), transform=figure.dpi_scale_trans, fontsize=SMALL, color="#555555",
                    va="bottom", in_layout=False)  # fmt: skip
        if points.drawn.any():
            _draw_and_name(figure, axes, points, looks(points.labels), foot_in)
        else:
            axes.text(0.5, 0.5, "no policy has a value for both", ha="center", transform=axes.transAxes)
            _lay_out(figure, foot_in)
        figure.set_layout_engine("none")
    return figure


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write ``<stem>.png`` (200 dpi) and ``<stem>.svg``; the same figure gives the same bytes.

    Returns:
        The files written.
    """
    png, svg = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")
    stem.parent.mkdir(parents=True, exist_ok=True)
    with house_style():
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return [png, svg]


def _points(frame: pd.DataFrame) -> tuple[Points, str]:
    key, title = "wasted_normalised", "wasted memory-time (fixed 10-minute window = 1)"
    if not np.isfinite(numbers(frame, key)).any():
        key, title = "wasted_gb_s", "wasted memory-time (GB-s)"
    reference = frame["needs_future"].to_numpy(np.bool_) if "needs_future" in frame else np.zeros(len(frame), np.bool_)
    points = Points(
        labels=tuple(frame["policy"].astype(str)),
        x=numbers(frame, key),
        y=100 * numbers(frame, "cold_start_rate"),
        x_half=numbers(frame, f"{key}_ci95"),
        y_half=100 * numbers(frame, "cold_start_rate_ci95"),
        reference=reference,
    )
    return points, title


def _draw_and_name(figure: Figure, axes: Axes, points: Points, look: Mapping[str, Look], foot_in: float) -> None:
    index = np.flatnonzero(points.drawn)
    markers = [_marker(points, int(i), look[points.labels[i]]) for i in index]
    names = [points.labels[i] for i in index]
    xy = np.column_stack([points.x[index], points.y[index]])
    _set_scales(axes, points)
    _draw(axes, points, markers)
    _lay_out(figure, foot_in)
    if index.size <= NAMED_BESIDE and name_beside(axes, xy, names, MARKER_PT):
        return
    height_in = add_legend(figure, [Line2D([], [], **marker) for marker in markers], names, foot_in + 0.04)
    figure.set_figheight(figure.get_figheight() + height_in)
    _lay_out(figure, foot_in + height_in + 0.04)


def _set_scales(axes: Axes, points: Points) -> None:
    """Scales for the points and their error bars; a bar that reaches below a tenth of its value may leave the axis."""
    which: Literal["x", "y"]
    for which, values, half, most in (("x", points.x, points.x_half, np.inf), ("y", points.y, points.y_half, 100.0)):
        low = np.where(values - half > 0.1 * values, values - half, values)
        ends = np.concatenate([low, values, values + half])
        scales.apply(axes, which, scales.choose(ends[np.tile(points.drawn, 3)], most=most), most=most)


def _draw(axes: Axes, points: Points, markers: Sequence[dict[str, Any]]) -> None:
    front = points.front
    order = np.lexsort((points.y, points.x))
    order = order[front[order]]
    axes.step(points.x[order], points.y[order], where="post", color=FAINT, linewidth=1.0, zorder=2)
    for i, marker in zip(np.flatnonzero(points.drawn), markers, strict=True):
        along_x = _bar(points.x, points.x_half, points.y, int(i))
        across, along_y = _bar(points.y, points.y_half, points.x, int(i))[::-1]
        for bar in (along_x, (across, along_y)):
            axes.plot(*bar, color=marker["color"], linewidth=0.9, alpha=0.7, zorder=3)
        axes.plot(points.x[i], points.y[i], clip_on=False, zorder=4 + front[i], **marker)


def _bar(values: FloatArray, half: FloatArray, across: FloatArray, i: int) -> tuple[FloatArray, FloatArray]:
    """The ends of an error bar along one axis, no lower than zero, and its place on the other."""
    reach = half[i] if np.isfinite(half[i]) else 0.0
    return np.array([max(values[i] - reach, 0.0), values[i] + reach]), np.array([across[i]] * 2)


def _marker(points: Points, i: int, look: Look) -> dict[str, Any]:
    reference = bool(points.reference[i])
    return {
        "linestyle": "none",
        "marker": REFERENCE_MARKER if reference else look.marker,
        "markersize": 1.7 * MARKER_PT if reference else MARKER_PT,
        "color": look.color,
        "markeredgewidth": 1.0,
        "markerfacecolor": look.color if points.front[i] or reference else "white",
    }


def _foot(points: Points, notes: Mapping[str, str], width_in: float) -> list[str]:
    """What is said below the figure, in lines; nothing if there are no notes."""
    if not notes:
        return []
    said = [notes[key] for key in ("workload", "intervals") if notes.get(key)]
    said.append("filled: on the Pareto front, hollow: dominated")
    if points.reference.any():
        said[-1] += ", star: knows the future and takes no part"
    if not points.drawn.all():
        lost = [label for label, drawn in zip(points.labels, points.drawn, strict=True) if not drawn]
        said.append(f"not drawn, having no value: {', '.join(lost)}")
    text = printable(". ".join(s[:1].upper() + s[1:] for s in said) + ".")
    return wrap(text, int(width_in * POINTS_PER_INCH / (0.54 * SMALL)))


def _lay_out(figure: Figure, below_in: float) -> None:
    """Give the axes all but some inches below."""
    below = (below_in + 0.02) / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
    figure.draw_without_rendering()
