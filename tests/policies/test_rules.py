"""What the platform makes of a rule's decisions, as short golden logs."""

from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import Plan, Watch, calls, lives, log, run

import sim
from sim.core.errors import PolicyError
from sim.core.random import stream, uniform
from sim.platform.platform import Platform
from sim.policies import KeepAlive
from sim.policies.keepalive.rule import Rule


@dataclass(frozen=True)
class Deciding(KeepAlive):
    """A rule that decides whatever a test wants."""

    decision: Any

    def rule(self) -> Rule:
        return Rule((), lambda state, gap_s: None, lambda state, u: self.decision)


PREWARM = Plan(unload_after_s=0.0, prewarm_after_s=10.0, keep_s=5.0)
START = {"start_s": 2.0, "prewarm_lead_s": 2.0}


def test_a_prewarmed_instance_starts_its_lead_before_it_is_due_and_is_kept_from_then() -> None:
    assert lives(run(calls((0, 1)), PREWARM, **START)) == [(0, 0, 2, 3), (-1, 11, 13, 18)]


def test_without_lead_the_start_begins_when_it_is_due() -> None:
    assert lives(run(calls((0, 1)), PREWARM, start_s=2.0)) == [(0, 0, 2, 3), (-1, 13, 15, 18)]


def test_a_start_that_is_ready_after_its_time_ends_at_once() -> None:
    assert lives(run(calls((0, 1)), PREWARM, start_s=7.0)) == [(0, 0, 7, 8), (-1, 18, 25, 25)]


def test_a_call_that_comes_before_the_start_drops_it() -> None:
    ran = run(calls((0, 1), (8, 1)), PREWARM, **START)
    assert log(ran) == [(2, "cold", 0), (10, "cold", 1)]
    assert lives(ran) == [(0, 0, 2, 3), (1, 8, 10, 11), (-1, 19, 21, 26)]


def test_a_call_at_the_very_instant_of_the_start_drops_it_too() -> None:
    ran = run(calls((0, 1), (11, 1)), PREWARM, **START)
    assert log(ran) == [(2, "cold", 0), (13, "cold", 1)]
    assert lives(ran)[-1] == (-1, 22, 24, 29)


def test_a_call_that_comes_while_it_starts_is_queued_for_it() -> None:
    ran = run(calls((0, 1), (12, 1)), PREWARM, **START)
    assert log(ran) == [(2, "cold", 0), (13, "queued", -1)]
    assert ran.requests.prewarmed.tolist() == []
    assert ran.instances.awaited.tolist() == [True, True, False]


def test_of_two_that_come_while_it_starts_the_second_starts_its_own() -> None:
    ran = run(calls((0, 1), (12, 1), (12, 1)), PREWARM, **START)
    assert log(ran) == [(2, "cold", 0), (13, "queued", -1), (14, "cold", 2)]


@pytest.mark.parametrize("arrival_s", [13.0, 15.0, 18.0])  # just ready; idle; its last instant
def test_the_first_call_on_it_is_warm_and_counted_as_prewarmed(arrival_s: float) -> None:
    ran = run(calls((0, 1), (arrival_s, 1), (arrival_s + 2, 1)), Plan(3.0, 10.0, 5.0), **START)
    assert log(ran) == [(2, "cold", 0), (arrival_s, "warm", -1), (arrival_s + 2, "warm", -1)]
    assert ran.requests.prewarmed.tolist() == [1]


def test_a_call_after_its_time_is_cold() -> None:
    assert log(run(calls((0, 1), (18.5, 1)), PREWARM, **START))[1] == (20.5, "cold", 1)


def test_none_is_started_while_another_instance_lives() -> None:
    ran = run(calls((0, 1), (1, 30)), PREWARM, **START)  # the first is idle at 3 and due at 13, the second runs to 33
    assert lives(ran) == [(0, 0, 2, 3), (1, 1, 3, 33), (-1, 41, 43, 48)]


def test_none_is_started_at_all_if_the_window_outlasts_it() -> None:
    assert lives(run(calls((0, 1)), Plan(unload_after_s=20.0, prewarm_after_s=10.0, keep_s=5.0))) == [(0, 0, 0, 21)]


def test_one_whose_time_comes_early_starts_when_the_old_instance_ends() -> None:
    ran = run(calls((0, 1)), PREWARM, start_s=2.0, prewarm_lead_s=30.0)
    assert lives(ran) == [(0, 0, 2, 3), (-1, 3, 5, 18)]
    ran = run(calls((0, 1)), Plan(4.0, 10.0, 5.0), start_s=2.0, prewarm_lead_s=8.0)
    assert lives(ran) == [(0, 0, 2, 7), (-1, 7, 9, 18)]


def test_one_whose_time_came_early_is_dropped_by_a_call_as_well() -> None:
    ran = run(calls((0, 1), (6, 1)), Plan(4.0, 10.0, 5.0), start_s=2.0, prewarm_lead_s=8.0)
    assert log(ran)[1] == (6, "warm", 0)
    assert lives(ran) == [(0, 0, 2, 11), (-1, 11, 13, 22)]


