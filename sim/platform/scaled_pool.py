"""The pool of a unit under a scaler: calls wait for what the scaler has decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sim.core.errors import PolicyError
from sim.platform.binding import Binding
from sim.platform.instance import BUSY, IDLE, STARTING
from sim.platform.meter import Headcount, Meter
from sim.platform.slotted_pool import SlottedPool

if TYPE_CHECKING:
    from sim.platform.slots import SlottedInstance
    from sim.platform.starter import Start
    from sim.platform.waiting import WaitingCall
    from sim.policies.scaling.role import PodLoad, Scaling


Told: TypeAlias = "Callable[[ScaledPool], None]"


def _nobody(_: ScaledPool) -> None:
    """Before an autoscaler is there."""


class Waits(Binding):
    """A miss joins the queue, if that has room, and starts nothing."""

    def __init__(self, queue_depth: float) -> None:
        self._depth = queue_depth

    def miss(self, pool: SlottedPool, call: WaitingCall) -> None:
        """Wait, or be rejected."""
        if len(pool.queue) < self._depth:
            pool.enqueue(call)
        else:
            pool.reject(call)

    def room(self, pool: SlottedPool, call: WaitingCall) -> None:
        """No call waits for room, but for slots alone."""

    def cover(self, pool: SlottedPool, call: WaitingCall) -> bool:
        """Likewise."""
        return False


class ScaledPool(SlottedPool):
    """As `SlottedPool`, but only `scale_to` starts instances and takes them away.

    An instance that is started while calls wait was started by a miss: the first that it serves is cold if it waited.
    It bears the name, and takes the draws, of the first of them for which none was started before, if there is one. An
    instance that is taken away while it is busy drains: it serves what it has and nothing more.

    Attributes:
        concurrency: requests an instance serves at a time.
        members: the instances that start or are ready and do not drain, in order of creation, and
            whether each is ready.
        ready_members: how many of them are ready.
        wanted: how many there should be.
        meter: its load.
        pokes: whether the scaler is asked now that a call waits.
        poke: asks it.
        note: is told that an instance has gone because its window or its life was over.
        wake: is told that an instance has gone, or will never come.
        least: members that stay however long they idle.
        bypassed: whether calls go past the queue now, as its scaler has it; only a `BypassedPool` heeds it.
    """

    bypassed = False

    def __init__(self, *components: Any, **options: Any) -> None:
        """Those of `SlottedPool`."""
        super().__init__(*components, **options)
        self.keeper = self.meter = Headcount()
        self.members: dict[SlottedInstance, bool] = {}
        self.ready_members = self.wanted = 0
        self.concurrency = self._concurrency
        self.poke: Told = _nobody
        self.note: Told = _nobody
        self.wake: Told = _nobody
        self.pokes: Callable[[ScaledPool], bool] = POKES["at_zero"]
        self.least = 0

    def obey(self, policy: Scaling, poke: Told, note: Told, wake: Told) -> None:
        """What `policy` says of all its units."""
        self.poke, self.note, self.wake = poke, note, wake
        self.pokes, self.least = POKES[policy.poked], policy.least
        sees_seconds = policy.needs_seconds and not policy.sleeps_unless_calls_wait
        self.keeper = self.meter = (Meter if sees_seconds else Headcount)(policy.idle_s)

    def wait(self, call: WaitingCall, now_s: float) -> None:
        """A call comes that has no slot."""
        super().wait(call, now_s)
        if not call.over and self.pokes(self):
            self.poke(self)

    def scale_to(self, wanted: int) -> None:
        """Start instances, or take some away, until there are `wanted`, or no more room."""
        while len(self.members) > wanted:
            self._dismiss(self._first_to_go())
        if len(self.members) < wanted:
            unanswered = iter([call for call in self.queue.values() if not call.has_started_one])
            while len(self.members) < wanted and self._add(next(unanswered, None)) is not None:
                pass

    def _add(self, call: WaitingCall | None) -> SlottedInstance | None:
        return self.prewarm(self._calendar._now + self.meter.idle_s) if call is None else self.start(call)

    def add_ready(self, number: int) -> None:
        """Instances that have been there since before the run."""
        for _ in range(number):
            self.prewarm(self.meter.idle_s, ready_now=True)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self.queue)

    def pods(self, now_s: float) -> tuple[PodLoad, ...]:
        """What a scaler sees of each member: nothing, unless the pool is a `MeteredPool`."""
        return ()

    def queued(self) -> tuple[Sequence[float], Sequence[float]]:
        """What a scaler sees of requests, see `Load`: nothing, unless the pool is a `WatchedPool`."""
        return (), ()

    def _first_to_go(self) -> SlottedInstance:
        """The youngest that is not ready, else the youngest, as a Kubernetes ReplicaSet chooses; busy or not."""
        newest_first = list(reversed(self.members))
        return next((each for each in newest_first if each.state == STARTING), newest_first[0])

    def _dismiss(self, instance: SlottedInstance) -> None:
        now_s = self._calendar._now
        self._no_member(instance)
        if instance.state == IDLE:
            instance.until_s = now_s
            self.reclaim(instance, now_s)
        elif instance.state == BUSY:
            instance.retire_s = now_s
            self._withdraw(instance)
        else:
            self._no_longer_starts(instance)
            instance.callbacks = []  # its start leads to nothing
            instance.cancel()
            self._ledger.start_failed(instance.line, now_s, awaited=False)
            self._gone(instance, now_s)

    def _serves_at_its_end(self, instance: SlottedInstance) -> bool:
        """See `SlottedPool`; not one that drains, and nobody is served before those who wait."""
        return instance in self.members and not self.queue

    def _launch(self, function: int, number: int, start: Start) -> SlottedInstance:
        instance = super()._launch(function, number, start)
        self.members[instance] = False
        return instance

    def _launch_unasked(self, function: int, *, ready_now: bool = False, held: bool = False) -> SlottedInstance:
        instance = super()._launch_unasked(function, ready_now=ready_now, held=held)
        instance.by_call = len(self.queue) > 0
        return instance

    def reclaim(self, instance: SlottedInstance, now_s: float) -> None:
        """See `SlottedPool`; the last ones stay, unless their life is over."""
        if len(self.members) <= self.least and instance in self.members and now_s < instance.retire_s:
            instance.expiry_s = instance.until_s = instance.retire_s
            if instance.retire_s == inf:
                return
        before = len(self.members)
        super().reclaim(instance, now_s)
        if len(self.members) < before:
            self.note(self)
            self.wake(self)

    def fail(self, instance: SlottedInstance) -> None:
        """See `SlottedPool`."""
        super().fail(instance)
        self.wake(self)

    def ready(self, instance: SlottedInstance) -> None:
        """See `SlottedPool`."""
        self.members[instance] = True
        self.ready_members += 1
        super().ready(instance)

    def _gone(self, instance: SlottedInstance, now_s: float) -> None:
        self._no_member(instance)
        super()._gone(instance, now_s)

    def _no_member(self, instance: SlottedInstance) -> None:
        self.ready_members -= self.members.pop(instance, False)

    def close(self) -> None:
        """Note what is still idle when the run is over."""
        if self.queue:
            raise PolicyError(
                f"{len(self.queue)} calls wait for ever, the first of them row {next(iter(self.queue))}: the policy"
                " wants no instance for them"
            )
        super().close()


POKES: Final[Mapping[str, Callable[[ScaledPool], bool]]] = MappingProxyType(
    {
        "at_zero": lambda pool: not pool.members,
        "when_queue_forms": lambda pool: len(pool.queue) == 1,
        "at_miss": lambda pool: pool.starting_slots < len(pool.queue),
    }
)
"""See `Scaling.poked`."""
