"""What the kernels of tallies work on."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.layout import Array, Draws, Terms

(
    CALLS, COLD, REJECTED, CUT, STARTS, BUSY_S, IDLE_S, LEFT_IDLE_S, STARTING_S, WAIT_S, LATENCY_S, BILLED_S,
) = range(12)  # fmt: skip
"""What the calls and instances of a function add up to, float64. Counted calls, and those that were cold, rejected, cut
by a time-out. Instances made inside the span. Seconds inside it busy, idle until a call came, idle until the instance
ended, starting. Of the counted calls, seconds waited, from arrival to end, billed."""
WIDTH: Final = 12

BLOCK: Final = 4096
"""Calls served at a time: their times stay in the first cache."""
AT_ONCE: Final = 1 << 19
"""Calls of a cell drawn at a time, at most: of larger ones a part of the minute after another."""

HEAD, TAIL, HEAPED, IDLE, CALLED = range(5)
"""Of the open function, int64: the first of the ring and the place behind its last, both counted on and on; how many
ends the heap has, how many the stack; calls so far."""

FUNCTION_AT, ROW_AT, MADE_AT, PART_AT, PARTS, CALLS_NOW, OPEN, CALL_AT, STOP_AT, NAMED = range(10)
"""Where a pass stands, int64: place among the chosen functions, cell or call, and calls of the cell so far; which part
of its minute is drawn next, and of how many (0: not known yet); calls in this pass. And where instances are kept:
whether that function has begun; from which call to which there are any to be served; calls so far."""


def at_first() -> npt.NDArray[np.int64]:
    """Where a pass begins."""
    return np.zeros(10, np.int64)


class Queues(NamedTuple):
    """The instances of the open function, by the ends of their last calls.

    Attributes:
        at: int64[5], see `HEAD`.
        ring: float64[2**k], busy ones whose ends came in ascending order.
        heap: float64[2**k + 3], the other busy ones, see `sim.engine.compiled.tally.ends`.
        stack: float64[2**k], idle ones, ascending.
    """

    at: Array
    ring: Array
    heap: Array
    stack: Array


class Tallied(NamedTuple):
    """All of a pass.

    Attributes:
        terms, draws: see `sim.engine.compiled.layout`.
        timeout_s: float64[F]
        queues: where the open function stands.
        sums: float64[F, WIDTH]
        bins: int64[COUNT] of `sim.results.latency_bins`, latencies of the counted calls that started.
        latency_s: float64[n], the latency of each call, negative if it does not count or did not start; empty if only
            the histogram is wanted.
    """

    terms: Terms
    draws: Draws
    timeout_s: Array
    queues: Queues
    sums: Array
    bins: Array
    latency_s: Array


class Cells(NamedTuple):
    """Counts a minute, function by function, and how calls are made of them (see `CountSource`).

    Attributes:
        begin: int64[F + 1], where the cells of each function begin.
        minute: int32[c]
        count: int64[c]
        label: int64[minutes]
        average_s: float64[F]; of per_minute durations float64[c].
        quantiles_s: float64[F, 7]
        arrival_key, duration_key: uint64[F]
        scattered: whether arrivals are drawn.
        durations: place in `DURATIONS`.
    """

    begin: Array
    minute: Array
    count: Array
    label: Array
    average_s: Array
    quantiles_s: Array
    arrival_key: Array
    duration_key: Array
    scattered: bool
    durations: int


class Columns(NamedTuple):
    """Calls, function by function.

    Attributes:
        first, stop: int64[f], where the calls of each chosen function lie.
        arrival_s, duration_s: float64[n]
    """

    first: Array
    stop: Array
    arrival_s: Array
    duration_s: Array


DURATIONS: Final = ("mean", "per_minute", "percentiles")
MEAN, PER_MINUTE, PERCENTILES = range(3)


class Drawn(NamedTuple):
    """Where calls of one cell are made; m is the most that are made at a time, and no less than `BLOCK`.

    Attributes:
        arrival_s, duration_s: float64[m]
        number: int32[m], of each call in its cell.
        bucket: int32[m + 1]
        spare_s: float64[m]
        spare: int32[m]
        filled: int64[2], whose average fills `duration_s` (-1: nobody's), and how much of it.
    """

    arrival_s: Array
    duration_s: Array
    number: Array
    bucket: Array
    spare_s: Array
    spare: Array
    filled: Array
