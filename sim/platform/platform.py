"""The platform: a description of what serves the calls, and the live model wired from it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import inf

from sim.core.errors import ConfigError
from sim.platform.activator import Activator, PoolMaker
from sim.platform.calendar import Calendar
from sim.platform.code_store import CodeStore
from sim.platform.ledger import Ledger
from sim.platform.pool import CallWindowPool, ConstantWindowPool, InstancePool
from sim.platform.registry import Registry
from sim.platform.route_cache import RouteCache
from sim.platform.router import Router
from sim.platform.startup import StartModel
from sim.platform.trigger import Trigger
from sim.policies.keepalive.role import KeepAlive, checked_windows_s
from sim.results.columns import Columns
from sim.workload.trace import Trace


@dataclass(frozen=True)
class Platform:
    """What a platform is made of; a value that any number of runs may share.

    Capacity is unlimited, an instance serves one function and one request at a time, the most recently idle instance
    is chosen first, and a miss starts an instance of its own (early binding).

    Attributes:
        start: how long the phases of a cold start take.
        max_lifetime_s: how long an instance may live, counted from its creation; a running call is never cut.
    """

    start: StartModel
    max_lifetime_s: float = inf

    def __post_init__(self) -> None:
        if not isinstance(self.start, StartModel):
            raise ConfigError(f"platform: start must be a start model, not {self.start!r}")
        if not self.max_lifetime_s > 0:
            raise ConfigError(f"platform: max_lifetime_s must be a number of seconds > 0, not {self.max_lifetime_s!r}")


class LivePlatform:
    """The SimPy model of a platform, wired for one run of one trace under one policy."""

    def __init__(
        self, platform: Platform, trace: Trace, keep_alive: KeepAlive, *, rows: int, seed: int, replication: int
    ) -> None:
        self._trace = trace
        self.calendar = Calendar()
        self._ledger = Ledger(rows)
        code_store = CodeStore()
        registry = Registry(trace.functions, code_store)
        cache = RouteCache(len(trace.functions))
        draws = platform.start.bind(registry.functions, seed, replication, *trace.function_keys())
        make_pool = _pool_maker(self.calendar, self._ledger, cache, checked_windows_s(keep_alive, trace))
        self._activator = Activator(
            self.calendar, self._ledger, registry, code_store, draws, make_pool, platform.max_lifetime_s
        )
        Trigger(self.calendar, Router(cache, self._activator), trace, rows)

    def run(self) -> Columns:
        """Replay the trace until every call has ended and nothing is left to expire."""
        self.calendar.run()
        self._activator.close()
        return Columns(self._ledger.requests(self._trace), self._ledger.instances(), self._activator.starts())


def _pool_maker(calendar: Calendar, ledger: Ledger, cache: RouteCache, windows_s: object) -> PoolMaker:
    """The kind of pool that a policy's windows ask for."""
    if isinstance(windows_s, float):
        window_s = windows_s

        def constant(function: int) -> InstancePool:
            return ConstantWindowPool(calendar, ledger, cache.ready[function], window_s)

        return constant
    per_call = array("d", windows_s)  # type: ignore[arg-type]

    def by_call(function: int) -> InstancePool:
        return CallWindowPool(calendar, ledger, cache.ready[function], per_call)

    return by_call
