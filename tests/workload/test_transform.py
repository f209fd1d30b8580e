"""Scaling of time and rate, merging: laws, hand examples, and what cannot be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_traces import counted, recorded, rows, table

from sim.core.errors import ConfigError, TraceError
from sim.workload import Trace
from sim.workload.counts import CountSource
from sim.workload.merging import Merge, merge
from sim.workload.sampling import RandomSample
from sim.workload.transform import Redeploy, ScaleRate, ScaleTime, Transform, call_numbers, transformed

factors = st.floats(0.01, 100.0)


def daily(calls: int = 20_000, functions: int = 10) -> Trace:
    random = np.random.default_rng(5)
    return Trace.from_arrays(
        random.integers(0, functions, calls), random.random(calls) * 86_400.0, np.arange(calls),
        functions=table(functions), horizon_s=86_400.0,
    )  # fmt: skip


# Time


@given(recorded(), factors, st.booleans())
def test_there_and_back_again(trace: Trace, factor: float, durations: bool) -> None:
    back = ScaleTime(1.0 / factor, durations).apply(ScaleTime(factor, durations).apply(trace))
    np.testing.assert_allclose(back.arrival_s, trace.arrival_s, rtol=1e-12)
    np.testing.assert_allclose(back.duration_s, trace.duration_s, rtol=1e-12)
    assert back.horizon_s == pytest.approx(trace.horizon_s, rel=1e-12)
    assert back.function.tolist() == trace.function.tolist()


def test_half_speed_by_hand() -> None:
    trace = Trace.from_arrays(["a", "b"], [1.0, 3.0], [5.0, 0.5], horizon_s=4.0)
    assert rows(ScaleTime(2.0).apply(trace)) == [("a", 2.0, 5.0), ("b", 6.0, 0.5)]
    slower = ScaleTime(2.0, durations=True).apply(trace)
    assert rows(slower) == [("a", 2.0, 10.0), ("b", 6.0, 1.0)]
    assert slower.horizon_s == 8.0


@given(counted())
def test_scaled_counts_are_recorded(source: CountSource) -> None:
    trace = source.draw(0, {})
    for change in (ScaleTime(2.0), ScaleRate(0.5), ScaleRate(2.0)):
        assert change.apply(trace).counts is None
    for nothing in (ScaleTime(1.0), ScaleRate(1.0)):
        assert nothing.apply(trace).counts is source


def test_a_time_that_no_number_holds_is_refused() -> None:
    with pytest.raises(TraceError, match="more than a number can hold"):
        ScaleTime(1e308).apply(Trace.from_arrays([0], [100.0], 1.0))
    with pytest.raises(TraceError, match="more than a number can hold"):
        ScaleTime(1e308, durations=True).apply(Trace.from_arrays([0], [0.5], 100.0))


# Rate


@given(recorded(), st.floats(0.01, 4.0), st.floats(0.01, 4.0), st.integers(0, 3))
def test_a_smaller_factor_s_calls_are_among_a_larger_one_s(trace: Trace, one: float, two: float, seed: int) -> None:
    few, many = (rows(ScaleRate(factor, 30.0, seed).apply(trace)) for factor in sorted((one, two)))
    left = pd.Series(few, dtype=object).value_counts()
    there = pd.Series(many, dtype=object).value_counts()
    assert all(there.get(row, 0) >= count for row, count in left.items())


@given(recorded(), st.floats(0.01, 4.0), st.floats(0.0, 10_000.0))
def test_scaled_rates_make_valid_traces(trace: Trace, factor: float, jitter_s: float) -> None:
    scaled = ScaleRate(factor, jitter_s).apply(trace)
    assert np.all(np.diff(scaled.arrival_s) >= 0)
    assert np.all((scaled.arrival_s >= 0) & (scaled.arrival_s <= trace.horizon_s))
    assert int(factor) * len(trace) <= len(scaled) <= np.ceil(factor) * len(trace)
    assert scaled.horizon_s == trace.horizon_s
    assert scaled.functions is trace.functions


@given(recorded(least=2), st.floats(0.01, 4.0))
def test_other_functions_do_not_matter(trace: Trace, factor: float) -> None:
    change, some = ScaleRate(factor), np.arange(0, len(trace.functions), 2)
    assert rows(change.apply(trace.slice(functions=some))) == rows(change.apply(trace).slice(functions=some))


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.3, 2.0, 2.75])
def test_every_function_has_its_share(factor: float) -> None:
    trace = daily()
    calls = ScaleRate(factor).apply(trace).calls_per_function
    spread = np.sqrt(trace.calls_per_function * max((factor % 1) * (1 - factor % 1), 1e-12))
    assert np.all(np.abs(calls - factor * trace.calls_per_function) < 4.5 * spread + 1e-6)


def test_copies_lie_within_the_jitter_of_a_call_of_their_function() -> None:
    trace = Trace.from_arrays(["a", "b"], [100.0, 990.0], [1.0, 2.0], horizon_s=1000.0)
    for seed in range(50):
        scaled = rows(ScaleRate(3.0, 60.0, seed).apply(trace))
        moved = {name: [arrival for other, arrival, _ in scaled if other == name] for name in "ab"}
        assert len(moved["a"]) == len(moved["b"]) == 3
        assert all(40.0 <= arrival <= 160.0 for arrival in moved["a"])
        assert all(930.0 <= arrival <= 1000.0 for arrival in moved["b"])  # reflected at the horizon
        assert 100.0 in moved["a"]


def test_without_jitter_copies_coincide() -> None:
    trace = Trace.from_arrays(["a"], [10.0], [1.0], horizon_s=20.0)
    assert rows(ScaleRate(3.0, 0.0).apply(trace)) == [("a", 10.0, 1.0)] * 3
    assert rows(ScaleRate(2.0).apply(Trace.from_arrays(["a"], [0.0], 1.0))) == [("a", 0.0, 1.0)] * 2


def test_thinning_a_poisson_process_leaves_one() -> None:
    kept = ScaleRate(0.25).apply(daily(100_000, 1))
    numbers = np.bincount((kept.arrival_s // 60).astype(int), minlength=1440)
    assert numbers.var() / numbers.mean() == pytest.approx(1.0, abs=4 * (2 / 1440) ** 0.5)


def test_calls_are_numbered_within_their_function() -> None:
    assert call_numbers(np.array([2, 0, 2, 2, 0], np.int32), 4).tolist() == [0, 0, 1, 2, 1]


# Merging


@given(recorded(), recorded(), recorded(), st.sampled_from(["overlap", "sequence"]))
def test_merging_is_associative(a: Trace, b: Trace, c: Trace, place: str) -> None:
    left = merge([merge([a, b], place=place), c], place=place)  # type: ignore[arg-type]
    right = merge([a, merge([b, c], place=place)], place=place)  # type: ignore[arg-type]
    at_once = merge([a, b, c], place=place)  # type: ignore[arg-type]
    for other in (right, at_once):
        assert rows(other) == rows(left)
        assert other.horizon_s == left.horizon_s
        key = ["owner", "app", "name"]
        pd.testing.assert_frame_equal(
            other.functions.sort_values(key, ignore_index=True), left.functions.sort_values(key, ignore_index=True)
        )


@given(recorded())
def test_a_trace_alone_stays_as_it_is(trace: Trace) -> None:
    assert merge([trace]).content_hash() == trace.content_hash()


@given(recorded(), st.integers(0, 5))
def test_parts_put_together_are_the_whole(trace: Trace, seed: int) -> None:
    part = RandomSample(share=0.5, seed=seed).apply(trace)
    chosen = set(part.functions["name"])
    rest = trace.slice(functions=[name for name in trace.functions["name"] if name not in chosen])
    assert sorted(rows(merge([part, rest]))) == sorted(rows(trace))
    hours = [trace.slice(0, 1800.0), trace.slice(1800.0)]
    assert merge(hours, place="sequence").content_hash() == trace.content_hash()


def small(name: str, arrival_s: float, horizon_s: float, memory_mb: float = 128.0) -> Trace:
    functions = pd.DataFrame({"name": [name], "app": ["app"], "owner": ["me"], "memory_mb": [memory_mb]})
    return Trace.from_arrays([0], [arrival_s], [1.0], functions=functions, horizon_s=horizon_s)


def test_same_functions_are_one_with_the_first_trace_s_memory() -> None:
    merged = merge([small("f", 5.0, 10.0, 256.0), small("g", 1.0, 20.0), small("f", 2.0, 15.0, 512.0)])
    assert rows(merged) == [("g", 1.0, 1.0), ("f", 2.0, 1.0), ("f", 5.0, 1.0)]
    assert merged.functions["memory_mb"].tolist() == [256.0, 128.0]
    assert merged.horizon_s == 20.0
    assert list(merged.about["traces"]) == [{}, {}, {}]


def test_a_prefix_keeps_functions_and_apps_apart() -> None:
    merged = merge([small("f", 5.0, 10.0), small("f", 2.0, 10.0, 512.0)], prefixes=["", "b/"])
    assert merged.functions[["owner", "app", "name"]].to_numpy().tolist() == [
        ["me", "app", "f"],
        ["b/me", "b/app", "b/f"],
    ]
    assert rows(merged) == [("b/f", 2.0, 1.0), ("f", 5.0, 1.0)]


def test_one_after_another() -> None:
    merged = merge([small("f", 5.0, 10.0), small("g", 0.0, 7.0), small("f", 1.0, 3.0)], place="sequence")
    assert rows(merged) == [("f", 5.0, 1.0), ("g", 10.0, 1.0), ("f", 18.0, 1.0)]
    assert merged.horizon_s == 20.0


def test_a_merge_reads_the_other_trace(tmp_path: object) -> None:
    path = str(small("g", 1.0, 30.0).save(f"{tmp_path}/other"))
    merged = transformed(small("f", 5.0, 10.0), [Merge(path, prefix="x/"), ScaleTime(2.0)])
    assert rows(merged) == [("x/g", 2.0, 1.0), ("f", 10.0, 1.0)]
    assert merged.horizon_s == 60.0
    assert [done["_target_"].rpartition(".")[2] for done in merged.about["transforms"]] == ["Merge", "ScaleTime"]
    merged.save(f"{tmp_path}/merged")  # what it says about itself can be written
    with pytest.raises(TraceError, match="nowhere"):
        Merge("nowhere").apply(merged)


def test_what_cannot_be_merged() -> None:
    with pytest.raises(TraceError, match="nothing to merge"):
        merge([])
    with pytest.raises(TraceError, match="1 traces and 2 prefixes"):
        merge([small("f", 1.0, 2.0)], prefixes=["a", "b"])
    with pytest.raises(ConfigError, match="place must be"):
        merge([small("f", 1.0, 2.0)], place="beside")  # type: ignore[arg-type]


# All of them


@pytest.mark.parametrize(
    ("change", "parameters", "named"),
    [
        (ScaleTime, {"factor": 0}, "factor"),
        (ScaleTime, {"factor": float("nan")}, "factor"),
        (ScaleTime, {"factor": "2"}, "factor"),
        (ScaleRate, {"factor": 0}, "factor"),
        (ScaleRate, {"factor": -1}, "factor"),
        (ScaleRate, {"factor": 1e9}, "factor"),
        (ScaleRate, {"factor": 2, "jitter_s": -1}, "jitter_s"),
        (ScaleRate, {"factor": 2, "seed": True}, "seed"),
        (Merge, {"path": "x", "place": "beside"}, "place"),
        (Merge, {"path": ""}, "path"),
    ],
)
def test_bad_parameters_are_named(change: type[Transform], parameters: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        change(**parameters)


def test_what_a_trace_says_of_itself_does_not_mislead() -> None:
    trace = Trace.from_arrays([], [], [])
    stranger = Trace(trace.function, trace.arrival_s, trace.duration_s, trace.functions, 1.0, about={"transforms": "x"})
    assert len(ScaleTime(2.0).apply(stranger).about["transforms"]) == 1


# Deployed otherwise


def test_functions_are_deployed_otherwise_and_called_as_before() -> None:
    trace = daily(100)
    other = Redeploy({"runtime": "go", "memory_mb": 512, "vpc": True}, functions=["f1", "f3"]).apply(trace)
    assert rows(other) == rows(trace)
    changed = (other.functions != trace.functions).any(axis=1)
    assert other.functions["name"][changed].tolist() == ["f1", "f3"]
    assert other.functions.loc[3, ["runtime", "memory_mb", "vpc"]].tolist() == ["go", 512.0, True]
    assert other.functions.dtypes.equals(trace.functions.dtypes)
    assert (Redeploy({"package_mb": 5.0}).apply(trace).functions["package_mb"] == 5.0).all()


@given(counted())
def test_what_is_deployed_otherwise_keeps_its_counts_and_its_draws(source: CountSource) -> None:
    trace = source.draw(0, {})
    other = Redeploy({"runtime": "rust"}).apply(trace)
    assert other.counts is source
    assert rows(other.draw(1)) == rows(trace.draw(1))
    assert (other.draw(1).functions["runtime"] == "rust").all()


@pytest.mark.parametrize(
    ("columns", "functions", "words"),
    [
        ({}, None, "columns must give values"),
        ({"name": "g"}, None, "columns must give values for some of trigger"),
        ({"owner": "x"}, None, "columns must give"),
        ({"memory": 1.0}, None, "columns must give"),
        ({"memory_mb": -1.0}, None, "memory_mb"),
        ({"package_kind": "tar"}, None, "package_kind"),
        ({"memory_mb": 1.0}, ["nobody"], "no function 'nobody'"),
    ],
)
def test_nonsense_is_not_deployed(columns: dict[str, object], functions: list[str] | None, words: str) -> None:
    with pytest.raises((ConfigError, TraceError), match=words):
        Redeploy(columns, functions).apply(daily(10))


def test_a_bad_parameter_is_shown_plainly() -> None:
    with pytest.raises(ConfigError, match=r"factor must be a finite number > 0, not 0\.0$"):
        ScaleTime(np.float64(0.0))
