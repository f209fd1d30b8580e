"""Which files there are: the data set as published, a file of each kind a day, or a sample of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError
from sim.workload.readers.csv_columns import read_header

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
    names = [entry.name for entry in sorted(folder.iterdir())] if path.is_dir() else [path.name]
    found = {int(match[1]): folder / match[0] for name in names if (match := _INVOCATIONS.fullmatch(name))}
    if found:
        return {number: _published_day(number, file) for number, file in found.items()}
    if _SAMPLE[0] not in names:
        raise TraceError(
            "has neither invocations_per_function_md.anon.dNN.csv, as published, nor invocations.csv, as sampled",
            file=path,
        )
    invocations, durations, memory = (folder / name for name in _SAMPLE)
    _require([invocations, durations, memory])
    return {1: Day(1, invocations, durations, memory, published=False)}


def fits(path: Path) -> bool:
    """Whether a path is a file of invocations, or a folder with any of the files."""
    if path.is_file():
        return path.name == _SAMPLE[0] or _INVOCATIONS.fullmatch(path.name) is not None
    return path.is_dir() and any(
        entry.name in _SAMPLE or _INVOCATIONS.fullmatch(entry.name) for entry in path.iterdir()
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


def _published_day(number: int, invocations: Path) -> Day:
    durations, memory = (invocations.with_name(name.format(number)) for name in _PUBLISHED.values())
    has_memory = number <= _LAST_DAY_WITH_MEMORY
    _require([durations, memory] if has_memory else [durations])
    return Day(number, invocations, durations, memory if has_memory else None, published=True)


def _require(files: list[Path]) -> None:
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise TraceError(f"the folder has no {' and no '.join(missing)}", file=files[0].parent)
