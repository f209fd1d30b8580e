"""The pool of a unit under a scaler that looks at single requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sim.platform.scaled_pool import ScaledPool

if TYPE_CHECKING:
    from sim.platform.slots import Slot
    from sim.platform.waiting import WaitingCall

DURATIONS: Final = 10
"""Requests whose durations are known."""


class WatchedPool(ScaledPool):
    """As `ScaledPool`, and it knows since when calls wait and how long the last ones ran."""

    def __init__(self, *components: Any, **options: Any) -> None:
        """Those of `ScaledPool`."""
        super().__init__(*components, **options)
        self._durations_s: deque[float] = deque(maxlen=DURATIONS)

    def wait(self, call: WaitingCall, now_s: float) -> None:
        """See `SlottedPool`."""
        call.since_s = now_s
        super().wait(call, now_s)

    def complete(self, slot: Slot) -> None:
        """See `SlottedPool`."""
        self._durations_s.append(slot.end_s - self._ledger.start_s[slot.row])
        super().complete(slot)

    def queued(self) -> tuple[Sequence[float], Sequence[float]]:
        """See `ScaledPool`."""
        return [call.since_s for call in self.queue.values()], tuple(self._durations_s)
