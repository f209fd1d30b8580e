"""Counts that hypothesis makes, and whether what is replayed from them is what the reference says of their calls."""

from math import inf, isnan
from typing import Any

import numpy as np
import pandas as pd
from agreement import MONEY_AND_MEANS, PRICE, PROVIDER
from hypothesis import strategies as st

import sim
from sim.engine.compiled.scenario import Conditions
from sim.engine.simulate import conditions_of
from sim.platform.platform import Platform
from sim.policies import KeepAlive
from sim.results.latency_bins import ERROR
from sim.results.result import Result
from sim.results.tally import Tally
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import DurationStatistics
from sim.workload.functions import function_table

ARRIVALS, DURATIONS = ("even", "uniform", "poisson"), ("mean", "per_minute", "percentiles")
AVERAGES_S = np.array([0.0, 0.25, 1 / 3, 20.0, 75.0])
QUANTILES_S = np.array([[0.0, 0.01, 0.1, 0.2, 0.4, 2.0, 5.0], [0.0] * 7, [1 / 3] * 7, [0.0, 0, 1, 30, 60, 90, 900]])


def source(
    cells: dict[tuple[int, int], int],
    recipe: Recipe,
    *,
    functions: int | None = None,
    spans: tuple[tuple[int, int], ...] | None = None,
    timeout_s: float = inf,
    average_s: list[float] | None = None,
    shift: int = 0,
) -> CountSource:
    """Counts by (minute, function); two functions to an app, whose durations differ, by their numbers and a shift."""
    keys = sorted(cells)
    minute, function = (np.array([key[place] for key in keys], np.int32) for place in (0, 1))
    size = 1 + int(function.max(initial=-1)) if functions is None else functions
    numbers = np.arange(size)
    table = function_table(pd.DataFrame({
        "name": [f"f{i}" for i in numbers], "app": [f"a{i // 2}" for i in numbers], "timeout_s": timeout_s,
        "memory_mb": 100.0 * (1 + numbers % 3), "package_mb": 7.0 * numbers,
    }))  # fmt: skip
    average = AVERAGES_S[(numbers + shift) % AVERAGES_S.size] if average_s is None else np.array(average_s)
    by_cell = AVERAGES_S[(function + 2 * minute + shift) % AVERAGES_S.size]
    known = DurationStatistics(average, QUANTILES_S[(numbers + shift) % len(QUANTILES_S)], by_cell)
    count = np.array([cells[key] for key in keys], np.int64)
    spans = ((0, 1 + int(minute.max(initial=-1))),) if spans is None else spans
    return CountSource(function, minute, count, table, known, spans, recipe)


@st.composite
def sources(draw: st.DrawFn) -> CountSource:
    """Up to six minutes, of two days perhaps, of up to five functions; some have no calls, or some hundred a minute.

    All of it comes from one number: hypothesis, asked for each, would prefer few functions of few calls.
    """
    dice = np.random.default_rng(draw(st.integers(0, 2**24 - 1)))
    functions, minutes = (int(dice.integers(1, most, endpoint=True)) for most in (5, 6))
    most, share = dice.choice([1, 3, 40, 400]), dice.choice([0.2, 0.6, 1.0, 1.0])
    cells = {
        (m, f): int(dice.integers(1, most, endpoint=True))
        for m in range(minutes)
        for f in range(functions)
        if dice.random() < share
    }
    first = int(dice.choice([0, 1439, 20_000]))
    spans = ((first, 1), (first + 1440, minutes - 1)) if minutes > 1 and dice.random() < 0.5 else ((first, minutes),)
    recipe = Recipe(str(dice.choice(ARRIVALS)), str(dice.choice(DURATIONS)), int(dice.integers(-3, 3)))
    timeout_s, shift = dice.choice([inf, inf, 2.0]), int(dice.integers(5))
    return source(cells, recipe, functions=functions, spans=spans, timeout_s=timeout_s, shift=shift)


def run(trace: Any, policy: KeepAlive, platform: Platform, engine: str = "compiled", **options: Any) -> Result:
    options = {"price": PRICE, "provider": PROVIDER, "record": False, **options}
    return sim.simulate(trace, policy, platform, engine=engine, **options)


def conditions(trace: Any, policy: KeepAlive, platform: Platform, **options: Any) -> Conditions:
    """What `run` replays a trace under."""
    given = {"price": PRICE, "threads": 1, "seed": 0, "replication": 0, "warm_up_s": 0.0, "horizon_s": None, **options}
    return conditions_of(trace, policy, platform, engine="compiled", **given)[0]


def assert_same_tallies(one: Tally, other: Tally) -> None:
    np.testing.assert_array_equal(one.function, other.function, "function")
    for kind in ("counts", "seconds"):
        ours, theirs = getattr(one, kind), getattr(other, kind)
        assert set(ours) == set(theirs)
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name], name, strict=True)
    for name in ("charge_usd", "other_usd", "latency_bins"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name, strict=True)


def assert_same_results(ours: Result, theirs: Result, *, binned: bool = True) -> None:
    """Counts and seconds to the bit, money and means to 1e-9, percentiles as a histogram has them if `binned`."""
    money = [result.functions["user_cost_usd"] for result in (ours, theirs)]
    np.testing.assert_allclose(*money, rtol=1e-9, atol=1e-18)
    tables = [result.functions.drop(columns="user_cost_usd") for result in (ours, theirs)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    percentiles = [name for name in theirs.summary.index if name.startswith("latency_p")]
    exact = [name for name in theirs.summary.index if not name.startswith((*MONEY_AND_MEANS, "latency_p"))]
    pd.testing.assert_series_equal(ours.summary[exact], theirs.summary[exact], check_exact=True)
    rest = [name for name in theirs.summary.index if name not in percentiles]
    pd.testing.assert_series_equal(ours.summary[rest], theirs.summary[rest], rtol=1e-9, atol=1e-15)
    for name in percentiles:
        found, true = ours.summary[name], theirs.summary[name]
        within = ERROR * true + 2.0**-20 if binned else 1e-12 * true
        assert abs(found - true) <= within or (isnan(found) and isnan(true)), (name, found, true)
