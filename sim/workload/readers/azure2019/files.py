"""Which files there are: the data set as published, a file of each kind a day, or a sample of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError
from sim.workload.readers.csv_columns import header_of, read_header
from sim.workload.readers.streams import find_file, plain_name

FUNCTION: Final = ("HashOwner", "HashApp", "HashFunction")
MINUTES_A_DAY: Final = 1440

_INVOCATIONS: Final = re.compile(r"invocations_per_function_md\.anon\.d(\d\d)\.csv")
_PUBLISHED: Final = {
    "durations": "function_durations_percentiles.anon.d{:02}.csv",
    "memory": "app_memory_percentiles.anon.d{:02}.csv",
}
_SAMPLE: Final = ("invocations.csv", "durations.csv", "memory.csv")
_LAST_DAY_WITH_MEMORY: Final = 12


@dataclass(frozen=True)
class Day:
    """The files of one day.

    Attributes:
        number: of the day, from 1; a sample is day 1.
        memory: None where nothing was published: days 13 and 14.
        published: whether the files are as published: memory a row an app, and with the glitches that those are known
            for, which are then mended and counted; in a sample, which somebody has cleaned, they are errors.
    """

    number: int
    invocations: Path
    durations: Path
    memory: Path | None
    published: bool


def find_days(path: Path) -> dict[int, Day]:
    """The days in a folder, by number; of a file of invocations, only its own day.

    Raises:
        TraceError: the files are not there.
    """
    folder = path if path.is_dir() else path.parent
    names = sorted({plain_name(entry) for entry in path.iterdir()}) if path.is_dir() else [plain_name(path)]
    found = {int(match[1]): match[0] for name in names if (match := _INVOCATIONS.fullmatch(name))}
    if found:
        return {number: _published_day(folder, number, name) for number, name in found.items()}
    if _SAMPLE[0] not in names:
        raise TraceError(
            "has neither invocations_per_function_md.anon.dNN.csv, as published, nor invocations.csv, as sampled",
            file=path,
        )
    invocations, durations, memory = _require(folder, _SAMPLE)
    return {1: Day(1, invocations, durations, memory, published=False)}


def fits(path: Path) -> bool:
    """Whether a path is a file of invocations, or a folder with any of the files, compressed or not."""
    files = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
    return any(_is_ours(file) for file in files if path.is_dir() or plain_name(file) not in _SAMPLE[1:])


def _is_ours(file: Path) -> bool:
    """Whether its name is as published, or as in a sample, with a header like one."""
    name = plain_name(file)
    return _INVOCATIONS.fullmatch(name) is not None or (
        name in _SAMPLE and not set(FUNCTION).isdisjoint(header_of(file))
    )


def minute_columns(day: Day, text: tuple[str, ...]) -> list[int]:
    """The minutes of the day that its file of invocations has columns for, each following the one before.

    Args:
        day: its files.
        text: the columns that are not minutes.

    Raises:
        TraceError: a column that is missing, there twice, no minute, or out of order.
    """
    file = day.invocations
    names = [name for name in read_header(file, text) if name not in text]
    if not names:
        raise TraceError("there are no columns of minutes (line 1)", file=file)
    for name in names:
        if not (name.isascii() and name.isdigit() and str(int(name)) == name):
            raise TraceError(f"neither one of {list(text)} nor a minute (line 1)", file=file, column=name)
    minutes = [int(name) for name in names]
    for before, minute in pairwise(minutes):
        if minute != before + 1:
            raise TraceError(
                f"follows minute {before}; minutes must be consecutive (line 1)", file=file, column=str(minute)
            )
    if day.published and not 1 <= minutes[0] <= minutes[-1] <= MINUTES_A_DAY:
        raise TraceError(f"the minutes of a day are 1 to {MINUTES_A_DAY} (line 1)", file=file, column=names[-1])
    return minutes


def _published_day(folder: Path, number: int, invocations: str) -> Day:
    names = [invocations, *(name.format(number) for name in _PUBLISHED.values())]
    has_memory = number <= _LAST_DAY_WITH_MEMORY
    files = _require(folder, names if has_memory else names[:2])
    return Day(number, files[0], files[1], files[2] if has_memory else None, published=True)


def _require(folder: Path, names: Sequence[str]) -> list[Path]:
    found = {name: find_file(folder, name) for name in names}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        raise TraceError(f"the folder has no {' and no '.join(missing)}", file=folder)
    return [file for file in found.values() if file is not None]
