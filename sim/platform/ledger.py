"""The ledger: what happened to each call and each instance, in typed columns."""

from __future__ import annotations

from array import array
from dataclasses import replace
from math import inf, nan

import numpy as np
import numpy.typing as npt

from sim.results.columns import (
    COLD,
    NO_INSTANCE,
    OK,
    TIMED_OUT,
    UNENDED,
    WARM,
    Allocations,
    FloatArray,
    Instances,
    Requests,
)
from sim.workload.trace import Trace


class Ledger:
    """Columns filled in while the platform runs: a row a call up to the horizon, a line an instance."""

    def __init__(self, rows: int, *, pings: int = 0, busy_periods: bool = False, hops: bool = False) -> None:
        """Columns for calls, and for pings after them.

        Args:
            rows: the number of calls.
            pings: the number of pings.
            hops: count them: there are several routers.
            busy_periods: note where busy periods begin; without, each call is one (one request an instance).
        """
        self._calls = rows
        rows += pings
        self.start_s = array("d", [nan]) * rows
        self.end_s = array("d", [nan]) * rows
        self.busy_since_s = array("d", [nan]) * rows if busy_periods else self.start_s
        self.idle_since_s = array("d", [nan]) * rows
        self.instance = array("q", [NO_INSTANCE]) * rows
        self.hops = array("i", [0]) * (rows if hops else 0)
        self._counts_hops = hops
        self.start_kind = bytearray(rows)
        self.outcome = bytearray(rows)
        self.prewarmed = array("q")
        self.on_provisioned = array("q")
        self._execution_s: dict[int, float] = {}
        self._cut = array("q")
        self._allocated: list[tuple[int, float, float]] = []
        self._function = array("i")
        self._number = array("q")
        self._created_s = array("d")
        self._ready_s = array("d")
        self._awaited = bytearray()
        self._idle_since_s = array("d")
        self._ended_s = array("d")

    def warm_start(self, row: int, now_s: float, instance: int, idle_since_s: float) -> None:
        """A call starts at once on an idle instance."""
        self.start_s[row] = now_s
        self.start_kind[row] = WARM
        self.instance[row] = instance
        self.idle_since_s[row] = idle_since_s

    def cold_start(self, row: int, now_s: float, instance: int, line: int) -> None:
        """A call starts on the instance it made, which is ready now."""
        self.start_s[row] = now_s
        self.start_kind[row] = COLD
        self.instance[row] = instance
        self._ready_s[line] = now_s

    def started(self, row: int, now_s: float, kind: int, instance: int, idle_since_s: float) -> None:
        """A call starts, in whatever way; `idle_since_s` is NaN unless it ends an idle period."""
        self.start_s[row] = now_s
        self.start_kind[row] = kind
        self.instance[row] = instance
        self.idle_since_s[row] = idle_since_s

    def loads(self, row: int, execution_s: float, *, cut: bool) -> None:
        """A call runs so long: a handler loads, or others slow it down; `cut`: that is its function's time-out.

        What is said last of a call counts.
        """
        self._execution_s[row] = execution_s
        if cut:
            self._cut.append(row)

    def instance_ready(self, line: int, now_s: float, *, awaited: bool) -> None:
        """A start-up is over; `awaited`: some call waited for it."""
        self._ready_s[line] = now_s
        self._awaited[line] = awaited

    def instance_created(self, function: int, number: int, now_s: float) -> int:
        """A new instance begins to start; returns its line."""
        self._function.append(function)
        self._number.append(number)
        self._created_s.append(now_s)
        self._ready_s.append(nan)
        self._awaited.append(1)
        self._idle_since_s.append(nan)
        self._ended_s.append(inf)
        return len(self._number) - 1

    def start_failed(self, line: int, now_s: float, *, awaited: bool) -> None:
        """An instance will never be ready; `awaited`: some call waited for it."""
        self._awaited[line] = awaited
        self._ended_s[line] = now_s

    def instance_ended(self, line: int, now_s: float, idle_since_s: float) -> None:
        """An idle instance is terminated."""
        self._idle_since_s[line] = idle_since_s
        self._ended_s[line] = now_s

    def still_idle(self, line: int, idle_since_s: float) -> None:
        """The run is over and the instance stays idle."""
        self._idle_since_s[line] = idle_since_s

    def allocated(self, function: int, from_s: float, to_s: float) -> None:
        """An instance was held whether it was used or not."""
        self._allocated.append((function, from_s, to_s))

    def requests(self, trace: Trace) -> Requests:
        """The columns of the calls, once all of them have ended."""
        rows = self._calls
        requests = self._part(slice(0, rows), trace.function[:rows], trace.arrival_s[:rows])
        if trace.service_s is trace.duration_s:
            return requests
        cut = (requests.outcome == OK) & (trace.service_s[:rows] < trace.duration_s[:rows])
        return replace(requests, outcome=np.where(cut, np.int8(TIMED_OUT), requests.outcome))

    def pings(self, function: npt.NDArray[np.int32], time_s: FloatArray) -> Requests:
        """The columns of the pings, given their functions and times."""
        return self._part(slice(self._calls, None), function, time_s)

    def _part(self, rows: slice, function: npt.NDArray[np.int32], arrival_s: FloatArray) -> Requests:
        outcome = np.frombuffer(self.outcome, np.int8)[rows]
        lost = np.flatnonzero(outcome == UNENDED)
        if lost.size:
            raise RuntimeError(f"{lost.size} calls never ended; the first is row {lost[0]}")
        outcome[self._among(self._cut, rows)] = TIMED_OUT
        loading = array("q", self._execution_s)
        loading_s = np.fromiter(self._execution_s.values(), np.float64, len(loading))
        inside = self._inside(np.frombuffer(loading, np.int64), rows)
        return Requests(
            function=function,
            arrival_s=arrival_s,
            start_s=np.frombuffer(self.start_s)[rows],
            end_s=np.frombuffer(self.end_s)[rows],
            start_kind=np.frombuffer(self.start_kind, np.int8)[rows],
            outcome=outcome,
            instance=np.frombuffer(self.instance, np.int64)[rows],
            busy_since_s=np.frombuffer(self.busy_since_s)[rows],
            idle_since_s=np.frombuffer(self.idle_since_s)[rows],
            prewarmed=self._among(self.prewarmed, rows),
            on_provisioned=self._among(self.on_provisioned, rows),
            hops=np.frombuffer(self.hops, np.int32)[rows] if self._counts_hops else None,
            loading=self._among(loading, rows),
            loading_s=loading_s if inside.all() else loading_s[inside],
        )

    @staticmethod
    def _among(chosen: array[int], rows: slice) -> npt.NDArray[np.int64]:
        """Which of some rows lie in a part, counted from its first."""
        row = np.frombuffer(chosen, np.int64)
        inside = Ledger._inside(row, rows)
        return row if rows.start == 0 and inside.all() else row[inside] - int(rows.start)

    @staticmethod
    def _inside(row: npt.NDArray[np.int64], rows: slice) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = row >= rows.start if rows.stop is None else row < rows.stop
        return inside

    def allocations(self) -> Allocations:
        """The columns of what was held."""
        function, from_s, to_s = zip(*self._allocated, strict=True) if self._allocated else ((), (), ())
        return Allocations(np.array(function, np.int32), np.array(from_s, np.float64), np.array(to_s, np.float64))

    def instances(self) -> Instances:
        """The columns of the instances."""
        return Instances(
            function=np.frombuffer(self._function, np.int32),
            instance=np.frombuffer(self._number, np.int64),
            created_s=np.frombuffer(self._created_s),
            ready_s=np.frombuffer(self._ready_s),
            awaited=np.frombuffer(self._awaited, np.bool_),
            idle_since_s=np.frombuffer(self._idle_since_s),
            ended_s=np.frombuffer(self._ended_s),
        )
