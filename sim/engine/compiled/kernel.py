"""The loop over the calls of a trace.

Functions do not interact, so nothing is put on a calendar: what happens to a unit between two of its calls is worked
out at the second one, in the calendar's order. Calls are taken in order of arrival, whatever their functions: their
columns are read and written from front to back, and instances are met in order of creation.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

from sim.engine.compiled.choice import choose, end_idle, put_idle
from sim.engine.compiled.draws import phase_s
from sim.engine.compiled.floor import claimed_held, settle_floor
from sim.engine.compiled.heap import push
from sim.engine.compiled.jit import SOURCES, entry, part, signed, unsigned
from sim.engine.compiled.layout import (
    AWAITED,
    BILLED_S,
    BUSY,
    BUSY_AT,
    BUSY_S,
    CALLED,
    CALLS,
    COLD,
    COLD_WAIT_S,
    CUT,
    END,
    GROUP,
    HANDLER,
    HELD_BILLED_S,
    HELD_CALLS,
    HELD_ROWS,
    IDLE,
    IDLE_AT,
    IDLE_S,
    LAST,
    LATENCIES,
    LATENCY_S,
    LINE,
    LINES,
    LOADED,
    LOADING,
    NAME,
    NOTED_HELD,
    NOTED_LOADING,
    NOTED_PREWARMED,
    PREWARMED,
    PREWARMED_ROWS,
    QUEUED,
    READY,
    REJECTED,
    ROUND_ROBIN,
    RUNS,
    START,
    UNASKED,
    UNIT,
    WAIT_S,
    Run,
    Served,
)
from sim.engine.compiled.learning import arrived, claimed, ended, settle_learning, wake
from sim.engine.compiled.pool import expires_s, has_room, new_line, settle, start, start_unasked
from sim.engine.compiled.sums import billed_s, billed_start_s, count_latency, inside_s
from sim.results import columns as told

WARM, COLD_KIND, QUEUED_KIND, NOT_STARTED = told.WARM, told.COLD, told.QUEUED, told.NOT_STARTED
OK, REJECTED_OUTCOME, TIMED_OUT, NO_INSTANCE = told.OK, told.REJECTED, told.TIMED_OUT, told.NO_INSTANCE


@part
def loaded_end_s(run: Run, i: int, row: int, line: int, start_s: float) -> tuple[float, float, bool]:
    """When a call ends that may have to load its instance's handler, or to wait for the rest of a load.

    Returns:
        The end, the seconds that it runs, and whether the time-out cut it because of a load.
    """
    time_s, service_s = run.lines.time_s, run.calls.service_s[i]
    load_s = time_s[line, LOADED] - start_s
    if time_s[line, LOADED] == inf:
        load_s = time_s[line, HANDLER]
        time_s[line, LOADED] = start_s + load_s
    loaded_s = time_s[line, LOADED]
    if not run.terms.late or loaded_s <= start_s:
        return start_s + service_s, service_s, False
    timeout_s = run.calls.timeout_s[run.calls.function[i]]
    end_s, latest_s = loaded_s + service_s, start_s + timeout_s
    cut = end_s > latest_s
    execution_s = timeout_s if cut else load_s + service_s
    if run.terms.record:
        place, count = run.state.count[LOADING], run.state.count
        count[LOADING] += 1
        run.out.noted[NOTED_LOADING, place], run.out.loading_s[place] = row, execution_s
    return latest_s if cut else end_s, execution_s, cut


@part
def bill(run: Run, function: int, served: Served) -> None:
    """Add what a counted call is billed, in seconds."""
    sums, time_s = run.out.sums[function], served.execution_s
    if served.held:
        sums[HELD_CALLS] += 1.0
        sums[HELD_BILLED_S] += billed_s(run.terms, time_s)
        return
    if served.kind == COLD_KIND:
        time_s += billed_start_s(run.draws, function, run.lines.number[served.line, START])
    sums[BILLED_S] += billed_s(run.terms, time_s)


@part
def add(run: Run, i: int, served: Served) -> None:
    """Add a call of the trace that starts to what those of its function add up to."""
    calls, terms, state, out = run.calls, run.terms, run.state, run.out
    sums, now_s = out.sums[calls.function[i]], calls.arrival_s[i]
    sums[BUSY_S] += inside_s(terms, served.start_s, served.end_s)
    if served.kind == WARM:
        sums[IDLE_S] += inside_s(terms, served.idle_since_s, served.start_s)
    if now_s < terms.from_s:
        return
    sums[CALLS] += 1.0
    bill(run, calls.function[i], served)
    if served.cut:
        sums[CUT] += 1.0
    if served.kind != WARM:
        wait_s = served.start_s - now_s
        sums[WAIT_S] += wait_s
        sums[COLD if served.kind == COLD_KIND else QUEUED] += 1.0
        if served.kind == COLD_KIND:
            sums[COLD_WAIT_S] += wait_s
    sums[LATENCY_S] += served.end_s - now_s
    if out.bins.size:
        count_latency(out.bins, served.end_s - now_s)
    else:
        out.latency_s[state.count[LATENCIES]] = served.end_s - now_s
        state.count[LATENCIES] += 1


@part
def record(run: Run, i: int, served: Served) -> None:
    """The row of a call that starts."""
    out = run.out
    out.start_s[i], out.end_s[i], out.idle_since_s[i] = served.start_s, served.end_s, served.idle_since_s
    out.start_kind[i], out.outcome[i] = served.kind, TIMED_OUT if served.cut else OK
    out.instance[i] = run.lines.number[served.line, NAME]


@part
def begin(run: Run, i: int, served: Served) -> None:
    """A call runs on an instance, from its start to its end."""
    units = run.state.units
    unit = unsigned(units[run.calls.function[i], UNIT])
    group = unsigned(units[unit, GROUP])
    push(run.state, units[group, BUSY_AT], units[group, BUSY], served.end_s, served.row, served.line)
    units[group, BUSY] += 1
    units[unit, RUNS] += 1
    if served.row < run.calls.rows:
        add(run, i, served)
    if run.terms.record:
        record(run, i, served)


@part
def reject(run: Run, i: int, row: int) -> None:
    """A call that finds no room never starts."""
    out, calls = run.out, run.calls
    if run.terms.record:
        out.start_s[i] = out.end_s[i] = out.idle_since_s[i] = nan
        out.start_kind[i], out.outcome[i], out.instance[i] = NOT_STARTED, REJECTED_OUTCOME, NO_INSTANCE
    if row < calls.rows and calls.arrival_s[i] >= run.terms.from_s:
        out.sums[calls.function[i], CALLS] += 1.0
        out.sums[calls.function[i], REJECTED] += 1.0


@part
def note_unasked(run: Run, i: int, row: int, line: int) -> bool:
    """Note that a warm call runs on an instance that no call made; whether that is held."""
    state, calls, out = run.state, run.calls, run.out
    if run.lines.number[line, NAME] >= 0:
        return False
    if run.lines.time_s[line, LOADED] == inf and row < calls.rows:
        if run.terms.record:
            out.noted[NOTED_PREWARMED, state.count[PREWARMED_ROWS]] = row
            state.count[PREWARMED_ROWS] += 1
        if calls.arrival_s[i] >= run.terms.from_s:
            out.sums[calls.function[i], PREWARMED] += 1.0
    if run.terms.held:
        note_held(run, row)
    return bool(run.terms.held > 0)


@part
def note_held(run: Run, row: int) -> None:
    """Note that a call runs on an instance that is held."""
    if run.terms.record:
        count = run.state.count
        run.out.noted[NOTED_HELD, count[HELD_ROWS]] = row
        count[HELD_ROWS] += 1


@part
def serve_warm(run: Run, i: int, row: int, place: int) -> None:
    """A call starts at once, on the idle instance of a slot."""
    calls, idle, now_s = run.calls, run.state.idle, run.calls.arrival_s[i]
    line = unsigned(int(idle[place, LINE]))
    service_s = calls.service_s[i]
    end_s, execution_s, held, cut = now_s + service_s, service_s, False, service_s < calls.duration_s[i]
    if run.terms.traced_loads:
        held = note_unasked(run, i, row, line)
        end_s, execution_s, load_cut = loaded_end_s(run, i, row, line, now_s)
        cut = cut or load_cut
    if run.terms.choice == ROUND_ROBIN:
        units = run.state.units
        units[units[calls.function[i], UNIT], LAST] = line
    begin(run, i, Served(row, line, now_s, end_s, idle[place, END], WARM, execution_s, held, cut))


@part
def launch(run: Run, i: int, row: int) -> int:
    """Start an instance for a call, or for a ping, which is no call to its unit; returns its line."""
    calls, units = run.calls, run.state.units
    function, now_s = calls.function[i], calls.arrival_s[i]
    if row >= calls.rows:
        return int(start_unasked(run, function, units[function, UNIT], now_s))
    return int(start(run, function, units[function, UNIT], units[function, CALLED], row, now_s))


@part
def serve_miss(run: Run, i: int, row: int, line: int) -> None:
    """A call starts when the instance of a line is ready, which starts for it or was to be prewarmed."""
    calls, lines = run.calls, run.lines
    start_s, service_s = lines.time_s[line, READY], calls.service_s[i]
    kind = COLD_KIND if lines.number[line, NAME] >= 0 else QUEUED_KIND
    cut = service_s < calls.duration_s[i]
    if run.terms.traced_loads:
        end_s, execution_s, load_cut = loaded_end_s(run, i, row, line, start_s)
        cut = cut or load_cut
    else:
        end_s = start_s + lines.time_s[line, HANDLER] + service_s
        execution_s = service_s + lines.time_s[line, HANDLER]
    held = kind == QUEUED_KIND and run.terms.held > 0
    if held:
        note_held(run, row)
    begin(run, i, Served(row, line, start_s, end_s, nan, kind, execution_s, held, cut))


@part
def serve(run: Run, i: int, row: int, unit: int) -> None:
    """A call comes."""
    calls, terms, state = run.calls, run.terms, run.state
    function = calls.function[i]
    place = choose(run, function, unit, calls.arrival_s[i])
    if place >= 0:
        serve_warm(run, i, row, unsigned(place))
    else:
        line = -1
        if terms.learns:
            line = claimed(run, unit)
        elif terms.renews:
            line = claimed_held(run, unit)
        if line < 0 and state.units[unit, RUNS] >= terms.cap:
            reject(run, i, row)
            if terms.learns:
                ended(state, state.units[unit, GROUP], calls.arrival_s[i])
        else:
            if line < 0:
                line = launch(run, i, row)
            serve_miss(run, i, row, line)
    if row < calls.rows:
        state.units[function, CALLED] += 1


@part
def come(run: Run, i: int, observe: Callable[..., Any], decide: Callable[..., Any]) -> bool:
    """What happens up to the arrival of a call, and that; false if there is no room for it yet."""
    calls, terms = run.calls, run.terms
    unit, now_s = unsigned(run.state.units[calls.function[i], UNIT]), calls.arrival_s[i]
    if not has_room(run, unit):
        return False
    if terms.learns:
        settle_learning(run, run.state.units[unit, GROUP], now_s, decide)
        wake(run, unit, now_s)
        arrived(run.state, unit, now_s, observe)
    elif terms.renews:
        if not settle_floor(run, unit, now_s):
            return False
    else:
        settle(run, unit, now_s)
    serve(run, i, calls.number[i] if calls.number.size else signed(i), unit)
    return True


@part
def finish(run: Run, first: int, stop: int, decide: Callable[..., Any]) -> bool:
    """No more calls of some units come: the last ones end, and their instances. False if there is no room yet."""
    units, idle, learns = run.state.units, run.state.idle, run.terms.learns
    for unit in range(first, stop):
        if learns:
            settle_learning(run, unit, inf, decide)
        elif run.terms.renews:
            if not settle_floor(run, unit, inf):
                return False
        else:
            settle(run, unit, inf)
    for unit in range(first, stop):
        if learns:
            wake(run, unit, inf)
        for place in range(units[unit, IDLE_AT], units[unit, IDLE_AT] + units[unit, IDLE]):
            end_idle(run.lines, idle, place)
    return True


@part
def hold(run: Run, first: int, stop: int) -> None:
    """Instances of some units that are always there are ready at time 0."""
    units, lines, terms = run.state.units, run.lines, run.terms
    last = run.draws.table.shape[1] - 1
    for unit in range(first, stop):
        if units[unit, UNIT] == unit:
            for k in range(terms.held):
                line = new_line(run, unit, unit, -1 - k, 0.0)
                lines.time_s[line, READY], lines.number[line, AWAITED] = 0.0, 0
                lines.time_s[line, HANDLER] = phase_s(run.draws, unit, last, k, False) if terms.late else 0.0
                units[unit, UNASKED] += 1
            for k in range(terms.held - 1, -1, -1):
                line = run.state.count[LINES] - terms.held + k
                put_idle(run, unit, 0.0, -1.0 - k, float(line), expires_s(run, line, 0.0, inf))


def _replayer(sources: str) -> Any:
    """What replays calls; it depends on `sources`, so that what is kept of older ones is not taken."""

    @entry
    def replay(run: Run, first: int, stop: int, observe: Callable[..., Any], decide: Callable[..., Any]) -> int:
        """Replay calls from a place up to another, of `own` ones if there are any.

        Returns:
            Where it stopped: before `stop` if there was no room.
        """
        own = run.calls.own
        if not len(sources):
            return first
        for k in range(first, stop):
            if not come(run, unsigned(own[k]) if own.size else unsigned(k), observe, decide):
                return k
        return stop

    return replay


def _opener(sources: str) -> Any:
    @entry
    def open_units(run: Run) -> None:
        """What there is before the first call."""
        if run.terms.held and len(sources):
            hold(run, 0, run.state.units.shape[0])

    return open_units


def _closer(sources: str) -> Any:
    @entry
    def close_units(run: Run, decide: Callable[..., Any]) -> bool:
        """What there is after the last call; false if there is no room for it yet: it may be asked again."""
        return finish(run, 0, run.state.units.shape[0] if len(sources) else 0, decide)

    return close_units


replay, open_units, close_units = _replayer(SOURCES), _opener(SOURCES), _closer(SOURCES)
