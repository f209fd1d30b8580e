"""The autoscaler: the control loop that asks scalers how many instances there should be."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from heapq import heappush
from math import inf
from typing import Final

from sim.core.errors import ConfigError
from sim.core.time import TICK
from sim.platform.calendar import Calendar, Recurring
from sim.platform.decision_log import AT_START, DecisionLog
from sim.platform.platform import Platform
from sim.platform.scaled_pool import ScaledPool
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit, checked_next_tick_s, checked_wanted

MOST_IDLE_TICKS: Final = 10_000
"""Ticks one after another at which nothing else happens, while calls wait, after which the run is given up."""
AT_ZERO: Final = "call at zero"
"""The reason of a decision between ticks, where there is no instance nor one starting."""
AT_MISS: Final = "call waits"
"""The reason of any other between ticks."""
IDLE: Final = "idle"
"""The reason where an instance goes by itself."""


def require_scalable(platform: Platform) -> None:
    """Refuse what makes no sense where a scaler decides, or is not modelled together with one.

    Raises:
        ConfigError: with the reason.
    """
    if platform.binding == "race":
        raise ConfigError("binding=race starts an instance a call; where a scaler decides, calls start none")
    if platform.queue_limit:
        raise ConfigError("queue_limit is of calls that would start an instance; a scaling policy has its queue_depth")
    if not platform.routes_are_true:
        raise ConfigError("several routers, or caches and delays of one, are not modelled together with a scaler")


class Autoscaler:
    """Asks the scaler of every unit that has something to scale, at the policy's ticks, in order of activity.

    A unit without instances, requests and memory of either costs nothing: it is asked again when a call pokes it.
    Ticks end with the last unit, or after the horizon with the last request. Units whose future is
    known are asked from the start.
    """

    def __init__(
        self,
        calendar: Calendar,
        pools: Sequence[ScaledPool],
        unit_of: Callable[[ScaledPool], Unit],
        policy: Scaling,
        horizon_s: float,
        decisions: DecisionLog,
        known: Container[ScaledPool] = (),
    ) -> None:
        """`unit_of` tells what scalers are told of a pool that becomes active; of `known` ones it has the future."""
        self._calendar, self._unit_of, self._horizon_s = calendar, unit_of, horizon_s
        self._decisions = decisions
        self._policy, self._name = policy, type(policy).__name__
        self._only_queues = policy.sleeps_unless_calls_wait
        self._looks_closer = policy.needs_pods or policy.needs_queue
        self._scalers: dict[ScaledPool, Scaler] = {}  # of the units that were ever active
        self._active: dict[ScaledPool, Scaler] = {}
        self._event = Recurring(calendar)
        self._event.handlers = [self._tick]
        self._ticking = False
        self._idle_ticks = 0
        at_start = policy.at_start()
        for pool in pools:
            pool.obey(policy, self.poke, self._gone, self._wake)
            if at_start:
                self._note(pool, at_start, AT_START)
                pool.add_ready(at_start)
            if at_start or pool in known:
                self._activate(pool)
        if self._active:
            self._schedule()

    def poke(self, pool: ScaledPool) -> None:
        """A call waits, and it is as the policy's `poked` has it."""
        scaler = self._activate(pool)
        why = AT_MISS if pool.members else AT_ZERO
        self._apply(pool, scaler, scaler.poked(self._load(pool, (0, (), ()))), why)
        if not self._ticking:
            self._schedule()

    def _activate(self, pool: ScaledPool) -> Scaler:
        scaler = self._scalers.get(pool)
        if scaler is None:
            scaler = self._scalers[pool] = self._policy.scaler(self._unit_of(pool))
        self._active[pool] = scaler
        return scaler

    def _schedule(self) -> None:
        """The next tick."""
        self._ticking = True
        self._event.callbacks = self._event.handlers
        at_s = checked_next_tick_s(self._policy, self._calendar._now)
        heappush(self._calendar.queue, (at_s, TICK, -1, self._event))

    def _tick(self, _: Recurring) -> None:
        now_s = self._calendar._now
        requests = 0
        load, apply, only_queues = self._load, self._apply, self._only_queues
        for pool, scaler in list(self._active.items()):
            wanted = scaler.wanted(load(pool, pool.meter.take(now_s)))
            apply(pool, scaler, wanted, scaler.why)
            requests += pool.meter.in_flight
            if (only_queues or scaler.rests or not pool.members) and not self._has_to_scale(pool, scaler):
                del self._active[pool]
        self._idle_ticks = self._idle_ticks + 1 if requests and not self._calendar.queue else 0
        self._ticking = False
        if self._idle_ticks < MOST_IDLE_TICKS and (requests or (self._active and now_s < self._horizon_s)):
            self._schedule()

    def _has_to_scale(self, pool: ScaledPool, scaler: Scaler) -> bool:
        if self._only_queues:
            return bool(pool.queue)
        if scaler.rests and pool.wanted == len(pool.members):
            return False
        return bool(pool.members or pool.meter.in_flight or scaler.remembers or pool.meter.has_news)

    def _load(self, pool: ScaledPool, seconds: tuple[int, Sequence[float], Sequence[int]]) -> Load:
        """What there is now, and what the `seconds` since the last tick were."""
        now_s, ready = self._calendar._now, pool.ready_members
        starting, in_flight, waiting = len(pool.members) - ready, pool.meter.in_flight, pool.waiting
        if not self._looks_closer:
            return Load(now_s, ready, starting, in_flight, waiting, *seconds)
        return Load(now_s, ready, starting, in_flight, waiting, *seconds, pool.pods(now_s), *pool.queued())

    def _apply(self, pool: ScaledPool, scaler: Scaler, wanted: int | None, why: str) -> None:
        pool.bypassed = scaler.bypasses
        if type(wanted) is int and wanted == pool.wanted == len(pool.members):
            return  # as it is: nearly every tick
        wanted = checked_wanted(self._name, wanted)
        if wanted is None:
            return
        if wanted != pool.wanted:
            self._note(pool, wanted, why)
        if wanted != len(pool.members):
            pool.scale_to(wanted)

    def _gone(self, pool: ScaledPool) -> None:
        """An instance of a pool has gone by itself; where none is to be idle for ever, that is a decision."""
        if self._policy.idle_s < inf:
            self._note(pool, len(pool.members), IDLE)

    def _wake(self, pool: ScaledPool) -> None:
        """An instance of a pool has gone whose scaler may rest."""
        scaler = self._scalers[pool]
        if scaler.rests and (pool.queue or self._calendar._now < self._horizon_s):
            self._active[pool] = scaler
            if not self._ticking:
                self._schedule()

    def _note(self, pool: ScaledPool, wanted: int, why: str) -> None:
        """Another number is wanted from now on."""
        pool.wanted, ready = wanted, pool.ready_members
        self._decisions.note(
            self._calendar._now, pool.function, wanted, why, ready=ready, starting=len(pool.members) - ready,
            in_flight=pool.meter.in_flight, waiting=pool.waiting,
        )  # fmt: skip
