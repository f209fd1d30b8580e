"""The ping warmer: a user's trick, calls that only keep instances warm."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.demands import Pings
from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class PingWarmer(KeepAlive):
    """Call every function every so often, so that the platform's window never runs out.

    Pings are calls of their own kind: never among the invocations, always in memory-time and cost. One ping keeps one
    instance; `pings` at once keep as many. This is what warm-up plug-ins of deployment tools do.

    Attributes:
        period_s: seconds from one ping to the next, the first at time 0.
        window_s: the platform's keep-alive window, seconds.
        ping_s: seconds that a ping runs.
        pings: how many are sent at once.
    """

    period_s: float = 300.0
    window_s: float = 600.0
    ping_s: float = 0.005
    pings: int = 1

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s)
        self.calls()

    def windows_s(self, future: Trace | None) -> float:
        """The platform's window."""
        return float(self.window_s)

    def calls(self) -> Pings:
        """The pings."""
        return Pings(self.period_s, self.ping_s, self.pings)
