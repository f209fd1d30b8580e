"""The pool of a unit whose instances have slots, whose calls may wait, and whose instances may be few."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from heapq import heappush
from math import inf
from typing import TYPE_CHECKING, Any

from sim.core.errors import ConfigError
from sim.core.time import COMPLETION, EXPIRY, READY
from sim.platform.calendar import Calendar, Recurring
from sim.platform.expiry import ExpiryTimer
from sim.platform.instance import BUSY
from sim.platform.keeper import ConstantKeeper, Keeper
from sim.platform.ledger import Ledger
from sim.platform.slots import Slot, SlottedInstance
from sim.platform.waiting import WaitingCall
from sim.results.columns import COLD, FAILED, OK, QUEUED, REJECTED, TIMED_OUT, WARM

if TYPE_CHECKING:
    from sim.platform.rules import Rules
    from sim.platform.starter import Start, Starter


class SlottedPool:
    """The instances of one unit: a function, or an app.

    Attributes:
        function: the function that is prewarmed: the unit's first.
        unit_window_s: how long after the end of the latest call all idle instances go.
        free: free slots of ready instances, in the order of the instance choice.
        queue: calls that take slots as they become free, by row, in order of arrival.
        live: instances that have not ended.
        unmet: calls that wait for room to start an instance.
        starting_slots: slots of instances that start.
    """

    _put: Callable[[list[Any], Any], None] = staticmethod(heappush)
    """Puts the end of a call that is alone on the calendar: where instances share a processor, it is not known yet."""

    def __init__(
        self,
        calendar: Calendar,
        ledger: Ledger,
        timer: ExpiryTimer,
        starter: Starter,
        rules: Rules,
        *,
        function: int,
        concurrency: int,
    ) -> None:
        free_slots = rules.free_slots(function)
        self.free = free_slots.slots
        self._offer, self._withdraw = free_slots.offer, free_slots.withdraw
        self.queue: OrderedDict[int, WaitingCall] = OrderedDict()  # a dict whose first go has to look for its first
        self.live = self.unmet = self.starting_slots = 0
        self.binding = rules.binding
        self._calendar, self._ledger, self._timer, self._starter = calendar, ledger, timer, starter
        self._rules, self._concurrency = rules, concurrency
        self.function = function
        self._unasked = 0
        self.keeper: Keeper = ConstantKeeper(0.0)
        self.unit_window_s = inf
        self._latest_end_s = 0.0
        self._made = 0
        self._starting: list[SlottedInstance] = []

    # A call comes.

    def arrive(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        """Serve call `row`, the k-th (from 0) of its function, or let it wait."""
        self.keeper.arrived(now_s)
        if self.free:
            self._serve(self._rules.choice.take(self.free, function, k), row, now_s, now_s + service_s, WARM)
        else:
            self.wait(WaitingCall(self._calendar, function, k, row, service_s), now_s)

    def ping(self, function: int, k: int, row: int, now_s: float, ping_s: float) -> None:
        """Serve a ping like a call; nothing is learnt from it, and its start is one that nobody asked for."""
        if self.free:
            self._serve(self._rules.choice.take(self.free, function, k), row, now_s, now_s + ping_s, WARM)
        else:
            self.wait(WaitingCall(self._calendar, function, k, row, ping_s, is_ping=True), now_s)

    def wait(self, call: WaitingCall, now_s: float) -> None:
        """A call comes that has no slot."""
        self.binding.miss(self, call)
        if not call.over:
            self.limit_wait(call, now_s)

    def limit_wait(self, call: WaitingCall, now_s: float) -> None:
        """The patience of a call begins."""
        if self._rules.max_wait_s < inf:
            call.callbacks = [self._give_up]
            heappush(self._calendar.queue, (now_s + self._rules.max_wait_s, COMPLETION, call.row, call))

    def spare(self) -> SlottedInstance | None:
        """The earliest instance still starting that has a slot which no call is bound to."""
        return next((i for i in self._starting if len(i.claims) < self._concurrency), None)

    def start(self, call: WaitingCall) -> SlottedInstance | None:
        """A new instance, started for `call`, if there is room for it."""
        if not self._rules.capacity.take(self):
            return None
        if call.is_ping or call.has_started_one:
            return self._launch_unasked(call.function)
        call.has_started_one = True
        return self._launch(call.function, call.row, self._starter.begin(call.function, call.k, call.row))

    def prewarm(self, keep_until_s: float, *, ready_now: bool = False, held: bool = False) -> SlottedInstance | None:
        """Start an instance that no call asked for, if there is room, and keep it unused that long."""
        if not self._rules.capacity.take(self):
            return None
        instance = self._launch_unasked(self.function, ready_now=ready_now, held=held)
        instance.keep_until_s = keep_until_s
        return instance

    def provision(self, change: int) -> bool:
        """An instance more (1) or less (-1) is to be held whether it is used or not; whether it may be."""
        return True

    def _launch_unasked(self, function: int, *, ready_now: bool = False, held: bool = False) -> SlottedInstance:
        k, self._unasked = self._unasked, self._unasked + 1
        starter = self._starter
        start = starter.begun_before(function, k) if ready_now else starter.begin_unasked(function, k, held=held)
        instance = self._launch(function, -1 - k, start)
        instance.by_call = False
        return instance

    def _launch(self, function: int, number: int, start: Start) -> SlottedInstance:
        now_s = self._calendar._now
        instance = SlottedInstance(
            self._calendar, self, function=function, number=number, concurrency=self._concurrency,
            order=self._order(number), max_lifetime_s=self._lifetime_s(),
            line=self._ledger.instance_created(function, number, now_s),
        )  # fmt: skip
        instance.handler_s = start.handler_s
        instance.callbacks = [self.ready if start.succeeds else self.fail]
        self._starting.append(instance)
        self.starting_slots += self._concurrency
        heappush(self._calendar.queue, (now_s + start.start_up_s, READY, instance.order, instance))
        return instance

    def _order(self, number: int) -> int:
        """The calendar's number: a row, or, of those that no call made, one that no other unit's instance has."""
        return number if number >= 0 else number * self._rules.functions + self.function

    def _lifetime_s(self) -> float:
        """The life of the next instance: the k-th of the unit takes draw k."""
        k, self._made = self._made, self._made + 1
        return self._rules.lifetimes.draw(self.function, k)

    def claim(self, instance: SlottedInstance, call: WaitingCall) -> None:
        """Bind `call` to a slot of an instance that starts."""
        instance.claims.append(call)
        call.claim = instance

    def enqueue(self, call: WaitingCall) -> None:
        """Let `call` take the next slot that becomes free, after those before it."""
        self.queue[call.row] = call

    def dequeue(self, call: WaitingCall) -> None:
        """`call` no longer wants whichever slot becomes free."""
        self.queue.pop(call.row, None)

    def admit(self, call: WaitingCall) -> bool:
        """Whether `call` may wait for room; it is rejected if not."""
        if self._rules.capacity.admit(self, call):
            return True
        self.reject(call)
        return False

    def reject(self, call: WaitingCall) -> None:
        """`call` may not wait."""
        call.over = True
        self._ledger.outcome[call.row] = REJECTED
        self.keeper.ended(self._calendar._now)

    def met(self, call: WaitingCall) -> None:
        """There is room for the instance that `call` wanted."""
        call.unmet = False
        self.unmet -= 1
        self.binding.room(self, call)
        self._cover()

    def _cover(self) -> None:
        """Places in starting instances that nobody is meant to have go to the first calls that wait for room."""
        while self.unmet:
            call = next(call for call in self.queue.values() if call.unmet)
            if not self.binding.cover(self, call):
                return
            call.unmet = False
            self.unmet -= 1

    # A call ends, or an instance is ready: its slots go to those who wait, or are free.

    def complete(self, slot: Slot) -> None:
        """The request of `slot` has ended."""
        slot.callbacks = slot.handlers
        instance, row, now_s = slot.instance, slot.row, slot.end_s
        self._ledger.end_s[row] = now_s
        self._ledger.outcome[row] = OK
        instance.running -= 1
        self.keeper.ended(now_s)
        retired = now_s > instance.retire_s
        call = self._next(instance) if instance.claims or (self.queue and not retired) else None
        if call is not None:
            self._take_on(slot, call, now_s)
        elif not instance.running:
            self._ledger.busy_since_s[row] = instance.busy_since_s
            self._idle(instance, now_s, self._used_until_s(instance, row, now_s))
            if retired:  # whatever is free of it was withdrawn; a call that comes at this very instant may have it all
                self._withdraw(instance)
                if self._serves_at_its_end(instance):
                    self._offer(instance.slots, row)
                    self._retire_at(instance, now_s)
            else:
                self._offer([slot], row)
        elif not retired:
            self._offer([slot], row)

    def _serves_at_its_end(self, instance: SlottedInstance) -> bool:
        """Whether an instance whose life is over may have a call that comes as its last one ends."""
        return True

    def ready(self, instance: SlottedInstance) -> None:
        """A start-up is over."""
        now_s = self._calendar._now
        self._no_longer_starts(instance)
        unused = []
        for slot in instance.slots:
            slot.end_s = now_s
            call = self._next(instance)
            if call is None:
                unused.append(slot)
            else:
                self._take_on(slot, call, now_s)
        self._ledger.instance_ready(instance.line, now_s, awaited=instance.running > 0)
        if not instance.running:
            self._idle(instance, now_s, self._unused_until_s(instance, now_s))
        if unused:
            self._offer(unused, instance.number)
        if instance.retire_s < inf:
            self._retire_at(instance, max(instance.retire_s, now_s))

    def fail(self, instance: SlottedInstance) -> None:
        """STARTING -> TERMINATED: a start-up failed for good, and with it the calls that were to be served by it."""
        now_s = self._calendar._now
        self._no_longer_starts(instance)
        lost = [call for call in instance.claims if not call.over]
        if instance.number in self.queue and self.queue[instance.number] not in lost:
            lost.append(self.queue[instance.number])
        for call in lost:
            self._drop(call, FAILED)
        instance.cancel()
        self._ledger.start_failed(instance.line, now_s, awaited=bool(lost))
        for call in self.binding.bereft(self):
            self._rules.capacity.readmit(self, call)
        self._gone(instance, now_s)

    def _gone(self, instance: SlottedInstance, now_s: float) -> None:
        """Who has to know that an instance has ended."""
        self._rules.capacity.give_back(self)
        if not self.live:
            self.keeper.emptied(now_s)
        if instance.provisioner is not None:
            instance.provisioner.ended(instance)

    def _no_longer_starts(self, instance: SlottedInstance) -> None:
        self._starting.remove(instance)
        self.starting_slots -= self._concurrency

    def _next(self, instance: SlottedInstance) -> WaitingCall | None:
        while instance.claims:
            call = instance.claims.pop(0)
            if not call.over:
                return call
        return next(iter(self.queue.values()), None)

    def _take_on(self, slot: Slot, call: WaitingCall, now_s: float) -> None:
        """A waiting call starts on a slot."""
        instance = slot.instance
        kind = COLD if instance.by_call and not instance.served else QUEUED
        self._settle(call)
        self.serve(slot, call.function, call.row, now_s, call.service_s, kind)

    def _settle(self, call: WaitingCall) -> None:
        """`call` waits no longer."""
        call.over = True
        self.queue.pop(call.row, None)
        if call.unmet:
            call.unmet = False
            self.unmet -= 1
        if call.claim is not None and call in call.claim.claims:
            call.claim.claims.remove(call)
        self._cover()

    def _give_up(self, call: WaitingCall) -> None:
        """The patience of a call is over."""
        if not call.over:
            self._drop(call, TIMED_OUT)

    def _drop(self, call: WaitingCall, outcome: int) -> None:
        """`call` will never start."""
        self._settle(call)
        self._ledger.outcome[call.row] = outcome
        self.keeper.ended(self._calendar._now)

    def serve(self, slot: Slot, function: int, row: int, now_s: float, service_s: float, kind: int) -> None:
        """A call starts on a slot that is no longer free."""
        self._serve(slot, row, now_s, now_s + service_s, kind)

    def _serve(self, slot: Slot, row: int, now_s: float, end_s: float, kind: int) -> None:
        instance = slot.instance
        if kind == WARM and not instance.served and not instance.by_call:
            self._ledger.prewarmed.append(row)
        if instance.provisioner is not None:
            self._ledger.on_provisioned.append(row)
        self._ledger.started(row, now_s, kind, instance.number, instance.begin(now_s))
        slot.row = row
        slot.end_s = end_s
        if end_s > self._latest_end_s:
            self._latest_end_s = end_s
        self._put(self._calendar.queue, (end_s, COMPLETION, row, slot))

    # An instance idles, and ends.

    def _used_until_s(self, instance: SlottedInstance, row: int, now_s: float) -> float:
        """How long an instance stays whose last call ends now."""
        return inf if instance.provisioner is not None else now_s + self.keeper.window_s(row, now_s)

    def _unused_until_s(self, instance: SlottedInstance, now_s: float) -> float:
        """How long an instance stays that is ready and nobody waits for."""
        if instance.by_call:
            return now_s + self.keeper.window_s(instance.number, now_s)
        if instance.keep_until_s != instance.keep_until_s:  # NaN: started for a ping that has gone
            return now_s
        return max(instance.keep_until_s, now_s)

    def _idle(self, instance: SlottedInstance, now_s: float, expiry_s: float) -> None:
        instance.rest(now_s)
        if expiry_s > instance.retire_s:
            expiry_s = max(instance.retire_s, now_s)
        instance.until_s = expiry_s
        if self._latest_end_s + self.unit_window_s < expiry_s:
            expiry_s = max(self._latest_end_s + self.unit_window_s, now_s)  # an unused one may come when that is past
        instance.expiry_s = expiry_s
        if expiry_s < instance.alarm_s:
            self._timer.watch(instance, expiry_s)

    def _retire_at(self, instance: SlottedInstance, at_s: float) -> None:
        if self._concurrency > 1:  # a single slot is not free while it is busy
            retirement = Recurring(self._calendar)
            retirement.callbacks = [lambda _: self._retire(instance)]
            heappush(self._calendar.queue, (at_s, EXPIRY, instance.order, retirement))

    def _retire(self, instance: SlottedInstance) -> None:
        """The life of a busy instance is over: it ends with its last request and takes no other before."""
        if instance.state == BUSY:
            self._withdraw(instance)

    def reclaim(self, instance: SlottedInstance, now_s: float) -> None:
        """IDLE -> TERMINATED: the window or the life of an instance is over, unless its unit was used meanwhile."""
        expiry_s = min(instance.until_s, self._latest_end_s + self.unit_window_s)
        if expiry_s > now_s:
            instance.expiry_s = expiry_s
            self._timer.watch(instance, expiry_s)
            return
        self._withdraw(instance)
        instance.terminate()
        self._ledger.instance_ended(instance.line, now_s, instance.idle_since_s)
        self._gone(instance, now_s)

    def close(self) -> None:
        """Note what is still idle when the run is over."""
        if self.queue:
            raise ConfigError(
                f"{len(self.queue)} calls wait for ever, the first of them row {next(iter(self.queue))}: max_instances "
                "are taken by idle instances that never end, or that no router remembers; limit their window or life, "
                "or the wait by max_wait_s"
            )
        for instance in {id(slot.instance): slot.instance for slot in self.free}.values():
            self._ledger.still_idle(instance.line, instance.idle_since_s)
