"""A run's folder: every file is written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.experiment.comparison import Comparison


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
