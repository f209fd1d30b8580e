"""Requests that share a processor: by hand, against a twin of few lines, and against M/G/1 with processor sharing."""

from __future__ import annotations

from math import inf

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theory import Sampler, assert_mean, poisson_calls

import sim
from sim.core.errors import ConfigError
from sim.platform import PhasedStart
from sim.policies import AzureScaling, FixedScale, FixedWindow, KeepForever, Knative, LambdaScaling, OpenWhiskScheduler

ONE_CORE = {"start_s": 0.0, "concurrency": 1000, "cores": 1.0, "processor": "shared"}
LOADS_LATE = sim.load_platform("default").start
POLICIES = [
    KeepForever(),
    FixedWindow(5),
    LambdaScaling(),
    Knative(),
    FixedScale(2),
    AzureScaling(),
    OpenWhiskScheduler(),
]


def spans(arrival_s: list[float], service_s: list[float], **options: object) -> list[tuple[float, float]]:
    trace = sim.Trace.from_arrays([0] * len(arrival_s), arrival_s, service_s)
    calls = sim.simulate(trace, KeepForever(), sim.Platform(**{**ONE_CORE, **options})).invocations
    return list(zip(calls["start_s"], calls["end_s"], strict=True))


# By hand


def test_golden_two_requests_on_one_core() -> None:
    # Alone for half a second, then both at half speed: the first has 0.5 s left, which takes 1 s; the second 0.5 s then
    assert spans([0.0, 0.5], [1.0, 1.0]) == [(0.0, 1.5), (0.5, 2.0)]


def test_golden_three_requests_and_a_short_one() -> None:
    # From 0 a and b at a half; from 1 all three at a third until c, of 0.1, ends at 1.3; a and b have 0.4 left: 2.1
    assert spans([0.0, 0.0, 1.0], [1.0, 1.0, 0.1]) == [
        (0.0, pytest.approx(2.1)),
        (0.0, pytest.approx(2.1)),
        (1.0, pytest.approx(1.3)),
    ]


def test_golden_cores_and_what_a_request_asks_for() -> None:
    assert spans([0.0, 0.0], [1.0, 1.0], cores=2.0) == [(0.0, 1.0), (0.0, 1.0)]
    assert spans([0.0] * 4, [1.0] * 4, cores=2.0) == [(0.0, 2.0)] * 4
    assert spans([0.0] * 4, [1.0] * 4, cores=1.0, cores_per_request=0.25) == [(0.0, 1.0)] * 4
    assert spans([0.0], [1.0], cores=0.1) == [(0.0, 1.0)]  # alone: x is the service time alone in the instance
    assert [end for _, end in spans([0.0, 0.0], [1.0, 1.0], cores=0.1)] == pytest.approx([2.0, 2.0])


def test_golden_cores_come_with_memory() -> None:
    functions = pd.DataFrame({"name": ["f"], "memory_mb": [3538.0]})
    trace = sim.Trace.from_arrays([0] * 4, [0.0] * 4, 1.0, functions=functions)
    platform = sim.Platform(start_s=0.0, concurrency=4, processor="shared")
    assert sim.simulate(trace, KeepForever(), platform).invocations["end_s"].tolist() == [2.0] * 4


def test_golden_functions_of_an_app_ask_for_different_shares() -> None:
    functions = pd.DataFrame({"name": ["a", "b"], "app": "x", "cpu_share": [1.0, 0.5]})
    trace = sim.Trace.from_arrays([0, 1], [0.0, 0.0], 1.0, functions=functions)
    platform = sim.Platform(**ONE_CORE, isolation="app")
    # 1.5 cores are asked for, so both run at two thirds
    assert sim.simulate(trace, KeepForever(), platform).invocations["end_s"].tolist() == pytest.approx([1.5, 1.5])
    # 2 and 1 of one core: two thirds and one third of it; alone either would have all of it
    greedy = trace.functions.assign(cpu_share=[2.0, 1.0])
    trace = sim.Trace.from_arrays([0, 1], [0.0, 0.0], 1.0, functions=greedy)
    assert sim.simulate(trace, KeepForever(), platform).invocations["end_s"].tolist() == pytest.approx([1.5, 2.0])


