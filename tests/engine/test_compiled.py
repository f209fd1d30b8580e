"""The compiled engine against the reference, to the bit."""

from agreement import assert_agree
from examples import examples
from hypothesis import given
from small import Case, Windows, cases, cases_with_a_gap_for_window, crowds

from sim.policies import FixedWindow


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
