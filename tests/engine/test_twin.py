"""The engine against the brute-force twin: start kind, start, end and instance of every call, to the last bit."""

from dataclasses import replace
from math import inf
from unittest.mock import patch

from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small import Case, cases, cases_with_a_gap_for_window, crowds, kinds

from sim.platform import trigger
from sim.policies import Clairvoyant, FixedWindow
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import TIMED_OUT


def assert_agree(case: Case, policy: KeepAlive | None = None) -> None:
    columns = case.run(policy)
    requests, instances = columns.requests, columns.instances
    served = case.brute_force()
    assert kinds(columns) == [s.kind for s in served]
    assert requests.start_s.tolist() == [s.start_s for s in served]
    assert requests.end_s.tolist() == [s.end_s for s in served]
    assert requests.instance.tolist() == [s.instance for s in served]
    assert (requests.outcome == TIMED_OUT).tolist() == [s.timed_out for s in served]
    ended_s = {s.instance: s.expiry_s for s in served}  # the last call of each
    assert dict(zip(instances.instance.tolist(), instances.ended_s.tolist(), strict=True)) == ended_s
    assert instances.instance.tolist() == sorted(ended_s)


@examples(1500)
@given(cases())
def test_each_call_with_a_window_of_its_own(case: Case) -> None:
    assert_agree(case)


@examples(1500)
@given(cases_with_a_gap_for_window())
def test_one_window_equal_to_a_gap_to_the_last_bit(case: Case) -> None:
    assert_agree(case, FixedWindow(case.window_s[0]))


@examples(400)
@given(cases())
def test_the_way_of_the_options_agrees_where_none_matters(case: Case) -> None:
    # A limit that is never met takes calls through the pools that know queues, slots and orders.
    limited = replace(case.platform, max_instances=1e9)
    assert not limited.is_plain(limited.deployed(case.trace.functions))
    with patch.object(Case, "platform", limited):
        assert_agree(case)


@examples(1500)
@given(cases(handlers=True), st.booleans())
def test_handlers_that_the_first_call_on_an_instance_loads(case: Case, limited: bool) -> None:
    platform = replace(case.platform, max_instances=1e9 if limited else inf)
    with patch.object(Case, "platform", platform):
        assert_agree(case)


@examples(200)
@given(cases(), st.integers(1, 4))
def test_a_trace_fed_in_blocks(case: Case, block: int) -> None:
    with patch.object(trigger, "BLOCK", block):
        assert_agree(case)


@examples(800)
@given(crowds())
def test_much_at_once(case: Case) -> None:
    assert_agree(case)


@examples(600)
@given(cases(functions=1, calls=16, start_ups=False, lives=False, constant=True))
def test_many_instances_of_one_function(case: Case) -> None:
    assert_agree(case, FixedWindow(case.window_s[0]))


@examples(600)
@given(cases(constant=True))
def test_clairvoyant_with_the_windows_it_chose(case: Case) -> None:
    worth_s = case.window_s[0]
    windows = Clairvoyant(worth_s).windows_s(case.trace).tolist()
    assert set(windows) <= {0.0, worth_s}
    assert_agree(replace(case, window_s=tuple(windows)), Clairvoyant(worth_s))


def test_an_instance_past_its_life_serves_a_call_at_the_instant_its_own_ends() -> None:
    case = Case((0, 0, 0), (0.0, 5.0, 6.0), (5.0, 1.0, 0.0), (inf,) * 3, life_s=2.0)
    assert [s.instance for s in case.brute_force()] == [0, 0, 0]
    assert_agree(case)


def test_the_last_bit_decides() -> None:
    end_s, window_s, arrival_s = 0.3, 0.6, 0.8999999999999999  # 0.3 + 0.6, while 0.8999999999999999 - 0.3 < 0.6
    assert end_s + window_s == arrival_s
    assert arrival_s - end_s != window_s
    for arrival, kind in ((arrival_s, "warm"), (0.9, "cold")):
        case = Case((0, 0), (0.0, arrival), (end_s, 0.0), (window_s, window_s))
        assert kinds(case.run()) == ["cold", kind]
        assert_agree(case)
