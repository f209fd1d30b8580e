"""Scheduled floors: more instances at the hours that need them."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.demands import Floor
from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class Scheduled(KeepAlive):
    """Keep a number of instances of every function that depends on the time of day, as scheduled scaling does.

    Attributes:
        steps: (seconds after the start of the period, instances from then on); the first at 0. By default one
            instance from 8 to 18 h.
        period_s: seconds after which the steps repeat; a day by default.
        window_s: seconds that an instance beyond them stays idle.
    """

    steps: tuple[tuple[float, int], ...] = ((0.0, 0), (28800.0, 1), (64800.0, 0))
    period_s: float = 86400.0
    window_s: float = 600.0

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s)
        self.floor()

    def windows_s(self, future: Trace | None) -> float:
        """The window of the instances beyond the floor."""
        return float(self.window_s)

    def floor(self) -> Floor:
        """The steps."""
        return Floor(self.steps, self.period_s)