def test_none_is_started_where_there_is_no_room() -> None:
    ran = run(calls((0, 1), (5, 30, 1)), PREWARM, max_instances=1, queue_limit=inf, **START)
    assert lives(ran) == [(0, 0, 2, 3), (1, 5, 7, 37), (-1, 45, 47, 52)]


def test_an_unused_one_plans_no_other() -> None:
    assert len(lives(run(calls((0, 1), (1000, 1)), PREWARM, **START))) == 4  # two by calls, one after each


def test_the_start_that_nobody_awaits_is_wasted_and_one_that_a_call_awaits_is_not() -> None:
    def wasted_gb_s(*rows: tuple[float, float]) -> float:
        ran = sim.simulate(calls(*rows), PREWARM, Platform(**START), horizon_s=20.0)
        return float(ran.summary["wasted_gb_s"])

    assert wasted_gb_s((0, 1)) == 2 + 5
    assert wasted_gb_s((0, 1), (15, 1)) == 2 + 2
    assert wasted_gb_s((0, 1), (12, 10)) == 0


# The idle time


def test_it_runs_from_the_moment_no_call_runs_to_the_next_call() -> None:
    policy = Watch([])
    run(calls((0, 1), (5, 10), (6, 1), (8, 1), (20, 1), (21, 1), (21, 0)), policy)
    assert policy.gaps_s == [4, 5, 0]


def test_a_call_that_waits_for_a_start_is_running() -> None:
    policy = Watch([])
    run(calls((0, 1), (2, 1), (20, 1)), policy, start_s=3.0)
    assert policy.gaps_s == [14]  # both wait and run until 6


def test_a_call_that_gives_up_or_is_rejected_ends_too() -> None:
    policy = Watch([])
    run(calls((0, 1), (4, 1), (20, 1)), policy, start_s=3.0, max_wait_s=1.0)
    assert policy.gaps_s == [3.0, 15.0]  # gave up at 1; its instance serves the call at 4, from 4 to 5
    policy = Watch([])
    run(calls((0, 10), (5, 1), (12, 1)), policy, max_instances=1)
    assert policy.gaps_s == [2]


def test_a_unit_learns_from_its_own_calls_or_from_those_of_its_app() -> None:
    trace = calls((0, 1), (5, 1, 1), (10, 1))
    table = trace.functions.assign(app="x")
    shared = type(trace).from_arrays(trace.function, trace.arrival_s, trace.duration_s, functions=table)
    for learns_by, isolation, gaps_s in (
        ("unit", "function", [9]), ("app", "function", [4, 4]), ("unit", "app", [4, 4]), ("app", "app", [4, 4]),
    ):  # fmt: skip
        policy = Watch([], learns_by=learns_by)
        run(shared, policy, isolation=isolation)
        assert policy.gaps_s == gaps_s


def test_every_instance_that_becomes_idle_gets_that_moments_decision_and_its_own_draw() -> None:
    policy, trace = Watch([]), calls((0, 1), (0, 2), (10, 1, 1))
    run(trace, policy)
    first, second = stream(0, 0, "keep_alive_rule", *trace.function_keys()).tolist()
    drawn = [entry[1] for entry in policy.log if isinstance(entry, tuple)]
    assert drawn == [uniform(first, 0), uniform(first, 1), uniform(second, 0)]


@pytest.mark.parametrize(
    "decision",
    [
        (-1.0, inf, 0.0), (0.0, nan, 0.0), (0.0, 1.0, -1e-9), (1.0, inf, nan), (1.0, inf), (1.0, inf, 0.0, 0.0), 5.0,
        None, ("a", inf, 0.0), (1.0, None, 0.0), "abc",
    ],
)  # fmt: skip
def test_a_decision_that_no_platform_can_apply_is_an_error(decision: object) -> None:
    with pytest.raises(
        PolicyError, match=r"Deciding: its rule decided .*: decisions are three numbers of seconds >= 0"
    ):
        run(calls((0, 1)), Deciding(decision))


@given(
    arrivals=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    durations=st.lists(st.integers(0, 9), min_size=12, max_size=12),
    plan=st.builds(Plan, *[st.sampled_from([0.0, 1.0, 3.0, 8.0, inf])] * 3),
    lead_s=st.sampled_from([0.0, 1.0, 5.0]),
    start_s=st.sampled_from([0.0, 1.0, 4.0]),
)
def test_prewarmed_instances_never_overlap_and_every_call_is_served(
    arrivals: list[int], durations: list[int], plan: Plan, lead_s: float, start_s: float
) -> None:
    rows = list(zip(sorted(map(float, arrivals)), map(float, durations), strict=False))
    ran = run(calls(*rows), plan, start_s=start_s, prewarm_lead_s=lead_s)
    assert np.all(ran.requests.start_s >= ran.requests.arrival_s)
    for name, created_s, ready_s, _ in lives(ran):
        assert ready_s == created_s + start_s
        if name < 0:  # started when nothing else lived
            assert not any(a < created_s < d for n, a, _, d in lives(ran) if n != name)
    warm_on_new = {int(ran.requests.instance[row]) for row in ran.requests.prewarmed}
    assert len(warm_on_new) == len(ran.requests.prewarmed)
    assert all(name < 0 for name in warm_on_new)
