"""A provisioner that follows a scaler: provisioned concurrency that is scaled by its own utilisation."""

from __future__ import annotations

from heapq import heappush

from sim.core.time import TICK
from sim.platform.calendar import Calendar, Recurring
from sim.platform.decision_log import AT_START, DecisionLog
from sim.platform.keeper import Keeper
from sim.platform.ledger import Ledger
from sim.platform.meter import Meter
from sim.platform.provisioner import Provisioner
from sim.platform.slotted_pool import SlottedPool
from sim.policies.keepalive.demands import TrackedFloor
from sim.policies.scaling.role import Load, Scaling, Unit, checked_next_tick_s, checked_wanted


class MeteredKeeper:
    """A keeper whose calls are measured."""

    def __init__(self, keeper: Keeper, meter: Meter) -> None:
        self._keeper, self._meter = keeper, meter
        self.window_s = keeper.window_s
        self.emptied = keeper.emptied

    def arrived(self, now_s: float) -> None:
        """See `Keeper`."""
        self._meter.arrived(now_s)
        self._keeper.arrived(now_s)

    def ended(self, now_s: float) -> None:
        """See `Keeper`."""
        self._meter.ended(now_s)
        self._keeper.ended(now_s)


class TrackingProvisioner(Provisioner):
    """Holds as many instances as a scaler wants, which sees the provisioned ones as all there are.

    More instances are ready all at once, `delay_s` and ``number / per_s`` after they were wanted; meanwhile the scaler
    is not asked. Fewer go at once.
    """

    def __init__(
        self,
        calendar: Calendar,
        ledger: Ledger,
        pool: SlottedPool,
        horizon_s: float,
        tracked: TrackedFloor,
        unit: Unit,
        decisions: DecisionLog,
    ) -> None:
        self._policy: Scaling = tracked.scaling
        self._tracked, self._decisions = tracked, decisions
        super().__init__(calendar, ledger, pool, horizon_s, at_start=self._policy.at_start())
        if self._wanted:
            decisions.note(0.0, pool.function, self._wanted, AT_START)
        self._scaler, self._meter = self._policy.scaler(unit), Meter()
        pool.keeper = MeteredKeeper(pool.keeper, self._meter)
        self._allocating = False
        self._plan(0.0)

    def _plan(self, now_s: float) -> None:
        at_s = checked_next_tick_s(self._policy, now_s)
        if at_s <= self._horizon_s:
            tick = Recurring(self._calendar)
            tick.callbacks = [self._tick]
            heappush(self._calendar.queue, (at_s, TICK, self._pool.function, tick))

    def _tick(self, _: Recurring) -> None:
        now_s = self._calendar._now
        self._plan(now_s)
        since, concurrency, arrivals = self._meter.take(now_s)
        if self._allocating:
            return
        ready, in_flight = len(self._held), self._meter.in_flight
        load = Load(now_s, ready, 0, in_flight, max(0, in_flight - ready), since, concurrency, arrivals)
        wanted = checked_wanted(type(self._policy).__name__, self._scaler.wanted(load))
        if wanted is None or wanted == self._wanted:
            return
        self._decisions.note(
            now_s, self._pool.function, wanted, self._scaler.why,
            ready=ready, in_flight=in_flight, waiting=load.waiting,
        )  # fmt: skip
        if wanted < self._wanted:
            self._wanted = wanted
            self._adjust()
            return
        self._allocating = True
        allocation = Recurring(self._calendar)
        allocation.callbacks = [lambda _: self._allocate(wanted)]
        due_s = now_s + self._tracked.delay_s + (wanted - self._wanted) / self._tracked.per_s
        heappush(self._calendar.queue, (due_s, TICK, self._pool.function, allocation))

    def _allocate(self, wanted: int) -> None:
        self._wanted, self._allocating = wanted, False
        if self._calendar._now <= self._horizon_s:
            self._adjust(ready_now=True)
