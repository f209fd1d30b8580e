"""An instance: one sandbox, its states and the transitions it may make."""

from __future__ import annotations

from heapq import heappush
from math import inf
from typing import TYPE_CHECKING, Final, Protocol

from sim.core.errors import IllegalTransitionError
from sim.core.time import COMPLETION
from sim.platform.calendar import Calendar, Recurring

if TYPE_CHECKING:
    from sim.platform.ledger import Ledger
    from sim.platform.pool import InstancePool

STARTING, BUSY, IDLE, TERMINATED = range(4)
STATES: Final = ("STARTING", "BUSY", "IDLE", "TERMINATED")


class Stateful(Protocol):
    """Anything with an instance's name and state."""

    number: int
    state: int


class Instance(Recurring):
    """STARTING -> (BUSY <-> IDLE) -> TERMINATED; it is itself the event of becoming ready, then of each completion.

    Attributes:
        number, order: its name within its function and its number in the calendar, the row of the call that made it.
        state: one of the four.
        row: the call it serves, or served last.
        end_s: when that call ends.
        retire_s: when its maximum life is over.
        expiry_s: while idle, when it is reclaimed.
        alarm_s: when its pending alarm rings (infinity: none is pending).
    """

    def __init__(
        self, calendar: Calendar, ledger: Ledger, pool: InstancePool, function: int, number: int, max_lifetime_s: float
    ) -> None:
        super().__init__(calendar)
        self.pool = pool
        self.number = self.order = number
        self.state = STARTING
        self.row = number
        self.end_s = inf
        self.retire_s = calendar._now + max_lifetime_s
        self.expiry_s = inf
        self.alarm_s = inf
        self._queue = calendar.queue
        self._ledger = ledger
        self.line = ledger.instance_created(function, number, calendar._now)

    def serve(self, row: int, now_s: float, service_s: float) -> None:
        """IDLE -> BUSY: run a call from now on."""
        if self.state != IDLE:
            raise illegal(self, BUSY)
        self.state = BUSY
        self._ledger.warm_start(row, now_s, self.number, self.end_s)
        self.row = row
        self.end_s = end_s = now_s + service_s
        heappush(self._queue, (end_s, COMPLETION, row, self))

    def serve_first(self, now_s: float, end_s: float) -> None:
        """STARTING -> BUSY: the start-up is over; run the call that caused it, until `end_s`."""
        if self.state != STARTING:
            raise illegal(self, BUSY)
        self.state = BUSY
        self._ledger.cold_start(self.row, now_s, self.number, self.line)
        self.end_s = end_s
        heappush(self._queue, (end_s, COMPLETION, self.row, self))

    def expire(self, now_s: float) -> None:
        """Its alarm finds that its time has come."""
        self.pool.reclaim(self, now_s)

    def terminate(self, now_s: float) -> None:
        """IDLE -> TERMINATED: reclaimed."""
        if self.state != IDLE:
            raise illegal(self, TERMINATED)
        self.state = TERMINATED
        self._ledger.instance_ended(self.line, now_s, self.end_s)


def illegal(instance: Stateful, wanted: int) -> IllegalTransitionError:
    """The error for a transition that an instance's state does not allow."""
    return IllegalTransitionError(
        f"instance {instance.number} cannot go from {STATES[instance.state]} to {STATES[wanted]}"
    )
