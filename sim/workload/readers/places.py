"""Which of a folder's text files is meant: the one with the columns of its format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError
from sim.workload.readers.csv_lines import header_of
from sim.workload.readers.streams import plain_name

_ENDINGS: Final = (".csv", ".txt")


def text_files(path: Path) -> list[Path]:
    """The path itself, if it is a file; the .csv and .txt files of a folder, compressed or not, by name."""
    if path.is_file():
        return [path]
    files = sorted(path.iterdir()) if path.is_dir() else []
    return [
        file for file in files
        if file.is_file() and plain_name(file).endswith(_ENDINGS) and not file.name.startswith(".")
    ]  # fmt: skip


def files_with(path: Path, columns: Collection[str], without: Collection[str] = ()) -> list[Path]:
    """Those of `text_files` whose header has all of some columns, and none of others."""
    headers = ((file, set(header_of(file))) for file in text_files(path))
    return [file for file, header in headers if header.issuperset(columns) and header.isdisjoint(without)]


def only_file_with(path: Path, columns: Collection[str], without: Collection[str] = ()) -> Path:
    """The file meant: the path, if it is one; else the only one in the folder with these columns.

    A folder's only text file is meant whatever its header says, so that reading it can say what is wrong.

    Raises:
        TraceError: there is none, or there are several.
    """
    there, found = text_files(path), files_with(path, columns, without)
    if len(there) == 1 or len(found) == 1:
        return (found or there)[0]
    names = f"; it is in {[file.name for file in found]}" if found else ""
    raise TraceError(f"not one file in it has the columns {list(columns)}{names}", file=path)
