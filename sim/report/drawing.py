"""What draws, imported when something is drawn: matplotlib takes a second, and most commands draw nothing."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from sim.results.outcome import Outcome
from sim.workload.statistics import TraceStatistics

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(outcome: Outcome, folder: str | Path) -> list[Path]:
    """See `sim.report.report.write_report`."""
    written: list[Path] = resolve_name("sim.report.report:write_report")(outcome, folder)
    return written


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """See `sim.report.figures.save_figure`."""
    written: list[Path] = resolve_name("sim.report.figures:save_figure")(figure, stem)
    return written


def trace_figures(statistics: TraceStatistics, folder: Path, title: str) -> list[Path]:
    """See `sim.report.trace_figures.trace_figures`."""
    written: list[Path] = resolve_name("sim.report.trace_figures:trace_figures")(statistics, folder, title)
    return written
