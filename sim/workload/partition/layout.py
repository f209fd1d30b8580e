"""Where the calls of a trace by function lie in its files, and what its ``trace.json`` says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sim.core.checks import whole
from sim.core.errors import ConfigError, TraceError
from sim.workload.canonical import CALLS, FUNCTIONS, TRACE, claims
from sim.workload.functions import telling
from sim.workload.readers.canonical import read_head

Columns = dict[str, npt.NDArray[Any]]

FORMAT: Final = "keepwarm-trace-by-function"
VERSION: Final = 1

INVOCATIONS: Final = "invocations"
FILES: Final = (TRACE, FUNCTIONS, CALLS, INVOCATIONS)

Kind = type[np.int32] | type[np.float64]

_CALLS: Final[tuple[tuple[str, Kind], ...]] = (
    ("function", np.int32), ("arrival_s", np.float64), ("duration_s", np.float64)
)  # fmt: skip
_KEYS: Final = {"calls": int, "group_calls": int, "groups_a_file": int, "ties": bool, "digests": list, "about": dict}


@dataclass(frozen=True)
class Layout:
    """How calls are laid out: row r is in group ``r // group_calls``, and that in file ``group // groups_a_file``.

    Attributes:
        group_calls: rows of a row group, which is what is read at a time.
        groups_a_file: row groups of a file.
        ties: whether there is a column `tie`: a call's place among all calls of its instant. It is there where calls of
            one instant are not in order of function, so that a trace that is read is the one that was written.

    Raises:
        ConfigError: a number that is not whole, or below 1.
    """

    group_calls: int = 1 << 20
    groups_a_file: int = 16
    ties: bool = False

    def __post_init__(self) -> None:
        whole("group_calls", self.group_calls, low=1)
        whole("groups_a_file", self.groups_a_file, low=1)

    @property
    def file_calls(self) -> int:
        """Rows of a file."""
        return self.group_calls * self.groups_a_file

    def files(self, calls: int) -> int:
        """How many files that many calls are in."""
        return -(-calls // self.file_calls)

    @property
    def kinds(self) -> dict[str, Kind]:
        """The types of the files' columns, by name, in order."""
        return dict(_CALLS if not self.ties else (*_CALLS, ("tie", np.int32)))

    @property
    def schema(self) -> pa.Schema:
        """Of the files."""
        return pa.schema([(name, pa.from_numpy_dtype(kind)) for name, kind in self.kinds.items()])


def part_file(folder: Path, number: int) -> Path:
    """The file of that number, from 0."""
    return folder / INVOCATIONS / f"part-{number:05}.parquet"


def is_by_function(path: Path) -> bool:
    """Whether a path is a folder that claims, in its ``trace.json``, to be a trace by function."""
    return claims(path, FORMAT)


class PartDigest:
    """The digest of one file: of arrivals, durations and ties, row group by row group, as little-endian bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, group: Columns) -> None:
        """Take the next row group."""
        for name, column in group.items():
            if name != "function":  # the calls per function say it
                self._digest.update(column.astype(column.dtype.newbyteorder("<"), copy=False).data)

    def __str__(self) -> str:
        return self._digest.hexdigest()


def content_hash(
    digests: Iterable[str], calls_per_function: npt.NDArray[np.int64], functions: pd.DataFrame, horizon_s: float
) -> str:
    """The hash of a trace by function: of the digests of its files, its calls per function, table and horizon."""
    digest = hashlib.blake2b(digest_size=16)
    for part in digests:
        digest.update(part.encode())
    digest.update(np.ascontiguousarray(calls_per_function, "<i8").data)
    digest.update(functions[telling(functions)].to_csv(index=False).encode())
    digest.update(repr(horizon_s).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Head:
    """What ``trace.json`` says.

    Attributes:
        calls: of all functions.
        horizon_s: the declared span.
        layout: of the files.
        digests: one a file, each a `PartDigest` as text.
        about: the origin.
    """

    calls: int
    horizon_s: float
    layout: Layout
    digests: tuple[str, ...]
    about: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "format": FORMAT, "version": VERSION, "horizon_s": self.horizon_s, "calls": self.calls,
            "group_calls": self.layout.group_calls, "groups_a_file": self.layout.groups_a_file,
            "ties": self.layout.ties, "digests": list(self.digests), "about": self.about,
        }  # fmt: skip

    @classmethod
    def read(cls, file: Path) -> Head:
        """As it was written.

        Raises:
            TraceError: it is not such a file, or contradicts itself.
        """
        head = read_head(file, FORMAT, (VERSION,), _KEYS)
        try:
            layout = Layout(head["group_calls"], head["groups_a_file"], head["ties"])
            whole("calls", head["calls"], low=0)
        except ConfigError as error:
            raise TraceError(str(error), file=file) from None
        digests, files = head["digests"], layout.files(head["calls"])
        if len(digests) != files or not all(isinstance(digest, str) for digest in digests):
            raise TraceError(f"must be {files} texts, one a file", file=file, column="digests")
        return cls(head["calls"], head["horizon_s"], layout, tuple(digests), head["about"])
