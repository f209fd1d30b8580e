"""Distributions of times, drawn by inverse CDF through a table.

`pow`, `log` and `exp` differ in the last digit between libraries, so a distribution is tabulated once and the table,
not the formula, is what every engine draws from: value(u) = t[i] + (t[i+1] - t[i]) * (u * N - i), i = floor(u * N).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, pdtr, pdtrik

from sim.core.errors import ConfigError

CELLS: Final = 4096
"""Cells of an inverse-CDF table; the two ends stand at half a cell, so tails are cut at p = 1/8192 and 1 - 1/8192."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Distribution(ABC):
    """A distribution of a non-negative quantity; its unit is that of its parameters (seconds, unless said)."""

    @abstractmethod
    def quantile(self, p: FloatArray) -> FloatArray:
        """The inverse CDF at probabilities in (0, 1)."""

    @cached_property
    def table(self) -> FloatArray:
        """float64[CELLS + 1]: quantiles at i / CELLS, the ends at half a cell."""
        p = np.arange(CELLS + 1) / CELLS
        p[0], p[-1] = 0.5 / CELLS, 1.0 - 0.5 / CELLS
        values = np.ascontiguousarray(self.quantile(p), np.float64)
        values.flags.writeable = False
        return values

    @property
    def is_random(self) -> bool:
        """Whether two draws can differ."""
        return bool(self.table[0] != self.table[-1])


def look_up(table: FloatArray, u: FloatArray) -> FloatArray:
    """Values of a table made by `Distribution.table` at uniforms in [0, 1), elementwise."""
    position = u * CELLS
    cell = position.astype(np.int64)
    low = table[cell]
    return np.asarray(low + (table[cell + 1] - low) * (position - cell), np.float64)


def poisson_quantile(u: npt.ArrayLike, mean: npt.ArrayLike) -> IntArray:
    """Poisson numbers by inverse CDF: the smallest k >= 0 with P(X <= k) >= u.

    The numbers are those of ``scipy.stats.poisson.ppf``, whose import takes as long as that of all else together.

    Args:
        u: probabilities in [0, 1).
        mean: of the distributions, finite and >= 0; broadcast with `u`.

    Returns:
        int64, of the common shape.
    """
    most = np.ceil(pdtrik(u, mean))  # rounding can carry a whole number to the next one
    less = np.maximum(most - 1, 0)
    return np.asarray(np.where(pdtr(less, mean) >= u, less, most), np.int64)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`."""

    value: float

    def __post_init__(self) -> None:
        _require(0 <= self.value < np.inf, f"value must be a finite number >= 0, not {self.value}")

    def quantile(self, p: FloatArray) -> FloatArray:
        """`value` everywhere."""
        return np.full(p.shape, float(self.value))


@dataclass(frozen=True)
class LogNormal(Distribution):
    """Log-normal by its median and its 99th percentile, the two figures that measurements publish."""

    median: float
    p99: float

    def __post_init__(self) -> None:
        _require(0 < self.median < np.inf, f"median must be a finite number > 0, not {self.median}")
        _require(self.median <= self.p99 < np.inf, f"p99 must be finite and >= median, not {self.p99}")

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return float(np.log(self.p99 / self.median) / ndtri(0.99))

    def quantile(self, p: FloatArray) -> FloatArray:
        """Exp of the normal quantile."""
        return np.asarray(self.median * np.exp(self.sigma * ndtri(p)), np.float64)


@dataclass(frozen=True)
class Exponential(Distribution):
    """Exponential by its mean."""

    mean: float

    def __post_init__(self) -> None:
        _require(0 < self.mean < np.inf, f"mean must be a finite number > 0, not {self.mean}")

    def quantile(self, p: FloatArray) -> FloatArray:
        """-mean ln(1 - p)."""
        return np.asarray(-self.mean * np.log1p(-p), np.float64)


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Piecewise-linear inverse CDF through given (probability, value) points, from 0 to 1."""

    probabilities: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        p, v = np.asarray(self.probabilities, float), np.asarray(self.values, float)
        _require(
            p.shape == v.shape and p.size >= 2, "probabilities and values must be lists of equal length, 2 or more"
        )
        _require(p[0] == 0 and p[-1] == 1, "probabilities must run from 0 to 1")
        _require(bool(np.all(np.diff(p) > 0)), "probabilities must rise")
        _require(bool(np.all(np.isfinite(v)) and v[0] >= 0), "values must be finite and >= 0")
        _require(bool(np.all(np.diff(v) >= 0)), "values must not fall")

    def quantile(self, p: FloatArray) -> FloatArray:
        """Straight lines between the points."""
        return np.interp(p, self.probabilities, self.values)
