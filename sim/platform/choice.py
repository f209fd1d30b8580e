"""Instance choice: which of several free slots a call takes.

Free slots stand in a list in order of some key, and a call takes one of them. Which it is matters enormously: the most
recently idle first keeps the pool small, the least recently idle first keeps every instance alive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right, insort
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
FEW_SLOTS: Final = 3
"""Up to which Knative's activator fills one pod before it looks at the next."""


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


class LeastConnections(_ByCreation):
    """A slot of the instance that serves the fewest requests; of several, of the one created first."""

    def take(self, free: list[S], function: int, k: int) -> S:
        """The first with the fewest."""
        return free.pop(min(range(len(free)), key=lambda place: free[place].instance.running))


class PowerOfTwoChoices(_ByCreation):
    """Of two instances drawn at random, maybe twice the same, a slot of the one that serves fewer requests.

    Knative's activator chooses so where pods take any number of requests (Mitzenmacher, IEEE TPDS 12(10), 2001).
    """

    def __init__(self, streams: list[int]) -> None:
        self._streams = streams

    def take(self, free: list[S], function: int, k: int) -> S:
        """By draws 2k and 2k + 1 among the instances in order of creation; of two alike, the first drawn."""
        instances = [i for i in range(len(free)) if not i or free[i].instance is not free[i - 1].instance]
        drawn = (int(uniform(self._streams[function], 2 * k + j) * len(instances)) for j in (0, 1))
        one, other = (instances[number] for number in drawn)
        return free.pop(other if free[other].instance.running < free[one].instance.running else one)


class RoundRobin(_ByCreation):
    """A slot of the next instance, in order of creation, after the one that the unit's last call took."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, int]] = {}

    def take(self, free: list[S], function: int, k: int) -> S:
        """The first of a later creation, or else the first."""
        unit = free[0].instance.pool.function
        place = bisect_right(free, self._last.get(unit, (-1.0, 0)), key=_creation)
        slot = free.pop(place if place < len(free) else 0)
        self._last[unit] = _creation(slot)
        return slot


class ByConcurrency(_ByCreation):
    """The first available for instances of up to three slots, round robin for more.

    Knative's activator, where a revision sets a container concurrency (Knative serving, 98e5ef90, pkg/activator/net/
    throttler.go); where it does not, `PowerOfTwoChoices`.
    """

    def __init__(self) -> None:
        self._few, self._many = OldestCreated(), RoundRobin()

    def take(self, free: list[S], function: int, k: int) -> S:
        """By one or the other."""
        return (self._few if len(free[0].instance.slots) <= FEW_SLOTS else self._many).take(free, function, k)


class HeldFirst(Choice):
    """Slots of held instances before all others, by another choice among each: provisioned ones are paid for anyway."""

    def __init__(self, among: Choice) -> None:
        self._among = among

    def key(self, slot: Choosable) -> Any:
        """That of the other choice."""
        return self._among.key(slot)

    def take(self, free: list[S], function: int, k: int) -> S:
        """One of a held instance, if there is any."""
        held = [slot for slot in free if slot.instance.provisioner is not None]
        if not held or len(held) == len(free):
            return self._among.take(free, function, k)
        slot = self._among.take(held, function, k)
        self._among.drop(free, slot)
        return slot


def _creation(slot: Choosable) -> tuple[float, int]:
    return slot.instance.created_s, slot.instance.number


CHOICES: Final[Mapping[str, Callable[[list[int]], Choice]]] = MappingProxyType(
    {
        "most_recently_idle": lambda _: MostRecentlyIdle(),
        "least_recently_idle": lambda _: LeastRecentlyIdle(),
        "random": RandomChoice,
        "newest_created": lambda _: NewestCreated(),
        "oldest_created": lambda _: OldestCreated(),
        "least_connections": lambda _: LeastConnections(),
        "power_of_two": PowerOfTwoChoices,
        "round_robin": lambda _: RoundRobin(),
        "by_concurrency": lambda _: ByConcurrency(),
    }
)
"""Choices by name; each is made from the functions' streams of draws."""
