"""CSV files as typed columns: fast where all is well, and where it is not, the exact place.

A file, compressed or not, is read in blocks of whole lines. Arrow parses a block of plain numbers and text; a block
with anything that it might take otherwise than we do (quotes, control characters, ``0x``), or that it or a column's
rule dislikes, is read again line by line. There the first fault is an error that names its data row (from 1), its line
and its column; or, where the reader is lenient, the row is left out and counted. A row is one line: no cell goes on to
the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from sim.core.errors import TraceError
from sim.workload.readers.cells import MISSING, Kind
from sim.workload.readers.csv_lines import BadRowError, header_of, line_of, lines_below_header, read_header, split_cells
from sim.workload.readers.faults import Faults

__all__ = ["Block", "header_of", "read_blocks", "read_header"]

KEY_SEPARATOR: Final = "\n"

_SPACE: Final = 32
_MOST_SHOWN: Final = 60
"""Characters of a cell in a message."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """Some rows of a file.

    Attributes:
        columns: those asked for, typed.
        row: int64, the number of each row in the file, from 1 (the header is 0).
        file: where they come from.
        faults: what happens to bad ones.
        line: gives a row's line in the file, by reading it again; None where it has no lines.
    """

    columns: pa.RecordBatch
    row: IntArray
    file: Path
    faults: Faults
    line: Callable[[int], int] | None = None

    def __len__(self) -> int:
        return self.row.size

    def __getitem__(self, name: str) -> pa.Array:
        return self.columns[name]

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers; float64 with NaN where a value is missing."""
        return np.asarray(self.columns[name].to_numpy(zero_copy_only=False))

    def text(self, name: str) -> list[str]:
        """A column of text."""
        cells: list[str] = self.columns[name].to_pylist()
        return cells

    def keys(self, names: Sequence[str]) -> list[str]:
        """One string a row that stands for its cells in some text columns; no cell holds a `KEY_SEPARATOR`."""
        keys: list[str] = self._joined(names).to_pylist()
        return keys

    def codes(self, names: Sequence[str], index: dict[str, int]) -> npt.NDArray[np.int32]:
        """int32: the number of each row's key in `index`, which takes up new ones in order of appearance."""
        encoded = self._joined(names).dictionary_encode()
        number = [index.setdefault(key, len(index)) for key in encoded.dictionary.to_pylist()]
        known = np.array(number, np.int32)
        return np.asarray(known[encoded.indices.to_numpy()])

    def _joined(self, names: Sequence[str]) -> pa.Array:
        return pc.binary_join_element_wise(*(self.columns[name] for name in names), KEY_SEPARATOR)

    def without(self, bad: BoolArray, column: str, rule: str) -> Block:
        """The block without its bad rows.

        Args:
            bad: which rows.
            column: the one to name, of those asked for.
            rule: what its values must be, e.g. ``"must not be before the start"``.

        Raises:
            TraceError: there are any, and the reader is not lenient.
        """
        if not bad.any():
            return self
        i = int(np.argmax(bad))
        row = int(self.row[i])
        line = f" (line {self.line(row)})" if self.line is not None and self.faults.first is None else ""
        why = f"{rule}, not {self.columns[column][i].as_py()!r}{line}"
        error = TraceError(why, file=self.file, row=row, column=column)
        self.faults.meet(error, f"{column} {rule}", int(bad.sum()))
        return replace(self, columns=self.columns.filter(pa.array(~bad)), row=self.row[~bad])

    def without_repeated(self, names: Sequence[str], seen: set[str]) -> Block:
        """The block without rows whose key (see `keys`) has been there before; `seen` takes up the others.

        Raises:
            TraceError: there are any, and the reader is not lenient: no one can say which of two to believe.
        """
        bad = np.zeros(len(self), np.bool_)
        for i, key in enumerate(self.keys(names)):
            bad[i] = key in seen
            seen.add(key)
        return self.without(bad, names[-1], "must not be there twice")


def read_blocks(
    file: Path, kinds: Mapping[str, Kind], faults: Faults | None = None, delimiter: str = ","
) -> Iterator[Block]:
    """The columns named, in that order, block by block.

    Args:
        file: text, compressed or not.
        kinds: the columns wanted, all of them in the header.
        faults: what happens to bad rows; by default the first is an error.
        delimiter: one character.

    Raises:
        TraceError: the first value that breaks its column's rule, or row that has not a cell for every column; no rows,
            or none that can be used.
    """
    header = read_header(file, list(kinds), delimiter)
    table = _Table(file, header, kinds, delimiter, faults or Faults())
    row, kept, dropped = 1, 0, table.faults.rows
    with closing(lines_below_header(file)) as blocks:
        for line, lines in blocks:
            rows, block = table.read(lines, row, line)
            row += rows
            kept += len(block)
            if len(block):
                yield block
    if not kept:
        left_out = table.faults.rows - dropped
        none = f"none of its {left_out} rows can be used: {table.faults.first}"
        raise TraceError(none if left_out else "there are no rows below the header", file=file)


