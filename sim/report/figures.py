"""The figures of a comparison, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.report import scales
from sim.report.labels import Scene, leader, place
from sim.report.metrics import numbers, printable
from sim.report.palette import Look, looks
from sim.report.style import FAINT, SMALL, TEXT_COLOR, house_style

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MARKER_PT: Final = 5.5
LABEL_LINE: Final = 26
"""Characters of a name before it goes on in a second line."""
NAMED_DIRECTLY: Final = 12
"""Policies named beside their points; more get a legend below, as do names that do not fit."""
POINTS_PER_INCH: Final = 72.0


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
        frame: the comparison. With a bool column `needs_future`, those policies are drawn but take no part in the front.
        notes: sentences to set below the figure (workload, intervals); none for a paper, which has its caption.
        width_in: inches; 3.4 is a paper's column, 7 its text width.
    """
    points, x_title = _points(frame)
    look = looks(points.labels)
    with house_style():
        figure = Figure(figsize=(width_in, 0.62 * width_in + 0.3))
        FigureCanvasAgg(figure)  # measures text
        axes = figure.subplots()
        axes.set_xlabel(x_title)
        axes.set_ylabel("cold-start rate (%)")
        if points.drawn.any():
            _draw(axes, points, look)
        else:
            axes.text(0.5, 0.5, "no policy has values for both axes", ha="center", transform=axes.transAxes)
        foot_in = _write_foot(figure, _foot(points, notes))
        _lay_out(figure, foot_in)
        if points.drawn.any() and not _name_directly(axes, points):
            _add_legend(figure, points, look, foot_in)
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


def _draw(axes: Axes, points: Points, look: Mapping[str, Look]) -> None:
    for which, values, half, most in (("x", points.x, points.x_half, np.inf), ("y", points.y, points.y_half, 100.0)):
        ends = np.concatenate([values, values + half])[np.tile(points.drawn, 2)]
        scales.apply(axes, which, scales.choose(ends, most=most))  # type: ignore[arg-type]
    front = points.front
    order = np.lexsort((points.y, points.x))
    order = order[front[order]]
    axes.step(points.x[order], points.y[order], where="post", color=FAINT, linewidth=1.0, zorder=2)
    for i in np.flatnonzero(points.drawn):
        style = look[points.labels[i]]
        # Behind its marker, and no lower than zero: an interval may say less than nothing, a rate cannot.
        for x, y in (_bar(points.x, points.x_half, points.y, i), _bar(points.y, points.y_half, points.x, i)[::-1]):
            axes.plot(x, y, color=style.color, linewidth=0.9, alpha=0.7, zorder=3)
        axes.plot(
            points.x[i], points.y[i], linestyle="none", zorder=4 + front[i], clip_on=False,
            **_marker(style, bool(front[i]), bool(points.reference[i])),
        )  # fmt: skip


def _bar(values: FloatArray, half: FloatArray, across: FloatArray, i: int) -> tuple[FloatArray, FloatArray]:
    """The ends of an error bar along one axis, and its place on the other."""
    reach = half[i] if np.isfinite(half[i]) else 0.0
    return np.array([max(values[i] - reach, 0.0), values[i] + reach]), np.array([across[i]] * 2)


def _marker(style: Look, on_front: bool, reference: bool) -> dict[str, Any]:
    return {
        "marker": style.marker,
        "markersize": MARKER_PT,
        "color": style.color,
        "markeredgewidth": 1.0,
        "markerfacecolor": style.color if on_front or reference else "white",
        "markerfacecoloralt": "white",
        "fillstyle": "left" if reference else "full",
    }


def _foot(points: Points, notes: Mapping[str, str]) -> str:
    """What is said below the figure; nothing if there are no notes."""
    if not notes:
        return ""
    said = [notes[key] for key in ("workload", "intervals") if notes.get(key)]
    said.append("filled: on the Pareto front, hollow: dominated")
    if points.reference.any():
        said[-1] += ", half: knows the future, no part of the front"
    if not points.drawn.all():
        lost = [label for label, drawn in zip(points.labels, points.drawn, strict=True) if not drawn]
        said.append(f"not drawn, having no value: {', '.join(lost)}")
    return printable(". ".join(s[:1].upper() + s[1:] for s in said) + ".")


def _write_foot(figure: Figure, text: str) -> float:
    """Set the text below the figure; returns the inches it takes."""
    width_in = figure.get_figwidth()
    lines = wrap(text, int(width_in * POINTS_PER_INCH / (0.56 * SMALL)))
    if lines:
        figure.text(0.01, 0.04 / figure.get_figheight(), "\n".join(lines), fontsize=SMALL, color="#555555",
                    va="bottom", in_layout=False)  # fmt: skip
    return len(lines) * SMALL * 1.25 / POINTS_PER_INCH + (0.06 if lines else 0.0)


