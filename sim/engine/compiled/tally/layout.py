"""What the kernels of tallies work on."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from sim.engine.compiled.layout import Array, Draws, Terms

(
    CALLS, COLD, QUEUED, PREWARMED, REJECTED, CUT, STARTS, ASKED_STARTS, BUSY_S, IDLE_S, LEFT_IDLE_S, STARTING_S,
    UNAWAITED_S, WAIT_S, COLD_WAIT_S, LATENCY_S, BILLED_S, HELD_CALLS, HELD_BILLED_S,
) = range(19)  # fmt: skip
"""What the calls and instances of a function add up to, float64: counted calls; those that were cold, queued, first of a
prewarmed instance, rejected, cut by a time-out; instances made inside the span, by whatever and by calls; seconds inside
it busy, idle until a call came, idle until the instance ended, starting, and that with nobody waiting; of the counted
calls, seconds waited, by cold ones, from arrival to end, billed on demand; and those that ran on held instances, with
the seconds billed for them."""
WIDTH: Final = 20

BLOCK: Final = 4096
"""Calls served at a time: their times stay in the first cache."""

HEAD, TAIL, HEAPED, IDLE, CALLED = range(5)
"""Of the open function, int64: the first of the ring and the place behind its last, both counted on and on; how many
ends the heap has, how many the stack; calls so far."""

FUNCTION_AT, ROW_AT = range(2)
"""Where a pass stands, int64: place among the chosen functions, cell or call."""


class Bins:
    """The bins of a histogram of seconds: 128 to each doubling, so that a bin's middle is within 0.4 % of all in it.

    They are the float64 numbers by their first bits, from 2**-20 s (0.95 µs) up to 2**24 s (194 days); what is shorter
    is in the first, what is longer in the last.
    """

    SHIFT: Final = 45
    LOWEST: Final = int(np.float64(2.0**-20).view(np.int64)) >> SHIFT
    COUNT: Final = (int(np.float64(2.0**24).view(np.int64)) >> SHIFT) - LOWEST


class Queues(NamedTuple):
    """The instances of the open function, by the ends of their last calls.

    Attributes:
        at: int64[5], see `HEAD`.
        ring: float64[2**k], busy ones whose ends came in ascending order.
        heap: float64[m], the other busy ones, as a binary heap.
        stack: float64[m], idle ones, ascending.
    """

    at: Array
    ring: Array
    heap: Array
    stack: Array


class Tallied(NamedTuple):
    """All of a pass.

    Attributes:
        terms, draws: see `sim.engine.compiled.layout`.
        billed: bool[P], the phases of a start that are billed.
        timeout_s: float64[F]
        queues: where the open function stands.
        sums: float64[F, WIDTH]
        bins: int64[Bins.COUNT], latencies of the counted calls that started.
    """

    terms: Terms
    draws: Draws
    billed: Array
    timeout_s: Array
    queues: Queues
    sums: Array
    bins: Array


class Cells(NamedTuple):
    """Counts a minute, function by function, and how calls are made of them (see `CountSource`).

    Attributes:
        begin: int64[F + 1], where the cells of each function begin.
        minute: int32[c]
        count: int64[c]
        label: uint64[minutes]
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
        begin: int64[f + 1], where the calls of each chosen function begin.
        arrival_s, duration_s: float64[n]
    """

    begin: Array
    arrival_s: Array
    duration_s: Array


DURATIONS: Final = ("mean", "per_minute", "percentiles")
MEAN, PER_MINUTE, PERCENTILES = range(3)


class Drawn(NamedTuple):
    """Where the calls of one cell are made; m is the most that a cell has, and no less than `BLOCK`.

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
