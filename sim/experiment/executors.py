"""Executors: where cells run. All of them go through joblib, each by a backend of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from pathlib import Path
from typing import Final, TypeVar

import joblib
from joblib.externals.loky.backend.reduction import dumps
from joblib.externals.loky.process_executor import BrokenProcessPool

from sim.core.errors import ConfigError
from sim.experiment.cells import Cell, Done, run_cell

Item = TypeVar("Item")
Answer = TypeVar("Answer")

WATCH: Final = "keepwarm-owner"
"""The thread of a worker that sees to whether it is still wanted."""


class WorkerDiedError(Exception):
    """A process that worked on cells is gone, with what it worked on."""


class Executor(ABC):
    """Runs cells, or whatever else is independent, in any order and any number at a time."""

    @property
    @abstractmethod
    def in_process(self) -> bool:
        """Whether cells run in this process, one after another."""

    @abstractmethod
    def each(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> Generator[Answer, None, None]:
        """Do some work on each item, and give the answers as they come, in any order.

        Args:
            work: a function of a module, or a partial one.
            items: what it takes; all can be sent to other processes.

        Raises:
            WorkerDiedError: a process died; some answers are missing.
        """

    @abstractmethod
    def run(self, cells: Sequence[Cell], folder: Path, limit_s: float | None) -> Generator[Done, None, None]:
        """Run cells, and say of each how it ended as soon as it has.

        Args:
            cells: what to run.
            folder: where their digests go.
            limit_s: of each, in seconds; None: none.

        Raises:
            WorkerDiedError: a process died; some cells have not ended.
        """


@dataclass(frozen=True)
class Local(Executor):
    """The cores of this machine.

    Attributes:
        jobs: cells at a time; None: one a core. With one they run in this process, which a policy that crashes takes
            with it.
    """

    jobs: int | None = None

    def __post_init__(self) -> None:
        require_jobs(self.jobs)

    @property
    def in_process(self) -> bool:
        """Whether cells run in this process, one after another."""
        return self._jobs == 1

    @property
    def _jobs(self) -> int:
        return joblib.cpu_count() if self.jobs is None else self.jobs

    def run(self, cells: Sequence[Cell], folder: Path, limit_s: float | None) -> Generator[Done, None, None]:
        """See `Executor`."""
        if self.in_process:
            yield from (run_cell(cell, folder, limit_s) for cell in cells)
            return
        sendable, others = _sendable(cells)
        yield from others
        yield from self.each(partial(work_on, folder=folder, limit_s=limit_s), sendable)

    def each(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> Generator[Answer, None, None]:
        """See `Executor`."""
        if self.in_process:
            yield from map(work, items)
            return
        watched = joblib.delayed(partial(_work_for, os.getpid(), work))
        pool = joblib.Parallel(self._jobs, backend="loky", batch_size=1, return_as="generator_unordered")
        answers = pool(watched(item) for item in items)
        try:
            for answer in answers:  # noqa: UP028 - "yield from" would close it before `finally`
                yield answer
        except BrokenProcessPool as death:
            raise WorkerDiedError from death
        finally:
            with warnings.catch_warnings():  # that work under way is given up is what is wanted
                warnings.filterwarnings("ignore", ".*still being processed", UserWarning)
                answers.close()


def _sendable(cells: Sequence[Cell]) -> tuple[list[Cell], list[Done]]:
    """The cells that can be sent to another process, and how those end that cannot."""
    fine, ended = [], []
    for cell in cells:
        try:
            dumps((cell.policy, cell.setting))
        except Exception as error:  # noqa: BLE001 - whatever an object of the user's raises
            ended.append(Done(cell.key, nan, nan, 0.0, f"cannot be sent to another process (executor.jobs=1): {error}"))
        else:
            fine.append(cell)
    return fine, ended


def require_jobs(jobs: object) -> None:
    """Refuse a number of jobs that is none."""
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ConfigError(f"jobs must be a whole number >= 1, or null for one a core, not {jobs!r}")


def _work_for(owner: int, work: Callable[[Item], Answer], item: Item) -> Answer:
    """What a worker of this machine does: it does not outlive the process that it works for, however that ends."""
    if WATCH not in {thread.name for thread in threading.enumerate()}:
        threading.Thread(target=_die_with, args=(owner,), name=WATCH, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal
    return work(item)


def _die_with(owner: int) -> None:
    if os.getpid() == owner:  # no process of its own, but a thread
        return
    while os.getppid() == owner:
        time.sleep(0.5)
    os._exit(1)


def work_on(cell: Cell, folder: Path, limit_s: float | None) -> Done:
    """What a worker does. Ctrl-C reaches every process of a terminal; it is for the one that asked for the work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return run_cell(cell, folder, limit_s, may_die=True)
