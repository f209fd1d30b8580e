"""What kernels work on: named tuples of arrays and numbers, and what the columns of their tables mean."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

Array: TypeAlias = Any
"""A numpy array; kernels are typed when they are compiled."""

END, ROW, LINE, EXPIRY = range(4)
"""Of a slot, float64: the end of the instance's last call, that call's row, the instance's line, and, while it is idle,
until when a call finds it there."""

IDLE_AT, IDLE_ROOM, IDLE, BUSY_AT, BUSY_ROOM, BUSY, RUNS, MADE, UNASKED = range(9)
"""Of a unit, int64: where its idle instances lie, for how many there is room, how many there are; the same of busy ones
(of its group, if units learn together); how many of them are its own; how many instances, and how many of them that no
call made, there have been."""
UNIT_WIDTH: Final = 16

CALLS, BUSY_S, IDLE_S, BILLED_S, COLD, WAIT_S, COLD_WAIT_S, APART, QUEUED, REJECTED, CUT, PREWARMED = range(12)
"""What the calls of a function add up to, float64: counted calls; busy seconds; idle seconds that a call ended; billed
seconds; cold ones; seconds waited, by cold calls; calls that started and are billed apart; and counts."""
SUM_WIDTH: Final = 16

LINES, LATENCIES, LOADING, PREWARMED_ROWS, HELD_ROWS, IDLE_USED, BUSY_USED, REFUSED = range(8)
"""How many there are so far, int64: lines, latencies, and rows of each kind; how much of the slots is used; whether a
rule decided what no platform can apply."""

CHOICES: Final = (
    "most_recently_idle", "least_recently_idle", "random", "newest_created", "oldest_created", "least_connections",
    "power_of_two", "round_robin",
)  # fmt: skip
MOST_RECENT, LEAST_RECENT, RANDOM, NEWEST, OLDEST, LEAST_CONNECTIONS, POWER_OF_TWO, ROUND_ROBIN = range(8)


class Calls(NamedTuple):
    """What arrives, pings among it, in order.

    Attributes:
        function: int32[n]
        arrival_s, service_s, duration_s: float64[n]; `service_s` is cut at the time-out.
        number: int64[n], the row of each; empty if it is its place.
        windows_s: float64[n], the window of the instance that each leaves idle; empty if all have one.
        unit, group: int32[F], the first function of what shares instances, and of what learns together.
        timeout_s: float64[F]
        rows: calls of the trace; what has a row from there on is a ping.
    """

    function: Array
    arrival_s: Array
    service_s: Array
    duration_s: Array
    number: Array
    windows_s: Array
    unit: Array
    group: Array
    timeout_s: Array
    rows: int


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
    learns: bool
    draws: bool
    lead_s: float


class Draws(NamedTuple):
    """What random numbers come from (see `StartDraws` and `Lifetimes`).

    Attributes:
        key, unasked_key: uint64[F, P], of starts that calls ask for, and of others.
        table: int64[F, P]
        scale, offset: float64[F, P]
        tables: float64[T, CELLS + 1]
        life: float64[CELLS + 1]; of one entry: the life of all.
        life_key, choice_key, rule_key: uint64[F]
    """

    key: Array
    unasked_key: Array
    table: Array
    scale: Array
    offset: Array
    tables: Array
    life: Array
    life_key: Array
    choice_key: Array
    rule_key: Array


class State(NamedTuple):
    """Where a replay stands between two blocks of calls.

    Attributes:
        units: int64[F, UNIT_WIDTH]
        called: int64[F], calls so far.
        last: int64[F], the line that the unit's last call took (round robin).
        idle, busy: float64[., 4], slots; idle ones in order, busy ones as heaps by (end, row).
        count: int64[8]
    """

    units: Array
    called: Array
    last: Array
    idle: Array
    busy: Array
    count: Array


class Lines(NamedTuple):
    """Instances, a line each, in the order in which the kernel meets them; room for as many as there can be.

    Attributes:
        function, unit: int32
        name, start: int64, the name and, if a call made it, which call of its function that was.
        created_s, ready_s, idle_since_s, ended_s: float64, see `Instances`.
        awaited: bool
        retire_s: float64, when its life is over.
        handler_s, loaded_s: float64, how long its first call loads the handler; when that is done, infinity before.
    """

    function: Array
    unit: Array
    name: Array
    start: Array
    created_s: Array
    ready_s: Array
    idle_since_s: Array
    ended_s: Array
    awaited: Array
    retire_s: Array
    handler_s: Array
    loaded_s: Array


class Out(NamedTuple):
    """What is told of calls; the first six have room for a row a call if that is recorded.

    Attributes:
        start_s, end_s, idle_since_s: float64
        start_kind, outcome: int8
        instance: int64
        latency_s: float64, of the counted calls that started, in any order.
        loading, loading_s: int64, float64: see `Requests`.
        prewarmed, held: int64: see `Requests`.
        sums: float64[F, SUM_WIDTH], of calls of the trace; then, as many, of pings.
        refused: float64[3], the decision that no platform can apply.
    """

    start_s: Array
    end_s: Array
    idle_since_s: Array
    start_kind: Array
    outcome: Array
    instance: Array
    latency_s: Array
    loading: Array
    loading_s: Array
    prewarmed: Array
    held: Array
    sums: Array
    refused: Array


class Learnt(NamedTuple):
    """What a rule has learnt, and what it plans; a row a group, or a unit.

    Attributes:
        state: float64[F, S]
        running, decisions: int64[F], calls that wait or run; decisions so far.
        idle_since_s: float64[F], NaN before the first call has ended.
        plan: float64[F, 3], of units: when the prewarmed instance is to start (infinity: no plan), when it is due, and
            until when it is kept.
        starting: float64[F, 3], of units: when the prewarmed instance is ready that nobody waits for (infinity: there
            is none), its line, and until when it is kept.
    """

    state: Array
    running: Array
    decisions: Array
    idle_since_s: Array
    plan: Array
    starting: Array


class Run(NamedTuple):
    """All of a replay."""

    calls: Calls
    terms: Terms
    draws: Draws
    state: State
    lines: Lines
    out: Out
    learnt: Learnt


class Served(NamedTuple):
    """A call that starts.

    Attributes:
        row: its own.
        line: of its instance.
        start_s, end_s: its execution.
        idle_since_s: start of the idle period of the instance that it ends, or NaN.
        kind: see `START_KINDS`.
        apart: whether it is billed outside of the kernel.
        cut: whether its time-out ends it.
    """

    row: int
    line: int
    start_s: float
    end_s: float
    idle_since_s: float
    kind: int
    apart: bool
    cut: bool
