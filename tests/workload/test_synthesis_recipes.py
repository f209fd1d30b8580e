"""Recipes: those that are shipped, `Superposition`, and that a trace can be made again from what it says of itself."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.config import config_dir, load_synthesis
from sim.core.build import Trust, build
from sim.core.distributions import Constant, Exponential, LogNormal
from sim.core.errors import ConfigError
from sim.workload import Trace, load_trace
from sim.workload.statistics import gap_variation
from sim.workload.synthesis import (
    MMPP,
    Apps,
    Durations,
    FlashCrowd,
    Interrupted,
    Pattern,
    Periodic,
    Poisson,
    Popularity,
    RateProcess,
    Superposition,
    Synthesis,
    Synthesizer,
    Trigger,
    Zipf,
)

SHIPPED = sorted(path.stem for path in (config_dir() / "synthesis").glob("*.yaml"))
PROCESSES: list[RateProcess] = [
    Poisson(), MMPP((1.0, 10.0), (600.0, 60.0)), Interrupted(60.0, 240.0), FlashCrowd(600.0, 5.0), Periodic(),
]  # fmt: skip


def small(**changes: Any) -> Superposition:
    given_: dict[str, Any] = {"functions": 20, "calls_per_s": 1.0, "process": Poisson()}
    return Superposition(**{**given_, **changes})


def again(trace: Trace) -> Trace:
    recipe = build(json.loads(json.dumps(trace.about["recipe"])), "recipe", Synthesizer, Trust())  # type: ignore[type-abstract]
    return recipe.make(trace.about["replication"])


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_make_traces_that_can_be_made_again(name: str, tmp_path: Any) -> None:
    parameters = {"functions": 30} if name == "default" else {"functions": 30, "hours": 3.0}
    trace = load_synthesis(name, **parameters).make(1)
    assert len(trace.functions) == 30
    assert len(trace) > 500
    assert trace.about["licence"] == "Apache-2.0"
    assert trace.about["source"].startswith("synthetic")
    loaded = load_trace(trace.save(tmp_path / name))
    assert again(loaded).content_hash() == loaded.content_hash() == trace.content_hash()


def test_what_is_shipped() -> None:
    assert {"default", "poisson", "bursty_mmpp", "timers", "flash_crowd", "on_off", "diurnal"} <= set(SHIPPED)
    assert "azure_scale" in SHIPPED
    assert isinstance(load_synthesis(), Synthesis)
    variation = {
        name: np.median(gap_variation(load_synthesis(name).make()))
        for name in ("poisson", "timers", "on_off", "bursty_mmpp")
    }
    assert variation["poisson"] == pytest.approx(1.0, abs=0.02)
    assert variation["timers"] < 0.1
    assert variation["on_off"] > variation["bursty_mmpp"] > 1.5


@settings(max_examples=25)
@given(
    functions=st.integers(1, 40), calls_per_s=st.floats(1e-4, 3.0), process=st.sampled_from(PROCESSES),
    hours=st.sampled_from([0.001, 1.0, 25.0]), seed=st.integers(0, 2**70), base=st.sampled_from([0.0, 0.4, 1.0]),
    apps=st.booleans(), durations=st.sampled_from([Durations(), Exponential(0.5), Constant(0.0)]),
)  # fmt: skip
def test_any_superposition_makes_a_valid_trace(
    functions: int, calls_per_s: float, process: RateProcess, hours: float, seed: int, base: float, apps: bool,
    durations: Any,
) -> None:  # fmt: skip
    recipe = Superposition(
        functions, calls_per_s, process, hours=hours, seed=seed, base_share=base, durations=durations,
        apps=Apps() if apps else Apps((1.0,), (1.0,)),
    )  # fmt: skip
    trace = recipe.make()
    assert len(trace.functions) == functions
    assert trace.horizon_s == pytest.approx(hours * 3600.0)
    assert np.all((trace.arrival_s >= 0.0) & (trace.arrival_s < trace.horizon_s))
    assert np.array_equal(trace.arrival_s, np.round(trace.arrival_s, 3))
    assert np.array_equal(trace.duration_s, np.round(trace.duration_s, 3))
    assert np.all(np.diff(trace.arrival_s) >= 0.0)
    assert again(trace).content_hash() == trace.content_hash()


def test_seed_and_replication_make_other_traces() -> None:
    first = small(seed=1).make()
    assert small(seed=1).make(0).content_hash() == first.content_hash()
    assert len({len(small(seed=seed).make(replication)) for seed in (1, 2) for replication in (0, 1)}) == 4


@pytest.mark.parametrize("name", SHIPPED)
def test_no_library_s_last_digit_shows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_synthesis(name, functions=30)
    trace = recipe.make()
    for function in ("exp", "log", "log1p", "cos", "interp"):
        exact = getattr(np, function)
        monkeypatch.setattr(np, function, lambda *args, exact=exact: np.nextafter(exact(*args), np.inf))
    assert load_synthesis(name, functions=30).make().content_hash() == trace.content_hash()


def test_calls_follow_zipf_s_law() -> None:
    calls = small(functions=50, calls_per_s=200.0, popularity=Zipf(1.0)).make().calls_per_function
    expected = 720_000 / np.arange(1, 51) / (1 / np.arange(1, 51)).sum()
    assert np.all(np.abs(np.sort(calls)[::-1] - expected) < 5 * np.sqrt(expected))
    alike = small(functions=50, calls_per_s=50.0, popularity=Zipf(0.0)).make().calls_per_function
    assert np.all(np.abs(alike - 3600) < 5 * 60)


def test_popularity_may_be_the_published_one() -> None:
    trace = small(functions=200, calls_per_s=5.0, hours=24.0, popularity=Popularity()).make()
    assert (trace.calls_per_function <= 24).mean() == pytest.approx(0.45, abs=0.1)
    with pytest.raises(ConfigError, match=r"calls is too small at 86\.4"):
        small(functions=200, calls_per_s=0.001, hours=24.0, popularity=Popularity()).make()


def test_the_day_is_followed_but_by_timers() -> None:
    trace = small(calls_per_s=5.0, hours=24.0, base_share=0.2).make()
    hours = np.bincount((trace.arrival_s // 3600.0).astype(int), minlength=24) / len(trace) * 24.0
    assert hours.argmax() in range(11, 17)
    assert hours.min() == pytest.approx(0.2, abs=0.1)
    timers = small(process=Periodic(jitter_s=0.0), base_share=0.2).make()
    assert gap_variation(timers).max() == 0.0


def test_parts_of_a_recipe_are_those_of_the_functions() -> None:
    trace = small(
        functions=40, apps=Apps((0.5, 1.0), (1.0, 4.0)), memory=Constant(256.0), durations=LogNormal(0.1, 1.0),
        trigger="queue", calls_per_s=20.0,
    ).make()  # fmt: skip
    assert set(trace.functions["trigger"]) == {"queue"}
    sizes = trace.functions.groupby("app").size()
    assert sizes.max() > 1
    assert trace.functions.groupby("app")["memory_mb"].sum().to_numpy() == pytest.approx(256.0, abs=0.05)
    assert np.median(trace.duration_s) == pytest.approx(0.1, rel=0.05)


def test_rate_processes_serve_recipes_of_a_given_number_of_calls() -> None:
    trigger = Trigger(
        "http", 1.0, 1.0, (Pattern(MMPP((1.0, 20.0), (600.0, 60.0)), 0.5), Pattern(FlashCrowd(60.0, 9.0), 0.5))
    )
    recipe = Synthesis(40, 20_000, (trigger,), hours=1.0, popularity=Zipf(1.0), durations=Exponential(0.2))
    trace = recipe.make()
    assert len(trace) == 20_000
    assert trace.calls_per_function.min() >= 1
    assert again(trace).content_hash() == trace.content_hash()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"functions": 0}, "functions"),
        ({"calls_per_s": 0}, "calls_per_s"),
        ({"calls_per_s": 1e12}, "calls_per_s at 1e.12 over 1 hours makes about"),
        ({"process": "poisson"}, "process"),
        ({"process": Zipf()}, "process"),
        ({"hours": 0}, "hours"),
        ({"hours": 1e9}, "hours"),
        ({"seed": -1}, "seed"),
        ({"trigger": ""}, "trigger"),
        ({"base_share": 1.5}, "base_share"),
        ({"popularity": Poisson()}, "popularity must be a Popularity or Zipf"),
        ({"durations": 3.0}, "durations must be a Durations or Distribution"),
        ({"memory": None}, "memory"),
        ({"apps": None}, "apps"),
    ],
)
def test_bad_parameters_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        small(**changes)
    with pytest.raises(ConfigError, match="exponent"):
        replace(Zipf(), exponent=-1.0)
