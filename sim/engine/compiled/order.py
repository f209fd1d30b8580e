"""Order statistics of many numbers, without sorting them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from math import floor, nan
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.jit import SOURCES, entry

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BINS = 1 << 16
"""Numbers >= 0 fall into as many bins by the first bits of their float64, which rise with the number."""
SHIFT = 47


def _counter(sources: str) -> Any:
    @entry
    def count(bits: Any, counts: Any) -> None:
        """Count the numbers in each bin."""
        for i in range(bits.size if len(sources) else 0):
            counts[bits[i] >> SHIFT] += 1

    return count


def _chooser(sources: str) -> Any:
    @entry
    def choose(bits: Any, wanted: Any, found: Any) -> None:
        """Find the numbers that lie in wanted bins."""
        place = 0
        for i in range(bits.size if len(sources) else 0):
            if wanted[bits[i] >> SHIFT]:
                found[place] = bits[i]
                place += 1

    return choose


count, choose = _counter(SOURCES), _chooser(SOURCES)


def quantiles(parts: Sequence[FloatArray], shares: Sequence[float]) -> list[float]:
    """Quantiles by linear interpolation between order statistics (type 7), those of `numpy.quantile` to the bit.

    Args:
        parts: the values, float64[n] >= 0, in any order and any parts, each of which a thread of its own goes through.
        shares: in [0, 1].

    Returns:
        A number a share; NaN if there are no values.
    """
    size = sum(part.size for part in parts)
    if not size:
        return [nan] * len(shares)
    places = [(size - 1) * share for share in shares]
    ranks = sorted({rank for place in places for rank in (floor(place), min(floor(place) + 1, size - 1))})
    with ThreadPoolExecutor(len(parts)) as pool:
        found = dict(zip(ranks, _ranked([part.view(np.int64) for part in parts], ranks, pool), strict=True))
    return [_between(found, place, size - 1) for place in places]


def _ranked(parts: Sequence[IntArray], ranks: Sequence[int], pool: Executor) -> list[float]:
    """The values of some ranks, ascending, counted from 0, of what the bits of all values are."""
    sizes = list(pool.map(_counted, parts))
    size = np.sum(sizes, axis=0)
    below = np.cumsum(size)
    bins = np.searchsorted(below, ranks, "right")
    wanted = np.zeros(BINS, np.bool_)
    wanted[bins] = True

    def chosen(bits: IntArray, size: IntArray) -> IntArray:
        found = np.empty(int(size[wanted].sum()), np.int64)
        choose(bits, wanted, found)
        return found

    found = np.sort(np.concatenate(list(pool.map(chosen, parts, sizes))))
    first = np.cumsum(np.where(wanted, size, 0)) - size  # of each wanted bin among those found
    rank_in_bin = np.asarray(ranks) - (below - size)[bins]
    ranked: list[float] = found[first[bins] + rank_in_bin].view(np.float64).tolist()
    return ranked


def _counted(bits: IntArray) -> IntArray:
    size = np.zeros(BINS, np.int64)
    count(bits, size)
    return size


def _between(found: dict[int, float], place: float, last: int) -> float:
    low, high = found[floor(place)], found[min(floor(place) + 1, last)]
    share, step = place - floor(place), high - low
    return low + step * share if share < 0.5 else high - step * (1 - share)
