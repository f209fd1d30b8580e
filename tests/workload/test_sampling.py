"""Samples: which functions and spans are chosen, and that nothing else changes."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from small_traces import counted, recorded, rows, table

from sim.core.build import Trust, build
from sim.core.errors import ConfigError, TraceError
from sim.workload import Trace
from sim.workload.counts import CountSource
from sim.workload.sampling import (
    FunctionSample,
    RandomSample,
    RandomWindows,
    RepresentativeSample,
    StratifiedSample,
    Windows,
    function_draws,
)
from sim.workload.selection import Population
from sim.workload.transform import Transform
from sim.workload.wasserstein import Distance

ONE_A_STRATUM = {"edges": (0.5,), "functions": 2}
SAMPLES = [
    RandomSample(functions=2, seed=1), RandomSample(share=0.4), RandomSample(functions=1, whole_apps=True),
    StratifiedSample(**ONE_A_STRATUM), RepresentativeSample(2, trials=3),
]  # fmt: skip


def names(trace: Trace | CountSource) -> list[str]:
    return trace.functions["name"].tolist()


def with_calls(*calls: int) -> Trace:
    function = np.repeat(np.arange(len(calls)), calls)
    return Trace.from_arrays(function, np.arange(function.size), 1.0, functions=table(len(calls)))


# Functions


@given(recorded(), st.integers(0, 5))
def test_a_sample_of_all_is_the_trace(trace: Trace, seed: int) -> None:
    functions = len(trace.functions)
    whole: list[Transform] = [
        RandomSample(share=1.0, seed=seed),
        RandomSample(functions, seed=seed),
        RandomSample(share=1.0, whole_apps=True, seed=seed),
        RandomSample(functions, whole_apps=True, seed=seed),
        RepresentativeSample(functions, 1, seed),
        Windows(((0.0, trace.horizon_s),)),
        RandomWindows(trace.horizon_s, seed=seed),
    ]
    if functions >= 4:
        whole += [StratifiedSample(functions, seed=seed), StratifiedSample(functions, allocation="equal", seed=seed)]
    for sample in whole:
        assert sample.apply(trace).content_hash() == trace.content_hash(), sample


@given(recorded(least=2), st.sampled_from(SAMPLES))
def test_functions_chosen_keep_their_calls_and_the_others_are_gone(trace: Trace, sample: FunctionSample) -> None:
    chosen = sample.apply(trace)
    kept = set(names(chosen))
    assert rows(chosen) == [row for row in rows(trace) if row[0] in kept]
    assert chosen.horizon_s == trace.horizon_s
    assert names(chosen) == [name for name in names(trace) if name in kept]


@given(counted(least=2), st.sampled_from(SAMPLES), st.integers(0, 2))
def test_counts_stay_counts_and_draw_as_before(source: CountSource, sample: FunctionSample, replication: int) -> None:
    whole = source.draw(replication, {})
    chosen = sample.apply(whole)
    assert chosen.counts is not None
    assert chosen.content_hash() == chosen.draw(replication).content_hash()
    assert chosen.content_hash() == chosen.counts.draw(replication, {}).content_hash()
    other = whole.draw(replication + 1)
    assert sample.apply(other).content_hash() == chosen.draw(replication + 1).content_hash()


@given(recorded(least=3), st.integers(0, 9))
def test_smaller_random_samples_are_parts_of_larger_ones(trace: Trace, seed: int) -> None:
    for small, large in (
        (RandomSample(1, seed=seed), RandomSample(3, seed=seed)),
        (RandomSample(share=0.2, seed=seed), RandomSample(share=0.6, seed=seed)),
        (RandomSample(share=0.2, whole_apps=True, seed=seed), RandomSample(share=0.6, whole_apps=True, seed=seed)),
    ):
        assert set(names(small.apply(trace))) <= set(names(large.apply(trace)))


@given(recorded(least=4), st.floats(0, 3000), st.integers(0, 9))
def test_a_random_choice_is_stable_under_slicing(trace: Trace, start_s: float, seed: int) -> None:
    sample = RandomSample(share=0.5, seed=seed)
    part = trace.slice(start_s, functions=np.arange(1, len(trace.functions)))
    assert names(sample.apply(part)) == [name for name in names(sample.apply(trace)) if name != "f0"]
    assert rows(sample.apply(part)) == rows(sample.apply(trace).slice(start_s, functions=names(sample.apply(part))))


def test_shares_and_seeds() -> None:
    trace = Trace.from_arrays([], [], [], functions=table(4000))
    chosen = [set(names(RandomSample(share=0.3, seed=seed).apply(trace))) for seed in (0, 1)]
    assert [len(names_) for names_ in chosen] == pytest.approx([1200, 1200], abs=4 * (4000 * 0.3 * 0.7) ** 0.5)
    assert len(chosen[0] & chosen[1]) == pytest.approx(360, abs=4 * 360**0.5)


@given(recorded(least=2), st.integers(1, 5), st.integers(0, 5))
def test_apps_are_whole(trace: Trace, functions: int, seed: int) -> None:
    assume(functions <= len(trace.functions))
    chosen = RandomSample(functions, whole_apps=True, seed=seed).apply(trace)
    assert len(chosen.functions) >= functions
    apps = set(chosen.functions["app"])
    assert set(names(chosen)) == set(trace.functions.loc[trace.functions["app"].isin(apps), "name"])


# Strata


@given(
    recorded(least=6), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4, unique=True).map(sorted),
    st.integers(5, 30), st.sampled_from(["proportional", "equal"]), st.integers(0, 3),
)  # fmt: skip
def test_every_stratum_is_in_the_sample(
    trace: Trace, edges: list[float], functions: int, allocation: str, seed: int
) -> None:
    assume(functions <= len(trace.functions))
    sample = StratifiedSample(functions, tuple(edges), allocation, seed)  # type: ignore[arg-type]
    population = Population.of(trace)
    chosen = sample.choose(population)
    assert chosen.size == functions
    strata = sample.strata(population.calls, np.zeros(len(trace.functions)))
    for rarer, busier in pairwise(strata):
        assert population.calls[rarer].max() <= population.calls[busier].min()
    order = np.argsort(population.calls, kind="stable")
    assert np.concatenate(strata).tolist() == order.tolist()
    by_draw = sample.strata(population.calls, function_draws("stratum", seed, trace.functions))
    assert min(np.intersect1d(stratum, chosen).size for stratum in by_draw) >= 1


def test_allocations_by_hand() -> None:
    trace = with_calls(*range(1, 101))  # f0 is the rarest

    def quarters(sample: StratifiedSample) -> list[int]:
        chosen = [int(name[1:]) for name in names(sample.apply(trace))]
        return np.histogram(chosen, [0, 50, 90, 99, 100])[0].tolist()

    edges = (0.5, 0.9, 0.99)
    assert quarters(StratifiedSample(24, edges)) == [12, 9, 2, 1]  # one for the head, and 23 as 50:40:9
    assert quarters(StratifiedSample(24, edges, "equal")) == [8, 8, 7, 1]  # as the head has only one
    assert names(StratifiedSample(4, edges).apply(trace))[-1] == "f99"


def test_a_head_that_random_samples_miss_is_there() -> None:
    trace = with_calls(*[1] * 99, 100)
    missed = sum("f99" not in names(RandomSample(10, seed=seed).apply(trace)) for seed in range(20))
    assert missed > 10
    assert all("f99" in names(StratifiedSample(10, (0.99,), seed=seed).apply(trace)) for seed in range(20))


# Representative samples


@given(recorded(least=3), st.integers(1, 3), st.booleans())
def test_the_distance_is_that_of_scipy(trace: Trace, size: int, resources: bool) -> None:
    population = Population.of(trace)
    weight = population.average_s * trace.functions["memory_mb"] if resources else np.ones(len(trace.functions))
    sample = np.arange(size)
    values = np.zeros((population.cells.minutes, len(trace.functions)))
    values[population.cells.minute, population.cells.function] = population.cells.count
    values *= np.asarray(weight)
    expected = [wasserstein_distance(minute[sample], minute) for minute in values]
    assert Distance(population.cells, np.asarray(weight)).by_minute(sample) == pytest.approx(np.array(expected))


def test_the_representative_is_nearest_of_its_trials() -> None:
    trace = with_calls(*np.random.default_rng(0).zipf(1.5, 60).clip(1, 500).tolist())
    population = Population.of(trace)
    resources = population.average_s * trace.functions["memory_mb"].to_numpy()
    measures = [Distance(population.cells, np.ones(60)), Distance(population.cells, resources)]

    def distance(trials: int) -> float:
        chosen = RepresentativeSample(10, trials).choose(population)
        return sum(measure.relative(chosen) for measure in measures)

    distances = [distance(trials) for trials in (1, 4, 16, 64)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.95 * distances[0]


def test_a_trace_without_calls_has_a_representative() -> None:
    trace = Trace.from_arrays([], [], [], functions=table(5))
    assert len(RepresentativeSample(2).apply(trace).functions) == 2


# What cannot be


@pytest.mark.parametrize(
    ("sample", "parameters", "message"),
    [
        (RandomSample, {}, "functions or share"),
        (RandomSample, {"functions": 2, "share": 0.5}, "functions or share"),
        (RandomSample, {"functions": 0}, "functions"),
        (RandomSample, {"share": 1.5}, "share"),
        (RandomSample, {"share": 0}, "share"),
        (RandomSample, {"functions": 2, "seed": 0.5}, "seed"),
        (StratifiedSample, {"functions": 3}, "functions must be a whole number >= 4"),
        (StratifiedSample, {"functions": 30, "edges": (0.5, 0.5)}, "edges must rise"),
        (StratifiedSample, {"functions": 30, "edges": (0.0, 0.5)}, "edges must lie between"),
        (StratifiedSample, {"functions": 30, "allocation": "fair"}, "allocation"),
        (RepresentativeSample, {"functions": 2, "trials": 0}, "trials"),
        (RandomWindows, {"length_s": 0}, "length_s"),
        (RandomWindows, {"length_s": 60.0, "windows": 0}, "windows"),
    ],
)
def test_bad_parameters_are_named(sample: type, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sample(**parameters)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (RandomSample(4), "4 functions is wanted, but the trace has 3"),
        (StratifiedSample(4), "4 functions is wanted, but the trace has 3"),
        (RepresentativeSample(4), "4 functions is wanted, but the trace has 3"),
        (Windows(((0.0, 7.0),)), "overruns the trace, which ends at 5 s"),
        (RandomWindows(2.0, 3), "3 windows of 2 s do not fit into 5 s"),
    ],
)
def test_traces_that_are_too_small_are_refused(sample: Transform, message: str) -> None:
    with pytest.raises(TraceError, match=message):
        sample.apply(with_calls(1, 2, 3))


@pytest.mark.parametrize("sample", [*SAMPLES, Windows(((0.0, 60.0),)), RandomWindows(60.0)])
def test_what_was_done_is_told_and_can_be_done_again(sample: Transform) -> None:
    trace = with_calls(40, 20, 10, 5)
    done = RandomSample(share=1.0).apply(sample.apply(trace)).about["transforms"]
    assert len(done) == 2
    again = build(done[0], "transforms[0]", Transform, Trust())  # type: ignore[type-abstract]
    assert again.apply(trace).content_hash() == sample.apply(trace).content_hash()
    assert "transforms" not in trace.about


def test_a_share_is_that_of_the_azure_reader() -> None:
    from sim.workload.readers.selection import Selection

    functions = table(500)
    picked = Selection(share=0.25, share_seed=3).pick(
        *(functions[column].tolist() for column in ("owner", "app", "name"))
    )
    trace = Trace.from_arrays([], [], [], functions=functions)
    chosen = RandomSample(share=0.25, seed=3).apply(trace)
    pd.testing.assert_frame_equal(chosen.functions, functions[picked].reset_index(drop=True))