def test_pings_share_the_processor_too() -> None:
    policy = sim.policies.PingWarmer(period_s=10.0, window_s=60.0, ping_s=1.0)
    trace = sim.Trace.from_arrays([0, 0, 0], [2.0, 10.0, 30.0], 1.0, horizon_s=40.0).slice(0, 25)
    calls = sim.simulate(trace, policy, sim.Platform(**ONE_CORE), horizon_s=20.0).invocations
    assert calls["end_s"].tolist() == [3.0, 12.0]  # the second runs beside a ping


def test_golden_slowed_requests_are_billed_for_as_long_as_they_run() -> None:
    def usd(arrival_s: list[float], service_s: list[float], **options: object) -> float:
        trace = sim.Trace.from_arrays([0] * len(arrival_s), arrival_s, service_s)
        platform = sim.Platform(start_s=0.0, concurrency=2, **options)
        return float(sim.simulate(trace, KeepForever(), platform).summary["user_cost_per_million_usd"])

    slowed = usd([0.0, 0.5], [1.0, 1.0], processor="shared", cores=1.0)  # 1.5 s each
    assert slowed == pytest.approx(usd([0.0, 0.5], [1.5, 1.5]), rel=1e-12)
    assert usd([0.0, 0.5], [1.0, 1.0], processor="shared", cores=2.0) == usd([0.0, 0.5], [1.0, 1.0])


def test_golden_the_slow_are_cut() -> None:
    functions = pd.DataFrame({"name": ["f"], "timeout_s": [1.5]})
    trace = sim.Trace.from_arrays([0] * 3, [0.0, 0.0, 0.5], [1.0, 0.5, 1.5], functions=functions)
    calls = sim.simulate(trace, KeepForever(), sim.Platform(**{**ONE_CORE, "start_s": 0.0})).invocations
    # Halves until 0.5, thirds until 1.25, when b ends; a has 0.5 left, is cut at 1.5 with 0.375; c at 2 with 0.625 left
    assert calls["end_s"].tolist() == [pytest.approx(1.5), pytest.approx(1.25), 2.0]
    assert calls["outcome"].tolist() == ["timed_out", "ok", "timed_out"]


def test_golden_requests_wait_for_the_load_of_the_handler_and_then_share() -> None:
    start = PhasedStart({"create": 0.0, "handler": 1.0})

    def result(timeout_s: float) -> sim.Result:
        functions = pd.DataFrame({"name": ["f"], "timeout_s": [timeout_s]})
        trace = sim.Trace.from_arrays([0, 0], [0.0, 0.5], 1.0, functions=functions)
        platform = sim.Platform(start=start, concurrency=2, cores=1.0, processor="shared")
        return sim.simulate(trace, KeepForever(), platform)

    def calls(timeout_s: float) -> pd.DataFrame:
        return result(timeout_s).invocations

    assert calls(inf)["end_s"].tolist() == [3.0, 3.0]
    assert calls(2.5)["end_s"].tolist() == [2.5, 2.75]  # the first is cut; the second, alone then, has a quarter left
    assert calls(2.5)["outcome"].tolist() == ["timed_out", "ok"]
    assert calls(0.75)["end_s"].tolist() == [0.75, 1.25]
    columns = result(2.5).columns
    assert columns.execution_s(np.ones(2)).tolist() == [2.5, 2.25]


def test_golden_instances_stay_while_their_unit_runs() -> None:
    policy = sim.policies.FunctionIdleWindow(window_s=5.0, surplus_window_s=100.0)
    trace = sim.Trace.from_arrays([0] * 4, [0.0, 0.0, 0.0, 12.0], [1.0, 1.0, 20.0, 1.0])
    dedicated = sim.Platform(start_s=0.0)
    alone = sim.simulate(trace, policy, dedicated)
    shared = sim.simulate(trace, policy, sim.Platform(start_s=0.0, processor="shared", cores=64.0))
    assert alone.invocations["start_kind"].tolist() == ["cold", "cold", "cold", "warm"]
    pd.testing.assert_frame_equal(alone.invocations, shared.invocations)
    pd.testing.assert_frame_equal(alone.instances, shared.instances)


