"""From a table of calls, and perhaps one of functions, to a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from sim.core.errors import TraceError
from sim.workload.readers.calls import Calls, Gathered
from sim.workload.readers.faults import Faults
from sim.workload.readers.table.attributes import Functions, read_functions
from sim.workload.readers.table.clock import refuse_far
from sim.workload.readers.table.layout import ATTRIBUTES, KEY, TIMES, choose_columns, kind_of
from sim.workload.readers.table.tables import CsvTable, ParquetTable, Table, is_parquet
from sim.workload.readers.table.times import Times
from sim.workload.trace import Trace

LICENCE: Final = "that of whoever made it"


@dataclass(frozen=True)
class Assembly:
    """The options of `sim.workload.readers.table.read_csv`, except what only text has."""

    columns: Mapping[str, str] | None = None
    functions: str | None = None
    function_columns: Mapping[str, str] | None = None
    time_unit: str = "s"
    duration_unit: str | None = None
    origin: float | str | None = None
    horizon_s: float | None = None
    lenient: bool = False

    def read(self, format: str, table: Table) -> Trace:
        """The trace.

        Raises:
            TraceError: impossible options, bad rows.
        """
        calls = Calls()
        functions, about = self.gather(format, table, calls)
        return calls.trace(functions, about, self.horizon_s)

    def gather(self, format: str, table: Table, calls: Gathered) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Take up all calls, block by block.

        Args:
            format: its name.
            table: where calls are.
            calls: what takes them up; in the end their arrivals are seconds.

        Returns:
            A row a function, and the trace's origin with the load report.

        Raises:
            TraceError: impossible options, bad rows.
        """
        faults = Faults(self.lenient)
        columns = self._columns(table)
        times = Times(table, columns, self.time_unit, self.duration_unit, self.origin)
        functions = self._functions(table, columns, faults)
        kinds = times.kinds | {functions.columns[name]: kind_of(name) for name in functions.read}
        for rows in table.blocks(kinds, faults):
            block = times.checked(functions.checked(rows))
            code = functions.learn(block)
            calls.add(code, *times.of(block))
        earliest = calls.earliest
        refuse_far(earliest / times.per_s, self.origin)
        calls.rescale(earliest if times.from_first else 0.0, times.per_s)
        report = {
            "functions": len(functions.values),
            "functions_never_called": int((calls.per_function(len(functions.values)) == 0).sum()),
            "functions_contradicted": len(functions.conflicts),
            "calls": calls.count,
            "calls_after_horizon": calls.after(self.horizon_s),
            "arrivals_rounded_to_zero": times.rounded,
        }
        about = {"format": format, "path": str(table.file), "licence": LICENCE, "report": report | faults.report()}
        return functions.table(), about

    def _columns(self, table: Table) -> dict[str, str]:
        """With a second table, the first one's attributes are not read."""
        known = (*KEY, *TIMES) if self.functions is not None else (*KEY, *TIMES, *ATTRIBUTES)
        return choose_columns(self.columns, known, table.names, table.file)

    def _functions(self, table: Table, columns: Mapping[str, str], faults: Faults) -> Functions:
        key = [name for name in KEY if name in columns]
        if self.functions is None:
            if self.function_columns is not None:
                raise TraceError("function_columns are of the file that functions names")
            return Functions({name: columns[name] for name in columns if name not in TIMES}, key)
        file = table.file.parent / Path(self.functions)
        beside: Table = ParquetTable(file) if is_parquet(file) else CsvTable(file, _delimiter(table))
        return read_functions(beside, self.function_columns, key, faults).closed(columns, file)


def _delimiter(table: Any) -> str:
    return table.delimiter if isinstance(table, CsvTable) else ","
