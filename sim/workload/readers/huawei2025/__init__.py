"""Huawei Cloud 2025: requests of day 30 in five regions (Joosen et al., EuroSys 2025; CC-BY 4.0).

The table of requests comes in parts, a row a request. Only day 30 of the 31 has one. Region 1's parts hold the
requests of the 100 busiest pods of each function only, and region 3's are a sample: neither is all that arrived.

- A function is ``funcName---userID---poolName``, as the publishers say; `poolName` is the podID without its number.
- Timestamps are of the end of a request. The publishers do not say so, but in their own example the frontend's is 1 ms
  after the worker's, which it waits for. So a request arrives at ``time_frontend - totalCost_frontend``, the end-to-end
  time that the frontend measured, in which any cold start is; or (an option) at ``time_worker - totalCost_worker``.
- It takes `totalCost_worker`, the time that it occupied its pod: `runtimeCost`, that of the user's code, and
  `workerCost`, the pod's own; both can be had. Cold starts are in none of them.
- Memory and millicores are in the pool's name. Runtime and trigger are known of region 2, in a file of their own.

The table of cold starts becomes start-up times: `sim.platform.startup.measured`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from sim.core.errors import TraceError
from sim.workload.functions import DEFAULTS
from sim.workload.memory import default_limit_mb
from sim.workload.readers.calls import Calls
from sim.workload.readers.cells import NOT_NEGATIVE, TEXT, Kind
from sim.workload.readers.csv_columns import Block, read_blocks
from sim.workload.readers.faults import Faults
from sim.workload.readers.huawei2025.metadata import METADATA, Metadata, read_metadata
from sim.workload.readers.huawei2025.pods import pools_of, resources_of
from sim.workload.readers.places import files_with, text_files
from sim.workload.readers.selection import Selection
from sim.workload.readers.streams import plain_name
from sim.workload.trace import Trace

__all__ = ["fits", "read"]

LICENCE: Final = "CC-BY 4.0, Huawei: Joosen et al., Serverless Cold Starts and Where to Find Them, EuroSys 2025"
DAY_30_S: Final = 30 * 86_400.0
"""When the day of the requests begins, in seconds from the start of the data set, as all its times are."""
DURATIONS: Final = {"worker": "totalCost_worker", "runtime": "runtimeCost", "frontend": "totalCost_frontend"}
ARRIVALS: Final = {
    "frontend": ("time_frontend", "totalCost_frontend"), "worker": ("time_worker", "totalCost_worker"),
}  # fmt: skip

_FUNCTION, _USER, _POD = "funcName", "userID", "podID"
_SEPARATOR: Final = "---"


def fits(path: Path) -> bool:
    """Whether a path is a part of the table of requests, or a folder with any."""
    return bool(files_with(path, (_FUNCTION, _USER, _POD, *ARRIVALS["worker"], *ARRIVALS["frontend"])))


def read(
    path: Path,
    *,
    durations: str = "worker",
    arrivals: str = "frontend",
    span_s: Sequence[float] = (DAY_30_S, DAY_30_S + 86_400.0),
    functions: Sequence[str] | None = None,
    share: float | None = None,
    share_seed: int = 0,
    metadata: str | None = None,
    memory_limit_mb: float | None = None,
    lenient: bool = False,
) -> Trace:
    """Read some parts of a region's requests.

    Args:
        path: the folder of the parts (all its .csv files), or one part, compressed or not.
        durations: ``worker``, the time in the pod; ``runtime``, in the user's code; ``frontend``, end to end.
        arrivals: by the clock of the ``frontend`` or of the ``worker``.
        span_s: from when (itself inside) to when (outside), in seconds from the start of the data set; time is counted
            from there. By default day 30. Requests that came before it and ended in it are left out and counted.
        functions: as funcName---userID---poolName; all by default.
        share: of the functions, sampled by hash: a smaller share is a part of a larger one.
        share_seed: of that sample.
        metadata: the file ``df_funcID_runtime_triggerType.csv``, for runtimes and triggers.
        memory_limit_mb: what the trace may take at most; by default half of the memory that is free.
        lenient: leave out rows that cannot be used, and count them.

    Returns:
        A recorded trace whose functions are in order of first appearance and whose horizon is the last arrival.

    Raises:
        TraceError: bad rows (with file, row and column), a selection that is not there, or too much for the memory.
    """
    _check(durations, arrivals, span_s)
    limit_mb = default_limit_mb() if memory_limit_mb is None else memory_limit_mb
    selection = Selection(functions=functions, share=share, share_seed=share_seed)
    requests = _Requests(selection, durations, arrivals, span_s, Calls(limit_mb))
    faults = Faults(lenient)
    for file in _parts(path):
        requests.read(file, faults)
    requests.check(path)
    known = Metadata({}, {}) if metadata is None else read_metadata(Path(metadata), faults)
    table, missing = _table(list(requests.chosen), known, metadata is not None)
    about = {"format": "huawei2025", "path": str(path), "licence": LICENCE,
             "report": requests.report() | missing | faults.report()}  # fmt: skip
    return requests.calls.trace(table, about)


def _check(durations: str, arrivals: str, span_s: Sequence[float]) -> None:
    for role, name, there in (("durations", durations, DURATIONS), ("arrivals", arrivals, ARRIVALS)):
        if name not in there:
            raise TraceError(f"{role} must be one of {list(there)}, not {name!r}")
    if len(span_s) != 2 or not 0 <= span_s[0] < span_s[1]:
        raise TraceError(f"span_s must be a first and a last second, from 0, not {list(span_s)}")


def _parts(path: Path) -> list[Path]:
    """All of a folder's tables: one with other columns is no reason to read less than there is."""
    files = [file for file in text_files(path) if plain_name(file) != METADATA or path.is_file()]
    if not files:
        raise TraceError("has no .csv files; unpack the archives of the data set first", file=path)
    return files


