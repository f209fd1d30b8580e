"""Pictures of a trace: popularity, triggers, gaps, durations, memory, load over time; one by one or on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import PercentFormatter

from sim.report import scales
from sim.report.figures import save_figure
from sim.report.glyphs import drawable
from sim.report.palette import COLORS, DASHES
from sim.report.style import FAINT, house_style
from sim.report.trace_table import shortened
from sim.workload.statistics import Sample, TraceStatistics

FloatArray = npt.NDArray[np.float64]
Panel = Figure | SubFigure

MOST_TRIGGERS: Final = 8
MOST_POINTS: Final = 600
MOST_TICKS: Final = 8
NAME_LENGTH: Final = 18

_FEWEST_ROWS: Final = 4
_SIZE_IN: Final = (4.4, 3.0)
_PAGE_IN: Final = (7.0, 7.6)


def trace_figures(statistics: TraceStatistics, folder: Path, title: str = "") -> list[Path]:
    """Write every figure of a trace, and a page of all of them, as PNG and SVG.

    Args:
        statistics: what was measured.
        folder: where to write; made if need be.
        title: above the page.

    Returns:
        The files.
    """
    figures = {"overview": overview(statistics, title), **{name: figure(statistics, name) for name in PANELS}}
    return [path for name, drawn in figures.items() for path in save_figure(drawn, folder / name)]


def figure(statistics: TraceStatistics, name: str) -> Figure:
    """One figure, by its name in `PANELS`."""
    with house_style():
        drawn = _canvas(_SIZE_IN)
        PANELS[name](drawn, statistics)
    return drawn


def overview(statistics: TraceStatistics, title: str = "") -> Figure:
    """All figures on one page, two in a row."""
    with house_style():
        page = _canvas(_PAGE_IN)
        if title:
            page.suptitle(drawable(title), fontsize=9.0, x=0.01, ha="left")
        parts: Any = page.subfigures(len(PANELS) // 2, 2)
        for part, draw in zip(parts.flat, PANELS.values(), strict=True):
            draw(part, statistics)
    return page


def _canvas(size_in: tuple[float, float]) -> Figure:
    drawn = Figure(figsize=size_in, layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def _popularity(panel: Panel, statistics: TraceStatistics) -> None:
    axes = panel.subplots()
    axes.set_xlabel("rank of the function")
    axes.set_ylabel("calls")
    calls = statistics.calls_of_functions[statistics.calls_of_functions > 0].astype(np.float64)
    if not calls.size:
        return _say_nothing(axes)
    shown = np.unique(np.geomspace(1, calls.size, MOST_POINTS).astype(np.int64))
    marker = "o" if calls.size <= MOST_POINTS / 10 else ""
    axes.plot(shown, calls[shown - 1], color=COLORS[0], linewidth=1.4, marker=marker, markersize=3.0)
    if calls.size < scales.LOG_FROM:
        axes.set_xlim(0.5, calls.size + 0.5)
        axes.set_xticks(shown)
    else:
        _scale(axes, "x", shown.astype(np.float64))
    _scale(axes, "y", calls)
    lines = [f"busiest 1 %: {100 * statistics.busiest_share:.0f} % of calls"]
    if statistics.never_called:
        lines.append(f"{statistics.never_called:,} more are never called")
    return _remark(axes, "\n".join(lines))


def _triggers(panel: Panel, statistics: TraceStatistics) -> None:
    axes = panel.subplots()
    axes.set_xlabel("share (%)")
    rows = shortened(statistics, MOST_TRIGGERS)
    if not rows:
        return _say_nothing(axes, "no functions")
    place = np.arange(len(rows))
    for offset, column, whole, label, color in (
        (-0.19, 1, statistics.functions, "of functions", COLORS[4]), (0.19, 2, statistics.calls, "of calls", COLORS[0]),
    ):  # fmt: skip
        shares = [100.0 * row[column] / max(whole, 1) for row in rows]  # type: ignore[operator]
        axes.barh(place + offset, shares, height=0.36, color=color, label=label)
    axes.set_yticks(place, [_short(row[0]) for row in rows])
    axes.set_ylim(max(len(rows), _FEWEST_ROWS) - 0.4, -0.6)
    axes.set_xlim(0.0, 100.0)
    axes.grid(visible=False, axis="y")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=2, fontsize=7.0)
    return None


def _gaps(panel: Panel, statistics: TraceStatistics) -> None:
    axes = panel.subplots()
    axes.set_xlabel("coefficient of variation of a function's gaps")
    if _shares(axes, [("functions", statistics.gap_variation)], "functions (%)"):
        axes.axvline(1.0, color=FAINT, linewidth=0.8, linestyle=DASHES[1], zorder=1.5)
        axes.annotate("Poisson", (1.0, 0.03), xycoords=("data", "axes fraction"), xytext=(2, 0),
                      textcoords="offset points", color="#555555", fontsize=7.0, annotation_clip=True)  # fmt: skip


def _durations(panel: Panel, statistics: TraceStatistics) -> None:
    axes = panel.subplots()
    axes.set_xlabel("duration (s)")
    _shares(axes, [("calls", statistics.duration_s), ("functions, mean", statistics.mean_duration_s)], "share (%)")


def _memory(panel: Panel, statistics: TraceStatistics) -> None:
    axes = panel.subplots()
    axes.set_xlabel("memory (MB)")
    _shares(axes, [("functions", statistics.memory_mb), ("apps", statistics.app_memory_mb)], "share (%)")


def _over_time(panel: Panel, statistics: TraceStatistics) -> None:
    above, below = panel.subplots(2, 1, sharex=True)
    timeline = statistics.timeline
    unit_s, unit = scales.time_unit(statistics.horizon_s)
    above.set_ylabel("calls a second")
    below.set_ylabel("calls running")
    below.set_xlabel(f"time ({unit})")
    widths_s = np.diff(timeline.edges_s)
    if not statistics.calls or not widths_s.all():
        return _say_nothing(above)
    for axes, values, color in ((above, timeline.calls / widths_s, COLORS[0]), (below, timeline.running, COLORS[2])):
        axes.stairs(values, timeline.edges_s / unit_s, color=color, fill=True)
        axes.set_ylim(0.0, 1.08 * float(values.max()) or 1.0)
    below.set_xlim(0.0, statistics.horizon_s / unit_s)
    return None


PANELS: Final = MappingProxyType[str, Callable[[Panel, TraceStatistics], None]](
    {
        "calls_per_function": _popularity,
        "triggers": _triggers,
        "gap_variation": _gaps,
        "durations": _durations,
        "memory": _memory,
        "over_time": _over_time,
    }
)
"""What draws each figure, by its file name."""


def _shares(axes: Axes, samples: Sequence[tuple[str, Sample]], title: str) -> bool:
    """Cumulative distributions; False, and a remark, if there are no values."""
    axes.set_ylabel(title)
    axes.set_ylim(0.0, 102.0)
    axes.yaxis.set_major_formatter(PercentFormatter(symbol=""))
    drawn = [(name, sample.curve) for name, sample in samples if sample.size]
    if not drawn:
        _say_nothing(axes, "no values")
        return False
    for (name, curve), color, dash in zip(drawn, (COLORS[0], COLORS[1]), cycle(DASHES), strict=False):
        axes.step(np.append(curve, curve[-1]), [*np.linspace(0.0, 100.0, curve.size), 100.0], where="post",
                  color=color, linestyle=dash, linewidth=1.4, label=name)  # fmt: skip
    _scale(axes, "x", np.concatenate([curve for _, curve in drawn]))
    if len(drawn) > 1:
        axes.legend(frameon=False, loc="best", fontsize=7.0)
    return True


def _scale(axes: Axes, which: Literal["x", "y"], values: FloatArray) -> None:
    scale = scales.choose(values)
    ticks = scale.ticks[:: -(-len(scale.ticks) // MOST_TICKS)] if which == "x" else scale.ticks
    scales.apply(axes, which, replace(scale, ticks=ticks))


def _remark(axes: Axes, text: str) -> None:
    axes.text(0.97, 0.95, text, transform=axes.transAxes, ha="right", va="top", fontsize=7.0, color="#555555")


def _say_nothing(axes: Axes, why: str = "no calls") -> None:
    axes.text(0.5, 0.5, why, ha="center", transform=axes.transAxes)


def _short(name: str) -> str:
    text = drawable(name) or "(none)"
    return text if len(text) <= NAME_LENGTH else f"{text[: NAME_LENGTH - 1]}…"
