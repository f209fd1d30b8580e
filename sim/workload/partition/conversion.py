"""From a table of calls, text or Parquet, to a trace by function, in memory for some of its calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sim.workload.folders import refuse_to_destroy
from sim.workload.load import READERS, find_trace, load_trace
from sim.workload.partition.layout import FILES, Layout, is_by_function
from sim.workload.partition.saving import save_by_function
from sim.workload.partition.spool import Spool
from sim.workload.partitioned import PartitionedTrace, open_trace
from sim.workload.readers.table.assembly import Assembly
from sim.workload.readers.table.tables import CsvTable, ParquetTable, Table

TABLES: Final = ("csv", "parquet")
"""Formats that are read block by block."""


def convert_by_function(
    path: str | Path, out: str | Path, format: str | None = None, *, layout: Layout | None = None, **options: Any
) -> PartitionedTrace:
    """Read a trace as `load_trace` does, and write it by function.

    Tables of calls (`TABLES`) may be larger than memory. Of a table that is not in order of arrival, calls of different
    functions at one instant come in order of function.

    Args:
        path: of the trace.
        out: the folder to be written.
        format: as for `load_trace`.
        layout: of the files.
        options: the format's own.

    Raises:
        TraceError: as `load_trace` and `save_by_function` raise it.
    """
    place, name = find_trace(path, format)
    if name not in TABLES:
        return open_trace(save_by_function(load_trace(path, name, **options), out, layout=layout))
    READERS[name].check(name, options, path)
    refuse_to_destroy(Path(out), is_by_function, FILES)  # before hours are spent on reading
    table: Table = CsvTable(place, options.pop("delimiter", ",")) if name == "csv" else ParquetTable(place)
    assembly = Assembly(**options)
    folder = Path(out).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    with Spool(folder) as spool:
        functions, about = assembly.gather(name, table, spool)
        spool.write(Path(out), functions, about, assembly.horizon_s, layout if layout is not None else Layout())
    return open_trace(out)