@dataclass(frozen=True)
class _Table:
    """What all blocks of a file have in common."""

    file: Path
    header: list[str]
    kinds: Mapping[str, Kind]
    delimiter: str
    faults: Faults

    def read(self, lines: bytes, row: int, line: int) -> tuple[int, Block]:
        """The number of rows in some whole lines, and the good ones of them.

        Args:
            lines: as they are in the file.
            row: the number of the first.
            line: its number in the file.
        """
        columns = self._parse(lines)
        if columns is not None:
            return columns.num_rows, self._block(columns, np.arange(row, row + columns.num_rows))
        reader = _LineByLine(self)
        end = reader.read(lines, row, line)
        return end - row, self._block(reader.columns(), np.array(reader.rows, np.int64))

    def _block(self, columns: pa.RecordBatch, row: IntArray) -> Block:
        return Block(columns, row, self.file, self.faults, partial(line_of, self.file))

    def _parse(self, lines: bytes) -> pa.RecordBatch | None:
        """The columns as Arrow reads them; None where it does not, or might read them in another way."""
        if not self._is_plain(lines):
            return None
        # One block, so threads would only share out columns; and one that is still at work when a value cannot be read
        # ends the whole process if that is over before it is.
        reading = arrow_csv.ReadOptions(column_names=self.header, block_size=len(lines) + 1, use_threads=False)
        parsing = arrow_csv.ParseOptions(delimiter=self.delimiter, quote_char=False)
        converting = arrow_csv.ConvertOptions(
            column_types={name: pa.type_for_alias(kind.arrow) for name, kind in self.kinds.items()},
            include_columns=list(self.kinds),
            null_values=list(MISSING),
        )
        try:
            table = arrow_csv.read_csv(pa.BufferReader(lines), reading, parsing, converting).combine_chunks()
        except pa.ArrowException:
            return None
        for columns in table.to_batches():  # there is one, or none
            if not any(kind.bad(columns[name]).any() for name, kind in self.kinds.items()):
                return columns
        return None

    def _is_plain(self, lines: bytes) -> bool:
        if b'"' in lines or not (lines.isascii() or _is_utf8(lines)):
            return False
        if any(x in lines and b"0" + x in lines for x in (b"x", b"X")):  # one byte is found much faster than two
            return False
        ends = lines.count(b"\r")
        control = np.count_nonzero(np.frombuffer(lines, np.uint8) < _SPACE) - lines.count(b"\n") - ends
        tabs = lines.count(b"\t") if self.delimiter == "\t" else 0
        return control == tabs and (not ends or ends == lines.count(b"\r\n"))


class _LineByLine:
    """The slow and certain way."""

    def __init__(self, table: _Table) -> None:
        self.table = table
        places = {name: table.header.index(name) for name in table.kinds}
        self.by_kind: dict[Kind, list[int]] = {}
        for name, kind in table.kinds.items():
            self.by_kind.setdefault(kind, []).append(places[name])
        self.wanted = [(places[name], kind) for name, kind in table.kinds.items()]
        self.rows: list[int] = []
        self.values: list[list[Any]] = [[] for _ in self.wanted]

    def read(self, lines: bytes, row: int, line: int) -> int:
        """Take up the rows of some lines, numbered from `row` and `line`; returns the number after the last."""
        for number, text in enumerate(lines.splitlines(), start=line):
            if not text:
                continue
            try:
                cells = self._cells(text)
            except BadRowError as bad:
                error = TraceError(f"{bad.why} (line {number})", file=self.table.file, row=row, column=bad.column)
                self.table.faults.meet(error, bad.reason)
            else:
                self.rows.append(row)
                for values, (i, kind) in zip(self.values, self.wanted, strict=True):
                    values.append(kind.value(cells[i]))
            row += 1
        return row

    def columns(self) -> pa.RecordBatch:
        """The rows taken up."""
        kinds = self.table.kinds
        arrays = [
            pa.array(v, pa.type_for_alias(kind.arrow)) for v, kind in zip(self.values, kinds.values(), strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, list(kinds))

    def _cells(self, text: bytes) -> list[str]:
        header = self.table.header
        cells = split_cells(text, self.table.delimiter)
        if len(cells) != len(header):
            raise BadRowError(f"{len(cells)} cells, not {len(header)}", "wrong number of cells")
        for kind, columns in self.by_kind.items():
            if all(map(kind.accepts, {cells[i] for i in columns})):  # most cells of a row are alike
                continue
            i = next(i for i in columns if not kind.accepts(cells[i]))
            raise BadRowError(f"{kind.rule}, not {_shown(cells[i])}", f"{header[i]} {kind.rule}", header[i])
        return cells


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= _MOST_SHOWN else f"{cell[:_MOST_SHOWN]}...")


def _is_utf8(lines: bytes) -> bool:
    try:
        lines.decode()
    except UnicodeDecodeError:
        return False
    return True
