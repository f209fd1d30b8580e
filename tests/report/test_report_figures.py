"""The lines, bars and points of a report's figures are what the calls of the runs give when counted one by one."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn_outcomes import POLICIES, outcome, trace_of
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes

import sim
from sim.report import cold_by_group, cold_shares, function_differences, latency_tail, over_time, start_phases
from sim.report.figures import cost
from sim.report.function_differences import compared_pair
from sim.report.palette import looks
from sim.report.scales import choose_signed
from sim.results.outcome import VariantOutcome

TRACE = trace_of()
LABELS = list(POLICIES)
RUNS = {label: [sim.simulate(TRACE, policy, replication=r) for r in range(2)] for label, policy in POLICIES.items()}
VARIANT = outcome(TRACE)
APPS = TRACE.functions["app"].to_numpy()


def lines(axes: Axes) -> dict[str, np.ndarray]:
    """The points of each policy's line, known by its colour."""
    by_color = {look.color: label for label, look in looks(LABELS).items()}
    return {by_color[str(line.get_color())]: np.asarray(line.get_xydata()) for line in axes.lines
            if line.get_color() in by_color}  # fmt: skip


def axes_of(drawn: object) -> list[Axes]:
    return list(drawn.figure.axes)  # type: ignore[attr-defined]


# Distributions


@pytest.mark.parametrize("owner", ["app", "function"])
def test_the_share_with_at_most_a_rate_is_counted(owner: str) -> None:
    drawn = getattr(cold_shares, f"cold_by_{owner}")(VARIANT)
    shown = lines(axes_of(drawn)[0])
    assert list(shown) == LABELS
    for label, runs in RUNS.items():
        rates = []
        for run in runs:
            calls = run.invocations
            of = APPS[calls["function"]] if owner == "app" else calls["function"].to_numpy()
            cold, started = Counter(of[calls["start_kind"] == "cold"]), Counter(of[calls["start_kind"] != ""])
            rates += [100.0 * cold[name] / started[name] for name in started]
        for x, y in shown[label][1:]:
            assert y == pytest.approx(100.0 * sum(rate <= x + 1e-9 for rate in rates) / len(rates))


@given(st.lists(st.integers(0, 100).map(float), min_size=1, max_size=60))
def test_a_distribution_rises_from_none_to_all(values: list[float]) -> None:
    x, y = cold_shares.cumulative(np.sort(values))
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 100.0, 100.0)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()


def test_a_distribution_with_many_steps_is_exact_where_it_is_drawn() -> None:
    values = np.sort(np.random.default_rng(0).random(20_000) * 100.0)
    x, y = cold_shares.cumulative(values)
    assert x.size <= cold_shares.STEPS + 3
    assert y[1:-1] == pytest.approx([100.0 * (values <= at).mean() for at in x[1:-1]])


# Latency


def test_the_tail_is_of_the_quantiles_of_latency_down_to_one_call() -> None:
    shown = lines(axes_of(latency_tail.latency_tail(VARIANT))[0])
    for label, runs in RUNS.items():
        latencies = [(run.invocations["end_s"] - run.invocations["arrival_s"]).dropna().to_numpy() for run in runs]
        least = 1 / min(map(len, latencies))
        x, y = shown[label].T
        assert y[0] == 100.0
        assert y[-1] / 100 >= least * (1 - 1e-9)
        assert y[-1] / 100 * 10 ** (-1 / 16) < least
        expected = np.mean([np.quantile(latency, 1 - y / 100) for latency in latencies], axis=0)
        assert x == pytest.approx(expected)


# Over time


@pytest.mark.parametrize("what", ["instances", "memory"])
def test_the_area_below_a_line_is_the_time_of_the_instances(what: str) -> None:
    drawn = getattr(over_time, what)(VARIANT)
    keys = {"instances": ["mean_instances"], "memory": ["starting_gb_s", "busy_gb_s", "idle_gb_s"]}[what]
    for label, points in lines(axes_of(drawn)[0]).items():
        expected = np.mean([run.summary[keys].sum() for run in RUNS[label]])
        span_s = 1.0 if what == "instances" else TRACE.horizon_s
        assert points[:, 1].mean() * span_s == pytest.approx(expected)
    assert axes_of(drawn)[0].get_xlabel() == "time (min)"


def test_the_grey_is_the_most_that_is_busy() -> None:
    axes = axes_of(over_time.instances(VARIANT))[0]
    [grey] = [patch for patch in axes.patches if hasattr(patch, "get_data")]
    busy = [np.mean([d.timeline["busy"] for d in digests], axis=0) for digests in VARIANT.digests.values()]
    assert grey.get_data()[0] == pytest.approx(np.max(busy, axis=0))


