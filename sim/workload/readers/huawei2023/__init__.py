"""Huawei Cloud 2023: requests a minute of functions over months (Joosen et al., SoCC 2023; CC-BY 4.0).

Two data sets of one form: wide tables, a file a day, a row a minute (``day,time,0,1,2,...``), a column a function.

- private: 200 functions, 141 of 235 days (there are gaps); besides ``requests_minute`` there are
  ``function_delay_minute``, the average execution time of the minute, ``memory_limit_minute`` and ``instances_minute``;
- public: 5093 functions, 26 days, requests only.

An empty cell means that nothing is known, 0 that nobody called: both make no call, but the first is counted in the load
report. When in its minute a call came is an assumption, an option (`sim.workload.arrivals`). The folders of seconds, of
platform delay (which is the platform's to say here) and of usage are not read.
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
from sim.workload.functions import DEFAULTS, function_table
from sim.workload.memory import default_limit_mb
from sim.workload.readers.cells import MAYBE_NOT_NEGATIVE
from sim.workload.readers.faults import Faults
from sim.workload.readers.huawei2023.cells import Cells
from sim.workload.readers.huawei2023.tables import (
    COUNT,
    DELAYS,
    INSTANCES,
    MEMORY,
    DataSet,
    Day,
    find_data_set,
    fits,
    functions_of,
    read_day,
)
from sim.workload.readers.huawei2023.timeline import Timeline, lay_out
from sim.workload.readers.selection import Selection
from sim.workload.trace import Trace

__all__ = ["fits", "read"]

LICENCE: Final = (
    "CC-BY 4.0, Huawei: Joosen et al., How Does It Function? Characterizing Long-term Trends in Production Serverless"
    " Workloads, ACM SoCC 2023"
)
UNITS: Final = {"s": 1.0, "ms": 0.001}
DURATIONS: Final = ("per_minute", "mean")
FALLBACK_DURATION_S: Final = 0.1
"""Where there are no delays at all: the upper end of the regions' median execution times, 4 to 100 ms, in Joosen et
al., Serverless Cold Starts and Where to Find Them, EuroSys 2025: the same platform, and means lie above medians."""

FloatArray = npt.NDArray[np.float64]


def read(
    path: Path,
    *,
    arrivals: str = "even",
    durations: str = "per_minute",
    seed: int = 0,
    days: Sequence[int] | None = None,
    minutes: Sequence[int] | None = None,
    gaps: str = "close",
    functions: Sequence[int] | None = None,
    share: float | None = None,
    share_seed: int = 0,
    delay_unit: str = "s",
    duration_s: float = FALLBACK_DURATION_S,
    memory_mb: float | None = None,
    memory_limit_mb: float | None = None,
    lenient: bool = False,
) -> Trace:
    """Read one of the data sets, or a part of it. What is not chosen is never made into calls.

    Args:
        path: the folder of the metrics' folders, or that of the requests.
        arrivals: ``even``, ``uniform`` or ``poisson`` (see `sim.workload.arrivals`).
        durations: ``per_minute``: a call takes the delay of its minute; ``mean``: the average of its function's calls.
        seed: of arrivals.
        days: numbers of days from 0, ascending; all that are there by default.
        minutes: first and last, both included, counted from 0 over the days chosen, as they come to lie.
        gaps: between days: ``close`` puts one right behind the other, ``keep`` leaves missing days empty.
        functions: their numbers; all by default.
        share: of the functions, sampled by hash: a smaller share is a part of a larger one.
        share_seed: of that sample.
        delay_unit: of the delays, ``s`` or ``ms``: the publishers do not say (see the documentation).
        duration_s: of all calls, where there are no delays.
        memory_mb: of every function; by default the memory of its instances divided by their number, where both are
            there.
        memory_limit_mb: what the counts may take at most while they are read; by default half of the memory that is
            free.
        lenient: leave out rows that cannot be used, and count them. A row is a minute of all functions.

    Returns:
        The trace of replication 0, with its counts, and a load report in its `about`.

    Raises:
        TraceError: bad files (with file, row and column), a selection that is not there, or too much for the memory.
    """
    _check(delay_unit, durations, duration_s)
    recipe = Recipe(arrivals, durations, seed)
    names = None if functions is None else [str(number) for number in functions]
    selection = Selection(days, minutes, names, share, share_seed)
    limit_mb = default_limit_mb() if memory_limit_mb is None else memory_limit_mb
    data = find_data_set(path)
    timeline = lay_out(sorted(data.days), days, minutes, gaps, path)
    chosen = _choose(data, timeline, selection)
    reading = _Reading(data, chosen, Faults(lenient), UNITS[delay_unit], Cells(len(chosen), limit_mb))
    for part in timeline.parts:
        reading.read(part.day, part.minutes, part.start, with_memory=memory_mb is None)
    function, minute, count, delay_s = reading.cells.columns()
    statistics = reading.cells.durations(function, delay_s, duration_s)
    table = reading.table(memory_mb)
    source = CountSource(function, minute, count, table, statistics, timeline.spans, recipe)
    counted = {"cells_without_delay": int(np.isnan(delay_s).sum()), "days_missing": len(timeline.missing)}
    report = reading.report(source) | counted | reading.faults.report()
    about = {"format": "huawei2023", "path": str(path), "licence": LICENCE, "minutes": source.minutes,
             "days": [part.day for part in timeline.parts], "report": report}  # fmt: skip
    return source.draw(0, about)


def _check(delay_unit: str, durations: str, duration_s: float) -> None:
    if delay_unit not in UNITS:
        raise TraceError(f"delay_unit must be one of {list(UNITS)}, not {delay_unit!r}")
    if durations not in DURATIONS:
        raise TraceError(f"durations must be one of {list(DURATIONS)}, not {durations!r}")
    if not 0 <= duration_s < np.inf:
        raise TraceError(f"duration_s must be a finite number of seconds >= 0, not {duration_s!r}")


def _choose(data: DataSet, timeline: Timeline, selection: Selection) -> list[int]:
    """The numbers of the functions wanted, ascending."""
    there = sorted({number for part in timeline.parts for number in functions_of(data.days[part.day])})
    names = [str(number) for number in there]
    missing = set(selection.functions or ()) - set(names)
    if missing:
        raise TraceError(f"the days chosen have no functions {sorted(missing)[:3]}", file=data.root)
    picked = selection.pick([""] * len(names), names, names)
    chosen = [number for number, wanted in zip(there, picked, strict=True) if wanted]
    if not chosen:
        raise TraceError("no function is left of the selection", file=data.root)
    return chosen


class _Reading:
    """What has been read, growing day by day."""

    def __init__(self, data: DataSet, functions: list[int], faults: Faults, unit_s: float, cells: Cells) -> None:
        self.data, self.functions, self.faults, self.cells = data, functions, faults, cells
        self.unit_s = unit_s
        self.without_data = 0
        self.days_without_delays = 0
        self.memory_mb, self.instances = np.zeros(len(functions)), np.zeros(len(functions))
        self.running = 0.0

    def read(self, day: int, minutes: range, start: int, *, with_memory: bool) -> None:
        """Take up a day: its wanted minutes come to lie at `start`."""
        requests = read_day(self.data.days[day], day, self.functions, COUNT, self.faults)
        self.without_data += int(np.isnan(requests[minutes.start : minutes.stop]).sum())
        delays = self._metric(DELAYS, day)
        self.days_without_delays += delays is None
        delays_s = None if delays is None else delays * self.unit_s
        self.cells.add(requests, delays_s, minutes, start)
        memory, instances = (
            (self._metric(metric, day) for metric in (MEMORY, INSTANCES)) if with_memory else (None, None)
        )
        if memory is not None and instances is not None:
            both = ~np.isnan(memory) & (np.nan_to_num(instances) > 0)
            self.memory_mb += np.where(both, memory, 0.0).sum(axis=0)
            self.instances += np.where(both, instances, 0.0).sum(axis=0)
            if delays_s is not None:
                self.running += float(np.nan_to_num(requests * delays_s)[both].sum()) / 60

    def _metric(self, metric: str, day: int) -> Day | None:
        file = self.data.file(metric, day)
        return None if file is None else read_day(file, day, self.functions, MAYBE_NOT_NEGATIVE, self.faults)

    def table(self, memory_mb: float | None) -> pd.DataFrame:
        """The functions, by number."""
        names = [str(number) for number in self.functions]
        return function_table(pd.DataFrame({"name": names, "memory_mb": self._memory_mb(memory_mb)}))

    def _memory_mb(self, memory_mb: float | None) -> FloatArray:
        known = (self.instances > 0) & (self.memory_mb > 0)
        if memory_mb is not None or not known.any():
            return np.full(len(self.functions), DEFAULTS["memory_mb"] if memory_mb is None else memory_mb)
        memory = np.divide(self.memory_mb, self.instances, out=np.zeros(len(self.functions)), where=known)
        return np.where(known, memory, np.median(memory[known]))

    def report(self, source: CountSource) -> dict[str, Any]:
        """For the trace's `about`."""
        total = float(self.instances.sum())
        return {
            "functions": len(self.functions),
            "functions_never_called": len(self.functions) - len(np.unique(source.function)),
            "calls": self.cells.calls,
            "cells_without_data": self.without_data,
            "days_without_delays": self.days_without_delays,
            "functions_without_delay": int((self.cells.timed == 0).sum()),
            "memory_missing": int(((self.instances == 0) | (self.memory_mb == 0)).sum()),
            "calls_running_per_instance": self.running / total if total else None,
        }
