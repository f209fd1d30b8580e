"""Policies that learn, in kernels: what `sim.platform.keeper` does, worked out when a unit is next called."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from sim.engine.compiled.choice import put_idle
from sim.engine.compiled.draws import RULE, own_uniform
from sim.engine.compiled.heap import drop_first
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import (
    AWAITED,
    BUSY,
    BUSY_AT,
    CALL_LINE,
    CALL_ROW,
    DECISIONS,
    DUE,
    EXPIRY,
    GROUP,
    IDLE,
    IDLE_AT,
    KEEP_UNTIL,
    KEPT_UNTIL,
    NAME,
    OWNER,
    READY,
    READY_AT,
    REFUSED,
    RUNNING,
    RUNS,
    SINCE,
    START_AT,
    STARTING,
    Run,
    State,
)
from sim.engine.compiled.pool import expires_s, start_unasked


@part
def arrived(state: State, unit: int, now_s: float, observe: Callable[..., None]) -> None:
    """A call has come: its group's idle time is over, and whatever was to be prewarmed comes too late."""
    group = state.units[unit, GROUP]
    state.plans[unit, START_AT] = inf
    since_s = state.plans[group, SINCE]
    if not state.units[group, RUNNING] and since_s == since_s:  # not NaN: it has run before
        observe(state.learnt[group], now_s - since_s)
    state.units[group, RUNNING] += 1


@part
def ended(state: State, group: int, now_s: float) -> None:
    """A call of a group has ended, in whatever way."""
    state.units[group, RUNNING] -= 1
    if not state.units[group, RUNNING]:
        state.plans[group, SINCE] = now_s


@part
def window_s(run: Run, unit: int, group: int, now_s: float, decide: Callable[..., tuple[float, float, float]]) -> float:
    """What the rule decides for an instance that is idle from now on; it may also plan a prewarm."""
    units, terms = run.state.units, run.terms
    u = own_uniform(run.draws, group, RULE, units[group, DECISIONS]) if terms.draws else 0.0
    units[group, DECISIONS] += 1
    unload_after_s, prewarm_after_s, keep_s = decide(run.state.learnt[group], u)
    if not (unload_after_s >= 0 and prewarm_after_s >= 0 and keep_s >= 0) and not run.state.count[REFUSED]:
        run.state.count[REFUSED] = 1
        run.out.refused[0], run.out.refused[1], run.out.refused[2] = unload_after_s, prewarm_after_s, keep_s
    plan = run.state.plans[unit]
    plan[START_AT] = inf
    if prewarm_after_s < inf:
        due_s = now_s + prewarm_after_s
        plan[START_AT], plan[DUE], plan[KEEP_UNTIL] = max(due_s - terms.lead_s, now_s), due_s, due_s + keep_s
    return unload_after_s


@part
def settle_learning(run: Run, group: int, until_s: float, decide: Callable[..., tuple[float, float, float]]) -> None:
    """Calls of a group that have ended by now leave their instances idle, for as long as the rule decides."""
    units, ends, busy, lines = run.state.units, run.state.ends, run.state.busy, run.lines
    first = units[group, BUSY_AT]
    while units[group, BUSY] and ends[first] <= until_s:
        end_s, row, line = ends[first], busy[first, CALL_ROW], busy[first, CALL_LINE]
        drop_first(run.state, first, units[group, BUSY])
        unit = lines.number[line, OWNER]
        units[group, BUSY] -= 1
        units[unit, RUNS] -= 1
        ended(run.state, group, end_s)
        expiry_s = expires_s(run, line, end_s, end_s + window_s(run, unit, group, end_s, decide))
        put_idle(run, unit, end_s, float(row), float(line), expiry_s)


@part
def prewarm_at_s(run: Run, unit: int) -> float:
    """When the planned prewarm of a unit starts, if no call comes: as soon as it has no instance; infinity: never."""
    plan, units, idle = run.state.plans[unit], run.state.units, run.state.idle
    at_s = plan[START_AT]
    if at_s == inf or units[unit, RUNS]:  # a call that ends decides anew
        return inf
    first = units[unit, IDLE_AT]
    emptied_s = -inf
    for place in range(first, first + units[unit, IDLE]):
        emptied_s = max(emptied_s, idle[place, EXPIRY])
    if emptied_s < at_s:
        return float(at_s)
    return emptied_s if emptied_s <= plan[DUE] else inf


@part
def wake(run: Run, unit: int, now_s: float) -> None:
    """What a planned prewarm has done before a call that comes now: nothing, started, or become an idle instance."""
    plan, lines = run.state.plans[unit], run.lines
    at_s = prewarm_at_s(run, unit)
    if at_s < now_s:
        plan[START_AT] = inf
        line = start_unasked(run, unit, unit, at_s)
        plan[READY_AT], plan[STARTING], plan[KEPT_UNTIL] = lines.time_s[line, READY], line, plan[KEEP_UNTIL]
    ready_s, line = plan[READY_AT], int(plan[STARTING])
    if ready_s < inf and ready_s <= now_s:
        plan[READY_AT] = inf
        lines.number[line, AWAITED] = 0
        expiry_s = expires_s(run, line, ready_s, max(plan[KEPT_UNTIL], ready_s))
        put_idle(run, unit, ready_s, float(lines.number[line, NAME]), float(line), expiry_s)


@part
def claimed(run: Run, unit: int) -> int:
    """The line of the prewarmed instance that still starts, for the call that comes first; -1 if there is none."""
    plan = run.state.plans[unit]
    if plan[READY_AT] == inf:
        return -1
    plan[READY_AT] = inf
    return int(plan[STARTING])
