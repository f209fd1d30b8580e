"""The calendar: a SimPy environment ordered by (time, kind, number)."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any, cast

from simpy import Environment
from simpy.events import NORMAL, Event

from sim.core.time import IMMEDIATE, TICK


class Calendar(Environment):
    """A SimPy environment whose events are put at absolute times, under a key that does not know who came first.

    Components push ``(time_s, kind, number, event)`` on `queue`; kinds are those of `sim.core.time`. Whatever is
    scheduled the plain SimPy way (processes, timeouts, resources) is a tick of the control plane.
    """

    def __init__(self) -> None:
        super().__init__(0.0)
        self.queue = cast("list[tuple[float, int, int, Event]]", self._queue)

    def schedule(self, event: Event, priority: int = NORMAL, delay: float = 0) -> None:
        """As SimPy's: `delay` from now, among the ticks."""
        kind = TICK if priority == NORMAL else IMMEDIATE
        heappush(self.queue, (self._now + delay, kind, next(self._eid), event))

    def run(self, until: Any = None) -> Any:
        """As SimPy's; without `until` the same steps in one loop, because calling `step` would cost a tenth of them."""
        if until is not None:
            return super().run(until)
        queue = self.queue
        while queue:
            self._now, _, _, event = heappop(queue)
            callbacks = event.callbacks
            event.callbacks = None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value
        return None


class Recurring(Event):
    """An event that happens again and again, so that nothing is allocated a call.

    Whoever handles it puts ``event.callbacks = event.handlers`` before scheduling it anew.
    """

    def __init__(self, calendar: Calendar) -> None:
        super().__init__(calendar)
        self._ok = True
        self._value = None
        self.handlers: list[Any] = []

    def __lt__(self, other: object) -> bool:
        # Two entries share (time, kind, number) only if one of them is a superseded alarm: either order will do. The
        # tests hold it.
        return False
