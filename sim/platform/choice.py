"""Instance choice: which of several free slots a call takes.

Free slots stand in a list in order of some key, and a call takes one of them. Which it is matters enormously: the most
recently idle first keeps the pool small, the least recently idle first keeps every instance alive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sim.core.random import uniform
from sim.platform.slots import Slot


class Choice(ABC):
    """An order of free slots, and which end of it comes first."""

    @abstractmethod
    def key(self, slot: Slot) -> Any:
        """What the slots are ordered by, ascending."""

    @abstractmethod
    def take(self, free: list[Slot], function: int, k: int) -> Slot:
        """Remove and return the slot for the k-th call of a function; `free` is not empty."""

    def put(self, free: list[Slot], slot: Slot) -> None:
        """Insert a slot that has become free."""
        insort(free, slot, key=self.key)


class _ByUse(Choice):
    def key(self, slot: Slot) -> tuple[float, int]:
        return slot.end_s, slot.row


class _ByCreation(Choice):
    def key(self, slot: Slot) -> tuple[float, int, float, int]:
        instance = slot.instance
        return instance.created_s, instance.number, slot.end_s, slot.row


class MostRecentlyIdle(_ByUse):
    """The slot whose last call ended last; of two, that of the later row."""

    def take(self, free: list[Slot], function: int, k: int) -> Slot:
        """The last."""
        return free.pop()


class LeastRecentlyIdle(_ByUse):
    """The slot whose last call ended first."""

    def take(self, free: list[Slot], function: int, k: int) -> Slot:
        """The first."""
        return free.pop(0)


class NewestCreated(_ByCreation):
    """A slot of the instance created last (SimFaaS's rule)."""

    def take(self, free: list[Slot], function: int, k: int) -> Slot:
        """The last."""
        return free.pop()


class OldestCreated(_ByCreation):
    """A slot of the instance created first."""

    def take(self, free: list[Slot], function: int, k: int) -> Slot:
        """The first."""
        return free.pop(0)


class RandomChoice(_ByUse):
    """Any slot, by a draw of the call's number among them in order of (end, row)."""

    def __init__(self, streams: list[int]) -> None:
        self._streams = streams

    def take(self, free: list[Slot], function: int, k: int) -> Slot:
        """One at random."""
        return free.pop(int(uniform(self._streams[function], k) * len(free)))


CHOICES: Final[Mapping[str, Callable[[list[int]], Choice]]] = MappingProxyType(
    {
        "most_recently_idle": lambda _: MostRecentlyIdle(),
        "least_recently_idle": lambda _: LeastRecentlyIdle(),
        "random": RandomChoice,
        "newest_created": lambda _: NewestCreated(),
        "oldest_created": lambda _: OldestCreated(),
    }
)
"""Choices by name; each is made from the functions' streams of draws."""
