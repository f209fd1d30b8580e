"""The compiled engine against the reference: every call, instance and start to the bit, whatever it covers."""

from math import inf

import numpy as np
import pandas as pd
import pytest
from agreement import assert_agree, assert_same_sums
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small import Case, Windows, cases, cases_with_a_gap_for_window, crowds

import sim
from sim.core.distributions import Exponential
from sim.platform.platform import Platform
from sim.platform.startup import PhasedStart
from sim.policies import (
    AdaptiveWindow,
    Clairvoyant,
    FixedWindow,
    HybridHistogram,
    KeepAlive,
    KeepForever,
    NoKeepAlive,
    PingWarmer,
    ProvisionedFloor,
    SkiRental,
)

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

CHOICES = [
    "most_recently_idle", "least_recently_idle", "random", "newest_created", "oldest_created", "least_connections",
    "power_of_two", "round_robin", "by_concurrency",
]  # fmt: skip


@examples(400)
@given(cases(handlers=True))
def test_each_call_with_a_window_of_its_own(case: Case) -> None:
    assert_agree(case.trace, Windows(case.window_s), case.platform)


@examples(400)
@given(cases_with_a_gap_for_window(handlers=True))
def test_one_window_equal_to_a_gap_to_the_last_bit(case: Case) -> None:
    assert_agree(case.trace, FixedWindow(case.window_s[0]), case.platform)


@examples(200)
@given(crowds())
def test_much_at_once(case: Case) -> None:
    assert_agree(case.trace, FixedWindow(case.window_s[0]), case.platform)


@st.composite
def traces(draw: st.DrawFn) -> sim.Trace:
    """Calls of four functions of two apps: on a grid, so that much happens at once, or anywhere."""
    drawn = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    calls = draw(st.integers(1, 60))
    spread = draw(st.sampled_from([1.0, 20.0, 400.0]))
    arrival_s, duration_s = drawn.exponential(spread, calls).cumsum(), drawn.exponential(4.0, calls)
    if draw(st.booleans()):
        arrival_s, duration_s = np.floor(arrival_s), np.floor(duration_s)
    table = pd.DataFrame({"name": list("abcd"), "app": list("xxyy"), "timeout_s": draw(st.sampled_from([inf, 5.0]))})
    return sim.Trace.from_arrays(drawn.integers(0, 4, calls), arrival_s, duration_s, functions=table)


@st.composite
def platforms(draw: st.DrawFn) -> Platform:
    """Platforms with every option that is covered."""
    drawn = Exponential(2.0)
    start = draw(st.sampled_from([{"start_s": 0.0}, {"start_s": 1.0},
                                  {"start": PhasedStart({"create": drawn, "runtime": 1.0})},
                                  {"start": PhasedStart({"create": drawn, "handler": Exponential(1.0)})}]))  # fmt: skip
    return Platform(
        **start,
        max_lifetime_s=draw(st.sampled_from([inf, 9.0, Exponential(30.0)])),
        isolation=draw(st.sampled_from(["function", "app"])),
        instance_choice=draw(st.sampled_from(CHOICES)),
        max_instances_per_unit=draw(st.sampled_from([inf, inf, 1, 3])),
        prewarm_lead_s=draw(st.sampled_from([0.0, 0.0, 2.0])),
    )


WINDOWED = [FixedWindow(7.0), NoKeepAlive(), KeepForever(), Clairvoyant(20.0)]
LEARNING = [
    HybridHistogram(bin_s=2.0, range_s=40.0, min_gaps=2, cv_threshold=0.0),
    HybridHistogram(bin_s=2.0, range_s=40.0, min_gaps=1, cv_threshold=0.0, learns_by="app"),
    AdaptiveWindow(quantile=0.5, min_gaps=2, default_window_s=6.0, min_window_s=1.0, max_window_s=60.0),
    SkiRental(20.0, randomised=True),
]


@examples(600)
@given(traces(), platforms(), st.sampled_from(WINDOWED))
def test_windows_on_every_platform(trace: sim.Trace, platform: Platform, policy: KeepAlive) -> None:
    assert_agree(trace, policy, platform)


@examples(400)
@given(traces(), platforms(), st.sampled_from(LEARNING))
def test_rules_on_every_platform(trace: sim.Trace, platform: Platform, policy: KeepAlive) -> None:
    assert_agree(trace, policy, platform)


@examples(200)
@given(traces(), platforms(), st.sampled_from([PingWarmer(5.0, 3.0, 0.5), PingWarmer(10.0, 20.0, 2.0, pings=2)]))
def test_pings_on_every_platform(trace: sim.Trace, platform: Platform, policy: KeepAlive) -> None:
    assert_agree(trace, policy, platform)


def test_a_call_of_no_length_comes_before_pings_that_ended_then() -> None:
    trace = sim.Trace.from_arrays([0, 0], [12.0, 14.0], [0.0, 3.0])
    assert_agree(trace, PingWarmer(10.0, 20.0, 2.0, pings=2), Platform(start_s=0.0))


@examples(200)
@given(traces(), platforms(), st.sampled_from([ProvisionedFloor(1, 3.0), ProvisionedFloor(3, inf)]))
def test_floors_on_every_platform(trace: sim.Trace, platform: Platform, policy: KeepAlive) -> None:
    assert_agree(trace, policy, platform)


@examples(100)
@given(traces(), platforms(), st.sampled_from([*WINDOWED, *LEARNING, PingWarmer(5.0), ProvisionedFloor(1)]),
       st.floats(0, 1), st.floats(0, 1))  # fmt: skip
def test_sums_over_a_part_of_the_trace(
    trace: sim.Trace, platform: Platform, policy: KeepAlive, one: float, other: float
) -> None:
    warm_up_s, horizon_s = (share * trace.horizon_s for share in sorted((one, other)))
    assert_same_sums(trace, policy, platform, warm_up_s=warm_up_s, horizon_s=horizon_s)
