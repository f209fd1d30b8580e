"""Binding: what a call that found no free slot does while an instance starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sim.platform.slotted_pool import SlottedPool
    from sim.platform.waiting import WaitingCall


class Binding(ABC):
    """How a miss waits. Calls in a pool's queue take slots as they become free, first come, first served."""

    @abstractmethod
    def miss(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Let `call` wait, and start an instance if one is needed and there is room."""

    @abstractmethod
    def room(self, pool: SlottedPool, call: WaitingCall) -> None:
        """There is room at last for an instance that `call` wanted when it came."""

    def bereft(self, pool: SlottedPool) -> list[WaitingCall]:
        """Calls that counted on an instance that has failed, and have to wait for room now."""
        return []

    @abstractmethod
    def cover(self, pool: SlottedPool, call: WaitingCall) -> bool:
        """Whether `call`, the first that waits for room, needs none: an instance that starts has a place left over."""


class Early(Binding):
    """A miss owns its place: in the earliest instance still starting with a slot to spare, else in one of its own.

    Only a call that may start no instance waits in the queue.
    """

    def miss(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Claim, start, or wait for room."""
        instance = pool.spare() or pool.start(call)
        if instance is not None:
            pool.claim(instance, call)
        elif pool.admit(call):
            pool.enqueue(call)

    def room(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Leave the queue for an instance of its own."""
        instance = pool.start(call)
        if instance is not None:
            pool.dequeue(call)
            pool.claim(instance, call)

    def cover(self, pool: SlottedPool, call: WaitingCall) -> bool:
        """Leave the queue for a place that was given up, or came with another's instance."""
        instance = pool.spare()
        if instance is None:
            return False
        pool.dequeue(call)
        pool.claim(instance, call)
        return True


class Late(Binding):
    """All waiting calls share the queue; there are as many starting slots as calls in it, if there is room."""

    def miss(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Join the queue; start an instance if it is longer than what starts."""
        if pool.starting_slots > len(pool.queue) or pool.start(call) is not None or pool.admit(call):
            pool.enqueue(call)

    def room(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Start an instance: the queue is longer than what starts, or nobody would wait for room."""
        pool.start(call)

    def cover(self, pool: SlottedPool, call: WaitingCall) -> bool:
        """More slots start than there are calls before it."""
        return pool.starting_slots > len(pool.queue) - pool.unmet

    def bereft(self, pool: SlottedPool) -> list[WaitingCall]:
        """The last of those that more slots started for than do now."""
        return [call for call in pool.queue.values() if not call.unmet][pool.starting_slots :]


class Race(Binding):
    """A miss starts an instance and waits in the queue besides: whichever comes first serves it (CIDRE, ASPLOS 2025).

    Its instance serves it if it still waits then, else whoever does, else nobody.
    """

    def miss(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Claim or start, and join the queue."""
        instance = pool.spare() or pool.start(call)
        if instance is not None:
            pool.claim(instance, call)
        elif not pool.admit(call):
            return
        pool.enqueue(call)

    def room(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Start the instance it could not start before, and stay in the queue."""
        instance = pool.start(call)
        if instance is not None:
            pool.claim(instance, call)

    def cover(self, pool: SlottedPool, call: WaitingCall) -> bool:
        """Claim a place whose owner was served elsewhere or gave up, and stay in the queue."""
        instance = pool.spare()
        if instance is None:
            return False
        pool.claim(instance, call)
        return True


BINDINGS: Final[Mapping[str, Binding]] = MappingProxyType({"early": Early(), "late": Late(), "race": Race()})
