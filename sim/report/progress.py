"""How far a comparison is: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class ProgressBar:
    """One bar over all runs of a comparison; use it as a context."""

    def __init__(self, console: Console, runs: int) -> None:
        self._runs = runs
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("calls, time left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._before = 0
        self._calls = 0

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, label: str, calls: int) -> None:
        """The run of a policy begins."""
        self._calls = calls
        if self._task is None:
            self._task = self._bar.add_task("", total=calls * self._runs)
        self._bar.update(self._task, description=escape(label))

    def progress(self, calls: int) -> None:
        """So many of its calls have arrived."""
        if self._task is not None:
            self._bar.update(self._task, completed=self._before + calls)

    def end(self, summary: pd.Series) -> None:
        """It is over."""
        self._before += self._calls


class ProgressLines:
    """A line for each run that is over."""

    def __init__(self, console: Console, runs: int) -> None:
        self._console, self._runs = console, runs
        self._done = 0
        self._label = ""
        self._started = 0.0

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, label: str, calls: int) -> None:
        """The run of a policy begins."""
        self._label, self._started = label, time.perf_counter()

    def progress(self, calls: int) -> None:
        """Nothing is said before the end."""

    def end(self, summary: pd.Series) -> None:
        """It is over."""
        self._done += 1
        seconds = time.perf_counter() - self._started
        self._console.print(
            f"[{self._done}/{self._runs}] {self._label}: {summary['invocations']:,.0f} calls,"
            f" {summary['cold_start_rate']:.3%} cold, {seconds:.1f} s",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def progress(console: Console, runs: int) -> ProgressBar | ProgressLines:
    """What suits the console."""
    return ProgressBar(console, runs) if console.is_terminal else ProgressLines(console, runs)
