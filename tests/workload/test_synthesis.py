"""The synthesiser: any recipe, its parameters, its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.core.errors import ConfigError
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
    assert small(seed=1).make(0).content_hash() == first.content_hash()
    for other in (small(seed=2).make(), small(seed=1).make(1)):
        assert len(other) == len(first)
        assert not np.array_equal(other.arrival_s, first.arrival_s)


def test_a_trace_names_its_recipe_s_seed() -> None:
    trace = small(seed=5, about={"licence": "CC0"}).make(3)
    about = {key: value for key, value in trace.about.items() if key != "recipe"}
    assert about == {"licence": "CC0", "format": "synthesis", "seed": 5, "replication": 3}


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
        ({"triggers": (replace(HTTP, functions=0.1),), "timers": Timers(0.9, 0.01, (86_400.0,))}, "functions"),
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
    assert hours.argmax() in range(12, 16)
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
    likeness = {like: np.corrcoef(values, draws.ranked(values, like, random))[0, 1] for like in (0.0, 0.5, 1.0)}
    assert abs(likeness[0.0]) < 0.1
    assert 0.5 < likeness[0.5] < 0.9
    assert likeness[1.0] > 0.99
