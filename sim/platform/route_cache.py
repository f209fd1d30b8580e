"""Route caches: which ready instances a router knows of."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from sim.platform.instance import Instance
from sim.platform.slots import Slot, SlottedInstance

if TYPE_CHECKING:
    from sim.platform.choice import Choice


class RouteCache:
    """For each function its ready instances with a free slot, the most recently idle last.

    There is one router, and it learns at once: its entry for a function and the pool's list of free instances are one
    list, so that a hit costs a look-up and nothing is kept twice.

    Attributes:
        ready: one list a function.
    """

    def __init__(self, functions: int) -> None:
        self.ready: list[list[Instance]] = [[] for _ in range(functions)]


class Fact:
    """What came to be true of a slot at some moment: a piece of news, and while it is free an entry of a route cache.

    To an instance choice it looks like the slot as it was then.

    Attributes:
        number: which change this was, of all there have been.
        unit: the first function of the slot's unit.
        is_free: whether the slot was free from then on.
        heard: the number of the latest fact about the slot that each router has heard.
        end_s: when the slot's latest call had ended.
        row: that call.
    """

    __slots__ = ("end_s", "heard", "instance", "is_free", "number", "row", "slot", "unit")

    def __init__(self, number: int, unit: int, slot: Slot, heard: list[int], *, is_free: bool) -> None:
        self.number, self.unit, self.is_free = number, unit, is_free
        self.slot, self.heard = slot, heard
        self.instance: SlottedInstance = slot.instance
        self.end_s, self.row = slot.end_s, slot.row


class LearntRoutes:
    """The cache of one of several routers: what it has heard of free slots, which may no longer be true.

    Args:
        router: its number.
        size: how many entries it keeps, of all units; the one learnt longest ago goes first.
    """

    def __init__(self, choice: Choice, units: int, router: int, size: float) -> None:
        self._choice, self._router, self._size = choice, router, size
        self._ready: list[list[Fact]] = [[] for _ in range(units)]
        self._entries: OrderedDict[Slot, Fact] = OrderedDict()

    def take(self, unit: int, function: int, k: int) -> Fact | None:
        """Remove and return the entry of a unit that the k-th call of a function takes, if there is any."""
        ready = self._ready[unit]
        if not ready:
            return None
        entry = self._choice.take(ready, function, k)
        del self._entries[entry.slot]
        return entry

    def learn(self, fact: Fact) -> None:
        """Hear a fact; it says nothing new if something later is known of the slot."""
        if fact.number <= fact.heard[self._router]:
            return
        fact.heard[self._router] = fact.number
        known = self._entries.pop(fact.slot, None)
        if known is not None:
            self._choice.drop(self._ready[known.unit], known)
        if fact.is_free:
            self._keep(fact)

    def _keep(self, fact: Fact) -> None:
        if len(self._entries) + 1 > self._size:
            _, oldest = self._entries.popitem(last=False)
            self._choice.drop(self._ready[oldest.unit], oldest)
        self._entries[fact.slot] = fact
        self._choice.put(self._ready[fact.unit], fact)
