"""Calls made of counts inside the kernels: those that the trace makes, to the bit, and what they come to."""

from dataclasses import replace
from itertools import product
from math import inf

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tallied import ARRIVALS, DURATIONS, PROVIDER, assert_same_results, run, source, sources

from sim.core.distributions import Exponential
from sim.core.random import uniforms
from sim.engine.compiled.tally import drawing, engine, plain_replay, setup
from sim.engine.compiled.tally.layout import AT_ONCE, BLOCK, HEAPED, MADE_AT, PARTS, ROW_AT, Queues, at_first
from sim.platform.platform import Platform
from sim.platform.startup import PhasedStart
from sim.policies import FixedWindow, KeepAlive, KeepForever, NoKeepAlive, SkiRental
from sim.results.pricing import PriceBook
from sim.workload.arrivals import scattered
from sim.workload.counts import CountSource, Recipe

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

WINDOWS = [FixedWindow(20.0), FixedWindow(60.0), NoKeepAlive(), KeepForever()]
LATE = PhasedStart({"create": Exponential(1.0), "handler": 0.5})
PLATFORMS = [Platform(start_s=0.0), Platform(start_s=1.5), Platform(start_s=0.5, max_instances_per_unit=2)]
DAY = {(m, f): 1 + (7 * m * m + 3 * f) % 11 for m, f in product(range(5), range(3))}
DAY[2, 1] = BLOCK + 904  # more than are served at a time
SPANS = ((1438, 2), (4000, 3))


def made_by_kernels(counts: CountSource, replication: int, function: int, room: int) -> np.ndarray:
    """Arrival and duration of each call of a function, as the kernels make them: float64[n, 2]."""
    cells = setup.cells(counts, replication, inf)
    drawn, made, at = setup.drawn(room), [np.empty((0, 2))], at_first()
    at[ROW_AT] = cells.begin[function]
    while at[ROW_AT] < cells.begin[function + 1]:
        calls = drawing.make(cells, drawn, function, at, inf)
        made.append(np.column_stack([drawn.arrival_s, drawn.duration_s])[:calls])
    return np.concatenate(made)


def assert_made_alike(counts: CountSource, replication: int, room: int = AT_ONCE) -> None:
    trace = counts.draw(replication, {})
    for function in range(len(counts.functions)):
        own = trace.function == function
        theirs = np.column_stack([trace.arrival_s[own], trace.duration_s[own]])
        np.testing.assert_array_equal(made_by_kernels(counts, replication, function, room), theirs)


@pytest.mark.parametrize("replication", [0, 3])
@pytest.mark.parametrize("durations", DURATIONS)
@pytest.mark.parametrize("arrivals", ARRIVALS)
def test_kernels_make_the_calls_of_the_columns(arrivals: str, durations: str, replication: int) -> None:
    counts = source(DAY, Recipe(arrivals, durations, 5), spans=SPANS)
    assert_made_alike(counts, replication)
    assert_made_alike(counts, replication, room=BLOCK)
    assert_made_alike(counts.of_functions(np.array([2, 1])), replication)
    later = counts.of_minutes([(60.0, 120.0), (180.0, 300.0)])
    assert later is not None
    assert_made_alike(later, replication)


def test_calls_whose_arrivals_round_to_the_same_are_in_the_order_of_their_numbers() -> None:
    late = 1 << 24  # so far from the beginning that a minute has no more than 2^29 instants
    counts = source({(late, 0): 60_000}, Recipe("uniform", "percentiles", 2))
    arrival_s, duration_s = (getattr(counts.draw(0, {}), name) for name in ("arrival_s", "duration_s"))
    ties = np.flatnonzero(np.diff(arrival_s) == 0)
    assert ties.size > 1
    assert (duration_s[ties] != duration_s[ties + 1]).all()  # so their order can be seen
    assert_made_alike(counts, 0)
    assert_made_alike(counts, 0, room=BLOCK)


def test_calls_that_tie_though_they_were_drawn_far_apart() -> None:
    minute, count, key, label = 1 << 40, 60_000, np.uint64(7), 3  # an instant is wider than a call's share of a minute
    index = (np.uint64(label) << np.uint64(32)) + np.arange(count, dtype=np.uint64)
    arrival_s = scattered(np.full(count, minute), index, index, lambda: uniforms(key, index))
    order = np.argsort(arrival_s, kind="stable")
    drawn = setup.drawn(count)
    assert drawing.scatter(minute, count, key, label, at_first(), drawn) == count
    np.testing.assert_array_equal(drawn.number, order)
    np.testing.assert_array_equal(drawn.arrival_s, arrival_s[order])
    assert np.unique(arrival_s).size < count / 7


