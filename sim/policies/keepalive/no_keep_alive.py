"""No keep-alive: the upper bound of cold starts and the lower bound of waste."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.role import KeepAlive
from sim.workload.trace import Trace


@dataclass(frozen=True)
class NoKeepAlive(KeepAlive):
    """Reclaim an instance the moment it is idle; the same as ``FixedWindow(0)``.

    A call that arrives at the very instant another one ends still finds its instance.
    """

    def windows_s(self, future: Trace | None) -> float:
        """Zero."""
        return 0.0
