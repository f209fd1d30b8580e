"""Many windows from one pass: what idle periods come to under all of them.

Under zero start time, unlimited capacity and no life limit idle instances are a stack, whatever the window (see
`sim.results.idle_periods`): one pass finds the idle period before every call, and a search among the windows tells
under which of them the call is warm.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from sim.engine.compiled.jit import SOURCES, entry, part
from sim.engine.compiled.layout import Array


class Calls(NamedTuple):
    """What arrives, in order of arrival.

    Attributes:
        unit: int64[n], what shares instances with what.
        arrival_s: float64[n]
        service_s: float64[n]
    """

    unit: Array
    arrival_s: Array
    service_s: Array


class Order(NamedTuple):
    """The calls unit by unit.

    Attributes:
        begin: int64[u + 1], where each unit begins, and the last ends, in
        row: int64[n], the calls of a unit in order of arrival.
    """

    begin: Array
    row: Array


class Bins(NamedTuple):
    """Sums over idle periods by the first of the windows that is long enough; those of the last bin outlast all.

    Attributes:
        window_s: float64[w], ascending.
        warm: int64[w + 1], counted calls.
        gb: float64[w + 1], memory of the instances.
        gb_s: float64[w + 1], memory-time that they idle.
    """

    window_s: Array
    warm: Array
    gb: Array
    gb_s: Array


class Room(NamedTuple):
    """Where a unit's instances are noted, float64[m] each, m being no less than the calls of any unit.

    Attributes:
        busy: a binary heap of ends.
        idle: ends, ascending: a stack.
    """

    busy: Array
    idle: Array


class Span(NamedTuple):
    """What is measured.

    Attributes:
        from_s: calls that arrive earlier count nowhere.
        to_s: memory-time is that up to here.
    """

    from_s: float
    to_s: float


@part
def first_that_keeps(window_s: Array, since_s: float, until_s: float) -> int:
    """The first window under which an instance idle since some time is there at another, as the platform judges it."""
    low, high = 0, window_s.size
    while low < high:
        middle = (low + high) >> 1
        if until_s <= since_s + window_s[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@part
def push(busy: Array, size: int, end_s: float) -> None:
    """Put an end into the heap."""
    place = size
    while place and busy[(place - 1) >> 1] > end_s:
        busy[place] = busy[(place - 1) >> 1]
        place = (place - 1) >> 1
    busy[place] = end_s


@part
def drop_first(busy: Array, size: int) -> None:
    """Remove the first end of the heap."""
    end_s, place, child, last = busy[size - 1], 0, 1, size - 1
    while child < last:
        child += int(child + 1 < last and busy[child + 1] < busy[child])
        if busy[child] >= end_s:
            break
        busy[place] = busy[child]
        place, child = child, 2 * child + 1
    busy[place] = end_s


@part
def idles(bins: Bins, gb: float, since_s: float, until_s: float, span: Span, early: Array, noted: int) -> int:
    """An instance idles; those that did before the span begins are only noted. Returns how many are."""
    end_s = min(until_s, span.to_s)
    if end_s <= max(since_s, span.from_s):
        return noted
    if since_s < span.from_s:
        early[noted, 0], early[noted, 1], early[noted, 2] = since_s, end_s, gb
        return noted + 1
    place = first_that_keeps(bins.window_s, since_s, end_s)
    bins.gb[place] += gb
    bins.gb_s[place] += gb * (end_s - since_s)
    return noted


def _sorter(sources: str) -> Any:
    @entry
    def sort(unit: Array, place: Array, row: Array) -> None:
        """Sort calls by unit; `place` says where those of each begin, and is used up."""
        for i in range(unit.size if len(sources) else 0):
            row[place[unit[i]]] = i
            place[unit[i]] += 1

    return sort


def _passer(sources: str) -> Any:
    @entry
    def one_pass(calls: Calls, order: Order, gb: Array, span: Span, bins: Bins, room: Room, early: Array) -> int:
        """Add up all idle periods; those that began before the span are noted in `early`. Returns how many those are.

        There is room for one a unit and call that is under way when the span begins.
        """
        busy, idle, noted = room.busy, room.idle, 0
        for u in range(gb.size if len(sources) else 0):
            running = waiting = 0
            for place in range(order.begin[u], order.begin[u + 1]):
                i = order.row[place]
                now_s = calls.arrival_s[i]
                while running and busy[0] <= now_s:
                    idle[waiting] = busy[0]
                    waiting += 1
                    drop_first(busy, running)
                    running -= 1
                if waiting:
                    waiting -= 1
                    since_s = idle[waiting]
                    noted = idles(bins, gb[u], since_s, now_s, span, early, noted)
                    if now_s >= span.from_s:
                        bins.warm[first_that_keeps(bins.window_s, since_s, now_s)] += 1
                push(busy, running, now_s + calls.service_s[i])
                running += 1
            for place in range(waiting):
                noted = idles(bins, gb[u], idle[place], inf, span, early, noted)
            for place in range(running):
                noted = idles(bins, gb[u], busy[place], inf, span, early, noted)
        return noted

    return one_pass


sort, one_pass = _sorter(SOURCES), _passer(SOURCES)
