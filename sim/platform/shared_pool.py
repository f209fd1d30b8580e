"""The pool of a unit whose requests share the processors of their instances."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappush
from math import inf
from typing import TYPE_CHECKING, Any

from sim.core.time import COMPLETION
from sim.platform.calendar import Recurring
from sim.platform.instance import IDLE
from sim.platform.processor import Completion, Processor
from sim.platform.slotted_pool import SlottedPool

if TYPE_CHECKING:
    from sim.platform.platform import Platform
    from sim.platform.slots import Slot, SlottedInstance


class SharedPool(SlottedPool):
    """As `SlottedPool`, but requests of an instance share its processor; service times are those of a request alone.

    Attributes:
        cores: of an instance.
        asked: cores that a request of each function asks for.
        timeout_s: of each function.
        function_of: the function of each row.
    """

    cores: float
    asked: Sequence[float]
    timeout_s: Sequence[float]
    function_of: Sequence[int]

    def __init__(self, *components: Any, **options: Any) -> None:
        """Those of `SlottedPool`."""
        super().__init__(*components, **options)
        self._processors: dict[SlottedInstance, Processor] = {}
        self._requests = 0  # that run

    def _put(self, queue: list[Any], alone: tuple[float, int, int, Slot]) -> None:
        """A call starts that would end so if it were alone: when it will is not known."""
        end_s, _, row, slot = alone
        self._requests += 1
        self._latest_end_s = inf
        self._execute(slot, row, end_s)

    def _execute(self, slot: Slot, row: int, end_s: float) -> None:
        """A call asks for the processor from now on."""
        processor = self._processors.get(slot.instance)
        if processor is None:
            processor = self._processors[slot.instance] = Processor(self.cores)
        now_s, function = self._calendar._now, self.function_of[row]
        deadline_s = max(self._ledger.start_s[row] + self.timeout_s[function], end_s)  # a ping has none of its own
        processor.begin(slot, row, now_s, end_s, self.asked[function], deadline_s)
        processor.plan(self._calendar, now_s, self._end)

    def _end(self, completion: Completion) -> None:
        processor, request, now_s = completion.processor, completion.request, self._calendar._now
        if not processor.is_due(completion):
            return
        processor.end(completion, now_s)
        processor.plan(self._calendar, now_s, self._end)
        if completion.cut or now_s != request.alone_s:
            self._ledger.loads(request.row, now_s - self._ledger.start_s[request.row], cut=completion.cut)
        self._over(request.slot)

    def _over(self, slot: Slot) -> None:
        """A call ends now."""
        now_s = self._calendar._now
        self._requests -= 1
        if not self._requests:
            self._latest_end_s = now_s
        slot.end_s = now_s
        self.complete(slot)
        if not self._requests and self.unit_window_s < inf:
            self._unit_is_idle(now_s)

    def _unit_is_idle(self, now_s: float) -> None:
        """The unit's latest call has ended: idle instances may have to go before their own windows are over."""
        for instance in {id(slot.instance): slot.instance for slot in self.free}.values():
            expiry_s = min(instance.until_s, now_s + self.unit_window_s)
            if instance.state == IDLE and expiry_s < instance.expiry_s:
                instance.expiry_s = expiry_s
                if expiry_s < instance.alarm_s:
                    self._timer.watch(instance, expiry_s)

    def _gone(self, instance: SlottedInstance, now_s: float) -> None:
        self._processors.pop(instance, None)
        super()._gone(instance, now_s)


class SharedLoadingPool(SharedPool):
    """The same, where instances load their handler when they are first called.

    The load has the processor for itself, since every other call of its instance waits for its end.
    """

    def _execute(self, slot: Slot, row: int, end_s: float) -> None:
        """See `SharedPool`; not before the handler is loaded."""
        instance = slot.instance
        if instance.loaded_s <= self._calendar._now:
            super()._execute(slot, row, end_s)
            return
        event = Recurring(self._calendar)
        if end_s <= instance.loaded_s:  # nothing is left to do then, or it is cut before
            event.callbacks = [lambda _: self._over(slot)]
        else:
            event.callbacks = [lambda _: super(SharedLoadingPool, self)._execute(slot, row, end_s)]
        heappush(self._calendar.queue, (min(end_s, instance.loaded_s), COMPLETION, row, event))


def cores_of(platform: Platform, memory_mb: float) -> float:
    """Of an instance: as the platform says, or by its memory."""
    return platform.cores if platform.cores is not None else memory_mb / platform.mb_per_core
