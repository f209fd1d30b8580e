"""Tallies: functions are replayed one after another, on several threads if there are, from counts, calls or blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.tally import layout, setup
from sim.engine.compiled.tally.coverage import is_counted
from sim.platform.trigger import Progress
from sim.results.tally import Tally
from sim.workload.partitioned import Block

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

TASK: Final = 1 << 22
"""Calls of the functions that are replayed as one task, at most, unless one function has more."""
TASKS: Final = 16
"""That each thread has, at least where functions are small, so that all threads end at about the same time."""


class Worker(Protocol):
    """Replays functions one after another, in room of its own."""

    def over_counts(self, cells: layout.Cells, drawn: layout.Drawn, chosen: IntArray, stop: threading.Event) -> None:
        """Replay all calls of some functions, made of counts, unless it is to stop."""

    def over_columns(
        self, columns: layout.Columns, chosen: IntArray, stop: threading.Event, *, left_open: bool
    ) -> None:
        """Replay calls of some functions, unless it is to stop; there may be more of the last one."""

    def close(self, function: int) -> None:
        """There are no more of the one that was left open."""


class Replay(Protocol):
    """What comes of a scenario.

    Attributes:
        scenario: what is replayed.
    """

    scenario: Scenario

    def worker(self, at_once: int) -> Worker:
        """One that replays some of the functions, no more than so many calls at a time."""

    def add(self, worker: Any) -> None:
        """Add what a worker has that is not of single functions."""

    def tally(self, function: IntArray) -> Tally:
        """What it all comes to, given the places of the functions in the table of all."""


def replay(whole: Replay, on_progress: Progress) -> None:
    """Replay all calls of a trace that is in memory, from its counts if it has them."""
    scenario = whole.scenario
    if is_counted(scenario.trace):
        _over_counts(whole, on_progress)
    else:
        columns = setup.columns(scenario.trace, scenario.rows, scenario.threads)
        _in_threads(whole, columns.stop - columns.first, on_progress, lambda chosen, stop: _some(
            whole, columns, chosen, stop
        ))  # fmt: skip


def _some(whole: Replay, columns: layout.Columns, chosen: IntArray, stop: threading.Event) -> Worker:
    worker = whole.worker(layout.BLOCK)
    part = columns._replace(first=columns.first[chosen], stop=columns.stop[chosen])
    worker.over_columns(part, chosen, stop, left_open=False)
    return worker


def _over_counts(whole: Replay, on_progress: Progress) -> None:
    scenario = whole.scenario
    assert scenario.trace.counts is not None
    cells = setup.cells(scenario.trace.counts, scenario.trace.replication, scenario.span.end_s)
    at_once = min(int(cells.count.max(initial=0)), layout.AT_ONCE) if cells.scattered else layout.BLOCK
    before = np.concatenate([[0], np.cumsum(cells.count)])

    def work(chosen: IntArray, stop: threading.Event) -> Worker:
        worker = whole.worker(at_once)
        worker.over_counts(cells, setup.drawn(at_once), chosen, stop)
        return worker

    _in_threads(whole, np.diff(before[cells.begin]), on_progress, work)


def _in_threads(
    whole: Replay, calls: IntArray, on_progress: Progress, work: Callable[[IntArray, threading.Event], Worker]
) -> None:
    """Have all functions replayed, those with most calls first; an error in one thread ends all."""
    done, stop = 0, threading.Event()
    with ThreadPoolExecutor(whole.scenario.threads) as pool:
        tasks = {pool.submit(work, chosen, stop): chosen for chosen in _tasks(calls, whole.scenario.threads)}
        try:
            for task in as_completed(tasks):
                whole.add(task.result())
                done += int(calls[tasks[task]].sum())
                on_progress(done)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _tasks(calls: IntArray, threads: int) -> Iterator[IntArray]:
    """All functions, those with most calls first, in runs of about equally many calls."""
    order, most = np.argsort(-calls, kind="stable"), TASK
    if threads > 1:
        most = min(TASK, max(int(calls.sum()) // (TASKS * threads), 1))
    task = np.cumsum(calls[order]) // most
    yield from np.split(order, np.flatnonzero(np.diff(task)) + 1)


def stream(whole: Replay, blocks: Iterable[Block], function: IntArray, on_progress: Progress) -> None:
    """Replay calls that come in blocks, function after function, and that no memory holds.

    Args:
        whole: its trace has the functions, and no calls.
        blocks: function int32[n], places in the table of all; arrival_s and duration_s float64[n].
        function: int64[F], the places of the trace's functions in that table.
        on_progress: told the number of calls replayed.
    """
    worker, never, done, left_open = whole.worker(layout.BLOCK), threading.Event(), 0, -1
    number = np.full(int(function.max(initial=-1)) + 1, -1, np.int64)
    number[function] = np.arange(function.size)
    called = np.zeros(function.size, np.bool_)
    for functions, arrival_s, duration_s in blocks:
        in_time = arrival_s <= whole.scenario.span.end_s
        own = number[functions[in_time]]
        if own.size:
            first = np.concatenate([[0], np.flatnonzero(np.diff(own)) + 1])
            if left_open >= 0 and own[0] != left_open:
                worker.close(left_open)
            stop, left_open = np.append(first[1:], own.size), int(own[-1])
            columns = layout.Columns(first, stop, arrival_s[in_time], duration_s[in_time])
            worker.over_columns(columns, own[first], never, left_open=True)
            called[own[first]] = True
        done += functions.size
        on_progress(done)
    if left_open >= 0:
        worker.close(left_open)
    idle = np.flatnonzero(~called)  # instances may be held for them
    nowhere = np.zeros(idle.size, np.int64)
    worker.over_columns(layout.Columns(nowhere, nowhere, np.empty(0), np.empty(0)), idle, never, left_open=False)
    whole.add(worker)
