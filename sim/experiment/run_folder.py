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
from typing import Any, Final, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import ConfigError
from sim.experiment.comparison import Comparison

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
            kind = "holds a finished run" if (taken / "manifest.json").exists() else "is in use by another run"
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
    while not (folder / "manifest.json").exists():
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
            if still_there and not (folder / "manifest.json").exists():
                unless_claimed.pop_all()
                return claim
            if still_there:
                (folder / CLAIM).unlink()
    return None


class Noted(Protocol):
    """A table with sentences by topic: a comparison, or what a study found."""

    @property
    def frame(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def notes(self) -> Mapping[str, str]: ...  # noqa: D102


def write_run(
    folder: Path, table: Noted, config_yaml: str, manifest: Mapping[str, Any], *, name: str = "comparison"
) -> None:
    """Write config.yaml, the table as <name>.parquet and <name>.csv and, last, manifest.json.

    All but the manifest are byte-identical for the same configuration and seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.yaml", config_yaml.encode())
    _write(folder / f"{name}.csv", table.frame.to_csv(index=False, lineterminator="\n").encode())
    _write(folder / f"{name}.parquet", _parquet(table))
    _write(folder / "manifest.json", (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode())


def _parquet(noted: Noted) -> bytes:
    table = pa.Table.from_pandas(noted.frame, preserve_index=False)
    notes = {f"keepwarm.{key}": sentence for key, sentence in noted.notes.items()}
    table = table.replace_schema_metadata(notes)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def read_comparison(folder: Path) -> Comparison:
    """The comparison that a run's folder holds."""
    table = pq.read_table(folder / "comparison.parquet", use_threads=False)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    notes = {key.removeprefix("keepwarm."): v for key, v in metadata.items() if key.startswith("keepwarm.")}
    return Comparison(table.to_pandas(), notes)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)  # noqa: PTH105 - atomic, which Path.rename is not everywhere
    finally:
        partial.unlink(missing_ok=True)
