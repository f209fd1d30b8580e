"""The requests of weeks, app by app."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError
from sim.workload.readers.calls import Calls
from sim.workload.readers.faults import Faults
from sim.workload.readers.ibm2026.configuration import APP, App
from sim.workload.readers.ibm2026.frames import NotATableError, cell_numbers
from sim.workload.readers.ibm2026.pickles import read_table, text_column
from sim.workload.readers.selection import Selection

DURATIONS: Final = {"app": "AppExecTimes", "total": "TotalExecTimes"}
WEEK_S: Final = 7 * 86_400.0

_TIMES, _EVENTS = "InvocationTimes", "NumEvents"
_MS: Final = 1000.0
_BYTES_A_REQUEST: Final = 16
_BYTES_A_MB: Final = 1024.0**2
_STRAGGLING_S: Final = 86_400.0
"""How far outside its week a request may be."""

FloatArray = npt.NDArray[np.float64]
Row = tuple[FloatArray, FloatArray]
"""Times and durations of an app's requests, in seconds."""


@dataclass
class Requests:
    """What has been read, growing week by week.

    Attributes:
        selection: which apps are wanted.
        duration: the column of durations.
        offset_s: taken from every time.
        span_s: which requests are wanted, in seconds from the start of the data set; None for no end.
        calls: theirs, in seconds from the start of the span.
        faults: what happens to bad ones.
        apps: the number of each wanted app.
        counts: for the load report.
        clocks: from when each week counts its times, from the start of the ``data set`` or of the ``week``.
        seen_s: the first and the last time of wanted apps, inside the span or not.
    """

    selection: Selection
    duration: str
    offset_s: float
    span_s: tuple[float, float | None]
    calls: Calls
    faults: Faults
    apps: dict[App, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    clocks: dict[int, str] = field(default_factory=dict)
    seen_s: tuple[float, float] = (np.inf, -np.inf)

    def read(self, week: int, file: Path, limit_mb: float) -> None:
        """Take up the requests of a week.

        Raises:
            TraceError: the file is not such a table, or a row is bad.
        """
        columns = read_table(file, (*APP, _TIMES, self.duration), limit_mb)
        names = [text_column(columns, name, file) for name in APP]
        apps = list(zip(*names, strict=True))
        wanted = self.selection.pick(names[0], names[1], names[1])
        kept: list[tuple[App, Row]] = []
        low, high, total = np.inf, -np.inf, 0
        for app, row, chosen in zip(apps, self._rows(columns, file), wanted, strict=True):
            total += row[0].size
            if total * _BYTES_A_REQUEST > limit_mb * _BYTES_A_MB:  # more than was read: rows that are one and the same
                raise TraceError(f"{total:,} requests take more than the {limit_mb:,.0f} MB allowed", file=file)
            low, high = min(low, row[0].min(initial=np.inf)), max(high, row[0].max(initial=-np.inf))
            if chosen:
                kept.append((app, row))
        self.clocks[week], shift_s = self._clock(week, low, high, file)
        self.counts["rows_repeated"] += len(apps) - len(set(apps))
        for app, (times_s, durations_s) in kept:
            self._take(app, times_s + shift_s, durations_s)

    def check(self, path: Path) -> None:
        """Refuse a selection of which nothing is there.

        Raises:
            TraceError: no app is left, one that is wanted by name is missing, or the span is wholly before or after
                their requests (between two of them it may be empty: then nobody called).
        """
        missing = set(self.selection.functions or ()) - {app for _, app in self.apps}
        if missing:
            raise TraceError(f"no app of the weeks read is called {sorted(missing)[:3]}", file=path)
        if not self.apps:
            raise TraceError("no app is left of the selection", file=path)
        (start_s, end_s), (low_s, high_s) = self.span_s, self.seen_s
        if low_s <= high_s and (high_s < start_s or (end_s is not None and low_s >= end_s)):
            span = (
                f"span_s=[{float(start_s)}, {float(end_s)}]"
                if end_s is not None
                else f"the weeks from {start_s:.0f} s on"
            )
            raise TraceError(
                f"no request comes in {span}: times less offset_s are from {low_s:.3f} to {high_s:.3f} s", file=path
            )

    def report(self) -> dict[str, Any]:
        """For the trace's `about`."""
        called = self.calls.per_function(len(self.apps))
        return {
            "functions": len(self.apps),
            "functions_never_called": int((called == 0).sum()),
            "calls": self.calls.count,
            "calls_outside_span": self.counts["outside"],
            "durations_zero": self.counts["zero"],
            "rows_repeated": self.counts["rows_repeated"],
            "times_counted_from": {str(week): clock for week, clock in self.clocks.items()},
        }

    def _rows(self, columns: dict[str, list[Any]], file: Path) -> Iterator[Row]:
        """The good requests of each row; its cells, which are large, are let go as they are read."""
        times, durations, events = columns[_TIMES], columns[self.duration], columns.get(_EVENTS)
        columns.clear()
        for i in range(len(times)):
            reader = _RowReader(self.faults, file, i + 1)
            row = reader.read({_TIMES: times[i], self.duration: durations[i]}, events[i] if events else None)
            times[i] = durations[i] = None
            yield row[0] - self.offset_s, row[1] / _MS

    def _clock(self, week: int, low: float, high: float, file: Path) -> tuple[str, float]:
        """From when the times of a week count, and what makes them count from the start of the data set.

        Two programs that read these data disagree whether a week's times count from the start of the data set or from
        its own. All requests of a week together leave no doubt, except in week 1, where it does not matter.
        """
        start = WEEK_S * (week - 1)
        for clock, first, shift in (("data set", start, 0.0), ("week", 0.0, start)):
            if low > high or first - _STRAGGLING_S <= low <= high <= first + WEEK_S + _STRAGGLING_S:
                return clock, shift
        raise TraceError(
            f"times less offset_s={self.offset_s:g} run from {low:,.0f} to {high:,.0f}, but week {week} of the data set"
            f" begins at {start:,.0f} s", file=file, column=_TIMES,
        )  # fmt: skip

    def _take(self, app: App, times_s: FloatArray, durations_s: FloatArray) -> None:
        start_s, end_s = self.span_s
        inside = (times_s >= start_s) & (times_s < (np.inf if end_s is None else end_s))
        number = self.apps.setdefault(app, len(self.apps))
        arrivals, durations = times_s[inside] - start_s, durations_s[inside]
        low_s, high_s = self.seen_s
        self.seen_s = (min(low_s, float(times_s.min(initial=np.inf))), max(high_s, float(times_s.max(initial=-np.inf))))
        self.counts["outside"] += int((~inside).sum())
        self.counts["zero"] += int((durations == 0).sum())
        self.calls.add(np.full(arrivals.size, number, np.int32), arrivals, durations)


@dataclass(frozen=True)
class _RowReader:
    """One row of a table: of an app."""

    faults: Faults
    file: Path
    row: int

    def read(self, cells: dict[str, Any], promised: Any) -> Row:
        """Times and durations of its good requests; none, if it cannot be used."""
        found = [self._numbers(name, cell) for name, cell in cells.items()]
        times, durations = (np.empty(0) if numbers is None else numbers for numbers in found)
        if any(numbers is None for numbers in found):
            return np.empty(0), np.empty(0)
        if not times.size == durations.size == (times.size if promised is None else promised):
            why = f"{', '.join(cells)} and {_EVENTS} must be of one number of requests"
            self._refuse(why, f", not {times.size}, {durations.size} and {promised}", 1, None)
            return np.empty(0), np.empty(0)
        bad_time, bad_duration = ~np.isfinite(times), ~(durations >= 0) | np.isinf(durations)
        for name, bad, rule in zip(cells, (bad_time, bad_duration), ("finite", "finite and >= 0"), strict=True):
            if bad.any():
                details = f", but that of request {int(np.argmax(bad)) + 1} is not"
                self._refuse(f"numbers must be {rule}", details, int(bad.sum()), name)
        good = ~(bad_time | bad_duration)
        return times[good], durations[good]

    def _numbers(self, name: str, cell: Any) -> FloatArray | None:
        try:
            numbers = cell_numbers(cell)
        except NotATableError:
            numbers = None
        if numbers is None:
            self._refuse("must be a list of numbers", "", 1, name)
        return numbers

    def _refuse(self, why: str, details: str, requests: int, column: str | None) -> None:
        error = TraceError(f"{why}{details}", file=self.file, row=self.row, column=column)
        self.faults.meet(error, f"{column} {why}" if column else why, requests)
