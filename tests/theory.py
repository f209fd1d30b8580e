"""What theory says, and whether replications agree with it.

Intervals are two-sided Student t intervals at 99.9 % over replications with seeds of their own, so that a test with its
fixed seeds says no only where there is a reason. Each must also be narrow: an interval that holds everything proves
nothing.
"""

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
from scipy import stats

import sim

CONFIDENCE = 0.999
Sampler = Callable[[np.random.Generator, int], np.ndarray]


def assert_mean(values: Sequence[float], expected: float, *, width: float, tolerance: float = 0.0) -> None:
    """The interval of the mean holds `expected`, which may err by `tolerance`; its half-width is < `width` of that."""
    n = len(values)
    mean, half = np.mean(values), stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) / sqrt(n)
    assert half < width * expected, f"half-width {half} of {mean} says too little"
    assert abs(mean - expected) <= half + tolerance, f"{mean} +- {half} is not {expected}"


def erlang_b(servers: int, load: float) -> float:
    """The share of calls that a loss system of so many servers rejects."""
    loss = 1.0
    for j in range(1, servers + 1):
        loss = load * loss / (j + load * loss)
    return loss


def poisson_calls(seed: int, rate: float, length_s: float, service: Sampler) -> sim.Trace:
    """One function called by a Poisson process for `length_s`."""
    random = np.random.default_rng(seed)
    calls = random.poisson(rate * length_s)
    arrival_s = np.sort(random.uniform(0.0, length_s, calls))
    return sim.Trace.from_arrays(np.zeros(calls, int), arrival_s, service(random, calls), horizon_s=length_s)
