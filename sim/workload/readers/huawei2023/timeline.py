"""Which minutes of which days are wanted, and where they come to lie in the trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError
from sim.workload.readers.huawei2023.tables import MINUTES_A_DAY

GAPS: Final = ("close", "keep")


@dataclass(frozen=True)
class Part:
    """The wanted minutes of one day.

    Attributes:
        day: its number.
        minutes: of the day.
        start: the number of the first among all minutes wanted.
    """

    day: int
    minutes: range
    start: int


@dataclass(frozen=True)
class Timeline:
    """The minutes wanted.

    Attributes:
        parts: day by day, ascending.
        spans: runs of (the first one's absolute number in the data set, number of minutes), as `CountSource` has them.
        missing: days that are not there, between the first and the last one wanted.
    """

    parts: tuple[Part, ...]
    spans: tuple[tuple[int, int], ...]
    missing: tuple[int, ...]


def lay_out(there: Sequence[int], days: Sequence[int] | None, minutes: Sequence[int] | None, gaps: str,
            path: Path) -> Timeline:  # fmt: skip
    """Put the wanted days one after another.

    Args:
        there: numbers of the days that are there.
        days: those wanted, ascending; all by default.
        minutes: the first and the last one wanted, counted from 0 over the days as they come to lie.
        gaps: ``close`` puts each day right behind the one before, ``keep`` leaves those between them empty.
        path: to name in errors.

    Raises:
        TraceError: days or minutes are not there, or there is no such way with gaps.
    """
    if gaps not in GAPS:
        raise TraceError(f"gaps must be one of {list(GAPS)}, not {gaps!r}")
    wanted = sorted(there) if days is None else list(days)
    if absent := [day for day in wanted if day not in there]:
        raise TraceError(f"days {absent} are not there; there are {_in_words(sorted(there))}", file=path)
    place = {day: (day - wanted[0] if gaps == "keep" else i) * MINUTES_A_DAY for i, day in enumerate(wanted)}
    end = place[wanted[-1]] + MINUTES_A_DAY
    first, last = (0, end - 1) if minutes is None else minutes
    if last >= end:
        raise TraceError(f"minutes {first} to {last} are not all there: the days wanted have 0 to {end - 1}", file=path)
    parts = []
    for day, start in place.items():
        inside = range(max(first - start, 0), min(last + 1 - start, MINUTES_A_DAY))
        if inside:
            parts.append(Part(day, inside, start + inside.start - first))
    missing = tuple(day for day in range(wanted[0], wanted[-1]) if day not in there)
    if gaps == "keep":
        return Timeline(tuple(parts), ((wanted[0] * MINUTES_A_DAY + first, last + 1 - first),), missing)
    spans = tuple((part.day * MINUTES_A_DAY + part.minutes.start, len(part.minutes)) for part in parts)
    return Timeline(tuple(parts), spans, missing)


def _in_words(days: Sequence[int]) -> str:
    """Numbers as runs, e.g. ``0 to 3, 7``."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1][1:] = [day]
        else:
            runs.append([day])
    return ", ".join(" to ".join(map(str, run)) for run in runs)
