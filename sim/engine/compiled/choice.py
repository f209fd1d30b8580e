"""Which of the idle instances of a unit a call takes, as `sim.platform.choice` has it; here each has one slot."""

from __future__ import annotations

from sim.engine.compiled.draws import CHOICE, own_uniform
from sim.engine.compiled.jit import part, unsigned
from sim.engine.compiled.layout import (
    BY_CONCURRENCY,
    CALLED,
    CREATED,
    END,
    ENDED,
    EXPIRY,
    IDLE,
    IDLE_AT,
    IDLE_SINCE,
    LAST,
    LEAST_CONNECTIONS,
    LEAST_RECENT,
    LINE,
    MOST_RECENT,
    NAME,
    NEWEST,
    OLDEST,
    POWER_OF_TWO,
    RANDOM,
    ROW,
    Array,
    Lines,
    Run,
)


@part
def copy_slot(slots: Array, to: int, origin: int) -> None:
    """One slot over another."""
    slots[to, END], slots[to, ROW] = slots[origin, END], slots[origin, ROW]
    slots[to, LINE], slots[to, EXPIRY] = slots[origin, LINE], slots[origin, EXPIRY]


@part
def older(lines: Lines, one: int, other: int) -> bool:
    """Whether an instance comes before another in order of (created, name)."""
    if lines.time_s[one, CREATED] != lines.time_s[other, CREATED]:
        return bool(lines.time_s[one, CREATED] < lines.time_s[other, CREATED])
    return bool(lines.number[one, NAME] < lines.number[other, NAME])


@part
def put_idle(run: Run, unit: int, end_s: float, row: float, line: float, expiry_s: float) -> None:
    """An instance is idle: it joins the others in the order that the choice is made in; the last is the latest."""
    units, slots = run.state.units, run.state.idle
    first = units[unit, IDLE_AT]
    place = first + units[unit, IDLE]
    units[unit, IDLE] += 1
    if run.terms.choice >= NEWEST:
        while place > first and older(run.lines, int(line), int(slots[place - 1, LINE])):
            copy_slot(slots, place, place - 1)
            place -= 1
    else:  # what becomes idle later ends later, but for a call of no length whose row is less than a ping's
        while place > first and slots[unsigned(place - 1), END] == end_s and slots[unsigned(place - 1), ROW] > row:
            copy_slot(slots, place, place - 1)
            place -= 1
    free = unsigned(place)
    slots[free, END], slots[free, ROW], slots[free, LINE], slots[free, EXPIRY] = end_s, row, line, expiry_s


@part
def end_idle(lines: Lines, slots: Array, place: int) -> None:
    """The instance of a slot has ended at its expiry."""
    line = unsigned(int(slots[place, LINE]))
    lines.time_s[line, IDLE_SINCE], lines.time_s[line, ENDED] = slots[place, END], slots[place, EXPIRY]


@part
def choose(run: Run, function: int, unit: int, now_s: float) -> int:
    """Take an idle instance of a unit for the next call of a function; -1 if there is none that has not ended.

    Its slot is then the first behind those that are left.
    """
    units, idle, lines = run.state.units, run.state.idle, run.lines
    first, count = units[unit, IDLE_AT], units[unit, IDLE]
    if run.terms.choice == MOST_RECENT:
        while count:
            count -= 1
            latest = unsigned(first + count)
            if now_s <= idle[latest, EXPIRY]:
                units[unit, IDLE] = count
                return int(first + count)
            end_idle(lines, idle, latest)
        units[unit, IDLE] = 0
        return -1
    count = without_ended(idle, lines, first, count, now_s)
    if not count:
        units[unit, IDLE] = 0
        return -1
    taken = pick(run, function, unit, count)
    move_last(idle, first + taken, first + count)
    units[unit, IDLE] = count - 1
    return int(first + count - 1)


@part
def without_ended(idle: Array, lines: Lines, first: int, count: int, now_s: float) -> int:
    """Remove those whose time is over; how many are left."""
    left = 0
    for place in range(first, first + count):
        if now_s <= idle[place, EXPIRY]:
            copy_slot(idle, first + left, place)
            left += 1
        else:
            end_idle(lines, idle, place)
    return left


@part
def move_last(slots: Array, place: int, stop: int) -> None:
    """Move a slot behind those after it."""
    end_s, row, line, expiry_s = slots[place, END], slots[place, ROW], slots[place, LINE], slots[place, EXPIRY]
    for other in range(place + 1, stop):
        copy_slot(slots, other - 1, other)
    slots[stop - 1, END], slots[stop - 1, ROW] = end_s, row
    slots[stop - 1, LINE], slots[stop - 1, EXPIRY] = line, expiry_s


@part
def pick(run: Run, function: int, unit: int, count: int) -> int:
    """Which of `count` idle instances is taken, by its place in their order."""
    choice, units = run.terms.choice, run.state.units
    if choice == NEWEST:
        return count - 1
    if choice in (
        LEAST_RECENT,
        OLDEST,
        LEAST_CONNECTIONS,
        BY_CONCURRENCY,
    ):
        return 0
    if choice in (RANDOM, POWER_OF_TWO):
        k = units[function, CALLED] * (1 if choice == RANDOM else 2)
        return int(own_uniform(run.draws, function, CHOICE, k) * count)
    return after_last(run.state.idle, run.lines, units[unit, IDLE_AT], count, units[unit, LAST])


@part
def after_last(idle: Array, lines: Lines, first: int, count: int, last: int) -> int:
    """Round robin: the first of a later creation than the line that was taken last, or else the first."""
    if last >= 0:
        for place in range(count):
            if older(lines, last, int(idle[first + place, LINE])):
                return place
    return 0
