"""What is measured of a trace, by hand and by brute force."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from small_traces import recorded

from sim.workload import Trace
from sim.workload.statistics import (
    LEVELS,
    Sample,
    busiest_share,
    gap_variation,
    mean_running,
    peak_running,
    timeline_of,
    trace_statistics,
    trigger_table,
)


def of(rows: list[tuple[str, float, float]], horizon_s: float | None = None, **columns: object) -> Trace:
    """A trace of (function, arrival, duration) and a table of functions."""
    functions = pd.DataFrame(columns) if columns else None
    called, arrival, duration = zip(*rows, strict=True) if rows else ((), (), ())
    function = np.array(called, object if rows else np.int64)
    return Trace.from_arrays(function, arrival, duration, functions=functions, horizon_s=horizon_s)


# By hand


def test_a_trace_by_hand() -> None:
    trace = of(
        [("a", 0.0, 2.0), ("a", 1.0, 2.0), ("b", 2.0, 0.0), ("a", 5.0, 10.0)], 10.0,
        name=["a", "b", "c"], app=["x", "x", "y"], owner=["o", "o", "p"], memory_mb=[100.0, 50.0, 300.0],
        trigger=["http", "timer", "http"],
    )  # fmt: skip
    measured = trace_statistics(trace)
    assert (measured.calls, measured.functions, measured.apps, measured.owners) == (4, 3, 2, 2)
    assert (measured.never_called, measured.horizon_s) == (1, 10.0)
    assert measured.calls_of_functions.tolist() == [3, 1, 0]
    assert measured.calls_per_function.quantiles.tolist() == pytest.approx([0, 0.5, 1, 2, 2.6, 2.96, 3])
    assert measured.busiest_share == 0.75
    assert measured.triggers.to_numpy().tolist() == [["http", 2, 3], ["timer", 1, 1]]
    assert measured.gap_variation.quantiles.tolist() == [0.6] * 7  # gaps of 1 and 4 s: deviation 1.5, mean 2.5
    assert measured.duration_s.quantiles[[0, 2, 6]].tolist() == [0.0, 2.0, 10.0]
    assert measured.mean_duration_s.size == 2
    assert measured.mean_duration_s.quantiles[[0, 6]].tolist() == pytest.approx([0.0, 14.0 / 3.0])
    assert measured.memory_mb.quantiles[[0, 2, 6]].tolist() == [50.0, 100.0, 300.0]
    assert measured.app_memory_mb.quantiles[[0, 6]].tolist() == [150.0, 300.0]
    assert measured.peak_running == 2
    assert measured.mean_running == pytest.approx((2 + 2 + 5) / 10)  # 5 s of the last call lie behind the horizon


def test_an_empty_trace() -> None:
    measured = trace_statistics(of([]))
    assert (measured.calls, measured.functions, measured.peak_running) == (0, 0, 0)
    assert np.isnan([measured.busiest_share, measured.mean_running, *measured.duration_s.quantiles]).all()
    assert measured.timeline.calls.tolist() == [0]


def test_the_busiest_are_at_least_one() -> None:
    assert busiest_share(np.array([1, 7, 2])) == 0.7
    assert busiest_share(np.array([1] * 98 + [51, 51])) == 51 / 200
    assert busiest_share(np.array([1] * 99 + [50, 51])) == 101 / 200  # 1.01 functions are two
    assert np.isnan(busiest_share(np.array([0, 0])))


@pytest.mark.parametrize(
    ("arrivals", "variation"),
    [
        ([0, 10, 20, 30], [0.0]),
        ([0, 0, 10, 10, 20], [1.0]),
        ([0, 1, 4], [0.5]),
        ([3, 3, 3], []),  # no gap: nothing to divide by
        ([0, 7], []),
        ([0], []),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.0]),  # but for rounding
    ],
)
def test_variation_of_gaps(arrivals: list[float], variation: list[float]) -> None:
    assert gap_variation(of([("a", a, 1.0) for a in arrivals])).tolist() == pytest.approx(variation)


def test_functions_do_not_share_gaps() -> None:
    rows = [(name, float(a), 0.0) for name, step in (("a", 1), ("b", 7)) for a in range(0, 50, step)]
    assert gap_variation(of(rows)).tolist() == [0.0, 0.0]


def test_who_ends_as_another_arrives_is_not_counted_with_it() -> None:
    trace = of([("a", 0.0, 5.0), ("a", 5.0, 5.0), ("a", 5.0, 1.0), ("b", 10.0, 0.0)])
    ends = np.sort(trace.arrival_s + trace.duration_s)
    assert peak_running(trace.arrival_s, ends) == 2


def test_time_outs_cut() -> None:
    trace = of([("a", 0.0, 100.0), ("a", 10.0, 100.0)], 20.0, name=["a"], timeout_s=[5.0])
    assert trace_statistics(trace).peak_running == 1
    assert trace_statistics(trace).mean_running == 0.5
    assert trace_statistics(trace).duration_s.quantiles[-1] == 100.0


def test_the_timeline_by_hand() -> None:
    trace = of([("a", 0.0, 90.0), ("a", 60.0, 30.0), ("a", 17_990.0, 60.0), ("a", 18_000.0, 1.0)], 18_000.0)
    timeline = timeline_of(trace, np.sort(trace.arrival_s + trace.duration_s))
    assert timeline.edges_s[:3].tolist() == [0.0, 60.0, 120.0]
    assert timeline.calls[[0, 1, 2, -1]].tolist() == [1, 1, 0, 2]
    assert timeline.running[[0, 1, 2, -1]].tolist() == pytest.approx([1.0, 1.0, 0.0, 10 / 60])


@pytest.mark.parametrize(("horizon_s", "width_s", "bins"), [
    (28_800.0, 120.0, 240), (86_400.0, 300.0, 288), (1_209_600.0, 7200.0, 168), (0.2, 0.001, 200), (95.0, 1.0, 95),
    (100.5, 1.0, 101), (1e9, 1e9 / 300, 300),
])  # fmt: skip
def test_bins_are_round_and_few(horizon_s: float, width_s: float, bins: int) -> None:
    timeline = timeline_of(of([], horizon_s), np.empty(0))
    assert np.diff(timeline.edges_s)[0] == pytest.approx(width_s)
    assert timeline.calls.size == bins
    assert timeline.edges_s[-1] == horizon_s


def test_triggers_are_ordered_by_calls() -> None:
    trace = of([("a", 0.0, 1.0), ("c", 0.0, 1.0), ("c", 0.0, 1.0)], name=["a", "b", "c"], trigger=["x", "y", "z"])
    assert trigger_table(trace)["trigger"].tolist() == ["z", "x", "y"]


# By brute force


@given(recorded())
def test_concurrency_is_that_of_a_walk_through_the_events(trace: Trace) -> None:
    ends = np.sort(trace.arrival_s + trace.duration_s)
    running = [
        int(((trace.arrival_s <= t) & (trace.arrival_s + trace.duration_s > t)).sum()) for t in trace.arrival_s.tolist()
    ]
    assert peak_running(trace.arrival_s, ends) == max(running, default=0)
    seconds = np.arange(int(trace.horizon_s)) + 0.5  # every arrival and end is at a whole second
    busy = sum(((trace.arrival_s <= t) & (trace.arrival_s + trace.duration_s > t)).sum() for t in seconds.tolist())
    if trace.horizon_s == int(trace.horizon_s):
        assert mean_running(trace.arrival_s, ends, trace.horizon_s) == pytest.approx(busy / trace.horizon_s)
    timeline = timeline_of(trace, ends)
    widths = np.diff(timeline.edges_s)
    assert timeline.calls.sum() == len(trace)
    assert (timeline.running * widths).sum() / trace.horizon_s == pytest.approx(
        mean_running(trace.arrival_s, ends, trace.horizon_s), abs=1e-9
    )


@given(recorded())
def test_variation_is_that_of_each_function_alone(trace: Trace) -> None:
    expected = []
    for function in range(len(trace.functions)):
        gaps = np.diff(trace.arrival_s[trace.function == function])
        if gaps.size >= 2 and gaps.mean() > 0:
            expected.append(gaps.std() / gaps.mean())
    assert gap_variation(trace).tolist() == pytest.approx(expected, abs=1e-5)


@given(recorded())
def test_quantiles_are_numpys(trace: Trace) -> None:
    sample = Sample.of(trace.duration_s)
    if len(trace):
        assert sample.quantiles.tolist() == pytest.approx(np.quantile(trace.duration_s, LEVELS).tolist())
        assert sample.curve[[0, 200, 400]].tolist() == pytest.approx(
            np.quantile(trace.duration_s, [0, 0.5, 1]).tolist()
        )


def test_the_published_figures_of_the_azure_sample(shared: object) -> None:
    from sim.workload import load_trace

    measured = trace_statistics(load_trace(f"{shared}/traces/azure2019_500f_8h"))
    assert (measured.calls, measured.functions, measured.apps, measured.owners) == (3_037_902, 500, 476, 428)
    assert measured.busiest_share == pytest.approx(0.835, abs=0.001)
    calls = measured.calls_per_function.quantiles
    assert calls[[2, 4, 5, 6]].tolist() == pytest.approx([48, 958, 59_242, 1_915_521], rel=0.001)
    assert measured.triggers.set_index("trigger")["functions"].to_dict() == {
        "timer": 247, "http": 139, "queue": 69, "orchestration": 25, "event": 14, "storage": 5, "others": 1,
    }  # fmt: skip
