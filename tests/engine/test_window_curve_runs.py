"""The window curve against runs: the same cold starts at every window, to the last bit of it, and the same waste."""

from dataclasses import replace
from functools import cache
from itertools import product
from math import inf, isfinite, nextafter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import Case, Windows, cases, cold_starts, idle_s

import sim
from sim import config
from sim.core.distributions import Exponential
from sim.core.errors import ConfigError
from sim.engine.window_curve import why_inexact
from sim.platform.platform import Platform
from sim.platform.startup import PhasedStart
from sim.policies import Clairvoyant, FixedWindow
from sim.results.window_curve import WindowCurve

ALONE = {"start_ups": False, "lives": False}
NO_START = Platform(start_s=0.0)


def as_simulated(trace: sim.Trace, platform: Platform, window_s: float, **span: float) -> tuple[float, float]:
    summary = sim.simulate(trace, FixedWindow(window_s), platform, record=False, **span).summary  # type: ignore[arg-type]
    return summary["cold_starts"], summary["wasted_gb_s"]


def require_as_simulated(
    made: WindowCurve, trace: sim.Trace, platform: Platform, window_s: float, **span: float
) -> None:
    cold, wasted_gb_s = as_simulated(trace, platform, window_s, **span)
    assert made.cold_starts(window_s) == cold
    # Each idle period of a run ends at a float64 of its own; a time of 100 s has neighbours 1e-14 s away.
    assert made.wasted_gb_s(window_s) == pytest.approx(wasted_gb_s, rel=1e-9, abs=1e-12)


def telling_windows_s(case: Case) -> list[float]:
    """Gaps between any end and any later arrival, as floats have them, and the numbers beside these."""
    ends = [a + d for a, d in zip(case.arrival_s, case.duration_s, strict=True)]
    gaps = sorted({a - end for a in case.arrival_s for end in ends if a >= end} | {0.0})
    beside = {w for gap in gaps for w in (gap, nextafter(gap, inf), nextafter(gap, 0.0))}
    return [*sorted(beside), inf]


def with_memory(case: Case, *, one_app: bool) -> sim.Trace:
    trace = case.trace
    table = trace.functions.assign(memory_mb=128.0 * (1 + np.arange(len(trace.functions))))
    return replace(trace, functions=table.assign(app="a") if one_app else table)


@settings(max_examples=100)
@given(cases(functions=3, calls=9, **ALONE), st.sampled_from(["function", "app"]), st.booleans(), st.data())
def test_every_window_is_as_simulated(case: Case, isolation: str, one_app: bool, data: st.DataObject) -> None:
    trace, platform = with_memory(case, one_app=one_app), Platform(start_s=0.0, isolation=isolation)  # type: ignore[arg-type]
    made = sim.window_curve(trace, platform)
    for window_s in data.draw(st.lists(st.sampled_from(telling_windows_s(case)), min_size=1, max_size=2)):
        require_as_simulated(made, trace, platform, window_s)
    for window_s in made.warm_from_s[:1].tolist():
        require_as_simulated(made, trace, platform, window_s)
        require_as_simulated(made, trace, platform, nextafter(window_s, 0.0))


@settings(max_examples=100)
@given(cases(functions=2, calls=9, **ALONE), st.data())
def test_so_it_is_in_a_span(case: Case, data: st.DataObject) -> None:
    trace = case.trace
    instants = sorted({*case.arrival_s, 0.5 * trace.horizon_s, 1.5 * trace.horizon_s, trace.horizon_s})
    warm_up_s, horizon_s = sorted(data.draw(st.lists(st.sampled_from(instants), min_size=2, max_size=2)))
    made = sim.window_curve(trace, warm_up_s=warm_up_s, horizon_s=horizon_s)
    for window_s in data.draw(st.lists(st.sampled_from(telling_windows_s(case)), min_size=1, max_size=3)):
        require_as_simulated(made, trace, NO_START, window_s, warm_up_s=warm_up_s, horizon_s=horizon_s)


@pytest.mark.parametrize(
    "platform",
    [
        Platform(start_s=0.0, binding="late"),
        Platform(start_s=0.0, binding="race"),
        Platform(start_s=0.0, max_wait_s=1e-9, queue_limit=3, prewarm_lead_s=5.0, image_base_mb=100.0),
        Platform(PhasedStart({"create": 0.0, "handler": 0.0})),
    ],
    ids=["late", "race", "patience", "phases"],
)
@settings(max_examples=30)
@given(case=cases(functions=2, calls=7, **ALONE), data=st.data())
def test_what_is_not_refused_changes_nothing(platform: Platform, case: Case, data: st.DataObject) -> None:
    window_s = data.draw(st.sampled_from(telling_windows_s(case)))
    require_as_simulated(sim.window_curve(case.trace, platform), case.trace, platform, window_s)


