"""Knative's metric windows: short golden logs, every average recorded from the real ones, and laws."""

import gzip
import json
import math
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.errors import ConfigError
from sim.policies.scaling.kpa_window import KpaWindow, nanoseconds

MINUTE_NS = 60 * 10**9

LOADS = st.integers(0, 1000).map(float)
"""Whole numbers, whose sums are exact in any order."""


def filled(window: KpaWindow, values: list[float], first_s: float = 0.0) -> KpaWindow:
    window.record_each(first_s, values)
    return window


def averages(window: KpaWindow, *times_s: float) -> list[float]:
    return [window.average(now_s) for now_s in times_s]


def test_golden_a_young_window_averages_what_it_has_seen() -> None:
    window = KpaWindow(6)
    assert window.empty(0.0)
    assert window.average(0.0) == 0.0
    made = []
    for second, value in enumerate([6.0, 0.0, 3.0, 1.0, 1.0, 1.0, 0.0, 12.0]):
        window.record(second + 0.25, value)
        made.append(window.average(second + 0.75))
    assert made == [6.0, 3.0, 3.0, 2.5, 2.2, 2.0, 1.0, 3.0]


def test_golden_silence_leaves_what_is_still_in_the_window_then_nothing() -> None:
    window = filled(KpaWindow(6), [1.0, 2.0, 3.0, 4.0, 5.0, 9.0])
    assert averages(window, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0) == [4.0, 4.6, 5.25, 6.0, 7.0, 9.0, 0.0]
    assert averages(window, 9.0, 6.0, 3.0, 10.0) == [7.0, 4.6, 4.0, 9.0]  # asked in any order
    assert [window.empty(now_s) for now_s in (11.0, 11.999, 12.0)] == [False, False, True]
    window.record(11.0, 8.0)  # a window without writes: young again
    assert averages(window, 11.0, 12.0) == [8.0, 8.0]


def test_golden_gaps_between_writes_count_as_nothing() -> None:
    window = KpaWindow(6)
    window.record(0.0, 6.0)
    window.record(3.0, 2.0)
    assert window.average(3.0) == 2.0
    window.record(8.0, 4.0)  # both are within 6 s of the one before, but the first has left
    assert window.average(8.0) == 1.0


def test_golden_late_values_count_in_their_own_bucket_unless_a_window_late() -> None:
    window = KpaWindow(6)
    window.record(10.0, 6.0)
    window.record(5.0, 6.0)
    window.record(4.999, 600.0)
    assert averages(window, 10.0, 11.0) == [2.0, 1.2]


def test_golden_six_digits_halves_away_from_zero() -> None:
    assert filled(KpaWindow(6), [1.0, 0.0, 0.0]).average(2.0) == 0.333333
    assert filled(KpaWindow(6), [2.0, 0.0, 0.0]).average(2.0) == 0.666667
    for sixteenths in (1, 3, 17):  # 1/16 is 62500 millionths, and their eighth 7812.5
        upper = (sixteenths * 7812.5 + 0.5) / 1e6
        assert filled(KpaWindow(8), [sixteenths / 16, *[0.0] * 7]).average(7.0) == upper
        assert filled(KpaWindow(8), [-sixteenths / 16, *[0.0] * 7]).average(7.0) == -upper
    assert filled(KpaWindow(6), [0.49999999999999e-6]).average(0.0) == 0.0


def test_golden_weights() -> None:
    window = filled(KpaWindow(6, weighted=True), [1.0] * 20)
    assert window.average(19.0) == pytest.approx(0.9999, abs=1e-15)  # the weights of six buckets miss 1 by that
    newest = 1 - 0.0001 ** (1 / 6)
    alone = filled(KpaWindow(6, weighted=True), [1.0])
    assert averages(alone, 0.0, 1.0, 5.0, 6.0) == pytest.approx(
        [newest, newest * (1 - newest), newest * (1 - newest) ** 5, 0.0], abs=1e-15
    )
    assert filled(KpaWindow(60, weighted=True), [1.0]).average(0.0) == 0.2


