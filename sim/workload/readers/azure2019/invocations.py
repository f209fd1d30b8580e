"""The counts a minute: read block by block, so that only chosen, non-empty cells are ever held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError
from sim.workload.readers.azure2019.files import FUNCTION, MINUTES_A_DAY, Day, minute_columns
from sim.workload.readers.cells import COUNT, TEXT, Kind
from sim.workload.readers.csv_columns import Block, read_blocks
from sim.workload.readers.faults import Faults
from sim.workload.readers.selection import Selection

TEXT_COLUMNS: Final = (*FUNCTION, "Trigger")
BYTES_A_CELL: Final = 64
"""At the peak, while cells are sorted."""
_MB: Final = 1024.0**2

Cells = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Part:
    """The chosen minutes of one day.

    Attributes:
        columns: minutes of the day, the names of the columns.
        start: the number of the first among all minutes chosen.
    """

    day: Day
    columns: range
    start: int

    @property
    def span(self) -> tuple[int, int]:
        """Label of the first minute (days count on: day 2 starts at 1441) and their number."""
        return (self.day.number - 1) * MINUTES_A_DAY + self.columns.start, len(self.columns)


@dataclass
class Invocations:
    """What was read, growing row by row.

    Attributes:
        index: number of each chosen function, by its key, in order of first appearance.
        functions: owner, app, name and trigger of each; the last trigger seen, since some have "others" at first.
        app_sizes: functions of each app, chosen or not, in the days read.
        cells: function, minute and count of chosen cells that are not empty, a triple of arrays a block.
        calls, cell_count: their sums, also when they are too many to hold.
    """

    limit_mb: float
    index: dict[str, int] = field(default_factory=dict)
    functions: list[list[str]] = field(default_factory=list)
    app_sizes: Counter[str] = field(default_factory=Counter)
    cells: list[Cells] = field(default_factory=list)
    calls: int = 0
    cell_count: int = 0
    trigger_changes: int = 0

    @property
    def needed_mb(self) -> float:
        """What the counts take at their largest while they are put together."""
        return self.cell_count * BYTES_A_CELL / _MB

    def number(self, key: str, row: list[str]) -> int:
        """The index of a chosen function, a new one if it is new."""
        known = self.index.setdefault(key, len(self.functions))
        if known == len(self.functions):
            self.functions.append(row)
        elif self.functions[known][3] != row[3]:
            self.functions[known][3] = row[3]
            self.trigger_changes += 1
        return known

    def add(self, cells: Cells) -> None:
        """Count cells, and keep them while all of them fit."""
        self.calls += int(cells[2].sum(dtype=np.int64))
        self.cell_count += cells[2].size
        if self.needed_mb <= self.limit_mb:
            self.cells.append(cells)
        else:
            self.cells.clear()

    def in_order(self) -> Cells:
        """Function, minute and count of all cells, by minute, then function.

        Raises:
            TraceError: they are too many.
        """
        if self.needed_mb > self.limit_mb:
            share = self.limit_mb / self.needed_mb
            raise TraceError(
                f"{self.cell_count:,} minutes of functions would need {self.needed_mb:,.0f} MB, over the"
                f" {self.limit_mb:,.0f} MB allowed: select days, minutes, functions or a share"
                f" (about {share:.2g} would fit), or raise memory_limit_mb"
            )
        columns = zip(*self.cells, strict=True) if self.cells else ([np.empty(0, np.int32)] for _ in range(3))
        function, minute, count = (np.concatenate(column) for column in columns)
        order = np.lexsort((function, minute))
        return function[order], minute[order], count[order]


def choose_parts(days: Sequence[Day], minutes: Sequence[int] | None) -> list[Part]:
    """The minutes chosen of each day that has any.

    Raises:
        TraceError: the range ends after the last minute, or a header is wrong.
    """
    parts: list[Part] = []
    offset = start = 0
    first, last = (0, None) if minutes is None else minutes
    for day in days:
        columns = minute_columns(day, TEXT_COLUMNS)
        stop = len(columns) if last is None else max(0, min(len(columns), last + 1 - offset))
        chosen = columns[max(0, first - offset) : stop]
        offset += len(columns)
        if chosen:
            parts.append(Part(day, range(chosen[0], chosen[-1] + 1), start))
            start += len(chosen)
    if last is not None and last >= offset:
        raise TraceError(f"minutes {first} to {last} are not all there: the days chosen have 0 to {offset - 1}")
    return parts


def read_invocations(parts: Sequence[Part], selection: Selection, limit_mb: float, faults: Faults) -> Invocations:
    """The chosen cells of the chosen days.

    Raises:
        TraceError: a value that is no count or a function twice in a file, unless lenient; a function that is nowhere.
    """
    result = Invocations(limit_mb)
    everywhere: set[str] = set()
    for part in parts:
        kinds: dict[str, Kind] = dict.fromkeys(TEXT_COLUMNS, TEXT) | {str(column): COUNT for column in part.columns}
        today: set[str] = set()
        for rows in read_blocks(part.day.invocations, kinds, faults):
            block = rows.without_repeated(FUNCTION, today)
            keys = block.keys(FUNCTION)
            _count_apps(block, keys, everywhere, result.app_sizes)
            everywhere.update(keys)
            _take(block, keys, part, selection, result)
    missing = set(selection.functions or ()) - {row[2] for row in result.functions}
    if missing:
        raise TraceError(f"no function of the days chosen is called {sorted(missing)[:3]}")
    if not result.functions:
        raise TraceError("no function is left of the selection", file=parts[0].day.invocations)
    return result


def _count_apps(block: Block, keys: list[str], known: set[str], sizes: Counter[str]) -> None:
    apps = block.keys(FUNCTION[:2])
    sizes.update(app for app, key in zip(apps, keys, strict=True) if key not in known)


def _take(block: Block, keys: list[str], part: Part, selection: Selection, result: Invocations) -> None:
    """Add the chosen functions of a block and their non-empty cells."""
    text = [block.text(name) for name in TEXT_COLUMNS]
    chosen = np.flatnonzero(selection.pick(*text[:3]))
    index = np.array([result.number(keys[i], [column[i] for column in text]) for i in chosen], np.int32)
    counts = np.empty((len(part.columns), chosen.size), np.int32)
    for i, column in enumerate(part.columns):
        counts[i] = block.numbers(str(column))[chosen]
    minute, row = np.nonzero(counts)
    result.add((index[row], (minute + part.start).astype(np.int32), counts[minute, row]))