def test_time_outs_cut_calls_on_the_curve_too() -> None:
    trace = sim.Trace.from_arrays(["f", "f"], [0.0, 10.0], 8.0)
    cut = replace(trace, functions=trace.functions.assign(timeout_s=2.0))
    assert sim.window_curve(trace).warm_from_s.tolist() == pytest.approx([2.0])
    assert sim.window_curve(cut).warm_from_s.tolist() == pytest.approx([8.0])
    require_as_simulated(sim.window_curve(cut), cut, NO_START, 8.0)


# The frontier


@settings(max_examples=40)
@given(cases(functions=1, calls=5, units=(1.0, 0.125), nudges=(0,), **ALONE))
def test_no_keep_decisions_waste_less_than_the_frontier(case: Case) -> None:
    """Every choice of how long each idle instance stays: at once gone, or up to one of the arrivals to come."""
    ends = [a + d for a, d in zip(case.arrival_s, case.duration_s, strict=True)]
    choices = [sorted({0.0} | {a - end for a in case.arrival_s if a > end}) for end in ends]
    least: dict[int, float] = {}
    for windows_s in product(*choices):
        columns = case.run(Windows(windows_s))
        cold = cold_starts(columns)
        least[cold] = min(least.get(cold, inf), idle_s(columns))
    frontier = sim.window_curve(case.trace).frontier
    gb = 128 / 1024
    assert dict(zip(frontier.cold_starts.tolist(), (frontier.wasted_gb_s / gb).tolist(), strict=True)) == least


PREWARMS = {"hybrid_histogram", "hybrid_histogram_app", "provisioned_1", "ping_5m", "scheduled_day", "stem_cells"}
"""What starts instances, or keeps cells, that no call asked for: the frontier is not theirs, nor that of scalers."""


@cache
def two_hours() -> sim.Trace:
    return sim.load_trace("traces/default").slice(32_400.0, 39_600.0)


KEEP_ONLY = sorted(
    name
    for name, policy in config.policy_presets().items()
    if name not in PREWARMS and not isinstance(policy, sim.policies.Scaling)
)


@pytest.mark.parametrize("name", KEEP_ONLY)
def test_no_policy_that_only_keeps_is_below_the_frontier(name: str) -> None:
    summary = sim.simulate(two_hours(), config.policy_presets()[name], NO_START, record=False).summary
    least = float(sim.window_curve(two_hours()).frontier.least_gb_s(summary["cold_starts"]))
    assert summary["wasted_gb_s"] >= least * (1 - 1e-9)


def test_prewarming_goes_below_it() -> None:
    # A call an hour: unloading and starting again just before the next wastes next to nothing for a warm call.
    trace = sim.Trace.from_arrays(["f"] * 48, 3600.0 * np.arange(48.0), 1.0)
    hybrid = sim.simulate(trace, config.policy_presets()["hybrid_histogram"], NO_START, record=False).summary
    least = float(sim.window_curve(trace).frontier.least_gb_s(hybrid["cold_starts"]))
    assert hybrid["wasted_gb_s"] < 0.9 * least


@pytest.mark.parametrize("worth_s", [0.0, 60.0, 600.0, 3600.0])
def test_clairvoyant_is_on_it_where_all_instances_are_alike_and_above_where_not(worth_s: float) -> None:
    alike = replace(two_hours(), functions=two_hours().functions.assign(memory_mb=128.0))
    for trace, most in ((alike, 1 + 1e-9), (two_hours(), inf)):
        summary = sim.simulate(trace, Clairvoyant(worth_s), NO_START, record=False).summary
        made = sim.window_curve(trace)
        least = float(made.frontier.least_gb_s(summary["cold_starts"]))
        assert summary["cold_starts"] == made.cold_starts(worth_s)
        assert least * (1 - 1e-9) <= summary["wasted_gb_s"] <= most * max(least, 1e-300)


# Real traffic


