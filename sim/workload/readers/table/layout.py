"""Which column of a table is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError
from sim.workload.functions import COLUMNS
from sim.workload.readers.cells import COUNT, NOT_NEGATIVE, POSITIVE, TEXT, Kind

FUNCTION: Final = "function"
KEY: Final = ("owner", "app", FUNCTION)
"""What names a function, as far as a table has it."""
TIMES: Final = ("arrival_s", "duration_s", "end_s")
ATTRIBUTES: Final = tuple(column for column in COLUMNS if column not in ("name", "app", "owner"))

_KINDS: Final[Mapping[str, Kind]] = {
    "memory_mb": POSITIVE,
    "package_mb": NOT_NEGATIVE,
    "timeout_s": POSITIVE,
    "concurrency": COUNT,
    "cpu_share": POSITIVE,
}


def choose_columns(
    columns: Mapping[str, str] | None, known: Sequence[str], there: Sequence[str], file: Path
) -> dict[str, str]:
    """The table's name of each of our columns that it has, in our order.

    Args:
        columns: the same as the user gave it; None where the table has our names.
        known: our names that may be there.
        there: the table's columns.
        file: for messages.

    Raises:
        TraceError: a column that we do not know or the table has not, or has twice; one for two of ours;
            no function.
    """
    if columns is None:
        columns = {name: name for name in known if name in there}
    unknown = [ours for ours in columns if ours not in known]
    if unknown:
        raise TraceError(f"columns: there is no {unknown[0]!r}; there are {list(known)}")
    missing = [theirs for theirs in columns.values() if theirs not in there]
    if missing:
        raise TraceError(f"the column is missing; there are {list(there)[:20]}", file=file, column=missing[0])
    if FUNCTION not in columns:
        raise TraceError(f"which column is the function? columns={{function: ...}} of {list(there)[:20]}", file=file)
    repeated = [theirs for theirs in columns.values() if list(there).count(theirs) > 1]
    if repeated:
        raise TraceError("the column is there twice", file=file, column=repeated[0])
    chosen = {name: columns[name] for name in known if name in columns}
    for theirs in chosen.values():
        roles = [ours for ours, name in chosen.items() if name == theirs]
        if len(roles) > 1:
            raise TraceError(f"the column is said to be both {roles[0]} and {roles[1]}", file=file, column=theirs)
    return chosen


def are_ours(names: Sequence[str]) -> bool:
    """Whether a table has our own names for all that it must have."""
    return FUNCTION in names and sum(name in names for name in TIMES) > 1


def choose_times(columns: Mapping[str, str], file: Path) -> tuple[str, ...]:
    """Those of `TIMES` that are there: arrivals and durations are made of the first two; an end besides must agree.

    Raises:
        TraceError: two are not there.
    """
    given = [name for name in TIMES if name in columns]
    if len(given) < 2:
        raise TraceError(f"two of {list(TIMES)} must be among the columns, not {given}", file=file)
    return tuple(given)


def kind_of(column: str) -> Kind:
    """What a column that is not a time must hold."""
    return _KINDS.get(column, TEXT)
