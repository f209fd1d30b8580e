"""The fixed scale: as many instances as were asked for, whatever the load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sim.core import checks
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit


@dataclass(frozen=True)
class FixedScale(Scaling):
    """Every function has the same number of instances from the start to the end; calls wait for one of them.

    A Kubernetes Deployment without an autoscaler. With ``ProvisionedFloor`` calls that find no free instance start
    further ones; here they wait.

    Attributes:
        n: instances of each function.
        queue_depth: calls of a function that may wait.
        tick_s: an instance whose life is over is replaced at the next multiple of these seconds.
    """

    needs_seconds: ClassVar[bool] = False
    n: int = 1
    queue_depth: float = 10_000
    tick_s: float = 2.0

    def __post_init__(self) -> None:
        checks.whole("FixedScale: n", self.n, low=1)
        checks.whole("FixedScale: queue_depth", self.queue_depth, low=1, or_infinity=True)
        checks.number("FixedScale: tick_s", self.tick_s, above=0)

    def at_start(self) -> int:
        """`n`."""
        return self.n

    def scaler(self, unit: Unit) -> FixedScaler:
        """The same for all."""
        return FixedScaler(self.n)


class FixedScaler(Scaler):
    """Wants as many as ever."""

    why = "fixed"
    rests = True

    def __init__(self, n: int) -> None:
        self._n = n

    def wanted(self, load: Load) -> int:
        """The number."""
        return self._n

    def poked(self, load: Load) -> int:
        """The number."""
        return self._n
