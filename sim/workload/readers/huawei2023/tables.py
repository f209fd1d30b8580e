"""The data set's files: a folder a metric, a wide table a day, a row a minute and a column a function."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sim.core.errors import TraceError
from sim.workload.readers.cells import MISSING, WHOLE, Kind, Number
from sim.workload.readers.csv_columns import Block, read_blocks, read_header
from sim.workload.readers.faults import Faults
from sim.workload.readers.streams import plain_name

REQUESTS: Final = "requests_minute"
DELAYS: Final = "function_delay_minute"
MEMORY: Final = "memory_limit_minute"
INSTANCES: Final = "instances_minute"
MINUTES_A_DAY: Final = 1440

_DAY, _TIME = "day", "time"
_FILE: Final = re.compile(r"day_(\d{2,3})\.csv")
_SECONDS: Final = "requests_second"
_MINUTE_S: Final = 60
_TOLERANCE: Final = 1e-6
_MOST: Final = 2**31 - 1
_INSIDE: Final = "csv_files"
"""Where the public data set's archive has its folders."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Requests(Number):
    """A number of requests, written like ``816.0``; missing, where nothing is known, is not the same as 0."""

    def accepts(self, cell: str) -> bool:
        """Whether the text of a cell obeys."""
        return super().accepts(cell) and (cell in MISSING or not _odd(np.array([float(cell)]))[0])

    def bad(self, column: pa.Array) -> npt.NDArray[np.bool_]:
        """Which values do not obey."""
        return super().bad(column) | _odd(column.to_numpy(zero_copy_only=False))


def _odd(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Which are neither whole (nor NaN), or too many."""
    finite = np.clip(values, -1.0, 2.0 * _MOST)
    return (np.abs(finite - np.rint(finite)) > _TOLERANCE) | (finite > _MOST)


COUNT: Final = _Requests(f"must be a whole number from 0 to {_MOST}, or missing", 0.0, optional=True)

Day = FloatArray
"""float64[MINUTES_A_DAY, F]: a metric on one day; NaN where there are no data."""


@dataclass(frozen=True)
class DataSet:
    """Which files there are.

    Attributes:
        root: the folder of the folders.
        days: the file of requests of each day that is there, by the day's number, from 0.
    """

    root: Path
    days: dict[int, Path]

    def file(self, metric: str, day: int) -> Path | None:
        """A metric's file of a day, if it is there."""
        return _day_files(self.root / metric).get(day)

    def has(self, metric: str) -> bool:
        """Whether there are files of a metric at all."""
        return bool(_day_files(self.root / metric))


def find_data_set(path: Path) -> DataSet:
    """The files in a folder, which may be that of the data set or that of the requests.

    Raises:
        TraceError: there are no requests a minute.
    """
    for root in _roots(path):
        if days := _day_files(root / REQUESTS):
            return DataSet(root, days)
    seconds = any(_day_files(root / _SECONDS) for root in _roots(path))
    hint = ": only tables of minutes are read, not those of seconds" if seconds else ""
    raise TraceError(f"has no {REQUESTS}/day_NNN.csv{hint}", file=path)


def fits(path: Path) -> bool:
    """Whether a path is a folder with requests a minute."""
    return any(_day_files(root / REQUESTS) for root in _roots(path))


def functions_of(file: Path) -> list[int]:
    """The functions that a table has columns for.

    Raises:
        TraceError: a column that is none, is missing or is there twice.
    """
    names = [name for name in read_header(file, (_DAY, _TIME)) if name not in (_DAY, _TIME)]
    for name in names:
        if not (name.isascii() and name.isdigit() and str(int(name)) == name):
            raise TraceError("neither day, nor time, nor the number of a function (line 1)", file=file, column=name)
    if not names:
        raise TraceError("there are no columns of functions (line 1)", file=file)
    return [int(name) for name in names]


def read_day(file: Path, day: int, functions: Sequence[int], kind: Kind, faults: Faults) -> Day:
    """A day's table, minute by minute. A minute whose row is missing or bad has no data.

    Args:
        file: the table.
        day: its number.
        functions: the columns wanted, by number; one that the table has not has no data.
        kind: what their cells must be.
        faults: what happens to bad rows.

    Raises:
        TraceError: a bad row, or a column that is no function's.
    """
    there = set(functions_of(file))
    columns = [i for i, function in enumerate(functions) if function in there]
    names = [str(functions[i]) for i in columns]
    table = np.full((MINUTES_A_DAY, len(functions)), np.nan)
    seen = np.zeros(MINUTES_A_DAY, np.bool_)
    for rows in read_blocks(file, {_DAY: WHOLE, _TIME: WHOLE, **dict.fromkeys(names, kind)}, faults):
        block, minutes = _in_their_minutes(rows, day, seen)
        for i, name in zip(columns, names, strict=True):
            table[minutes, i] = block.numbers(name)
    return table


def _in_their_minutes(rows: Block, day: int, seen: npt.NDArray[np.bool_]) -> tuple[Block, npt.NDArray[np.int64]]:
    """The rows that are of a minute of the day, each for the first time, and that minute."""
    block = rows.without(rows.numbers(_DAY) != day, _DAY, f"must be the file's day, {day}")
    first = day * MINUTES_A_DAY * _MINUTE_S
    after = block.numbers(_TIME) - first
    wrong = (after % _MINUTE_S != 0) | (after < 0) | (after >= MINUTES_A_DAY * _MINUTE_S)
    block = block.without(wrong, _TIME, f"must be the start of a minute of day {day}, which begins at {first} s")
    minutes = (block.numbers(_TIME) - first) // _MINUTE_S
    _, firsts = np.unique(minutes, return_index=True)
    repeated = np.ones(minutes.size, np.bool_)
    repeated[firsts] = False
    block = block.without(repeated | seen[minutes], _TIME, "must not be there twice")
    kept: npt.NDArray[np.int64] = ((block.numbers(_TIME) - first) // _MINUTE_S).astype(np.int64)
    seen[kept] = True
    return block, kept


def _roots(path: Path) -> list[Path]:
    """Where the folders of the metrics may be."""
    if not path.is_dir():
        return []
    return [path, path / _INSIDE, *([path.parent] if path.name == REQUESTS else [])]


def _day_files(folder: Path) -> dict[int, Path]:
    files = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    named = ((_FILE.fullmatch(plain_name(file)), file) for file in files if file.is_file())
    return dict(sorted((int(match[1]), file) for match, file in named if match))
