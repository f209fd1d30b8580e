"""Floors whose instances have a limited life, on both engines: each is replaced when its life is over."""

from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from agreement import assert_agree, assert_same_sums
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tallied import source
from test_compiled import platforms, traces
from test_tally_general import assert_as_recorded

import sim
from sim.core.distributions import Exponential
from sim.platform.platform import Platform
from sim.platform.startup.models import PhasedStart
from sim.policies import ProvisionedFloor
from sim.workload.counts import Recipe

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

FLOORS = [ProvisionedFloor(1, 0.0), ProvisionedFloor(2, 3.0), ProvisionedFloor(4, np.inf)]


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_replacements_by_hand(engine: str) -> None:
    """Lives of 10 s, starts of 1 s: one ends idle, one at the end of a call, one where the next call waits for it."""
    trace = sim.Trace.from_arrays(["f"] * 5, [5.0, 10.5, 12.0, 20.0, 30.0], [1.0, 2.0, 1.0, 3.0, 1.0], horizon_s=34.0)
    platform = Platform(start_s=1.0, max_lifetime_s=10.0)
    result = sim.simulate(trace, ProvisionedFloor(1, 3.0), platform, engine=engine)
    calls = result.invocations
    assert [*zip(calls["start_kind"], calls["start_s"], calls["end_s"], calls["instance"], strict=True)] == [
        ("warm", 5.0, 6.0, -1),
        ("queued", 11.0, 13.0, -2),  # it came while the replacement started
        ("cold", 13.0, 14.0, 2),
        ("warm", 20.0, 23.0, -2),  # as its life ends
        ("warm", 30.0, 31.0, -3),
    ]
    assert np.sort(result.columns.requests.on_provisioned).tolist() == [0, 1, 3, 4]
    lives = result.instances
    assert [*zip(lives["instance"], lives["created_s"], lives["ready_s"], lives["ended_s"], strict=True)] == [
        (-1, 0.0, 0.0, 10.0), (-2, 10.0, 11.0, 23.0), (2, 12.0, 13.0, 17.0), (-3, 23.0, 24.0, 33.0),
        (-4, 33.0, 34.0, 43.0),
    ]  # fmt: skip
    held = result.columns.allocations
    assert [*zip(held.from_s, held.to_s, strict=True)] == [(0, 10), (10, 23), (23, 33), (33, 43)]


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_one_is_ready_as_a_call_comes_and_another_ones_life_ends(engine: str) -> None:
    """Of the two that are held one is replaced at 10 s and the other at 19 s, when its call has ended."""
    trace = sim.Trace.from_arrays(["f"] * 3, [9.0, 20.0, 20.0], [10.0, 1.0, 1.0])
    platform = Platform(start_s=1.0, max_lifetime_s=10.0)
    calls = sim.simulate(trace, ProvisionedFloor(2, 3.0), platform, engine=engine).invocations
    assert calls["start_kind"].tolist() == ["warm"] * 3
    assert calls["instance"].tolist() == [-1, -4, -3]  # the one that has just become idle before the one that ends


@examples(400)
@given(traces(), platforms(), st.sampled_from(FLOORS), st.floats(0.01, 1.0), st.sampled_from(["any", "whole", "drawn"]))
def test_instances_are_replaced_again_and_again(
    trace: sim.Trace, platform: Platform, policy: ProvisionedFloor, share: float, kind: str
) -> None:
    """Lives may be shorter than a start, and end as calls come and end."""
    life_s = max(share * trace.horizon_s, 0.01)
    lives = {"any": life_s, "whole": max(np.floor(life_s), 1.0), "drawn": Exponential(life_s)}
    assert_agree(trace, policy, replace(platform, max_lifetime_s=lives[kind]))


@examples(60)
@given(traces(), platforms(), st.sampled_from(FLOORS), st.floats(0.02, 1.0), st.floats(0, 1), st.floats(0, 1))
def test_what_they_cost_in_a_part_of_the_trace(
    trace: sim.Trace, platform: Platform, policy: ProvisionedFloor, share: float, one: float, other: float
) -> None:
    warm_up_s, horizon_s = (part * trace.horizon_s for part in sorted((one, other)))
    platform = replace(platform, max_lifetime_s=max(share * trace.horizon_s, 0.01))
    assert_same_sums(trace, policy, platform, warm_up_s=warm_up_s, horizon_s=horizon_s)


