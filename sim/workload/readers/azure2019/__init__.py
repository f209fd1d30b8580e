"""Azure Functions 2019: calls a minute, durations and memory of functions (Shahrad et al., ATC 2020; CC-BY 4.0).

Read as published (a folder with ``invocations_per_function_md.anon.d01.csv`` and its companions, one or several of 14
days, which are concatenated in time) or as sampled (``invocations.csv``, ``durations.csv`` and ``memory.csv``; a row of
memory a function, and minutes of one day). A function is a row of the trace's table in the order of first appearance,
called by its hash, with app, owner and trigger; the chosen ones are kept whether or not they are ever called.

What the data cannot say is an assumption, and an option: when in its minute a call came (`sim.workload.arrivals`) and
how long it took (`sim.workload.durations`). A count was recorded after the call had ended, so a long call really began
in an earlier minute. Durations leave cold starts out. How durations and memory join is told in `statistics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import TraceError
from sim.workload.counts import CountSource, Recipe
from sim.workload.functions import function_table
from sim.workload.memory import default_limit_mb
from sim.workload.readers.azure2019.files import Day, find_days, fits
from sim.workload.readers.azure2019.invocations import Invocations, choose_parts, read_invocations
from sim.workload.readers.azure2019.statistics import join_durations, join_memory
from sim.workload.readers.faults import Faults
from sim.workload.readers.selection import Selection
from sim.workload.trace import Trace

__all__ = ["fits", "read"]

LICENCE: Final = (
    "CC-BY 4.0, Azure Public Dataset: Shahrad et al., Serverless in the Wild: Characterizing and Optimizing the"
    " Serverless Workload at a Large Cloud Provider, USENIX ATC 2020"
)


def read(
    path: Path,
    *,
    arrivals: str = "even",
    durations: str = "mean",
    seed: int = 0,
    days: Sequence[int] | None = None,
    minutes: Sequence[int] | None = None,
    functions: Sequence[str] | None = None,
    share: float | None = None,
    share_seed: int = 0,
    memory_limit_mb: float | None = None,
    lenient: bool = False,
) -> Trace:
    """Read the data set, or a part of it. What is not chosen is never made into calls.

    Args:
        path: the folder, or one file of invocations with its companions beside it.
        arrivals: ``even``, ``uniform`` or ``poisson`` (see `sim.workload.arrivals`).
        durations: ``mean``, ``percentiles`` or ``lognormal`` (see `sim.workload.durations`).
        seed: of arrivals and durations.
        days: numbers of days, ascending; all that are there by default.
        minutes: first and last, both included, counted from 0 over the minute columns of the days chosen.
        functions: values of HashFunction; all by default.
        share: of the functions, sampled by hash: a smaller share is a part of a larger one.
        share_seed: of that sample.
        memory_limit_mb: what the counts may take at most while they are read; by default half of the memory that is
            free.
        lenient: leave out rows that cannot be used, and count them. A row of invocations is a function's whole day; one
            of durations or memory is as good as missing.

    Returns:
        The trace of replication 0, with its counts. Its `about` has a load report: how many functions and calls there
        are, how many did not join, which rows were not used or had to be mended.

    Raises:
        TraceError: bad files (with file, row and column), a selection that is not there, or too much for the memory.
    """
    recipe = Recipe(arrivals, durations, seed)
    selection = Selection(days, minutes, functions, share, share_seed)
    limit_mb = default_limit_mb() if memory_limit_mb is None else _positive(memory_limit_mb)
    there = find_days(path)
    parts = choose_parts(_choose_days(there, days, path), minutes)
    faults = Faults(lenient)
    found = read_invocations(parts, selection, limit_mb, faults)
    cells = found.in_order()
    chosen = [part.day for part in parts]
    statistics, duration_report = join_durations(chosen, found.index, faults)
    memory_mb, memory_report = join_memory(_memory_days(there, chosen), found.index, found.app_sizes, faults)
    table = _table(found, memory_mb)
    source = CountSource(*cells, table, statistics, tuple(part.span for part in parts), recipe)
    report = _report(found, source) | duration_report | memory_report | faults.report()
    about = {"format": "azure2019", "path": str(path), "licence": LICENCE, "days": [day.number for day in chosen],
             "minutes": source.minutes, "report": report}  # fmt: skip
    return source.draw(0, about)


def _positive(limit: Any) -> float:
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit > 0:
        raise TraceError(f"memory_limit_mb must be a number > 0, not {limit!r}")
    return float(limit)


def _choose_days(there: dict[int, Day], days: Sequence[int] | None, path: Path) -> list[Day]:
    missing = [number for number in days or () if number not in there]
    if missing:
        raise TraceError(f"days {missing} are not there; there are {sorted(there)}", file=path)
    return [there[number] for number in (sorted(there) if days is None else days)]


def _memory_days(there: dict[int, Day], chosen: list[Day]) -> list[Day]:
    """The chosen days that have memory; if none has, the last day before them in the folder that does."""
    having = [day for day in chosen if day.memory is not None]
    earlier = [day for number, day in sorted(there.items()) if day.memory is not None and number < chosen[0].number]
    return having or earlier[-1:]


def _table(found: Invocations, memory_mb: npt.NDArray[np.float64]) -> pd.DataFrame:
    frame = pd.DataFrame(found.functions, columns=["owner", "app", "name", "trigger"])
    return function_table(frame.assign(memory_mb=memory_mb))


def _report(found: Invocations, source: CountSource) -> dict[str, int]:
    functions = len(source.functions)
    called = len(set(source.function.tolist()))
    return {
        "functions": functions,
        "functions_never_called": functions - called,
        "trigger_changes": found.trigger_changes,
        "calls": found.calls,
    }
