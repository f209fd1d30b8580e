"""A phase that differs with a function's memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.core.errors import ConfigError
from sim.platform.startup.parts import Affine, Phase, PhaseLike, as_phase, merged


@dataclass(frozen=True)
class ByMemoryMb(Phase):
    """One phase for small functions, another for large ones.

    Attributes:
        up_to_mb: the largest memory of a small one, itself included.
        small: what those take.
        large: what the others take.
    """

    up_to_mb: float
    small: PhaseLike
    large: PhaseLike

    def __post_init__(self) -> None:
        if isinstance(self.up_to_mb, bool | str) or not self.up_to_mb > 0:
            raise ConfigError(f"up_to_mb must be a number of MB > 0, not {self.up_to_mb!r}")
        for part in (self.small, self.large):
            as_phase(part)

    def resolve(self, functions: pd.DataFrame) -> Affine:
        """See `Phase`."""
        if "memory_mb" not in functions.columns:
            raise ConfigError("the table of functions has no column 'memory_mb'")
        small = functions["memory_mb"].to_numpy(np.float64) <= self.up_to_mb
        sides = ((small, self.small), (~small, self.large))
        chosen = [(rows, as_phase(part).resolve(functions[rows])) for rows, part in sides if rows.any()]
        return merged(len(functions), chosen)

    @property
    def is_random(self) -> bool:
        """See `Phase`."""
        return as_phase(self.small).is_random or as_phase(self.large).is_random
