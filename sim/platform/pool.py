"""The instance pool of one function: its free instances, and how long each of them stays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import insort
from heapq import heappush
from math import inf

from sim.core.time import EXPIRY
from sim.platform.calendar import Calendar, Recurring
from sim.platform.instance import BUSY, IDLE, Instance, illegal
from sim.platform.ledger import Ledger
from sim.results.columns import OK


class Alarm(Recurring):
    """Looks at an idle instance when its expiry may have come. At most one a live instance counts; it is lazy.

    An instance that is used again leaves its alarm in the calendar. When that rings, the instance is either busy (it
    gets a new alarm once idle) or idle with a later expiry (the alarm moves there), so a warm call costs no alarm.
    """

    def __init__(self, calendar: Calendar, instance: Instance, pool: InstancePool) -> None:
        super().__init__(calendar)
        self.instance = instance
        self.handlers = self.callbacks = [pool.ring]


class InstancePool(ABC):
    """The instances of one function that keep-alive may reclaim.

    Attributes:
        free: idle instances in order of (end, row) of their last call, the most recently idle last.
    """

    def __init__(self, calendar: Calendar, ledger: Ledger, free: list[Instance]) -> None:
        self.free = free
        self._calendar = calendar
        self._queue = calendar.queue
        self._end_s, self._outcome = ledger.end_s, ledger.outcome

    @abstractmethod
    def release(self, instance: Instance) -> None:
        """A call has ended: the completion event's handler."""

    def _keep(self, instance: Instance, window_s: float) -> None:
        """BUSY -> IDLE for at most `window_s`, or to the end of the instance's life."""
        if instance.state != BUSY:
            raise illegal(instance, IDLE)
        instance.state = IDLE
        instance.callbacks = instance.handlers
        row, end_s = instance.row, instance.end_s
        self._end_s[row] = end_s
        self._outcome[row] = OK
        expiry_s = end_s + window_s
        if expiry_s > instance.retire_s:
            expiry_s = max(instance.retire_s, end_s)
        instance.expiry_s = expiry_s
        if expiry_s < instance.alarm_s:
            self._arm(Alarm(self._calendar, instance, self), expiry_s)
        free = self.free
        if free and free[-1].end_s == end_s and free[-1].row > row:
            insort(free, instance, key=_last_used)
        else:
            free.append(instance)

    def _arm(self, alarm: Alarm, at_s: float) -> None:
        alarm.instance.alarm_s = at_s
        heappush(self._queue, (at_s, EXPIRY, alarm.instance.number, alarm))

    def ring(self, alarm: Alarm) -> None:
        """Reclaim the alarm's instance if its time has come."""
        instance, now_s = alarm.instance, self._calendar._now
        if instance.alarm_s != now_s:
            return  # superseded by an earlier one
        instance.alarm_s = inf
        if instance.state != IDLE:
            return
        if instance.expiry_s > now_s:
            alarm.callbacks = alarm.handlers
            self._arm(alarm, instance.expiry_s)
            return
        self._remove(instance)
        instance.terminate(now_s)

    def _remove(self, instance: Instance) -> None:
        free = self.free
        if free[0] is instance:
            del free[0]
        elif free[-1] is instance:
            free.pop()
        else:
            free.remove(instance)


def _last_used(instance: Instance) -> tuple[float, int]:
    return instance.end_s, instance.row


class ConstantWindowPool(InstancePool):
    """Every idle instance stays for the same time."""

    def __init__(self, calendar: Calendar, ledger: Ledger, free: list[Instance], window_s: float) -> None:
        super().__init__(calendar, ledger, free)
        self._window_s = window_s

    def release(self, instance: Instance) -> None:
        self._keep(instance, self._window_s)


class CallWindowPool(InstancePool):
    """The call that ends decides how long its instance stays; `windows_s` has one entry a row of the trace."""

    def __init__(self, calendar: Calendar, ledger: Ledger, free: list[Instance], windows_s: array[float]) -> None:
        super().__init__(calendar, ledger, free)
        self._windows_s = windows_s

    def release(self, instance: Instance) -> None:
        self._keep(instance, self._windows_s[instance.row])
