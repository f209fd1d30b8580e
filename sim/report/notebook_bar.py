"""How far an experiment is, in a notebook: one output that is written again and again."""

from __future__ import annotations

import importlib
from time import monotonic
from typing import Any

from sim.core.html import shown
from sim.report.progress_words import Ended, failed, reused_runs


class NotebookBar:
    """A bar over all cells, with the time left; when it closes only what went wrong stays. Use it as a context.

    It needs nothing but IPython, in which every notebook runs.
    """

    def __init__(self) -> None:
        self._display: Any = importlib.import_module("IPython.display")
        self._handle: Any = None
        self._begun_s = monotonic()
        self._total = self._ended = 0
        self._latest, self._said = "", list[str]()

    def __enter__(self) -> NotebookBar:
        self._handle = self._display.display(self._html(), display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.update(self._display.HTML("".join(self._said)))

    def read(self, trace: str) -> None:
        """A trace was read; this describes it."""
        self._latest = trace
        self._update()

    def planned(self, cells: int, reused: int) -> None:
        """So many cells more are wanted, of which some are there already."""
        self._total += cells - reused
        if reused:
            self._latest = reused_runs(reused)
        self._update()

    def done(self, label: str, done: Ended) -> None:
        """A cell has ended."""
        self._ended += 1
        self._latest = label
        if done.error:
            self._said.append(f"<div>{shown(failed(label, done))}</div>")
        self._update()

    def _update(self) -> None:
        self._handle.update(self._html())

    def _html(self) -> Any:
        gone_s = monotonic() - self._begun_s
        left = f", {_clock(gone_s / self._ended * (self._total - self._ended))} left" if self._ended else ""
        words = f"{self._ended} of {self._total} runs, {_clock(gone_s)} gone{left}. {self._latest}"
        bar = f'<progress value="{self._ended}" max="{max(self._total, 1)}"></progress>'
        return self._display.HTML(f"{''.join(self._said)}<div>{bar} {shown(words)}</div>")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
