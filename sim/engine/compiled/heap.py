"""Busy instances of a group: a heap of slots by (end, row), the next to end first.

Each slot has four below it, and ends lie apart from the rest: a heap of a thousand is five levels deep and small.
"""

from __future__ import annotations

from sim.engine.compiled.jit import part, signed, unsigned
from sim.engine.compiled.layout import CALL_LINE, CALL_ROW, Array, State


@part
def copy_busy(state: State, to: int, origin: int) -> None:
    """One slot over another."""
    here, there = unsigned(to), unsigned(origin)
    state.ends[here] = state.ends[there]
    state.busy[here, CALL_ROW], state.busy[here, CALL_LINE] = state.busy[there, CALL_ROW], state.busy[there, CALL_LINE]


@part
def push(state: State, at: int, size: int, end_s: float, row: int, line: int) -> None:
    """Put a slot into the heap of `size` slots that begins `at`."""
    ends, busy = state.ends, state.busy
    place = size
    while place:
        parent = (place - 1) >> 2
        parent_s = ends[unsigned(at + parent)]
        if parent_s < end_s or (parent_s == end_s and busy[unsigned(at + parent), CALL_ROW] < row):
            break
        copy_busy(state, at + place, at + parent)
        place = parent
    here = unsigned(at + place)
    ends[here], busy[here, CALL_ROW], busy[here, CALL_LINE] = end_s, row, line


@part
def soonest(ends: Array, busy: Array, first: int) -> int:
    """Which of four slots comes first: no branch but where ends are equal, as nobody can foretell the answer."""
    a, b, c, d = unsigned(first), unsigned(first + 1), unsigned(first + 2), unsigned(first + 3)
    one, other = int(ends[b] < ends[a]), 2 + int(ends[d] < ends[c])
    one_s, other_s = min(ends[a], ends[b]), min(ends[c], ends[d])
    end_s, found = min(one_s, other_s), other if other_s < one_s else one
    if int(ends[a] == end_s) + int(ends[b] == end_s) + int(ends[c] == end_s) + int(ends[d] == end_s) > 1:
        return sooner_row(ends, busy, first, 4)
    return first + found


@part
def sooner_row(ends: Array, busy: Array, first: int, count: int) -> int:
    """Which of some slots comes first."""
    best = unsigned(first)
    for place in range(first + 1, first + count):
        other = unsigned(place)
        if ends[other] < ends[best] or (ends[other] == ends[best] and busy[other, CALL_ROW] < busy[best, CALL_ROW]):
            best = other
    found: int = signed(best)
    return found


@part
def drop_first(state: State, at: int, size: int) -> None:
    """Remove the first slot of the heap of `size` slots that begins `at`.

    The gap sinks to the bottom, and the last slot rises from there: it seldom has to go far.
    """
    ends, busy = state.ends, state.busy
    last = size - 1
    place, child = 0, 1
    while child + 4 <= last:
        child = soonest(ends, busy, at + child) - at
        copy_busy(state, at + place, at + child)
        place, child = child, 4 * child + 1
    if child < last:
        child = sooner_row(ends, busy, at + child, last - child) - at
        copy_busy(state, at + place, at + child)
        place = child
    here = unsigned(at + last)
    push(state, at, place, ends[here], busy[here, CALL_ROW], busy[here, CALL_LINE])
