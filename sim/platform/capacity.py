"""Capacity: how many instances there may be, and which calls wait for room."""

from __future__ import annotations

from bisect import insort
from collections import deque
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.platform.slotted_pool import SlottedPool
    from sim.platform.waiting import WaitingCall


class Capacity:
    """A cap on the instances of each unit and of the platform, and the calls that wanted an instance in vain.

    When an instance ends, the call that came first gets the room, among those whose own unit is below its cap.

    Args:
        per_unit: instances that a function (or app, where apps are isolated) may have.
        platform: instances that there may be in all.
        queue_limit: how many calls of a unit may wait for room; further ones are rejected.
    """

    def __init__(self, per_unit: float = inf, platform: float = inf, queue_limit: float = 0) -> None:
        self._per_unit, self._platform, self._queue_limit = per_unit, platform, queue_limit
        self._live = 0
        self._unmet: deque[tuple[SlottedPool, WaitingCall]] = deque()

    def take(self, pool: SlottedPool) -> bool:
        """Room for one more instance of `pool`, if there is any."""
        if pool.live >= self._per_unit or self._live >= self._platform:
            return False
        pool.live += 1
        self._live += 1
        return True

    def admit(self, pool: SlottedPool, call: WaitingCall) -> bool:
        """Whether `call` may wait for room; too many of its unit do already if not."""
        if pool.unmet >= self._queue_limit:
            return False
        pool.unmet += 1
        call.unmet = True
        if self._platform < inf:
            while self._unmet and not self._unmet[0][1].unmet:  # those no longer wait: do not remember them for ever
                self._unmet.popleft()
            self._unmet.append((pool, call))
        return True

    def readmit(self, pool: SlottedPool, call: WaitingCall) -> None:
        """`call` waits for room from now on, in the place that its arrival gives it: what it waited for has failed."""
        pool.unmet += 1
        call.unmet = True
        if self._platform < inf:
            insort(self._unmet, (pool, call), key=lambda waiting: waiting[1].row)

    def give_back(self, pool: SlottedPool) -> None:
        """An instance of `pool` has ended."""
        pool.live -= 1
        self._live -= 1
        if self._platform == inf:  # only calls of the same unit can have waited for it
            call = next((call for call in pool.queue.values() if call.unmet), None)
            if call is not None:
                pool.met(call)
            return
        passed_over = []
        while self._unmet and self._live < self._platform:
            waiting, call = self._unmet.popleft()
            if call.unmet and waiting.live < self._per_unit:
                waiting.met(call)
            elif call.unmet:
                passed_over.append((waiting, call))
        self._unmet.extendleft(reversed(passed_over))
