"""Two metrics against each other, both to be small: each policy a point, the Pareto front as steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from sim.report import scales
from sim.report.metrics import needs_future, numbers
from sim.report.palette import Look
from sim.report.style import FAINT

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MARKER_PT: Final = 5.5
REFERENCE_MARKER: Final = "*"
"""Of policies that know the future: no other has it, and it is told from them at any size."""


@dataclass(frozen=True)
class Values:
    """A metric of the policies as it is drawn along an axis.

    Attributes:
        value: float64[n]; NaN where a policy has no value.
        low, high: float64[n], ends of intervals; NaN where there is none.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def ends(self) -> FloatArray:
        """float64[3, n]: what an axis must hold; a bar that reaches below a tenth of its value may leave it."""
        low = np.where(self.low > 0.1 * self.value, self.low, self.value)
        return np.stack([low, self.value, self.high])

    def bar(self, i: int) -> FloatArray:
        """float64[2]: the ends of an error bar, no lower than zero; of no length where there is no interval."""
        low, high = self.low[i], self.high[i]
        known = np.isfinite(low) and np.isfinite(high)
        return np.array([max(low, 0.0), high]) if known else np.array([max(self.value[i], 0.0), self.value[i]])


@dataclass(frozen=True)
class Points:
    """The policies of a comparison as points to minimise in both directions.

    Attributes:
        labels: their names.
        x, y: their values.
        reference: bool[n], policies that know the future: no one can choose them, so they take no part in the front.
    """

    labels: tuple[str, ...]
    x: Values
    y: Values
    reference: BoolArray

    @property
    def drawn(self) -> BoolArray:
        """bool[n]: those with both values."""
        return np.isfinite(self.x.value) & np.isfinite(self.y.value)

    @property
    def front(self) -> BoolArray:
        """bool[n]: those on the Pareto front."""
        return pareto_front(np.where(self.reference, np.nan, self.x.value), self.y.value)

    @property
    def lost(self) -> list[str]:
        """The labels of those that are not drawn."""
        return [label for label, drawn in zip(self.labels, self.drawn, strict=True) if not drawn]


def points_of(frame: pd.DataFrame, key: str) -> Points:
    """Cold-start rate in per cent against the metric `key`, from a comparison."""
    return Points(
        labels=tuple(frame["policy"].astype(str)),
        x=values_of(frame, key),
        y=values_of(frame, "cold_start_rate", 100.0),
        reference=needs_future(frame),
    )


def values_of(frame: pd.DataFrame, key: str, factor: float = 1.0) -> Values:
    """A metric times a factor, with the interval of ``<key>_low`` and ``<key>_high``, or of ``<key>_ci95``."""
    value = factor * numbers(frame, key)
    half = factor * numbers(frame, f"{key}_ci95")
    ends = []
    for name, end in (("low", value - half), ("high", value + half)):
        given = factor * numbers(frame, f"{key}_{name}")
        ends.append(np.where(np.isfinite(given), given, end))
    return Values(value, *ends)


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


def set_scales(axes: Axes, points: Points, beside: FloatArray | None = None) -> None:
    """Scales for the points and their error bars, and for `beside`, float64[n] further values along x."""
    which: Literal["x", "y"]
    for which, values, most in (("x", points.x, np.inf), ("y", points.y, 100.0)):
        ends = values.ends[:, points.drawn].ravel()
        if which == "x" and beside is not None:
            ends = np.concatenate([ends, beside])
        scales.apply(axes, which, scales.choose(ends, most=most), most=most)


def draw(axes: Axes, points: Points, looks: Mapping[str, Look]) -> list[dict[str, Any]]:
    """Draw front, error bars and markers; returns the marker of every point drawn, for a legend."""
    front, index = points.front, np.flatnonzero(points.drawn)
    markers = [_marker(points, int(i), looks[points.labels[i]]) for i in index]
    _draw_front(axes, points)
    for i, marker in zip(index.tolist(), markers, strict=True):
        along_x, along_y = points.x.bar(i), points.y.bar(i)
        for bar in ((along_x, [points.y.value[i]] * 2), ([points.x.value[i]] * 2, along_y)):
            axes.plot(*bar, color=marker["color"], linewidth=0.9, alpha=0.7, zorder=3)
        axes.plot(points.x.value[i], points.y.value[i], clip_on=False, zorder=4 + front[i], **marker)
    return markers


def _draw_front(axes: Axes, points: Points) -> None:
    order = np.lexsort((points.y.value, points.x.value))
    order = order[points.front[order]]
    axes.step(points.x.value[order], points.y.value[order], where="post", color=FAINT, linewidth=1.0, zorder=2)


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


def spread(values: Sequence[float] | FloatArray) -> float:
    """The largest of some values >= 0 by the smallest: 1 where they are alike or none is finite, infinite beside 0."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not known.size or known.max() == known.min():
        return 1.0
    return float(known.max() / known.min()) if known.min() > 0 else np.inf
