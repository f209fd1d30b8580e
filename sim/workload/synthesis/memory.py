"""How much memory apps have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.core.distributions import Distribution
from sim.workload import checks
from sim.workload.synthesis.draws import FloatArray, rounded, stratified


@dataclass(frozen=True)
class Memory(Distribution):
    """Burr type XII over apps, in MB: P(memory <= m) = 1 - (1 + (m / scale_mb) ** c) ** -k.

    Defaults: the fit to the average allocated memory of Azure's apps (Shahrad et al., USENIX ATC 2020, section 3.4).
    """

    c: float = 11.652
    k: float = 0.221
    scale_mb: float = 107.083

    def __post_init__(self) -> None:
        for name in ("c", "k", "scale_mb"):
            checks.number(name, getattr(self, name), above=0.0)

    def quantile(self, p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Memory in MB at probabilities in (0, 1)."""
        return np.asarray(self.scale_mb * ((1.0 - p) ** (-1.0 / self.k) - 1.0) ** (1.0 / self.c), np.float64)


def app_mb(memory: Distribution, apps: int, random: np.random.Generator) -> FloatArray:
    """The memory of each app, in MB, by a distribution over apps."""
    return rounded(memory.quantile(np.maximum(stratified(apps, random), 2.0**-53)))
