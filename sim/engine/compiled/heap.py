"""Busy instances of a group: a binary heap of slots by (end, row), the next to end first."""

from __future__ import annotations

from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import END, LINE, ROW, Array


@part
def sooner(slots: Array, one: int, end_s: float, row: float) -> bool:
    """Whether a slot's call ends before another; without a branch, since nobody can foretell the answer."""
    return bool((slots[one, END] < end_s) | ((slots[one, END] == end_s) & (slots[one, ROW] < row)))


@part
def copy_call(slots: Array, to: int, origin: int) -> None:
    """One slot over another, but for its expiry, which a busy instance has none of."""
    slots[to, END], slots[to, ROW], slots[to, LINE] = slots[origin, END], slots[origin, ROW], slots[origin, LINE]


@part
def rise(slots: Array, at: int, place: int, end_s: float, row: float, line: float) -> None:
    """Put a slot where it belongs on the way from a free place to the top."""
    while place:
        parent = (place - 1) >> 1
        if sooner(slots, at + parent, end_s, row):
            break
        copy_call(slots, at + place, at + parent)
        place = parent
    slots[at + place, END], slots[at + place, ROW], slots[at + place, LINE] = end_s, row, line


@part
def push(slots: Array, at: int, size: int, end_s: float, row: float, line: float) -> None:
    """Put a slot into the heap of `size` slots that begins `at`."""
    rise(slots, at, size, end_s, row, line)


@part
def drop_first(slots: Array, at: int, size: int) -> None:
    """Remove the first slot of the heap of `size` slots that begins `at`.

    The gap sinks to the bottom, and the last slot rises from there: it seldom has to go far.
    """
    last = size - 1
    place, child = 0, 1
    while child < last:
        other = min(child + 1, last - 1)
        child += int(sooner(slots, at + other, slots[at + child, END], slots[at + child, ROW]))
        copy_call(slots, at + place, at + child)
        place, child = child, 2 * child + 1
    rise(slots, at, place, slots[at + last, END], slots[at + last, ROW], slots[at + last, LINE])
