"""Instances that are held and whose life is limited: what `sim.platform.provisioner` does, in kernels.

Each is replaced when its life is over, by one that starts then. So what happens to a unit between two of its calls
depends on the order: calls end, replacements become ready, lives are over, and this for as many lives as go by.
"""

from __future__ import annotations

from math import inf

from sim.engine.compiled.choice import copy_slot, end_idle, put_idle
from sim.engine.compiled.heap import drop_first
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import (
    AWAITED,
    BUSY,
    BUSY_AT,
    CALL_LINE,
    CALL_ROW,
    COMING,
    EXPIRY,
    IDLE,
    IDLE_AT,
    LINE,
    NAME,
    READY,
    RUNS,
    Run,
)
from sim.engine.compiled.pool import expires_s, has_room, leave, start_unasked


@part
def settle_floor(run: Run, unit: int, until_s: float) -> bool:
    """What happens to a unit up to a call that comes at `until_s`; false if there is no room yet to go on."""
    units, due_s, ends = run.state.units, run.state.due_s, run.state.ends
    while True:
        if units[unit, BUSY] and ends[units[unit, BUSY_AT]] <= min(until_s, due_s[unit]):
            end_first(run, unit)
            continue
        if due_s[unit] > until_s:
            return True
        if not has_room(run, unit):  # it may move the slots, so nothing that is known of places holds any longer
            return False
        soonest = first_ready(run, unit)
        ready_s = run.lines.time_s[run.state.coming[unit, soonest], READY] if soonest >= 0 else inf
        over = first_over(run, unit)
        over_s = run.state.idle[over, EXPIRY] if over >= 0 else inf
        if min(ready_s, over_s) > due_s[unit]:
            due_s[unit] = min(ready_s, over_s)
        elif ready_s <= over_s and ready_s < inf:
            become_idle(run, unit, soonest)
        elif over_s < until_s:
            replace(run, unit, over)
        else:  # a call that comes as a life ends comes first
            return True


@part
def end_first(run: Run, unit: int) -> None:
    """The first call of a unit to end does."""
    units, ends, busy = run.state.units, run.state.ends, run.state.busy
    first = units[unit, BUSY_AT]
    end_s, row, line = ends[first], busy[first, CALL_ROW], busy[first, CALL_LINE]
    drop_first(run.state, first, units[unit, BUSY])
    units[unit, BUSY] -= 1
    units[unit, RUNS] -= 1
    expiry_s = leave(run, unit, end_s, row, line)
    if run.lines.number[line, NAME] < 0:
        run.state.due_s[unit] = min(run.state.due_s[unit], expiry_s)


@part
def first_ready(run: Run, unit: int) -> int:
    """The place of the replacement that is ready first among those that start and that no call has; -1: none."""
    coming, time_s = run.state.coming, run.lines.time_s
    best = -1
    for place in range(run.state.units[unit, COMING]):
        if best < 0 or time_s[coming[unit, place], READY] < time_s[coming[unit, best], READY]:
            best = place
    return best


@part
def first_over(run: Run, unit: int) -> int:
    """The slot of an idle held instance whose life is over first; -1: there is none.

    Which one of those of one instant does not matter: all of them are replaced before anything else happens.
    """
    units, idle, number = run.state.units, run.state.idle, run.lines.number
    first, best = units[unit, IDLE_AT], -1
    for place in range(first, first + units[unit, IDLE]):
        if number[int(idle[place, LINE]), NAME] < 0 and (best < 0 or idle[place, EXPIRY] < idle[best, EXPIRY]):
            best = place
    return best


@part
def become_idle(run: Run, unit: int, place: int) -> None:
    """A replacement is ready that no call has."""
    lines = run.lines
    line = take(run, unit, place)
    lines.number[line, AWAITED] = 0
    ready_s = lines.time_s[line, READY]
    put_idle(run, unit, ready_s, float(lines.number[line, NAME]), float(line), expires_s(run, line, ready_s, inf))


@part
def take(run: Run, unit: int, place: int) -> int:
    """The line of one of the replacements that start, which is no longer among those that no call has."""
    units, coming = run.state.units, run.state.coming
    line = int(coming[unit, place])
    units[unit, COMING] -= 1
    for later in range(place, units[unit, COMING]):
        coming[unit, later] = coming[unit, later + 1]
    return line


@part
def replace(run: Run, unit: int, place: int) -> None:
    """The life of an idle held instance is over; up to the end of the span another one starts."""
    units, idle = run.state.units, run.state.idle
    now_s = idle[place, EXPIRY]
    end_idle(run.lines, idle, place)
    units[unit, IDLE] -= 1
    for later in range(place, units[unit, IDLE_AT] + units[unit, IDLE]):
        copy_slot(idle, later, later + 1)
    if now_s < run.terms.to_s:
        run.state.coming[unit, units[unit, COMING]] = start_unasked(run, unit, unit, now_s)
        units[unit, COMING] += 1


@part
def claimed_held(run: Run, unit: int) -> int:
    """The line of the replacement that began to start first, for a call that finds none idle; -1 if there is none."""
    return take(run, unit, 0) if run.state.units[unit, COMING] else -1
