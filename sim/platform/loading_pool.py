"""The pool of a unit whose instances load their handler when they are first called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.platform.slotted_pool import SlottedPool
from sim.results.columns import WARM

if TYPE_CHECKING:
    from sim.platform.loading import Loading
    from sim.platform.slots import Slot, SlottedInstance


class LoadingPool(SlottedPool):
    """As `SlottedPool`, but a call ends at max(start, loaded) + service, loaded being known from the first call on."""

    def __init__(self, *components: Any, loading: Loading, **options: Any) -> None:
        """Those of `SlottedPool`, and what knows how loads end."""
        super().__init__(*components, **options)
        self._loading = loading

    def arrive(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        """See `SlottedPool`."""
        if not self.free:
            super().arrive(function, k, row, now_s, service_s)
            return
        self.keeper.arrived(now_s)
        self._serve_warm(function, k, row, now_s, service_s)

    def ping(self, function: int, k: int, row: int, now_s: float, ping_s: float) -> None:
        """See `SlottedPool`."""
        if self.free:
            self._serve_warm(function, k, row, now_s, ping_s)
        else:
            super().ping(function, k, row, now_s, ping_s)

    def _serve_warm(self, function: int, k: int, row: int, now_s: float, service_s: float) -> None:
        self.serve(self._rules.choice.take(self.free, function, k), function, row, now_s, service_s, WARM)

    def serve(self, slot: Slot, function: int, row: int, now_s: float, service_s: float, kind: int) -> None:
        """See `SlottedPool`."""
        self._serve(slot, row, now_s, self._end_s(slot.instance, function, row, now_s, service_s), kind)

    def _end_s(self, instance: SlottedInstance, function: int, row: int, now_s: float, service_s: float) -> float:
        """When a call ends that starts now, waiting or warm; the first one begins the load."""
        load_s = instance.loaded_s - now_s
        if not instance.served:
            load_s = instance.handler_s
            instance.loaded_s = now_s + load_s
        if instance.loaded_s <= now_s:
            return now_s + service_s
        return self._loading.end_s(function, row, now_s, load_s, instance.loaded_s, service_s)
