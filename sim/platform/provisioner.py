"""The provisioner: sees to it that a pool has the instances it is to have at least."""

from __future__ import annotations

from heapq import heappush
from math import inf, nan
from typing import TYPE_CHECKING

from sim.core.time import TICK
from sim.platform.calendar import Calendar, Recurring
from sim.platform.instance import BUSY, IDLE
from sim.platform.ledger import Ledger
from sim.policies.keepalive.demands import Floor

if TYPE_CHECKING:
    from sim.platform.slots import SlottedInstance
    from sim.platform.slotted_pool import SlottedPool


class Provisioner:
    """Holds instances for one pool, up to the horizon of the run.

    An instance whose life is over is replaced by one that starts then. Where fewer are wanted, idle instances go at
    once, those first that have been idle longest, and busy ones become ordinary.
    """

    def __init__(
        self, calendar: Calendar, ledger: Ledger, pool: SlottedPool, horizon_s: float, *, at_start: int
    ) -> None:
        """`at_start` instances are ready at time 0."""
        self._calendar, self._ledger, self._pool, self._horizon_s = calendar, ledger, pool, horizon_s
        self._wanted = at_start
        self._held: list[SlottedInstance] = []
        self._adjust(ready_now=True)

    def _adjust(self, *, ready_now: bool = False) -> None:
        """Hold as many as are wanted, if there is room."""
        while len(self._held) < self._wanted and self._hold(ready_now=ready_now):
            pass
        while len(self._held) > self._wanted:
            self._release(min(self._held, key=_dispensable))

    def _hold(self, *, ready_now: bool) -> bool:
        if not self._pool.provision(1):
            return False
        instance = self._pool.prewarm(inf, ready_now=ready_now, held=True)
        if instance is None:  # no room
            self._pool.provision(-1)
            return False
        instance.provisioner = self
        instance.held_since_s = self._calendar._now
        self._held.append(instance)
        return True

    def _release(self, instance: SlottedInstance) -> None:
        self._forget(instance)
        if instance.state == IDLE:
            instance.expire(self._calendar._now)

    def _forget(self, instance: SlottedInstance) -> None:
        self._held.remove(instance)
        self._pool.provision(-1)
        instance.provisioner = None
        instance.keep_until_s = instance.until_s = self._calendar._now
        self._ledger.allocated(instance.function, instance.held_since_s, self._calendar._now)
        instance.held_since_s = nan

    def ended(self, instance: SlottedInstance) -> None:
        """An instance of the floor has ended, its life being over."""
        self._forget(instance)
        if self._calendar._now < self._horizon_s and len(self._held) < self._wanted:
            self._hold(ready_now=False)

    def close(self) -> None:
        """Note what is still held when the run is over."""
        for instance in self._held:
            self._ledger.allocated(instance.function, instance.held_since_s, inf)


class FloorProvisioner(Provisioner):
    """Holds a floor: its first step is ready at time 0, later ones start when they are wanted."""

    def __init__(self, calendar: Calendar, ledger: Ledger, pool: SlottedPool, horizon_s: float, floor: Floor) -> None:
        super().__init__(calendar, ledger, pool, horizon_s, at_start=floor.steps[0][1])
        self._floor = floor
        self._plan(0.0)

    def _plan(self, now_s: float) -> None:
        at_s, wanted = self._floor.changes(now_s)
        if at_s <= self._horizon_s and at_s < inf:
            step = Recurring(self._calendar)
            step.callbacks = [lambda _: self._change(wanted)]
            heappush(self._calendar.queue, (at_s, TICK, self._pool.function, step))

    def _change(self, wanted: int) -> None:
        self._wanted = wanted
        self._adjust()
        self._plan(self._calendar._now)


def _dispensable(instance: SlottedInstance) -> tuple[bool, float]:
    """The order in which instances are released: idle ones first, the longest idle of them before the others."""
    idle = instance.state == IDLE
    return not idle, instance.idle_since_s if idle else (1.0 if instance.state == BUSY else 0.0)
