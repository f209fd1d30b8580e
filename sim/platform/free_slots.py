"""The free slots of a unit, and who is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.platform.slots import Slot, SlottedInstance

if TYPE_CHECKING:
    from sim.platform.choice import Choice


class FreeSlots:
    """The free slots of the ready instances of a unit; the one router there is sees this very list.

    Attributes:
        slots: in the order of the instance choice.
    """

    def __init__(self, choice: Choice) -> None:
        self.slots: list[Slot] = []
        self._choice = choice

    def offer(self, slots: list[Slot], row: int) -> None:
        """Slots are free from now on, by the end of call `row` or because an instance of that name is ready."""
        for slot in slots:
            self._choice.put(self.slots, slot)

    def withdraw(self, instance: SlottedInstance) -> None:
        """No slot of an instance is free any more: it has ended, or takes no further call."""
        self.slots[:] = [slot for slot in self.slots if slot.instance is not instance]
