"""The live platform: the SimPy model of a platform, wired for one run."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import TypeAlias

from sim.core.random import stream
from sim.platform.activator import Activator, PoolMaker
from sim.platform.binding import BINDINGS
from sim.platform.calendar import Calendar
from sim.platform.capacity import Capacity
from sim.platform.choice import CHOICES
from sim.platform.code_store import CodeStore
from sim.platform.expiry import ExpiryTimer
from sim.platform.ledger import Ledger
from sim.platform.platform import Platform
from sim.platform.pool import CallWindowPool, ConstantWindowPool, InstancePool
from sim.platform.registry import Registry
from sim.platform.route_cache import RouteCache
from sim.platform.router import PoolRouter, Router, Routes
from sim.platform.slotted_pool import Rules, SlottedPool
from sim.platform.starter import Starter
from sim.platform.trigger import Progress, Trigger
from sim.policies.keepalive.role import KeepAlive, checked_windows_s
from sim.results.columns import Columns
from sim.workload.trace import Trace

Windows: TypeAlias = "float | array[float]"


class LivePlatform:
    """One trace under one policy.

    A platform without options gets the short way (`Router`, `InstancePool`): what is not asked for costs a warm call
    nothing. Anything else goes through `SlottedPool`, which gives the same answers where both apply.
    """

    def __init__(
        self,
        platform: Platform,
        trace: Trace,
        keep_alive: KeepAlive,
        *,
        rows: int,
        seed: int,
        replication: int,
        on_progress: Progress,
    ) -> None:
        self._trace = trace
        self.calendar = Calendar()
        deployed = platform.deployed(trace.functions)
        plain = platform.is_plain(deployed)
        self._ledger = Ledger(rows, busy_periods=not plain)
        code_store = CodeStore()
        registry = Registry(deployed, code_store)
        keys = trace.function_keys()
        self._starter = Starter(registry, code_store, platform.start_model.bind(deployed, seed, replication, *keys))
        answer = checked_windows_s(keep_alive, trace)
        windows_s: Windows = answer if isinstance(answer, float) else array("d", answer.tobytes())
        router: Routes
        if plain:
            router, self._close = self._plain(platform, len(deployed), windows_s)
        else:
            streams = stream(seed, replication, "instance_choice", *keys).tolist()
            router, self._close = self._slotted(platform, registry, windows_s, streams)
        Trigger(self.calendar, router, trace, rows, on_progress)

    def _plain(self, platform: Platform, functions: int, windows_s: Windows) -> tuple[Router, Callable[[], None]]:
        cache = RouteCache(functions)
        make_pool = _pool_maker(ExpiryTimer(self.calendar), self._ledger, cache, windows_s)
        activator = Activator(self.calendar, self._ledger, self._starter, make_pool, platform.max_lifetime_s)
        return Router(cache, activator), activator.close

    def _slotted(
        self, platform: Platform, registry: Registry, windows_s: Windows, streams: list[int]
    ) -> tuple[PoolRouter, Callable[[], None]]:
        capacity = Capacity(platform.max_instances_per_unit, platform.max_instances, platform.queue_limit)
        rules = Rules(
            choice=CHOICES[platform.instance_choice](streams),
            binding=BINDINGS[platform.binding],
            capacity=capacity,
            windows_s=windows_s,
            max_wait_s=platform.max_wait_s,
            max_lifetime_s=platform.max_lifetime_s,
        )
        timer = ExpiryTimer(self.calendar)
        units = registry.units(platform.isolation)
        concurrency = registry.functions["concurrency"].tolist()
        pools: dict[int, SlottedPool] = {}
        for function, unit in enumerate(units):
            if unit not in pools:
                slots = concurrency[function]
                pools[unit] = SlottedPool(self.calendar, self._ledger, timer, self._starter, rules, slots)

        def close() -> None:
            for pool in pools.values():
                pool.close()

        return PoolRouter([pools[unit] for unit in units]), close

    def run(self) -> Columns:
        """Replay the trace until every call has ended and nothing is left to expire."""
        self.calendar.run()
        self._close()
        return Columns(self._ledger.requests(self._trace), self._ledger.instances(), self._starter.starts())


def _pool_maker(timer: ExpiryTimer, ledger: Ledger, cache: RouteCache, windows_s: Windows) -> PoolMaker:
    """The kind of pool that a policy's windows ask for."""
    if isinstance(windows_s, float):
        window_s = windows_s

        def constant(function: int) -> InstancePool:
            return ConstantWindowPool(timer, ledger, cache.ready[function], window_s)

        return constant
    per_call = windows_s

    def by_call(function: int) -> InstancePool:
        return CallWindowPool(timer, ledger, cache.ready[function], per_call)

    return by_call
