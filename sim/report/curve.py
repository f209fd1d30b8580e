"""The window curve as a picture and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite, isnan, nan
from textwrap import wrap
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from sim.report import scales
from sim.report.metrics import MISSING, printable
from sim.report.naming import name_beside
from sim.report.palette import COLORS, DASHES
from sim.report.style import POINTS_PER_INCH, SMALL, house_style
from sim.report.trace_table import number
from sim.results.window_curve import WindowCurve

FloatArray = npt.NDArray[np.float64]

BASELINE_S: Final = 600.0
"""Waste is normalised to this window's (Shahrad et al., USENIX ATC 2020, section 5)."""
TABLE_S: Final = (0.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 7200.0, 14_400.0, inf)
"""Windows of the table."""
MARKED_S: Final = (
    (1.0, 10.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 14_400.0),
    (1.0, 10.0, 60.0, 600.0, 3600.0),
    (60.0, 600.0),
    (),
)
"""Windows named in the figure besides the knee: the first of these sets whose names fit."""
FROM_S: Final = 1.0
"""Where the figure begins, unless the knee is at a shorter window: below, nothing but bursts is kept warm."""
TICKS_S: Final = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 864_000.0, 8_640_000.0)
DRAWN: Final = 800
"""Points of a line: no page shows more."""
NARROW_IN: Final = 5.0
"""Figures less wide have one panel above the other."""
MARKER_PT: Final = 4.0

_MARKER: Final[Mapping[str, Any]] = MappingProxyType(
    {"linestyle": "none", "color": COLORS[0], "zorder": 4, "clip_on": False}
)
_UNITS: Final = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def window_label(window_s: float) -> str:
    """A window in the unit that it is best grasped in, with three significant digits."""
    if window_s == inf:
        return "∞"
    for unit_s, name in _UNITS:
        if window_s >= 2 * unit_s or window_s == unit_s:
            return f"{window_s / unit_s:.3g} {name}"
    return f"{window_s:.3g} s"


def normalised(wasted_gb_s: FloatArray, curve: WindowCurve) -> FloatArray:
    """Waste relative to that of the 10-minute window; NaN where that wastes nothing."""
    whole = float(curve.wasted_gb_s(BASELINE_S))
    return wasted_gb_s / whole if whole else np.full(wasted_gb_s.shape, nan)


def curve_table(curve: WindowCurve, windows_s: Sequence[float] = TABLE_S) -> pd.DataFrame:
    """Some windows and the knee, a row each, as text: cold starts, waste, and the least waste of so few cold starts."""
    knee_s = curve.knee()
    frame = curve.at(sorted({*windows_s, *([] if isnan(knee_s) else [knee_s])}))
    least = curve.frontier.least_gb_s(frame["cold_starts"])
    return pd.DataFrame(
        {
            "window": [window_label(w) + " (knee)" * (w == knee_s) for w in frame["window_s"]],
            "cold starts": [f"{cold:,}" for cold in frame["cold_starts"]],
            "%": [_percent(rate) for rate in frame["cold_start_rate"]],
            "wasted GB-s": list(map(number, frame["wasted_gb_s"])),
            "10 min = 1": list(map(number, normalised(frame["wasted_gb_s"].to_numpy(), curve))),
            "least possible GB-s": list(map(number, least.tolist())),
        }
    )


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g}" if isfinite(rate) else MISSING


def curve_figure(curve: WindowCurve, notes: Mapping[str, str], *, width_in: float = 7.0) -> Figure:
    """Cold-start rate against wasted memory-time, with the clairvoyant frontier, and against the window.

    Args:
        curve: the curve; the figure shows its windows from 1 s on.
        notes: sentences to set below the figure; none for a paper, which has its caption. That the curve is an
            approximation is said in any case.
        width_in: inches; 3.4 is a paper's column, 7 its text width.
    """
    said = {**({"approximate": f"an approximation: {approximation(curve)}"} if curve.approximate else {}), **notes}
    with house_style():
        foot = _foot(list(said.values()), width_in)
        foot_in = len(foot) * SMALL * 1.25 / POINTS_PER_INCH
        narrow = width_in < NARROW_IN
        height_in = (1.3 if narrow else 0.42) * width_in + 0.3 + foot_in
        figure = Figure(figsize=(width_in, height_in))
        FigureCanvasAgg(figure)  # measures text
        below = (foot_in + 0.06 * bool(foot)) / height_in
        figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
        # A part of the figure each: names keep to it.
        parts: Any = figure.subfigures(2, 1) if narrow else figure.subfigures(1, 2)
        left, right = (part.subplots() for part in parts)
        figure.text(0.05, 0.04, "\n".join(foot), transform=figure.dpi_scale_trans, fontsize=SMALL, color="#555555",
                    va="bottom", in_layout=False)  # fmt: skip
        if curve.calls:
            _draw(figure, left, right, curve)
        else:
            for axes in (left, right):
                axes.text(0.5, 0.5, "no calls", ha="center", transform=axes.transAxes)
        figure.set_layout_engine("none")
    return figure


def approximation(curve: WindowCurve) -> str:
    """What an approximate curve leaves out, as a part of a sentence."""
    return f"made as if it were not so that {', or that '.join(curve.approximate)}"


