"""Start-up times as they were measured: Huawei's table of cold starts (Joosen et al., EuroSys 2025; CC-BY 4.0).

Its four steps are four of our phases:

============ ======================== ========================================================
``schedule`` ``schedulingCost``       networking, routing and scheduling
``create``   ``podAllocationCost``    starting a pod, or choosing one of a pool
``download`` ``deployCodeCost``       downloading, extracting and deploying the code
``prepare``  ``deployDependencyCost`` fetching and loading dependencies
============ ======================== ========================================================

Each is drawn from its own measured distribution and independently of the others: the sum has the measured mean, but the
measured spread only as far as steps were not slow together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.distributions import CELLS, Quantiles
from sim.core.errors import ConfigError
from sim.platform.startup.by_memory import ByMemoryMb
from sim.platform.startup.models import PhasedStart, StartModel
from sim.platform.startup.parts import Affine, PhaseLike
from sim.workload.readers.huawei2025.cold_starts import COSTS, read_cold_starts
from sim.workload.readers.huawei2025.pods import LARGEST_SMALL_MB

PHASES_OF: Final = dict(zip(("schedule", "create", "download", "prepare"), COSTS, strict=True))
"""Our phases, in their order, and the columns that they come from."""

By = Literal["size", "all"]
FloatArray = npt.NDArray[np.float64]


def start_model_from_cold_starts(
    path: str | Path,
    *,
    region: str | None = None,
    days: Sequence[int] | None = None,
    by: By = "size",
    lenient: bool = False,
) -> PhasedStart:
    """The start-up times of a region.

    Args:
        path: a table of cold starts, the folder of a region's, or that of the regions' folders.
        region: a folder below it, such as ``R2``.
        days: which of the files ``day_NN.csv``; all files by default.
        by: ``size`` has small pods (to 400 millicores and 256 MB, as in the paper) apart from large ones, and gives a
            function theirs by its memory; ``all`` makes no difference.
        lenient: leave out rows that cannot be used.

    Raises:
        TraceError: there are no such files, or a row is bad (with file, row and column).
    """
    measured = read_cold_starts(Path(path), region, days, lenient)
    apart = by == "size" and measured.small.any() and not measured.small.all()
    phases: dict[str, PhaseLike] = {}
    for phase, seconds in zip(PHASES_OF, measured.seconds.T, strict=True):
        if apart:
            small, large = (as_measured(seconds[rows]) for rows in (measured.small, ~measured.small))
            phases[phase] = ByMemoryMb(LARGEST_SMALL_MB, small, large)
        else:
            phases[phase] = as_measured(seconds)
    return PhasedStart(phases)


def as_measured(values: FloatArray) -> Quantiles:
    """The distribution of some measurements, as fine as any table of draws is.

    Args:
        values: float64[n], at least one, finite and >= 0.
    """
    p = np.arange(CELLS + 1) / CELLS
    inside = np.clip(p, 0.5 / CELLS, 1.0 - 0.5 / CELLS)
    return Quantiles(tuple(p.tolist()), tuple(np.quantile(values, inside).tolist()))


@dataclass(frozen=True)
class HuaweiStarts(StartModel):
    """`start_model_from_cold_starts` for configurations: the files are read when the model is first needed, and once.

    Attributes:
        path: a table of cold starts, the folder of a region's, or that of the regions' folders.
        region: a folder below it, such as ``R2``.
        days: which of the files ``day_NN.csv``; all files by default.
        by: ``size``, small and large pods apart; or ``all``.
        lenient: leave out rows that cannot be used.
    """

    path: str
    region: str | None = None
    days: Sequence[int] | None = None
    by: By = "size"
    lenient: bool = False

    def __post_init__(self) -> None:
        if self.by not in ("size", "all"):
            raise ConfigError(f"by must be size or all, not {self.by!r}")
        if not Path(self.path).exists():
            raise ConfigError(f"path: there is no {self.path}")

    @cached_property
    def model(self) -> PhasedStart:
        """The model itself; see `start_model_from_cold_starts` for what may be wrong."""
        return start_model_from_cold_starts(
            self.path, region=self.region, days=self.days, by=self.by, lenient=self.lenient
        )

    @property
    def phase_names(self) -> tuple[str, ...]:
        """See `StartModel`."""
        return tuple(PHASES_OF)

    @property
    def is_random(self) -> bool:
        """See `StartModel`."""
        return self.model.is_random

    def resolve(self, functions: pd.DataFrame) -> tuple[Affine, ...]:
        """See `StartModel`."""
        return self.model.resolve(functions)
