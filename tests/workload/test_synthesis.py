"""The synthesiser, and the embedded trace that its default recipe makes."""

from __future__ import annotations

import heapq
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.build import Trust, build
from sim.core.errors import ConfigError
from sim.workload import Trace, load_trace
from sim.workload.synthesis import (
    Apps,
    Bursts,
    Day,
    Durations,
    Even,
    Memory,
    OnOff,
    Packages,
    Pattern,
    Poisson,
    Popularity,
    Process,
    Synthesis,
    Timers,
    Trigger,
    draws,
)

TRACES = Path(__file__).parents[2] / "traces"


def make(recipe: Path) -> Synthesis:
    return build(yaml.safe_load(recipe.read_text("utf-8")), "recipe", Synthesis, Trust())


@pytest.fixture(scope="module")
def recipe() -> Synthesis:
    return make(TRACES / "default.recipe.yaml")


@pytest.fixture(scope="module")
def default() -> Trace:
    return load_trace(TRACES / "default")


def assert_same(one: Trace, other: Trace) -> None:
    for column in ("function", "arrival_s", "duration_s"):
        assert getattr(one, column).dtype == getattr(other, column).dtype
        assert getattr(one, column).tobytes() == getattr(other, column).tobytes(), column
    pd.testing.assert_frame_equal(one.functions, other.functions, check_exact=True)
    assert one.horizon_s == other.horizon_s
    assert dict(one.about) == dict(other.about)


# --- the embedded trace ---------------------------------------------------------------------------------------------


def test_recipe_regenerates_the_embedded_trace_bit_for_bit(recipe: Synthesis, default: Trace) -> None:
    assert_same(recipe.make(), default)


