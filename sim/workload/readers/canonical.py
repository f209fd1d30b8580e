"""Reader of the canonical form (see `sim.workload.canonical`). Rows named in errors count from 0, as the columns do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import TraceError
from sim.workload.canonical import (
    AVERAGES,
    COUNTS,
    COUNTS_VERSION,
    DURATIONS,
    FORMAT,
    FUNCTIONS,
    INVOCATIONS,
    TRACE,
    VERSION,
    schema,
)
from sim.workload.counted import CountedTrace
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import DurationStatistics
from sim.workload.functions import FROM_ZERO, LATER, function_table
from sim.workload.readers.faults import Faults
from sim.workload.trace import Trace

_ROUNDING_S: Final = 1e-6

Columns = dict[str, np.ndarray[Any, Any]]
FloatArray = npt.NDArray[np.float64]

_KEYS: Final = {"calls": int, "about": dict, "recipe": dict | None, "spans": list | None}
"""What else ``trace.json`` must have."""


def fits(path: Path) -> bool:
    """Whether a path is a folder with a ``trace.json``."""
    return (path / TRACE).is_file()


def read(path: Path, *, lenient: bool = False) -> Trace:
    """Read a trace that `Trace.save` wrote, exactly as it was, with the counts if it had them.

    Args:
        path: the folder.
        lenient: leave out calls that cannot be used, and count them; anything else that is wrong is an error still.

    Raises:
        TraceError: a file is missing or not what it should be, or a value is impossible.
    """
    head = _head(path / TRACE)
    functions = read_functions(path / FUNCTIONS)
    counts = None if head["recipe"] is None else _counted(path, head, functions)
    if counts is not None and head["version"] == COUNTS_VERSION:
        return counts
    recorded = _recorded(path, head, functions, Faults(lenient))
    return recorded if counts is None else _of_version_1(recorded, counts)


def _recorded(path: Path, head: dict[str, Any], functions: pd.DataFrame, faults: Faults) -> Trace:
    calls = read_columns(path / INVOCATIONS)
    if len(calls["function"]) != head["calls"]:
        raise TraceError(f"{len(calls['function'])} calls, but {TRACE} says {head['calls']}", file=path / INVOCATIONS)
    function, arrival_s, duration_s = _good_calls(path / INVOCATIONS, calls, len(functions), faults)
    about = head["about"]
    if faults.rows:
        about = about | {"report": dict(about.get("report", {})) | faults.report()}
    return Trace(function, arrival_s, duration_s, functions, head["horizon_s"], about)


def _counted(path: Path, head: dict[str, Any], functions: pd.DataFrame) -> CountedTrace:
    counts = _counts(path, head, functions)
    calls = int(counts.count.sum())
    if head["version"] == COUNTS_VERSION and calls != head["calls"]:
        raise TraceError(f"{calls} calls, but {TRACE} says {head['calls']}", file=path / COUNTS)
    return CountedTrace(functions, head["horizon_s"], head["about"], counts=counts, replication=head["replication"])


def _of_version_1(recorded: Trace, counted: CountedTrace) -> Trace:
    """The counts, if the calls beside them are what they make; else these calls, which nobody can draw again.

    They were rounded otherwise where the trace was a slice, and may be of another replication: which was not said.
    """
    same = np.array_equal(recorded.function, counted.function)
    if same and np.allclose(recorded.arrival_s, counted.arrival_s, rtol=0.0, atol=_ROUNDING_S):
        return counted
    return replace(recorded, about=counted.recorded().about)


def read_head(file: Path, form: str, versions: tuple[int, ...], keys: Mapping[str, type | UnionType]) -> dict[str, Any]:
    """What a ``trace.json`` says: `horizon_s`, a float, and other keys by the types they must be of.

    Raises:
        TraceError: it is of another form or version, or is damaged.
    """
    try:
        head = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror}", file=file) from None
    except ValueError as error:
        raise TraceError(f"not JSON: {error}", file=file) from None
    if not isinstance(head, dict) or head.get("format") != form:
        raise TraceError(f"its format is not {form!r}", file=file)
    if head.get("version") not in versions:
        known = " and ".join(map(str, versions))
        raise TraceError(f"is of version {head.get('version')!r}; this program reads {known}", file=file)
    horizon = head.get("horizon_s")
    if isinstance(horizon, bool) or not isinstance(horizon, int | float) or not 0 <= horizon < np.inf:
        raise TraceError(f"must be a finite number >= 0, not {horizon!r}", file=file, column="horizon_s")
    head["horizon_s"] = float(horizon)
    for key, kinds in keys.items():
        if not isinstance(head.get(key, ()), kinds):
            raise TraceError("is missing, or of the wrong kind", file=file, column=key)
    return head


def _head(file: Path) -> dict[str, Any]:
    head = read_head(file, FORMAT, (VERSION, COUNTS_VERSION), _KEYS)
    if not isinstance(head.setdefault("replication", 0), int):
        raise TraceError("is of the wrong kind", file=file, column="replication")
    if head["version"] == COUNTS_VERSION and head["recipe"] is None:
        raise TraceError(f"is missing, though version {COUNTS_VERSION} has counts", file=file, column="recipe")
    return head


def read_columns(file: Path) -> Columns:
    """The columns of one file, checked against its schema, without nulls or numbers that are not finite."""
    whole = schema(file.name)
    try:
        table = pq.read_table(file, use_threads=False, page_checksum_verification=True)
        table.validate(full=True)  # text that is UTF-8, above all
        names = table.schema.names
    except FileNotFoundError:
        raise TraceError("the file is missing", file=file) from None
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise TraceError(f"not a Parquet file that can be read: {error}", file=file) from None
    expected = pa.schema([field for field in whole if field.name in names or field.name not in LATER])
    if names != expected.names:
        raise TraceError(f"has the columns {names}, not {whole.names}", file=file)
    columns: Columns = {}
    for field in expected:
        column = table[field.name]
        if column.type != field.type:
            raise TraceError(f"is of type {column.type}, not {field.type}", file=file, column=field.name)
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            raise TraceError(f"a value is missing{FROM_ZERO}", file=file, row=row, column=field.name)
        columns[field.name] = column.to_numpy()
    return columns


def _refuse(bad: np.ndarray[Any, Any], why: str, file: Path, column: str, values: np.ndarray[Any, Any]) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise TraceError(f"{why}, not {values[row].tolist()}{FROM_ZERO}", file=file, row=row, column=column)


def read_functions(file: Path) -> pd.DataFrame:
    """The checked table of functions of a file.

    Raises:
        TraceError: the file is damaged, or a function is impossible.
    """
    try:
        return function_table(pd.DataFrame(read_columns(file)))
    except TraceError as error:
        if error.file == "functions":
            raise TraceError(str(error), file=file) from None
        raise


def _good_calls(
    file: Path, calls: Columns, functions: int, faults: Faults
) -> tuple[npt.NDArray[np.int32], FloatArray, FloatArray]:
    """The columns of the calls that can be used."""
    function, arrival, duration = calls["function"], calls["arrival_s"], calls["duration_s"]
    good = np.ones(function.size, np.bool_)

    def leave_out(bad: npt.NDArray[np.bool_], why: str, column: str) -> None:
        bad &= good
        if bad.any():
            row = int(np.argmax(bad))
            error = TraceError(f"{why}, not {calls[column][row].item()}{FROM_ZERO}", file=file, row=row, column=column)
            faults.meet(error, f"{column} {why}", int(bad.sum()))
            good[bad] = False

    leave_out((function < 0) | (function >= functions), f"must be one of {functions} functions", "function")
    for column in ("arrival_s", "duration_s"):
        leave_out(~((calls[column] >= 0) & (calls[column] < np.inf)), "must be a finite number >= 0", column)
    latest = np.maximum.accumulate(np.where(good, arrival, 0.0))
    leave_out(arrival < latest, "must not be earlier than a row before", "arrival_s")
    return function[good], arrival[good], duration[good]


def _counts(path: Path, head: dict[str, Any], functions: pd.DataFrame) -> CountSource:
    cells, known = read_columns(path / COUNTS), read_columns(path / DURATIONS)
    for column, values in known.items():
        bad = ~((values >= 0) & (values < np.inf))
        _refuse(bad, "must be a finite number >= 0", path / DURATIONS, column, values)
    average = known.pop("average_s")
    quantiles = np.column_stack(list(known.values()))
    falls = np.asarray(np.any(np.diff(quantiles, axis=1) < 0, axis=1))
    _refuse(falls, "quantiles must not fall", path / DURATIONS, "p0_s", quantiles)
    try:
        recipe = Recipe(**head["recipe"])
        spans = tuple((int(first), int(length)) for first, length in head["spans"])
    except (TypeError, ValueError, TraceError) as error:
        raise TraceError(f"recipe or spans: {error}", file=path / TRACE) from None
    statistics = DurationStatistics(average, quantiles, _averages(path / AVERAGES))
    try:
        return CountSource(cells["function"], cells["minute"], cells["count"], functions, statistics, spans, recipe)
    except TraceError as error:
        raise TraceError(str(error), file=path / COUNTS) from None


def _averages(file: Path) -> FloatArray | None:
    """The averages of the counts' cells, where they are known."""
    if not file.is_file():
        return None
    averages: FloatArray = read_columns(file)["average_s"]
    _refuse(~((averages >= 0) & (averages < np.inf)), "must be a finite number >= 0", file, "average_s", averages)
    return averages
