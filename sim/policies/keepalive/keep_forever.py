"""Keep forever: the lower bound of cold starts under unlimited capacity, and the upper bound of waste."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.policies.keepalive.role import KeepAlive
from sim.workload.trace import Trace


@dataclass(frozen=True)
class KeepForever(KeepAlive):
    """Never reclaim an idle instance; the "no unloading" policy of Shahrad et al. (USENIX ATC 2020, section 5)."""

    def windows_s(self, future: Trace | None) -> float:
        """Infinity."""
        return math.inf