def test_no_library_s_last_digit_shows(recipe: Synthesis, default: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("exp", "log", "log1p", "cos", "interp"):
        exact = getattr(np, name)
        monkeypatch.setattr(np, name, lambda *args, exact=exact: np.nextafter(exact(*args), np.inf))
    assert_same(recipe.make(), default)


def test_size(default: Trace) -> None:
    assert sum(file.stat().st_size for file in (TRACES / "default").iterdir()) <= 4_000_000
    assert len(default) == 450_000
    assert len(default.functions) == 400
    assert default.horizon_s == 86_400.0
    assert default.arrival_s[-1] < 86_400.0
    assert default.calls_per_function.min() >= 1


@pytest.mark.parametrize("column", ["arrival_s", "duration_s"])
def test_times_lie_on_the_grid_of_a_millisecond(default: Trace, column: str) -> None:
    values = getattr(default, column)
    assert np.array_equal(values, np.round(values * 1000.0) / 1000.0)
    assert default.duration_s.min() >= 0.001
    assert default.duration_s.max() <= 600.0


def test_timers_have_exact_periods_and_phases_of_their_own(recipe: Synthesis, default: Trace) -> None:
    assert recipe.timers is not None
    seen, phases = set(), set()
    for function in np.flatnonzero(default.functions["trigger"] == "timer"):
        arrivals = default.arrival_s[default.function == function]
        gaps = set(np.diff(arrivals).tolist()) or {86_400.0}
        assert len(gaps) == 1  # equal as floats, not nearly
        period = gaps.pop()
        assert arrivals[0] < period
        assert arrivals[-1] + period >= 86_400.0
        seen.add(period)
        phases.add(arrivals[0] / period)
    assert seen == set(recipe.timers.periods_s)
    assert len(phases) > 50


def app_calls(trace: Trace) -> pd.Series:
    return pd.Series(trace.calls_per_function).groupby(trace.functions["app"]).sum().sort_values(ascending=False)


def share(trigger: str, of_calls: bool) -> Any:
    def measure(trace: Trace) -> float:
        weights = trace.calls_per_function if of_calls else np.ones(len(trace.functions))
        return float(weights[trace.functions["trigger"] == trigger].sum() / weights.sum())

    return measure


def log_average(trace: Trace) -> pd.Series:
    return np.log(pd.Series(trace.duration_s).groupby(trace.function).mean())


def gap_variation(trace: Trace) -> float:
    apps = trace.functions["app"].to_numpy()[trace.function]
    gaps = [np.diff(arrivals) for _, arrivals in pd.Series(trace.arrival_s).groupby(apps)]
    return float(np.mean([gap.size > 1 and gap.std() > gap.mean() for gap in gaps]))


def base_share(trace: Trace) -> float:
    hours = np.bincount((trace.arrival_s // 3600.0).astype(int), minlength=24)
    return float(hours.min() / hours.mean())


PUBLISHED = {  # what: (published, tolerance, measured); Shahrad et al., USENIX ATC 2020
    "apps with one function": (0.54, 0.01, lambda t: (t.functions.groupby("app").size() == 1).mean()),
    "apps with at most ten": (0.95, 0.01, lambda t: (t.functions.groupby("app").size() <= 10).mean()),
    "apps at most once an hour": (0.45, 0.04, lambda t: (app_calls(t) <= 24).mean()),
    "apps at most once a minute": (0.81, 0.02, lambda t: (app_calls(t) <= 1440).mean()),
    # the rare apps' calls do not shrink with the total, so the head's share cannot be the published one
    "calls of the top 18.6 % of apps": (0.996, 0.035, lambda t: app_calls(t).iloc[:23].sum() / len(t)),
    "functions at most three times an hour": (0.5, 0.05, lambda t: (t.calls_per_function <= 72).mean()),
    "http functions": (0.55, 0.01, share("http", of_calls=False)),
    "queue functions": (0.152, 0.005, share("queue", of_calls=False)),
    "event functions": (0.022, 0.005, share("event", of_calls=False)),
    "timer functions": (0.156, 0.005, share("timer", of_calls=False)),
    "http calls": (0.36, 0.01, share("http", of_calls=True)),
    "queue calls": (0.335, 0.01, share("queue", of_calls=True)),
    "event calls": (0.247, 0.01, share("event", of_calls=True)),
    "timer calls": (0.02, 0.005, share("timer", of_calls=True)),
    "average duration, mean log": (-0.38, 0.05, lambda t: log_average(t).mean()),
    "average duration, sd log": (2.36, 0.1, lambda t: log_average(t).std()),
    "app memory, median": (140.0, 3.0, lambda t: t.functions.groupby("app")["memory_mb"].sum().median()),
    "app memory, p90": (262.0, 8.0, lambda t: t.functions.groupby("app")["memory_mb"].sum().quantile(0.9)),
    "apps with gaps of CV > 1": (0.40, 0.03, gap_variation),
    "constant base of the load": (0.5, 0.05, base_share),
}


@pytest.mark.parametrize("what", PUBLISHED)
def test_marginals_are_the_published_ones(default: Trace, what: str) -> None:
    published, tolerance, measure = PUBLISHED[what]
    assert float(measure(default)) == pytest.approx(published, abs=tolerance)


def test_load_is_modest_and_spread(default: Trace) -> None:
    assert 1.0 < default.duration_s.sum() / default.horizon_s < 10.0
    assert default.calls_per_function.max() < 0.15 * len(default)
    minutes = np.bincount((default.arrival_s // 60.0).astype(int), minlength=1440)
    assert minutes.max() < 3.0 * minutes.mean()


def cold_starts(trace: Trace, window_s: float) -> np.ndarray:
    """By brute force: a fixed window, starts that take no time, most recently idle first."""
    cold = np.zeros(len(trace), bool)
    busy: list[list[float]] = [[] for _ in range(len(trace.functions))]
    idle: list[list[float]] = [[] for _ in range(len(trace.functions))]
    columns = (trace.function.tolist(), trace.arrival_s.tolist(), trace.duration_s.tolist())
    for row, (f, arrival, duration) in enumerate(zip(*columns, strict=True)):
        while busy[f] and busy[f][0] <= arrival:
            idle[f].append(heapq.heappop(busy[f]))
        if idle[f] and arrival <= idle[f][-1] + window_s:
            idle[f].pop()
        else:
            idle[f].clear()
            cold[row] = True
        heapq.heappush(busy[f], arrival + duration)
    return cold


def test_windows_can_be_told_apart(default: Trace) -> None:
    apps = default.functions["app"].to_numpy()[default.function]
    cold = {minutes: cold_starts(default, 60.0 * minutes) for minutes in (1, 2, 10, 60)}
    rate = {minutes: flags.mean() for minutes, flags in cold.items()}
    p75 = {minutes: pd.Series(flags).groupby(apps).mean().quantile(0.75) for minutes, flags in cold.items()}
    assert 0.005 < rate[10] < 0.05
    assert rate[1] > 1.4 * rate[2] > 2.0 * rate[10] > 4.0 * rate[60]
    assert p75[10] == pytest.approx(0.50, abs=0.05)  # published, for a week and a warm-up by app: 0.50
    assert p75[60] == pytest.approx(0.25, abs=0.10)  # published: 0.25


# --- any recipe -----------------------------------------------------------------------------------------------------

HTTP = Trigger("http", 0.7, 0.6, (Pattern(Bursts(3, 60.0), 0.5), Pattern(Even(), 0.5, base_share=0.0)), 0.5)
QUEUE = Trigger("queue", 0.2, 0.39, (Pattern(OnOff(24, 300.0), 0.5), Pattern(Poisson(), 0.5)))
TIMERS = Timers(0.1, 0.01)


def small(**changes: Any) -> Synthesis:
    parts: dict[str, Any] = {"functions": 40, "calls": 20_000, "triggers": (HTTP, QUEUE), "timers": TIMERS}
    return Synthesis(**{**parts, **changes})


@settings(max_examples=25)
@given(
    functions=st.integers(1, 60),
    calls_each=st.integers(1_500, 2_500),
    hours=st.sampled_from([0.01, 1, 1.7, 24, 30.5]),
    seed=st.integers(0, 2**70),
    timers=st.booleans(),
    likeness=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_small_recipes_make_valid_traces(
    functions: int, calls_each: int, hours: float, seed: int, timers: bool, likeness: float
) -> None:
    calls = functions * calls_each * max(1, round(hours / 24))
    triggers = (HTTP, QUEUE) if timers else (replace(HTTP, functions=0.8), QUEUE)
    trace = small(
        functions=functions, calls=calls, hours=hours, seed=seed, triggers=triggers, timers=TIMERS if timers else None,
        popularity=Popularity(large_are_busy=likeness), durations=Durations(busy_are_short=likeness),
    ).make()  # fmt: skip
    assert len(trace) == calls
    assert len(trace.functions) == functions
    assert trace.calls_per_function.min() >= 1
    assert trace.horizon_s == pytest.approx(hours * 3600.0)
    assert np.all(np.diff(trace.arrival_s) >= 0.0)
    assert 0.0 <= trace.arrival_s[0] <= trace.arrival_s[-1] < trace.horizon_s
    assert np.isfinite(trace.duration_s).all()
    assert trace.duration_s.min() >= 0.001


def test_seed_and_replication_make_other_traces_and_the_same_ones_again() -> None:
    first = small(seed=1).make()
    assert_same(first, small(seed=1).make(0))
    for other in (small(seed=2).make(), small(seed=1).make(1)):
        assert len(other) == len(first)
        assert not np.array_equal(other.arrival_s, first.arrival_s)


def test_a_trace_names_its_recipe_s_seed() -> None:
    trace = small(seed=5, about={"licence": "CC0"}).make(3)
    assert dict(trace.about) == {"licence": "CC0", "format": "synthesis", "seed": 5, "replication": 3}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"functions": 0}, "functions"),
        ({"functions": 2.5}, "functions"),
        ({"calls": 39}, "calls"),
        ({"calls": 500}, "calls"),  # less than the rare apps make
        ({"hours": 0}, "hours"),
        ({"hours": "24"}, "hours"),
        ({"hours": float("nan")}, "hours"),
        ({"seed": -1}, "seed"),
        ({"triggers": ()}, "triggers"),
        ({"triggers": "http"}, "triggers"),
        ({"triggers": (HTTP, Poisson())}, r"triggers\[1\]"),
        ({"triggers": (HTTP,)}, "shares of functions"),
        ({"timers": HTTP}, "timers"),
        ({"timers": Timers(0.1, 0.01, (0.5 * 86_400,)), "hours": 1, "calls": 50_000}, "functions"),
        ({"memory": None}, "memory"),
        ({"day": Apps()}, "day"),
    ],
)
def test_bad_parameters_of_the_recipe_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        small(**changes).make()


@pytest.mark.parametrize(
    ("part", "arguments", "named"),
    [
        (Popularity, {"probabilities": (0.1, 0.5), "calls_per_day": (1, 2)}, "probabilities"),
        (Popularity, {"probabilities": (0.0, 1.0), "calls_per_day": (1, 2)}, "probabilities"),
        (Popularity, {"calls_per_day": (1, 24)}, "calls_per_day"),
        (Popularity, {"calls_per_day": (1, 24, 24)}, "calls_per_day"),
        (Popularity, {"calls_per_day": 24}, "calls_per_day"),
        (Popularity, {"zipf_exponent": -1}, "zipf_exponent"),
        (Popularity, {"large_are_busy": 1.1}, "large_are_busy"),
        (Apps, {"probabilities": (0.5, 0.9, 0.95)}, "probabilities"),
        (Apps, {"sizes": (2, 10, 30)}, "sizes"),
        (Apps, {"sizes": (1, 10)}, "sizes"),
        (Apps, {"second_app": True}, "second_app"),
        (Packages, {"runtimes": ("go",)}, "runtimes"),
        (Packages, {"runtimes": (1, 2, 3, 4, 5)}, "runtimes"),
        (Packages, {"shares": (0.2, 0.2, 0.2, 0.2, 0.3)}, "shares"),
        (Packages, {"image_share": 2}, "image_share"),
        (Packages, {"zip_median_mb": 0}, "zip_median_mb"),
        (Packages, {"image_p99_mb": 1}, "image_p99_mb"),
        (Durations, {"log_mean": float("inf")}, "log_mean"),
        (Durations, {"log_mean": 100}, "log_mean"),
        (Durations, {"log_sigma": 0}, "log_sigma"),
        (Durations, {"within_log_sigma": -0.1}, "within_log_sigma"),
        (Durations, {"min_s": 0}, "min_s"),
        (Durations, {"max_s": 0.001}, "max_s"),
        (Durations, {"busy_are_short": 2}, "busy_are_short"),
        (Memory, {"c": 0}, "c must"),
        (Memory, {"scale_mb": "big"}, "scale_mb"),
        (Day, {"peak_h": 25}, "peak_h"),
        (Day, {"spread_h": -1}, "spread_h"),
        (Even, {"jitter": -1}, "jitter"),
        (Bursts, {"calls": 0.5, "length_s": 1}, "calls"),
        (Bursts, {"calls": 5, "length_s": -1}, "length_s"),
        (OnOff, {"spells_per_day": 0, "spell_s": 1}, "spells_per_day"),
        (OnOff, {"spells_per_day": 1, "spell_s": 0}, "spell_s"),
        (Pattern, {"process": "poisson"}, "process"),
        (Pattern, {"process": Poisson(), "share": -1}, "share"),
        (Pattern, {"process": Poisson(), "base_share": 1.5}, "base_share"),
        (Trigger, {"name": "", "functions": 1, "calls": 1, "patterns": [Pattern(Poisson())]}, "name"),
        (Trigger, {"name": "x", "functions": 2, "calls": 1, "patterns": [Pattern(Poisson())]}, "functions"),
        (Trigger, {"name": "x", "functions": 1, "calls": -1, "patterns": [Pattern(Poisson())]}, "calls"),
        (Trigger, {"name": "x", "functions": 1, "calls": 1, "patterns": []}, "patterns"),
        (Trigger, {"name": "x", "functions": 1, "calls": 1, "patterns": [Pattern(Poisson(), 0.5)]}, "x's patterns"),
        (Timers, {"functions": -0.1, "calls": 0}, "functions"),
        (Timers, {"functions": 0.1, "calls": 0.1, "periods_s": (60.5,)}, "periods_s"),
        (Timers, {"functions": 0.1, "calls": 0.1, "periods_s": (60, 30)}, "periods_s"),
    ],
)
def test_bad_parameters_of_the_parts_are_named(part: Any, arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        part(**arguments)


# --- the parts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("process", [Poisson(), Even(), Even(0.0), Bursts(5, 60.0), OnOff(24, 600.0)])
@pytest.mark.parametrize("calls", [1, 2, 1000])
def test_a_process_makes_the_calls_asked_for(process: Process, calls: int, random: np.random.Generator) -> None:
    times = process.times_s(calls, Day().clock(0.5, 86_400.0, 0.5), random)
    assert times.shape == (calls,)
    assert np.isfinite(times).all()
    assert times.min() >= 0.0


def test_even_without_jitter_on_a_flat_day_is_a_timer(random: np.random.Generator) -> None:
    times = np.sort(Even(0.0).times_s(96, Day().clock(1.0, 86_400.0, 0.5), random))
    assert np.allclose(np.diff(times), 900.0)


@pytest.mark.parametrize("jitter", [0.5, 1.0])
def test_jitter_sets_the_variation_of_gaps(jitter: float, random: np.random.Generator) -> None:
    gaps = np.diff(np.sort(Even(jitter).times_s(20_000, Day().clock(1.0, 86_400.0, 0.5), random)))
    assert gaps.std() / gaps.mean() == pytest.approx(jitter / np.sqrt(6.0), rel=0.03)


def test_a_day_peaks_when_it_says_and_keeps_its_base(random: np.random.Generator) -> None:
    times = Poisson().times_s(200_000, Day(peak_h=14.0, spread_h=0.0).clock(0.5, 86_400.0, 0.9), random)
    hours = np.bincount((times // 3600.0).astype(int), minlength=24) / 200_000 * 24.0
    assert hours.argmax() in (13, 14)
    assert hours.min() == pytest.approx(0.5, abs=0.03)
    assert hours.max() == pytest.approx(1.5, abs=0.03)


def test_nothing_arrives_between_the_spells(random: np.random.Generator) -> None:
    times = OnOff(spells_per_day=4, spell_s=600.0).times_s(50_000, Day().clock(1.0, 86_400.0, 0.5), random)
    minutes = np.unique(times // 60.0)
    assert minutes.size < 200


def test_the_nearest_period_is_nearest_in_ratio() -> None:
    wanted = np.array([1.0, 24.0, 33.0, 35.0, 95.0, 1e6])
    periods = TIMERS.nearest_period_s(wanted, 86_400.0)
    assert periods.tolist() == [86_400.0, 3600.0, 3600.0, 1800.0, 900.0, 60.0]


def test_memory_is_burr_xii() -> None:
    assert Memory().quantile(np.array([0.5, 0.9, 0.99])) == pytest.approx([140.0, 262.0, 640.0], rel=0.01)


@given(
    total=st.integers(0, 10_000),
    weights=st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50),
    least=st.integers(0, 3),
)
def test_apportioned_parts_add_up(total: int, weights: list[float], least: int) -> None:
    total += least * len(weights)
    parts = draws.apportion(total, np.array(weights), least)
    exact = np.array(weights) / sum(weights) * (total - least * len(weights)) + least
    assert parts.sum() == total
    assert np.all(np.abs(parts - exact) < 1.0 + 1e-6)


def test_ranks_follow_as_far_as_asked(random: np.random.Generator) -> None:
    values = random.random(1000)
    likeness = {l: np.corrcoef(values, draws.ranked(values, l, random))[0, 1] for l in (0.0, 0.5, 1.0)}
    assert abs(likeness[0.0]) < 0.1
    assert 0.5 < likeness[0.5] < 0.9
    assert likeness[1.0] > 0.99
