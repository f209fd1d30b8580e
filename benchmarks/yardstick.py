"""What benchmarks are held against, and how they are measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import simpy

import sim

Row = tuple[str, str, str]
"""What it is, what was measured, the ratio."""
WINDOW_S = 600.0
NO_START = sim.Platform(start_s=0.0)


def bare_loop(calls: int) -> float:
    """Seconds for one process with one timeout a request."""

    def request(env: simpy.Environment) -> Iterator[simpy.Event]:
        yield env.timeout(1.0)

    def source(env: simpy.Environment, gaps: list[float]) -> Iterator[simpy.Event]:
        for gap in gaps:
            yield env.timeout(gap)
            env.process(request(env))

    env = simpy.Environment()
    env.process(source(env, np.random.default_rng(1).exponential(0.1, calls).tolist()))
    begin = time.perf_counter()
    env.run()
    return time.perf_counter() - begin


def poisson(functions: int, calls: int, rate: float, service_s: float) -> sim.Trace:
    """Equally popular functions, each called `rate` times a second."""
    rng = np.random.default_rng(2)
    arrival_s = np.cumsum(rng.exponential(1 / (functions * rate), calls))
    function = rng.integers(0, functions, calls) if functions > 1 else np.zeros(calls, np.int64)
    function[:functions] = np.arange(functions)  # each is called at least once
    return sim.Trace.from_arrays(function, arrival_s, np.full(calls, service_s))


def alternate(rounds: int, one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float, float]:
    """Medians of two timings and of their ratio one / other, measured in turn."""
    pairs = [(one(), other()) for _ in range(rounds)]
    return (*(statistics.median(p[i] for p in pairs) for i in (0, 1)), statistics.median(a / b for a, b in pairs))


def cost(ratio: float, most: float) -> str:
    return f"{ratio:.2f} (at most {most})"
