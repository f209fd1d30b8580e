"""What calls add up to."""

from __future__ import annotations

import numpy as np

from sim.engine.compiled.draws import phase_s
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import Array, Draws, Terms
from sim.results import latency_bins
from sim.results.pricing import STEP_TOLERANCE

SHIFT, LOWEST, LAST_BIN = latency_bins.SHIFT, latency_bins.LOWEST, latency_bins.COUNT - 1


@part
def inside_s(terms: Terms, begin_s: float, end_s: float) -> float:
    """The part of an interval that lies in the measured span."""
    return min(max(end_s, terms.from_s), terms.to_s) - min(max(begin_s, terms.from_s), terms.to_s)


@part
def billed_s(terms: Terms, time_s: float) -> float:
    """Seconds that a call is billed: `sim.results.pricing.rounded_up`, without its slow `rint` and `ceil`."""
    if terms.step_s == 0.0:
        return max(terms.minimum_s, time_s)
    steps = time_s / terms.step_s
    whole = float(int(steps))
    if steps - whole > STEP_TOLERANCE * whole:
        whole += 1.0
    return max(terms.minimum_s, whole * terms.step_s)


@part
def billed_start_s(draws: Draws, function: int, k: int) -> float:
    """The seconds of a start that are billed to the call that made it."""
    total_s = 0.0
    for phase in range(draws.billed.size):
        if draws.billed[phase]:
            total_s += phase_s(draws, function, phase, k, True)
    return total_s


@part
def count_latency(bins: Array, latency_s: float) -> None:
    """Add a latency to the histogram."""
    place = (np.float64(latency_s).view(np.int64) >> SHIFT) - LOWEST
    bins[min(max(place, 0), LAST_BIN)] += 1
