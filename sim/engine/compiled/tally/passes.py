"""Passes over the calls of some functions, one function after another; each can stop and go on.

`at` tells where a pass stands, and the queues of the function that is open there.
"""

from __future__ import annotations

from typing import Any

from sim.engine.compiled.jit import SOURCES, entry
from sim.engine.compiled.layout import Array
from sim.engine.compiled.tally import drawing
from sim.engine.compiled.tally.layout import (
    BLOCK,
    CALLS_NOW,
    FUNCTION_AT,
    ROW_AT,
    Cells,
    Columns,
    Drawn,
    Tallied,
)
from sim.engine.compiled.tally.plain import close, has_room, serve


def _counts_pass(sources: str) -> Any:
    @entry
    def over_counts(run: Tallied, cells: Cells, drawn: Drawn, chosen: Array, at: Array, most: int) -> bool:
        """Replay the cells of the chosen functions; true when that is done.

        It stops after so many calls, or where there is no room for the next ones.
        """
        at[CALLS_NOW] = 0
        while at[FUNCTION_AT] < chosen.size and len(sources):
            function = chosen[at[FUNCTION_AT]]
            at[ROW_AT] = max(at[ROW_AT], cells.begin[function])
            while at[ROW_AT] < cells.begin[function + 1]:
                if at[CALLS_NOW] >= most or not has_room(run.queues, drawing.most_next(cells, drawn, at)):
                    return False
                made = drawing.make(cells, drawn, function, at, run.terms.to_s)
                serve(run, function, drawn.arrival_s, drawn.duration_s, 0, made)
            close(run, function)
            at[FUNCTION_AT] += 1
            at[ROW_AT] = 0
        return True

    return over_counts


def _columns_pass(sources: str) -> Any:
    @entry
    def over_columns(run: Tallied, columns: Columns, chosen: Array, at: Array, most: int, left_open: bool) -> bool:
        """Replay the calls of the chosen functions, likewise; the last of them may be left open, for more calls."""
        calls = 0
        while at[FUNCTION_AT] < chosen.size and len(sources):
            place = at[FUNCTION_AT]
            at[ROW_AT] = max(at[ROW_AT], columns.first[place])
            while at[ROW_AT] < columns.stop[place]:
                stop = min(at[ROW_AT] + BLOCK, columns.stop[place])
                if calls >= most or not has_room(run.queues, stop - at[ROW_AT]):
                    return False
                serve(run, chosen[place], columns.arrival_s, columns.duration_s, at[ROW_AT], stop)
                calls += stop - at[ROW_AT]
                at[ROW_AT] = stop
            if place < chosen.size - 1 or not left_open:
                close(run, chosen[place])
            at[FUNCTION_AT] += 1
            at[ROW_AT] = 0
        return True

    return over_columns


def _closer(sources: str) -> Any:
    @entry
    def close_function(run: Tallied, function: int) -> None:
        """No more calls of a function come that was left open."""
        if len(sources):
            close(run, function)

    return close_function


def _grouper(sources: str) -> Any:
    @entry
    def group(function: Array, one: Array, two: Array, place: Array, one_grouped: Array, two_grouped: Array) -> None:
        """Sort two columns by function; `place` says where those of each begin, and is used up."""
        for i in range(function.size if len(sources) else 0):
            to = place[function[i]]
            place[function[i]] += 1
            one_grouped[to], two_grouped[to] = one[i], two[i]

    return group


def _counter(sources: str) -> Any:
    @entry
    def count(function: Array, calls: Array) -> None:
        """Count the calls of each function."""
        for i in range(function.size if len(sources) else 0):
            calls[function[i]] += 1

    return count


over_counts, over_columns = _counts_pass(SOURCES), _columns_pass(SOURCES)
close_function, count, group = _closer(SOURCES), _counter(SOURCES), _grouper(SOURCES)
