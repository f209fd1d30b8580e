"""CSV files as typed columns: fast where all is well, and where it is not, the exact place.

Files are parsed in blocks by Arrow, which is quick but vague about what it dislikes. On any trouble a second, slow pass
looks for the first fault and names its data row (from 1), its line in the file and its column.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from sim.core.errors import TraceError

BLOCK_BYTES: Final = 4 << 20
KEY_SEPARATOR: Final = "\n"
_WHOLE: Final = re.compile(r"\s*[0-9]{1,10}\s*", re.ASCII)
_LARGEST_COUNT: Final = 2**31 - 1


@dataclass(frozen=True)
class Kind:
    """What a column must hold.

    Attributes:
        arrow: the type it is parsed as.
        rule: what a value must be, for the message.
        holds: whether the text of one cell obeys.
        sound: whether all of a parsed column obeys what its type leaves open.
    """

    arrow: str
    rule: str
    holds: Callable[[str], bool]
    sound: Callable[[Any], bool]


def _is_number(text: str, least: float = -math.inf) -> bool:
    try:
        return least <= float(text) < math.inf
    except ValueError:
        return False


def _within(column: Any, least: float) -> bool:
    bounds = pc.min_max(column)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    finite = column.type == pa.int32() or pc.all(pc.is_finite(column)).as_py() is not False
    return low is None or bool(finite and low >= least and high < math.inf)


TEXT: Final = Kind("string", "must not be empty", bool, lambda c: pc.min(pc.binary_length(c)).as_py() != 0)
COUNT: Final = Kind(
    "int32",
    f"must be a whole number from 0 to {_LARGEST_COUNT}",
    lambda text: _WHOLE.fullmatch(text) is not None and int(text) <= _LARGEST_COUNT,
    lambda column: _within(column, 0),
)
NUMBER: Final = Kind("float64", "must be a finite number", _is_number, lambda column: _within(column, -math.inf))
NOT_NEGATIVE: Final = Kind(
    "float64",
    "must be a finite number >= 0",
    lambda text: _is_number(text, 0.0),
    lambda column: _within(column, 0.0),
)


def read_header(file: Path, required: tuple[str, ...]) -> list[str]:
    """The names of the columns, none of them twice, the `required` ones among them.

    Raises:
        TraceError: the file is missing, empty, not UTF-8 or not such a table.
    """
    _, _, header = next(_rows(file), (0, 0, list[str]()))
    if not header:
        raise TraceError("the file is empty", file=file)
    repeated = [name for i, name in enumerate(header) if name in header[:i]]
    if repeated:
        raise TraceError("the column is there twice (line 1)", file=file, column=repeated[0])
    missing = [name for name in required if name not in header]
    if missing:
        hint = "; is its delimiter a comma?" if len(header) == 1 else ""
        raise TraceError(f"the column is missing (line 1){hint}", file=file, column=missing[0])
    return header


def read_blocks(file: Path, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
    """The columns named, in that order, block by block.

    Raises:
        TraceError: the first value that breaks its column's rule, or row that has not a cell for every column; no rows.
    """
    rows = 0
    reading = arrow_csv.ReadOptions(block_size=BLOCK_BYTES)
    converting = arrow_csv.ConvertOptions(
        column_types={name: pa.type_for_alias(kind.arrow) for name, kind in kinds.items()},
        include_columns=list(kinds),
        null_values=[],  # an empty cell is an error, not a null
    )
    try:
        with arrow_csv.open_csv(file, read_options=reading, convert_options=converting) as blocks:
            for block in blocks:
                if not all(kind.sound(block[name]) for name, kind in kinds.items()):
                    raise fault(file, kinds, "a value is out of range")
                rows += block.num_rows
                yield block
    except (pa.ArrowException, OSError) as error:
        raise fault(file, kinds, str(error)) from None
    if not rows:
        raise TraceError("there are no rows below the header", file=file)


def fault(file: Path, kinds: Mapping[str, Kind], otherwise: str) -> TraceError:
    """What is wrong with a file that could not be read: its first fault, or else the message given."""
    try:
        rows = _rows(file)
        _, _, header = next(rows, (0, 0, list[str]()))
        places = {kind: [i for i, name in enumerate(header) if kinds.get(name) == kind] for kind in kinds.values()}
        for row, line, cells in rows:
            if len(cells) != len(header):
                return TraceError(f"{len(cells)} cells, not {len(header)} (line {line})", file=file, row=row)
            bad = [i for kind, columns in places.items() for i in _offending(kind, cells, columns)]
            if bad:
                name, text = header[min(bad)], cells[min(bad)]
                why = f"{kinds[name].rule}, not {text!r} (line {line})"
                return TraceError(why, file=file, row=row, column=name)
    except TraceError as error:
        return error
    return TraceError(f"cannot be read as CSV: {otherwise}", file=file)


def _offending(kind: Kind, cells: list[str], columns: list[int]) -> list[int]:
    if all(map(kind.holds, {cells[i] for i in columns})):  # most cells of a row are alike
        return []
    return [i for i in columns if not kind.holds(cells[i])]


def keys_of(block: pa.RecordBatch, columns: Sequence[str]) -> list[str]:
    """One string a row that stands for its cells in some text columns."""
    keys: list[str] = pc.binary_join_element_wise(*(block[name] for name in columns), KEY_SEPARATOR).to_pylist()
    return keys


def refuse_repeated(keys: list[str], seen: set[str], file: Path, columns: Sequence[str]) -> None:
    """Add the keys of a block to those seen in its file.

    Raises:
        TraceError: one has been there before; no one can say whether to add, to choose or to average.
    """
    for key in keys:
        if key in seen:
            row, line = _find_second(file, columns, key)
            raise TraceError(f"is there twice, {key.split(KEY_SEPARATOR)[-1]!r} (line {line})", file=file, row=row,
                             column=columns[-1])  # fmt: skip
        seen.add(key)


def _find_second(file: Path, columns: Sequence[str], key: str) -> tuple[int, int]:
    rows = _rows(file)
    _, _, header = next(rows)
    places = [header.index(name) for name in columns]
    matches = ((row, line) for row, line, cells in rows if KEY_SEPARATOR.join(cells[i] for i in places) == key)
    next(matches)
    return next(matches)


def _rows(file: Path) -> Iterator[tuple[int, int, list[str]]]:
    """Row number (the header is 0), line and cells of every row that is not blank."""
    number = line = 0
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, strict=True)
            for cells in reader:
                line = reader.line_num
                if cells:
                    yield number, line, cells
                    number += 1
    except UnicodeDecodeError:
        raise TraceError(f"not UTF-8 text (line {_first_bad_line(file)})", file=file) from None
    except csv.Error as error:
        raise TraceError(f"{error} (line {line + 1})", file=file, row=number) from None
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror}", file=file) from None


def _first_bad_line(file: Path) -> int:
    with file.open("rb") as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0