@pytest.mark.xdist_group("azure2019")
def test_twenty_windows_of_real_traffic(shared: Path) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_100f_8h", format="azure2019", seed=3).slice(0.0, 7200.0)
    made = sim.window_curve(trace, warm_up_s=1800.0)
    drawn = np.random.default_rng(20).choice(made.warm_from_s, 6, replace=False)
    ours = [0.0, 1e-3, 0.5, 1.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 14_400.0, inf]
    for window_s in [*ours, *drawn.tolist(), float(made.warm_from_s[-1]), nextafter(made.warm_from_s[-1], 0.0)]:
        require_as_simulated(made, trace, NO_START, window_s, warm_up_s=1800.0)


def test_counts_made_without_the_package(shared: Path) -> None:
    folder = shared / "traces" / "azure2019_500f_8h"  # by tests/engine/golden.py
    made = sim.window_curve(sim.load_trace(folder, format="azure2019", arrivals="even", durations="mean"))
    assert made.cold_starts([0.0, 60.0, 120.0, 600.0, 3600.0, inf]).tolist() == [3037902, 20577, 15261, 3068, 942, 695]


# Where it is not exact

TRACE = sim.Trace.from_arrays([0, 0, 0, 0], [0.0, 4.0, 7.25, 8.5], 1.0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"start_s": 2.0}, "starts take time"),
        ({"start_s": None, "start": PhasedStart({"handler": 1.0})}, "starts take time"),
        ({"start_s": None, "start": PhasedStart({"create": Exponential(mean=1.0)})}, "starts take time"),
        ({"start_failure_probability": 0.1}, "starts may fail"),
        ({"max_lifetime_s": 60.0}, "instances have a maximum lifetime"),
        ({"concurrency": 2}, "instances serve several requests at a time"),
        ({"max_instances": 3}, "the number of instances is limited"),
        ({"max_instances_per_unit": 1}, "the number of instances is limited"),
        ({"max_wait_s": 0.0}, "calls do not wait (max_wait_s is 0)"),
        ({"instance_choice": "random"}, "free instances are not taken most recently idle first"),
        ({"routers": 2}, "there are several routers, or one that does not know of every free instance"),
        ({"route_cache_size": 5}, "there are several routers, or one that does not know of every free instance"),
    ],
)
def test_what_the_curve_leaves_out_is_refused_or_said(options: dict[str, object], reason: str) -> None:
    platform = replace(NO_START, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as error:
        sim.window_curve(TRACE, platform)
    assert reason in str(error.value)
    made = sim.window_curve(TRACE, platform, approximate=True)
    assert made.approximate == (reason,)
    assert made.at([0, 1, inf]).equals(sim.window_curve(TRACE).at([0, 1, inf]))


def test_an_approximation_is_one() -> None:
    # docs/surprises.md: with starts of 2 s the cold starts are 2 under 0.5 s and 3 under 1.5 s.
    platform = Platform(start_s=2.0)
    made = sim.window_curve(TRACE, platform, approximate=True)
    assert [as_simulated(TRACE, platform, w)[0] for w in (0.5, 1.5)] == [2, 3]
    assert made.cold_starts([0.5, 1.5]).tolist() == [3, 3]


def test_all_reasons_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match="starts take time; instances have a maximum lifetime"):
        sim.window_curve(TRACE, Platform(start_s=1.0, max_lifetime_s=60.0))


def test_only_functions_that_are_called_matter() -> None:
    table = sim.Trace.from_arrays(["f", "g"], [0.0, 1.0], 1.0).functions.assign(concurrency=[1, 8])
    only_f = sim.Trace.from_arrays(["f"], [0.0], 1.0, functions=table)
    assert why_inexact(only_f, NO_START) == ()
    assert why_inexact(sim.Trace.from_arrays(["g"], [0.0], 1.0, functions=table), NO_START) != ()


def test_an_exact_curve_says_so() -> None:
    assert sim.window_curve(TRACE).approximate == ()
    assert all(isfinite(w) for w in sim.window_curve(TRACE).warm_from_s)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sim.window_curve("traces/default"), "trace must be a Trace, not 'traces/default'"),
        (lambda: sim.window_curve(TRACE, "default"), "platform must be a Platform, not 'default'"),
        (lambda: sim.window_curve(TRACE, Platform), "platform must be a Platform, not <class"),
        (lambda: sim.window_curve(TRACE, warm_up_s=9.0, horizon_s=1.0), "0 <= warm_up_s <= horizon_s"),
    ],
)
def test_wrong_arguments(call: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()  # type: ignore[operator]
