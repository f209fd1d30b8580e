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
    CALLS_NOW,
    FUNCTION_AT,
    NAMED,
    OPEN,
    ROW_AT,
    STOP_AT,
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
def make_calls(run: Run, cells: Cells, drawn: Drawn, function: int, at: Array) -> int:
    """Make the next calls of the open function out of its cells; returns how many of them arrive in time."""
    calls, made = run.calls, drawing.make(cells, drawn, function, at, run.terms.to_s)
    timeout_s = calls.timeout_s[function]
    for i in range(made):
        calls.service_s[i] = min(drawn.duration_s[i], timeout_s)
        calls.function[i], calls.number[i] = function, at[NAMED] + i
    at[NAMED] += made
    return int(made)


@part
def next_calls(
    run: Run, cells: Cells, drawn: Drawn, columns: Columns, function: int, at: Array, most: int
) -> bool:  # fmt: skip
    """See to the next calls of the open function, from `CALL_AT` to `STOP_AT`; false if the pass has had enough.

    Of a function that has no more, there are none.
    """
    if not cells.begin.size:
        place = at[FUNCTION_AT]
        at[CALL_AT], at[STOP_AT] = max(at[STOP_AT], columns.first[place]), columns.stop[place]
        return True
    at[CALL_AT] = at[STOP_AT] = 0
    while at[ROW_AT] < cells.begin[function + 1] and not at[STOP_AT]:
        if at[CALLS_NOW] >= most:
            return False
        at[STOP_AT] = make_calls(run, cells, drawn, function, at)
    return True


@part
def serve_calls(
    run: Run, cells: Cells, drawn: Drawn, columns: Columns, function: int, at: Array, most: int,
    observe: Callable[..., Any], decide: Callable[..., Any],
) -> int:  # fmt: skip
    """Serve the calls of the open function from where it stood; returns why that ends."""
    while True:
        for i in range(at[CALL_AT], at[STOP_AT]):
            if not come(run, unsigned(i), observe, decide):
                at[CALL_AT] = i
                return FULL
        at[CALL_AT] = at[STOP_AT]
        if not next_calls(run, cells, drawn, columns, function, at, most):
            return PAUSED
        if at[CALL_AT] == at[STOP_AT]:
            return DONE


def _keeper(sources: str) -> Any:
    @entry
    def keep(
        run: Run, cells: Cells, drawn: Drawn, columns: Columns, chosen: Array, at: Array, most: int, left_open: bool,
        observe: Callable[..., Any], decide: Callable[..., Any],
    ) -> int:  # fmt: skip
        """Replay the calls of the chosen functions from where it stood, made of counts if there are any.

        The last function may be left open, for more calls.

        Returns:
            Why it ends.
        """
        at[CALLS_NOW] = 0
        while at[FUNCTION_AT] < chosen.size and len(sources):
            function = chosen[at[FUNCTION_AT]]
            if not at[OPEN]:
                open_function(run, function)
                at[OPEN], at[ROW_AT] = 1, cells.begin[function] if cells.begin.size else 0
            ended = serve_calls(run, cells, drawn, columns, function, at, most, observe, decide)
            if ended != DONE:
                return int(ended)
            goes_on = left_open and at[FUNCTION_AT] == chosen.size - 1
            if not (goes_on or finish(run, function, function + 1, decide)):
                return FULL
            at[FUNCTION_AT] += 1
            at[CALL_AT], at[STOP_AT] = 0, 0
            if not goes_on:
                at[OPEN] = 0
                if run.state.count[LINES] > KEPT:
                    return MANY
        return DONE

    return keep


keep = _keeper(SOURCES)
