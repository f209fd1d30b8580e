"""The processor of an instance, which its requests share."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, Final

from sim.core.time import COMPLETION
from sim.platform.calendar import Calendar, Recurring
from sim.platform.deadlines import Deadlines
from sim.platform.running import Running

if TYPE_CHECKING:
    from sim.platform.slots import Slot

ROUNDING: Final = 1e-9
"""Of the cores that are asked for: they are added up as requests begin and end."""


class Processor:
    """Gives each of its requests the same share of what it asks for: all of it, while all together ask for no more.

    One virtual clock serves all: it runs with the wall clock, and slower where more is asked for than there is, so that
    a request ends when it has advanced by its service time; by less than that if it asks for more than there is even
    when it is alone. Discriminatory processor sharing with weights that are what is asked for; where all ask alike
    egalitarian (Kleinrock, Queueing Systems, volume 2, section 4.4). A change costs O(log n).

    Args:
        cores: that it has.
    """

    __slots__ = ("_asked", "_cores", "_deadlines", "_lag_s", "_planned", "_queue", "_since_s", "_slowdowns", "_speed")

    def __init__(self, cores: float) -> None:
        self._cores, self._asked = cores, 0.0
        self._queue: list[Running] = []
        self._deadlines = Deadlines()
        self._slowdowns = 0
        self._lag_s = self._since_s = 0.0  # of the virtual clock behind the wall's
        self._speed = 1.0
        self._planned: Completion | None = None

    def begin(self, slot: Slot, row: int, now_s: float, end_s: float, asked: float, deadline_s: float = inf) -> None:
        """A request runs from now on, alone until `end_s`, at most until `deadline_s`; it asks for so many cores."""
        self._advance(now_s)
        if not self._queue:
            self._lag_s = self._asked = 0.0
        self._asked += asked
        virtual_s = end_s - self._lag_s
        if asked > self._cores:
            virtual_s = now_s - self._lag_s + (end_s - now_s) * self._cores / asked
        running = Running(virtual_s, row, slot, asked, end_s, self._slowdowns)
        heappush(self._queue, running)
        if deadline_s < inf:
            self._deadlines.add(deadline_s, running)

    def end(self, completion: Completion, now_s: float) -> None:
        """The request that was planned to end first does, or is cut."""
        self._advance(now_s)
        ended = completion.request
        if completion.cut:
            self._queue.remove(ended)
            heapify(self._queue)
        else:
            heappop(self._queue)
            if self._speed < 1:
                self._lag_s = now_s - ended.virtual_s  # without what was rounded on the way
        self._asked -= ended.asked
        self._deadlines.forget(ended)

    def plan(self, calendar: Calendar, now_s: float, complete: Any) -> None:
        """The number of requests has changed: so has the next end. A deadline at that very instant cuts nothing."""
        self._speed = self._cores / self._asked if self._asked > self._cores * (1 + ROUNDING) else 1.0
        self._slowdowns += self._speed < 1 and len(self._queue) > 1
        self._planned = None
        if self._queue:
            first = self._queue[0]
            at_s = max(self._end_s(first, now_s), now_s)
            deadline_s, other = self._deadlines.first()
            cut = other is not None and (deadline_s, other.row) < (at_s, first.row)
            if other is not None and cut:
                first, at_s = other, deadline_s
            self._planned = completion = Completion(calendar, self, first, cut=cut)
            completion.callbacks = [complete]
            heappush(calendar.queue, (at_s, COMPLETION, first.row, completion))

    def _end_s(self, request: Running, now_s: float) -> float:
        if request.slowdowns == self._slowdowns:  # others have never slowed it down
            return request.alone_s
        if self._speed < 1:
            return now_s + (request.virtual_s - (now_s - self._lag_s)) / self._speed
        return request.virtual_s + self._lag_s

    def is_due(self, completion: Completion) -> bool:
        """Whether this end is still the planned one."""
        return completion is self._planned

    def _advance(self, now_s: float) -> None:
        if self._speed < 1:
            self._lag_s += (1 - self._speed) * (now_s - self._since_s)
        self._since_s = now_s


class Completion(Recurring):
    """The planned end of a request, or its time-out (`cut`); superseded where another begins or ends before."""

    def __init__(self, calendar: Calendar, processor: Processor, request: Running, *, cut: bool) -> None:
        super().__init__(calendar)
        self.processor, self.request, self.cut = processor, request, cut
