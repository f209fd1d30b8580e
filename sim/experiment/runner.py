"""Runs cells on an executor, past whatever goes wrong in some of them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Final, Protocol

from sim.core.errors import PolicyError
from sim.experiment.cells import RUNNING, Cell, Done, finished
from sim.experiment.executors import Executor, WorkerDiedError
from sim.results.store import find_digest, read_digest

DIED: Final = "its process died, when it was run alone too: killed, out of memory, or stuck beyond the time limit"


class Watch(Protocol):
    """Is told how far an experiment is."""

    def read(self, trace: str) -> None:
        """A trace was read; this describes it."""

    def planned(self, cells: int, reused: int) -> None:
        """So many cells more are wanted, of which some are there already."""

    def done(self, label: str, done: Done) -> None:
        """A cell has ended."""


class Unwatched:
    """Nobody looks."""

    def read(self, trace: str) -> None:
        """Nothing."""

    def planned(self, cells: int, reused: int) -> None:
        """Nothing."""

    def done(self, label: str, done: Done) -> None:
        """Nothing."""


class CellsFailedError(PolicyError):
    """Some cells gave nothing; all others are kept."""


@dataclass
class Runner:
    """Runs cells, each once.

    Attributes:
        executor: where they run.
        folder: of their digests.
        others: folders whose digests are as good.
        limit_s: of each, in seconds; None: none.
        fail_fast: stop at the first that fails.
        watch: is told.
        digests: what there is, by key.
        failures: how others ended, by key.
        reused: how many were there already.
    """

    executor: Executor
    folder: Path
    others: Sequence[Path] = ()
    limit_s: float | None = None
    fail_fast: bool = False
    watch: Watch = field(default_factory=Unwatched)
    digests: dict[str, Path] = field(default_factory=dict)
    failures: dict[str, Done] = field(default_factory=dict)
    reused: int = 0

    def run(self, cells: Iterable[Cell]) -> None:
        """Run those of the cells that were not; see what became of them in `digests` and `failures`."""
        left: dict[str, Cell] = {}
        for cell in cells:
            if cell.key not in self.digests and cell.key not in self.failures:
                left.setdefault(cell.key, cell)  # under the first of its names
        there = finished(left.values(), self.folder, self.others)
        self.digests |= there
        self.reused += len(there)
        self.watch.planned(len(left), len(there))
        left = {key: cell for key, cell in left.items() if key not in there}
        self._clear(left.values())
        while left:
            try:
                self._take(self.executor.run(list(left.values()), self.folder, self.limit_s), left)
            except WorkerDiedError:
                self._take_all([_told(key, self.folder) for key in left if find_digest(self.folder, key)], left)
                self._try_suspects(left)

    def _clear(self, cells: Iterable[Cell]) -> None:
        """Remove what others left: marks of a run that was killed, and digests that cannot be trusted to be these."""
        for mark in self.folder.glob(f"*{RUNNING}"):
            mark.unlink()
        for path in (path for cell in cells for path in self.folder.glob(f"{cell.key}-*")):
            path.unlink()

    def _take(self, ended: Generator[Done, None, None], left: dict[str, Cell]) -> None:
        with closing(ended):  # at once, not when the collector comes by: workers are stopped by that
            self._take_all(ended, left)

    def _take_all(self, ended: Iterable[Done], left: dict[str, Cell]) -> None:
        for done in ended:
            cell = left.pop(done.key)
            path = None if done.error else find_digest(self.folder, cell.key)
            if path is None:
                self.failures[cell.key] = (
                    done if done.error else replace(done, error="what it wrote cannot be read again")
                )
            else:
                self.digests[cell.key] = path
            self.watch.done(cell.label, done)
            if done.error and (self.fail_fast or done.hopeless):
                failed = CellsFailedError(f"{cell.label}: {done.error}")
                if done.trace:
                    failed.add_note(done.trace)  # for whoever debugs; the command line shows the message alone
                raise failed

    def _try_suspects(self, left: dict[str, Cell]) -> None:
        """A worker died. What nobody ended may have killed it: each of these once more, alone.

        They are the cells with a mark; if there is none, the worker died before it could make one, and it may be any.
        """
        marked = [key for key in left if (self.folder / f"{key}{RUNNING}").exists()]
        for key in marked or list(left):
            cell, mark = left[key], self.folder / f"{key}{RUNNING}"
            mark.unlink(missing_ok=True)
            try:
                self._take(self.executor.run([cell], self.folder, self.limit_s), left)
            except WorkerDiedError:
                mark.unlink(missing_ok=True)
                self._take_all([Done(key, nan, nan, 0.0, DIED)], left)


def _told(key: str, folder: Path) -> Done:
    """How a cell ended whose worker died before it could say so."""
    path = find_digest(folder, key)
    summary = read_digest(path).summary if path else {"invocations": nan, "cold_start_rate": nan}
    return Done(key, float(summary["invocations"]), float(summary["cold_start_rate"]), 0.0)


def failures_in_words(cells: Iterable[Cell], failures: Mapping[str, Done]) -> list[str]:
    """A sentence for each way in which cells failed, with the cells that did."""
    by_error: dict[str, list[str]] = {}
    for cell in cells:
        if cell.key in failures:
            by_error.setdefault(failures[cell.key].error, []).append(cell.label)
    return [f"{_few(labels)}: {error}" for error, labels in by_error.items()]


def _few(labels: Sequence[str]) -> str:
    labels = list(dict.fromkeys(labels))
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return ", ".join(labels[:3]) + more
