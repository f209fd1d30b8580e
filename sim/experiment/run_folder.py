"""A run's folder: it is one run's alone, and every file is written whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from io import BufferedWriter
from itertools import count
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from sim.core.errors import ConfigError
from sim.experiment.index import read_index
from sim.results.outcome import Outcome
from sim.results.store import parquet_bytes, write_whole

CONFIG: Final = "config.yaml"
MANIFEST: Final = "manifest.json"
KINDS: Final[Mapping[str, type | tuple[type, ...]]] = MappingProxyType(
    {"overrides": list, "options": list, "host": dict, "versions": dict, "source": (dict, NoneType), "trace": dict}
)
"""What parts of a manifest are, if they are there."""
FORMULA: Final = ("=", "+", "-", "@", "\t")
"""What a text begins with that a spreadsheet takes for a formula (OWASP, "CSV Injection")."""
CLAIM: Final = ".claim"
"""A file that is there, and locked, while a run is under way; the lock of a process that was killed is nobody's."""


@contextmanager
def claimed(folder: Path, *, may_rename: bool = False) -> Iterator[Path]:
    """Have a run's folder for oneself; if it is empty in the end, it is removed.

    A folder is free if no run is under way in it and none has ended in it (a manifest comes last): what was left
    unfinished there may be continued.

    Args:
        folder: made if it is not there.
        may_rename: take ``<name>-2``, ``<name>-3``, ... where it is not free.

    Yields:
        The folder that was claimed.

    Raises:
        ConfigError: it is not free.
    """
    names = (folder.with_name(f"{folder.name}-{n}") for n in count(2))
    taken = folder
    while (claim := _claim(taken)) is None:
        if not may_rename:
            kind = "holds a finished run" if (taken / MANIFEST).exists() else "is in use by another run"
            raise ConfigError(f"{folder} {kind}: name another folder, or remove it")
        taken = next(names)
    try:
        yield taken
    finally:
        (taken / CLAIM).unlink()  # before the lock is let go: whoever waits for this file would not hold the folder
        claim.close()
        with suppress(OSError):  # it is not empty
            taken.rmdir()


def _claim(folder: Path) -> BufferedWriter | None:
    """The locked file of a claim; None if the folder is not free."""
    while not (folder / MANIFEST).exists():
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
        with ExitStack() as unless_claimed:
            try:
                claim = unless_claimed.enter_context((folder / CLAIM).open("ab"))
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                still_there = os.path.samestat(os.fstat(claim.fileno()), (folder / CLAIM).stat())
            except BlockingIOError:  # another run has it
                return None
            except FileNotFoundError:  # another run has ended meanwhile, and removed its claim or the folder
                continue
            if still_there and not (folder / MANIFEST).exists():
                unless_claimed.pop_all()
                return claim
            if still_there:
                (folder / CLAIM).unlink()
    return None


def write_table(folder: Path, name: str, frame: pd.DataFrame, notes: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write a table as <name>.csv and <name>.parquet, the notes in its metadata; the same bytes for the same table.

    In the CSV file no text ends a row, or is a formula to a spreadsheet: an apostrophe stands before what would be one.
    """
    plain = frame.apply(lambda column: column if is_numeric_dtype(column) else column.map(_plain_text))
    write_whole(folder / f"{name}.csv", plain.to_csv(index=False, lineterminator="\n").encode())
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({f"keepwarm.{key}": sentence for key, sentence in notes.items()})
    write_whole(folder / f"{name}.parquet", parquet_bytes(table))


def _plain_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace("\r", "\ufffd")  # which Python before 3.13 does not quote
    return f"'{text}" if text.startswith(FORMULA) else text


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write manifest.json: the last file of a run, and the one that may differ in a run that is the same."""
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def load_run(folder: Path | str) -> Outcome:
    """The outcome of the run that is in a folder, finished or not, computed from the digests that are whole.

    Raises:
        ConfigError: it is not the folder of a comparison, or was damaged.
    """
    place = Path(folder)
    config = place / CONFIG
    index, manifest = read_index(place), read_manifest(place)
    try:
        text = config.read_text("utf-8") if config.exists() else ""
        return index.outcome(config_yaml=text, manifest=manifest)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{place} is damaged: {error!r}") from None


def read_config(folder: Path) -> str:
    """The configuration of a run, as it was written.

    Raises:
        ConfigError: it is not there, or no text.
    """
    path = folder / CONFIG
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run that has ended; empty if it has not.

    Raises:
        ConfigError: it is no manifest.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or not all(isinstance(facts[key], KINDS[key]) for key in facts.keys() & KINDS):
        raise ConfigError(f"{path} is damaged")
    return facts
