"""Durations of calls from what is known of them: averages and quantiles of a function, averages of a minute.

A trace of counts publishes statistics, not calls. Four models turn them into durations, all vectorised over calls:

- `mean`: every call takes the function's average. Nothing is random.
- `per_minute`: every call takes the average of its function in its minute, where the source says it. Nothing is random.
- `percentiles`: inverse CDF, piecewise linear through the seven quantiles.
- `lognormal`: exp(mu + sigma z), fitted by least squares of the logarithms of the five inner quantiles (1, 25, 50, 75,
  99 %) on the normal quantiles z. The extremes are left out: they grow with the number of calls. A quantile of zero
  counts as half a millisecond (they are published in whole ms); a function whose inner quantiles are all equal takes
  that value always. The tail is not cut.

The Azure 2019 percentiles are of 30-second averages, so both random models spread less than the calls themselves did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]
CellArray = npt.NDArray[np.int64]
Uniforms = Callable[[], FloatArray]
Model = Callable[[IntArray, CellArray, Uniforms], FloatArray]
"""Durations in seconds of calls, given each call's function, its cell of the counts and what would give its uniform in
[0, 1)."""

PERCENTS: Final = (0, 1, 25, 50, 75, 99, 100)
"""The percentiles of a function's duration that a trace of counts keeps: those of the Azure 2019 files."""
PROBABILITIES: Final = tuple(percent / 100 for percent in PERCENTS)
_INNER: Final = slice(1, -1)
_HALF_MS: Final = 0.0005
_SMALLEST_U: Final = 2.0**-54


@dataclass(frozen=True, eq=False)
class DurationStatistics:
    """What is known of F functions' durations.

    Attributes:
        average_s: float64[F], seconds.
        quantiles_s: float64[F, 7], seconds, at the percentiles `PERCENTS`, ascending along a row.
        cell_average_s: float64[c], seconds: the average of each cell of the counts (see `CountSource`), or None.
    """

    average_s: FloatArray
    quantiles_s: FloatArray
    cell_average_s: FloatArray | None = None

    def __post_init__(self) -> None:
        for known in (self.average_s, self.quantiles_s, self.cell_average_s):
            if known is not None:
                known.flags.writeable = False

    def select(self, functions: npt.NDArray[Any] | None, cells: CellArray) -> DurationStatistics:
        """Of some functions (None for all), and of some cells of the counts, by their indices."""
        average, quantiles = self.average_s, self.quantiles_s
        if functions is not None:
            average, quantiles = average[functions], quantiles[functions]
        return DurationStatistics(
            average, quantiles, None if self.cell_average_s is None else self.cell_average_s[cells]
        )


def mean(statistics: DurationStatistics) -> Model:
    """Every call of a function takes its average."""
    return lambda function, _cell, _uniforms: statistics.average_s[function]


def per_minute(statistics: DurationStatistics) -> Model:
    """Every call takes the average of its cell, which must be known."""
    known = statistics.cell_average_s
    assert known is not None
    return lambda _function, cell, _uniforms: known[cell]


def percentiles(statistics: DurationStatistics) -> Model:
    """Piecewise-linear inverse CDF through the function's seven quantiles."""
    points = np.array(PROBABILITIES)
    width, quantiles = np.diff(points), statistics.quantiles_s

    def draw(function: IntArray, _cell: CellArray, uniforms: Uniforms) -> FloatArray:
        u = uniforms()
        cell = np.searchsorted(points, u, "right") - 1
        low = quantiles[function, cell]
        return np.asarray(low + (quantiles[function, cell + 1] - low) * ((u - points[cell]) / width[cell]))

    return draw


def lognormal(statistics: DurationStatistics) -> Model:
    """Log-normal fitted to the function's five inner quantiles (see the module)."""
    mu, sigma, constant = fit_lognormal(statistics)

    def draw(function: IntArray, _cell: CellArray, uniforms: Uniforms) -> FloatArray:
        z = ndtri(np.maximum(uniforms(), _SMALLEST_U))
        fixed = constant[function]
        return np.where(np.isnan(fixed), np.exp(mu[function] + sigma[function] * z), fixed)

    return draw


def fit_lognormal(statistics: DurationStatistics) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The fit of each function.

    Returns:
        float64[F] each: mu and sigma of the logarithm of seconds, and the value of functions that have only one (NaN
        where mu and sigma hold).
    """
    inner = statistics.quantiles_s[:, _INNER]
    z = ndtri(np.array(PROBABILITIES[_INNER]))  # symmetric, so its mean is zero and the intercept is mean(y)
    y = np.log(np.maximum(inner, _HALF_MS))
    mu, sigma = y.mean(axis=1), y @ z / (z @ z)
    one_value = inner[:, 0] == inner[:, -1]
    return mu, sigma, np.where(one_value, inner[:, 0], np.nan)


MODELS: Final[dict[str, Callable[[DurationStatistics], Model]]] = {
    "mean": mean, "percentiles": percentiles, "lognormal": lognormal, "per_minute": per_minute,
}  # fmt: skip
FIXED: Final = ("mean", "per_minute")
"""The models that draw nothing."""
