"""Azure Functions 2021: one row a call, over two weeks (Zhang et al., SOSP 2021; CC-BY 4.0).

``app,func,end_timestamp,duration``, times in seconds, in no order that can be relied on. A function is an (app, func)
pair: `func` alone is not unique. A call's arrival is its end less its duration. Where that is below zero by no more
than `ROUNDING_S`, the resolution of the durations, it is zero, and counted in the report; further below, the row is
wrong. A duration of zero (less than the resolution) stays zero.

The data say nothing of memory, trigger and runtime. Memory is an option; its default is what InVitro gives every
function of this trace (vhive-serverless/invitro). The publishers' archive is a RAR: unpack it first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.workload.readers.calls import Calls
from sim.workload.readers.cells import NOT_NEGATIVE, NUMBER, TEXT, Kind
from sim.workload.readers.csv_columns import KEY_SEPARATOR, read_blocks
from sim.workload.readers.faults import Faults
from sim.workload.readers.places import files_with, only_file_with
from sim.workload.trace import Trace

LICENCE: Final = (
    "CC-BY 4.0, Azure Public Dataset: Zhang et al., Faster and Cheaper Serverless Computing on Harvested Resources,"
    " SOSP 2021"
)
ROUNDING_S: Final = 0.001
_FUNCTION: Final = ("app", "func")
_END, _DURATION = "end_timestamp", "duration"
_COLUMNS: Final[dict[str, Kind]] = dict.fromkeys(_FUNCTION, TEXT) | {_END: NUMBER, _DURATION: NOT_NEGATIVE}


def fits(path: Path) -> bool:
    """Whether a path is a file with these columns, or a folder with exactly one."""
    return len(files_with(path, _COLUMNS)) == 1


def read(path: Path, *, memory_mb: float = 200.0, lenient: bool = False) -> Trace:
    """Read the data set, or an excerpt of it in the same form.

    Args:
        path: the file (.txt or .csv, compressed or not), or the folder that it is in.
        memory_mb: of every function.
        lenient: leave out rows that cannot be used, and count them.

    Returns:
        A recorded trace whose functions are in order of first appearance and whose horizon is the last arrival.

    Raises:
        TraceError: bad rows (with file, row and column), or a trace that would not fit into memory.
    """
    file, faults, calls = only_file_with(path, _COLUMNS), Faults(lenient), Calls()
    index: dict[str, int] = {}
    rounded = zero = 0
    for rows in read_blocks(file, _COLUMNS, faults):
        early = rows.numbers(_END) - rows.numbers(_DURATION) < -ROUNDING_S
        block = rows.without(early, _END, "must not be before 0 s plus the duration")
        arrival_s = block.numbers(_END) - block.numbers(_DURATION)
        rounded += int((arrival_s < 0).sum())
        zero += int((block.numbers(_DURATION) == 0).sum())
        calls.add(block.codes(_FUNCTION, index), np.maximum(arrival_s, 0.0), block.numbers(_DURATION))
    report = {
        "functions": len(index),
        "calls": calls.count,
        "arrivals_rounded_to_zero": rounded,
        "durations_zero": zero,
    }
    about: dict[str, Any] = {"format": "azure2021", "path": str(path), "licence": LICENCE}
    return calls.trace(_table(list(index), memory_mb), about | {"report": report | faults.report()})


def _table(keys: list[str], memory_mb: float) -> pd.DataFrame:
    frame = pd.DataFrame([key.split(KEY_SEPARATOR) for key in keys], columns=["app", "name"])
    return frame.assign(memory_mb=memory_mb)
