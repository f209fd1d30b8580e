"""The live platform: the SimPy model of a platform, wired for one run."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import PolicyError
from sim.core.random import stream
from sim.platform.activator import Activator, PoolMaker
from sim.platform.admission import gates, require_admissible
from sim.platform.asked import Asked
from sim.platform.autoscaler import Autoscaler, require_scalable
from sim.platform.binding import BINDINGS, Binding
from sim.platform.bypassed_pool import BypassedPool
from sim.platform.calendar import Calendar
from sim.platform.capacity import Capacity
from sim.platform.choice import CHOICES, Choice, HeldFirst
from sim.platform.code_store import CodeStore
from sim.platform.decision_log import DecisionLog
from sim.platform.expiry import ExpiryTimer
from sim.platform.free_slots import FreeSlots
from sim.platform.keeper import CallKeeper, ConstantKeeper, Learner, LearningKeeper
from sim.platform.kinds import pool_class, scaled_traits
from sim.platform.ledger import Ledger
from sim.platform.lifetime import Lifetimes
from sim.platform.loading import Loading
from sim.platform.loading_pool import LoadingPool
from sim.platform.news import News, news
from sim.platform.pinger import NO_PINGS, Pinger, ping_calls
from sim.platform.platform import Platform
from sim.platform.pool import CallWindowPool, ConstantWindowPool, InstancePool
from sim.platform.provisioner import FloorProvisioner, Provisioner
from sim.platform.registry import Registry
from sim.platform.route_cache import LearntRoutes, RouteCache
from sim.platform.router import PoolRouter, PoolRoutes, Router, Routes
from sim.platform.routers import ManyRouters
from sim.platform.rules import Rules
from sim.platform.scaled_pool import ScaledPool, Waits
from sim.platform.shared_pool import SharedLoadingPool, SharedPool, cores_of
from sim.platform.slotted_pool import SlottedPool
from sim.platform.starter import RetryingStarter, Starter, from_nothing
from sim.platform.startup import StartDraws, StartModel
from sim.platform.stem_cells import CellPools
from sim.platform.throttled_pool import ThrottledPool
from sim.platform.tracking_provisioner import TrackingProvisioner
from sim.platform.trigger import Progress, Trigger
from sim.policies.keepalive.demands import Admission, Floor, TrackedFloor
from sim.policies.keepalive.role import (
    KeepAlive,
    checked_generic_pools,
    checked_windows_s,
)
from sim.policies.scaling.future import Future, futures
from sim.policies.scaling.role import Scaling, Unit
from sim.results.columns import Columns, no_cells
from sim.workload.trace import Trace

Keys: TypeAlias = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
Windows: TypeAlias = "float | array[float]"
P = TypeVar("P", bound=SlottedPool)


class Closing(Protocol):
    """A component that has something to note when the run is over."""

    def close(self) -> None:
        """Note it."""


class LivePlatform:
    """One trace under one policy.

    A platform without options, under a policy that does not learn, gets the short way (`Router`, `InstancePool`): what
    is not asked for costs a warm call nothing. Anything else goes through `SlottedPool`, which gives the same answers
    where both apply.
    """

    def __init__(
        self,
        platform: Platform,
        trace: Trace,
        keep_alive: KeepAlive,
        *,
        rows: int,
        horizon_s: float,
        seed: int,
        replication: int,
        on_progress: Progress,
    ) -> None:
        self._platform, self._trace = platform, trace
        self._seed, self._replication, self._rows = seed, replication, rows
        self._keys = trace.function_keys()
        self.calendar = Calendar()
        deployed = platform.deployed(trace.functions)
        asked = Asked.by(keep_alive)
        self._plain_way = plain = asked.nothing and platform.is_plain(deployed)
        self._ping_s = asked.pings.ping_s if asked.pings is not None else 0.0
        self._pings = ping_calls(asked.pings, len(deployed), horizon_s) if asked.pings is not None else NO_PINGS
        many = not platform.routes_are_true
        self._ledger = Ledger(rows, pings=self._pings[0].size, busy_periods=not plain, hops=many)
        code_store = CodeStore()
        self._registry = Registry(deployed, code_store)
        self._cells = self._cell_pools(keep_alive, deployed, horizon_s)
        self._starter = self._make_starter(code_store)
        self._decisions = DecisionLog()
        router, closes = self._wire(keep_alive, asked, horizon_s)
        self._close = partial(_close, closes)
        Trigger(self.calendar, router, trace, rows, on_progress)

    def _wire(self, keep_alive: KeepAlive, asked: Asked, horizon_s: float) -> tuple[Routes, list[Closing]]:
        """What calls are handed to, and what has something to note in the end."""
        router: Routes
        if self._plain_way:
            router, activator = self._plain(_windows(keep_alive, self._trace))
            return router, [activator]
        if asked.scaling is not None:
            require_scalable(self._platform)
            router, scaled = self._scaled(asked.scaling, horizon_s)
            return router, [*scaled]
        require_admissible(asked.admission, self._platform, asked.pings)
        router, pools = self._slotted(keep_alive, asked)
        holders = self._holders(asked.floor, pools, horizon_s) if asked.floor else []
        Pinger(self.calendar, router, self._pings, self._ping_s, self._rows)
        return router, [*pools, *holders]

    def _make_starter(self, code_store: CodeStore) -> Starter:
        platform, registry = self._platform, self._registry
        bind = partial(_bind, platform.start_model, registry.functions, self._seed, self._replication, self._keys)
        first = self._cells.specialise if self._cells else from_nothing
        if not platform.start_failure_probability:
            return Starter(registry, code_store, bind, first)
        return RetryingStarter(
            registry, code_store, bind, failure_probability=platform.start_failure_probability,
            attempts=platform.start_attempts, streams=self._streams("start_failure"), first=first,
        )  # fmt: skip

    def _cell_pools(self, keep_alive: KeepAlive, deployed: pd.DataFrame, horizon_s: float) -> CellPools | None:
        pools = checked_generic_pools(keep_alive)
        if pools is None:
            return None
        bind = partial(_bind_cells, self._platform.start_model, self._seed, self._replication)
        return CellPools(self.calendar, pools, deployed, bind, horizon_s)

    def _plain(self, windows_s: Windows) -> tuple[Router, Activator]:
        cache = RouteCache(len(self._trace.functions))
        make_pool = _pool_maker(ExpiryTimer(self.calendar), self._ledger, cache, windows_s)
        life_s = float(self._platform.max_lifetime_s)  # type: ignore[arg-type]  # drawn lives are not plain
        activator = Activator(self.calendar, self._ledger, self._starter, make_pool, life_s)
        return Router(cache, activator), activator

    def _slotted(self, keep_alive: KeepAlive, asked: Asked) -> tuple[PoolRoutes, list[SlottedPool]]:
        platform = self._platform
        choice = CHOICES[platform.instance_choice](self._streams("instance_choice"))
        if asked.floor is not None and asked.floor.served_first:
            choice = HeldFirst(choice)
        told = None if platform.routes_are_true else self._news(choice)
        rules = self._rules(choice, told, BINDINGS[platform.binding])
        pools: dict[int, SlottedPool]
        if asked.admission is None:
            pools = self._pools(self._kind(), rules)
        else:
            pools = {**self._throttled(asked.admission, rules)}
        self._appoint(list(pools.values()), keep_alive, asked)
        of_functions = [pools[unit] for unit in self._registry.units(platform.isolation)]
        router = PoolRouter(of_functions) if told is None else self._many_routers(told, of_functions)
        return router, list(pools.values())

    def _throttled(self, admission: Admission, rules: Rules) -> dict[int, ThrottledPool]:
        pools: dict[int, ThrottledPool] = self._pools(self._kind(ThrottledPool), rules)
        made = gates(admission, self._registry.functions, list(pools.values()))
        for pool, gate in zip(pools.values(), made, strict=True):
            pool.gate = gate
        return pools

    def _holders(
        self, floor: Floor | TrackedFloor, pools: Sequence[SlottedPool], horizon_s: float
    ) -> list[Provisioner]:
        """What holds the floor of each pool that has one."""
        functions = self._registry.functions
        names = functions["name"].tolist()
        unknown = set(floor.functions or ()) - {names[pool.function] for pool in pools}
        if unknown:
            raise PolicyError(f"instances are to be held for {', '.join(sorted(unknown))}: there is no such function")
        having = [pool for pool in pools if floor.functions is None or names[pool.function] in floor.functions]
        if isinstance(floor, Floor):
            return [FloorProvisioner(self.calendar, self._ledger, pool, horizon_s, floor) for pool in having]
        return [
            TrackingProvisioner(
                self.calendar, self._ledger, pool, horizon_s, floor, self._unit(pool.function), self._decisions
            )
            for pool in having
        ]

    def _scaled(self, policy: Scaling, horizon_s: float) -> tuple[PoolRouter, list[ScaledPool]]:
        choice = CHOICES[self._platform.instance_choice](self._streams("instance_choice"))
        rules = self._rules(choice, None, Waits(policy.queue_depth))
        by_unit: dict[int, ScaledPool] = self._pools(self._kind(*scaled_traits(policy)), rules)
        if policy.may_bypass:
            streams = self._streams("bypass")
            for pool in by_unit.values():
                assert isinstance(pool, BypassedPool)
                pool.streams = streams
        unit_of = self._registry.units(self._platform.isolation)
        known = futures(self._trace, unit_of, horizon_s) if policy.needs_future else {}
        table = self._registry.functions
        triggers: dict[int, set[str]] = {}
        for unit, trigger in zip(unit_of, table["trigger"].tolist(), strict=True):
            triggers.setdefault(unit, set()).add(trigger)

        def told_of(pool: ScaledPool) -> Unit:
            unit = unit_of[pool.function]
            return self._unit(pool.function, frozenset(triggers[unit]), known.get(unit))

        pools, expected = list(by_unit.values()), {by_unit[unit] for unit in known}
        Autoscaler(self.calendar, pools, told_of, policy, horizon_s, self._decisions, expected)
        for pool in [pool for pool in pools for _ in range(policy.least)]:
            self._ledger.allocated(pool.function, 0.0, inf)
        return PoolRouter([by_unit[unit] for unit in unit_of]), pools

    def _unit(self, function: int, triggers: frozenset[str] = frozenset(), future: Future | None = None) -> Unit:
        """What scalers are told of the unit whose first function this is."""
        of, memory_mb = self._registry, self._registry.memory_mb[function]
        cores = cores_of(self._platform, memory_mb)
        return Unit(of.concurrency[function], memory_mb, triggers, cores, of.cpu_share[function], future)

    def _rules(self, choice: Choice, told: News | None, binding: Binding) -> Rules:
        platform = self._platform
        return Rules(
            choice=choice,
            free_slots=(lambda _: FreeSlots(choice)) if told is None else told.slots_of,
            binding=binding,
            capacity=Capacity(platform.max_instances_per_unit, platform.max_instances, platform.queue_limit),
            max_wait_s=platform.max_wait_s,
            lifetimes=Lifetimes(platform.max_lifetime_s, self._streams("lifetime")),
            functions=len(self._registry.functions),
        )

    def _kind(self, *traits: type[SlottedPool]) -> Callable[..., Any]:
        """What makes pools that can do this, and what the platform asks of all."""
        late, shares = self._starter.loads_late, self._platform.processor == "shared"
        all_traits = [*traits, *([LoadingPool] if late else [])]
        if shares:
            all_traits.append(SharedLoadingPool if late else SharedPool)
        kind = pool_class(all_traits or [SlottedPool])
        return partial(kind, loading=self._loading()) if late else kind

    def _loading(self) -> Loading:
        return Loading(self._ledger, self._registry.functions["timeout_s"].tolist())

    def _pools(self, make: Callable[..., P], rules: Rules) -> dict[int, P]:
        """A pool a unit, in order of their first functions."""
        timer, concurrency = ExpiryTimer(self.calendar), self._registry.concurrency
        pools: dict[int, P] = {}
        for function, unit in enumerate(self._registry.units(self._platform.isolation)):
            if unit not in pools:
                pools[unit] = make(
                    self.calendar, self._ledger, timer, self._starter, rules, function=function,
                    concurrency=concurrency[function],
                )  # fmt: skip
        if self._platform.processor == "shared":
            self._share(pools.values())
        return pools

    def _share(self, pools: Iterable[SlottedPool]) -> None:
        """Tell pools what their processors are, and what requests ask of them."""
        of, timeout_s = self._registry, self._registry.functions["timeout_s"].tolist()
        function_of = array(
            "i", np.concatenate([self._trace.function[: self._rows], self._pings[0]]).astype(np.int32).tobytes()
        )
        for pool in pools:
            if isinstance(pool, SharedPool):
                pool.cores = cores_of(self._platform, of.memory_mb[pool.function])
                pool.asked, pool.timeout_s, pool.function_of = of.cpu_share, timeout_s, function_of

    def _news(self, choice: Choice) -> News:
        platform, functions = self._platform, len(self._trace.functions)
        caches = [LearntRoutes(choice, functions, r, platform.route_cache_size) for r in range(platform.routers)]
        return news(caches, choice, len(self._ledger.hops), self.calendar, platform.route_delay_s)

    def _many_routers(self, told: News, pools: list[SlottedPool]) -> ManyRouters:
        return ManyRouters(
            self.calendar, self._ledger, told, pools, streams=self._streams("router"),
            ping_streams=self._streams("router.ping"), hop_s=self._platform.hop_s,
        )  # fmt: skip

    def _appoint(self, pools: list[SlottedPool], keep_alive: KeepAlive, asked: Asked) -> None:
        """Give each pool what applies the policy to it."""
        rule = asked.rule
        for pool in pools:
            pool.unit_window_s = asked.unit_window_s
        if rule is None:
            windows_s = _windows(keep_alive, self._trace)
            for pool in pools:
                pool.keeper = ConstantKeeper(windows_s) if isinstance(windows_s, float) else CallKeeper(windows_s)
            return
        apps = self._registry.units("app" if keep_alive.learns_by == "app" else self._platform.isolation)
        streams = self._streams("keep_alive_rule")
        learners: dict[int, Learner] = {}
        name = type(keep_alive).__name__
        for pool in pools:
            learner = learners.setdefault(apps[pool.function], Learner(rule, streams[pool.function], name))
            pool.keeper = LearningKeeper(self.calendar, learner, pool, self._platform.prewarm_lead_s)

    def _streams(self, purpose: str) -> list[int]:
        """Each function's stream of draws."""
        streams: list[int] = stream(self._seed, self._replication, purpose, *self._keys).tolist()
        return streams

    def run(self) -> Columns:
        """Replay the trace until every call has ended and nothing is left to expire."""
        self.calendar.run()
        self._close()
        ledger = self._ledger
        return Columns(
            requests=ledger.requests(self._trace),
            pings=ledger.pings(*self._pings),
            ping_s=self._ping_s,
            instances=ledger.instances(),
            starts=self._starter.starts(),
            allocations=ledger.allocations(),
            cells=self._cells.columns() if self._cells else no_cells(),
            decisions=self._decisions.columns(),
            makers_load=self._plain_way and self._starter.loads_late,
        )


def _bind(
    model: StartModel, functions: pd.DataFrame, seed: int, replication: int, keys: Keys, purpose: str
) -> StartDraws:
    return model.bind(functions, seed, replication, *keys, purpose=purpose)


def _bind_cells(model: StartModel, seed: int, replication: int, classes: pd.DataFrame, keys: Keys) -> StartDraws:
    return model.bind(classes, seed, replication, *keys, purpose="stem")


def _close(components: Sequence[Closing]) -> None:
    for component in components:
        component.close()


def _windows(keep_alive: KeepAlive, trace: Trace) -> Windows:
    answer = checked_windows_s(keep_alive, trace)
    return answer if isinstance(answer, float) else array("d", answer.tobytes())


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
