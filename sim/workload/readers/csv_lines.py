"""CSV files as lines: blocks of whole ones, the header, and the cells of one."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError
from sim.workload.readers.streams import open_stream

BLOCK_BYTES: Final = 4 << 20
"""Read at a time; no line may be longer."""

_LINE: Final = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_HEADER_BYTES: Final = 1 << 16
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Lines = tuple[int, bytes]
"""Some whole lines, and the number of the first in its file, from 1."""


class BadRowError(Exception):
    """A row that cannot be used.

    Attributes:
        why: what is wrong, with the value.
        reason: the same without values, to count by.
        column: its name; None where the whole row is wrong.
    """

    def __init__(self, why: str, reason: str, column: str | None = None) -> None:
        super().__init__(why)
        self.why, self.reason, self.column = why, reason, column


def split_cells(line: bytes, delimiter: str) -> list[str]:
    """The cells of a line.

    Raises:
        BadRowError: it is not UTF-8, or its quotes are wrong.
    """
    try:
        return next(csv.reader((line.decode(),), delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        raise BadRowError("not UTF-8 text", "not UTF-8 text") from None
    except csv.Error as error:
        why = "a quoted cell must end on its line" if "unexpected end" in str(error) else str(error)
        raise BadRowError(why, why) from None


def header_of(file: Path, delimiter: str = ",") -> list[str]:
    """The names of a file's columns, for guessing its format: empty for what is no readable text."""
    try:
        return _header(file, delimiter)
    except TraceError:
        return []


def read_header(file: Path, required: Sequence[str], delimiter: str = ",") -> list[str]:
    """The names of the columns, none of them twice, the `required` ones among them.

    Raises:
        TraceError: the file is missing, empty, damaged, not UTF-8 or not such a table.
    """
    header = _header(file, delimiter)
    if not header:
        raise TraceError("the file is empty", file=file)
    if len(set(header)) < len(header):
        repeated = next(name for i, name in enumerate(header) if name in header[:i])
        raise TraceError("the column is there twice (line 1)", file=file, column=repeated)
    missing = [name for name in required if name not in header]
    if missing:
        other = "comma" if delimiter == "," else repr(delimiter)
        hint = f"; is its delimiter a {other}?" if len(header) == 1 else ""
        raise TraceError(f"the column is missing (line 1){hint}", file=file, column=missing[0])
    return header


def lines_below_header(file: Path) -> Generator[Lines]:
    """Blocks of the lines after the first that is not blank.

    Raises:
        TraceError: the file cannot be read, is damaged, or has a line that is longer than any table's.
    """
    with closing(_whole_lines(file, BLOCK_BYTES)) as blocks:
        _, after, rest = _find_header(blocks)
        yield after, rest
        yield from blocks


def line_of(file: Path, row: int) -> int:
    """The line that a data row, numbered from 1, is in."""
    with closing(lines_below_header(file)) as blocks:
        for line, lines in blocks:
            for number, text in enumerate(lines.splitlines(), start=line):
                row -= bool(text)
                if not row:
                    return number
    return 0


def _header(file: Path, delimiter: str) -> list[str]:
    with closing(_whole_lines(file, _HEADER_BYTES)) as blocks:
        text, after, _ = _find_header(blocks)
    try:
        return split_cells(text, delimiter) if text else []
    except BadRowError as bad:
        raise TraceError(f"{bad.why} (line {after - 1})", file=file) from None


def _find_header(blocks: Iterator[Lines]) -> tuple[bytes, int, bytes]:
    """The first line that is not blank, the number of the next, and what follows it in its block."""
    for line, lines in blocks:
        text, place, skipped = _first_line(lines)
        if text:
            return text, line + skipped, lines[place:]
    return b"", 1, b""


def _first_line(lines: bytes) -> tuple[bytes, int, int]:
    """The first line that is not blank, where the next one begins, and the number of lines before that."""
    place = len(_BYTE_ORDER_MARK) if lines.startswith(_BYTE_ORDER_MARK) else 0
    number, text = 0, b""
    while place < len(lines) and not text:
        match = _LINE.match(lines, place)
        assert match is not None  # it matches anything
        text = match[0].rstrip(b"\r\n")
        place, number = match.end(), number + 1
    return text, place, number


def _whole_lines(file: Path, size: int) -> Generator[Lines]:
    """A file in blocks of about `size` bytes that end where a line does."""
    line, rest = 1, b""
    with open_stream(file) as stream:
        while more := stream.read(size):
            rest += more
            end = rest.rfind(b"\n") + 1 or rest.rfind(b"\r") + 1
            if not end and len(rest) > BLOCK_BYTES:
                why = f"line {line} is longer than {BLOCK_BYTES:,} bytes: not a table of this kind"
                raise TraceError(why, file=file)
            if end:
                yield line, rest[:end]
                line += rest.count(b"\n", 0, end) or rest.count(b"\r", 0, end)
                rest = rest[end:]
    if rest:
        yield line, rest
