"""Azure's, Cloud Run's and OpenWhisk's scaling: decisions worked by hand, laws, and runs."""

from __future__ import annotations

import dataclasses
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, lives, log, run
from ticks import load

import sim
from sim.core.errors import ConfigError
from sim.policies import AzureScaling, CloudRunScaling, OpenWhiskPool, OpenWhiskScheduler
from sim.policies.scaling.openwhisk_scheduler import containers_to_add
from sim.policies.scaling.role import PodLoad, Unit

HTTP, QUEUE = frozenset({"http"}), frozenset({"queue"})

# Azure


@pytest.mark.parametrize(("triggers", "every_s"), [(HTTP, 1), (QUEUE, 30), (HTTP | QUEUE, 1)])
def test_golden_azure_adds_one_at_a_time(triggers: frozenset[str], every_s: int) -> None:
    scaler = AzureScaling().scaler(Unit(10, triggers=triggers))
    wanted, there = [], 0
    for second in range(5 * every_s):
        answer = scaler.wanted(load(float(second), ready=there, in_flight=35, waiting=35))
        there = there if answer is None else answer
        wanted.append(there)
    assert wanted == [min(1 + second // every_s, 4) for second in range(5 * every_s)]  # 35 in flight, 10 each


def test_golden_azure_on_the_platform() -> None:
    # Four calls at once, 20 s each, starts of 1 s: the first starts at once, the others 1, 2 and 3 s later, at ticks
    trace = calls(*[(0.5, 20.0)] * 4, (2000.0, 1.0))
    columns = run(trace, AzureScaling(), start_s=1.0, isolation="app")
    assert log(columns)[:4] == [(1.5, "cold", 0), (3.0, "cold", 1), (4.0, "cold", 2), (5.0, "cold", 3)]
    # 20 minutes after their calls they go, one by one
    assert [ended_s for *_, ended_s in lives(columns)][:4] == [1221.5, 1223.0, 1224.0, 1225.0]
    assert log(columns)[4] == (2001.0, "cold", 4)


def test_azure_bounds() -> None:
    scaler = AzureScaling(max_instances=2).scaler(Unit(1, triggers=HTTP))
    assert scaler.wanted(load(0.0, ready=1, in_flight=9)) == 2
    assert scaler.wanted(load(9.0, ready=2, in_flight=9)) is None
    half_full = AzureScaling(requests_per_instance=0.5).scaler(Unit(1, triggers=HTTP))
    assert half_full.wanted(load(0.0, ready=1, in_flight=1)) == 2


# Cloud Run


def test_golden_cloud_run_brings_the_last_minute_to_its_share() -> None:
    scaler = CloudRunScaling().scaler(Unit(80))
    # 96 in flight are 48 a 60 s window after 30 s: 48 / (0.6 * 80) is 1; after 35 s 56 / 48 is more than 1
    wanted = [scaler.wanted(load(5.0 * k, [96.0] * 5, ready=1, in_flight=96)) for k in range(1, 13)]
    assert wanted == [None] * 6 + [2] * 6
    assert scaler.wanted(load(65.0, [0.0] * 5, ready=2)) is None  # instances go by themselves


def test_golden_cloud_run_brings_cores_to_its_share() -> None:
    scaler = CloudRunScaling().scaler(Unit(80, cores=2.0, cpu_share=0.5))
    # One instance with four requests uses both its cores all the time: 10 core-seconds a tick. After k ticks the
    # average of a minute is k / 6 cores, and 1.2 are an instance's share: a second one after 8 ticks; the minute has 2
    # cores in it, no more.
    wanted = []
    for k in range(1, 16):
        busy = PodLoad(0, 0.0, 0.0, 4, (0.0, 0.0, 0.0, 5.0 * k))
        wanted.append(scaler.wanted(load(5.0 * k, [4.0] * 5, in_flight=4)._replace(pods=[busy])))
    assert wanted == [None] * 7 + [2] * 8


def test_golden_cloud_run_on_the_platform() -> None:
    # The second call of the two that one slot cannot take starts an instance at once; the third takes a free one
    trace = calls((0.0, 10.0), (1.0, 10.0), (12.0, 1.0), (2000.0, 1.0))
    result = sim.simulate(trace, CloudRunScaling(target_concurrency=1.0), sim.Platform(start_s=2.0))
    assert log(result.columns) == [(2.0, "cold", 0), (3.0, "cold", 1), (12.0, "warm", 0), (2002.0, "cold", 3)]
    assert [(c, e) for _, c, _, e in lives(result.columns)][:2] == [(0.0, 913.0), (1.0, 913.0)]
    decisions = result.decisions[["time_s", "wanted", "why"]].values.tolist()
    assert decisions == [
        [0.0, 1, "call at zero"], [1.0, 2, "call waits"], [913.0, 1, "idle"], [913.0, 0, "idle"],
        [2000.0, 1, "call at zero"], [2903.0, 0, "idle"],
    ]  # fmt: skip


def test_cloud_run_keeps_its_least() -> None:
    trace = calls(*[(float(k), 1.5) for k in range(5)], (5000.0, 1.0))
    columns = run(trace, CloudRunScaling(min_instances=1), start_s=0.5)
    assert lives(columns)[0][:3] == (-1, 0.0, 0.0)
    stay = [number for number, _, _, ended_s in lives(columns) if ended_s == inf]
    assert log(columns)[-1] == (5000.0, "warm", *stay)
    assert len(lives(columns)) > 1


def test_the_least_of_cloud_run_is_billed_as_it_is_held() -> None:
    trace, platform = calls((10.0, 1.0)), sim.Platform(start_s=0.5)
    price = sim.load_pricing("cloud_run")

    def cost(**changed: int) -> float:
        policy = CloudRunScaling(**changed)
        summary = sim.simulate(trace, policy, platform, price=price, warm_up_s=5.0, horizon_s=605.0).summary
        return float(summary["user_cost_usd"])

    held = 3 * 600.0 * price.provisioned_usd_per_gb_s  # of 1 GB
    assert cost(min_instances=3) - cost(min_instances=2) == pytest.approx(held / 3)
    assert cost(min_instances=3) > held
    unpriced = dataclasses.replace(price, provisioned_usd_per_gb_s=0.0)
    with pytest.raises(ConfigError, match="has no rate for that"):
        sim.simulate(trace, CloudRunScaling(min_instances=1), platform, price=unpriced)
    free = sim.load_pricing("own_cluster")
    assert sim.simulate(trace, CloudRunScaling(min_instances=1), platform, price=free).summary["user_cost_usd"] == 0


def test_cloud_run_replaces_its_least_when_its_life_is_over() -> None:
    columns = run(calls((0.0, 1.0), (500.0, 1.0)), CloudRunScaling(min_instances=1), max_lifetime_s=100.0)
    assert log(columns)[-1][1] == "warm"
    assert len(lives(columns)) >= 5


# OpenWhisk


@pytest.mark.parametrize(
    ("snapshot", "added"),
    [
        ((0, 0, 0, 0, ()), 0),  # nothing queues, nothing is there
        ((5, 0, 0, 0, ()), 1),  # the first one, whatever queues
        ((5, 0, 0, 1, ()), 0),  # no duration is known and nothing is stale
        ((5, 4, 0, 1, ()), 3),  # as many as are stale, less what starts
        ((5, 4, 0, 5, ()), 0),
        # A mean of 0.05 s: each serves 2 in 0.1 s
        ((3, 0, 1, 0, (0.04, 0.06)), 1),  # 3 >= 2 and 1 < 3: ceil(1.5 - 1)
        ((1, 0, 1, 0, (0.05,)), 0),  # 1 < 2
        ((4, 4, 1, 0, (0.05,)), 2),  # stale only: 4 / 2
        ((4, 4, 1, 2, (0.05,)), 0),
        # A mean of 1 s: each serves 0.1
        ((6, 0, 2, 0, (1.0,)), 4),  # ceil(60 - 2), but never more than there are requests: 6 - 2
        ((6, 2, 1, 0, (1.0,)), 3 + 2),  # 4 fresh: min(39, 3), and 2 stale: min(20, 2)
        ((6, 2, 1, 1, (1.0,)), 2 + 1),  # what starts counts for the stale
        ((6, 0, 7, 0, (1.0,)), 0),  # enough containers
        ((2, 0, 1, 0, (0.0,)), 0),  # durations of nothing ask for nothing
        ((2, 2, 1, 0, (0.0,)), 2),
    ],
)
def test_golden_openwhisk_adds_containers(snapshot: tuple[Any, ...], added: int) -> None:
    assert containers_to_add(*snapshot) == added


def test_golden_openwhisk_counts_what_a_container_takes_at_once() -> None:
    assert containers_to_add(9, 8, 0, 1, (), slots=4) == 1  # ceil(8 / 4) - 1
    assert containers_to_add(8, 0, 1, 0, (0.1,), slots=4) == 1  # each serves 4: ceil(8 / 4 - 1)


@given(
    st.integers(0, 50), st.integers(0, 50), st.integers(0, 20), st.integers(0, 20),
    st.lists(st.floats(0.001, 10.0), max_size=10),
)  # fmt: skip
def test_openwhisk_never_adds_more_than_queue(
    queued: int, stale: int, existing: int, starting: int, durations_s: list[float]
) -> None:
    added = containers_to_add(queued, min(stale, queued), existing, starting, durations_s)
    assert 0 <= added <= queued
    if existing + starting:  # what starts already is not started again
        assert containers_to_add(queued, min(stale, queued), existing, starting + 1, durations_s) <= added


def test_golden_openwhisk_on_the_platform() -> None:
    # Three at once: one container at once; 0.1 s later two are stale and one starts: one more; then all that are
    # stale are starting. At 1.0 the first is ready and takes one, at 1.1 the second.
    trace = calls(*[(0.0, 5.0)] * 3, (100.0, 1.0), (1000.0, 1.0))
    columns = run(trace, OpenWhiskScheduler(), start_s=1.0)
    made = [(number, created_s) for number, created_s, *_ in lives(columns)]
    assert made[:3] == [(0, 0.0), (1, pytest.approx(0.1)), (2, pytest.approx(0.1))]
    assert log(columns)[3] == (100.0, "warm", 2)
    assert log(columns)[4] == (1001.0, "cold", 4)  # 610 s have gone by
    assert lives(columns)[0][3] == 6.0 + 610.0


def test_an_openwhisk_pool_makes_containers_of_stem_cells() -> None:
    trace = sim.load_trace("traces/default").slice(0, 3600)
    platform = sim.load_platform("default")
    pool = sim.simulate(trace, OpenWhiskPool(), platform)
    cells = sim.simulate(trace, sim.policies.StemCells(window_s=610.0), platform)
    assert pool.invocations.equals(cells.invocations)
    throttled = sim.simulate(trace, OpenWhiskPool(requests_per_minute=120), platform)
    ran = throttled.invocations[throttled.invocations["outcome"] == "ok"]
    asked = trace.functions["owner"].to_numpy()[ran["function"]]
    per_minute = ran.groupby([asked, (ran["arrival_s"] // 60).astype(int)]).size()
    offered = trace.functions["owner"].to_numpy()[trace.function]
    came = np.unique(
        np.stack([offered.astype(str), (trace.arrival_s // 60).astype(int).astype(str)]), axis=1, return_counts=True
    )
    assert per_minute.max() == 120 < came[1].max()


def test_namespaces_have_limits_of_their_own() -> None:
    functions = calls((0.0, 1.0, 1)).functions.assign(owner=["one", "other"])
    trace = sim.Trace.from_arrays([0, 0, 1], [0.0, 0.0, 0.0], 5.0, functions=functions)
    columns = run(trace, OpenWhiskPool(namespace_concurrency=1), start_s=1.0)
    assert [start_s for start_s, *_ in log(columns)] == [1.0, pytest.approx(np.nan, nan_ok=True), 1.0]


# All of them


@pytest.mark.parametrize("policy", [AzureScaling(), CloudRunScaling(), OpenWhiskScheduler(), OpenWhiskPool()])
def test_all_calls_of_a_real_trace_are_served(policy: sim.policies.KeepAlive) -> None:
    trace = sim.load_trace("traces/default").slice(0, 3600)
    platform = sim.load_platform("default", concurrency=4, isolation="app")
    result = sim.simulate(trace, policy, platform)
    calls = result.invocations
    assert (calls["outcome"] == "ok").all()
    assert np.array_equal(calls["start_kind"] == "warm", calls["start_s"] == calls["arrival_s"])
    busiest = result.summary["mean_busy_instances"]
    assert 0 < busiest < result.summary["mean_instances"]


@pytest.mark.parametrize(
    ("cls", "wrong", "said"),
    [
        (AzureScaling, {"http_s": 0.0}, "http_s must be"),
        (AzureScaling, {"max_instances": 0}, "max_instances must be"),
        (AzureScaling, {"requests_per_instance": 0.0}, "requests_per_instance must be"),
        (CloudRunScaling, {"target_concurrency": 1.1}, "target_concurrency must be"),
        (CloudRunScaling, {"window_s": 1.5}, "window_s must be"),
        (CloudRunScaling, {"min_instances": 5, "max_instances": 4}, "max_instances must be"),
        (OpenWhiskScheduler, {"stale_s": 0.0}, "stale_s must be"),
        (OpenWhiskScheduler, {"pause_grace_s": -1.0}, "pause_grace_s must be"),
        (OpenWhiskPool, {"requests_per_minute": 0}, "requests_per_minute must be"),
    ],
)
def test_what_makes_no_sense_is_refused(cls: type[Any], wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cls(**wrong)
