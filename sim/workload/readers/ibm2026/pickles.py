"""Pickled tables as columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sim.core.errors import TraceError
from sim.workload.readers.ibm2026.frames import NAMES, NotATableError, apply, table
from sim.workload.readers.ibm2026.machine import Machine
from sim.workload.readers.ibm2026.tape import Tape
from sim.workload.readers.streams import open_bytes

_MOST_SHOWN: Final = 20
_LONGEST_SHOWN: Final = 40


def read_table(file: Path, required: Sequence[str], limit_mb: float) -> dict[str, list[Any]]:
    """The columns of a table that pandas pickled, read without running the pickle (see `machine`).

    Args:
        file: the pickle, compressed or not.
        required: columns that must be there.
        limit_mb: what the table may take while it is read: all of it, since a pickle cannot be read in parts.

    Raises:
        TraceError: it is damaged, is no such pickle or wants more than is allowed, with the byte; it is no table; a
            column is missing.
    """
    with open_bytes(file) as stream:
        record = Machine(Tape(stream, file, limit_mb), NAMES, apply).read()
    try:
        columns = table(record)
    except NotATableError as error:
        raise TraceError(str(error), file=file) from None
    for name in required:
        if name not in columns:
            there = [column[:_LONGEST_SHOWN] for column in list(columns)[:_MOST_SHOWN]]
            raise TraceError(f"the column is missing; there are {there}", file=file, column=name)
    return columns


def text_column(columns: dict[str, list[Any]], name: str, file: Path) -> list[str]:
    """A column whose cells are all text.

    Raises:
        TraceError: one is not.
    """
    for row, cell in enumerate(columns[name], start=1):
        if not isinstance(cell, str) or not cell:
            raise TraceError("must be text, and not empty", file=file, row=row, column=name)
    return columns[name]
