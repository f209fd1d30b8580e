"""The activator: starts an instance for a call that found none ready, phase by phase."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from heapq import heappush

import numpy as np

from sim.core.time import READY
from sim.platform.calendar import Calendar
from sim.platform.code_store import CodeStore
from sim.platform.instance import Instance
from sim.platform.ledger import Ledger
from sim.platform.pool import InstancePool
from sim.platform.registry import Registry
from sim.platform.startup import StartDraws
from sim.results.columns import Starts

PoolMaker = Callable[[int], InstancePool]
"""Makes the pool of a function when its first instance starts."""


class Activator:
    """Early binding: the call that misses starts an instance of its own and is its first call."""

    def __init__(
        self,
        calendar: Calendar,
        ledger: Ledger,
        registry: Registry,
        code_store: CodeStore,
        draws: StartDraws,
        make_pool: PoolMaker,
        max_lifetime_s: float,
    ) -> None:
        self._calendar, self._ledger = calendar, ledger
        self._link, self._code_store = registry.link, code_store
        self._draws = draws
        self._make_pool = make_pool
        self._max_lifetime_s = max_lifetime_s
        self._pools: dict[int, InstancePool] = {}
        self._service_s: dict[int, float] = {}
        self._start_rows = array("q")
        self._phases_s = array("d")
        self._fetched_mb = array("d")

    def start(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        """Start an instance for call `row`, the k-th (from 0) of its function, and let it wait there."""
        pool = self._pools.get(function)
        if pool is None:
            pool = self._pools[function] = self._make_pool(function)
        instance = Instance(self._calendar, self._ledger, pool, function, row, self._max_lifetime_s)
        phases_s = self._draws.draw(function, k)
        self._fetched_mb.append(self._code_store.fetch(self._link[function]))
        self._start_rows.append(row)
        self._phases_s.extend(phases_s)
        start_up_s = 0.0
        for phase_s in phases_s:
            start_up_s += phase_s
        self._service_s[row] = service_s
        instance.callbacks = [self._ready]
        instance.handlers = [pool.release]
        heappush(self._calendar.queue, (now_s + start_up_s, READY, row, instance))

    def _ready(self, instance: Instance) -> None:
        instance.callbacks = instance.handlers
        instance.serve_first(self._calendar._now, self._service_s.pop(instance.row))

    def close(self) -> None:
        """Note what is still idle when the run is over."""
        for pool in self._pools.values():
            for instance in pool.free:
                self._ledger.still_idle(instance.slot, instance.end_s)

    def starts(self) -> Starts:
        """The columns of the starts so far."""
        rows = np.frombuffer(self._start_rows, np.int64)
        phases = self._draws.phases
        return Starts(
            phases=phases,
            row=rows,
            phase_s=np.frombuffer(self._phases_s).reshape(rows.size, len(phases)),
            fetched_mb=np.frombuffer(self._fetched_mb),
        )
