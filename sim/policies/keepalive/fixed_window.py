"""The fixed window: what every public platform did first, and the baseline of the literature."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class FixedWindow(KeepAlive):
    """Keep every idle instance for the same time.

    Attributes:
        window_s: seconds, 600 by default: OpenWhisk's idle-container timeout, and the baseline against which Shahrad et
            al. (USENIX ATC 2020, section 5) normalise wasted memory.
    """

    window_s: float = 600.0

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s)

    def windows_s(self, future: Trace | None) -> float:
        """The parameter."""
        return float(self.window_s)
