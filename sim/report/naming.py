"""The names of the points of a figure: beside them, or in a legend below."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.transforms import IdentityTransform

from sim.report.glyphs import drawable, shortened
from sim.report.labels import Scene, leader, place
from sim.report.style import FAINT, POINTS_PER_INCH

FloatArray = npt.NDArray[np.float64]

LINE: Final = 26
"""Characters of a name before it goes on in a second line."""
STEP_PT: Final = 6.0
"""Between the rings in which names are tried; the gap from which a leader joins name and point."""
CLEAR_PT: Final = 1.0
"""Left free around a name and around a marker."""
KEY_IN: Final = 0.32
"""Beside a name in a legend: what it names, and the gaps."""


def name_beside(axes: Axes, xy: FloatArray, names: Sequence[str], marker_pt: float) -> bool:
    """Name every point beside it, clear of each other, of markers and, if it can be, of lines.

    Args:
        axes: with its final limits and place in the figure, and its lines drawn.
        xy: float64[n, 2], the points in data coordinates.
        names: one a point.
        marker_pt: size of the markers, in points.

    Returns:
        False, and nothing done, if the names do not fit.
    """
    pixels = axes.figure.dpi / POINTS_PER_INCH
    texts = ["\n".join(wrap(drawable(name), LINE)) for name in names]
    sizes = np.array([text_size(axes, text) for text in texts]) + 2 * CLEAR_PT * pixels
    anchors = np.asarray(axes.transData.transform(xy))
    radius = (marker_pt / 2 + CLEAR_PT) * pixels
    lines = [_segments(line) for line in axes.lines if line.get_transform() == axes.transData]
    scene = Scene(
        bounds=_free_area(axes, CLEAR_PT * pixels),
        boxes=np.hstack([anchors - radius, anchors + radius]),
        lines=np.vstack(lines) if lines else np.empty((0, 4)),
        near=radius,
        step=STEP_PT * pixels,
    )
    boxes = place(anchors, sizes, scene)
    if boxes is None:
        return False
    for text, anchor, box in zip(texts, anchors, boxes, strict=True):
        _write(axes, text, anchor, box)
    return True


def add_legend(figure: Figure, handles: Sequence[Line2D], names: Sequence[str], bottom_in: float) -> float:
    """Name the policies in as many columns as the figure is wide, `bottom_in` above its lower edge.

    Returns:
        The inches it is high.
    """
    axes = figure.axes[0]
    room = (figure.get_figwidth() - KEY_IN) * figure.dpi
    texts = [_fitting(axes, drawable(name), room) for name in names]
    widest_in = max(text_size(axes, text)[0] for text in texts) / figure.dpi + KEY_IN
    columns = max(1, min(len(texts), int(figure.get_figwidth() / widest_in)))
    legend = figure.legend(
        list(handles), ["x"] * len(texts), loc="lower left",
        bbox_to_anchor=(0.0, bottom_in), bbox_transform=figure.dpi_scale_trans, ncols=columns, frameon=False,
        fontsize=7.0, handlelength=1.0, handletextpad=0.4, columnspacing=1.0, labelspacing=0.35, borderaxespad=0.0,
    )  # fmt: skip
    for entry, text in zip(legend.get_texts(), texts, strict=True):
        entry.set_text(text)  # not as a label: matplotlib leaves out those that begin with an underscore
    legend.set_in_layout(False)
    return float(legend.get_window_extent().height / figure.dpi)


def text_size(axes: Axes, text: str) -> tuple[float, float]:
    """Width and height of a text in pixels."""
    probe = axes.text(0, 0, text, transform=IdentityTransform())
    extent = probe.get_window_extent()
    probe.remove()
    return extent.width, extent.height


def _fitting(axes: Axes, text: str, width: float) -> str:
    """The text, its middle left out as far as it is wider than so many pixels."""
    wide = text_size(axes, text)[0]
    return text if wide <= width else shortened(text, max(3, int(len(text) * width / wide)))


def _free_area(axes: Axes, margin: float) -> FloatArray:
    """Where names may be: the axes, and up to the edge of the figure where no axis is drawn."""
    left, bottom, _, _ = axes.get_window_extent().extents
    _, _, right, top = axes.figure.bbox.extents
    return np.array([left + margin, bottom + margin, right - margin, top - margin])


def _segments(line: Line2D) -> FloatArray:
    """float64[k, 4]: a line in pixels, its steps as they are drawn."""
    path = np.asarray(line.get_path().vertices, np.float64)
    if line.get_drawstyle() == "steps-post":
        corners = np.column_stack([path[1:, 0], path[:-1, 1]])
        path = np.vstack([path[:1], np.stack([corners, path[1:]], axis=1).reshape(-1, 2)])
    pixels = np.asarray(line.get_transform().transform(path))
    return np.hstack([pixels[:-1], pixels[1:]])


def _write(axes: Axes, text: str, anchor: FloatArray, box: FloatArray) -> None:
    pixels = axes.figure.dpi / POINTS_PER_INCH
    to_data = axes.transData.inverted().transform
    dx, dy = ((box[:2] + box[2:]) / 2 - anchor) / pixels
    x, y = to_data(anchor)
    axes.annotate(
        text, xy=(x, y), xytext=(dx, dy), textcoords="offset points", ha="center", va="center", zorder=6,
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
    )  # fmt: skip
    join = leader(anchor, box)
    if np.hypot(*(join[2:] - join[:2])) > STEP_PT * pixels:
        (x0, y0), (x1, y1) = to_data(join.reshape(2, 2))
        axes.plot([x0, x1], [y0, y1], color=FAINT, linewidth=0.5, zorder=3.5)