def _lay_out(figure: Figure, below_in: float) -> None:
    """Give the axes all but some inches below."""
    below = below_in / figure.get_figheight()
    figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
    figure.draw_without_rendering()


def _name_directly(axes: Axes, points: Points) -> bool:
    """Name every point beside it; False, and nothing done, if the names do not fit."""
    index = np.flatnonzero(points.drawn)
    if index.size > NAMED_DIRECTLY:
        return False
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    pixels = figure.dpi / POINTS_PER_INCH
    texts = ["\n".join(wrap(printable(points.labels[i]), LABEL_LINE)) for i in index]
    sizes = np.array([_text_size(figure, text) for text in texts]) + 2.0 * pixels
    to_pixels = axes.transData.transform
    anchors = to_pixels(np.column_stack([points.x[index], points.y[index]]))
    radius = (MARKER_PT / 2 + 1.0) * pixels
    scene = Scene(
        bounds=np.asarray(axes.get_window_extent().padded(2 * pixels).extents),
        boxes=np.hstack([anchors - radius, anchors + radius]),
        lines=np.vstack([_segments(line, to_pixels) for line in axes.lines if line.get_transform() == axes.transData]),
        near=radius,
        step=6.0 * pixels,
    )
    boxes = place(anchors, sizes, scene)
    if boxes is None:
        return False
    for text, anchor, box in zip(texts, anchors, boxes, strict=True):
        _write_name(axes, text, anchor, box, pixels)
    return True


def _text_size(figure: Figure, text: str) -> tuple[float, float]:
    probe = figure.text(0, 0, text)
    extent = probe.get_window_extent()
    probe.remove()
    return extent.width, extent.height


def _segments(line: Line2D, to_pixels: Any) -> FloatArray:
    """float64[k, 4]: a drawn line in pixels, its steps as they are drawn."""
    path = line.get_path().vertices
    if line.get_drawstyle() == "steps-post":
        corners = np.column_stack([path[1:, 0], path[:-1, 1]])
        path = np.vstack([path[:1], np.stack([corners, path[1:]], axis=1).reshape(-1, 2)])
    pixels = to_pixels(path)
    return np.hstack([pixels[:-1], pixels[1:]])


def _write_name(axes: Axes, text: str, anchor: FloatArray, box: FloatArray, pixels: float) -> None:
    offset = ((box[:2] + box[2:]) / 2 - anchor) / pixels
    at = axes.transData.inverted().transform(anchor)
    axes.annotate(text, xy=at, xytext=offset, textcoords="offset points", ha="center", va="center", zorder=6)
    join = leader(anchor, box)
    if np.hypot(*(join[2:] - join[:2])) > 6.0 * pixels:
        ends = axes.transData.inverted().transform(join.reshape(2, 2))
        axes.plot(*ends.T, color=FAINT, linewidth=0.5, zorder=3.5)


def _add_legend(figure: Figure, points: Points, look: Mapping[str, Look], foot_in: float) -> None:
    """Name the policies below the axes, in a figure made higher for it."""
    front, height_in = points.front, figure.get_figheight()
    index = np.flatnonzero(points.drawn)
    names = [printable(points.labels[i]) for i in index]
    widest_in = max(_text_size(figure, name)[0] for name in names) / figure.dpi + 0.32
    columns = max(1, min(len(names), int(figure.get_figwidth() / widest_in)))
    legend_in = 0.15 * ceil(len(names) / columns) + 0.1
    _grow(figure, legend_in)
    handles = [
        Line2D([], [], linestyle="none", **_marker(look[points.labels[i]], bool(front[i]), bool(points.reference[i])))
        for i in index
    ]
    legend = figure.legend(
        handles, ["x"] * len(names), loc="lower left", bbox_to_anchor=(0.0, foot_in / (height_in + legend_in)),
        ncols=columns, frameon=False, fontsize=7.0, handlelength=1.0, handletextpad=0.4, columnspacing=1.0,
        labelspacing=0.35, borderpad=0.2, borderaxespad=0.2,
    )  # fmt: skip
    for entry, name in zip(legend.get_texts(), names, strict=True):
        entry.set_text(name)  # not as a label: matplotlib leaves out those that begin with an underscore
    legend.set_in_layout(False)
    _lay_out(figure, foot_in + legend_in)


def _grow(figure: Figure, by_in: float) -> None:
    """Make a figure higher, with what is written at its foot where it was."""
    before = figure.get_figheight()
    figure.set_figheight(before + by_in)
    for text in figure.texts:
        text.set_y(text.get_position()[1] * before / (before + by_in))
