"""Calls made of counts: those of `sim.workload.arrivals` and `sim.workload.durations`, to the bit."""

from __future__ import annotations

import numpy as np

from sim.engine.compiled.draws import uniform
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import Array
from sim.engine.compiled.tally.layout import (
    BLOCK,
    CALLS_NOW,
    MADE_AT,
    MEAN,
    PART_AT,
    PARTS,
    PER_MINUTE,
    PERCENTILES,
    ROW_AT,
    Cells,
    Drawn,
)
from sim.workload.arrivals import MINUTE_S
from sim.workload.durations import PROBABILITIES

EDGES = np.array(PROBABILITIES)
WIDTHS = np.diff(EDGES)
NUMBER_BITS = 32


@part
def even(minute: int, count: int, first: int, stop: int, arrival_s: Array) -> None:
    """Some calls of a cell, evenly spread."""
    for j in range(first, stop):
        arrival_s[j - first] = MINUTE_S * minute + MINUTE_S * (j + 0.5) / count


@part
def number(first: int, stop: int, number: Array) -> None:
    """Note the numbers of calls that come in their order."""
    for j in range(first, stop):
        number[j - first] = j


@part
def edge_s(minute: int, part: int, parts: int) -> float:
    """Where a part of a minute begins; half of a half is the same quarter to the last bit."""
    return MINUTE_S * minute + MINUTE_S * part / parts


@part
def collect(minute: int, count: int, key: int, label: int, part: int, parts: int, drawn: Drawn) -> int:
    """Draw all calls of a cell and note those that come in one part of the minute; how many, or -1: too many."""
    latest_s = np.nextafter(MINUTE_S * (minute + 1), 0.0)
    from_s, to_s, found = edge_s(minute, part, parts), edge_s(minute, part + 1, parts), 0
    for j in range(count):
        time_s = min(MINUTE_S * minute + MINUTE_S * uniform(key, (label << NUMBER_BITS) + j), latest_s)
        if from_s <= time_s < to_s:
            if found == drawn.spare.size:
                return -1
            drawn.spare_s[found], drawn.spare[found] = time_s, j
            found += 1
    return found


@part
def sort(from_s: float, to_s: float, count: int, drawn: Drawn) -> None:
    """Put what was noted in order of (arrival, number).

    Draws lie evenly, so one bucket a call leaves little to do.
    """
    arrival_s, number, bucket, spare_s, spare = drawn.arrival_s, drawn.number, drawn.bucket, drawn.spare_s, drawn.spare
    a_second = count / (to_s - from_s)
    for b in range(count + 1):
        bucket[b] = 0
    for k in range(count):
        bucket[min(int((spare_s[k] - from_s) * a_second), count - 1) + 1] += 1
    for b in range(count):
        bucket[b + 1] += bucket[b]
    for k in range(count):
        b = min(int((spare_s[k] - from_s) * a_second), count - 1)
        place = bucket[b]
        bucket[b] += 1
        arrival_s[place], number[place] = spare_s[k], spare[k]
    for k in range(1, count):
        time_s, own, place = arrival_s[k], number[k], k
        while place and (arrival_s[place - 1] > time_s or (arrival_s[place - 1] == time_s and number[place - 1] > own)):
            arrival_s[place], number[place] = arrival_s[place - 1], number[place - 1]
            place -= 1
        arrival_s[place], number[place] = time_s, own


@part
def scatter(minute: int, count: int, key: int, label: int, at: Array, drawn: Drawn) -> int:
    """The next calls of a cell where their own draws say; returns how many.

    If there is no room for all of them, they are drawn anew for each part of the minute, small enough to have room.
    """
    room = drawn.spare.size
    if not at[PARTS]:
        at[PARTS] = 1 if count <= room else 1 + 2 * count // room
    found = collect(minute, count, key, label, at[PART_AT], at[PARTS], drawn)
    while found < 0:
        at[PART_AT], at[PARTS] = 2 * at[PART_AT], 2 * at[PARTS]
        found = collect(minute, count, key, label, at[PART_AT], at[PARTS], drawn)
    sort(edge_s(minute, at[PART_AT], at[PARTS]), edge_s(minute, at[PART_AT] + 1, at[PARTS]), found, drawn)
    at[PART_AT] += 1
    return int(found)


@part
def quantile_s(quantiles_s: Array, u: float) -> float:
    """See `sim.workload.durations.percentiles`."""
    place = 0
    while place < WIDTHS.size - 1 and u >= EDGES[place + 1]:
        place += 1
    low_s = quantiles_s[place]
    return float(low_s + (quantiles_s[place + 1] - low_s) * ((u - EDGES[place]) / WIDTHS[place]))


@part
def fill_average(average_s: float, function: int, calls: int, drawn: Drawn) -> None:
    """See to it that so many durations are the average of a function; what is there of it already stays."""
    if drawn.filled[0] != function:
        drawn.filled[0], drawn.filled[1] = function, 0
    for j in range(drawn.filled[1], calls):
        drawn.duration_s[j] = average_s
    drawn.filled[1] = max(drawn.filled[1], calls)


@part
def last_for(cells: Cells, function: int, cell: int, calls: int, drawn: Drawn) -> None:
    """Durations of so many calls of a cell, those of the numbers that are noted."""
    duration_s = drawn.duration_s
    if cells.durations == MEAN:
        fill_average(cells.average_s[function], function, calls, drawn)
    elif cells.durations == PER_MINUTE:
        for j in range(calls):
            duration_s[j] = cells.average_s[cell]
    else:
        label = cells.label[cells.minute[cell]]
        for j in range(calls):
            u = uniform(cells.duration_key[function], (label << NUMBER_BITS) + drawn.number[j])
            duration_s[j] = quantile_s(cells.quantiles_s[function], u)


@part
def most_next(cells: Cells, drawn: Drawn, at: Array) -> int:
    """How many calls are made next, at most."""
    left = cells.count[at[ROW_AT]] - at[MADE_AT]
    return int(min(left, drawn.arrival_s.size if cells.scattered else BLOCK))


@part
def make(cells: Cells, drawn: Drawn, function: int, at: Array, to_s: float) -> int:
    """Make the next calls of a function's cells; returns how many of them arrive in time."""
    cell, first = at[ROW_AT], at[MADE_AT]
    minute, count = cells.minute[cell], cells.count[cell]
    if cells.scattered:
        calls = scatter(minute, count, cells.arrival_key[function], cells.label[minute], at, drawn)
        over = at[PART_AT] == at[PARTS]
    else:
        calls = min(BLOCK, count - first)
        even(minute, count, first, first + calls, drawn.arrival_s)
        if cells.durations == PERCENTILES:
            number(first, first + calls, drawn.number)
        over = first + calls == count
    last_for(cells, function, cell, calls, drawn)
    at[MADE_AT] += calls
    at[CALLS_NOW] += calls
    if over:
        at[ROW_AT], at[MADE_AT], at[PART_AT], at[PARTS] = cell + 1, 0, 0, 0
    while calls and drawn.arrival_s[calls - 1] > to_s:
        calls -= 1
    return int(calls)
