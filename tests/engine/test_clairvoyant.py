"""Clairvoyant against brute force over every keep decision: nothing that only decides how long to keep is cheaper."""

from math import inf

import numpy as np
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small import Case, cases, cases_with_a_gap_for_window, cold_starts, idle_s, kinds

from sim.policies import Clairvoyant, FixedWindow

DYADIC = (1.0, 0.125)  # costs are then exact sums
ALONE = {"start_ups": False, "lives": False}


def cheapest(case: Case, worth_s: float) -> float:
    """The least cost of a case with one function: all choices of how long each idle period may last are tried.

    Each instance, once idle, is dropped at once or kept until one of the arrivals to come (being kept to any other
    instant costs more and serves nobody else). Of those that are still there the most recently idle one serves.
    """
    calls = list(zip(case.arrival_s, case.duration_s, strict=True))
    best = inf

    def try_all(row: int, instances: list[tuple[float, int, float]], cost: float) -> None:
        nonlocal best
        if cost >= best:
            return  # costs only grow
        if row == len(calls):
            best = cost + sum(until_s - end_s for end_s, _, until_s in instances)
            return
        now_s, duration_s = calls[row]
        gone = [i for i in instances if i[2] < now_s]  # idle in vain from end to until
        cost += sum(until_s - end_s for end_s, _, until_s in gone)
        here = [i for i in instances if i[2] >= now_s]
        usable = [i for i in here if i[0] <= now_s]
        if usable:
            chosen = max(usable)
            here.remove(chosen)
            cost += now_s - chosen[0]
        else:
            cost += worth_s
        end_s = now_s + duration_s
        for until_s in sorted({end_s} | {a for a, _ in calls[row + 1 :] if a > end_s}):
            try_all(row + 1, [*here, (end_s, row, until_s)], cost)

    try_all(0, [], 0.0)
    return best


@examples(400)
@given(cases(functions=1, calls=7, units=DYADIC, nudges=(0,), **ALONE), st.integers(0, 20))
def test_no_keep_decisions_cost_less(case: Case, steps: int) -> None:
    worth_s = steps * 0.5
    columns = case.run(Clairvoyant(worth_s))
    assert worth_s * cold_starts(columns) + idle_s(columns) == cheapest(case, worth_s)


def test_brute_force_finds_what_a_person_finds() -> None:
    # Two calls overlap and two come 4 s later; the second of those is answered by the older of the two instances.
    case = Case((0,) * 4, (0.0, 0.0, 5.0, 5.0), (1.0, 2.0, 1.0, 1.0), (0.0,) * 4)
    assert cheapest(case, 1.0) == 4.0
    assert cheapest(case, 3.5) == 3.5 * 3 + 3.0
    assert cheapest(case, 10.0) == 10.0 * 2 + 3.0 + 4.0


@examples(600)
@given(cases_with_a_gap_for_window(functions=3, calls=12, **ALONE))
def test_the_cold_starts_are_those_of_the_window_of_one_start(case: Case) -> None:
    worth_s = case.window_s[0]
    ours, theirs = case.run(Clairvoyant(worth_s)), case.run(FixedWindow(worth_s))
    assert kinds(ours) == kinds(theirs)
    assert idle_s(ours) <= idle_s(theirs) + 1e-9


@examples(200)
@given(cases_with_a_gap_for_window(functions=2, calls=12, **ALONE))
def test_what_is_kept_is_used(case: Case) -> None:
    instances = case.run(Clairvoyant(case.window_s[0])).instances
    used_in_vain = instances.ended_s - instances.idle_since_s
    assert np.all(used_in_vain == 0)


def test_where_starts_take_time_it_is_a_reference_and_no_bound() -> None:
    # Without its start-up of 1 s the first call would end at 1 and leave a gap of 2 s, not worth 1.5 s; it ends at 2.
    case = Case((0, 0), (0.0, 3.0), (1.0, 1.0), (0.0, 0.0), start_up_s=1.0)
    clairvoyant, fixed = case.run(Clairvoyant(1.5)), case.run(FixedWindow(1.5))
    assert 1.5 * cold_starts(clairvoyant) + idle_s(clairvoyant) == 3.0
    assert 1.5 * cold_starts(fixed) + idle_s(fixed) == 2.5
