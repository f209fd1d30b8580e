"""Arrivals inside a minute: a count a minute says how many calls came, not when, so where they lie is an assumption.

- `even`: call j of k in minute m arrives at ``60.0*m + 60.0*(j + 0.5)/k``. Nothing is random.
- `uniform`: k independent uniform instants. The count is kept; this is the Poisson process *given* its count.
- `poisson`: a Poisson process of rate k a minute. The count is drawn too, with mean and variance k, so the number of
  calls differs from the trace's and from replication to replication, and a minute without calls stays without.

Minutes are numbered from the first one selected. No arrival ever reaches the next minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Uniforms = Callable[[], FloatArray]
"""Gives each call its uniform in [0, 1); not called where nothing is random."""

MINUTE_S: Final = 60.0


def even(minute: IntArray, number: IntArray, count: IntArray, _uniforms: Uniforms) -> FloatArray:
    """Seconds of calls `number` (from 0) of `count`, evenly spread over their `minute`; elementwise."""
    return np.asarray(MINUTE_S * minute + MINUTE_S * (number + 0.5) / count, np.float64)


def scattered(minute: IntArray, _number: IntArray, _count: IntArray, uniforms: Uniforms) -> FloatArray:
    """Seconds of calls that lie anywhere in their `minute`, each where its own uniform says; elementwise.

    Rounding may carry ``60.0*m + 60.0*u`` to the next minute: it is then the last instant before.
    """
    latest = np.nextafter(MINUTE_S * (minute + 1), 0.0)
    return np.asarray(np.minimum(MINUTE_S * minute + MINUTE_S * uniforms(), latest), np.float64)


KINDS: Final = {"even": even, "uniform": scattered, "poisson": scattered}
"""How calls are placed, by name; with `poisson` their number is drawn first."""
