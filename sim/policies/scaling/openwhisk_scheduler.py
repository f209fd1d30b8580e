"""OpenWhisk's scheduler: containers for the requests that queue, by how long the last ones ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, fsum
from typing import ClassVar

from sim.core import checks
from sim.policies.scaling.role import Load, Poked, Scaler, Scaling, Unit


@dataclass(frozen=True)
class OpenWhiskScheduler(Scaling):
    """The scheduler of OpenWhisk's second design, in which containers pull requests from a queue for each action.

    The first request of an action starts a container. Then, every `tick_s` while requests queue, those that have queued
    for `stale_s` are told from the others. Before the first request has ended, a container is added for as many stale
    requests as one takes at once, less those that are starting. Afterwards a container is taken to serve
    ``stale_s / mean duration`` times its concurrency in the time in which a request becomes stale, the mean being of
    the last ten; what the other requests need is added where there are more of them than containers and than these
    serve, and what the stale ones need. A container goes when it has idled for `pause_grace_s` and then
    `idle_timeout_s`.

    Source: apache/openwhisk 1fae641a, core/scheduler, SchedulingDecisionMaker and MemoryQueue. Not modelled: limits of
    a namespace and of an action (use the platform's `max_instances`), the invokers' memory, that the durations are
    forgotten when a queue has been idle for long, and that a request is dropped which has queued for a minute (use its
    `max_wait_s`).

    Attributes:
        stale_s: seconds after which a queued request is stale.
        pause_grace_s: seconds that an idle container runs on; 0.05 in older releases (unverified).
        idle_timeout_s: seconds that it stays paused.
        queue_depth: requests of an action that may queue.
        tick_s: seconds between decisions.
    """

    poked: ClassVar[Poked] = "when_queue_forms"
    needs_queue: ClassVar[bool] = True
    sleeps_unless_calls_wait: ClassVar[bool] = True
    stale_s: float = 0.1
    pause_grace_s: float = 10.0
    idle_timeout_s: float = 600.0
    queue_depth: float = 10_000
    tick_s: float = 0.1

    def __post_init__(self) -> None:
        for name in ("stale_s", "tick_s"):
            checks.number(f"OpenWhiskScheduler: {name}", getattr(self, name), above=0)
        for name in ("pause_grace_s", "idle_timeout_s"):
            checks.number(f"OpenWhiskScheduler: {name}", getattr(self, name), low=0, finite=False)
        checks.whole("OpenWhiskScheduler: queue_depth", self.queue_depth, low=1, or_infinity=True)

    @property
    def idle_s(self) -> float:  # type: ignore[override]  # their sum
        """Running and paused."""
        return self.pause_grace_s + self.idle_timeout_s

    def scaler(self, unit: Unit) -> OpenWhiskQueue:
        """The queue of one action."""
        return OpenWhiskQueue(self, unit)


class OpenWhiskQueue(Scaler):
    """The queue of one action; it remembers nothing."""

    def __init__(self, policy: OpenWhiskScheduler, unit: Unit) -> None:
        self._stale_s, self._slots = policy.stale_s, unit.concurrency

    def wanted(self, load: Load) -> int | None:
        """What there is, and what is added."""
        stale = sum(load.now_s - since_s >= self._stale_s for since_s in load.waiting_since_s)
        added = containers_to_add(
            load.waiting, stale, load.ready, load.starting, load.durations_s, slots=self._slots, stale_s=self._stale_s
        )
        self.why = "stale requests" if stale else "more requests"
        return load.instances + added if added else None

    def poked(self, load: Load) -> int | None:
        """The first container."""
        return None if load.instances else 1


def containers_to_add(
    queued: int,
    stale: int,
    existing: int,
    starting: int,
    durations_s: Sequence[float],
    *,
    slots: int = 1,
    stale_s: float = 0.1,
) -> int:
    """How many containers OpenWhisk's scheduler adds for an action whose queue is running and has no limit.

    Args:
        queued: requests in the queue.
        stale: those of them that have been there for `stale_s`.
        existing: containers that are ready.
        starting: containers that are not ready yet.
        durations_s: of the last requests that have ended; empty if none has.
        slots: requests that a container serves at a time.
        stale_s: seconds.
    """
    there = existing + starting
    if not there:
        return min(queued, 1)
    if not durations_s:
        return max(0, min(ceil(stale / slots) - starting, queued)) if stale else 0
    mean_s = fsum(durations_s) / len(durations_s)
    each = stale_s / mean_s * slots if mean_s > 0 else slots
    for_stale = min(ceil(stale / each), stale) - starting if stale else 0
    fresh = queued - stale
    if mean_s > 0 and fresh >= each * there and there < fresh:
        for_fresh = min(ceil(fresh / each - there), fresh - there)
        return max(0, for_fresh + for_stale)
    return max(0, for_stale)
