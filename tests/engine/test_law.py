"""The law of most recent first with unlimited capacity, zero start time and no life limit, and what follows from it.

An arrival at t is cold iff b + 1 exceeds the largest value that the busy count had or took in [t - T, t], b being the
count just before it. Nothing here simulates instances: the busy count follows from arrivals and durations alone.
"""

from math import inf

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small import Case, cases, cases_with_a_gap_for_window, cold_starts, idle_s, kinds

from sim.policies import FixedWindow, KeepForever, NoKeepAlive

ALONE = {"start_ups": False, "lives": False}
EXACT = {**ALONE, "units": (1.0, 0.125), "nudges": (0,)}  # dyadic times: sums of idle seconds are exact


def by_the_law(case: Case, window_s: float) -> list[str]:
    """The start kind of every call of a case, from busy counts only."""
    kind = [""] * len(case.function)
    for function in set(case.function):
        events = []  # in the order of the calendar: ends, then each arrival with the end of a zero-length call
        for row, f in enumerate(case.function):
            if f == function:
                arrival_s = case.arrival_s[row]
                end_s = arrival_s + case.duration_s[row]
                events.append((arrival_s, row, 0, +1))
                events.append((end_s, row, 1, -1) if end_s == arrival_s else (end_s, -1, row, -1))
        busy = 0
        had: list[tuple[float, int]] = []  # values that the count had, each with the instant it changed
        for now_s, row, _, step in sorted(events):
            if step > 0:
                # In [t - T, t] as a float sees it: the value was still in force at an instant s with t <= s + T.
                largest = max([busy] + [value for until_s, value in had if now_s <= until_s + window_s])
                kind[row] = "cold" if busy + 1 > largest else "warm"
            had.append((now_s, busy))
            busy += step
    return kind


@examples(1000)
@given(cases_with_a_gap_for_window(functions=2, calls=12, **ALONE))
def test_cold_iff_the_busy_count_exceeds_all_it_was_within_the_window(case: Case) -> None:
    window_s = case.window_s[0]
    assert kinds(case.run(FixedWindow(window_s))) == by_the_law(case, window_s)


@examples(300)
@given(cases(**EXACT), st.integers(0, 12), st.integers(0, 12))
def test_cold_starts_never_rise_and_waste_never_falls_as_the_window_grows(case: Case, a: int, b: int) -> None:
    shorter, longer = (case.run(FixedWindow(steps * 0.5)) for steps in sorted((a, b)))
    assert cold_starts(longer) <= cold_starts(shorter)
    assert idle_s(longer) >= idle_s(shorter)
    cold_if_longer = [kind == "cold" for kind in kinds(longer)]
    assert all(kind == "cold" for kind, cold in zip(kinds(shorter), cold_if_longer, strict=True) if cold)


@pytest.mark.parametrize(
    ("policy", "same"), [(NoKeepAlive(), FixedWindow(0.0)), (KeepForever(), FixedWindow(inf))], ids=repr
)
@given(case=cases())
def test_the_ends_of_the_scale_have_names(policy: object, same: object, case: Case) -> None:
    a, b = case.run(policy), case.run(same)
    assert kinds(a) == kinds(b)
    assert a.requests.start_s.tolist() == b.requests.start_s.tolist()
    assert a.requests.instance.tolist() == b.requests.instance.tolist()
    assert a.instances.ended_s.tolist() == b.instances.ended_s.tolist()


# Where the law does not hold, keeping longer can hurt: three cases, told in docs/surprises.md.


def test_with_start_ups_a_longer_window_can_mean_more_cold_starts() -> None:
    # 0.5 s: the second call starts an instance, is late for it, and so leaves it warm for the third and the fourth.
    # 1.5 s: the second call is warm and done early, the instance is gone by the third, and the fourth comes too soon.
    case = Case((0,) * 4, (0.0, 4.0, 7.25, 8.5), (1.0,) * 4, (0.0,) * 4, start_up_s=2.0)
    shorter, longer = (case.run(FixedWindow(window_s)) for window_s in (0.5, 1.5))
    assert kinds(shorter) == ["cold", "cold", "warm", "warm"]
    assert kinds(longer) == ["cold", "warm", "cold", "cold"]


def test_with_a_life_limit_a_longer_window_can_mean_more_cold_starts() -> None:
    # 4 s: the instance of the long call was made at 5 and is over at 12, so the call at 13 keeps the one made at 10.
    # 5.5 s: it was made at 8 and serves the call at 13; the one made at 10 is then idle too long for the last call.
    case = Case((0,) * 6, (0.0, 5.0, 8.0, 10.0, 13.0, 16.5), (0.5, 0.5, 3.0, 0.5, 0.5, 0.5), (0.0,) * 6, life_s=7.0)
    shorter, longer = (case.run(FixedWindow(window_s)) for window_s in (4.0, 5.5))
    assert kinds(shorter) == ["cold", "cold", "warm", "cold", "warm", "warm"]
    assert kinds(longer) == ["cold", "warm", "cold", "cold", "warm", "cold"]
    assert shorter.requests.instance.tolist() == [0, 1, 1, 3, 3, 3]
    assert longer.requests.instance.tolist() == [0, 0, 2, 3, 2, 5]


def test_with_a_life_limit_a_longer_window_can_waste_less() -> None:
    case = Case((0,) * 3, (0.0, 4.0, 8.0), (1.0,) * 3, (0.0,) * 3, life_s=5.0)
    shorter, longer = (case.run(FixedWindow(window_s)) for window_s in (2.0, inf))
    assert (cold_starts(shorter), idle_s(shorter)) == (3, 4.0)
    assert (cold_starts(longer), idle_s(longer)) == (2, 3.0)
