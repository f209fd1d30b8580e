"""The raw columns of a run, the same from every engine; all metrics are computed from these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

START_KINDS: Final = ("", "warm", "cold", "queued")
NOT_STARTED, WARM, COLD, QUEUED = range(4)

OUTCOMES: Final = ("", "ok", "rejected", "timed_out", "failed")
UNENDED, OK, REJECTED, TIMED_OUT, FAILED = range(5)

HANDLER: Final = "handler"
"""The phase that is no part of a start-up: what the first call on an instance does before the user's code runs."""

CHUNK: Final = 1 << 18
"""Rows worked on at a time where a temporary column of a big trace would be a burden."""

NO_INSTANCE: Final = int(np.iinfo(np.int64).min)
"""The instance of a call that never had one."""


@dataclass(frozen=True, eq=False)
class Requests:
    """What happened to each call, a row a call up to the horizon, in trace order.

    Attributes:
        function: int32[n]
        arrival_s, start_s, end_s: float64[n], seconds; NaN where it never started.
        start_kind, outcome: int8[n], indices into `START_KINDS` and `OUTCOMES`.
        instance: int64[n], the instance's name within its function: the row of the call that made it, -1 - k for the
            k-th that no call made, `NO_INSTANCE` where the call had none.
        busy_since_s: float64[n], where the call's end ended a busy period of its instance: its start; else NaN.
            Where an instance serves one request at a time, `start_s`.
        idle_since_s: float64[n], where the call ended an idle period of its instance: that period's start; else NaN.
        prewarmed: int64[p], the rows of the calls that were the first of a prewarmed instance, and warm.
        on_provisioned: int64[q], the rows of the calls that ran on an instance held for them.
        hops: int32[n], how often its router sent the call where no slot was free; None where there is one router.
        loading: int64[l], the rows of the calls during which the handler of their instance loaded, or which others in
            their instance slowed down; none twice.
        loading_s: float64[l], seconds from start to end of these, longer than their service time.
    """

    function: npt.NDArray[np.int32]
    arrival_s: FloatArray
    start_s: FloatArray
    end_s: FloatArray
    start_kind: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
    instance: npt.NDArray[np.int64]
    busy_since_s: FloatArray
    idle_since_s: FloatArray
    prewarmed: npt.NDArray[np.int64]
    on_provisioned: npt.NDArray[np.int64]
    hops: npt.NDArray[np.int32] | None = None
    loading: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    loading_s: FloatArray = field(default_factory=lambda: np.empty(0))

    def frame(self, counted: npt.NDArray[np.bool_]) -> pd.DataFrame:
        """The public form: kinds and outcomes as categories, and whether each call counts."""
        hops = {} if self.hops is None else {"hops": self.hops}
        return pd.DataFrame(
            {
                "function": self.function,
                "arrival_s": self.arrival_s,
                "start_s": self.start_s,
                "end_s": self.end_s,
                "start_kind": pd.Categorical.from_codes(self.start_kind, pd.Index(START_KINDS)),
                "outcome": pd.Categorical.from_codes(self.outcome, pd.Index(OUTCOMES)),
                "instance": self.instance,
                "counted": counted,
                **hops,
            },
            copy=False,
        )


@dataclass(frozen=True, eq=False)
class Instances:
    """The life of each instance, in order of creation.

    Attributes:
        function: int32[m]
        instance: int64[m], its name within its function (see `Requests.instance`).
        created_s: float64[m], when its start began.
        ready_s: float64[m], when its start-up was over; NaN if never.
        awaited: bool[m], whether a call waited for it when it became ready.
        idle_since_s: float64[m], start of the idle period that its end (or the run's) cut off; NaN if none.
        ended_s: float64[m], when it was terminated; infinity if it still lived when the run was over.
    """

    function: npt.NDArray[np.int32]
    instance: npt.NDArray[np.int64]
    created_s: FloatArray
    ready_s: FloatArray
    awaited: npt.NDArray[np.bool_]
    idle_since_s: FloatArray
    ended_s: FloatArray

    def frame(self) -> pd.DataFrame:
        """The public form, a row an instance."""
        return pd.DataFrame(
            {
                "function": self.function,
                "instance": self.instance,
                "created_s": self.created_s,
                "ready_s": self.ready_s,
                "ended_s": self.ended_s,
            }
        )


@dataclass(frozen=True, eq=False)
class Starts:
    """The start-ups that calls caused, in the order they began, phase by phase.

    The sum of the phases in order, but for `HANDLER`, is the start-up time. Most are the same in every start of a
    function, and are not kept start by start.

    Attributes:
        phases: names of the P phases, in order.
        row: int64[s], row of the causing call, which also names the instance.
        function: int32[s], the function whose instance starts.
        kept: the places, ascending, of the phases that differ from start to start.
        kept_s: float64[s, len(kept)], seconds of these.
        constant_s: float64[F, P], seconds of all others, by function.
        package_mb: float64[F], MB of package or image that a start of each function fetches.
    """

    phases: tuple[str, ...]
    row: npt.NDArray[np.int64]
    function: npt.NDArray[np.int32]
    kept: tuple[int, ...]
    kept_s: FloatArray
    constant_s: FloatArray
    package_mb: FloatArray

    @property
    def fetched_mb(self) -> FloatArray:
        """MB that each start fetched, float64[s]."""
        fetched: FloatArray = self.package_mb[self.function]
        return fetched

    def phase_s(self, place: int, part: slice = slice(None)) -> FloatArray:
        """Seconds that one phase took in each start, or in each of a part of them; float64[s]."""
        if place in self.kept:
            return self.kept_s[part, self.kept.index(place)]
        seconds: FloatArray = self.constant_s[self.function[part], place]
        return seconds

    def frame(self) -> pd.DataFrame:
        """The public form: the row of the call, a column a phase, and the MB fetched."""
        columns = {f"{name}_s": self.phase_s(place) for place, name in enumerate(self.phases)}
        return pd.DataFrame({"row": self.row, **columns, "fetched_mb": self.fetched_mb})