def _foot(said: Sequence[str], width_in: float) -> list[str]:
    text = printable(". ".join(s[:1].upper() + s[1:] for s in said) + ".") if said else ""
    return wrap(text, int(width_in * POINTS_PER_INCH / (0.54 * SMALL)))


def _draw(figure: Figure, left: Axes, right: Axes, curve: WindowCurve) -> None:
    points = curve.points(DRAWN)
    knee_s = curve.knee()
    from_s = min(FROM_S, knee_s / 2) if knee_s > 0 else FROM_S
    ends = curve.at([from_s, inf])
    whole = float(curve.wasted_gb_s(BASELINE_S)) or 1.0
    unit = "fixed 10-minute window = 1" if curve.wasted_gb_s(BASELINE_S) else "GB-s"
    rate = 100 * points["cold_start_rate"].to_numpy()
    frontier = curve.frontier.points(DRAWN)
    steps = curve.warm_from_s.size <= DRAWN
    _line(left, points["wasted_gb_s"] / whole, rate, 0, steps=steps, label="fixed windows")
    _line(left, frontier["wasted_gb_s"] / whole, 100 * frontier["cold_start_rate"], 1,
          steps=curve.frontier.cold_starts.size <= DRAWN, label="least possible (clairvoyant)")  # fmt: skip
    left.set_xlabel(f"wasted memory-time ({unit})")
    scales.apply(left, "x", scales.choose(ends["wasted_gb_s"].to_numpy() / whole))
    left.legend(frameon=False, loc="lower left", fontsize=7.0, handlelength=1.8)  # below all that is possible
    finite = np.isfinite(points["window_s"].to_numpy())
    last_s = max(float(points["window_s"][finite].max()), 60 * FROM_S)
    drawn_s = np.append(points["window_s"][finite], 2 * last_s)
    _line(right, drawn_s, np.append(rate[finite], rate[-1]), 0, steps=steps)
    right.set_xlabel("keep-alive window")
    _window_axis(right, from_s, last_s)
    scale = scales.choose(100 * ends["cold_start_rate"].to_numpy(), most=100.0)
    for axes in (left, right):
        axes.set_ylabel("cold-start rate (%)")
        scales.apply(axes, "y", scale, most=100.0)
    _mark(figure, left, right, curve, whole, knee_s)


def _line(axes: Axes, x: npt.ArrayLike, y: npt.ArrayLike, look: int, *, steps: bool, label: str = "") -> None:
    """A curve through points: in steps if these are all there are, else straight from one to the next."""
    axes.plot(x, y, drawstyle="steps-post" if steps else "default", color=COLORS[look], linestyle=DASHES[look],
              linewidth=1.3, zorder=3 - look / 2, label=label)  # fmt: skip


def _window_axis(axes: Axes, from_s: float, last_s: float) -> None:
    """A logarithmic axis of windows whose ticks are whole units of time."""
    axes.set_xscale("log")
    axes.set_xlim(0.8 * from_s, 1.5 * last_s)
    axes.xaxis.set_major_locator(FixedLocator([t for t in TICKS_S if 0.8 * from_s <= t <= 1.5 * last_s]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda window_s, _: window_label(window_s)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _mark(figure: Figure, left: Axes, right: Axes, curve: WindowCurve, whole: float, knee_s: float) -> None:
    """The knee in both panels and, on the left, as many windows with their names as fit."""
    knee = [] if isnan(knee_s) else [knee_s]
    names = [f"knee: {window_label(w)}" for w in knee]
    spots = _spots(curve, whole, knee)
    large = {**_MARKER, "marker": "D", "markersize": 1.4 * MARKER_PT, "color": COLORS[5]}
    if knee:  # an empty line that may leave the axes has no extent, and no layout
        left.plot(*spots.T, **large)
        right.plot(knee, spots[:, 1], **large)
    figure.draw_without_rendering()
    if knee:
        name_beside(right, np.column_stack([knee, spots[:, 1]]), names, 1.4 * MARKER_PT)
    for choice in MARKED_S:
        marked = _apart(left, _spots(curve, whole, [*knee, *choice]), choice)
        both = np.vstack([spots, _spots(curve, whole, marked)])
        if both.size and name_beside(left, both, [*names, *map(window_label, marked)], MARKER_PT):
            left.plot(*both[len(knee) :].T, **_MARKER, marker="o", markersize=MARKER_PT, markerfacecolor="white")
            break


def _spots(curve: WindowCurve, whole: float, windows_s: Sequence[float]) -> FloatArray:
    """Where some windows are in the left panel, float64[n, 2]."""
    frame = curve.at(windows_s)
    return np.column_stack([frame["wasted_gb_s"] / whole, 100 * frame["cold_start_rate"]])


def _apart(axes: Axes, spots: FloatArray, windows_s: Sequence[float]) -> list[float]:
    """Those of some windows whose markers touch none before; their spots come last, after those of others."""
    pixels = np.asarray(axes.transData.transform(spots))
    kept = list(range(len(spots) - len(windows_s)))
    marked = []
    for i, window_s in enumerate(windows_s, start=len(kept)):
        reach_pt = np.hypot(*(pixels[kept] - pixels[i]).T) * POINTS_PER_INCH / axes.figure.dpi
        if np.all(reach_pt > 1.6 * MARKER_PT):
            kept.append(i)
            marked.append(window_s)
    return marked
