"""OpenFaaS: decisions worked by hand, the steps of an alert in closed form, and a run."""

from itertools import accumulate
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, lives, log
from ticks import load

import sim
from sim.core.errors import ConfigError
from sim.policies.scaling.openfaas import OpenFaas
from sim.policies.scaling.role import Scaler, Unit


def ticks(scaler: Scaler, requests: list[int], starts_at: int = 0) -> list[int]:
    """What is wanted every 5 s where so many requests came in them, the first second after the last tick."""
    return [scaler.wanted(load(starts_at + 5 * k, arrivals=[came, 0, 0, 0, 0])) for k, came in enumerate(requests, 1)]


def test_golden_an_alert_that_is_told_once() -> None:
    scaler = OpenFaas(initial_scale=1).scaler(Unit(1))
    # 5 s: 60 in 10 s are 6 a second, above 5; 10 s: they still are, for 5 s now: told; 15 s: out of the window
    assert ticks(scaler, [60, 0, 0, 0]) == [1, 2, 1, 1]
    assert not OpenFaas().scaler(Unit(1)).remembers


def test_golden_an_alert_that_is_told_every_30_s_until_it_is_resolved() -> None:
    scaler = OpenFaas(initial_scale=1).scaler(Unit(1))
    # 26 every 5 s are 5.2 a second from 10 s on: told at 15, 45, 75, 105 and, without effect, 135 s
    made = ticks(scaler, [26] * 27)
    assert made == [1] * 2 + [2] * 6 + [3] * 6 + [4] * 6 + [5] * 7
    # At 140 s 25 + 26 are 5.1 a second, at 145 s 25 + 25 are 5, not above
    assert ticks(scaler, [25, 25], starts_at=135) == [5, 1]


@pytest.mark.parametrize(
    ("most", "percent", "step"), [(5, 10, 1), (20, 20, 4), (100, 10, 10), (7, 30, 3), (5, 0, 0), (100, 29, 29)]
)
def test_golden_a_step_is_a_share_of_the_most_rounded_up(most: int, percent: int, step: int) -> None:
    assert OpenFaas(max_replicas=most, scaling_factor_percent=percent).step == step  # 7 * 0.3 = 2.1


def test_golden_the_idler_looks_once_a_minute() -> None:
    scaler = OpenFaas().scaler(Unit(1))
    assert ticks(scaler, [0] * 12) == [0] * 12
    assert scaler.poked(load(62.5, ready=0)) == 1
    made = ticks(scaler, [0] * 200, starts_at=60)
    assert made.index(0) == (1020 - 60) // 5 - 1  # idle for long enough at 962.5 s
    assert not scaler.remembers


def test_golden_idle_is_counted_from_the_end_of_the_last_second_with_a_request() -> None:
    scaler = OpenFaas(initial_scale=1, inactivity_s=60).scaler(Unit(1))
    assert scaler.wanted(load(65.0, [0.5, 0.0, 0.0, 0.0, 0.0])) == 1  # in second 60, which ends at 61 s
    assert [scaler.wanted(load(now_s, [0.0] * 5)) for now_s in (120.0, 180.0)] == [1, 0]
    came_just_now = OpenFaas(initial_scale=1, inactivity_s=60).scaler(Unit(1))
    assert [came_just_now.wanted(load(60.0 * k, [0.0] * 5, in_flight=1)) for k in (1, 2)] == [1, 1]


def test_an_alert_under_way_is_remembered() -> None:
    scaler = OpenFaas().scaler(Unit(1))
    assert ticks(scaler, [60]) == [0]
    assert scaler.remembers


def test_a_function_whose_call_still_runs_is_not_idle() -> None:
    scaler = OpenFaas(initial_scale=1, inactivity_s=60).scaler(Unit(1))
    assert [scaler.wanted(load(5.0 * k, [1.0] * 5, in_flight=1)) for k in range(1, 50)] == [1] * 49
    # It ended by 245 s; the look at 300 s is too early
    assert [scaler.wanted(load(5.0 * k, [0.0] * 5)) for k in range(50, 73)] == [1] * 22 + [0]


@given(
    st.lists(st.integers(0, 12), max_size=80), st.integers(1, 4), st.integers(0, 3), st.integers(1, 5),
    st.integers(0, 100), st.integers(1, 9), st.integers(0, 9),
)  # fmt: skip
def test_replicas_follow_from_how_long_the_rule_has_held(
    requests: list[int], window_ticks: int, for_ticks: int, repeat_ticks: int, percent: int, least: int, more: int
) -> None:
    policy = OpenFaas(
        threshold_rps=1.0, window_s=5.0 * window_ticks, for_s=5.0 * for_ticks, repeat_s=5.0 * repeat_ticks,
        scaling_factor_percent=percent, min_replicas=least, max_replicas=least + more, inactivity_s=inf,
        initial_scale=least,
    )  # fmt: skip
    step = ceil((least + more) * percent / 100)
    over = [sum(requests[max(0, k - window_ticks) : k]) > 5 * window_ticks for k in range(1, len(requests) + 1)]
    held = accumulate(over, lambda before, holds: before + 1 if holds else 0, initial=0)
    told = [max(0, (n - 1 - for_ticks) // repeat_ticks + 1) for n in list(held)[1:]]
    assert ticks(policy.scaler(Unit(1)), requests) == [min(least + step * times, least + more) for times in told]


def test_a_run_steps_up_under_ten_calls_a_second_and_goes_to_zero_after_them() -> None:
    trace = calls(*[(k / 10, 0.05) for k in range(600)], (2000.0, 1.0))
    result = sim.simulate(trace, OpenFaas(), sim.load_platform("constant_start", start_s=0.25))
    # Ten a second for a whole window from 10 s on: told at 15 and 45 s. At 65 s 50 in ten are not above 5 a second. The
    # last call ended before 60 s, and 900 s later the idler looks.
    assert lives(result.columns) == [
        (0, 0.0, 0.25, 960.0), (-1, 15.0, 15.25, 65.0), (-2, 45.0, 45.25, 65.0), (600, 2000.0, 2000.25, inf),
    ]  # fmt: skip
    assert result.decisions["why"].tolist() == [
        "call at zero", "firing", "firing", "resolved", "idle", "call at zero",
    ]  # fmt: skip
    assert [row for row, (_, kind, _) in enumerate(log(result.columns)) if kind == "cold"] == [0, 600]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"window_s": 0.5}, "window_s must be"),
        ({"scaling_factor_percent": 101}, "scaling_factor_percent must be"),
        ({"scaling_factor_percent": 1.5}, "scaling_factor_percent must be"),
        ({"min_replicas": 0}, "min_replicas must be"),
        ({"max_replicas": 0}, "max_replicas must be"),
        ({"tick_s": 0.0}, "tick_s must be"),
        ({"inactivity_s": -1.0}, "inactivity_s must be"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OpenFaas(**wrong)