def test_an_axis_is_linear_unless_policies_are_far_apart() -> None:
    near = outcome(TRACE, {"a": sim.policies.FixedWindow(60.0), "b": sim.policies.FixedWindow(70.0)})
    assert axes_of(over_time.instances(near))[0].get_ylim()[0] == 0.0
    assert axes_of(over_time.instances(near))[0].get_yscale() == "linear"
    far = outcome(TRACE, {"a": sim.policies.NoKeepAlive(), "b": sim.policies.KeepForever()})
    assert axes_of(over_time.instances(far))[0].get_yscale() != "linear"


# Phases


def test_bars_are_mean_seconds_of_each_phase() -> None:
    axes = axes_of(start_phases.phases(VARIANT))[0]
    bars = np.array([[bar.get_width() for bar in container] for container in axes.containers]).T
    for row, runs in zip(bars, RUNS.values(), strict=True):
        starts = pd.concat([run.starts for run in runs]).drop(columns=["row", "fetched_mb"])
        assert row == pytest.approx(starts.mean().to_numpy())
    left = np.array([[bar.get_x() for bar in container] for container in axes.containers]).T
    assert left[:, 1:] == pytest.approx((left + bars)[:, :-1])


def test_a_start_that_is_one_number_has_no_phases_to_show() -> None:
    assert start_phases.phases(outcome(TRACE, platform=sim.Platform(start_s=1.0))) is None


# Triggers and popularity


def cold_and_started(label: str, chosen: np.ndarray) -> tuple[int, int]:
    calls = pd.concat([run.invocations[chosen[run.invocations["function"]]] for run in RUNS[label]])
    return int((calls["start_kind"] == "cold").sum()), int((calls["start_kind"] != "").sum())


def test_rates_by_trigger_are_counted() -> None:
    axes = axes_of(cold_by_group.triggers(VARIANT))[0]
    rows = [text.get_text().split("\n")[0] for text in axes.get_yticklabels()]
    assert set(rows) == {"http", "timer", "queue", "(none)"}
    trigger = TRACE.functions["trigger"].replace("", "(none)").to_numpy()
    for label, points in lines(axes).items():
        for row, rate in zip(rows, points[:, 0], strict=True):
            cold, started = cold_and_started(label, trigger == row)
            assert rate == pytest.approx(100 * cold / started)


def test_the_triggers_with_fewest_calls_share_a_row() -> None:
    names, group = cold_by_group.trigger_groups(pd.Series(list("abcdefghijk")), np.array([*range(11)], float))
    assert names == ["k", "j", "i", "h", "g", "f", "e", "3 others"]
    assert group.tolist() == [-1, 7, 7, 7, 6, 5, 4, 3, 2, 1, 0]


def test_rates_and_shares_by_popularity_are_counted() -> None:
    above, below = axes_of(cold_by_group.popularity(VARIANT))
    called = np.bincount(TRACE.function, minlength=len(TRACE.functions))
    ranges = {"1": (1, 1), "2+": (2, 9), "10+": (10, 99), "100+": (100, 999)}
    rows = [text.get_text().split("\n") for text in below.get_xticklabels()]
    for label in LABELS:
        everything = cold_and_started(label, called > 0)[0]
        for i, (name, functions) in enumerate(rows):
            chosen = (called >= ranges[name][0]) & (called <= ranges[name][1])
            cold, started = cold_and_started(label, chosen)
            assert functions == f"({chosen.sum()})"
            assert lines(above)[label][i, 1] == pytest.approx(100 * cold / started)
            assert lines(below)[label][i, 1] == pytest.approx(100 * cold / everything)


@given(st.integers(1, 10**15))
def test_a_number_of_calls_is_in_the_range_that_is_named(calls: int) -> None:
    decade = int(cold_by_group.decade_of(np.array([float(calls)]))[0])
    bounds = [1, 2, *(10**k for k in range(1, 17))]
    assert bounds[decade] <= calls < bounds[decade + 1]
    assert cold_by_group.decade_names(6) == ["1", "2+", "10+", "100+", "1k+", "10k+"]


# Cost


def test_points_stand_at_cost_and_rate_with_their_intervals() -> None:
    figure = cost(VARIANT.frame)
    for axes, key in zip(figure.axes, ("provider_cost_per_million_usd", "user_cost_per_million_usd"), strict=True):
        drawn = [np.asarray(line.get_xydata()) for line in axes.lines]
        for row in VARIANT.frame.to_dict("records"):
            rate = 100 * row["cold_start_rate"]
            assert any(np.array_equal(points, [[row[key], rate]]) for points in drawn)
            bar = [[row[f"{key}_low"], rate], [row[f"{key}_high"], rate]]
            assert any(points.shape == (2, 2) and np.allclose(points, bar) for points in drawn)


