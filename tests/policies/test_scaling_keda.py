"""KEDA: decisions worked by hand, who decides when, and a run."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, lives, log
from ticks import load

import sim
from sim.core.errors import ConfigError
from sim.policies.scaling.hpa import Hpa
from sim.policies.scaling.hpa_values import MetricSpec
from sim.policies.scaling.keda import Keda
from sim.policies.scaling.role import Unit

Q = 15
"""Seconds between ticks, half a polling interval."""


def ticks(policy: Keda, levels: list[float], ready: int = 0) -> list[int]:
    """What is wanted at each tick where requests in flight were so many since the last, and starts take no time."""
    scaler, made = policy.scaler(Unit(1)), []
    for k, level in enumerate(levels, 1):
        made.append(scaler.wanted(load(Q * k, [level] * Q, ready=made[-1] if made else ready)))
    return made


def test_golden_from_none_to_one_at_a_poll_and_back_after_the_cooldown() -> None:
    # A request from 15 s on: asked at 30 s, half of the window has it. It is over by 45 s, so at 60 s the trigger is
    # active for the last time, and 360 s are not more than 300 s after that.
    made = ticks(Keda(), [0.0, 1.0, 1.0] + [0.0] * 30)
    assert made[:4] == [0, 1, 1, 1]
    assert made.index(0, 4) == 390 // Q - 1


def test_golden_from_one_to_many_as_the_horizontal_pod_autoscaler_does() -> None:
    policy = Keda(metric_window_s=15, initial_scale=1)
    levels = [
        5.0,   # at most twice as many, or 4
        5.4,   # 1.35 times 4: 6
        6.6,   # 1.1 times 6: near enough
        10.0,
        2.0,   # but 10 was recommended at 60 s, and counts up to 360 s
    ]  # fmt: skip
    made = ticks(policy, levels + [2.0] * 20, ready=1)
    assert made[:5] == [4, 6, 6, 10, 10]
    assert made.index(2) == 375 // Q - 1
    assert made[-1] == 2


def test_golden_pods_that_start_count_and_the_metric_is_cut_to_a_thousandth() -> None:
    four = Keda(metric_window_s=15, initial_scale=4).scaler(Unit(1))
    assert four.wanted(load(15.0, [4.2] * Q, ready=1, starting=3)) == 4  # 1.05 a pod is near enough
    assert ticks(Keda(metric_window_s=15, initial_scale=1, tolerance=0.0), [1.0006], ready=1) == [1]
    assert ticks(Keda(metric_window_s=15, initial_scale=1, tolerance=0.0), [1.0011], ready=1) == [2]


@pytest.mark.parametrize(
    ("options", "levels", "wanted"),
    [
        ({"activation": 2.0}, [2.0, 2.0, 3.0, 3.0], [0, 0, 0, 3]),       # 3 at 60 s; woken as 1, then synced
        ({"target_concurrency": 2.0}, [3.0, 3.0], [0, 2]),               # 1.5 pods
        ({"min_replicas": 2}, [0.0, 0.0, 0.0, 0.0], [2, 2, 2, 2]),
        ({"min_replicas": 2, "idle_replicas": 0}, [0.0, 0.0, 0.5, 0.5], [0, 0, 0, 2]),
        ({"max_replicas": 3}, [9.0, 9.0, 9.0], [0, 3, 3]),
        ({"polling_s": 15.0, "sync_s": 45.0}, [9.0, 9.0, 9.0], [1, 1, 4]),  # at most twice as many, or 4
    ],
)  # fmt: skip
def test_golden_bounds_and_intervals(options: dict[str, object], levels: list[float], wanted: list[int]) -> None:
    assert ticks(Keda(**options), levels) == wanted


def test_golden_a_trigger_that_pushes_does_not_wait_for_the_poll() -> None:
    for push, replicas in ((False, 0), (True, 2)):
        scaler = Keda(push=push, min_replicas=2, idle_replicas=0).scaler(Unit(1))
        assert scaler.poked(load(3.0, ready=0)) == replicas
        assert scaler.remembers == (replicas > 0)


LEVELS = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.4, 1.0, 3.7, 12.0]), max_size=60)


@given(LEVELS, st.integers(0, 3), st.integers(4, 9), st.sampled_from([0.0, 0.3, 1.5]), st.sampled_from([0, 60, 300]))
def test_there_are_none_only_after_a_whole_cooldown_and_else_what_the_bounds_allow(
    levels: list[float], least: int, most: int, activation: float, cooldown_s: float
) -> None:
    policy = Keda(min_replicas=least, max_replicas=most, activation=activation, cooldown_s=cooldown_s)
    active_s = -inf
    for k, (level, before, wanted) in enumerate(zip(levels, [0.0, *levels], ticks(policy, levels), strict=False), 1):
        if k % 2 == 0 and (level + before) / 2 > activation + 1e-9:
            active_s = Q * k
        if wanted:
            assert max(1, least) <= wanted <= most
            assert least or Q * (k - k % 2) - active_s <= cooldown_s
        else:
            assert not least
            assert Q * (k - k % 2) - active_s > cooldown_s


@given(st.lists(st.floats(0.01, 20), min_size=1, max_size=60), st.floats(0.5, 4))
def test_while_the_trigger_is_active_the_horizontal_pod_autoscaler_alone_decides(
    levels: list[float], target: float
) -> None:
    policy = Keda(initial_scale=1, metric_window_s=15, target_concurrency=target)
    hpa = Hpa((MetricSpec("external_per_pod", round(1000 * target)),), 1, 100)
    replicas = 1
    for k, (level, wanted) in enumerate(zip(levels, ticks(policy, levels, ready=1), strict=True), 1):
        mean = sum([level] * Q) / Q
        if abs(1000 * mean - round(1000 * mean)) < 1e-6:
            return  # cut to 1/1000 or just not: a matter of the last digit
        replicas = hpa.decide(Q * k, replicas, (), [[int(1000 * mean)]], replicas).desired
        assert wanted == replicas


@pytest.mark.parametrize(("push", "first_s"), [(False, 30.25), (True, 12.25)])
def test_a_run_waits_for_the_poll_unless_it_is_pushed(push: bool, first_s: float) -> None:
    trace = calls((12.0, 1.0), (20.0, 1.0), (500.0, 1.0))
    result = sim.simulate(trace, Keda(push=push), sim.load_platform("constant_start", start_s=0.25))
    if push:
        # The polls at 30 s and 60 s: the window of the first has both calls, that of the second none. The cooldown is
        # over at 330 s, but not for more than 300 s before the poll at 360 s.
        assert log(result.columns) == [(12.25, "cold", 0), (20.0, "warm", 0), (500.25, "cold", 2)]
        assert lives(result.columns) == [(0, 12.0, 12.25, 360.0), (2, 500.0, 500.25, inf)]
    else:
        # At 30 s they have been in flight for 18 + 10 s of 30, 0.93 on the average: one pod is enough for both.
        assert log(result.columns) == [(first_s, "cold", 0), (31.25, "queued", 0), (510.25, "cold", 2)]
        assert lives(result.columns) == [(0, 30.0, 30.25, 390.0), (2, 510.0, 510.25, inf)]
        assert result.decisions["why"].tolist() == ["trigger active", "cooldown over", "trigger active"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target_concurrency": 0.0}, "target_concurrency must be"),
        ({"polling_s": 40.0}, "polling_s must be a multiple of tick_s"),
        ({"sync_s": 5.0}, "sync_s must be a multiple of tick_s"),
        ({"idle_replicas": 0}, "idle_replicas must be null"),
        ({"idle_replicas": 1, "min_replicas": 2}, "idle_replicas must be null"),
        ({"push": 1}, "push must be true or false"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas must be"),
        ({"metric_window_s": 0.5}, "metric_window_s must be"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Keda(**wrong)