# A twin


def twin(
    arrival_s: list[float], service_s: list[float], shares: list[float], cores: float, timeout_s: float, load_s: float
) -> list[float]:
    """Ends of requests that share one processor: from event to event, what core-seconds are left of each.

    The first loads the handler before, and nobody does anything until that is done.
    """
    left: dict[int, float] = {}
    ends, now, i = [0.0] * len(arrival_s), 0.0, 0
    deadline_s = [at + timeout_s for at in arrival_s]
    begin_s = [max(at, arrival_s[0] + load_s) for at in arrival_s]
    while left or i < len(arrival_s):
        scale = min(1.0, cores / sum(shares[row] for row in left)) if left else 1.0
        first = min(left, key=lambda row: (left[row] / shares[row], row), default=None)
        end = now + left[first] / (shares[first] * scale) if first is not None else inf
        if left and deadline_s[min(left)] < end:
            first, end = min(left), deadline_s[min(left)]
        at = min(end, begin_s[i] if i < len(arrival_s) else inf)
        left = {row: work - (at - now) * shares[row] * scale for row, work in left.items()}
        now = at
        if first is not None and at == end:
            ends[first] = now
            del left[first]
        elif deadline_s[i] <= now:
            ends[i] = deadline_s[i]
            i += 1
        else:
            left[i] = service_s[i] * min(shares[i], cores)
            i += 1
    return ends


calls = st.lists(
    st.tuples(st.just(0.0) | st.sampled_from([0.5, 1.0]) | st.floats(0.0, 5.0), st.just(0.0) | st.floats(0.0, 10.0)),
    min_size=1, max_size=25,
)  # fmt: skip


@given(
    calls,
    st.sampled_from([0.5, 1.0, 2.5]),
    st.sampled_from([[1.0], [0.3], [0.25, 1.0, 3.0], [0.1, 0.7]]),
    st.sampled_from([inf, 12.0, 3.0]),
    st.sampled_from([0.0, 0.0, 2.0, 3.5]),
)
def test_it_equals_a_twin(
    gaps: list[tuple[float, float]], cores: float, shares: list[float], timeout_s: float, load_s: float
) -> None:
    arrival_s, service_s = np.cumsum([gap for gap, _ in gaps]), [service for _, service in gaps]
    function = [row % len(shares) for row in range(len(gaps))]
    functions = pd.DataFrame({"name": [str(f) for f in range(len(shares))], "app": "x", "cpu_share": shares})
    functions["timeout_s"] = timeout_s
    trace = sim.Trace.from_arrays(function, arrival_s, service_s, functions=functions)
    start = {"start": PhasedStart({"create": 0.0, "handler": load_s}), "start_s": None} if load_s else {}
    platform = sim.Platform(**{**ONE_CORE, "cores": cores, "isolation": "app", **start})
    calls = sim.simulate(trace, KeepForever(), platform).invocations
    expected = twin(arrival_s.tolist(), service_s, [shares[f] for f in function], cores, timeout_s, load_s)
    assert calls["end_s"].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    run_s = calls["end_s"] - calls["start_s"]
    assert (calls.loc[run_s < timeout_s - 1e-6, "outcome"] == "ok").all()
    assert (calls.loc[pd.Series(service_s) > timeout_s, "outcome"] == "timed_out").all()


