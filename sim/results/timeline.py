"""A span of a run as events of the Trace Event Format: a process a function, a thread an instance.

Times are whole microseconds, rounded from seconds by one monotone function, so that what lies inside something else in
the run does so in the events, whatever a reader does with fractions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isfinite, isnan
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results.call_sums import Span
from sim.results.columns import HANDLER, NOT_STARTED, OUTCOMES, START_KINDS, Columns
from sim.results.periods import BUSY, IDLE, NO_LINE, STARTING, STATES, IntArray, lines, periods

Event = dict[str, Any]

US_PER_S: Final = 1_000_000
PING: Final = "ping"
NO_FACTS: Final[Event] = {}


class Call(NamedTuple):
    """A call or ping that an instance runs.

    Attributes:
        row: its row; of a ping, its number among the pings.
        first: whether it is the first that its instance ever ran.
    """

    row: int
    function: int
    arrival_s: float
    start_s: float
    end_s: float
    kind: str
    outcome: str
    first: bool


class Change(NamedTuple):
    """A period begins (+1) or ends (−1)."""

    time_us: int
    state: int
    step: int


@dataclass(frozen=True, eq=False)
class Groups:
    """Members by key.

    Attributes:
        key: int64[k], ascending.
        member: int64[k]
    """

    key: IntArray
    member: IntArray

    @classmethod
    def of(cls, member: IntArray, key: npt.NDArray[Any]) -> Groups:
        """Members that keep their order within a key; `key` is int[k]."""
        order = np.argsort(key, kind="stable")
        return cls(key[order].astype(np.int64), member[order])

    def __getitem__(self, key: int) -> list[int]:
        first, last = np.searchsorted(self.key, [key, key + 1])
        members: list[int] = self.member[first:last].tolist()
        return members


class Timeline:
    """Events of a span of a run, made function by function.

    Generic cells belong to no function and are not shown.
    """

    def __init__(self, columns: Columns, functions: pd.DataFrame, span: Span) -> None:
        """Put in order what is to be shown.

        Args:
            columns: what an engine returned.
            functions: a row a function: `name`, `app`, `owner`, `trigger`, `memory_mb`.
            span: what is shown; what reaches beyond it is cut.
        """
        self._columns, self._functions, self._span = columns, functions, span
        self._names: list[str] = functions["name"].tolist()
        of_calls, of_pings = lines(columns, functions)
        self._periods = periods(columns, of_calls, of_pings)
        self._periods_of = Groups(self._periods.line, np.arange(self._periods.line.size))
        self._served, self._first = self._calls_by_line(np.concatenate([of_calls, of_pings]))
        self._start_of_row = {row: start for start, row in enumerate(columns.starts.row.tolist())}
        self._threads = len(functions)
        calls, instances = columns.requests, columns.instances
        alive = self._touches(instances.created_s, instances.ended_s)
        waits = (calls.start_s > calls.arrival_s) & self._touches(calls.arrival_s, calls.start_s)
        lost = (calls.start_kind == NOT_STARTED) & self._touches(calls.arrival_s, calls.arrival_s)
        self._instances_of, self._waits_of, self._lost_of = (
            Groups.of(np.flatnonzero(chosen), function[chosen])
            for chosen, function in ((alive, instances.function), (waits, calls.function), (lost, calls.function))
        )

    def _touches(self, begin_s: npt.NDArray[np.float64], end_s: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        touches: npt.NDArray[np.bool_] = (begin_s <= self._span.end_s) & (end_s >= self._span.start_s)
        return touches

    def _calls_by_line(self, line: IntArray) -> tuple[Groups, frozenset[int]]:
        """What each instance ran, by start (pings are numbered after calls), and what was the first of each."""
        served = (self._columns.requests, self._columns.pings)
        start_s, end_s = (np.concatenate([getattr(s, name) for s in served]) for name in ("start_s", "end_s"))
        order = np.lexsort((end_s, start_s, line))
        order = order[np.count_nonzero(line == NO_LINE) :]
        first = np.diff(line[order], prepend=NO_LINE) != 0
        shown = self._touches(start_s[order], end_s[order])
        return Groups(line[order][shown], order[shown]), frozenset(order[first & shown].tolist())

    def events(self, functions: Sequence[int]) -> Iterator[Event]:
        """All events of some functions, given by index; nothing of a function that has none in the span."""
        for place, function in enumerate(functions):
            drawn = chain(self._instances(function), self._waits(function), self._lost(function))
            first = next(drawn, None)
            if first is not None:
                yield from self._process(function, place)
                yield first
                yield from drawn

    def _process(self, function: int, place: int) -> Iterator[Event]:
        facts = self._functions.iloc[function]
        yield _meta("process_name", function + 1, name=self._names[function])
        labels = f"app {facts['app']}, {facts['trigger']}, {facts['memory_mb']:g} MB"
        yield _meta("process_labels", function + 1, labels=labels)
        yield _meta("process_sort_index", function + 1, sort_index=place)

    # Instances and what they run

    def _instances(self, function: int) -> Iterator[Event]:
        changes: list[Change] = []
        for line in self._instances_of[function]:
            yield from self._instance(line, function + 1, changes)
        yield from _counters(function + 1, changes, self._us(self._span.end_s))

    def _instance(self, line: int, pid: int, changes: list[Change]) -> Iterator[Event]:
        """The thread of an instance, with one lane of its calls; a thread for each further lane."""
        lanes = lanes_of(
            [call for call in map(self._call, self._served[line]) if self._shows(call.start_s, call.end_s)]
        )
        name = int(self._columns.instances.instance[line])
        for lane, calls in enumerate(lanes):
            thread = self._thread()
            title = f"instance {name}, lane {lane + 1}" if lane else f"instance {name}"
            yield _meta("thread_name", pid, thread, name=title)
            yield _meta("thread_sort_index", pid, thread, sort_index=thread)
            if lane:
                for call in calls:
                    yield from self._called(call, name, pid, thread)
            else:
                yield from self._lived(line, name, calls, pid, thread, changes)

    def _thread(self) -> int:
        """A number that no process and no other thread has."""
        self._threads += 1
        return self._threads

    def _lived(
        self, line: int, name: int, calls: Sequence[Call], pid: int, tid: int, changes: list[Change]
    ) -> Iterator[Event]:
        """The periods of an instance, each before what happens in it."""
        following = iter(calls)
        call = next(following, None)
        for state, begin_s, end_s in self._lives(line):
            facts = self._start_facts(line, name) if state == STARTING else NO_FACTS
            yield self._slice(STATES[state], "instance", pid, tid, begin_s, end_s, facts)
            changes += [Change(self._us(begin_s), state, 1), Change(self._us(end_s), state, -1)]
            if state == STARTING:
                yield from self._phases(line, name, pid, tid, end_s)
            while state == BUSY and call is not None and call.end_s <= end_s:
                if call.start_s >= begin_s:  # not one of no duration at the very start of the span
                    yield from self._called(call, name, pid, tid)
                call = next(following, None)

    def _lives(self, line: int) -> Iterator[tuple[int, float, float]]:
        """State, begin and end of an instance's periods in the span; none that is empty but busy ones."""
        held = self._periods
        for place in self._periods_of[line]:
            state, begin_s, end_s = int(held.state[place]), float(held.begin_s[place]), float(held.end_s[place])
            if self._shows(begin_s, end_s) and (state == BUSY or self._us(begin_s) < self._us(end_s)):
                yield state, begin_s, end_s

    def _call(self, number: int) -> Call:
        calls = self._columns.requests.function.size
        served, row = (self._columns.requests, number) if number < calls else (self._columns.pings, number - calls)
        return Call(
            row, int(served.function[row]), float(served.arrival_s[row]), float(served.start_s[row]),
            float(served.end_s[row]), START_KINDS[served.start_kind[row]] if number < calls else PING,
            OUTCOMES[served.outcome[row]], number in self._first,
        )  # fmt: skip

    def _called(self, call: Call, instance: int, pid: int, tid: int) -> Iterator[Event]:
        """A call, and within it the load of the handler where it is the first."""
        facts: Event = {"row": call.row, "start_kind": call.kind, "outcome": call.outcome, "arrival_s": call.arrival_s,
                        "wait_s": call.start_s - call.arrival_s, "latency_s": call.end_s - call.arrival_s}  # fmt: skip
        if call.function + 1 != pid:
            facts["function"] = self._names[call.function]
        yield self._slice(call.kind, "call", pid, tid, call.start_s, call.end_s, facts)
        starts = self._columns.starts
        if call.first and instance in self._start_of_row and HANDLER in starts.phases:
            loaded_s = call.start_s + self._phase_s(instance, starts.phases.index(HANDLER))
            yield from self._phase(HANDLER, pid, tid, call.start_s, min(loaded_s, call.end_s))

    # Starts

    def _start_facts(self, line: int, name: int) -> Event:
        instances, starts = self._columns.instances, self._columns.starts
        facts: Event = {"awaited": bool(instances.awaited[line])}
        if isnan(instances.ready_s[line]) and isfinite(instances.ended_s[line]):
            facts["failed"] = True
        if name in self._start_of_row:
            facts["fetched_mb"] = float(starts.package_mb[starts.function[self._start_of_row[name]]])
        return facts

    def _phases(self, line: int, name: int, pid: int, tid: int, ready_s: float) -> Iterator[Event]:
        """The phases of a start that a call caused, one after the other."""
        if name not in self._start_of_row:
            return
        end_s = float(self._columns.instances.created_s[line])
        for place, phase in enumerate(self._columns.starts.phases):
            if phase != HANDLER:
                begin_s, end_s = end_s, min(end_s + self._phase_s(name, place), ready_s)
                yield from self._phase(phase, pid, tid, begin_s, end_s)

    def _phase_s(self, name: int, place: int) -> float:
        start = self._start_of_row[name]
        return float(self._columns.starts.phase_s(place, slice(start, start + 1))[0])

    def _phase(self, phase: str, pid: int, tid: int, begin_s: float, end_s: float) -> Iterator[Event]:
        """Nothing where nothing is left of it."""
        if self._us(begin_s) < self._us(end_s):
            yield self._slice(phase, "phase", pid, tid, begin_s, end_s)

    # Calls without an instance

    def _waits(self, function: int) -> Iterator[Event]:
        """Waits of calls, each from its arrival to its start; they overlap, so they are on no thread."""
        calls, pid = self._columns.requests, function + 1
        for row in self._waits_of[function]:
            arrival_s, start_s = float(calls.arrival_s[row]), float(calls.start_s[row])
            if self._shows(arrival_s, start_s):
                event = {"name": "waiting", "cat": "wait", "id": row, "pid": pid, "tid": pid}
                facts = {"row": row, "start_kind": START_KINDS[calls.start_kind[row]]}
                yield {**event, "ph": "b", "ts": self._us(arrival_s), "args": facts}
                yield {**event, "ph": "e", "ts": self._us(start_s)}

    def _lost(self, function: int) -> Iterator[Event]:
        """Arrivals of calls that never started, under the name of what became of them."""
        calls, pid = self._columns.requests, function + 1
        for row in self._lost_of[function]:
            yield {"name": OUTCOMES[calls.outcome[row]], "cat": "lost", "ph": "i", "s": "p", "pid": pid, "tid": pid,
                   "ts": self._us(float(calls.arrival_s[row])), "args": {"row": row}}  # fmt: skip

    # Time

    def _shows(self, begin_s: float, end_s: float) -> bool:
        """Whether the span has more of it than one of its ends; of a moment, whether it has the moment."""
        span = self._span
        if begin_s == end_s:
            return span.start_s <= begin_s <= span.end_s
        return begin_s < span.end_s and end_s > span.start_s

    def _us(self, time_s: float) -> int:
        """A time in microseconds; one outside the span is that of the span's nearer end."""
        return round(min(max(time_s, self._span.start_s), self._span.end_s) * US_PER_S)

    def _slice(
        self, name: str, category: str, pid: int, tid: int, begin_s: float, end_s: float,
        facts: Mapping[str, Any] = NO_FACTS,
    ) -> Event:  # fmt: skip
        begin_us = self._us(begin_s)
        event: Event = {"name": name, "cat": category, "ph": "X", "pid": pid, "tid": tid, "ts": begin_us,
                        "dur": self._us(end_s) - begin_us}  # fmt: skip
        return {**event, "args": {key: _rounded(value) for key, value in facts.items()}} if facts else event


