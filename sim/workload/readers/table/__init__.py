"""Anyone's calls: a CSV or Parquet table with a row a call, and a mapping that says which column is what.

Two of `arrival_s`, `duration_s` and `end_s` must be there; the third follows, or must agree. `columns` gives each its
name in the table; without it the table has our names. Times are numbers in `time_unit`, or, in Parquet, timestamps. A
function is known by owner, app and name, as far as the table has them; whatever else it says of a function must be the
same in all of the function's rows, or stands in a second table, `functions`, a row a function. What is not given takes
the default of `sim.workload.functions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sim.workload.readers.csv_lines import header_of
from sim.workload.readers.table.assembly import Assembly
from sim.workload.readers.table.layout import are_ours
from sim.workload.readers.table.tables import CsvTable, ParquetTable, is_parquet, parquet_names
from sim.workload.trace import Trace

__all__ = ["fits_csv", "fits_parquet", "is_parquet", "read_csv", "read_parquet"]


def fits_csv(path: Path) -> bool:
    """Whether a path is a text file with our names in its header."""
    return path.is_file() and are_ours(header_of(path))


def fits_parquet(path: Path) -> bool:
    """Whether a path is a Parquet file with our names for its columns."""
    return path.is_file() and are_ours(parquet_names(path))


def read_csv(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    functions: str | None = None,
    function_columns: Mapping[str, str] | None = None,
    time_unit: str = "s",
    duration_unit: str | None = None,
    origin: float | str | None = None,
    horizon_s: float | None = None,
    delimiter: str = ",",
    lenient: bool = False,
) -> Trace:
    """Read a text file, compressed or not, with a header line.

    Args:
        path: the file.
        columns: the file's name of each of our columns that it has: ``function``, two of ``arrival_s``, ``duration_s``
            and ``end_s``; and of ``app``, ``owner`` and every other column of `sim.workload.functions`. By default the
            file has our names.
        functions: a second file, CSV or Parquet, with a row a function; a relative path is taken from the folder of the
            first. Its functions are kept whether or not they are called, and those that it has not are an error.
        function_columns: the second file's names; by default ours, with ``name`` or ``function`` for the function.
        time_unit: of arrivals and ends: s, ms, us or ns.
        duration_unit: of durations; by default the same.
        origin: what counts as second zero, in `time_unit`: by default 0; ``"first"`` is the first arrival.
        horizon_s: the trace's span; by default its last arrival. Later calls are kept, not replayed, and counted.
        delimiter: one character.
        lenient: leave out rows that cannot be used, and count them; believe the later of two rows that contradict each
            other on their function.

    Returns:
        A recorded trace, functions in the order of the second file, or else of first appearance.

    Raises:
        TraceError: impossible options, bad rows (with file, row and column).
    """
    assembly = Assembly(columns, functions, function_columns, time_unit, duration_unit, origin, horizon_s, lenient)
    return assembly.read("csv", CsvTable(path, delimiter))


def read_parquet(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    functions: str | None = None,
    function_columns: Mapping[str, str] | None = None,
    time_unit: str = "s",
    duration_unit: str | None = None,
    origin: float | str | None = None,
    horizon_s: float | None = None,
    lenient: bool = False,
) -> Trace:
    """Read a Parquet file.

    The options are those of `read_csv`. A timestamp or duration has its own unit, whatever the options say; the origin
    of timestamps is the first arrival, or a time such as ``"2024-05-01T12:00"`` (UTC, unless it says otherwise).

    Raises:
        TraceError: impossible options, columns of impossible types, bad rows (with file, row from 1, and column).
    """
    assembly = Assembly(columns, functions, function_columns, time_unit, duration_unit, origin, horizon_s, lenient)
    return assembly.read("parquet", ParquetTable(path))
