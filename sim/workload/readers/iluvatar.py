"""Ilúvatar's traces: two CSV files, one of invocations and one of the functions' metadata.

The schema is that of its load generator (COS-IN/iluvatar-faas, ``src/Ilúvatar/docs/LOAD.md`` and the structures that
``iluvatar_load_gen`` reads the files into):

- invocations: ``func_name,invoke_time_ms``, milliseconds from the start of the trace;
- metadata: ``func_name,cold_dur_ms,warm_dur_ms,mem_mb``, and columns that are of use to its workers only
  (``image_name``, ``compute``, ``isolation``, ``prewarms``, ``mean_iat`` and so on), which are not read.

Every call of a function takes its `warm_dur_ms`. What a cold one takes longer is start-up, and that is the platform's
to say here: the report has the median of cold less warm over the functions, which ``platform=constant_start`` takes as
`start_s`. A function is its own app. Functions that are never called are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import TraceError
from sim.workload.readers.calls import Calls
from sim.workload.readers.cells import NOT_NEGATIVE, POSITIVE, TEXT, Kind
from sim.workload.readers.csv_columns import read_blocks
from sim.workload.readers.faults import Faults
from sim.workload.readers.places import files_with, only_file_with
from sim.workload.trace import Trace

LICENCE: Final = "that of whoever made it; Ilúvatar's own examples are GPL-3.0"
_NAME, _TIME = "func_name", "invoke_time_ms"
_COLD, _WARM, _MEMORY = "cold_dur_ms", "warm_dur_ms", "mem_mb"
_INVOCATIONS: Final[dict[str, Kind]] = {_NAME: TEXT, _TIME: NOT_NEGATIVE}
_METADATA: Final[dict[str, Kind]] = {_NAME: TEXT, _COLD: NOT_NEGATIVE, _WARM: NOT_NEGATIVE, _MEMORY: POSITIVE}


def fits(path: Path) -> bool:
    """Whether a path is a file of invocations, or a folder with exactly one."""
    return len(files_with(path, _INVOCATIONS)) == 1


def read(path: Path, *, metadata: str | None = None, lenient: bool = False) -> Trace:
    """Read a pair of files.

    Args:
        path: the folder of both, or the file of invocations, compressed or not.
        metadata: the file of metadata; by default the only one with its columns beside that of invocations.
        lenient: leave out rows that cannot be used, calls of functions without metadata too, and count them.

    Returns:
        A recorded trace whose functions are in the order of the metadata and whose horizon is the last arrival.

    Raises:
        TraceError: a file is missing, or a row is bad (with file, row and column).
    """
    invocations = path if path.is_file() else _only(path, tuple(_INVOCATIONS))
    faults, calls = Faults(lenient), Calls()
    beside = Path(metadata) if metadata is not None else _only(invocations.parent, tuple(_METADATA))
    functions = _read_metadata(beside, faults)
    names, warm_s = pd.Index(functions[_NAME]), functions[_WARM].to_numpy() / 1000
    for rows in read_blocks(invocations, _INVOCATIONS, faults):
        unknown = names.get_indexer(pd.Index(rows.text(_NAME))) < 0
        block = rows.without(unknown, _NAME, f"must be a function that {beside.name} has")
        function = names.get_indexer(pd.Index(block.text(_NAME))).astype(np.int32)
        calls.add(function, block.numbers(_TIME) / 1000, warm_s[function])
    table = pd.DataFrame({"name": functions[_NAME], "memory_mb": functions[_MEMORY]})
    report = _report(functions, calls.per_function(len(table))) | faults.report()
    about = {"format": "iluvatar", "path": str(path), "licence": LICENCE, "report": report}
    return calls.trace(table, about)


def _only(folder: Path, columns: tuple[str, ...]) -> Path:
    found = files_with(folder, columns)
    if not found:
        raise TraceError(f"no .csv or .txt file there has the columns {list(columns)}", file=folder)
    return only_file_with(folder, columns)


def _read_metadata(file: Path, faults: Faults) -> pd.DataFrame:
    seen: set[str] = set()
    blocks = [rows.without_repeated((_NAME,), seen) for rows in read_blocks(file, _METADATA, faults)]
    return pd.DataFrame({
        _NAME: [name for block in blocks for name in block.text(_NAME)],
        **{column: np.concatenate([block.numbers(column) for block in blocks]) for column in (_COLD, _WARM, _MEMORY)},
    })  # fmt: skip


def _report(functions: pd.DataFrame, called: npt.NDArray[np.int64]) -> dict[str, Any]:
    cold_s = (functions[_COLD] - functions[_WARM]).clip(lower=0.0) / 1000
    return {
        "functions": len(functions),
        "functions_never_called": int((called == 0).sum()),
        "calls": int(called.sum()),
        "functions_cold_below_warm": int((functions[_COLD] < functions[_WARM]).sum()),
        "cold_less_warm_median_s": float(cold_s.median()),
    }
