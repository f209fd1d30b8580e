"""The platform: a description of what serves the calls, and the live model wired from it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from math import inf

from sim.core.errors import ConfigError
from sim.platform.activator import Activator, PoolMaker
from sim.platform.calendar import Calendar
from sim.platform.code_store import CodeStore
from sim.platform.expiry import ExpiryTimer
from sim.platform.ledger import Ledger
from sim.platform.pool import CallWindowPool, ConstantWindowPool, InstancePool
from sim.platform.registry import Registry
from sim.platform.route_cache import RouteCache
from sim.platform.router import Router
from sim.platform.startup import ConstantStart, StartModel
from sim.platform.trigger import Progress, Trigger
from sim.policies.keepalive.role import FloatArray, KeepAlive, checked_windows_s
from sim.results.columns import Columns
from sim.workload.trace import Trace


@dataclass(frozen=True)
class Platform:
    """What a platform is made of; a value that any number of runs may share.

    Capacity is unlimited, an instance serves one function and one request at a time, the most recently idle instance
    is chosen first, and a miss starts an instance of its own (early binding).

    Attributes:
        start: how long the phases of a cold start take; or
        start_s: every start takes this many seconds. One of the two is given.
        max_lifetime_s: how long an instance may live, counted from its creation; a running call is never cut.
    """

    start: StartModel | None = None
    start_s: float | None = None
    max_lifetime_s: float = inf

    def __post_init__(self) -> None:
        if (self.start is None) == (self.start_s is None):
            raise ConfigError("a platform needs either start (a model of phases) or start_s (seconds), and not both")
        if self.start is not None and not isinstance(self.start, StartModel):
            raise ConfigError(f"start must be a start model, not {self.start!r}")
        if not self.max_lifetime_s > 0:
            raise ConfigError(f"max_lifetime_s must be a number of seconds > 0, not {self.max_lifetime_s!r}")
        _ = self.start_model  # refuses an impossible start_s

    @property
    def start_model(self) -> StartModel:
        """The model of starts, whichever way it was given."""
        return self.start if self.start is not None else ConstantStart(float(self.start_s or 0.0))


class LivePlatform:
    """The SimPy model of a platform, wired for one run of one trace under one policy."""

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
        self._ledger = Ledger(rows)
        code_store = CodeStore()
        registry = Registry(trace.functions, code_store)
        cache = RouteCache(len(trace.functions))
        draws = platform.start_model.bind(registry.functions, seed, replication, *trace.function_keys())
        make_pool = _pool_maker(ExpiryTimer(self.calendar), self._ledger, cache, checked_windows_s(keep_alive, trace))
        self._activator = Activator(
            self.calendar, self._ledger, registry, code_store, draws, make_pool, platform.max_lifetime_s
        )
        Trigger(self.calendar, Router(cache, self._activator), trace, rows, on_progress)

    def run(self) -> Columns:
        """Replay the trace until every call has ended and nothing is left to expire."""
        self.calendar.run()
        self._activator.close()
        return Columns(self._ledger.requests(self._trace), self._ledger.instances(), self._activator.starts())


def _pool_maker(timer: ExpiryTimer, ledger: Ledger, cache: RouteCache, windows_s: float | FloatArray) -> PoolMaker:
    """The kind of pool that a policy's windows ask for."""
    if isinstance(windows_s, float):
        window_s = windows_s

        def constant(function: int) -> InstancePool:
            return ConstantWindowPool(timer, ledger, cache.ready[function], window_s)

        return constant
    per_call = array("d", windows_s.tobytes())

    def by_call(function: int) -> InstancePool:
        return CallWindowPool(timer, ledger, cache.ready[function], per_call)

    return by_call
