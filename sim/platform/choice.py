"""Instance choice: which of several free slots a call takes.

Free slots stand in a list in order of some key, and a call takes one of them. Which it is matters enormously: the most
recently idle first keeps the pool small, the least recently idle first keeps every instance alive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from sim.core.random import uniform

if TYPE_CHECKING:
    from sim.platform.slots import SlottedInstance


class Choosable(Protocol):
    """A free slot, or what a router knows of one (see `Slot`)."""

    row: int
    end_s: float
    instance: SlottedInstance


S = TypeVar("S", bound=Choosable)


class Choice(ABC):
    """An order of free slots, and which end of it comes first."""

    @abstractmethod
    def key(self, slot: Choosable) -> Any:
        """What the slots are ordered by, ascending."""

    @abstractmethod
    def take(self, free: list[S], function: int, k: int) -> S:
        """Remove and return the slot for the k-th call of a function; `free` is not empty."""

    def put(self, free: list[S], slot: S) -> None:
        """Insert a slot that has become free."""
        insort(free, slot, key=self.key)

    def drop(self, free: list[S], slot: S) -> bool:
        """Remove a slot, if it is there."""
        key = self.key(slot)
        i = bisect_left(free, key, key=self.key)
        while i < len(free) and free[i] is not slot:
            if self.key(free[i]) != key:
                return False
            i += 1
        if i == len(free):
            return False
        del free[i]
        return True


class _ByUse(Choice):
    def key(self, slot: Choosable) -> tuple[float, int]:
        return slot.end_s, slot.row


class _ByCreation(Choice):
    def key(self, slot: Choosable) -> tuple[float, int, float, int]:
        instance = slot.instance
        return instance.created_s, instance.number, slot.end_s, slot.row


class MostRecentlyIdle(_ByUse):
    """The slot whose last call ended last; of two, that of the later row."""

    def take(self, free: list[S], function: int, k: int) -> S:
        """The last."""
        return free.pop()


class LeastRecentlyIdle(_ByUse):
    """The slot whose last call ended first."""

    def take(self, free: list[S], function: int, k: int) -> S:
        """The first."""
        return free.pop(0)


class NewestCreated(_ByCreation):
    """A slot of the instance created last (SimFaaS's rule)."""

    def take(self, free: list[S], function: int, k: int) -> S:
        """The last."""
        return free.pop()


class OldestCreated(_ByCreation):
    """A slot of the instance created first."""

    def take(self, free: list[S], function: int, k: int) -> S:
        """The first."""
        return free.pop(0)


class RandomChoice(_ByUse):
    """Any slot, by a draw of the call's number among them in order of (end, row)."""

    def __init__(self, streams: list[int]) -> None:
        self._streams = streams

    def take(self, free: list[S], function: int, k: int) -> S:
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
