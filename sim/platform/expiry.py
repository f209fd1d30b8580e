"""The expiry timer: one event for every idle instance whose window or life may end."""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from math import inf
from typing import Any, Protocol

from sim.core.time import EXPIRY
from sim.platform.calendar import Calendar, Recurring
from sim.platform.instance import IDLE, Stateful


class Mortal(Stateful, Protocol):
    """An instance as its alarm sees it.

    Attributes:
        order: its number in the calendar.
        alarm_s: when its pending alarm rings; infinity: none is pending.
        expiry_s: while idle, when it is reclaimed.
    """

    order: int
    alarm_s: float
    expiry_s: float

    def expire(self, now_s: float) -> None:
        """Its time has come."""


class ExpiryTimer:
    """Looks at an instance when its expiry may have come, and reclaims it if it has.

    Alarms are lazy. An instance that is used again leaves its alarm where it is; when that rings, the instance is
    either busy (it gets a new one once idle) or idle with a later expiry (the alarm moves there). So a warm call costs
    no alarm, and alarms of thousands of functions do not slow down the calendar: they wait in a heap of their own, and
    only the first of them has an event.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._alarms: list[tuple[float, int, Mortal]] = []
        self._armed_s = inf
        self._handlers: list[Any] = [self._ring]

    def watch(self, instance: Mortal, at_s: float) -> None:
        """Look at `instance` at `at_s`, earlier than at its present alarm if it has one."""
        instance.alarm_s = at_s
        alarms = self._alarms
        entry = (at_s, instance.order, instance)
        heappush(alarms, entry)
        if alarms[0] is entry:
            self._arm(Recurring(self._calendar))

    def _arm(self, event: Recurring) -> None:
        at_s, number, _ = self._alarms[0]
        self._armed_s = at_s
        event.callbacks = self._handlers
        heappush(self._calendar.queue, (at_s, EXPIRY, number, event))

    def _ring(self, event: Recurring) -> None:
        now_s = self._calendar._now
        if now_s != self._armed_s:
            return  # superseded by an earlier one
        alarms = self._alarms
        instance = alarms[0][2]
        if instance.alarm_s == now_s and instance.state == IDLE and now_s < instance.expiry_s < inf:
            instance.alarm_s = instance.expiry_s  # used again since
            heapreplace(alarms, (instance.expiry_s, instance.order, instance))
        else:
            heappop(alarms)
            if instance.alarm_s == now_s:
                self._release(instance, now_s)
        if alarms:
            self._arm(event)
        else:
            self._armed_s = inf

    @staticmethod
    def _release(instance: Mortal, now_s: float) -> None:
        """Its time has come; or it is busy, or may stay for ever: it needs no alarm now."""
        instance.alarm_s = inf
        if instance.state == IDLE and instance.expiry_s == now_s:
            instance.expire(now_s)
