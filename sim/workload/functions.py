"""The table of functions: one row a function, in the order of the trace's function index."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from sim.core.errors import TraceError

DEFAULTS: Final[dict[str, Any]] = {
    "owner": "",
    "trigger": "http",
    "runtime": "python3.12",
    "memory_mb": 128.0,
    "package_mb": 1.0,
    "package_kind": "zip",
    "timeout_s": np.inf,
    "concurrency": 1,
    "vpc": False,
    "cpu_share": 1.0,
}
"""What a function is where a trace does not say; `app` defaults to the function's own name, so each is its own app.

No public trace says what a package weighs, which runtime it has, or how many cores a call asks for while it runs
(`cpu_share`): these are assumptions, and a study of start times, or of shared processors, should set them.
"""

COLUMNS: Final = (
    "name", "app", "owner", "trigger", "runtime", "memory_mb", "package_mb", "package_kind", "timeout_s", "concurrency",
    "vpc", "cpu_share",
)  # fmt: skip
LATER: Final = ("cpu_share",)
"""Columns that earlier versions did not know: a table that says nothing by them is stored and hashed without them."""
IDENTITY: Final = ("name", "app", "owner")
"""The columns that say which function it is; its random numbers are keyed by them."""
PACKAGE_KINDS: Final = ("zip", "image")
FROM_ZERO: Final = " (the first row is 0)"
"""Said in messages about rows of a table in memory: those of files count from 1."""

_TEXT = ("name", "app", "owner", "trigger", "runtime", "package_kind")
_POSITIVE = ("memory_mb", "timeout_s", "cpu_share")


def function_table(given: pd.DataFrame) -> pd.DataFrame:
    """The complete, checked table of functions.

    Args:
        given: a row a function; `name` is required, every other column of `COLUMNS` has a default.

    Returns:
        A new frame with exactly `COLUMNS`, text as ``str``, ``*_mb``, ``*_s`` and `cpu_share` as float64, `concurrency`
        int64, `vpc` bool, indexed from 0.

    Raises:
        TraceError: no frame, an unknown or missing column, a value of the wrong kind or out of range, two functions
            alike; the row named counts from 0, and the message says so.
    """
    if not isinstance(given, pd.DataFrame):
        raise TraceError(f"functions must be a pandas.DataFrame with a row a function, not a {type(given).__name__}")
    unknown = [str(c) for c in given.columns if c not in COLUMNS]
    if unknown:
        raise TraceError(f"unknown columns {unknown}; a function has {list(COLUMNS)}", file="functions")
    if "name" not in given.columns:
        raise TraceError("the column is missing", file="functions", column="name")
    given = given.reset_index(drop=True)
    table = pd.DataFrame(index=given.index)
    for column in COLUMNS:
        default = given["name"] if column == "app" else DEFAULTS.get(column)
        table[column] = _typed(column, given[column] if column in given.columns else default, len(given))
    _check(table)
    return table


def _typed(column: str, values: Any, rows: int) -> pd.Series:
    series = values.copy() if isinstance(values, pd.Series) else pd.Series([values] * rows, dtype=object)
    if series.isna().any():
        row = int(np.argmax(series.isna()))
        raise TraceError(f"a value is missing{FROM_ZERO}", file="functions", row=row, column=column)
    try:
        if column in _TEXT:
            return series.astype(str).astype(object)
        if column == "concurrency":
            whole = series.astype(np.float64)
            _require(bool((whole == np.floor(whole)).all()), "not a whole number")
            return whole.astype(np.int64)
        if column == "vpc":
            _require(bool(series.isin([True, False]).all()), "neither true nor false")
            return series.astype(bool)
        return series.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TraceError(str(error), file="functions", column=column) from None


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def telling(functions: pd.DataFrame) -> list[str]:
    """The columns of a complete table that are to be stored: all, but for `LATER` ones that are at their defaults."""
    return [c for c in COLUMNS if c not in LATER or bool((functions[c] != DEFAULTS[c]).any())]


def _check(table: pd.DataFrame) -> None:
    def refuse(bad: pd.Series, column: str, why: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            value = table[column].iloc[[row]].tolist()[0]  # Python's own, whose repr a reader knows
            raise TraceError(f"{why}, not {value!r}{FROM_ZERO}", file="functions", row=row, column=column)

    for column in _POSITIVE:
        refuse(~(table[column] > 0), column, "must be a number > 0")
    for column in ("memory_mb", "cpu_share"):
        refuse(np.isinf(table[column]), column, "must be finite")
    refuse(~(table["package_mb"] >= 0) | np.isinf(table["package_mb"]), "package_mb", "must be a finite number >= 0")
    refuse(table["concurrency"] < 1, "concurrency", "must be 1 or more")
    refuse(~table["package_kind"].isin(PACKAGE_KINDS), "package_kind", f"must be one of {PACKAGE_KINDS}")
    refuse(table.duplicated(["owner", "app", "name"]), "name", "two functions have the same owner, app and name;"
           " must be unique")  # fmt: skip
