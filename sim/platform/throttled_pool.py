"""The pool of a unit whose calls have to pass a gate, and whose starts are limited in their rate."""

from __future__ import annotations

from heapq import heappush
from typing import TYPE_CHECKING

from sim.core.time import ARRIVAL
from sim.platform.calendar import Calendar, Recurring
from sim.platform.slotted_pool import SlottedPool
from sim.platform.waiting import WaitingCall
from sim.results.columns import REJECTED

if TYPE_CHECKING:
    from sim.platform.admission import Gate
    from sim.platform.slots import Slot, SlottedInstance


class Comeback(Recurring):
    """A throttled call comes again."""

    def __init__(self, calendar: Calendar, call: WaitingCall) -> None:
        super().__init__(calendar)
        self.call = call


class ThrottledPool(SlottedPool):
    """As `SlottedPool`, but calls have to pass a gate, and so have the starts that they ask for.

    A call that is not let in, or for which no instance may be started, is throttled: it is rejected, or pauses and
    comes again. Then it is cold or queued, by what it finds; meanwhile it is not in flight and nothing is learnt from
    it.

    Attributes:
        gate: what lets calls in.
    """

    gate: Gate

    def arrive(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        """See `SlottedPool`."""
        let_in = self.gate.enter(now_s)
        if let_in and self.free:
            super().arrive(function, k, row, now_s, service_s)
            return
        call = WaitingCall(self._calendar, function, k, row, service_s)
        self.limit_wait(call, now_s)
        if retries := self.gate.retries:
            call.pause_s, call.last_s = retries.first_s / 2, now_s + retries.age_s
        if let_in:
            self._miss(call, now_s)
        else:
            self._throttle(call, now_s)

    def _miss(self, call: WaitingCall, now_s: float) -> None:
        call.let_in = True
        self.keeper.arrived(now_s)
        self.binding.miss(self, call)

    def start(self, call: WaitingCall) -> SlottedInstance | None:
        """See `SlottedPool`."""
        return super().start(call) if self.gate.may_start(self._calendar._now) else None

    def reject(self, call: WaitingCall) -> None:
        """No instance may be started for `call`, or there is no room for it."""
        self._leave()
        self._throttle(call, self._calendar._now)

    def complete(self, slot: Slot) -> None:
        """See `SlottedPool`."""
        self.gate.leave()
        super().complete(slot)

    def _drop(self, call: WaitingCall, outcome: int) -> None:
        if call.let_in:
            self._leave()
        self._settle(call)
        self._ledger.outcome[call.row] = outcome

    def _leave(self) -> None:
        self.gate.leave()
        self.keeper.ended(self._calendar._now)

    def _throttle(self, call: WaitingCall, now_s: float) -> None:
        call.let_in = False
        retries = self.gate.retries
        if retries is not None:
            call.pause_s = min(call.pause_s * 2, retries.longest_s)
        if retries is None or now_s + call.pause_s > call.last_s:
            self._drop(call, REJECTED)
            return
        comeback = Comeback(self._calendar, call)
        comeback.callbacks = [self._again]
        heappush(self._calendar.queue, (now_s + call.pause_s, ARRIVAL, call.row, comeback))

    def _again(self, comeback: Comeback) -> None:
        call, now_s = comeback.call, self._calendar._now
        if call.over:
            return
        if not self.gate.enter(now_s):
            self._throttle(call, now_s)
        elif self.free:
            call.let_in = True
            self.keeper.arrived(now_s)
            self._take_on(self._rules.choice.take(self.free, call.function, call.k), call, now_s)
        else:
            self._miss(call, now_s)

    def provision(self, change: int) -> bool:
        """See `SlottedPool`."""
        return self.gate.provision(change)