def test_the_users_cost_is_drawn_where_it_differs() -> None:
    assert len(cost(VARIANT.frame.assign(user_cost_per_million_usd=3.0)).axes) == 1
    assert cost(VARIANT.frame.assign(cold_start_rate=np.nan)) is None


# Differences


def test_differences_are_counted_function_by_function() -> None:
    table = function_differences.function_differences(VARIANT, "fixed_1m", "fixed_10m").set_index("function")
    for function in range(len(TRACE.functions)):
        row = table.loc[function]
        assert row["name"] == TRACE.functions["name"][function]
        assert row["calls"] == (TRACE.function == function).sum()
        for name, label in (("policy", "fixed_1m"), ("other", "fixed_10m")):
            cold = [
                (r.invocations["start_kind"][r.invocations["function"] == function] == "cold").sum()
                for r in RUNS[label]
            ]
            assert row[f"cold_{name}"] == np.mean(cold)
            assert row[f"user_cost_usd_{name}"] == np.mean(
                [r.functions["user_cost_usd"][function] for r in RUNS[label]]
            )
    for name, label in (("policy", "fixed_1m"), ("other", "fixed_10m")):
        wasted = np.mean([run.summary["wasted_gb_s"] for run in RUNS[label]])
        assert table[f"wasted_gb_s_{name}"].sum() == pytest.approx(wasted)
    size = np.abs(table["cold_policy"] - table["cold_other"])
    assert (np.diff(size) <= 0).all()


def test_points_are_the_functions_that_differ() -> None:
    drawn = function_differences.differences_functions(VARIANT, policy="none", other="fixed_10m")
    table = function_differences.function_differences(VARIANT, "none", "fixed_10m")
    change = np.column_stack([function_differences.change_of(table, key) for key in ("wasted_gb_s", "cold")])
    [points] = axes_of(drawn)[0].collections
    assert np.asarray(points.get_offsets()).tolist() == change[change.any(axis=1)].tolist()
    more = int((change[:, 1] > 0).sum())
    assert f"{more} more" in drawn.alt


def test_no_difference_is_no_figure() -> None:
    assert function_differences.differences_functions(VARIANT, policy="none", other="none") is None


def test_a_policy_that_did_not_run_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no run of policy 'fixed_2m'; there are 'fixed_10m'"):
        function_differences.function_differences(VARIANT, "fixed_2m", "fixed_10m")


def with_metrics(**policies: tuple[float, float, bool]) -> VariantOutcome:
    """Policies by waste, cold-start rate and whether they know the future."""
    waste, rate, future = zip(*policies.values(), strict=True)
    frame = pd.DataFrame({"policy": list(policies), "policy_value": list(policies), "wasted_gb_s": waste,
                          "cold_start_rate": rate, "needs_future": future})  # fmt: skip
    frame.loc[frame["policy"] == "ten", "policy_value"] = repr(sim.policies.FixedWindow(600.0))
    digests = dict.fromkeys(policies, next(iter(VARIANT.digests.values())))
    return replace(VARIANT, frame=frame, digests=digests)


def test_the_pair_shown_is_the_best_that_wastes_no_more_and_the_reference() -> None:
    one = {"cheap": (5.0, 0.4, False), "ten": (9.0, 0.3, False), "good": (9.0, 0.2, False), "same": (9.0, 0.3, False)}
    assert compared_pair(with_metrics(**one)) == ("good", "ten")
    assert compared_pair(with_metrics(**{**one, "good": (9.0, 0.2, True)})) == ("cheap", "ten")
    assert compared_pair(with_metrics(ten=(9.0, 0.3, False), dear=(10.0, 0.2, False))) == ("dear", "ten")
    assert compared_pair(with_metrics(ten=(9.0, 0.3, False), same=(9.0, 0.3, False))) is None
    assert compared_pair(with_metrics(first=(9.0, 0.3, False), other=(8.0, 0.3, False))) == ("other", "first")
    assert compared_pair(with_metrics(ten=(9.0, 0.3, False))) is None


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=12), st.sampled_from([0.0, 0.2]))
def test_every_change_is_inside_its_axis_with_zero_in_the_middle(values: list[float], room: float) -> None:
    scale = choose_signed(np.array(values), room=room)
    assert scale.low == -scale.high
    assert all(scale.low < value < scale.high for value in values)
    assert 0.0 in scale.ticks
    assert list(scale.ticks) == sorted(scale.ticks)
    assert len(scale.ticks) <= 13
