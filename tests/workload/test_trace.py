import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim import Trace, TraceError

times = st.floats(0, 1e6, allow_nan=False)
calls = st.lists(st.tuples(st.integers(0, 4), times, times), max_size=30)


def of(rows, **options) -> Trace:
    function, arrival, duration = zip(*rows, strict=True) if rows else ((), (), ())
    return Trace.from_arrays(np.array(function, int), arrival, duration, functions=five(), **options)


def five() -> pd.DataFrame:
    return pd.DataFrame({"name": list("abcde")})


def test_is_sorted_by_arrival_and_ties_keep_their_order():
    trace = Trace.from_arrays(["late", "x", "y", "x"], [9.0, 1.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.4])
    assert trace.functions["name"].tolist() == ["late", "x", "y"]
    assert trace.function.tolist() == [1, 2, 1, 0]
    assert trace.arrival_s.tolist() == [1.0, 1.0, 1.0, 9.0]
    assert trace.duration_s.tolist() == [0.2, 0.3, 0.4, 0.1]
    assert trace.function.dtype == np.int32
    assert trace.horizon_s == 9.0


def test_one_duration_serves_all():
    assert Trace.from_arrays([0, 0], [0, 1], 0.5).duration_s.tolist() == [0.5, 0.5]


def test_functions_have_defaults_and_are_their_own_app():
    table = of([], horizon_s=10).functions
    assert table.loc[1, ["app", "memory_mb", "package_kind", "concurrency", "vpc"]].tolist() == [
        "b", 128.0, "zip", 1, False,
    ]  # fmt: skip


def test_columns_are_read_only_copies():
    arrival = np.array([1.0])
    trace = Trace.from_arrays([0], arrival, [1.0])
    arrival[0] = 5
    assert trace.arrival_s.tolist() == [1.0]
    with pytest.raises(ValueError, match="read-only"):
        trace.arrival_s[0] = 5


def test_an_empty_trace_is_a_trace():
    trace = of([])
    assert (len(trace), trace.horizon_s, trace.calls_per_function.tolist()) == (0, 0.0, [0] * 5)
    assert len(trace.slice()) == 0


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        (([0, 0], [1.0], [1.0]), ["2, 1 and 1"]),
        (([0], [np.nan], [1.0]), ["row 0", "'arrival_s'", "nan"]),
        (([0, 0], [0, np.inf], [1.0, 1.0]), ["row 1", "'arrival_s'", "inf"]),
        (([0, 0], [0, 1], [1.0, -1.0]), ["row 1", "'duration_s'", "not -1.0 (the first row is 0)"]),
        (([0, -1], [0, 1], 1.0), ["row 1", "'function'", "-1"]),
        (([0, 5], [0, 1], 1.0), ["row 1", "'function'", "no function 5 among 5 (the first row is 0)"]),
        ((["a", "?"], [0, 1], 1.0), ["row 1", "'function'", "has no '?' (the first row is 0)"]),
        (([0.5], [0], 1.0), ["'function'", "float64"]),
        ((["a", None], [0, 1], 1.0), ["'function'", "all there"]),
        (([[0]], [0], 1.0), ["one-dimensional", "'function'"]),
        (([0], ["soon"], 1.0), ["'arrival_s'", "soon"]),
    ],
)
def test_bad_columns_are_named(columns, parts):
    with pytest.raises(TraceError) as error:
        Trace.from_arrays(*columns, functions=five())
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize(
    ("column", "values", "parts"),
    [
        ("memory_mb", [1.0, 0.0], ["row 1", "> 0, not 0.0 (the first row is 0)"]),
        ("concurrency", [1, 1.5], ["whole"]),
        ("concurrency", [1, 0], ["row 1", "not 0 (the first row is 0)"]),
        ("package_kind", ["zip", "tar"], ["row 1", "image"]),
        ("vpc", [True, "no"], ["neither"]),
        ("cpu_share", [1.0, 0.0], ["row 1", "> 0, not 0.0 (the first row is 0)"]),
        ("cpu_share", [np.inf, 1.0], ["row 0", "finite"]),
        ("timeout_s", [np.nan, 1.0], ["row 0", "missing (the first row is 0)"]),
        ("colour", [1, 2], ["unknown columns", "colour"]),
        ("name", ["a", "a"], ["row 1", "unique"]),
    ],
)
def test_bad_functions_are_named(column, values, parts):
    table = pd.DataFrame({"name": ["a", "b"]}).assign(app="one", **{column: values})
    with pytest.raises(TraceError) as error:
        Trace.from_arrays([0], [0], 1.0, functions=table)
    assert all(part in str(error.value) for part in [column, *parts])


