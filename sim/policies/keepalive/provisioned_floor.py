"""The provisioned floor: some instances are always there, as with AWS Lambda's provisioned concurrency."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.demands import Floor
from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class ProvisionedFloor(KeepAlive):
    """Keep `n` instances of every function from the start to the end; what they cannot serve follows a window.

    They are ready at time 0, never idle out, are replaced when their life is over, and are billed at the price book's
    provisioned rates, idle or not. AWS Lambda calls it provisioned concurrency, Knative a minimum scale.

    Attributes:
        n: instances of each function.
        window_s: seconds that an instance beyond them stays idle.
    """

    n: int = 1
    window_s: float = 600.0

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s)
        self.floor()

    def windows_s(self, future: Trace | None) -> float:
        """The window of the instances beyond the floor."""
        return float(self.window_s)

    def floor(self) -> Floor:
        """`n`, always."""
        return Floor(((0.0, self.n),))
