"""The activator: starts an instance for a call that found none ready."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush

from sim.core.time import READY
from sim.platform.calendar import Calendar
from sim.platform.instance import Instance
from sim.platform.ledger import Ledger
from sim.platform.pool import InstancePool
from sim.platform.starter import Starter

PoolMaker = Callable[[int], InstancePool]
"""Makes the pool of a function when its first instance starts."""


class Activator:
    """Early binding without spare places: the call that misses starts an instance of its own and is its first call."""

    def __init__(
        self,
        calendar: Calendar,
        ledger: Ledger,
        starter: Starter,
        make_pool: PoolMaker,
        max_lifetime_s: float,
    ) -> None:
        self._calendar, self._ledger, self._starter = calendar, ledger, starter
        self._make_pool = make_pool
        self._max_lifetime_s = max_lifetime_s
        self._pools: dict[int, InstancePool] = {}
        self._first: dict[int, tuple[float, float]] = {}

    def start(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        """Start an instance for call `row`, the k-th (from 0) of its function, and let it wait there."""
        pool = self._pools.get(function)
        if pool is None:
            pool = self._pools[function] = self._make_pool(function)
        instance = Instance(self._calendar, self._ledger, pool, function, row, self._max_lifetime_s)
        start_up_s, _, handler_s = self._starter.begin(function, k, row)  # on this way no start fails
        self._first[row] = handler_s, service_s
        instance.callbacks = [self._ready]
        instance.handlers = [pool.release]
        heappush(self._calendar.queue, (now_s + start_up_s, READY, row, instance))

    def _ready(self, instance: Instance) -> None:
        instance.callbacks = instance.handlers
        now_s = self._calendar._now
        handler_s, service_s = self._first.pop(instance.row)
        instance.serve_first(now_s, now_s + handler_s + service_s)

    def close(self) -> None:
        """Note what is still idle when the run is over."""
        for pool in self._pools.values():
            for instance in pool.free:
                self._ledger.still_idle(instance.line, instance.end_s)
