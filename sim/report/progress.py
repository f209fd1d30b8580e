"""How far an experiment is: a bar with the time left on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sim.report.metrics import printable
from sim.report.notebook_bar import NotebookBar
from sim.report.progress_words import Ended, failed, reused_runs


class ProgressBar:
    """One bar over all cells; use it as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("runs,"),
            TimeElapsedColumn(),
            TextColumn("gone, left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=0)
        self._total = 0

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def read(self, trace: str) -> None:
        """A trace was read; this describes it."""
        _say(self._console, printable(trace))

    def planned(self, cells: int, reused: int) -> None:
        """So many cells more are wanted, of which some are there already."""
        self._total += cells - reused
        self._bar.update(self._task, total=self._total)
        if reused:
            _say(self._console, reused_runs(reused))

    def done(self, label: str, done: Ended) -> None:
        """A cell has ended."""
        if done.error:
            _say(self._console, failed(label, done))
        self._bar.update(self._task, description=escape(printable(label)), advance=1)


class ProgressLines:
    """A line for each cell that has ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = self._ended = 0

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, trace: str) -> None:
        """A trace was read; this describes it."""
        _say(self._console, printable(trace))

    def planned(self, cells: int, reused: int) -> None:
        """So many cells more are wanted, of which some are there already."""
        self._total += cells - reused
        if reused:
            _say(self._console, reused_runs(reused))

    def done(self, label: str, done: Ended) -> None:
        """A cell has ended."""
        self._ended += 1
        said = failed(label, done) if done.error else (
            f"{printable(label)}: {done.calls:,.0f} calls, {done.cold_start_rate:.3%} cold, {done.seconds:.1f} s"
        )  # fmt: skip
        _say(self._console, f"[{self._ended}/{self._total}] {said}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def progress(console: Console) -> ProgressBar | ProgressLines | NotebookBar:
    """What suits the console."""
    if console.is_jupyter:
        return NotebookBar()
    return ProgressBar(console) if console.is_terminal else ProgressLines(console)