@pytest.mark.parametrize("functions", [["a"], {"name": ["a"]}, "a"])
@pytest.mark.parametrize("called", [[0], ["a"]])
def test_a_table_of_functions_must_be_one(functions, called):
    with pytest.raises(TraceError, match=f"functions must be a pandas.DataFrame.*not a {type(functions).__name__}"):
        Trace.from_arrays(called, [0], 1.0, functions=functions)


@pytest.mark.parametrize("number", [2**40, 2**31, 2**31 - 1, 1_000_000])
def test_numbers_that_are_no_indices_make_no_table(number):
    with pytest.raises(TraceError) as error:
        Trace.from_arrays([0, number], [0.0, 1.0], 1.0)
    for part in ("row 1", f"{number} would make", "2 are called", "0 to n − 1", "names"):
        assert part in str(error.value)


def test_many_functions_are_no_fault_where_they_are_called(monkeypatch):
    monkeypatch.setattr("sim.workload.trace._MANY_FUNCTIONS", 1000)
    every_hundredth = np.arange(99, 2000, 100)  # 20 of 2000
    assert len(Trace.from_arrays(every_hundredth, every_hundredth, 1.0).functions) == 2000
    with pytest.raises(TraceError, match="19 are called"):
        Trace.from_arrays(every_hundredth[1:], every_hundredth[1:], 1.0)
    assert len(Trace.from_arrays([999], [0.0], 1.0).functions) == 1000


def test_calls_after_the_horizon_are_counted_and_not_replayed():
    trace = of([(0, 1, 1), (1, 10, 1), (0, 10.5, 1), (2, 12, 1)], horizon_s=10)
    assert (len(trace), trace.calls_after_horizon) == (4, 2)
    assert trace.about["report"]["calls_after_horizon"] == 2
    assert repr(trace) == "<Trace: 4 calls of 5 functions over 10 s; 2 calls after that>"
    assert len(sim.simulate(trace, sim.policies.FixedWindow(60), sim.Platform(start_s=0.5)).invocations) == 2
    whole = of([(0, 1, 1), (1, 10, 1)])
    assert (whole.calls_after_horizon, dict(whole.about)) == (0, {})


def test_slice_counts_time_anew_and_leaves_its_end_out():
    trace = of([(0, 1, 1), (1, 2, 2), (0, 3, 3), (2, 4, 4)], horizon_s=10)
    part = trace.slice(2, 4)
    assert (part.arrival_s.tolist(), part.duration_s.tolist(), part.horizon_s) == ([0, 1], [2, 3], 2)
    assert trace.slice(2).arrival_s.tolist() == [0, 1, 2]
    assert trace.slice(2).horizon_s == 8


def test_slice_by_functions_numbers_them_as_given():
    trace = of([(0, 1, 1), (1, 2, 2), (2, 3, 3)])
    for chosen in (["c", "a"], [2, 0]):
        part = trace.slice(functions=chosen)
        assert part.functions["name"].tolist() == ["c", "a"]
        assert part.function.tolist() == [1, 0]
        assert part.arrival_s.tolist() == [1, 3]


@pytest.mark.parametrize(
    "options",
    [{"start_s": 3, "end_s": 3}, {"start_s": 4, "end_s": 2}, {"functions": [0, 0]}, {"start_s": 11, "end_s": 12}],
)
def test_impossible_slices_are_refused(options):
    with pytest.raises(TraceError):
        of([(0, 1, 1)], horizon_s=10).slice(**options)


@given(calls, st.floats(0.5, 1e6))
def test_slices_side_by_side_hold_every_call_once(rows, cut):
    trace = of(rows, horizon_s=2e6)
    left, right = trace.slice(0, cut), trace.slice(cut)
    assert len(left) + len(right) == len(trace)
    assert left.duration_s.tolist() + right.duration_s.tolist() == trace.duration_s.tolist()
    assert (left.arrival_s < cut).all()


@given(calls)
def test_the_hash_sees_content_only(rows):
    trace = of(rows)
    assert of(rows).content_hash() == trace.content_hash()
    assert of([*rows, (0, 0.0, 0.25)]).content_hash() != trace.content_hash()
    again = Trace.from_arrays(trace.function, -trace.arrival_s * -1.0, trace.duration_s, functions=five())
    assert again.content_hash() == trace.content_hash()


def test_a_recorded_trace_is_the_same_in_every_replication():
    trace = of([(0, 1, 1)])
    assert trace.draw(7) is trace
    assert not trace.is_random
