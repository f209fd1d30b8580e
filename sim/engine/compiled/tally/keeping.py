"""Any other policy or platform: the calls of one function after another, on instances that are kept until it is done.

All but the calls is that of the kernel which takes functions as they come; a function has all slots to itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.engine.compiled.jit import SOURCES, entry, part, unsigned
from sim.engine.compiled.kernel import come, finish, hold
from sim.engine.compiled.layout import BUSY_AT, BUSY_ROOM, IDLE_AT, IDLE_ROOM, LINES, Array, Run
from sim.engine.compiled.tally import drawing
from sim.engine.compiled.tally.layout import (
    CALL_AT,
    FUNCTION_AT,
    MADE_AT,
    NAMED,
    OPEN,
    PERCENTILES,
    ROW_AT,
    Cells,
    Columns,
    Drawn,
)

DONE, PAUSED, FULL, MANY = range(4)
"""Why a pass ends: all is done; enough calls; no room; many instances of functions that are done are still kept."""
KEPT = 1 << 16
"""Instances that are many."""


@part
def open_function(run: Run, function: int) -> None:
    """The next calls are a function's."""
    units = run.state.units
    units[function, IDLE_AT], units[function, IDLE_ROOM] = 0, run.state.idle.shape[0]
    units[function, BUSY_AT], units[function, BUSY_ROOM] = 0, run.state.ends.size
    if run.terms.held:
        hold(run, function, function + 1)


@part
def serve_from(run: Run, first: int, stop: int, observe: Callable[..., Any], decide: Callable[..., Any]) -> int:
    """Replay calls from a place up to another; returns where it stopped: before `stop` if there was no room."""
    for i in range(first, stop):
        if not come(run, unsigned(i), observe, decide):
            return i
    return stop


@part
def make_cell(run: Run, cells: Cells, drawn: Drawn, function: int, cell: int, named: int) -> int:
    """Make the calls of a cell, as far as they arrive in time; returns how many."""
    calls, minute, count = run.calls, cells.minute[cell], cells.count[cell]
    if cells.scattered:
        drawing.scatter(minute, count, cells.arrival_key[function], cells.label[minute], drawn)
    else:
        drawing.even(minute, count, 0, count, drawn.arrival_s)
        if cells.durations == PERCENTILES:
            drawing.number(0, count, drawn.number)
    while count and drawn.arrival_s[count - 1] > run.terms.to_s:
        count -= 1
    drawing.last_for(cells, function, cell, count, drawn)
    timeout_s = calls.timeout_s[function]
    for i in range(count):
        calls.service_s[i] = min(drawn.duration_s[i], timeout_s)
        calls.function[i], calls.number[i] = function, named + i
    return int(count)


def _counts_keeper(sources: str) -> Any:
    @entry
    def keep_counts(
        run: Run, cells: Cells, drawn: Drawn, chosen: Array, at: Array, most: int, observe: Callable[..., Any],
        decide: Callable[..., Any],
    ) -> int:  # fmt: skip
        """Replay the cells of the chosen functions from where it stood; returns why it ends."""
        calls = 0
        while at[FUNCTION_AT] < chosen.size and len(sources):
            function = chosen[at[FUNCTION_AT]]
            if not at[OPEN]:
                open_function(run, function)
                at[OPEN], at[ROW_AT], at[CALL_AT], at[MADE_AT] = 1, cells.begin[function], 0, 0
            while at[ROW_AT] < cells.begin[function + 1]:
                if at[CALL_AT] == at[MADE_AT]:
                    if calls >= most:
                        return PAUSED
                    at[CALL_AT], at[MADE_AT] = 0, make_cell(run, cells, drawn, function, at[ROW_AT], at[NAMED])
                    at[NAMED] += at[MADE_AT]
                    calls += cells.count[at[ROW_AT]]
                at[CALL_AT] = serve_from(run, at[CALL_AT], at[MADE_AT], observe, decide)
                if at[CALL_AT] < at[MADE_AT]:
                    return FULL
                at[ROW_AT] += 1
            finish(run, function, function + 1, decide)
            at[OPEN] = 0
            at[FUNCTION_AT] += 1
            if run.state.count[LINES] > KEPT:
                return MANY
        return DONE

    return keep_counts


def _columns_keeper(sources: str) -> Any:
    @entry
    def keep_columns(
        run: Run, columns: Columns, chosen: Array, at: Array, left_open: bool, observe: Callable[..., Any],
        decide: Callable[..., Any],
    ) -> int:  # fmt: skip
        """Replay the calls of the chosen functions, likewise; the last of them may be left open, for more calls."""
        while at[FUNCTION_AT] < chosen.size and len(sources):
            place = at[FUNCTION_AT]
            if not at[OPEN]:
                open_function(run, chosen[place])
                at[OPEN] = 1
            at[ROW_AT] = serve_from(run, max(at[ROW_AT], columns.first[place]), columns.stop[place], observe, decide)
            if at[ROW_AT] < columns.stop[place]:
                return FULL
            at[FUNCTION_AT] += 1
            if place < chosen.size - 1 or not left_open:
                finish(run, chosen[place], chosen[place] + 1, decide)
                at[OPEN] = 0
                if run.state.count[LINES] > KEPT:
                    return MANY
        return DONE

    return keep_columns


def _ender(sources: str) -> Any:
    @entry
    def end_function(run: Run, function: int, decide: Callable[..., Any]) -> None:
        """No more calls of a function come that was left open."""
        if len(sources):
            finish(run, function, function + 1, decide)

    return end_function


keep_counts, keep_columns, end_function = _counts_keeper(SOURCES), _columns_keeper(SOURCES), _ender(SOURCES)
