"""Digests on disk: a Parquet file a run, whose name holds its key and a checksum of its bytes.

The table is that of functions; everything else is JSON in the file's metadata, numbers in the shortest form that reads
back the same. A file that was cut short, changed or only half written does not have the checksum that it names, and is
as good as not there. Nothing is ever unpickled.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from io import BytesIO
from math import isfinite, nan
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import ConfigError
from sim.results.columns import no_decisions
from sim.results.digest import Digest

FORMAT: Final = b"keepwarm-cell"
VERSION: Final = 2
"""Changes when what a file holds does; part of every key, so that others are not even looked for."""


_TEXT: Final = ("phase",)
_COUNTS: Final = ("calls", "cold")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, also among processes that write the same one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105 - atomic, which Path.rename is not everywhere
    finally:
        partial.unlink(missing_ok=True)


def write_digest(folder: Path, key: str, digest: Digest) -> Path:
    """Write a run's digest into `folder` under its key, atomically; returns the file."""
    content = encode(digest)
    path = folder / f"{key}-{_checksum(content)}.parquet"
    write_whole(path, content)
    return path


def find_digest(folder: Path, key: str) -> Path | None:
    """The whole and undamaged file of a key in `folder`; None if there is none."""
    for path in sorted(folder.glob(f"{key}-*.parquet")):
        if path.stem.removeprefix(f"{key}-") == _checksum(path.read_bytes()):
            return path
    return None


def read_digest(path: Path) -> Digest:
    """The digest that a file holds, once it was found to be undamaged.

    Raises:
        ConfigError: it holds something else, though its name is right.
    """
    try:
        return decode(path.read_bytes())
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is not the result of a run: {error}") from None


def encode(digest: Digest) -> bytes:
    """A digest as the bytes of a Parquet file, the same for the same digest."""
    table = pa.Table.from_pandas(digest.functions, preserve_index=False)
    decisions = b""
    if len(digest.decisions):
        decisions = parquet_bytes(pa.Table.from_pandas(digest.decisions, preserve_index=False))
    rest = {
        "version": VERSION,
        "starts": digest.starts,
        "summary": _plain(digest.summary.to_dict()),
        "decisions": base64.b64encode(decisions).decode(),
        **{name: _plain(getattr(digest, name).to_dict("list")) for name in ("tail", "timeline", "phases")},
    }
    text = json.dumps(rest, allow_nan=False)
    return parquet_bytes(table.replace_schema_metadata({FORMAT: text.encode()}))


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file, the same for the same table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def decode(content: bytes) -> Digest:
    """The digest that `encode` wrote."""
    table = pq.read_table(BytesIO(content), use_threads=False)
    rest = json.loads((table.schema.metadata or {})[FORMAT])
    frames = {name: pd.DataFrame({key: _column(key, values) for key, values in rest[name].items()})
              for name in ("tail", "timeline", "phases")}  # fmt: skip
    summary = pd.Series({name: _number(value) for name, value in rest["summary"].items()}, dtype=np.float64)
    decisions = no_decisions().frame()
    if rest["decisions"]:
        decisions = pq.read_table(BytesIO(base64.b64decode(rest["decisions"])), use_threads=False).to_pandas()
    return Digest(summary, table.to_pandas(), starts=rest["starts"], decisions=decisions, **frames)


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    """For JSON, which has no NaN (null) and no infinities (text)."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return None if value != value else str(value)
    return value


def _number(value: Any) -> float:
    return nan if value is None else float(value)


def _column(name: str, values: list[Any]) -> Any:
    if name in _TEXT:
        return pd.Series(values, dtype=object)
    return np.array([_number(value) for value in values], np.int64 if name in _COUNTS else np.float64)
