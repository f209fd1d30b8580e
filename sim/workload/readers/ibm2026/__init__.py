"""IBM Cloud Code Engine 2026: every request of 1780 apps over 62 days (Nasiri et al., EuroSys 2026; MIT).

One table a week, pickled by pandas: a row an app, with lists as long as the app had requests. ``InvocationTimes`` are
in seconds, ``AppExecTimes`` and ``TotalExecTimes`` in milliseconds. A pickle is a program, and running one from
elsewhere is running a stranger's code: here it is read without being run (see `machine`), and needs no pandas of its
age.

An app is a function (Code Engine has no smaller unit), its namespace the owner. A request arrives at its
`InvocationTimes` and takes its `AppExecTimes`. Memory and concurrency are what the app had asked for, if
``app_configs.pickle`` lies beside the weeks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sim.core.errors import TraceError
from sim.workload.memory import default_limit_mb
from sim.workload.readers.calls import Calls
from sim.workload.readers.faults import Faults
from sim.workload.readers.ibm2026.configuration import functions_of, read_configuration
from sim.workload.readers.ibm2026.requests import DURATIONS, WEEK_S, Requests
from sim.workload.readers.selection import Selection
from sim.workload.readers.streams import find_file, plain_name
from sim.workload.trace import Trace

__all__ = ["fits", "read"]

LICENCE: Final = (
    "MIT, IBM Cloud Code Engine Traces: Nasiri et al., In-Production Characterization of an Open Source Serverless"
    " Platform and New Scaling Strategies, EuroSys 2026"
)
OFFSET_S: Final = 17_999.0
"""4:59:59: the data's times run from there to as much after a whole number of days. Why is not documented; InVitro's
converter (vhive-serverless/invitro) takes it for a mistake and away, and so do we."""

_WEEK: Final = re.compile(r"week_(\d+)\.(pickle|pkl)")
_CONFIGURATION: Final = "app_configs.pickle"


def fits(path: Path) -> bool:
    """Whether a path is the pickle of a week, or a folder with any, compressed or not."""
    return bool(_weeks(path))


def read(
    path: Path,
    *,
    weeks: Sequence[int] | None = None,
    span_s: Sequence[float] | None = None,
    functions: Sequence[str] | None = None,
    share: float | None = None,
    share_seed: int = 0,
    durations: str = "app",
    offset_s: float = OFFSET_S,
    memory_mb: float | None = None,
    concurrency: int | None = None,
    memory_limit_mb: float | None = None,
    lenient: bool = False,
) -> Trace:
    """Read some weeks. A week's table is read whole, about 45 bytes a request, whatever is chosen of it.

    Args:
        path: the folder of the weeks, or the file of one.
        weeks: their numbers, ascending; by default those that `span_s` needs, or all that are there.
        span_s: from when (itself inside) to when (outside), in seconds from the start of the data set; time is counted
            from there. By default everything, counted from the start of the first week read.
        functions: values of AppHash; all by default.
        share: of the functions, sampled by hash: a smaller share is a part of a larger one.
        share_seed: of that sample.
        durations: ``app``, the time in the app; or ``total``, which has the platform's in it, cold starts too.
        offset_s: taken from every time.
        memory_mb: of every function; by default what was asked for.
        concurrency: of every function; by default what was asked for, 100 for most.
        memory_limit_mb: what a week's table, and then the trace, may take; by default half of the memory that is free.
        lenient: leave out requests that cannot be used, and count them.

    Returns:
        A recorded trace. Its horizon is the end of the span, or else its last arrival.

    Raises:
        TraceError: a pickle that is damaged or not such a table (with the byte), a bad row (counted from 1), a
            selection that is not there, or too much for the memory.
    """
    selection = Selection(functions=functions, share=share, share_seed=share_seed)
    _check(span_s, durations, offset_s)
    limit_mb = default_limit_mb() if memory_limit_mb is None else float(memory_limit_mb)
    files = _choose(_weeks(path), weeks, span_s, path)
    start_s, end_s = (WEEK_S * (min(files) - 1), None) if span_s is None else span_s
    faults = Faults(lenient)
    requests = Requests(selection, DURATIONS[durations], offset_s, (start_s, end_s), Calls(limit_mb), faults)
    for week, file in files.items():
        requests.read(week, file, limit_mb)
    requests.check(path)
    folder = path if path.is_dir() else path.parent
    known = read_configuration(find_file(folder, _CONFIGURATION), limit_mb)
    table, missing = functions_of(list(requests.apps), known, memory_mb, concurrency)
    about: dict[str, Any] = {"format": "ibm2026", "path": str(path), "licence": LICENCE, "weeks": list(files)}
    report = requests.report() | missing | faults.report()
    horizon_s = None if end_s is None else end_s - start_s
    return requests.calls.trace(table, about | {"report": report}, horizon_s)


def _weeks(path: Path) -> dict[int, Path]:
    """The pickles of weeks, by number."""
    files = [path] if path.is_file() else sorted(path.iterdir(), reverse=True) if path.is_dir() else []
    named = ((_WEEK.fullmatch(plain_name(file)), file) for file in files if file.is_file())
    return dict(sorted((int(match[1]), file) for match, file in named if match))


def _choose(
    there: dict[int, Path], weeks: Sequence[int] | None, span_s: Sequence[float] | None, path: Path
) -> dict[int, Path]:
    if not there:
        raise TraceError("has no week_N.pickle; unpack the archives of the data set first", file=path)
    given: Any = weeks
    if given is not None and not _ascend(given):
        raise TraceError(f"weeks must be a list of ascending numbers, not {weeks!r}")
    if missing := [week for week in weeks or () if week not in there]:
        raise TraceError(f"weeks {missing} are not there; there are {list(there)}", file=path)
    chosen = {week: file for week, file in there.items() if weeks is None or week in weeks}
    if span_s is not None:
        first, end = span_s
        chosen = {week: file for week, file in chosen.items() if WEEK_S * (week - 1) < end and first < WEEK_S * week}
    if not chosen:
        raise TraceError(f"no week that is there, {list(there)}, has any of the span {list(span_s or ())}", file=path)
    return chosen


def _check(span_s: Any, durations: object, offset_s: object) -> None:
    if durations not in list(DURATIONS):
        raise TraceError(f"durations must be one of {list(DURATIONS)}, not {durations!r}")
    if isinstance(offset_s, bool) or not isinstance(offset_s, int | float) or not abs(offset_s) < WEEK_S:
        raise TraceError(f"offset_s must be a number of seconds within a week, not {offset_s!r}")
    if span_s is not None and not (_ascend(span_s) and len(span_s) == 2 and span_s[0] >= 0):
        raise TraceError(f"span_s must be a first and a last second, from 0, not {span_s!r}")


def _ascend(values: Any) -> bool:
    """Whether this is a list of numbers, each above the one before."""
    return (
        isinstance(values, list | tuple)
        and bool(values)
        and all(type(value) in (int, float) for value in values)
        and list(values) == sorted(set(values))
    )