def test_golden_resizing() -> None:
    window = filled(KpaWindow(6), [9.0, 8.0, 7.0])
    window.resize(2, 2.0)
    assert averages(window, 2.0, 3.0, 4.0) == [7.5, 7.0, 0.0]
    window = filled(KpaWindow(6), [9.0, 8.0, 7.0])
    window.resize(60, 2.0)
    assert window.average(2.0) == 4.0  # the first write is now said to be a full old window before the last
    window = filled(KpaWindow(6), [9.0, 8.0, 7.0])
    window.resize(60, 9.0)  # all is forgotten but when the last write was
    assert not window.empty(62.0)
    assert window.empty(63.0)
    assert window.average(9.0) == 0.0
    window.record(2.0, 3.0)  # joins the last write: there is still no first one, and the window counts in full
    assert window.average(2.0) == 0.05
    window.record(11.0, 27.0)
    assert averages(window, 11.0) == [30.0]  # the first write is this one


@pytest.mark.parametrize("seconds", [0.1 + 0.2 + 0.7, 1 - 0.4e-9, 1.0, 1.5])
def test_a_time_is_its_nearest_nanosecond(seconds: float) -> None:
    window = KpaWindow(6)
    window.record(seconds, 5.0)
    window.record(0.0, 1.0)
    assert window.average(1.0) == 3.0


@given(time_ns=st.integers(-(10**15), 10**15))
def test_nanoseconds_come_back_whole(time_ns: int) -> None:
    assert nanoseconds(time_ns / 1e9) == time_ns


@given(time_ns=st.integers(0, 10**7).map(lambda n: n * 10**9) | st.integers(0, 10**15), off_ns=st.integers(-3, 3))
def test_buckets_and_nanoseconds_agree(time_ns: int, off_ns: int) -> None:
    window = KpaWindow(60)
    now_s = max(time_ns + off_ns, 0) / 1e9
    window.record(now_s, 1.0)
    begin_s = float(nanoseconds(now_s) // 10**9)
    assert not window.empty(begin_s + 60)
    assert window.empty(begin_s + 61)


@pytest.mark.parametrize("weighted", [False, True], ids=["linear", "weighted"])
def test_every_recorded_average(shared: Path, weighted: bool) -> None:
    compared = 0
    with gzip.open(shared / "golden" / "kpa_window.jsonl.gz", "rt") as lines:
        for sequence in map(json.loads, lines):
            if (sequence["agg"] == "weighted") == weighted:
                compared += replay(sequence, weighted)
    assert compared > 6000


def replay(sequence: dict, weighted: bool) -> int:
    """Compare each query of a recorded sequence; how many there were."""
    origin_ns = sequence["ops"][0][1] // MINUTE_NS * MINUTE_NS
    window = KpaWindow(sequence["window_ns"] / 1e9, sequence["granularity_ns"] // 10**9, weighted)
    queries = 0
    for kind, *rest in sequence["ops"]:
        if kind == "w":
            window.resize(rest[0] / 1e9, (rest[1] - origin_ns) / 1e9)
            continue
        now_s = (rest[0] - origin_ns) / 1e9
        if kind == "r":
            window.record(now_s, rest[1])
            continue
        average = window.average(now_s)
        assert average == (pytest.approx(rest[1], rel=1e-14, abs=0) if weighted else rest[1])
        assert window.empty(now_s) == rest[2]
        queries += 1
    return queries


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=40), window_s=st.integers(1, 12), weighted=st.booleans())
def test_an_average_lies_between_the_least_and_the_most_of_its_buckets(
    values: list[float], window_s: int, weighted: bool
) -> None:
    inside = values[-window_s:]
    average = filled(KpaWindow(window_s, weighted=weighted), values).average(len(values) - 1.0)
    # A weighted one may lack 1/10000 of its weights, and all of those of buckets that never were.
    least = 0.9999 * min(inside) if len(inside) == window_s else 0.0
    assert (least if weighted else min(inside)) - 2e-6 <= average <= max(inside) + 2e-6


