"""The pool of a unit under a scaler that looks at single instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.platform.scaled_pool import ScaledPool
from sim.policies.scaling.role import PodLoad

if TYPE_CHECKING:
    from sim.platform.slots import Slot, SlottedInstance


class PodMeter:
    """How long an instance has served how many requests at once.

    Attributes:
        ready_s: when it became ready.
        begun: requests that it has begun.
    """

    __slots__ = ("_levels_s", "_since_s", "begun", "ready_s")

    def __init__(self, ready_s: float) -> None:
        self.ready_s = self._since_s = ready_s
        self._levels_s = [0.0]  # that of no request first
        self.begun = 0

    def note(self, now_s: float, running: int) -> None:
        """It has served `running` requests since the last note; one more or one less, at most, before the next."""
        if running == len(self._levels_s):
            self._levels_s.append(0.0)
        self._levels_s[running] += now_s - self._since_s
        self._since_s = now_s

    def levels_s(self, now_s: float, running: int) -> tuple[float, ...]:
        """See `PodLoad`; it serves `running` requests now."""
        self.note(now_s, running)
        return tuple(self._levels_s[1:])


class MeteredPool(ScaledPool):
    """As `ScaledPool`, and each member that is ready has a meter."""

    def __init__(self, *components: Any, **options: Any) -> None:
        """Those of `ScaledPool`."""
        super().__init__(*components, **options)
        self._meters: dict[SlottedInstance, PodMeter] = {}

    def pods(self, now_s: float) -> tuple[PodLoad, ...]:
        """What a scaler sees of each member."""
        return tuple(self._pod(instance, now_s) for instance in self.members)

    def _pod(self, instance: SlottedInstance, now_s: float) -> PodLoad:
        meter = self._meters.get(instance)
        if meter is None:
            return PodLoad(instance.number, instance.created_s, None, 0, ())
        levels_s = meter.levels_s(now_s, instance.running)
        return PodLoad(instance.number, instance.created_s, meter.ready_s, instance.running, levels_s, meter.begun)

    def ready(self, instance: SlottedInstance) -> None:
        """See `SlottedPool`."""
        self._meters[instance] = PodMeter(self._calendar._now)
        super().ready(instance)

    def complete(self, slot: Slot) -> None:
        """See `SlottedPool`."""
        self._note(slot.instance, slot.end_s)
        super().complete(slot)

    def _serve(self, slot: Slot, row: int, now_s: float, end_s: float, kind: int) -> None:
        self._note(slot.instance, now_s, begun=1)
        super()._serve(slot, row, now_s, end_s, kind)

    def _note(self, instance: SlottedInstance, now_s: float, begun: int = 0) -> None:
        """The number of requests that `instance` serves is about to change."""
        meter = self._meters.get(instance)
        if meter is not None:  # it does not drain
            meter.note(now_s, instance.running)
            meter.begun += begun

    def _no_member(self, instance: SlottedInstance) -> None:
        self._meters.pop(instance, None)
        super()._no_member(instance)
