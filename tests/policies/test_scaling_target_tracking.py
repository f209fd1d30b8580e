"""Target tracking: decisions worked by hand, where it settles, and a run."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, lives, log
from ticks import followed, load

import sim
from sim.core.errors import ConfigError
from sim.policies.scaling.recent import instances_for
from sim.policies.scaling.role import Unit
from sim.policies.scaling.target_tracking import TargetTracking


def minutes(scaler, *rows: tuple[float, int]) -> list[int]:
    """What is wanted after each minute of (peak of requests in flight, ready instances)."""
    made = []
    for k, (peak, ready) in enumerate(rows, 1):
        quiet_but_once = [0.0] * 59 + [peak]
        made.append(scaler.wanted(load(60.0 * k, quiet_but_once, ready=ready)))
    return made


def test_golden_three_minutes_above_the_target_scale_out() -> None:
    scaler = TargetTracking(initial_scale=4).scaler(Unit(1))
    rows = [
        (3.0, 4),   # 0.75, above 0.7: one
        (4.0, 4),   # 1: two
        (2.8, 4),   # 0.7 is not above
        (3.0, 4),
        (3.0, 4),
        (3.5, 4),   # the third on end; 4 * 0.875 / 0.7 = 5
        (9.0, 4),   # and so is this, but the fifth is not ready yet
        (9.0, 5),   # the metric is 1 at most; 5 * 1 / 0.7 = 7.14, so 8
        (5.6, 8),   # 0.7 is not above
        (8.0, 8),
        (8.0, 8),
    ]  # fmt: skip
    assert minutes(scaler, *rows) == [4, 4, 4, 4, 4, 5, 5, 8, 8, 8, 8]


def test_golden_fifteen_minutes_below_nine_tenths_of_it_scale_in() -> None:
    scaler = TargetTracking(initial_scale=10).scaler(Unit(1))
    assert minutes(scaler, *[(6.2, 10)] * 14, (1.4, 10)) == [10] * 14 + [2]  # 0.62 < 0.63; 10 * 0.14 / 0.7 = 2
    at_the_bound = TargetTracking(initial_scale=10).scaler(Unit(1))
    assert minutes(at_the_bound, *[(6.3, 10)] * 20) == [10] * 20


def test_golden_an_instance_has_as_much_room_as_its_concurrency() -> None:
    scaler = TargetTracking(initial_scale=2).scaler(Unit(10))
    assert minutes(scaler, *[(18.0, 2)] * 3) == [2, 2, 3]  # 0.9 of 20 slots; 2 * 0.9 / 0.7 = 2.57


def test_golden_the_average_of_a_minute_sees_no_peak() -> None:
    scaler = TargetTracking(initial_scale=4, statistic="average").scaler(Unit(1))
    assert minutes(scaler, *[(4.0, 4)] * 15) == [4] * 14 + [1]  # 4 / 60 / 4; 4 * 0.016667 / 0.7 = 0.1, and 1 is least


def test_golden_cooldowns_hold_back_their_own_direction() -> None:
    policy = TargetTracking(initial_scale=2, scale_out_cooldown_s=120, scale_in_cooldown_s=120,
                            scale_out_datapoints=1, scale_in_datapoints=1)  # fmt: skip
    rows = [
        (2.0, 2),  # 2 / 0.7 = 2.86
        (3.0, 3),  # 60 s later: too soon
        (0.0, 3),  # the other direction is free
        (0.0, 1),
        (1.0, 1),  # 240 s later; 1 / 0.7 = 1.43
        (2.0, 2),  # 60 s later
        (2.0, 2),  # 120 s later: just late enough; 2 / 0.7 = 2.86
        (0.6, 3),  # just late enough, too; 3 * 0.2 / 0.7 = 0.86
    ]
    assert minutes(policy.scaler(Unit(1)), *rows) == [3, 3, 1, 1, 2, 2, 3, 1]


def test_a_minute_without_ready_instances_has_no_datapoint() -> None:
    scaler = TargetTracking(initial_scale=2).scaler(Unit(1))
    assert minutes(scaler, (2.0, 2), (2.0, 2), (2.0, 0)) == [2, 2, 2]
    assert scaler.wanted(load(240.0, [2.0] * 60, ready=2)) == 3  # 2 / 0.7 = 2.86
    assert scaler.remembers
    assert scaler.poked(load(241.0, ready=0)) == 3


def test_rounding_errors_ask_for_no_instance() -> None:
    assert math.ceil(7 * 0.4 / 0.7) == 5  # in float64 it is above 4
    assert instances_for(7 * 0.4, 0.7) == 4
    assert instances_for(0.0, 0.7) == 0
    assert instances_for(0.0001, 0.7) == 1


@given(
    st.floats(0.1, 1.0),
    st.integers(1, 30),
    st.integers(1, 60),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 40),
)
def test_under_a_steady_load_it_settles_where_the_target_is_met_if_it_can_be(
    target: float, initial: int, busy: int, concurrency: int, least: int, more: int
) -> None:
    policy = TargetTracking(target=target, initial_scale=initial, min_capacity=least, max_capacity=least + more)
    made = followed(policy.scaler(Unit(concurrency)), 60, [float(busy)] * 200)
    last = made[-1]
    assert set(made[-30:]) == {last}
    assert least <= last <= least + more
    used = min(busy / (last * concurrency), 1.0)
    assert used <= target + 1e-6 or last == least + more
    # Where it rests in vain one instance less would be too few: below 0.9 of the target the share is rounded up again.
    back = instances_for(last * round(used, 6), target)
    assert used >= 0.9 * target - 1e-6 or back >= last or last == least


def test_a_run_scales_out_after_three_full_minutes_and_in_after_fifteen_idle_ones() -> None:
    # Two calls at once for five minutes, then one a minute that takes no time to speak of.
    trace = calls((1.0, 300.0), (1.0, 300.0), *[(600.0 + 60 * k, 0.0) for k in range(20)])
    platform = sim.load_platform("constant_start", start_s=0.25)
    policy = TargetTracking(initial_scale=2, tick_s=60)
    result = sim.simulate(trace, policy, platform)
    # 180 s: 2 / 0.7 = 2.86, so 3; then 2 of 3 are 0.67, below 0.7 and above 0.63. In the sixth minute the calls run
    # for a second more, so datapoints are low from 420 s on; the fifteenth is at 1260 s.
    assert lives(result.columns) == [
        (-1, 0.0, 0.0, math.inf), (-2, 0.0, 0.0, 1260.0), (-3, 180.0, 180.25, 1260.0),
    ]  # fmt: skip
    assert {kind for _, kind, _ in log(result.columns)} == {"warm"}
    made = result.decisions[["time_s", "wanted", "why"]]
    assert made.to_numpy().tolist() == [
        [0.0, 2, "at start"], [180.0, 3, "above target"], [1260.0, 1, "below target"],
    ]  # fmt: skip


def test_a_cap_does_not_let_what_is_wanted_grow_without_end() -> None:
    trace = calls(*[(2.0 * k, 30.0) for k in range(1800)])
    result = sim.simulate(trace, TargetTracking(), sim.Platform(start_s=2.0, max_instances_per_unit=3))
    assert result.decisions["wanted"].tolist() == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target": 0.0}, "target must be"),
        ({"target": 1.5}, "target must be"),
        ({"scale_in_datapoints": 0}, "scale_in_datapoints must be"),
        ({"statistic": "median"}, "statistic must be maximum or average"),
        ({"max_capacity": 2, "min_capacity": 3}, "max_capacity must be"),
        ({"tick_s": 0.5}, "tick_s must be"),
        ({"tick_s": 60.5}, "whole seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TargetTracking(**wrong)
