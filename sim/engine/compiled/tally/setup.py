"""What a tally begins with: a trace, as counts or as calls, and a platform, as arrays."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.core.distributions import CELLS
from sim.engine.compiled.layout import CHOICES, Draws, Terms
from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.tally import layout
from sim.engine.compiled.tally.passes import count, group
from sim.policies.keepalive.role import checked_windows_s
from sim.results import latency_bins
from sim.workload.arrivals import MINUTE_S
from sim.workload.counts import CountSource
from sim.workload.trace import Trace

IntArray = npt.NDArray[np.int64]


def tallied(scenario: Scenario, latencies: int) -> layout.Tallied:
    """A scenario as the kernels take it, nothing replayed so far; with room for so many latencies."""
    trace, platform, price = scenario.trace, scenario.platform, scenario.price
    deployed = platform.deployed(trace.functions)
    starts = platform.start_model.bind(
        deployed, scenario.seed, scenario.replication, *trace.function_keys(), purpose="start"
    )
    window_s = checked_windows_s(scenario.policy, trace)
    assert isinstance(window_s, float)
    assert price is not None
    billed = np.zeros(len(starts.phases), np.bool_)
    billed[price.billed_phases(starts.phases)] = True
    size = len(deployed)
    terms = Terms(
        window_s=window_s, choice=CHOICES.index(platform.instance_choice), cap=float(platform.max_instances_per_unit),
        lives=False, late=platform.start_model.loads_late, traced_loads=False, from_s=scenario.span.start_s,
        to_s=scenario.span.end_s, step_s=float(price.granularity_s), minimum_s=float(price.minimum_s), record=False,
        held=0, renews=False, learns=False, draws=False, lead_s=float(platform.prewarm_lead_s),
    )  # fmt: skip
    draws = Draws(
        key=starts.key, table=np.ascontiguousarray(starts.table.astype(np.int64)),
        affine=np.column_stack([starts.offset, starts.scale]).astype(np.float64),
        tables=starts.tables if starts.tables.size else np.zeros((1, CELLS + 1)), life=np.full(1, inf), billed=billed,
    )  # fmt: skip
    return layout.Tallied(
        terms, draws, deployed["timeout_s"].to_numpy(np.float64).copy(), queues(0),
        np.zeros((size, layout.WIDTH)), np.zeros(latency_bins.COUNT, np.int64),
        np.empty(latencies),
    )  # fmt: skip


def queues(calls: int) -> layout.Queues:
    """Room for the instances of a function that is about to serve so many calls at a time."""
    size = 1 << (2 * max(calls, layout.BLOCK)).bit_length()  # the ring needs a power of two
    return layout.Queues(np.zeros(5, np.int64), np.empty(size), np.empty(size + 3), np.empty(size))


def has_room(found: layout.Queues, calls: int) -> bool:
    """Whether so many further calls of the open function find room, whatever becomes of them."""
    at = found.at
    busy = at[layout.TAIL] - at[layout.HEAD] + at[layout.HEAPED]
    return bool(busy + at[layout.IDLE] + max(calls, layout.BLOCK) < found.stack.size)


def wider(old: layout.Queues) -> layout.Queues:
    """The same instances in four times as much room."""
    new = queues(old.stack.size)
    head, tail = (int(old.at[place]) for place in (layout.HEAD, layout.TAIL))
    waiting = np.arange(head, tail)
    new.at[:] = old.at
    new.ring[waiting & (new.ring.size - 1)] = old.ring[waiting & (old.ring.size - 1)]
    new.heap[: old.heap.size], new.stack[: old.stack.size] = old.heap, old.stack
    return new


def columns(trace: Trace, rows: int, threads: int) -> layout.Columns:
    """The first calls of a trace, function by function; each thread sorts a part of them."""
    edges = [rows * part // threads for part in range(threads + 1)]
    parts = [slice(first, stop) for first, stop in itertools.pairwise(edges)]
    calls = np.zeros((threads, len(trace.functions)), np.int64)
    arrival_s, duration_s = np.empty(rows), np.empty(rows)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, [trace.function[part] for part in parts], calls))
        first = np.concatenate([[0], np.cumsum(calls.sum(axis=0))])
        place = first[:-1] + np.cumsum(calls, axis=0) - calls
        work = [(trace.function[part], trace.arrival_s[part], trace.duration_s[part]) for part in parts]
        list(pool.map(lambda columns, place: group(*columns, place, arrival_s, duration_s), work, place))
    return layout.Columns(first[:-1], first[1:], arrival_s, duration_s)


def cells(counts: CountSource, replication: int, end_s: float) -> layout.Cells:
    """The counts of a trace up to some time, function by function."""
    number, recipe, known = counts.drawn_counts(replication), counts.recipe, counts.durations
    kept = np.flatnonzero((number > 0) & (counts.minute <= end_s / MINUTE_S))
    function, minute, number = counts.function[kept], counts.minute[kept], number[kept].astype(np.int64)
    begin = np.concatenate([[0], np.cumsum(np.bincount(function, minlength=len(counts.functions)))])
    by_minute = recipe.durations == "per_minute"
    in_cells_s = known.cell_average_s[kept] if by_minute and known.cell_average_s is not None else np.zeros(kept.size)
    minutes, numbers, averages_s = np.empty_like(minute), np.empty_like(number), np.empty_like(in_cells_s)
    group(function, minute, number, begin[:-1].copy(), minutes, numbers)
    group(function, minute, in_cells_s, begin[:-1].copy(), minutes, averages_s)
    return layout.Cells(
        begin=begin, minute=minutes, count=numbers, label=counts.labels.astype(np.int64),
        average_s=averages_s if by_minute else known.average_s.copy(), quantiles_s=known.quantiles_s.copy(),
        arrival_key=counts.streams(replication, "arrivals"), duration_key=counts.streams(replication, "durations"),
        scattered=recipe.arrivals != "even", durations=layout.DURATIONS.index(recipe.durations),
    )  # fmt: skip


def drawn(most: int) -> layout.Drawn:
    """Room for so many calls of a cell."""
    size = max(most, layout.BLOCK)
    return layout.Drawn(
        np.empty(size), np.empty(size), np.empty(size, np.int32), np.empty(size + 1, np.int32), np.empty(size),
        np.empty(size, np.int32), np.array([-1, 0]),
    )  # fmt: skip


NO_CELLS: Final = layout.Cells(
    begin=np.empty(0, np.int64), minute=np.empty(0, np.int32), count=np.empty(0, np.int64),
    label=np.empty(0, np.int64), average_s=np.empty(0), quantiles_s=np.empty((0, 7)),
    arrival_key=np.empty(0, np.uint64), duration_key=np.empty(0, np.uint64), scattered=False, durations=0,
)  # fmt: skip
NO_COLUMNS: Final = layout.Columns(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
"""What stands for the one of the two that there is not."""
NO_CALLS: Final = layout.Columns(np.zeros(1, np.int64), np.zeros(1, np.int64), np.empty(0), np.empty(0))
"""Of one function."""
