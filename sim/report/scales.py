"""Axes on which zero and several orders of magnitude can be shown together without a lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, inf, log10
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from sim.report.style import POINTS_PER_INCH

FloatArray = npt.NDArray[np.float64]

LOG_FROM: Final = 10.0
"""The ratio of the largest to the smallest positive value from which an axis is logarithmic."""
SIGNED_DECADES: Final = 6
"""Most orders of magnitude on either side of a signed axis; smaller changes lie near zero."""
NEAR_ZERO: Final = 0.5
"""Of a signed axis: decades that the linear part on each side of zero is as wide as, at least,"""
NEAR_ZERO_SHARE: Final = 0.3
"""and as a part of the logarithmic ones, so that there is room for the number beside zero."""
TIME_UNITS: Final = ((345_600.0, 86_400.0, "days"), (10_800.0, 3600.0, "h"), (600.0, 60.0, "min"), (0.0, 1.0, "s"))
"""Of an axis of time: from which span on, seconds in one, name."""
BREAK: Final = 0.14
"""Part of the axis between zero and where the logarithmic part begins."""
MOST_TICKS: Final = 10
MARGIN: Final = 0.1
"""Part of the axis left free at each end."""


@dataclass(frozen=True)
class Scale:
    """An axis: its kind, limits and labelled ticks.

    Attributes:
        kind: "broken" is logarithmic with zero set apart, left of a break; "signed" is logarithmic in both directions
            from zero, and linear between the two values nearest to it.
        low, high: the limits.
        ticks: the labelled values.
        minor: marks without numbers.
        start: of a broken or signed axis, the value at which its logarithmic part begins.
        near_zero: of a signed axis, the decades that each linear part is as wide as.
    """

    kind: Literal["linear", "log", "broken", "signed"]
    low: float
    high: float
    ticks: tuple[float, ...]
    minor: tuple[float, ...] = ()
    start: float = 0.0
    near_zero: float = NEAR_ZERO


def choose(values: FloatArray, *, most: float = inf) -> Scale:
    """The scale for some values >= 0, at least one of them finite.

    Args:
        values: what will be drawn, ends of error bars included; NaN is ignored.
        most: no tick lies above it.
    """
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    if not positive.size or positive.max() < LOG_FROM * positive.min():
        return _linear(values, most)
    zero = bool((values == 0).any())
    least, largest = float(positive.min()), float(positive.max())
    if not zero:
        room = MARGIN / (1 - 2 * MARGIN) * log10(largest / least)
        low, high = least * 10**-room, largest * 10**room
        return Scale("log", low, high, *_decades(low, high, most))
    start = max(t for t in _steps(least / 10, least, (1, 2, 5)) if t <= least / 1.2)
    high = largest * 10 ** (MARGIN / (1 - 2 * MARGIN) * log10(largest / start))
    ticks, minor = _decades(start, high, most)
    return Scale("broken", -start / 3, high, (0.0, *ticks), minor, start)


def choose_signed(values: FloatArray, *, ticks: int = 4, room: float = 0.0) -> Scale:
    """The scale for changes, with zero in the middle: logarithmic both ways where they differ in size.

    Args:
        values: what will be drawn; NaN is ignored.
        ticks: labels on either side of zero, at most.
        room: part of the axis to leave free at each end, besides what always is.
    """
    size = np.abs(values[np.isfinite(values)])
    size = size[size >= np.finfo(np.float64).tiny]  # of what is smaller no axis can be made
    if not size.size or size.max() < LOG_FROM * size.min():
        most = 1.1 * float(size.max()) if size.size else 1.0
        nice = MaxNLocator(nbins=2 * ticks, steps=[1, 2, 5, 10]).tick_values(-most, most)
        high = most / (1 - 2 * room)
        return Scale("linear", -high, high, tuple(t for t in map(float, nice) if abs(t) <= most))
    most = 1.5 * float(size.max())
    last = floor(log10(most))
    first = max(floor(log10(size.min())), last - SIGNED_DECADES)
    marks = [float(f"1e{k}") for k in range(last, first - 1, -ceil((last - first + 1) / ticks))][::-1]
    decades = log10(most / marks[0])
    near_zero = max(NEAR_ZERO, NEAR_ZERO_SHARE * decades)
    high = most * 10 ** (2 * room / (1 - 2 * room) * (near_zero + decades))
    return Scale("signed", -high, high, (*(-t for t in marks[::-1]), 0.0, *marks), start=marks[0], near_zero=near_zero)


def time_unit(span_s: float) -> tuple[float, str]:
    """Seconds in the unit that suits an axis over so many seconds, and its name."""
    return next((unit_s, name) for least, unit_s, name in TIME_UNITS if span_s >= least)


def _linear(values: FloatArray, most: float) -> Scale:
    least, largest = float(values.min()), float(values.max())
    room = MARGIN / (1 - 2 * MARGIN) * (largest - least)
    if room <= 1e-6 * largest:  # they are the same but for rounding
        room = 0.1 * (largest or 1.0)
    low, high = least - room if least > room else -0.4 * room, largest + room
    ticks = MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return Scale("linear", low, high, tuple(t for t in map(float, ticks) if max(low, 0) <= t <= min(high, most)))


def _decades(low: float, high: float, most: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Ticks and marks of a logarithmic axis: 1, 2, 5 over up to two and a half decades, else powers of ten."""
    parts = (1, 2, 5) if log10(high / low) <= 2.5 else (1,)
    ticks, marks = (
        tuple(t for t in _steps(low, high, of) if low <= t <= min(high, most)) for of in (parts, range(1, 10))
    )
    return ticks[:: ceil(len(ticks) / MOST_TICKS) or 1], marks