class _Requests:
    """What has been read, growing block by block."""

    def __init__(
        self, selection: Selection, durations: str, arrivals: str, span_s: Sequence[float], calls: Calls
    ) -> None:
        self.selection, self.calls = selection, calls
        self.duration, (self.time, self.cost) = DURATIONS[durations], ARRIVALS[arrivals]
        self.start_s, self.end_s = span_s
        self.seen: set[str] = set()
        self.chosen: dict[str, int] = {}
        self.outside = self.zero = 0
        self.low_s, self.high_s = np.inf, -np.inf

    def read(self, file: Path, faults: Faults) -> None:
        """Take up a part."""
        kinds: dict[str, Kind] = dict.fromkeys((_FUNCTION, _USER, _POD), TEXT)
        kinds |= dict.fromkeys((self.time, self.cost, self.duration), NOT_NEGATIVE)
        for rows in read_blocks(file, kinds, faults):
            early = rows.numbers(self.time) < rows.numbers(self.cost)
            block = rows.without(early, self.time, f"must not be less than {self.cost}")
            number = self._numbers(block)
            arrival_s = block.numbers(self.time) - block.numbers(self.cost)
            wanted = number >= 0
            inside = (arrival_s >= self.start_s) & (arrival_s < self.end_s)
            self.outside += int((wanted & ~inside).sum())
            self.low_s = min(self.low_s, float(arrival_s[wanted].min(initial=np.inf)))
            self.high_s = max(self.high_s, float(arrival_s[wanted].max(initial=-np.inf)))
            kept = wanted & inside
            duration_s = block.numbers(self.duration)[kept]
            self.zero += int((duration_s == 0).sum())
            self.calls.add(number[kept], arrival_s[kept] - self.start_s, duration_s)

    def _numbers(self, block: Block) -> npt.NDArray[np.int32]:
        """The number of each row's function; -1 where it is not wanted."""
        parts = (block[_FUNCTION], block[_USER], pools_of(block[_POD]))
        names = pc.binary_join_element_wise(*parts, _SEPARATOR).dictionary_encode()
        numbers = [self._number(name) for name in names.dictionary.to_pylist()]
        return np.asarray(np.array(numbers, np.int32)[names.indices.to_numpy()])

    def _number(self, name: str) -> int:
        if name not in self.seen:
            self.seen.add(name)
            if self.selection.pick([_parts_of(name)[1]], [name], [name])[0]:
                self.chosen[name] = len(self.chosen)
        return self.chosen.get(name, -1)

    def check(self, path: Path) -> None:
        """Refuse a selection of which nothing is there, and a span without a call."""
        missing = set(self.selection.functions or ()) - set(self.chosen)
        if missing:
            raise TraceError(f"no function is called {sorted(missing)[:3]}", file=path)
        if not self.chosen:
            raise TraceError("no function is left of the selection", file=path)
        if not self.calls.count:
            first, last = np.floor(self.low_s), np.floor(self.high_s) + 1
            raise TraceError(
                f"no call arrives in span_s=[{float(self.start_s)}, {float(self.end_s)}]: times are from"
                f" {self.low_s:.3f} to {self.high_s:.3f} s; say span_s=[{first:.0f}, {last:.0f}], or a part of it",
                file=path,
            )

    def report(self) -> dict[str, Any]:
        """For the trace's `about`."""
        called = self.calls.per_function(len(self.chosen))
        return {
            "functions": len(self.chosen),
            "functions_never_called": int((called == 0).sum()),
            "calls": self.calls.count,
            "calls_outside_span": self.outside,
            "durations_zero": self.zero,
        }


def _table(names: list[str], known: Metadata, has_metadata: bool) -> tuple[pd.DataFrame, dict[str, int]]:
    """A row a function, and what the load report says of it."""
    parts = [_parts_of(name) for name in names]
    memory_mb = resources_of([pool for _, _, pool in parts])[:, 1]
    gaps = np.isnan(memory_mb)
    table = pd.DataFrame({
        "name": names,
        "owner": [user for _, user, _ in parts],
        "memory_mb": np.where(gaps, DEFAULTS["memory_mb"], memory_mb),
        "runtime": [known.runtime.get(name, DEFAULTS["runtime"]) for name in names],
        "trigger": [known.trigger.get(name, DEFAULTS["trigger"]) for name in names],
    })  # fmt: skip
    missing = {"memory_missing": int(gaps.sum())}
    if has_metadata:
        missing["metadata_missing"] = sum(name not in known.runtime for name in names)
    return table, missing


def _parts_of(name: str) -> list[str]:
    """Function, user and pool."""
    return name.rsplit(_SEPARATOR, 2)
