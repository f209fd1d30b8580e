"""Tallies of a trace: its functions are replayed one after another, on several threads if there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.tally import layout, setup
from sim.engine.compiled.tally.coverage import is_counted
from sim.engine.compiled.tally.passes import close_function, over_columns, over_counts
from sim.engine.compiled.tally.told import tally_of
from sim.platform.trigger import Progress
from sim.results import latency_bins
from sim.results.tally import Tally
from sim.workload.partitioned import Block

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Pass = Callable[[layout.Tallied, IntArray], bool]
"""Replays the calls of some functions from where it stood; true when that is done, and not only interrupted."""

MOST: Final = 1 << 24
"""Calls replayed at a time: Ctrl-C is heard in between."""
TASK: Final = 1 << 22
"""Calls of the functions that are replayed as one task, unless one function has more."""


def tally(
    scenario: Scenario, function: IntArray, *, exact: bool, on_progress: Progress
) -> tuple[Tally, FloatArray | None]:
    """Replay all calls of a scenario, and keep what they add up to: the same to the bit with any number of threads.

    Args:
        scenario: what to replay; a trace of counts is replayed from its counts.
        function: int64[F], the places of its functions in the table of all.
        exact: keep every latency, if the trace is of calls.
        on_progress: told the number of calls replayed.

    Returns:
        The tally, and the latencies of the counted calls that started, if they were kept; in any order.
    """
    from_counts = is_counted(scenario.trace)
    run = setup.tallied(scenario, 0 if from_counts or not exact else scenario.rows)
    source = _of_cells(scenario) if from_counts else _of_columns(scenario)
    _replay(run, source, scenario.threads, on_progress)
    told = tally_of(run, scenario, function)
    if from_counts or not exact:
        return told, None
    started = int((told.counts["calls"] - told.counts["rejected"]).sum())
    return told, run.latency_s if started == run.latency_s.size else run.latency_s[run.latency_s >= 0]


def streamed(scenario: Scenario, blocks: Iterable[Block], function: IntArray, on_progress: Progress) -> Tally:
    """The tally of calls that come in blocks, function after function, and that no memory holds.

    Args:
        scenario: its trace has the functions, and no calls.
        blocks: function int32[n], places in the table of all; arrival_s and duration_s float64[n].
        function: int64[F], the places of the trace's functions in that table.
        on_progress: told the number of calls replayed.
    """
    run, done, left_open = setup.tallied(scenario, 0), 0, -1
    number = np.full(int(function.max(initial=-1)) + 1, -1, np.int64)
    number[function] = np.arange(function.size)
    for functions, arrival_s, duration_s in blocks:
        in_time = arrival_s <= scenario.span.end_s
        own = number[functions[in_time]]
        if own.size:
            first = np.concatenate([[0], np.flatnonzero(np.diff(own)) + 1])
            if left_open >= 0 and own[0] != left_open:
                close_function(run, left_open)
            stop, left_open = np.append(first[1:], own.size), int(own[-1])
            columns = layout.Columns(first, stop, arrival_s[in_time], duration_s[in_time])
            run = _replay_block(run, columns, own[first])
        done += functions.size
        on_progress(done)
    if left_open >= 0:
        close_function(run, left_open)
    return tally_of(run, scenario, function)


def _replay_block(run: layout.Tallied, columns: layout.Columns, chosen: IntArray) -> layout.Tallied:
    """Replay calls of functions, the last of which is left open; returns the pass, with more room if it needed that."""
    at = np.zeros(3, np.int64)
    while not over_columns(run, columns, chosen, at, MOST, True):
        if not setup.has_room(run.queues, layout.BLOCK):
            run = run._replace(queues=setup.wider(run.queues))
    return run


def _replay(run: layout.Tallied, source: _Source, threads: int, on_progress: Progress) -> None:
    done, stop = 0, threading.Event()
    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(_work, run, source, chosen, stop) for chosen in _tasks(source.calls)]
        try:
            for task in as_completed(tasks):
                chosen, bins = task.result()
                run.bins[:] += bins
                done += int(source.calls[chosen].sum())
                on_progress(done)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


class _Source(NamedTuple):
    """Calls to replay.

    Attributes:
        calls: int64[F], of each function.
        at_once: calls of one function that are served at a time, at most.
        over: a pass over the calls of some functions.
    """

    calls: IntArray
    at_once: int
    over: Callable[[IntArray], Pass]


def _of_cells(scenario: Scenario) -> _Source:
    counts = scenario.trace.counts
    assert counts is not None
    cells = setup.cells(counts, scenario.trace.replication, scenario.span.end_s)
    at_once = int(cells.count.max(initial=0)) if cells.scattered else layout.BLOCK

    def over(chosen: IntArray) -> Pass:
        drawn = setup.drawn(at_once)
        return lambda run, at: bool(over_counts(run, cells, drawn, chosen, at, MOST))

    before = np.concatenate([[0], np.cumsum(cells.count)])
    return _Source(np.diff(before[cells.begin]), at_once, over)


def _of_columns(scenario: Scenario) -> _Source:
    columns = setup.columns(scenario.trace, scenario.rows, scenario.threads)

    def over(chosen: IntArray) -> Pass:
        part = columns._replace(first=columns.first[chosen], stop=columns.stop[chosen])
        return lambda run, at: bool(over_columns(run, part, chosen, at, MOST, False))

    return _Source(columns.stop - columns.first, layout.BLOCK, over)


def _tasks(calls: IntArray) -> Iterator[IntArray]:
    """All functions, those with most calls first, in runs of some `TASK` calls."""
    order = np.argsort(-calls, kind="stable")
    task = np.cumsum(calls[order]) // TASK
    yield from np.split(order, np.flatnonzero(np.diff(task)) + 1)


def _work(
    run: layout.Tallied, source: _Source, chosen: IntArray, stop: threading.Event
) -> tuple[IntArray, npt.NDArray[np.int64]]:
    """Replay some functions in room of its own; returns them and the histogram of their latencies."""
    run = run._replace(queues=setup.queues(source.at_once), bins=np.zeros(latency_bins.COUNT, np.int64))
    at, replay = np.zeros(3, np.int64), source.over(chosen)
    while not stop.is_set() and not replay(run, at):
        if not setup.has_room(run.queues, source.at_once):
            run = run._replace(queues=setup.wider(run.queues))
    return chosen, run.bins
