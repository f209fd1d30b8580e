"""News: how several routers learn which slots are free."""

from __future__ import annotations

from array import array
from collections import deque
from heapq import heappush
from math import inf
from typing import TYPE_CHECKING, Final

from sim.core.time import COMPLETION
from sim.platform.calendar import Calendar, Recurring
from sim.platform.free_slots import FreeSlots
from sim.platform.route_cache import Fact, LearntRoutes
from sim.platform.slots import Slot, SlottedInstance

if TYPE_CHECKING:
    from sim.platform.choice import Choice

NOBODY: Final = -1
_BEFORE_ALL: Final = -1
"""The number of news among the completions of an instant: no row is less."""


class News:
    """Tells routers what has become of slots.

    The router of the call that caused a change knows of it at once, for that call's response passes through it. The
    others, and all of them where no call did, are told by `_spread`; here it tells nobody.

    Attributes:
        caches: one a router.
        latest: the number of the latest change, counted from 1.
        via: the router of each call and ping so far, by row.
        slots: the free slots of each unit, by its first function.
    """

    def __init__(self, caches: list[LearntRoutes], choice: Choice, rows: int) -> None:
        self.caches = caches
        self.latest = 0
        self.via = array("i", [NOBODY]) * rows
        self.slots: dict[int, AnnouncedSlots] = {}
        self._choice = choice

    def slots_of(self, unit: int) -> AnnouncedSlots:
        """The free slots of a new unit."""
        slots = self.slots[unit] = AnnouncedSlots(self._choice, self, unit)
        return slots

    def changed(self, unit: int, slots: list[Slot], router: int, *, are_free: bool) -> None:
        """Some slots are free from now on, or no longer; `router` knows, if it is any."""
        number = self.latest = self.latest + 1
        facts = [Fact(number, unit, slot, self._heard(slot), is_free=are_free) for slot in slots]
        if router != NOBODY:
            for fact in facts:
                self.caches[router].learn(fact)
        self._spread(facts)

    def _heard(self, slot: Slot) -> list[int]:
        if slot.heard is None:
            slot.heard = [0] * len(self.caches)
        return slot.heard

    def _spread(self, facts: list[Fact]) -> None:
        pass

    def _tell(self, facts: list[Fact]) -> None:
        """Let all hear some facts; to those who know them they are no news."""
        for cache in self.caches:
            for fact in facts:
                cache.learn(fact)


class NewsAtOnce(News):
    """All routers know everything at once."""

    def _spread(self, facts: list[Fact]) -> None:
        self._tell(facts)


class LateNews(News):
    """The others hear of everything some time later, in the order in which it happened.

    News that arrives at an instant is known before anything else happens at it. Only the next to arrive has an event.
    """

    def __init__(
        self, caches: list[LearntRoutes], choice: Choice, rows: int, calendar: Calendar, delay_s: float
    ) -> None:
        super().__init__(caches, choice, rows)
        self._calendar, self._delay_s = calendar, delay_s
        self._under_way: deque[tuple[float, list[Fact]]] = deque()
        self._arrival = Recurring(calendar)
        self._arrival.handlers = [self._arrive]

    def _spread(self, facts: list[Fact]) -> None:
        self._under_way.append((self._calendar._now + self._delay_s, facts))
        if len(self._under_way) == 1:
            self._expect()

    def _expect(self) -> None:
        self._arrival.callbacks = self._arrival.handlers
        heappush(self._calendar.queue, (self._under_way[0][0], COMPLETION, _BEFORE_ALL, self._arrival))

    def _arrive(self, _event: Recurring) -> None:
        now_s = self._calendar._now
        while self._under_way and self._under_way[0][0] <= now_s:
            self._tell(self._under_way.popleft()[1])
        if self._under_way:
            self._expect()


def news(caches: list[LearntRoutes], choice: Choice, rows: int, calendar: Calendar, delay_s: float) -> News:
    """How routers learn from each other after `delay_s`; infinity: never."""
    if delay_s == inf:
        return News(caches, choice, rows)
    return LateNews(caches, choice, rows, calendar, delay_s) if delay_s else NewsAtOnce(caches, choice, rows)


class AnnouncedSlots(FreeSlots):
    """The free slots of a unit as they truly are, of which several routers are told."""

    def __init__(self, choice: Choice, told: News, unit: int) -> None:
        super().__init__(choice)
        self._news, self._unit = told, unit

    def offer(self, slots: list[Slot], row: int) -> None:
        """As ever; the router of call `row` knows, or of the call that the instance was started for."""
        super().offer(slots, row)
        self._news.changed(self._unit, slots, self._news.via[row] if row >= 0 else NOBODY, are_free=True)

    def withdraw(self, instance: SlottedInstance) -> None:
        """As ever; no router knows."""
        gone = [slot for slot in self.slots if slot.instance is instance]
        if gone:
            super().withdraw(instance)
            self._news.changed(self._unit, gone, NOBODY, are_free=False)

    def take(self, entry: Fact, router: int) -> bool:
        """Whether the slot of an entry is free, which `router` wants; it knows either way from now on."""
        if not self._choice.drop(self.slots, entry.slot):
            entry.heard[router] = self._news.latest
            return False
        self._news.changed(self._unit, [entry.slot], router, are_free=False)
        return True
