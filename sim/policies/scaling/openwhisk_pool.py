"""OpenWhisk's container pool: a container a request, kept for minutes, and stem cells of which it may be made."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from sim.core import checks
from sim.policies.keepalive.demands import Admission, GenericPools
from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.policies.keepalive.stem_cells import StemCells
from sim.policies.rates import Quota
from sim.workload.trace import Trace


@dataclass(frozen=True)
class OpenWhiskPool(KeepAlive):
    """Scale by the request, as OpenWhisk's invokers do: a free warm container, else a stem cell, else a new container.

    A container goes when it has run idle for `pause_grace_s` and been paused for `idle_timeout_s`. Requests of a
    namespace, which is a function's owner here, are rejected beyond `namespace_concurrency` in flight or
    `requests_per_minute`, counted from each full minute.

    Source: apache/openwhisk 1fae641a, core/invoker ContainerPool and ContainerProxy, ansible/files/runtimes.json (stem
    cells) and the limits of its default deployment; that minutes are full ones has not been verified. Not modelled,
    since it belongs to nodes: the memory of an invoker and with it eviction and its queue, and which invoker is home to
    an action.

    Attributes:
        pause_grace_s: seconds that an idle container runs on; 0.05 in older releases (unverified).
        idle_timeout_s: seconds that it stays paused.
        namespace_concurrency: requests in flight of an owner; a deployment's default is 100.
        requests_per_minute: of an owner; a deployment's default is 120.
        stem_cells: the cells of each class; their window is not used.
    """

    pause_grace_s: float = 10.0
    idle_timeout_s: float = 600.0
    namespace_concurrency: float = inf
    requests_per_minute: float = inf
    stem_cells: StemCells = field(default_factory=StemCells)

    def __post_init__(self) -> None:
        require_seconds(self, pause_grace_s=self.pause_grace_s, idle_timeout_s=self.idle_timeout_s)
        for name in ("namespace_concurrency", "requests_per_minute"):
            checks.whole(f"OpenWhiskPool: {name}", getattr(self, name), low=1, or_infinity=True)

    def windows_s(self, future: Trace | None) -> float:
        """Running and paused."""
        return float(self.pause_grace_s + self.idle_timeout_s)

    def generic_pools(self) -> GenericPools:
        """The stem cells."""
        return self.stem_cells.generic_pools()

    def admission(self) -> Admission | None:
        """The limits of a namespace, if there are any."""
        if self.namespace_concurrency == self.requests_per_minute == inf:
            return None
        calls = Quota(int(self.requests_per_minute), 60.0) if self.requests_per_minute < inf else None
        return Admission(concurrency=self.namespace_concurrency, scope="owner", calls=calls)
