"""The pool of a unit whose requests share the processors of their instances."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from sim.core.errors import ConfigError
from sim.platform.instance import IDLE
from sim.platform.processor import Completion, Processor
from sim.platform.slotted_pool import SlottedPool

if TYPE_CHECKING:
    import pandas as pd

    from sim.platform.platform import Platform
    from sim.platform.slots import Slot, SlottedInstance


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

    def _put(self, queue: list[Any], alone: tuple[float, int, int, Slot]) -> None:
        """A call starts that would end so if it were alone: when it will is not known."""
        end_s, _, row, slot = alone
        self._requests += 1
        self._latest_end_s = inf
        processor = self._processors.get(slot.instance)
        if processor is None:
            processor = self._processors[slot.instance] = Processor(self.cores)
        now_s = self._calendar._now
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
