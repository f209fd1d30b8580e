"""The protocol of the scaling role: how many instances a unit has, decided by a control loop from metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from sim.core.errors import PolicyError
from sim.core.time import next_multiple_s
from sim.policies.keepalive.role import KeepAlive
from sim.policies.scaling.future import Future
from sim.workload.trace import Trace

Poked: TypeAlias = Literal["at_zero", "when_queue_forms", "at_miss"]


@dataclass(frozen=True)
class Unit:
    """What a scaler is made for: a function, or with isolation by app an app.

    Attributes:
        concurrency: requests an instance serves at a time.
        triggers: of its functions.
        cores: of an instance.
        cpu_share: cores that a request asks for while it runs; of an app, those of its first function.
        memory_mb: memory of an instance, MB.
        future: its calls, if the policy declares `needs_future` and it has any; else None.
    """

    concurrency: int
    memory_mb: float = 128.0
    triggers: frozenset[str] = frozenset()
    cores: float = 1.0
    cpu_share: float = 1.0
    future: Future | None = field(default=None, repr=False, compare=False)


class PodLoad(NamedTuple):
    """What a scaler that asks for it sees of one instance, which starts or is ready and does not drain.

    Attributes:
        name: of the instance; no other of its unit ever has it.
        created_s: seconds, when its start began.
        ready_s: seconds, when it became ready; None: not yet.
        running: requests that it serves.
        levels_s: seconds since it was ready in which it served just 1, just 2, ... requests, up to the most it ever
            did.
        begun: requests that it has begun since it was ready.
    """

    name: int
    created_s: float
    ready_s: float | None
    running: int
    levels_s: tuple[float, ...]
    begun: int = 0

    def core_s(self, unit: Unit) -> float:
        """Core-seconds that they have used since it was ready: what all ask for, and never more than there is."""
        used = (min(requests * unit.cpu_share, unit.cores) for requests in range(1, len(self.levels_s) + 1))
        return sum(cores * level_s for cores, level_s in zip(used, self.levels_s, strict=True))

    @property
    def request_s(self) -> float:
        """Request-seconds since it was ready."""
        return sum(requests * level_s for requests, level_s in enumerate(self.levels_s, 1))


class Load(NamedTuple):
    """What a scaler sees of its unit at a tick; everything of the time before it, nothing of what comes.

    Attributes:
        now_s: seconds, the tick.
        ready: instances that are ready and stay.
        starting: instances that are not ready yet.
        in_flight: requests that run or wait.
        waiting: those of them that wait.
        since: the whole second that the two lists begin with.
        concurrency: requests in flight, on the average of each whole second since the last tick, if the policy
            `needs_seconds`.
        arrivals: requests that came in each of them, if it does.
        pods: instances that start or are ready and stay, in order of creation, if the policy `needs_pods`.
        waiting_since_s: when each of the waiting requests came, in that order, if the policy `needs_queue`.
        durations_s: how long each of the last ten requests ran that have ended, if the policy `needs_queue`.
    """

    now_s: float
    ready: int
    starting: int
    in_flight: int
    waiting: int
    since: int
    concurrency: Sequence[float]
    arrivals: Sequence[int]
    pods: Sequence[PodLoad] = ()
    waiting_since_s: Sequence[float] = ()
    durations_s: Sequence[float] = ()

    @property
    def instances(self) -> int:
        """Those that are ready or start."""
        return self.ready + self.starting


class Scaler(ABC):
    """Decides for one unit; it holds what it remembers from tick to tick.

    Attributes:
        why: the reason of the last decision, in a word or two: for the log.
        rests: whether it need not be asked again before an instance has gone by itself, or a request waits as the
            policy's `poked` has it; as long as there are as many as it wanted.
        bypasses: whether calls go to any ready instance from now on, and wait in it if need be, where the policy
            `may_bypass` the queue.
    """

    why: str = ""
    bypasses: bool = False
    rests: bool = False

    @abstractmethod
    def wanted(self, load: Load) -> int | None:
        """How many instances there should be, draining ones apart; None: as many as there are.

        It is asked at every tick while the unit has an instance or a request, or it `remembers` something; where the
        policy `sleeps_unless_calls_wait`, while one does.
        """

    @abstractmethod
    def poked(self, load: Load) -> int | None:
        """The same, between ticks: a request waits, and it is as the policy's `poked` has it. No seconds are seen."""

    @property
    def remembers(self) -> bool:
        """Whether a tick would still matter if there were neither instances nor requests."""
        return False


class Scaling(KeepAlive):
    """A policy that says how many instances there are, and so how long idle ones stay; calls start none themselves.

    It is a value, like every policy, and makes a `Scaler` for each unit of a run. Calls wait in one queue a unit, first
    come, first served, until an instance has a free slot.

    Attributes:
        needs_seconds: whether its scalers look at single seconds; without, a call costs less.
        needs_pods: whether they look at single instances.
        needs_queue: whether they look at single requests.
        poked: when they are asked between ticks, because a request waits: if there is no instance, nor one starting
            (``at_zero``); if no other waits (``when_queue_forms``); or if more wait than slots start (``at_miss``).
        may_bypass: whether they may have calls go past the queue, straight to instances (`Scaler.bypasses`).
        sleeps_unless_calls_wait: whether they need no tick while no request waits; they see no seconds.
        idle_s: seconds after which an idle instance goes by itself, unless `least` are left; infinity: it does not.
        least: instances that stay; the user pays for them from the start as for provisioned ones.
        tick_s: seconds between decisions.
        queue_depth: calls of a unit that may wait; further ones are rejected.
        pod_queue_depth: calls that may wait in an instance, for each that it serves at a time; others are rejected.
    """

    needs_seconds: ClassVar[bool] = True
    needs_pods: ClassVar[bool] = False
    needs_queue: ClassVar[bool] = False
    may_bypass: ClassVar[bool] = False
    poked: ClassVar[Poked] = "at_zero"
    sleeps_unless_calls_wait: ClassVar[bool] = False
    idle_s: float = inf
    least: int = 0
    tick_s: float
    queue_depth: float = inf
    pod_queue_depth: float = inf

    @abstractmethod
    def scaler(self, unit: Unit) -> Scaler:
        """The scaler of a unit, before the first call."""

    def at_start(self) -> int:
        """Instances of every unit that are ready when the trace begins."""
        return 0

    def next_tick_s(self, now_s: float) -> float:
        """When scalers are asked next: at multiples of `tick_s`."""
        return next_multiple_s(now_s, self.tick_s)

    def windows_s(self, future: Trace | None) -> float:
        """Instances stay until the scaler takes them away, or `idle_s`."""
        return self.idle_s


def checked_wanted(name: str, answer: object) -> int | None:
    """What the scaler of a policy called `name` answers, refused if no platform can apply it.

    Raises:
        PolicyError: neither a whole number >= 0 nor None.
    """
    if answer is None:
        return None
    if isinstance(answer, bool) or not isinstance(answer, int) or answer < 0:
        raise PolicyError(f"{name} wants {answer!r} instances: that must be a whole number >= 0, or None")
    return answer


def checked_next_tick_s(policy: Scaling, now_s: float) -> float:
    """The policy's next tick, refused if it is no later time.

    Raises:
        PolicyError: it is not a number of seconds after `now_s`.
    """
    at_s = policy.next_tick_s(now_s)
    if not now_s < at_s < inf:
        raise PolicyError(f"{type(policy).__name__}.next_tick_s({now_s!r}) must be a later time, not {at_s!r}")
    return at_s