def _steps(low: float, high: float, parts: Iterable[int]) -> list[float]:
    """Round numbers of a range and a little beyond; each the nearest float64 to its decimal form."""
    return [float(f"{part}e{k}") for k in range(floor(log10(low)), ceil(log10(high)) + 1) for part in parts]


def apply(axes: Axes, which: Literal["x", "y"], scale: Scale, *, most: float = inf) -> None:
    """Give one axis of `axes` a scale; its line ends at `most`, though there may be room beyond it."""
    set_scale: Any = axes.set_xscale if which == "x" else axes.set_yscale
    axis = axes.xaxis if which == "x" else axes.yaxis
    if scale.kind == "linear":
        set_scale("linear")
    elif scale.kind == "log":
        set_scale("log")
    elif scale.kind == "signed":
        set_scale("symlog", linthresh=scale.start, linscale=0.9 * scale.near_zero)
    else:
        decades = log10(scale.high / scale.start)
        set_scale("symlog", linthresh=scale.start, linscale=0.9 * BREAK / (1 - BREAK) * decades)
        _mark_break(axes, which, scale)
    axis.set_major_locator(FixedLocator(scale.ticks))
    axis.set_minor_locator(FixedLocator(scale.minor))
    axis.set_major_formatter(FuncFormatter(_tick))
    axis.set_minor_formatter(NullFormatter())
    (axes.set_xlim if which == "x" else axes.set_ylim)(scale.low, scale.high)
    axes.spines["bottom" if which == "x" else "left"].set_bounds(scale.low, min(scale.high, most))


def _tick(value: float, _: int) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return text.replace("-", "−", 1) if value < 0 else text


def _mark_break(axes: Axes, which: Literal["x", "y"], scale: Scale) -> None:
    """Two strokes across the axis between zero and the logarithmic part, and nothing between the strokes."""
    along_x = which == "x"
    spot, slope = scale.start / 2, ((-0.35, -1.0), (0.35, 1.0)) if along_x else ((-1.0, -0.35), (1.0, 0.35))
    on_axis = axes.get_xaxis_transform() if along_x else axes.get_yaxis_transform()
    for shift_pt, color, size, width in ((0.0, "white", 4.0, 3.0), (-1.5, "black", 7.0, 0.7), (1.5, "black", 7.0, 0.7)):
        shift = (shift_pt / POINTS_PER_INCH, 0) if along_x else (0, shift_pt / POINTS_PER_INCH)
        axes.plot(
            *([spot], [0.0]) if along_x else ([0.0], [spot]),
            transform=on_axis + ScaledTranslation(shift[0], shift[1], axes.figure.dpi_scale_trans),
            clip_on=False, zorder=10, linestyle="none",
            marker=slope, markersize=size, markeredgecolor=color, markeredgewidth=width,
        )  # fmt: skip
