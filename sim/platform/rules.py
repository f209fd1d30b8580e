"""What all pools of a platform share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.platform.binding import Binding
    from sim.platform.capacity import Capacity
    from sim.platform.choice import Choice
    from sim.platform.free_slots import FreeSlots
    from sim.platform.lifetime import Lifetimes


@dataclass(frozen=True)
class Rules:
    """What all pools of a platform share.

    Attributes:
        free_slots: makes the free slots of the unit whose first function is given.
        max_wait_s: how long a call waits before it gives up.
        lifetimes: how long instances may live.
        functions: how many there are.
    """

    choice: Choice
    free_slots: Callable[[int], FreeSlots]
    binding: Binding
    capacity: Capacity
    max_wait_s: float
    lifetimes: Lifetimes
    functions: int