@dataclass(frozen=True, eq=False)
class Allocations:
    """When instances were held for a unit whether they were used or not.

    Attributes:
        function: int32[h]
        from_s: float64[h]
        to_s: float64[h], infinity if they still were when the run was over.
    """

    function: npt.NDArray[np.int32]
    from_s: FloatArray
    to_s: FloatArray


@dataclass(frozen=True, eq=False)
class Cells:
    """The life of each generic cell (see `sim.policies.StemCells`), in order of creation.

    Attributes:
        runtimes: of each class.
        class_mb: float64[classes], its memory.
        kind: int32[c], the class of each cell.
        created_s: float64[c]; those of time 0 are ready at once.
        ready_s: float64[c]
        ended_s: float64[c], when it was taken or removed; infinity if it was still there when the run was over.
        taken: bool[c], whether it ended because a start took it.
    """

    runtimes: tuple[str, ...]
    class_mb: FloatArray
    kind: npt.NDArray[np.int32]
    created_s: FloatArray
    ready_s: FloatArray
    ended_s: FloatArray
    taken: npt.NDArray[np.bool_]

    @property
    def memory_mb(self) -> FloatArray:
        """float64[c], MB of each cell."""
        return self.class_mb[self.kind]

    def frame(self) -> pd.DataFrame:
        """The public form, a row a cell."""
        return pd.DataFrame(
            {
                "runtime": [self.runtimes[kind] for kind in self.kind.tolist()],
                "memory_mb": self.memory_mb,
                "created_s": self.created_s,
                "ready_s": self.ready_s,
                "ended_s": self.ended_s,
                "taken": self.taken,
            }
        )


def no_cells() -> Cells:
    """The cells of a policy that has none."""
    none = np.empty(0)
    return Cells((), none, np.empty(0, np.int32), none, none, none, np.empty(0, np.bool_))


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a scaler decided and why, a row each time that it changed what it wants of a unit, in order of time.

    Attributes:
        time_s: float64[d]
        function: int32[d], the unit's first function.
        ready, starting: int32[d], instances that were ready, or were not yet; those that drain are not counted.
        in_flight, waiting: int32[d], requests that ran or waited, and those of them that waited.
        wanted: int32[d], instances from then on.
        why: int32[d], a place in
        reasons: words of the policy's.
    """

    time_s: FloatArray
    function: npt.NDArray[np.int32]
    ready: npt.NDArray[np.int32]
    starting: npt.NDArray[np.int32]
    in_flight: npt.NDArray[np.int32]
    waiting: npt.NDArray[np.int32]
    wanted: npt.NDArray[np.int32]
    why: npt.NDArray[np.int32]
    reasons: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """The public form, a row a decision."""
        names = ("time_s", "function", "ready", "starting", "in_flight", "waiting", "wanted")
        columns = {name: getattr(self, name) for name in names}
        return pd.DataFrame({**columns, "why": [self.reasons[why] for why in self.why.tolist()]})


def no_decisions() -> Decisions:
    """Those of a policy that scales nothing."""
    none = np.empty(0, np.int32)
    return Decisions(np.empty(0), none, none, none, none, none, none, none, ())


@dataclass(frozen=True, eq=False, kw_only=True)
class Fleet:
    """All that an engine returns but the calls of the trace.

    Attributes:
        pings: the policy's own calls; their rows, and instances named after them, follow those of the trace.
        ping_s: seconds that each of these runs.
        instances: every instance there was.
        starts: the start-ups that calls of the trace caused.
        allocations: what was held.
        cells: the generic cells.
    """

    pings: Requests
    ping_s: float
    instances: Instances
    starts: Starts
    allocations: Allocations
    cells: Cells


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns(Fleet):
    """All that an engine returns.

    Attributes:
        requests: the calls of the trace.
        decisions: of the scaler.
        makers_load: whether it is the call that made an instance, and no other, that loads its handler, uncut; the
            column ``handler`` of `starts` then says how long, and `Requests.loading` nothing.
    """

    requests: Requests
    decisions: Decisions
    makers_load: bool = False

    def execution_s(self, service_s: FloatArray) -> FloatArray:
        """Seconds from start to end of every call, float64[n], given the service times: its own, unless it loaded."""
        requests, starts = self.requests, self.starts
        if not (self.makers_load or requests.loading.size):
            return service_s
        execution_s = service_s.copy()
        for first in range(0, starts.row.size if self.makers_load else 0, CHUNK):
            part = slice(first, first + CHUNK)
            execution_s[starts.row[part]] += starts.phase_s(starts.phases.index(HANDLER), part)
        execution_s[requests.loading] = requests.loading_s
        return execution_s
