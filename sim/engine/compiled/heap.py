"""Busy instances of a group: a binary heap of slots by (end, row), the next to end first."""

from __future__ import annotations

from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import END, LINE, ROW, Array


@part
def push(slots: Array, at: int, size: int, end_s: float, row: float, line: float) -> None:
    """Put a slot into the heap of `size` slots that begins `at`."""
    place = size
    while place:
        parent = (place - 1) >> 1
        above = at + parent
        if end_s < slots[above, END] or (end_s == slots[above, END] and row < slots[above, ROW]):
            below = at + place
            slots[below, END] = slots[above, END]
            slots[below, ROW] = slots[above, ROW]
            slots[below, LINE] = slots[above, LINE]
            place = parent
        else:
            break
    slots[at + place, END], slots[at + place, ROW], slots[at + place, LINE] = end_s, row, line


@part
def drop_first(slots: Array, at: int, size: int) -> None:
    """Remove the first slot of the heap of `size` slots that begins `at`."""
    last = size - 1
    end_s, row = slots[at + last, END], slots[at + last, ROW]
    line = slots[at + last, LINE]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= last:
            break
        below = at + child
        if child + 1 < last and (
            slots[below + 1, END] < slots[below, END]
            or (slots[below + 1, END] == slots[below, END] and slots[below + 1, ROW] < slots[below, ROW])
        ):
            below, child = below + 1, child + 1
        if slots[below, END] < end_s or (slots[below, END] == end_s and slots[below, ROW] < row):
            above = at + place
            slots[above, END] = slots[below, END]
            slots[above, ROW] = slots[below, ROW]
            slots[above, LINE] = slots[below, LINE]
            place = child
        else:
            break
    slots[at + place, END], slots[at + place, ROW], slots[at + place, LINE] = end_s, row, line
