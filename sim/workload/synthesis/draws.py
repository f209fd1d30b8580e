"""Draws that come out the same, to the bit, with any numpy on any processor.

A recipe must make the same columns anywhere, but `log`, `exp` and `pow` differ in the last digit between libraries and
processors. So those are used for tables alone, whose entries are then rounded to six digits; whatever is done to each
call is `Generator.random`, comparisons and one arithmetic operation at a time, which IEEE 754 fixes, and sums that
could be taken in different orders are taken exactly. How many calls a random process makes is a whole number, and so
does not depend on last digits either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.core.distributions import Distribution, look_up, poisson_quantile

FloatArray = npt.NDArray[np.float64]
WholeArray = npt.NDArray[np.int64]

DIGITS = 6
_BELOW_ONE = 1.0 - 2.0**-53


def rounded(values: npt.ArrayLike) -> FloatArray:
    """The values to `DIGITS` significant digits: no library's last bit is left in them."""
    return np.array([float(f"{value:.{DIGITS}g}") for value in np.asarray(values, np.float64)], np.float64)


def rounded_table(distribution: Distribution) -> FloatArray:
    """A distribution's inverse-CDF table for `look_up`, rounded."""
    return rounded(distribution.table)


def quantiles(distribution: Distribution, u: FloatArray) -> FloatArray:
    """Values at uniforms in [0, 1) by the rounded table."""
    return look_up(rounded_table(distribution), u)


def poisson_count(mean: float, random: np.random.Generator) -> int:
    """A Poisson number of the given mean, by inverse CDF: a last digit would only matter to a uniform within 1e-15."""
    return int(poisson_quantile(random.random(), mean))


def shuffled(count: int, random: np.random.Generator) -> WholeArray:
    """The numbers 0 to count - 1 in random order."""
    return np.argsort(random.random(count), kind="stable").astype(np.int64)


def stratified(count: int, random: np.random.Generator) -> FloatArray:
    """Uniforms in [0, 1), one in each of `count` equal parts, in random order.

    A few hundred of them follow a distribution far more closely than as many independent draws would.
    """
    return np.minimum((shuffled(count, random) + random.random(count)) / count, _BELOW_ONE)


def choose(u: FloatArray, shares: Sequence[float]) -> WholeArray:
    """The choice that each uniform in [0, 1) falls on, choices having the given shares (which add up to 1)."""
    edges = np.cumsum(np.asarray(shares, np.float64))
    return np.minimum(np.searchsorted(edges, u, "right"), len(edges) - 1).astype(np.int64)


def apportion(total: int, weights: FloatArray, least: int = 0) -> WholeArray:
    """Whole numbers that add up to `total`, in proportion to the weights as nearly as can be, each at least `least`.

    Largest remainders (Hamilton's method); of equal remainders the earlier entry is served first.
    """
    spare = total - least * weights.size
    exact = weights * (spare / math.fsum(weights.tolist()))
    parts = np.floor(exact).astype(np.int64)
    first = np.argsort(parts - exact, kind="stable")[: max(spare - int(parts.sum()), 0)]
    parts[first] += 1
    return parts + least


def log_interpolated(u: Any, probabilities: Sequence[float], values: Sequence[float]) -> FloatArray:
    """Quantiles that are straight lines between points on a logarithmic axis; for some hundreds of values."""
    return rounded(np.exp(np.interp(u, probabilities, np.log(values))))


def ranked(values: npt.NDArray[Any], likeness: float, random: np.random.Generator) -> FloatArray:
    """Numbers (i + 0.5) / n, one for each value, that rise with the values as far as `likeness` says.

    Args:
        values: what to follow.
        likeness: 1 for the order of the values, 0 for any order, between them a mixture of both.
        random: what the other part of the order is drawn from.
    """
    count = values.size
    rank = np.empty(count)
    rank[np.argsort(values, kind="stable")] = np.arange(count) / max(count, 1)
    mixed = likeness * rank + (1.0 - likeness) * random.random(count)
    result = np.empty(count)
    result[np.argsort(mixed, kind="stable")] = (np.arange(count) + 0.5) / max(count, 1)
    return result
