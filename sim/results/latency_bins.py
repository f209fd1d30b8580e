"""A histogram of latencies that adds up: percentiles within 0.4 % without keeping a number a call.

Bins are those of float64 by its first bits: 128 to each doubling, from 2**-20 s (0.95 µs) up to 2**24 s (194 days). A
bin's middle is within 1/256 of whatever is in it. What is shorter is in the first bin, which stands for 0, and what is
longer in the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, nan
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.results.columns import CHUNK

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SHIFT: Final = 45
LOWEST: Final = (int(np.float64(2.0**-20).view(np.int64)) >> SHIFT) - 1
COUNT: Final = (int(np.float64(2.0**24).view(np.int64)) >> SHIFT) - LOWEST
"""Number of bins; a latency is in the one of its bits, shifted, less `LOWEST`, or in the nearest that there is."""
ERROR: Final = 1 / 256
"""Of a percentile, relative, at most, between the two limits."""


def empty() -> IntArray:
    """int64[COUNT]: a histogram of nothing."""
    return np.zeros(COUNT, np.int64)


def of(latency_s: FloatArray) -> IntArray:
    """int64[COUNT]: the histogram of latencies >= 0."""
    bins = empty()
    for first in range(0, latency_s.size, CHUNK):
        places = (latency_s[first : first + CHUNK].view(np.int64) >> SHIFT) - LOWEST
        bins += np.bincount(np.clip(places, 0, COUNT - 1), minlength=COUNT)
    return bins


def quantiles(bins: IntArray, shares: Sequence[float]) -> list[float]:
    """Quantiles by linear interpolation between order statistics (type 7), each taken for its bin's middle; seconds.

    Args:
        bins: int64[COUNT]
        shares: in [0, 1].

    Returns:
        A number a share; NaN if the histogram is empty.
    """
    below, last = np.cumsum(bins), int(bins.sum()) - 1
    if last < 0:
        return [nan] * len(shares)
    middle_s = _middles_s()

    def ranked(rank: int) -> float:
        return float(middle_s[np.searchsorted(below, rank, "right")])

    found = []
    for share in shares:
        place = last * share
        low, high = ranked(floor(place)), ranked(min(floor(place) + 1, last))
        found.append(low + (high - low) * (place - floor(place)))
    return found


def _middles_s() -> FloatArray:
    edges_s: FloatArray = ((LOWEST + np.arange(COUNT + 1)) << SHIFT).view(np.float64)
    middles_s = edges_s[:-1] + (edges_s[1:] - edges_s[:-1]) / 2
    middles_s[0] = 0.0
    return middles_s
