"""What is said of the runs of an experiment while it is under way, wherever it is said."""

from __future__ import annotations

from typing import Protocol

from sim.report.metrics import printable


class Ended(Protocol):
    """How a cell ended."""

    @property
    def calls(self) -> float: ...  # noqa: D102
    @property
    def cold_start_rate(self) -> float: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102


def failed(label: str, done: Ended) -> str:
    """That a run failed, and why."""
    return printable(f"{label}: FAILED, {done.error}")


def reused_runs(cells: int) -> str:
    """That so many need not be run."""
    return "one run was there already" if cells == 1 else f"{cells} runs were there already"
