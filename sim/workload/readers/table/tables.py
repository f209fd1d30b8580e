"""Tables as blocks of rows, be they text or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import TraceError
from sim.workload.readers.cells import NUMBER, WHOLE, Kind
from sim.workload.readers.csv_columns import Block, read_blocks, read_header
from sim.workload.readers.faults import Faults
from sim.workload.readers.table.clock import UNITS, number_origin, timestamp_origin, units_per_s

_PARQUET: Final = b"PAR1"
BATCH_ROWS: Final = 1 << 17
_PARQUET_TROUBLE: Final = (pa.ArrowException, OSError, ValueError)
_NS: Final = UNITS["ns"]


class Table(Protocol):
    """A table of any form."""

    @property
    def file(self) -> Path:
        """Where it is."""

    @property
    def names(self) -> list[str]:
        """Its columns."""

    def blocks(self, kinds: Mapping[str, Kind], faults: Faults) -> Iterator[Block]:
        """Some of them, block by block."""

    def time(self, name: str, unit: str) -> tuple[Kind, float]:
        """What a column of times or durations holds, and how many of its units a second has."""

    def origin(self, name: str, origin: Any) -> float | int | None:
        """Second zero in the units of a column of times; None for the first arrival."""


def is_parquet(file: Path) -> bool:
    """Whether a file begins as a Parquet file does."""
    try:
        with file.open("rb") as raw:
            return raw.read(len(_PARQUET)) == _PARQUET
    except OSError:
        return False


def parquet_names(file: Path) -> list[str]:
    """The columns of a Parquet file, for guessing; empty for any other file."""
    try:
        return list(pq.read_schema(file).names) if is_parquet(file) else []
    except _PARQUET_TROUBLE:
        return []


@dataclass(frozen=True)
class CsvTable:
    """A text file, compressed or not.

    Raises:
        TraceError: a delimiter that can be none.
    """

    file: Path
    delimiter: str = ","

    def __post_init__(self) -> None:
        given = self.delimiter
        if len(given) != 1 or given in '"\r\n' or given.isalnum() or not given.isascii():
            raise TraceError(f"delimiter must be one character such as ',' or ';', not {given!r}")

    @cached_property
    def names(self) -> list[str]:
        """Its columns."""
        return read_header(self.file, (), self.delimiter)

    def blocks(self, kinds: Mapping[str, Kind], faults: Faults) -> Iterator[Block]:
        """See `read_blocks`."""
        return read_blocks(self.file, kinds, faults, self.delimiter)

    def time(self, name: str, unit: str) -> tuple[Kind, float]:
        """Nanoseconds since 1970 are too many for a float64, so they must be whole."""
        return WHOLE if unit == "ns" else NUMBER, units_per_s("unit", unit)

    def origin(self, name: str, origin: Any) -> float | int | None:
        """Zero, unless something is said."""
        return number_origin(origin)


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file. Text may be dictionaries or whole numbers; times numbers, timestamps or durations."""

    file: Path

    @cached_property
    def schema(self) -> pa.Schema:
        """Of the whole file."""
        try:
            return pq.read_schema(self.file)
        except _PARQUET_TROUBLE as error:
            raise self._damaged(error) from None

    @cached_property
    def names(self) -> list[str]:
        """Its columns."""
        try:
            return list(self.schema.names)
        except UnicodeDecodeError as error:
            raise self._damaged(error) from None

    def time(self, name: str, unit: str) -> tuple[Kind, float]:
        """A timestamp's unit is its own; whatever it is, it becomes whole nanoseconds."""
        kind = self.schema.field(name).type
        if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
            return WHOLE, _NS
        if pa.types.is_integer(kind):
            return WHOLE, units_per_s("unit", unit)
        if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            return NUMBER, units_per_s("unit", unit)
        raise TraceError(f"is of type {kind}; times must be numbers or timestamps", file=self.file, column=name)

    def origin(self, name: str, origin: Any) -> float | int | None:
        """Zero for numbers, the first arrival for timestamps, unless something is said."""
        is_timestamp = pa.types.is_timestamp(self.schema.field(name).type)
        return timestamp_origin(origin) if is_timestamp else number_origin(origin)

    def blocks(self, kinds: Mapping[str, Kind], faults: Faults) -> Iterator[Block]:
        """The columns named, batch by batch; rows are numbered from 1.

        Raises:
            TraceError: the file is damaged, a column is of an impossible type, a row is bad; no rows, or none of use.
        """
        row = kept = 0
        for batch in self._batches(list(kinds)):
            numbers = np.arange(row + 1, row + 1 + batch.num_rows)
            columns = [self._typed(batch[name], kind, name) for name, kind in kinds.items()]
            block = Block(pa.RecordBatch.from_arrays(columns, list(kinds)), numbers, self.file, faults)
            first_bad = {name: _first(kind.bad(block[name])) for name, kind in kinds.items()}
            for name in sorted(kinds, key=first_bad.__getitem__):
                block = block.without(kinds[name].bad(block[name]), name, kinds[name].rule)
            row, kept = row + batch.num_rows, kept + len(block)
            if len(block):
                yield block
        if not kept:
            none = f"none of its {row} rows can be used: {faults.first}"
            raise TraceError(none if row else "there are no rows", file=self.file)

    def _batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            with pq.ParquetFile(self.file, page_checksum_verification=True) as parquet:
                yield from parquet.iter_batches(BATCH_ROWS, columns=names, use_threads=False)
        except _PARQUET_TROUBLE as error:
            raise self._damaged(error) from None

    def _typed(self, column: pa.Array, kind: Kind, name: str) -> pa.Array:
        given = column.type
        try:
            if pa.types.is_timestamp(given):
                column = column.cast(pa.timestamp("ns", given.tz)).cast(pa.int64())
            elif pa.types.is_duration(given):
                column = column.cast(pa.duration("ns")).cast(pa.int64())
            column = column.cast(pa.type_for_alias(kind.arrow))
            column.validate(full=True)  # text that is UTF-8, above all
            return column
        except (pa.ArrowException, NotImplementedError) as error:
            why = f"its type is {given}, and cannot be taken for {kind.arrow}: {error}"
            raise TraceError(why, file=self.file, column=name) from None

    def _damaged(self, error: Exception) -> TraceError:
        return TraceError(f"is not a Parquet file that can be read: {error}", file=self.file)


def _first(bad: npt.NDArray[np.bool_]) -> int:
    return int(np.argmax(bad)) if bad.any() else bad.size
