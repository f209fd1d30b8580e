"""The instance pool of one function: its free instances, and how long each of them stays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import insort

from sim.platform.expiry import ExpiryTimer
from sim.platform.instance import BUSY, IDLE, Instance, illegal
from sim.platform.ledger import Ledger
from sim.results.columns import OK


class InstancePool(ABC):
    """The instances of one function that keep-alive may reclaim.

    Attributes:
        free: idle instances in order of (end, row) of their last call, the most recently idle last.
    """

    def __init__(self, timer: ExpiryTimer, ledger: Ledger, free: list[Instance]) -> None:
        self.free = free
        self._watch = timer.watch
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
            self._watch(instance, expiry_s)
        free = self.free
        if free and free[-1].end_s == end_s and free[-1].row > row:
            insort(free, instance, key=_last_used)
        else:
            free.append(instance)

    def reclaim(self, instance: Instance, now_s: float) -> None:
        """IDLE -> TERMINATED: the window or the life of an instance is over."""
        free = self.free
        if free[0] is instance:
            del free[0]
        elif free[-1] is instance:
            free.pop()
        else:
            free.remove(instance)
        instance.terminate(now_s)


def _last_used(instance: Instance) -> tuple[float, int]:
    return instance.end_s, instance.row


class ConstantWindowPool(InstancePool):
    """Every idle instance stays for the same time."""

    def __init__(self, timer: ExpiryTimer, ledger: Ledger, free: list[Instance], window_s: float) -> None:
        super().__init__(timer, ledger, free)
        self._window_s = window_s

    def release(self, instance: Instance) -> None:
        """As the role says."""
        self._keep(instance, self._window_s)


class CallWindowPool(InstancePool):
    """The call that ends decides how long its instance stays; `windows_s` has one entry a row of the trace."""

    def __init__(self, timer: ExpiryTimer, ledger: Ledger, free: list[Instance], windows_s: array[float]) -> None:
        super().__init__(timer, ledger, free)
        self._windows_s = windows_s

    def release(self, instance: Instance) -> None:
        """As the role says."""
        self._keep(instance, self._windows_s[instance.row])
