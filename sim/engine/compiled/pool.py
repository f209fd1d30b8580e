"""The instances of a unit: how they start, become idle and end."""

from __future__ import annotations

from math import inf, nan

from sim.engine.compiled.choice import copy_slot, put_idle
from sim.engine.compiled.draws import life_s
from sim.engine.compiled.heap import drop_first
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import (
    BUSY,
    BUSY_AT,
    BUSY_ROOM,
    BUSY_USED,
    END,
    IDLE,
    IDLE_AT,
    IDLE_ROOM,
    IDLE_USED,
    LINE,
    LINES,
    MADE,
    ROW,
    RUNS,
    Array,
    Run,
    State,
)


@part
def expires_s(run: Run, line: int, end_s: float, until_s: float) -> float:
    """Until when a call finds an instance that is idle since `end_s` and may stay `until_s`."""
    if run.terms.lives and until_s > run.lines.retire_s[line]:
        return float(max(run.lines.retire_s[line], end_s))
    return until_s


@part
def settle(run: Run, unit: int, until_s: float) -> None:
    """Calls of a unit that have ended by now leave their instances idle, in order of (end, row)."""
    units, terms, windows_s = run.state.units, run.terms, run.calls.windows_s
    busy = run.state.busy
    first, count = units[unit, BUSY_AT], units[unit, BUSY]
    while count and busy[first, END] <= until_s:
        end_s, row, line = busy[first, END], busy[first, ROW], busy[first, LINE]
        drop_first(busy, first, count)
        count -= 1
        window_s = windows_s[int(row)] if windows_s.size else terms.window_s
        if terms.held and run.lines.name[int(line)] < 0:
            window_s = inf
        expiry_s = expires_s(run, int(line), end_s, end_s + window_s)
        put_idle(run, unit, end_s, row, line, expiry_s)
    units[unit, BUSY] = units[unit, RUNS] = count


@part
def new_line(run: Run, function: int, unit: int, name: int, now_s: float) -> int:
    """An instance begins to start."""
    state, lines, terms = run.state, run.lines, run.terms
    line = int(state.count[LINES])
    state.count[LINES] += 1
    lines.function[line], lines.unit[line], lines.name[line] = function, unit, name
    lines.created_s[line], lines.awaited[line] = now_s, True
    lines.idle_since_s[line], lines.ended_s[line] = nan, inf
    if terms.lives:
        lines.retire_s[line] = now_s + life_s(run.draws, unit, state.units[unit, MADE])
        state.units[unit, MADE] += 1
    if terms.traced_loads:
        lines.loaded_s[line] = inf
    return line


@part
def has_room(run: Run, unit: int) -> bool:
    """See to it that a unit has room for one more instance, idle or busy; false if all slots are taken."""
    state, group = run.state, run.calls.group[unit]
    units = state.units
    most = units[unit, IDLE] + units[unit, RUNS] + 2  # a call's and a prewarmed one
    if most > units[unit, IDLE_ROOM] and not move(state, state.idle, unit, IDLE_AT, IDLE_USED, most):
        return False
    most = units[group, BUSY] + 1
    return most <= units[group, BUSY_ROOM] or move(state, state.busy, group, BUSY_AT, BUSY_USED, most)


@part
def move(state: State, slots: Array, unit: int, column: int, used: int, most: int) -> bool:
    """Move a unit's slots to where there is more room, if there is; `column` and the next two are about them."""
    units = state.units
    at, room, count = units[unit, column], units[unit, column + 1], units[unit, column + 2]
    new_at, new_room = state.count[used], max(2 * room, most)
    if new_at + new_room > slots.shape[0]:
        return False
    for place in range(count):
        copy_slot(slots, new_at + place, at + place)
    units[unit, column], units[unit, column + 1] = new_at, new_room
    state.count[used] = new_at + new_room
    return True
