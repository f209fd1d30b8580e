"""The processor of an instance, which its requests share."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sim.core.errors import ConfigError
from sim.core.time import COMPLETION
from sim.platform.calendar import Calendar, Recurring
from sim.platform.instance import IDLE
from sim.platform.slotted_pool import SlottedPool
from sim.results.columns import WARM

if TYPE_CHECKING:
    import pandas as pd

    from sim.platform.platform import Platform
    from sim.platform.slots import Slot, SlottedInstance


ROUNDING: Final = 1e-12
"""Of sums of cores: three times a third is one."""


class Processor:
    """Gives each of its requests the same share of what it asks for: all of it, while all together ask for no more.

    One virtual clock serves all: it runs with the wall clock at full speed and slower where more is asked for than
    there is, so that every request ends when it has advanced by its service time. Egalitarian processor sharing
    (Kleinrock, Queueing Systems, volume 2, section 4.4); a change costs O(log n).

    Args:
        cores: that it has.
    """

    __slots__ = ("_asked", "_cores", "_lag_s", "_planned", "_queue", "_since_s", "_slowdowns", "_speed")

    def __init__(self, cores: float) -> None:
        self._cores, self._asked = cores, 0.0
        self._queue: list[Running] = []
        self._slowdowns = 0
        self._lag_s = self._since_s = 0.0  # of the virtual clock behind the wall's
        self._speed = 1.0
        self._planned: Completion | None = None

    def begin(self, slot: Slot, row: int, now_s: float, end_s: float, cores: float) -> None:
        """A request runs from now on, alone until `end_s`; it asks for so many cores, or for all if there are fewer."""
        self._advance(now_s)
        if not self._queue:
            self._lag_s = self._asked = 0.0
        asked = min(cores, self._cores)
        self._asked += asked
        heappush(self._queue, Running(end_s - self._lag_s, row, slot, asked, end_s, self._slowdowns))

    def end(self, now_s: float) -> Running:
        """The request that was planned to end first does."""
        self._advance(now_s)
        ended = heappop(self._queue)
        self._asked -= ended.asked
        if self._speed < 1:
            self._lag_s = now_s - ended.virtual_s  # without what was rounded on the way
        return ended

    def plan(self, calendar: Calendar, now_s: float, complete: Any) -> None:
        """The number of requests has changed: so has the next end."""
        self._speed = self._cores / self._asked if self._asked > self._cores * (1 + ROUNDING) else 1.0
        self._slowdowns += self._speed < 1
        self._planned = None
        if self._queue:
            first = self._queue[0]
            self._planned = completion = Completion(calendar, self)
            completion.callbacks = [complete]
            heappush(calendar.queue, (max(self._end_s(first, now_s), now_s), COMPLETION, first.row, completion))

    def _end_s(self, request: Running, now_s: float) -> float:
        if self._speed < 1:
            return now_s + (request.virtual_s - (now_s - self._lag_s)) / self._speed
        if request.slowdowns == self._slowdowns:  # it was never slowed down
            return request.alone_s
        return request.virtual_s + self._lag_s

    def is_due(self, completion: Completion) -> bool:
        """Whether this end is still the planned one."""
        return completion is self._planned

    def _advance(self, now_s: float) -> None:
        if self._speed < 1:
            self._lag_s += (1 - self._speed) * (now_s - self._since_s)
        self._since_s = now_s


class Running(NamedTuple):
    """A request that runs, in the order of ends.

    Attributes:
        virtual_s: where the virtual clock stands at its end.
        row: which.
        slot: where.
        asked: cores.
        alone_s: when it would end if it were alone.
        slowdowns: how often the processor had slowed down when it began.
    """

    virtual_s: float
    row: int
    slot: Slot
    asked: float
    alone_s: float
    slowdowns: int


class Completion(Recurring):
    """The planned end of a request; superseded where another begins or ends before."""

    def __init__(self, calendar: Calendar, processor: Processor) -> None:
        super().__init__(calendar)
        self.processor = processor


class SharedPool(SlottedPool):
    """As `SlottedPool`, but requests of an instance share its processor; service times are those of a request alone.

    Attributes:
        cores: of an instance.
        asked: cores that a request of each function asks for.
        function_of: the function of each row.
    """

    cores: float
    asked: Sequence[float]
    function_of: Sequence[int]

    def __init__(self, *components: Any, **options: Any) -> None:
        """Those of `SlottedPool`."""
        super().__init__(*components, **options)
        self._processors: dict[SlottedInstance, Processor] = {}
        self._requests = 0  # that run

    def _serve(self, slot: Slot, row: int, now_s: float, end_s: float, kind: int) -> None:
        instance = slot.instance
        if kind == WARM and not instance.served and not instance.by_call:
            self._ledger.prewarmed.append(row)
        if instance.provisioner is not None:
            self._ledger.on_provisioned.append(row)
        self._ledger.started(row, now_s, kind, instance.number, instance.begin(now_s))
        slot.row = row
        self._requests += 1
        self._latest_end_s = inf  # not known before
        processor = self._processors.get(instance)
        if processor is None:
            processor = self._processors[instance] = Processor(self.cores)
        processor.begin(slot, row, now_s, end_s, self.asked[self.function_of[row]])
        processor.plan(self._calendar, now_s, self._end)

    def _end(self, completion: Completion) -> None:
        processor, now_s = completion.processor, self._calendar._now
        if not processor.is_due(completion):
            return
        ended = processor.end(now_s)
        processor.plan(self._calendar, now_s, self._end)
        if now_s != ended.alone_s:
            self._ledger.loads(ended.row, now_s - self._ledger.start_s[ended.row], cut=False)
        self._requests -= 1
        if not self._requests:
            self._latest_end_s = now_s
        ended.slot.end_s = now_s
        self.complete(ended.slot)
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


def sharing(pool: Any) -> Any:
    """That class of pools where requests share processors."""
    return type(f"Shared{pool.__name__}", (SharedPool,) if pool is SlottedPool else (pool, SharedPool), {})


def require_sharable(platform: Platform, deployed: pd.DataFrame) -> None:
    """Refuse what is not modelled where requests share a processor.

    Raises:
        ConfigError: with the reason.
    """
    if platform.processor == "dedicated":
        return
    if platform.start_model.loads_late:
        raise ConfigError("processor=shared is not modelled with handlers that load in the first call (phase handler)")
    if bool((deployed["timeout_s"] < inf).any()):
        raise ConfigError("processor=shared is not modelled with time-outs of functions (timeout_s)")


def cores_of(platform: Platform, memory_mb: float) -> float:
    """Of an instance: as the platform says, or by its memory."""
    return platform.cores if platform.cores is not None else memory_mb / platform.mb_per_core
