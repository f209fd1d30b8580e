"""The canonical form of a trace: a folder of Parquet files, byte-identical for the same trace.

======================= ================================================================================
``trace.json``          format and its version, horizon, number of calls, origin (`about`), and of counts (whose calls
                        are their sum) recipe, minutes and replication
``functions.parquet``   a row a function, the columns of `sim.workload.functions`
``invocations.parquet`` of a recorded trace, a row a call: function int32, arrival_s and duration_s float64, ascending
                        by arrival
``counts.parquet``      of a trace of counts, instead: function, minute, count, a row a non-empty cell
``durations.parquet``   only with it: a row a function, its average and quantiles in seconds
``averages.parquet``    only where it is known: the average of each of the counts' cells in seconds, a row a cell
======================= ================================================================================

A recorded trace is of version 1. Counts are of version 2; in version 1 they had the calls of one replication beside
them. `sim.workload.readers.canonical` reads both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import TraceError
from sim.workload.durations import PERCENTS, DurationStatistics
from sim.workload.folders import whole_folder
from sim.workload.functions import COLUMNS, telling

FORMAT: Final = "keepwarm-trace"
VERSION: Final = 1
COUNTS_VERSION: Final = 2

TRACE: Final = "trace.json"
FUNCTIONS: Final = "functions.parquet"
INVOCATIONS: Final = "invocations.parquet"
COUNTS: Final = "counts.parquet"
DURATIONS: Final = "durations.parquet"
AVERAGES: Final = "averages.parquet"
CALLS: Final = "calls_per_function.parquet"
FILES: Final = (TRACE, FUNCTIONS, INVOCATIONS, COUNTS, DURATIONS, AVERAGES)

_NUMBERS: Final = {"memory_mb": "float64", "package_mb": "float64", "timeout_s": "float64", "concurrency": "int64",
                   "vpc": "bool", "cpu_share": "float64"}  # fmt: skip

COLUMN_TYPES: Final[dict[str, dict[str, str]]] = {
    FUNCTIONS: {column: _NUMBERS.get(column, "string") for column in COLUMNS},
    INVOCATIONS: {"function": "int32", "arrival_s": "float64", "duration_s": "float64"},
    COUNTS: {"function": "int32", "minute": "int32", "count": "int64"},
    DURATIONS: {"average_s": "float64", **{f"p{percent}_s": "float64" for percent in PERCENTS}},
    AVERAGES: {"average_s": "float64"},
    CALLS: {"calls": "int64"},
}
"""The columns of each Parquet file, in order, with their types as Arrow names them (a double is ``float64`` here). The
last is only of traces by function (`sim.workload.partition`)."""


def schema(file: str) -> pa.Schema:
    """The Arrow schema of one of the folder's Parquet files."""
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMN_TYPES[file].items()])


def is_canonical(path: Path) -> bool:
    """Whether a path is a folder that claims, in its ``trace.json``, to be a trace in this form."""
    return claims(path, FORMAT)


def claims(path: Path, form: str) -> bool:
    """Whether a path is a folder whose ``trace.json`` names a form."""
    try:
        head = json.loads((path / TRACE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(head, dict) and head.get("format") == form


def save(
    path: Path,
    functions: pd.DataFrame,
    horizon_s: float,
    about: Mapping[str, Any],
    write_calls: Callable[[Path], dict[str, Any]],
) -> None:
    """Write a trace as a folder, whole or not at all; a trace folder that is there already is replaced.

    Args:
        path: the folder; its parents are made.
        functions: the table of functions.
        horizon_s: the declared span.
        about: the origin.
        write_calls: writes the files of calls or counts into a folder, and returns what ``trace.json`` is to say of
            them.

    Raises:
        TraceError: the path holds something other than a trace, or `about` has values that JSON has not.
    """
    with whole_folder(path, is_canonical, FILES) as fresh:
        write_parquet(fresh, FUNCTIONS, {column: functions[column] for column in telling(functions)})
        head = {
            "format": FORMAT, "version": VERSION, "horizon_s": horizon_s, "calls": 0, "recipe": None, "spans": None,
            "about": dict(about),
        }  # fmt: skip
        write_head(fresh, head | write_calls(fresh))


def write_calls(folder: Path, columns: dict[str, Any]) -> dict[str, Any]:
    """Write the columns of recorded calls; returns what ``trace.json`` says of them."""
    write_parquet(folder, INVOCATIONS, columns)
    return {"calls": len(columns["function"])}


def write_counts(folder: Path, cells: dict[str, Any], durations: DurationStatistics) -> dict[str, Any]:
    """Write the columns of counts, and what is known of durations; returns what ``trace.json`` says of them."""
    write_parquet(folder, COUNTS, cells)
    quantiles = {f"p{percent}_s": durations.quantiles_s[:, i] for i, percent in enumerate(PERCENTS)}
    write_parquet(folder, DURATIONS, {"average_s": durations.average_s, **quantiles})
    if durations.cell_average_s is not None:
        write_parquet(folder, AVERAGES, {"average_s": durations.cell_average_s})
    return {"version": COUNTS_VERSION, "calls": int(cells["count"].sum())}


def write_head(folder: Path, head: dict[str, Any]) -> None:
    """Write ``trace.json``.

    Raises:
        TraceError: it has values that JSON has not.
    """
    try:
        text = json.dumps(head, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TraceError(f"trace.about cannot be written as JSON: {error}") from None
    (folder / TRACE).write_text(text + "\n", "utf-8", newline="\n")


def write_parquet(folder: Path, file: str, columns: dict[str, Any]) -> None:
    """One writer, fixed settings, no pandas metadata: the same columns give the same bytes.

    Of the encodings tried on 400,000 calls (1 ms grid) and on 3 million from counts, dictionaries are smallest for
    functions and durations, and a strong zstd over plain values for arrivals, which hardly ever repeat.
    """
    kinds = pa.schema([field for field in schema(file) if field.name in columns])
    arrays = [pa.array(np.asarray(columns[field.name]), field.type) for field in kinds]
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=kinds),
        folder / file,
        version="2.6",
        compression="zstd",
        compression_level=15,
        use_dictionary=[name for name in kinds.names if name != "arrival_s"],
        row_group_size=1 << 20,
        write_page_checksum=True,
    )
