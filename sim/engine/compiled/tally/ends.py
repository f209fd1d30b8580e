"""A heap of ends, the next one first: each has four children, and infinity stands behind the last one.

Four, because half as many levels count for more than two further comparisons, of numbers that lie side by side.
"""

from __future__ import annotations

from math import inf

from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import Array


@part
def rise(ends: Array, place: int, end_s: float) -> None:
    """Put an end where it belongs on the way from a free place to the top."""
    while place:
        parent = (place - 1) >> 2
        if ends[parent] <= end_s:
            break
        ends[place] = ends[parent]
        place = parent
    ends[place] = end_s


@part
def push(ends: Array, size: int, end_s: float) -> None:
    """Put an end into a heap of so many."""
    ends[size + 1] = ends[size + 2] = ends[size + 3] = inf
    rise(ends, size, end_s)


@part
def drop_first(ends: Array, size: int) -> None:
    """Remove the first end of so many.

    The gap sinks to the bottom, without a branch since nobody can foretell which child is the least, and the last end
    rises from there: it seldom has to go far.
    """
    last = size - 1
    end_s, place, child = ends[last], 0, 1
    ends[last] = inf
    while child < last:
        left = child + int(ends[child + 1] < ends[child])
        right = child + 2 + int(ends[child + 3] < ends[child + 2])
        child = right if ends[right] < ends[left] else left
        ends[place] = ends[child]
        place, child = child, 4 * child + 1
    if last:
        rise(ends, place, end_s)
