"""The instances of a unit: how they start, become idle and end."""

from __future__ import annotations

from math import inf, nan

from sim.engine.compiled.choice import copy_slot, put_idle
from sim.engine.compiled.draws import life_s, start_up_s
from sim.engine.compiled.heap import copy_busy, drop_first
from sim.engine.compiled.jit import part, unsigned
from sim.engine.compiled.layout import (
    AWAITED,
    BUSY,
    BUSY_AT,
    BUSY_ROOM,
    BUSY_USED,
    CALL_LINE,
    CALL_ROW,
    CREATED,
    ENDED,
    FUNCTION,
    GROUP,
    HANDLER,
    IDLE,
    IDLE_AT,
    IDLE_ROOM,
    IDLE_SINCE,
    IDLE_USED,
    LINES,
    LOADED,
    MADE,
    NAME,
    OWNER,
    READY,
    RETIRE,
    RUNS,
    START,
    UNASKED,
    Run,
    State,
)


@part
def expires_s(run: Run, line: int, end_s: float, until_s: float) -> float:
    """Until when a call finds an instance that is idle since `end_s` and may stay `until_s`."""
    if run.terms.lives and until_s > run.lines.time_s[line, RETIRE]:
        return float(max(run.lines.time_s[line, RETIRE], end_s))
    return until_s


@part
def leave(run: Run, unit: int, end_s: float, row: int, line: int) -> float:
    """A call has ended and its instance is idle; returns until when a call finds it there."""
    terms, windows_s = run.terms, run.calls.windows_s
    window_s = windows_s[unsigned(row)] if windows_s.size else terms.window_s
    if terms.held and run.lines.number[line, NAME] < 0:
        window_s = inf
    expiry_s = expires_s(run, unsigned(line), end_s, end_s + window_s)
    put_idle(run, unit, end_s, float(row), float(line), expiry_s)
    return expiry_s


@part
def settle(run: Run, unit: int, until_s: float) -> None:
    """Calls of a unit that have ended by now leave their instances idle, in order of (end, row)."""
    units, ends, busy = run.state.units, run.state.ends, run.state.busy
    first, count = units[unit, BUSY_AT], units[unit, BUSY]
    top = unsigned(first)
    while count and ends[top] <= until_s:
        end_s, row, line = ends[top], busy[top, CALL_ROW], busy[top, CALL_LINE]
        drop_first(run.state, first, count)
        count -= 1
        leave(run, unit, end_s, row, line)
    units[unit, BUSY] = units[unit, RUNS] = count


@part
def new_line(run: Run, function: int, unit: int, name: int, now_s: float) -> int:
    """An instance begins to start."""
    state, number, time_s = run.state, run.lines.number, run.lines.time_s
    line = int(state.count[LINES])
    state.count[LINES] += 1
    number[line, FUNCTION], number[line, OWNER], number[line, NAME] = function, unit, name
    number[line, AWAITED] = 1
    time_s[line, CREATED], time_s[line, IDLE_SINCE], time_s[line, ENDED] = now_s, nan, inf
    time_s[line, LOADED] = inf
    if run.terms.lives:
        time_s[line, RETIRE] = now_s + life_s(run.draws, unit, state.units[unit, MADE])
        state.units[unit, MADE] += 1
    return line


@part
def start(run: Run, function: int, unit: int, k: int, name: int, now_s: float) -> int:
    """An instance begins its start number `k`, asked for by the call that it is named after, or by none; its line."""
    up_s, handler_s = start_up_s(run.draws, run.terms, function, k, name >= 0)
    line = new_line(run, function, unit, name, now_s)
    run.lines.number[line, START] = k
    run.lines.time_s[line, READY], run.lines.time_s[line, HANDLER] = now_s + up_s, handler_s
    return line


@part
def start_unasked(run: Run, function: int, unit: int, now_s: float) -> int:
    """An instance that no call asked for begins to start; returns its line."""
    k = run.state.units[unit, UNASKED]
    run.state.units[unit, UNASKED] += 1
    return int(start(run, function, unit, k, -1 - k, now_s))


@part
def has_room(run: Run, unit: int) -> bool:
    """See to it that a unit has room for one more instance, idle or busy; false if all that there is is taken."""
    state, units = run.state, run.state.units
    if state.count[LINES] + units.shape[0] + 2 > run.lines.number.shape[0]:  # in the end each unit may prewarm one
        return False
    group = unsigned(units[unit, GROUP])
    most = units[unit, IDLE] + units[unit, RUNS] + 2  # a call's and a prewarmed one
    if most > units[unit, IDLE_ROOM] and not move(state, unit, IDLE_AT, IDLE_USED, most):
        return False
    most = units[group, BUSY] + 1
    return most <= units[group, BUSY_ROOM] or move(state, group, BUSY_AT, BUSY_USED, most)


@part
def move(state: State, unit: int, column: int, used: int, most: int) -> bool:
    """Move a unit's slots to where there is more room, if there is; `column` and the next two are about them."""
    units = state.units
    at, room, count = units[unit, column], units[unit, column + 1], units[unit, column + 2]
    new_at, new_room = state.count[used], max(2 * room, most)
    if new_at + new_room > (state.idle.shape[0] if column == IDLE_AT else state.ends.size):
        return False
    for place in range(count):
        if column == IDLE_AT:
            copy_slot(state.idle, new_at + place, at + place)
        else:
            copy_busy(state, new_at + place, at + place)
    units[unit, column], units[unit, column + 1] = new_at, new_room
    state.count[used] = new_at + new_room
    return True