@given(
    calls,
    st.integers(1, 3),
    st.sampled_from([0.0, 1.5, None]),
    st.sampled_from(POLICIES),
    st.sampled_from(["early", "late"]),
    st.sampled_from([inf, 6.0, 1.0]),
)
def test_with_cores_enough_nothing_changes_to_the_bit(
    gaps: list[tuple[float, float]], slots: int, start_s: float | None, policy: sim.policies.KeepAlive, binding: str,
    timeout_s: float,
) -> None:  # fmt: skip
    arrival_s = np.cumsum([gap for gap, _ in gaps])
    functions = pd.DataFrame({"name": ["a", "b"], "timeout_s": timeout_s})
    function = [k % 2 for k in range(len(gaps))]
    trace = sim.Trace.from_arrays(function, arrival_s, [service for _, service in gaps], functions=functions)
    start = {"start_s": start_s} if start_s is not None else {"start": LOADS_LATE}
    options = {**start, "concurrency": slots, "binding": binding}
    alone = sim.simulate(trace, policy, sim.Platform(**options)).invocations
    shared = sim.simulate(trace, policy, sim.Platform(**options, processor="shared", cores=3.0)).invocations
    pd.testing.assert_frame_equal(alone, shared)


@given(calls, st.integers(1, 3), st.sampled_from([0.0, 1.5]), st.sampled_from(POLICIES))
def test_work_is_conserved(
    gaps: list[tuple[float, float]], slots: int, start_s: float, policy: sim.policies.KeepAlive
) -> None:
    """An instance with requests works at full speed: its busy periods add up to the service times of its requests."""
    arrival_s = np.cumsum([gap for gap, _ in gaps])
    trace = sim.Trace.from_arrays([0] * len(gaps), arrival_s, [service for _, service in gaps])
    platform = sim.Platform(start_s=start_s, concurrency=slots, processor="shared", cores=1.0)
    calls = sim.simulate(trace, policy, platform).invocations.assign(service_s=trace.service_s)
    assert (calls["outcome"] == "ok").all()
    for _, mine in calls.groupby("instance"):
        spans = sorted(zip(mine["start_s"], mine["end_s"], strict=True))
        busy_s, until_s = 0.0, -inf
        for start, end in spans:
            busy_s += max(0.0, end - max(start, until_s))
            until_s = max(until_s, end)
        assert busy_s == pytest.approx(mine["service_s"].sum(), rel=1e-9, abs=1e-9)


# M/G/1 with processor sharing: E[T | x] = x / (1 - rho), whatever the distribution of service

SERVICES: dict[str, Sampler] = {
    "exponential": lambda random, n: random.exponential(1.0, n),
    "two points": lambda random, n: np.where(random.random(n) < 0.1, 5.5, 0.5),
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_time_is_stretched_as_theory_says(load: float, service: str) -> None:
    stretched: dict[str, list[float]] = {"short": [], "long": []}
    for seed in range(12):
        trace = poisson_calls(seed, load, 4000.0 if load < 0.8 else 12000.0, SERVICES[service])
        calls = sim.simulate(trace, KeepForever(), sim.Platform(**ONE_CORE), warm_up_s=100.0).invocations
        calls = calls[calls["counted"]].assign(x=trace.service_s[calls.index[calls["counted"]]])
        for size, some in (("short", calls[calls["x"] <= 1.0]), ("long", calls[calls["x"] > 1.0])):
            stretched[size].append(float((some["end_s"] - some["start_s"]).sum() / some["x"].sum()))
    for means in stretched.values():
        assert_mean(means, 1 / (1 - load), width=0.2)


# A real trace, and what makes no sense


@pytest.mark.parametrize("policy", [FixedWindow(600), Knative(), AzureScaling()])
def test_company_slows_real_calls_down(policy: sim.policies.KeepAlive) -> None:
    trace = sim.load_trace("traces/default").slice(0, 1800)
    options = {"start_s": 0.5, "concurrency": 10}
    alone = sim.simulate(trace, policy, sim.Platform(**options))
    shared = sim.simulate(trace, policy, sim.Platform(**options, processor="shared"))
    calls = shared.invocations
    run_s = calls["end_s"] - calls["start_s"]
    assert (run_s >= trace.service_s * (1 - 1e-9) - 1e-9).all()
    assert shared.summary["latency_mean_s"] > alone.summary["latency_mean_s"]
    assert len(calls) == len(trace)


@pytest.mark.parametrize(
    "wrong", [{"processor": "both"}, {"cores": 0.0}, {"mb_per_core": -1.0}, {"cores_per_request": 0.0}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        sim.Platform(start_s=1.0, **wrong)
