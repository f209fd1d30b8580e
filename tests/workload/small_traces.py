"""Traces that hypothesis makes: recorded ones, and ones made from counts."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from sim.workload import Trace
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import DurationStatistics
from sim.workload.functions import function_table

QUANTILES = np.array([0.0, 0.01, 0.1, 0.2, 0.4, 2.0, 5.0])


def table(functions: int) -> pd.DataFrame:
    """Functions of a few apps and owners; memory differs."""
    numbers = range(functions)
    return function_table(pd.DataFrame({
        "name": [f"f{i}" for i in numbers], "app": [f"a{i // 2}" for i in numbers],
        "owner": [f"o{i // 6}" for i in numbers], "memory_mb": [128.0 * (1 + i % 3) for i in numbers],
    }))  # fmt: skip


def rows(trace: Trace) -> list[tuple[str, float, float]]:
    """Name of the function, arrival and duration of each call."""
    called = trace.functions["name"].to_numpy()[trace.function]
    return list(zip(called.tolist(), trace.arrival_s.tolist(), trace.duration_s.tolist(), strict=True))


@st.composite
def recorded(draw: st.DrawFn, least: int = 1, most: int = 30) -> Trace:
    """Calls at whole seconds of up to an hour, some functions never called; the horizon may lie behind the last."""
    functions = draw(st.integers(least, most))
    calls = draw(st.lists(
        st.tuples(st.integers(0, functions - 1), st.integers(0, 3599), st.integers(0, 100)), max_size=60
    ))  # fmt: skip
    function, arrival, duration = zip(*calls, strict=True) if calls else ((), (), ())
    return Trace.from_arrays(
        np.array(function, np.int64), arrival, duration, functions=table(functions),
        horizon_s=draw(st.sampled_from([3599.0, 3600.0, 3660.5])),
    )  # fmt: skip


@st.composite
def counted(draw: st.DrawFn, least: int = 1, most: int = 12) -> CountSource:
    """Counts of ten minutes."""
    functions = draw(st.integers(least, most))
    cells = draw(st.dictionaries(
        st.tuples(st.integers(0, 9), st.integers(0, functions - 1)), st.integers(1, 20), max_size=30
    ))  # fmt: skip
    keys = sorted(cells)
    recipe = Recipe(
        draw(st.sampled_from(["even", "uniform", "poisson"])), draw(st.sampled_from(["mean", "percentiles"])), 3
    )
    known = DurationStatistics(np.linspace(0.1, 1.0, functions), np.outer(np.ones(functions), QUANTILES))
    return CountSource(
        np.array([f for _, f in keys], np.int32), np.array([m for m, _ in keys], np.int32),
        np.array([cells[key] for key in keys], np.int64), table(functions), known, ((100, 4), (200, 6)), recipe,
    )  # fmt: skip