def lanes_of(calls: Sequence[Call]) -> list[list[Call]]:
    """Calls in order of start, each in the first lane where none runs at its start; at least one lane."""
    lanes: list[list[Call]] = [[]]
    for call in calls:
        lane = next((lane for lane in lanes if not lane or lane[-1].end_s <= call.start_s), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(call)
    return lanes


def _rounded(value: Any) -> Any:
    """A float to the microsecond, as times are."""
    return round(value, 6) if isinstance(value, float) else value


def _meta(what: str, pid: int, tid: int | None = None, /, **facts: Any) -> Event:
    return {"name": what, "ph": "M", "pid": pid, **({} if tid is None else {"tid": tid}), "args": facts}


def _counters(pid: int, changes: Sequence[Change], stop_us: int) -> Iterator[Event]:
    """How many instances are in each state, whenever that changes; the end of the span, which cuts, is no change."""
    count = [0] * len(STATES)
    ordered = sorted(change for change in changes if change.time_us < stop_us)
    for place, change in enumerate(ordered):
        count[change.state] += change.step
        if place + 1 == len(ordered) or ordered[place + 1].time_us > change.time_us:
            counted = {STATES[state]: count[state] for state in (STARTING, BUSY, IDLE)}
            yield {"name": "instances", "ph": "C", "pid": pid, "ts": change.time_us, "args": counted}
