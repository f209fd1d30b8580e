"""How far a download is: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sim.report.metrics import printable

STEPS: Final = 10
"""Lines a file, where there is no bar."""

_MB: Final = 1e6


class TransferBar:
    """A bar for each file; use it as a context."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> TransferBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, name: str, done: int, total: int | None) -> None:
        """A file's bytes begin to come: so many are there already, of so many, if that is known."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(escape(printable(name)), total=total, completed=done)

    def progress(self, done: int) -> None:
        """So many of its bytes are there."""
        if self._task is not None:
            self._bar.update(self._task, completed=done)

    def say(self, sentence: str) -> None:
        """Something worth a line has happened."""
        self._bar.console.print(printable(sentence), markup=False, highlight=False, soft_wrap=True)


class TransferLines:
    """A line at the start of each file, and at every tenth of what was still to come."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total: int | None = None
        self._first = self._next = self._step = 0
        self._started_s = 0.0

    def __enter__(self) -> TransferLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, name: str, done: int, total: int | None) -> None:
        """A file's bytes begin to come: so many are there already, of so many, if that is known."""
        self._total, self._first, self._started_s = total, done, time.perf_counter()
        self._step = max(1, -(-(total - done) // STEPS)) if total is not None else int(100 * _MB)
        self._next = done + self._step
        size = f"{total / _MB:,.1f} MB" if total is not None else "nobody says how much"
        self.say(f"{name}: {size}" + (f", of which {done / _MB:,.1f} MB are here already" if done else ""))

    def progress(self, done: int) -> None:
        """So many of its bytes are there."""
        if done < self._next and done != self._total:
            return
        self._next = done + self._step
        passed_s = max(time.perf_counter() - self._started_s, 1e-9)
        rate = (done - self._first) / passed_s
        left = ""
        if self._total and rate:
            left = f" ({done / self._total:.0%}), {(self._total - done) / rate:,.0f} s left"
        self.say(f"  {done / _MB:,.1f} MB{left}, {rate / _MB:,.1f} MB/s")

    def say(self, sentence: str) -> None:
        """Something worth a line has happened."""
        self._console.print(printable(sentence), markup=False, highlight=False, soft_wrap=True)


def transfers(console: Console) -> TransferBar | TransferLines:
    """What suits the console."""
    return TransferBar(console) if console.is_terminal else TransferLines(console)
