"""Reader of a trace by function, as a whole (see `sim.workload.partition`). Rows named in errors count from 0."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from sim.core.errors import TraceError
from sim.workload.canonical import TRACE
from sim.workload.memory import default_limit_mb
from sim.workload.partition.groups import Groups
from sim.workload.partition.layout import INVOCATIONS, Columns, PartDigest, part_file
from sim.workload.partitioned import PartitionedTrace, by_arrival, open_trace
from sim.workload.readers.faults import Faults
from sim.workload.trace import Trace

BYTES_A_CALL: Final = 60
"""What a call takes at its most while calls are put in order of arrival: measured."""
_MB: Final = 1024.0**2


def fits(path: Path) -> bool:
    """Whether a path is a folder with a ``trace.json`` and a folder of invocations."""
    return (path / TRACE).is_file() and (path / INVOCATIONS).is_dir()


def read(path: Path, *, memory_limit_mb: float | None = None, lenient: bool = False) -> Trace:
    """Read all of a trace by function, exactly as it was saved; `open_trace` streams one that is larger than memory.

    Args:
        path: the folder.
        memory_limit_mb: what the trace may take at most; by default half of the memory that is free.
        lenient: leave out calls that cannot be used, and count them; anything else that is wrong is an error still.

    Returns:
        A recorded trace. Calls of one instant are in the order that they were saved in: of `save_by_function` as they
        were, of `PartitionWriter` in order of function, if it was not told of ties.

    Raises:
        TraceError: a file is missing or not what it should be, a value is impossible, or the calls are too many.
    """
    trace = open_trace(path)
    limit_mb = default_limit_mb() if memory_limit_mb is None else float(memory_limit_mb)
    needed_mb = len(trace) * BYTES_A_CALL / _MB
    if needed_mb > limit_mb:
        raise TraceError(
            f"{len(trace):,} calls would need {needed_mb:,.0f} MB, over the {limit_mb:,.0f} MB allowed: stream it with"
            " sim.open_trace (experiments do with record=false), or raise memory_limit_mb", file=path,
        )  # fmt: skip
    faults = Faults(lenient)
    function, arrival_s, duration_s = by_arrival(_columns(trace, faults))
    about = dict(trace.about)
    if faults.rows:
        about["report"] = dict(about.get("report", {})) | faults.report()
    return Trace(function, arrival_s, duration_s, trace.functions, trace.horizon_s, about=about)


def _columns(trace: PartitionedTrace, faults: Faults) -> Columns:
    """All calls that can be used, by function. What can be used as it is must be what was written."""
    size, digest = 0, PartDigest()
    with Groups(trace.path, trace.layout, trace.calls_per_function, ties=True, faults=faults) as groups:
        columns: Columns = {name: np.empty(len(trace), kind) for name, kind in groups.kinds.items()}
        for number in range(groups.count()):
            group = groups.read(number)
            digest.add(group)
            for name, column in group.items():
                columns[name][size : size + column.size] = column
            size += group["function"].size
            part, place = divmod(number + 1, trace.layout.groups_a_file)
            if not place or number + 1 == groups.count():
                part -= not place
                if str(digest) != trace.digests[part] and not faults.rows:
                    raise TraceError("its calls are not those that were written", file=part_file(trace.path, part))
                digest = PartDigest()
    return {name: column[:size] for name, column in columns.items()}