def test_a_minute_is_drawn_in_as_many_parts_as_its_calls_need_room() -> None:
    cells = setup.cells(source({(0, 0): 50_000}, Recipe("uniform", "mean")), 0, inf)
    whole, drawn, found = setup.drawn(50_000), setup.drawn(0), [np.empty((0, 2))]
    drawing.make(cells, whole, 0, at_first(), inf)
    at = at_first()
    at[PARTS] = 3  # too few, so they are halved, and halved again
    while not at[ROW_AT]:
        before, calls = at[MADE_AT], drawing.make(cells, drawn, 0, at, inf)
        assert calls <= BLOCK
        assert at[MADE_AT] == before + calls or at[ROW_AT]
        found.append(np.column_stack([drawn.arrival_s, drawn.number])[:calls])
    assert len(found) - 1 == 24
    np.testing.assert_array_equal(np.concatenate(found), np.column_stack([whole.arrival_s, whole.number]))


@pytest.mark.parametrize("policy", [FixedWindow(20.0), SkiRental(20.0, randomised=True)], ids=repr)
def test_runs_that_draw_a_minute_in_parts(policy: KeepAlive, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = source({(m, f): (f + 1) * 9000 for m in range(2) for f in range(2)}, Recipe("uniform", "percentiles"))
    trace, platform = counts.draw(1, {}), Platform(start=LATE)
    whole = run(trace, policy, platform, replication=1, horizon_s=90.0)
    monkeypatch.setattr(engine.layout, "AT_ONCE", BLOCK)
    parts = run(trace, policy, platform, replication=1, horizon_s=90.0)
    pd.testing.assert_series_equal(parts.summary, whole.summary, check_exact=True)
    pd.testing.assert_frame_equal(parts.functions, whole.functions, check_exact=True)


@examples(300)
@given(
    sources(), st.sampled_from(WINDOWS), st.sampled_from([*PLATFORMS, Platform(start=PhasedStart({"create": 1.0}))]),
    st.sampled_from([0, 3]), st.sampled_from([0.0, 0.0, 0.3]), st.sampled_from([1.0, 1.0, 0.45, 0.0]), st.booleans(),
)  # fmt: skip
def test_a_run_from_counts_is_that_of_their_calls(
    counts: CountSource, policy: FixedWindow, platform: Platform, replication: int, warm_up: float, horizon: float,
    at_calls: bool,
) -> None:  # fmt: skip
    trace = counts.draw(replication, {})
    span_s = warm_up * horizon * counts.horizon_s, horizon * counts.horizon_s
    if at_calls and len(trace):  # the span begins and ends at the very instant of a call
        span_s = [trace.arrival_s[int(share * (len(trace) - 1))] for share in (warm_up * horizon, horizon)]
    options = {"warm_up_s": span_s[0], "horizon_s": span_s[1], "replication": replication, "seed": 4}
    ours, theirs = (run(trace, policy, platform, engine, **options) for engine in ("compiled", "simpy"))
    assert_same_results(ours, theirs)


@pytest.mark.parametrize("durations", DURATIONS)
@pytest.mark.parametrize("arrivals", ARRIVALS)
def test_thousands_in_a_minute_with_drawn_starts_and_a_horizon_inside_a_minute(arrivals: str, durations: str) -> None:
    trace = source(DAY, Recipe(arrivals, durations), spans=SPANS, timeout_s=15.0).draw(3, {})
    for platform, timeout_s in ((Platform(start=LATE), inf), (Platform(start=PhasedStart({"create": 0.5})), 15.0)):
        cut = replace(trace, functions=trace.functions.assign(timeout_s=timeout_s))
        for options in ({"horizon_s": 151.3, "warm_up_s": 31.0}, {"horizon_s": 400.0}):
            ours, theirs = (run(cut, FixedWindow(30.0), platform, name, **options) for name in ("compiled", "simpy"))
            assert_same_results(ours, theirs)
            assert ours.about["percentiles"].startswith("from a histogram")


@pytest.mark.parametrize("arrivals", ARRIVALS)
def test_whole_minutes_and_functions_sliced_from_counts(arrivals: str) -> None:
    whole = source(DAY, Recipe(arrivals, "percentiles"), spans=SPANS).draw(3, {})
    for part in (whole.slice(60, 240), whole.slice(functions=[2, 0]), whole.slice(120, 300, ["f1"])):
        assert part.counts is not None
        ours, theirs = (run(part, FixedWindow(30.0), PLATFORMS[1], engine) for engine in ("compiled", "simpy"))
        assert_same_results(ours, theirs)


@pytest.mark.parametrize("arrivals", ARRIVALS)
@pytest.mark.parametrize("durations", DURATIONS)
def test_a_pass_that_stops_goes_on_where_it_stood(
    arrivals: str, durations: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = source(DAY | {(4, 1): 2 * BLOCK + 5}, Recipe(arrivals, durations)).draw(0, {})
    whole = run(trace, FixedWindow(30.0), PLATFORMS[1])
    monkeypatch.setattr(plain_replay, "MOST", 1)
    monkeypatch.setattr(engine, "TASK", 10)
    for threads in (1, 2, 3):
        again = run(trace, FixedWindow(30.0), PLATFORMS[1], threads=threads)
        assert again.summary.equals(whole.summary)
        assert again.functions.equals(whole.functions)


@pytest.mark.parametrize("arrivals", ["even", "uniform"])
def test_more_instances_than_there_is_room_for_at_first(arrivals: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = source({(m, 0): 7000 for m in range(4)}, Recipe(arrivals, "percentiles"))
    known = replace(counts.durations, quantiles_s=np.array([[150.0, 160, 170, 200, 250, 399, 400]]))
    trace, rooms, wider = replace(counts, durations=known).draw(0, {}), [], setup.wider

    def widen(old: Queues) -> Queues:
        rooms.append(old.at.copy())
        return wider(old)

    monkeypatch.setattr(setup, "wider", widen)
    options = {"horizon_s": 900.0, "warm_up_s": 100.0}
    ours, theirs = (run(trace, FixedWindow(100.0), PLATFORMS[1], engine, **options) for engine in ("compiled", "simpy"))
    assert_same_results(ours, theirs)
    assert rooms
    assert rooms[0][HEAPED] > 1000  # ends that came out of order moved too


@pytest.mark.parametrize("durations", DURATIONS)
def test_counts_stay_counts(durations: str) -> None:
    trace = source(DAY, Recipe("poisson", durations)).draw(1, {})
    for part in (trace, trace.slice(60, 240, [0, 2])):
        result = run(part, FixedWindow(30.0), PLATFORMS[1], threads=2, horizon_s=100.0)
        assert result.summary["invocations"] > 0
        assert "_columns" not in vars(part)  # nobody asked for its calls


def test_golden() -> None:
    # f arrives at 15, 45 and 150 and runs 5 s, g at 10, 30 and 50 and runs 40 s; a start takes 1 s, a window is 25 s
    # f: 16-21 | idle to 45, 45-50 | idle 50-75, and at 150 anew: 151-156 | idle from 156 to the end at 180
    # g: 11-51, 31-71, 51-91, each on its own instance, since the first is busy until 51; each idles for 25 s
    counts = source({(0, 0): 2, (0, 1): 3, (2, 0): 1}, Recipe(), average_s=[5.0, 40.0])
    trace = replace(counts, functions=counts.functions.assign(memory_mb=1024.0)).draw(0, {})
    price = PriceBook("a USD a second", "", "", 1.0, 0.0, 1.0, 0.0, bills_start_up=True)
    result = run(trace, FixedWindow(25.0), Platform(start_s=1.0), price=price, provider=PROVIDER)
    wanted = {
        "calls": [3, 3], "started": [3, 3], "warm": [1, 0], "cold": [2, 3], "queued": [0, 0], "rejected": [0, 0],
        "timed_out": [0, 0], "failed": [0, 0], "prewarmed": [0, 0], "starts": [2, 3], "starting_s": [2.0, 3.0],
        "unawaited_start_s": [0.0, 0.0], "busy_s": [15.0, 120.0], "idle_s": [73.0, 75.0], "wait_s": [2.0, 3.0],
        "user_cost_usd": [17.0, 123.0],
    }  # fmt: skip
    found = result.functions.drop(columns=["name", "app", "owner", "trigger", "memory_mb"])
    assert found.to_dict("list") == wanted
    assert result.summary["latency_mean_s"] == pytest.approx((6 + 5 + 6 + 3 * 41) / 6)
    assert result.summary["latency_p50_s"] == pytest.approx((6 + 41) / 2, rel=1 / 256)
    assert result.summary["latency_p99_9_s"] == pytest.approx(41, rel=1 / 256)
    assert result.summary["wasted_gb_s"] == 73 + 75


@pytest.mark.parametrize(
    ("cells", "functions"), [({}, 0), ({}, 3), ({(2, 1): 1}, 3)], ids=["no functions", "no calls", "a single call"]
)
@pytest.mark.parametrize("arrivals", ARRIVALS)
def test_hardly_anything(cells: dict[tuple[int, int], int], functions: int, arrivals: str) -> None:
    for minutes in (3, 3000):
        trace = source(cells, Recipe(arrivals, "per_minute"), functions=functions, spans=((7, minutes),)).draw(0, {})
        ours, theirs = (run(trace, FixedWindow(30.0), PLATFORMS[1], engine) for engine in ("compiled", "simpy"))
        assert_same_results(ours, theirs)
        assert len(ours.functions) == functions
