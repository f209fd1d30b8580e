"""What kernels work on: named tuples of arrays and numbers, and what the columns of their tables mean."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = Any
"""A numpy array; kernels are typed when they are compiled."""

END, ROW, LINE, EXPIRY = range(4)
"""Of a slot, float64: the end of the instance's last call, that call's row, the instance's line, and, while it is idle,
until when a call finds it there."""

CALL_ROW, CALL_LINE = range(2)
"""Of a busy instance, int64: the row of its call, its line; when the call ends is kept apart."""

(
    UNIT, GROUP, IDLE_AT, IDLE_ROOM, IDLE, BUSY_AT, BUSY_ROOM, BUSY, RUNS, CALLED, MADE, UNASKED, LAST, RUNNING,
    DECISIONS, COMING,
) = range(16)  # fmt: skip
"""Of functions and units, int64, a row a function. Of each: its unit, by the first function of it; calls so far. Of a
unit, in the row of its first function: its group, what learns together, likewise; where its idle instances lie, for how
many there is room, how many there are; how many serve or start; how many there have been, and how many of them that no
call made; the line that the last call took (round robin); how many replacements of held instances start that no call
has. Of a group, likewise: where its busy instances lie, for how many there is room, how many there are; calls that wait
or run; decisions of its rule so far."""
UNIT_WIDTH: Final = 16

SINCE, START_AT, DUE, KEEP_UNTIL, READY_AT, STARTING, KEPT_UNTIL = range(7)
"""Of units and groups under a rule, float64. Of a group: when it last had no call (NaN: not yet). Of a unit: when the
planned prewarm is to start (infinity: there is no plan), when it is due, until when it is kept; when the prewarmed
instance is ready that nobody waits for (infinity: there is none), its line, until when it is kept."""

FUNCTION, OWNER, NAME, START, AWAITED = range(5)
"""Of an instance, int64: the function whose call made it, its unit, its name; which call of its function that was;
whether a call waited for it."""
CREATED, READY, IDLE_SINCE, ENDED, RETIRE, HANDLER, LOADED = range(7)
"""Of an instance, float64, seconds: see `Instances`; then when its life is over, how long its first call loads the
handler, and when that is done (infinity: it has not been called)."""

NOTED_LOADING, NOTED_PREWARMED, NOTED_HELD = range(3)
"""Lists of rows, see `Requests`."""

(
    CALLS, BUSY_S, IDLE_S, BILLED_S, COLD, WAIT_S, COLD_WAIT_S, QUEUED, REJECTED, CUT, PREWARMED, LATENCY_S, HELD_CALLS,
    HELD_BILLED_S,
) = range(14)  # fmt: skip
"""What the calls of a function add up to, float64: counted calls; busy seconds; idle seconds that a call ended; seconds
billed on demand; cold ones; seconds waited, by cold calls; counts; seconds from arrival to end; calls on held
instances, and seconds billed for these."""
SUM_WIDTH: Final = 16

LINES, LATENCIES, LOADING, PREWARMED_ROWS, HELD_ROWS, IDLE_USED, BUSY_USED, REFUSED = range(8)
"""How many there are so far, int64: lines, latencies, and rows of each kind; how much of the slots is used; whether a
rule decided what no platform can apply."""

CHOICES: Final = (
    "most_recently_idle", "least_recently_idle", "random", "newest_created", "oldest_created", "least_connections",
    "power_of_two", "round_robin", "by_concurrency",
)  # fmt: skip
MOST_RECENT, LEAST_RECENT, RANDOM, NEWEST, OLDEST, LEAST_CONNECTIONS, POWER_OF_TWO, ROUND_ROBIN, BY_CONCURRENCY = range(
    9
)


ALL: Final = np.empty(0, np.uint32)
"""Of calls: all of them."""


class Calls(NamedTuple):
    """What arrives, pings among it, in order.

    Attributes:
        function: uint32[n]
        arrival_s, service_s, duration_s: float64[n]; `service_s` is cut at the time-out.
        number: int64[n], the row of each; empty if it is its place.
        windows_s: float64[n], the window of the instance that each leaves idle; empty if all have one.
        timeout_s: float64[F]
        rows: calls of the trace; what has a row from there on is a ping.
        own: uint32[m], the places of those that are replayed; empty: all.
    """

    function: Array
    arrival_s: Array
    service_s: Array
    duration_s: Array
    number: Array
    windows_s: Array
    timeout_s: Array
    rows: int
    own: Array = ALL


class Terms(NamedTuple):
    """What holds for all calls; `Platform` and `PriceBook` say what the words mean.

    Attributes:
        window_s: of idle instances, unless calls or a rule have their own.
        choice: place in `CHOICES`.
        cap: instances of a unit.
        lives: whether they are limited.
        late: whether a phase of starts is the load of the handler.
        traced_loads: whether it matters to any but the call that makes an instance.
        from_s, to_s: the measured span.
        step_s, minimum_s: billing.
        record: keep a row a call.
        held: instances of each unit that are always there.
        renews: whether they have to be replaced, their life being limited.
        learns, draws, lead_s: whether a rule decides; whether on a uniform; `prewarm_lead_s`.
    """

    window_s: float
    choice: int
    cap: float
    lives: bool
    late: bool
    traced_loads: bool
    from_s: float
    to_s: float
    step_s: float
    minimum_s: float
    record: bool
    held: int
    renews: bool
    learns: bool
    draws: bool
    lead_s: float


class Draws(NamedTuple):
    """What random numbers come from (see `StartDraws` and `Lifetimes`).

    Attributes:
        key: uint64[F, 2 P + 3], the streams of the P phases of starts that calls ask for, of those of others, then of
            lives, choices and the rule.
        table: int64[F, P]
        affine: float64[F, 2 P], the offsets of all phases, then their scales.
        tables: float64[T, CELLS + 1]
        life: float64[CELLS + 1]; of one entry: the life of all.
        billed: bool[P], the phases that are billed.
    """

    key: Array
    table: Array
    affine: Array
    tables: Array
    life: Array
    billed: Array


class State(NamedTuple):
    """Where a replay stands between two blocks of calls.

    Attributes:
        units: int64[F, UNIT_WIDTH]
        plans: float64[F, 7], see `SINCE`; without a rule, of no length.
        coming: int64[F, h], the lines of the h replacements of a floor that start and that no call has, in order.
        due_s: float64[F], nothing happens to a unit's floor before.
        learnt: float64[F, S + 1], what a rule remembers of each group, and 1 once it has raised anything.
        idle: float64[., 4], slots in order.
        ends, busy: float64[.] and int64[., 2], heaps by (end, row).
        count: int64[8]
    """

    units: Array
    plans: Array
    coming: Array
    due_s: Array
    learnt: Array
    idle: Array
    ends: Array
    busy: Array
    count: Array


class Lines(NamedTuple):
    """Instances, a line each, in the order in which the kernel meets them.

    Attributes:
        number: int64[m, 5], see `FUNCTION`.
        time_s: float64[m, 7], see `CREATED`.
    """

    number: Array
    time_s: Array


class Out(NamedTuple):
    """What is told of calls; the first six have room for a row a call if that is recorded.

    Attributes:
        start_s, end_s, idle_since_s: float64
        start_kind, outcome: int8
        instance: int64
        latency_s: float64, of the counted calls that started, in any order.
        bins: int64[COUNT] of `sim.results.latency_bins`, which counts latencies instead; empty if all are kept.
        noted: int64[3, n], see `NOTED_LOADING`; only of recorded calls.
        loading_s: float64[n], see `Requests`.
        sums: float64[F, SUM_WIDTH], of the calls of the trace.
        refused: float64[3], the decision that no platform can apply.
    """

    start_s: Array
    end_s: Array
    idle_since_s: Array
    start_kind: Array
    outcome: Array
    instance: Array
    latency_s: Array
    bins: Array
    noted: Array
    loading_s: Array
    sums: Array
    refused: Array


class Run(NamedTuple):
    """All of a replay."""

    calls: Calls
    terms: Terms
    draws: Draws
    state: State
    lines: Lines
    out: Out


class Served(NamedTuple):
    """A call that starts.

    Attributes:
        row: its own.
        line: of its instance.
        start_s, end_s: its execution.
        idle_since_s: start of the idle period of the instance that it ends, or NaN.
        kind: see `START_KINDS`.
        execution_s: seconds that it runs, the load of its handler among them.
        held: whether it runs on an instance that is held.
        cut: whether its time-out ends it.
    """

    row: int
    line: int
    start_s: float
    end_s: float
    idle_since_s: float
    kind: int
    execution_s: float
    held: bool
    cut: bool
