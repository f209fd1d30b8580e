"""The trigger: replays the arrivals of a trace, block by block."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush
from typing import Final

from sim.core.time import ARRIVAL
from sim.platform.calendar import Calendar, Recurring
from sim.platform.router import Routes
from sim.workload.trace import Trace

BLOCK: Final = 16_384
"""Calls turned into Python lists at a time: enough to hide the cost of a block, 1 MB at once instead of the trace."""

Progress = Callable[[int], object]
"""Told how many calls have arrived, once a block."""


class Trigger(Recurring):
    """One event that is every arrival in turn."""

    def __init__(self, calendar: Calendar, router: Routes, trace: Trace, rows: int, on_progress: Progress) -> None:
        super().__init__(calendar)
        self.handlers = [self._arrive]
        self._queue = calendar.queue
        self._route = router.route
        self._trace, self._rows = trace, rows
        self._on_progress = on_progress
        self._next_block = 0
        self._load_block()

    def _load_block(self) -> None:
        """Take the next calls of the trace, if there are any, and schedule the first of them."""
        first = self._first_row = self._next_block
        self._on_progress(first)
        last = self._next_block = min(first + BLOCK, self._rows)
        if first == last:
            return
        trace = self._trace
        self._function = trace.function[first:last].tolist()
        self._arrival_s = trace.arrival_s[first:last].tolist()
        self._service_s = trace.service_s[first:last].tolist()
        self._schedule(0)

    def _schedule(self, i: int) -> None:
        self._i = i
        self.callbacks = self.handlers
        heappush(self._queue, (self._arrival_s[i], ARRIVAL, self._first_row + i, self))

    def _arrive(self, _: Trigger) -> None:
        i = self._i
        self._route(self._function[i], self._first_row + i, self._arrival_s[i], self._service_s[i])
        i += 1
        if i < len(self._function):
            self._schedule(i)
        else:
            self._load_block()
