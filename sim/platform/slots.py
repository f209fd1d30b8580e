"""Instances with slots: room for several requests at a time, and for requests that wait for a start."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING

from sim.platform.calendar import Calendar, Recurring
from sim.platform.instance import BUSY, IDLE, STARTING, TERMINATED, illegal

if TYPE_CHECKING:
    from sim.platform.provisioner import Provisioner
    from sim.platform.slotted_pool import SlottedPool
    from sim.platform.waiting import WaitingCall


class Slot(Recurring):
    """Room for one request in an instance; it is the event of that request's end.

    Attributes:
        row: the call it serves, or served last; its instance's number before the first.
        end_s: when that call ends; when the instance became ready, before the first.
        heard: of several routers, the number of the latest fact about it that each has heard (see `Fact`).
    """

    heard: list[int] | None = None

    def __init__(self, calendar: Calendar, instance: SlottedInstance, pool: SlottedPool) -> None:
        super().__init__(calendar)
        self.instance = instance
        self.row = instance.number
        self.end_s = inf
        self.handlers = self.callbacks = [pool.complete]


class SlottedInstance(Recurring):
    """STARTING -> (BUSY <-> IDLE) -> TERMINATED, busy while any slot is; it is the event of becoming ready.

    Attributes:
        number: its name within its unit.
        order: its number in the calendar.
        function: the function whose call made it.
        state: one of the four.
        slots: all of its slots.
        running: requests it serves now.
        by_call: a miss started it, so the first call it ever serves is cold.
        served: whether it ever served one.
        keep_until_s: if none did, how long it is kept unused.
        provisioner: what holds it whether it is used or not, if anything does.
        held_since_s: since when.
        handler_s: how long its first call loads the handler.
        loaded_s: when that is done.
        claims: calls bound to it while it starts, in order.
        created_s: when its start began.
        retire_s: when its maximum life is over.
        expiry_s: while idle, when it is reclaimed; not after
        until_s: whatever its unit does until then.
        alarm_s: when its pending alarm rings (infinity: none is pending).
        busy_since_s: start of the present busy period.
        idle_since_s: start of the present idle period, NaN if it never idled.
        line: its line in the ledger.
    """

    def __init__(
        self,
        calendar: Calendar,
        pool: SlottedPool,
        *,
        function: int,
        number: int,
        order: int,
        concurrency: int,
        max_lifetime_s: float,
        line: int,
    ) -> None:
        super().__init__(calendar)
        self.pool = pool
        self.number, self.order, self.function = number, order, function
        self.by_call = True
        self.keep_until_s = nan
        self.provisioner: Provisioner | None = None
        self.held_since_s = nan
        self.state = STARTING
        self.running = 0
        self.served = False
        self.handler_s, self.loaded_s = 0.0, inf
        self.claims: list[WaitingCall] = []
        self.created_s = calendar._now
        self.retire_s = calendar._now + max_lifetime_s
        self.expiry_s = self.until_s = self.alarm_s = inf
        self.busy_since_s = self.idle_since_s = nan
        self.line = line
        self.slots = [Slot(calendar, self, pool) for _ in range(concurrency)]

    def begin(self, now_s: float) -> float:
        """A request begins: to BUSY, from any living state. Returns the start of the idle period it ends, or NaN."""
        ended_idle_s = nan
        if self.state != BUSY:
            if self.state == TERMINATED:
                raise illegal(self, BUSY)
            if self.state == IDLE:
                ended_idle_s = self.idle_since_s
            self.state = BUSY
            self.busy_since_s = now_s
        self.running += 1
        self.served = True
        return ended_idle_s

    def rest(self, now_s: float) -> None:
        """BUSY or STARTING -> IDLE: no request is left, or none ever came."""
        if self.state not in (STARTING, BUSY) or self.running:
            raise illegal(self, IDLE)
        self.state = IDLE
        self.idle_since_s = now_s

    def cancel(self) -> None:
        """STARTING -> TERMINATED: it will never be ready."""
        if self.state != STARTING:
            raise illegal(self, TERMINATED)
        self.state = TERMINATED

    def expire(self, now_s: float) -> None:
        """Its alarm finds that its time has come."""
        self.pool.reclaim(self, now_s)

    def terminate(self) -> None:
        """IDLE -> TERMINATED: reclaimed."""
        if self.state != IDLE:
            raise illegal(self, TERMINATED)
        self.state = TERMINATED
