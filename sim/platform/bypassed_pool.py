"""The pool of a unit whose scaler may have calls go past the queue, straight to instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.core.random import uniform
from sim.platform.scaled_pool import ScaledPool
from sim.platform.waiting import WaitingCall
from sim.results.columns import WARM

if TYPE_CHECKING:
    from sim.platform.slots import Slot, SlottedInstance
    from sim.policies.scaling.role import Scaling


class BypassedPool(ScaledPool):
    """As `ScaledPool`; while `bypassed`, a call goes to any ready instance by draw of its number, and may wait in it.

    Those that wait in an instance are served by it, also when it drains.

    Attributes:
        streams: each function's stream of draws.
    """

    streams: Sequence[int]

    def __init__(self, *components: Any, **options: Any) -> None:
        """Those of `ScaledPool`."""
        super().__init__(*components, **options)
        self._claims_made = False
        self._room = 0.0  # for calls that wait in an instance
        self._ready: list[SlottedInstance] | None = None  # None: not known any more

    def obey(self, policy: Scaling, *listeners: Any) -> None:
        """See `ScaledPool`."""
        super().obey(policy, *listeners)
        self._room = policy.pod_queue_depth * self.concurrency

    @property
    def waiting(self) -> int:
        """See `ScaledPool`."""
        queued = len(self.queue)
        return queued + sum(len(instance.claims) for instance in self.members) if self._claims_made else queued

    def arrive(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        """See `SlottedPool`."""
        instance = self._drawn(function, k, now_s) if self.bypassed else None
        if instance is None:
            super().arrive(function, k, row, now_s, service_s)
            return
        self.keeper.arrived(now_s)
        if instance.running < self.concurrency:
            self.serve(self._free_slot(instance), function, row, now_s, service_s, WARM)
            return
        call = WaitingCall(self._calendar, function, k, row, service_s)
        if len(instance.claims) < self._room:
            self._claims_made = True
            self.claim(instance, call)
            self.limit_wait(call, now_s)
        else:
            self.reject(call)

    def _drawn(self, function: int, k: int, now_s: float) -> SlottedInstance | None:
        if self._ready is None:
            self._ready = [instance for instance, is_ready in self.members.items() if is_ready]
        if not self._ready:
            return None
        instance = self._ready[int(uniform(self.streams[function], k) * len(self._ready))]
        return instance if now_s <= instance.retire_s else None

    def _free_slot(self, instance: SlottedInstance) -> Slot:
        slot = next(slot for slot in self.free if slot.instance is instance)
        self._rules.choice.drop(self.free, slot)
        return slot

    def ready(self, instance: SlottedInstance) -> None:
        """See `SlottedPool`."""
        self._ready = None
        super().ready(instance)

    def _no_member(self, instance: SlottedInstance) -> None:
        self._ready = None
        super()._no_member(instance)
