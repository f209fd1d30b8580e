"""Cloud Run's scaling: the load of the last minute, requests that wait, and instances that idle for long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import fsum, inf
from typing import ClassVar

from sim.core import checks
from sim.policies.scaling.recent import RecentSeconds, instances_for, require_whole_seconds
from sim.policies.scaling.role import Load, Poked, Scaler, Scaling, Unit


@dataclass(frozen=True)
class CloudRunScaling(Scaling):
    """Google Cloud Run: enough instances for a share of what they can serve, and one more whenever a request waits.

    Every `tick_s` there are to be at least as many instances as bring the requests in flight, averaged over the last
    `window_s`, to `target_concurrency` of what the instances can serve, and the cores that were used, averaged alike,
    to `target_cpu` of what they have. A request that waits while no slot starts for it starts one at once. An instance
    goes when it has idled for `idle_s`, but `min_instances` stay.

    Source: Cloud Run, about instance autoscaling: the shares, the minute, requests that wait and the idle time; 5 s
    between decisions are those of an older revision of that page. A request waits for 3.5 mean start-ups or 10 s at
    most (the greater of them: unverified); give the platform ``max_wait_s`` for that. Not modelled: limits of its own
    on the rate of new instances.

    Attributes:
        target_concurrency: share of an instance's concurrency.
        target_cpu: share of an instance's cores.
        window_s: whole seconds over which load is averaged.
        min_instances: instances of each function that are always there, ready when the trace begins.
        max_instances: instances of each function at most.
        idle_s: seconds that an instance idles before it goes; 10 minutes with GPUs.
        queue_depth: calls of a function that may wait.
        tick_s: seconds between decisions.
    """

    poked: ClassVar[Poked] = "at_miss"
    needs_pods: ClassVar[bool] = True
    target_concurrency: float = 0.6
    target_cpu: float = 0.6
    window_s: float = 60.0
    min_instances: int = 0
    max_instances: int = 100
    idle_s: float = 900.0
    queue_depth: float = inf
    tick_s: float = 5.0

    def __post_init__(self) -> None:
        checks.number("CloudRunScaling: target_concurrency", self.target_concurrency, above=0, high=1)
        checks.number("CloudRunScaling: target_cpu", self.target_cpu, above=0, high=1)
        require_whole_seconds(self, "window_s")
        checks.whole("CloudRunScaling: min_instances", self.min_instances, low=0)
        checks.whole("CloudRunScaling: max_instances", self.max_instances, low=max(1, self.min_instances))
        checks.number("CloudRunScaling: idle_s", self.idle_s, low=0, finite=False)
        checks.whole("CloudRunScaling: queue_depth", self.queue_depth, low=1, or_infinity=True)
        checks.number("CloudRunScaling: tick_s", self.tick_s, above=0)

    @property
    def least(self) -> int:  # type: ignore[override]  # another name for it
        """`min_instances`."""
        return self.min_instances

    def at_start(self) -> int:
        """`min_instances`."""
        return self.min_instances

    def scaler(self, unit: Unit) -> CloudRunScaler:
        """The scaler of one service."""
        return CloudRunScaler(self, unit)


class CloudRunScaler(Scaler):
    """The scaler of one service, and its load of the last minute."""

    def __init__(self, policy: CloudRunScaling, unit: Unit) -> None:
        self._policy, self._unit = policy, unit
        self._in_flight = RecentSeconds(int(policy.window_s))
        self._core_s: deque[tuple[float, float]] = deque()  # up to a tick, used since the one before
        self._known: dict[int, float] = {}  # of each instance, up to the last tick

    def wanted(self, load: Load) -> int | None:
        """What the last minute needs, if that is more than there are."""
        policy, unit = self._policy, self._unit
        self._in_flight.add(load.since, load.concurrency)
        by_concurrency = self._in_flight.total / policy.window_s, policy.target_concurrency * unit.concurrency
        by_cpu = self._cores(load), policy.target_cpu * unit.cores
        needed = max(policy.min_instances, instances_for(*by_concurrency), instances_for(*by_cpu))
        self.why = "load of the last minute"
        return self._more(load, needed)

    def _cores(self, load: Load) -> float:
        """Cores used on the average of the window."""
        window_s, used = self._policy.window_s, {pod.name: pod.core_s(self._unit) for pod in load.pods}
        self._core_s.append((load.now_s, fsum(used[name] - self._known.get(name, 0.0) for name in used)))
        self._known = used
        while self._core_s[0][0] <= load.now_s - window_s:
            self._core_s.popleft()
        return fsum(core_s for _, core_s in self._core_s) / window_s

    def poked(self, load: Load) -> int | None:
        """One more: nothing starts for a request that waits."""
        return self._more(load, load.instances + 1)

    def _more(self, load: Load, needed: int) -> int | None:
        possible = min(needed, self._policy.max_instances)
        return possible if possible > load.instances else None

    @property
    def remembers(self) -> bool:
        """Whether some instances are to be there always: those whose life is over are replaced."""
        return self._policy.min_instances > 0
