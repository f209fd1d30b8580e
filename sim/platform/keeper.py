"""Keepers: what applies a keep-alive policy to the idle instances of a pool."""

from __future__ import annotations

from array import array
from heapq import heappush
from math import inf, nan
from typing import TYPE_CHECKING, Protocol

from sim.core.random import uniform
from sim.core.time import TICK
from sim.platform.calendar import Calendar, Recurring
from sim.policies.keepalive.role import checked_decision
from sim.policies.keepalive.rule import Rule

if TYPE_CHECKING:
    from sim.platform.slotted_pool import SlottedPool


class Keeper(Protocol):
    """Is told when calls of a pool come and end, and says how long an idle instance stays."""

    def arrived(self, now_s: float) -> None:
        """A call has come."""

    def ended(self, now_s: float) -> None:
        """A call has ended, in whatever way."""

    def emptied(self, now_s: float) -> None:
        """The last instance of the pool has ended."""

    def window_s(self, row: int, now_s: float) -> float:
        """How long the instance stays that becomes idle now, its last call (or the one that made it) being `row`."""


class _Unmoved:
    """A keeper that learns nothing from calls."""

    def arrived(self, now_s: float) -> None:
        """Nothing."""

    def ended(self, now_s: float) -> None:
        """Nothing."""

    def emptied(self, now_s: float) -> None:
        """Nothing."""


class ConstantKeeper(_Unmoved):
    """One window for all."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s

    def window_s(self, row: int, now_s: float) -> float:
        """The constant."""
        return self._window_s


class CallKeeper(_Unmoved):
    """One window a call."""

    def __init__(self, windows_s: array[float]) -> None:
        self._windows_s = windows_s

    def window_s(self, row: int, now_s: float) -> float:
        """The call's."""
        return self._windows_s[row]


class Learner:
    """What a rule has learnt of one unit: a pool, or the pools of an app; `name` is its policy's, for messages."""

    def __init__(self, rule: Rule, stream: int, name: str) -> None:
        self._rule, self._stream, self._name = rule, stream, name
        self._state = list(rule.state)
        self._running = 0
        self._idle_since_s = nan
        self._decisions = 0

    def arrived(self, now_s: float) -> None:
        """A call of the unit has come."""
        if not self._running and self._idle_since_s == self._idle_since_s:  # not NaN: it has run before
            self._rule.observe(self._state, now_s - self._idle_since_s)
        self._running += 1

    def ended(self, now_s: float) -> None:
        """A call of the unit has ended."""
        self._running -= 1
        if not self._running:
            self._idle_since_s = now_s

    def decide(self) -> tuple[float, float, float]:
        """The rule's decision now, checked."""
        u = uniform(self._stream, self._decisions) if self._rule.needs_uniform else 0.0
        self._decisions += 1
        return checked_decision(self._name, self._rule.decide(self._state, u))


class Prewarm(Recurring):
    """A planned prewarm; it is the event of its start.

    Attributes:
        due_s: when the instance should be ready.
        keep_until_s: how long it is kept unused.
        has_come: whether the time to start it has.
    """

    def __init__(self, calendar: Calendar, due_s: float, keep_until_s: float) -> None:
        super().__init__(calendar)
        self.due_s, self.keep_until_s = due_s, keep_until_s
        self.has_come = False


class LearningKeeper:
    """Applies a rule to one pool: its learner may be shared, the prewarms are the pool's own.

    A due prewarm starts one instance if the pool has none, or as soon as it has none, if that is before it is due; it
    is dropped when a call comes first.
    """

    def __init__(self, calendar: Calendar, learner: Learner, pool: SlottedPool, prewarm_lead_s: float) -> None:
        self._calendar, self._learner, self._pool = calendar, learner, pool
        self._lead_s = prewarm_lead_s
        self._planned: Prewarm | None = None

    def arrived(self, now_s: float) -> None:
        """A call has come: whatever was to be prewarmed comes too late."""
        self._planned = None
        self._learner.arrived(now_s)

    def ended(self, now_s: float) -> None:
        """A call has ended."""
        self._learner.ended(now_s)

    def emptied(self, now_s: float) -> None:
        """The last instance has ended: start the one for which the time has come while it was still there."""
        plan = self._planned
        if plan is not None and plan.has_come and now_s <= plan.due_s:
            self._start(plan)

    def window_s(self, row: int, now_s: float) -> float:
        """What the rule decides at this moment; it may also plan a prewarm."""
        unload_after_s, prewarm_after_s, keep_s = self._learner.decide()
        self._planned = None
        if prewarm_after_s < inf:
            due_s = now_s + prewarm_after_s
            plan = self._planned = Prewarm(self._calendar, due_s, due_s + keep_s)
            plan.callbacks = [self._start]
            heappush(self._calendar.queue, (max(due_s - self._lead_s, now_s), TICK, row, plan))
        return unload_after_s

    def _start(self, plan: Prewarm) -> None:
        plan.has_come = True
        if self._planned is plan and not self._pool.live:
            self._planned = None
            self._pool.prewarm(plan.keep_until_s)
