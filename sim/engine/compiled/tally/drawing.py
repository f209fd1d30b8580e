"""Calls made of counts: those of `sim.workload.arrivals` and `sim.workload.durations`, to the bit."""

from __future__ import annotations

import numpy as np

from sim.engine.compiled.draws import uniform
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import Array
from sim.engine.compiled.tally.layout import MEAN, PER_MINUTE, PERCENTILES, Cells, Drawn
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
def scatter(minute: int, count: int, key: int, label: int, drawn: Drawn) -> None:
    """All calls of a cell where their own draws say, in order of (arrival, number).

    The draws lie evenly, so one bucket a call leaves little to sort.
    """
    arrival_s, number, bucket, spare_s, spare = drawn.arrival_s, drawn.number, drawn.bucket, drawn.spare_s, drawn.spare
    latest_s = np.nextafter(MINUTE_S * (minute + 1), 0.0)
    for b in range(count + 1):
        bucket[b] = 0
    for j in range(count):
        u = uniform(key, (label << NUMBER_BITS) + j)
        spare_s[j] = min(MINUTE_S * minute + MINUTE_S * u, latest_s)
        spare[j] = int(u * count)
        bucket[spare[j] + 1] += 1
    for b in range(count):
        bucket[b + 1] += bucket[b]
    for j in range(count):
        place = bucket[spare[j]]
        bucket[spare[j]] += 1
        arrival_s[place], number[place] = spare_s[j], j
    for j in range(1, count):
        time_s, own, place = arrival_s[j], number[j], j
        while place and (arrival_s[place - 1] > time_s or (arrival_s[place - 1] == time_s and number[place - 1] > own)):
            arrival_s[place], number[place] = arrival_s[place - 1], number[place - 1]
            place -= 1
        arrival_s[place], number[place] = time_s, own


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
def make(cells: Cells, drawn: Drawn, function: int, cell: int, first: int, stop: int, to_s: float) -> int:
    """Make some calls of a cell, all of them if they are drawn; returns how many of them arrive in time."""
    minute, calls = cells.minute[cell], stop - first
    if cells.scattered:
        scatter(minute, cells.count[cell], cells.arrival_key[function], cells.label[minute], drawn)
    else:
        even(minute, cells.count[cell], first, stop, drawn.arrival_s)
        if cells.durations == PERCENTILES:
            number(first, stop, drawn.number)
    last_for(cells, function, cell, calls, drawn)
    while calls and drawn.arrival_s[calls - 1] > to_s:
        calls -= 1
    return int(calls)