@given(
    steps=st.lists(st.tuples(st.integers(-3, 9), LOADS), min_size=1, max_size=40),
    window_s=st.integers(1, 8),
    asked=st.lists(st.integers(-3, 12), max_size=4),
)
def test_the_kept_sum_is_that_of_the_buckets(steps: list[tuple[int, float]], window_s: int, asked: list[int]) -> None:
    """Against a window that keeps every bucket for ever, and sums anew."""
    window, buckets, first, last, at = KpaWindow(window_s), {}, None, None, 100
    for step, value in steps:
        at = max(at + step, 0)
        window.record(at, value)
        if last is None or at - last >= window_s:
            buckets, first = {}, at
        if last is None or at > last - window_s:
            buckets[at] = buckets.get(at, 0.0) + value
            first, last = min(first, at), max(at, last or 0)
        for after in asked:
            now = last + after
            counted = range(max(first, max(now, last) - window_s + 1), last + 1)
            total = sum(buckets.get(bucket, 0.0) for bucket in counted)
            expected = total / len(counted) if counted else 0.0
            assert window.average(now) == pytest.approx(expected, abs=0.5000001e-6)


@given(values=st.lists(LOADS, min_size=30, max_size=40), old_s=st.integers(1, 30), new_s=st.integers(1, 30))
def test_a_full_window_resized_is_a_fresh_one_fed_what_is_kept(values: list[float], old_s: int, new_s: int) -> None:
    last_s = len(values) - 1.0
    kept = values[-min(old_s, new_s) :]
    resized = filled(KpaWindow(old_s), values)
    resized.average(last_s + 1.0)  # what it has worked out in silence must not outlive the resizing
    resized.resize(new_s, last_s)
    fresh = filled(KpaWindow(new_s), kept, first_s=len(values) - len(kept))
    times_s = [last_s + after for after in range(-2, 32)]
    assert averages(resized, *times_s) == averages(fresh, *times_s)
    assert [resized.empty(now_s) for now_s in times_s] == [fresh.empty(now_s) for now_s in times_s]


@given(
    values=st.lists(st.floats(0, 1e9), min_size=1, max_size=30),
    window_s=st.floats(1, 20),
    granularity_s=st.sampled_from([1, 2, 3, 5]),
    weighted=st.booleans(),
)
def test_a_quiet_window_is_nothing_then_empty(
    values: list[float], window_s: float, granularity_s: int, weighted: bool
) -> None:
    window = filled(KpaWindow(window_s, granularity_s, weighted), values)
    last_s = (len(values) - 1.0) * granularity_s  # of the bucket written last
    quiet_s = math.ceil(window_s / granularity_s) * granularity_s
    assert window.average(last_s + quiet_s) == 0.0
    assert not window.empty(last_s + window_s // granularity_s * granularity_s)
    assert window.empty(last_s + (window_s // granularity_s + 1) * granularity_s)


@given(values=st.lists(st.floats(0, 1e6), min_size=2, max_size=30), window_s=st.integers(1, 10))
def test_many_seconds_at_once_are_the_same_seconds_one_by_one(values: list[float], window_s: int) -> None:
    at_once, one_by_one = filled(KpaWindow(window_s), values, 3.5), KpaWindow(window_s)
    for second, value in enumerate(values):
        one_by_one.record(3.5 + second, value)
    times_s = [now_s + 3.0 for now_s in range(len(values) + 10)]
    assert averages(at_once, *times_s) == averages(one_by_one, *times_s)


def test_how_often_a_silent_window_is_asked_changes_no_digit() -> None:
    values = [0.1 * second for second in range(60)]
    asked = averages(filled(KpaWindow(60), values), *(59.0 + after for after in range(61)))
    assert asked == [filled(KpaWindow(60), values).average(59.0 + after) for after in range(61)]
    assert all(0.0 < earlier <= later for earlier, later in pairwise(asked[:-1]))  # what rose leaves its highest values
    assert asked[-1] == 0.0


def test_it_pickles() -> None:
    window = filled(KpaWindow(6, weighted=True), [1.0, 2.0])
    assert pickle.loads(pickle.dumps(window)).average(1.0) == window.average(1.0)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [((0.5,), "window_s"), ((math.inf,), "window_s"), (("60",), "window_s"), ((60, 0), "granularity_s"),
     ((60, 1.5), "granularity_s")],
)  # fmt: skip
def test_windows_that_make_no_sense_are_refused(parameters: tuple, named: str) -> None:
    with pytest.raises(ConfigError, match=f"KpaWindow: {named}"):
        KpaWindow(*parameters)
    with pytest.raises(ConfigError, match="KpaWindow: window_s"):
        KpaWindow(60).resize(math.nan, 0.0)