@pytest.mark.parametrize("life_s", [1.0, 7.0, 2.0 / 3.0])
@pytest.mark.parametrize("start_s", [0.0, 0.25, 5.0])
def test_how_many_there_are_of_a_function_that_nobody_calls(life_s: float, start_s: float) -> None:
    """One after another each lives for its life, or for its start if that is longer."""
    trace = sim.Trace.from_arrays([], [], [], functions=pd.DataFrame({"name": ["f", "g"]}), horizon_s=600.5)
    platform = Platform(start_s=start_s, max_lifetime_s=life_s)
    result = sim.simulate(trace, ProvisionedFloor(3), platform, engine="compiled")
    lives = ceil((600.5 - life_s) / max(life_s, start_s) - 1e-9)  # those of time 0 were ready then
    assert result.instances.groupby("function").size().tolist() == [3 * (1 + lives)] * 2
    held = result.columns.allocations
    assert np.minimum(held.to_s, 600.5).sum() - held.from_s.sum() == pytest.approx(2 * 3 * 600.5)


def test_far_more_than_there_is_room_for_at_first() -> None:
    """A hundred thousand lives between two calls, and as many after the last, wherever they are counted."""
    trace = sim.Trace.from_arrays([0, 1, 0], [1.0, 2.0, 1000.0], [0.5, 0.5, 0.5], horizon_s=2000.0)
    platform = Platform(start_s=0.001, max_lifetime_s=0.01)
    policy = ProvisionedFloor(1, 3.0)
    assert_agree(trace, policy, platform)
    one, two = (sim.simulate(trace, policy, platform, engine="compiled", threads=threads) for threads in (1, 2))
    pd.testing.assert_frame_equal(one.instances, two.instances, check_exact=True)
    assert len(one.instances) > 390_000


@pytest.mark.parametrize("calls", [3, 6])
def test_where_room_is_made_while_calls_end(calls: int) -> None:
    """The first of them ends before there is no room for instances, the others after."""
    trace = sim.Trace.from_arrays([0] * calls, [10.0] * calls, [20.0] + [1500.0] * (calls - 1), horizon_s=2000.0)
    assert_agree(trace, ProvisionedFloor(1, 3.0), Platform(start_s=0.001, max_lifetime_s=0.01))


@pytest.mark.parametrize("arrivals", ["even", "uniform"])
def test_of_counts_far_more_than_there_is_room_for_at_first(arrivals: str) -> None:
    counts = source({(0, 0): 3, (4, 0): 2, (0, 1): 1, (2, 2): 5}, Recipe(arrivals, "mean"))
    assert_as_recorded(counts, ProvisionedFloor(2, 3.0), Platform(start_s=0.001, max_lifetime_s=0.006))


def test_of_counts_far_more_after_the_last_call() -> None:
    counts = source({(0, 0): 3, (0, 1): 2}, Recipe("even", "mean"), spans=((0, 120),))
    assert_as_recorded(counts, ProvisionedFloor(1, 3.0), Platform(start_s=0.001, max_lifetime_s=0.05))


@pytest.mark.parametrize("life_s", [900.0, Exponential(1200.0)], ids=repr)
@pytest.mark.parametrize("policy", [ProvisionedFloor(1, 60.0), ProvisionedFloor(5)], ids=repr)
def test_the_embedded_trace(policy: ProvisionedFloor, life_s: float | Exponential) -> None:
    trace, platform = sim.load_trace("traces/default"), sim.load_platform("default", max_lifetime_s=life_s)
    assert_agree(trace, policy, platform)
    assert_same_sums(trace.slice(0, 7200), policy, replace(platform, isolation="app"), warm_up_s=600.0)


@pytest.mark.xdist_group("azure2019")
def test_a_real_trace(shared: Path) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_100f_8h", format="azure2019", arrivals="uniform")
    late = PhasedStart({"create": Exponential(0.5), "handler": Exponential(0.2)})
    platform = Platform(start=late, max_lifetime_s=Exponential(1800.0), instance_choice="round_robin")
    assert_agree(trace, ProvisionedFloor(2, 120.0), platform)
