"""The arithmetic of the window curve: the matching, the least windows, the sums, the knee and the frontier."""

from math import inf, isnan, nextafter

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from sim.core.errors import ConfigError
from sim.results.call_sums import Span
from sim.results.idle_periods import NOBODY, IdlePeriods, idle_periods, next_calls
from sim.results.window_curve import Frontier, WindowCurve, curve_of, least_windows_s

TIMES = (
    st.floats(0, 1e9) | st.floats(0, 1e-3) | st.integers(0, 9).map(float) | st.integers(0, 50).map(lambda i: i * 0.1)
)


def curve(calls: list[tuple[float, float]], *, warm_up_s: float = 0.0, horizon_s: float | None = None) -> WindowCurve:
    """The curve of calls (arrival, duration) of one function of 1 GB."""
    arrival_s, duration_s = np.array(calls, np.float64).reshape(-1, 2).T
    periods = idle_periods(np.zeros(len(calls), np.int64), arrival_s, arrival_s + duration_s, np.ones(len(calls)))
    return curve_of(periods, Span(warm_up_s, arrival_s[-1] if horizon_s is None else horizon_s))


# Two calls overlap, 0-1 and 0-2; two come at 5, of which the first takes the instance idle since 2, the second that
# idle since 1; one comes at 10, when the instances have been idle since 6 (the later row) and 6. Measured up to 12 s.
DAY = [(0.0, 1.0), (0.0, 2.0), (5.0, 1.0), (5.0, 1.0), (10.0, 1.0)]


def test_a_day_by_hand() -> None:
    frame = curve(DAY, horizon_s=12.0).at([0, 1, 3, 3.5, 4, 5, 6, inf])
    assert frame["cold_starts"].tolist() == [5, 5, 4, 4, 2, 2, 2, 2]
    # Gaps of 3, 4 and 4 s; to the end at 12, one instance is idle from 6 and one from 11.
    assert frame["wasted_gb_s"].tolist() == [0, 5, 4 * 3 + 1, 3 + 3 * 3.5 + 1, 3 + 3 * 4 + 1, 17, 18, 18]
    assert frame["cold_start_rate"].tolist() == [1, 1, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4]


def test_its_frontier_by_hand() -> None:
    frontier = curve(DAY, horizon_s=12.0).frontier
    assert frontier.cold_starts.tolist() == [5, 4, 3, 2]
    assert frontier.wasted_gb_s.tolist() == [0, 3, 7, 11]
    assert frontier.least_gb_s([9, 5, 4, 2]).tolist() == [0, 0, 3, 11]
    assert np.isnan(frontier.least_gb_s([1, 0])).all()


def test_its_knee_by_hand() -> None:
    # Scaled: (0, 1) at 0 s, (13/18, 2/3) at 3 s, (16/18, 0) at 4 s, (1, 0) in the end; 4 s is 1/9 below the line.
    assert curve(DAY, horizon_s=12.0).knee() == pytest.approx(4.0, rel=1e-15)


def test_a_span_cuts_memory_time_and_counts_calls() -> None:
    # From 4 s on: three calls count; the gaps that end at 5 waste 1 s each, those since 1 and 2 only from 4 on.
    frame = curve(DAY, warm_up_s=4.0, horizon_s=12.0).at([0, 2, 2.5, 3, 3.5, 4, inf])
    assert frame["cold_starts"].tolist() == [3, 3, 3, 2, 2, 0, 0]
    after = [0.0, 2 + 2 + 1, 2.5 * 2 + 1, 3 * 2 + 1, 3.5 * 2 + 1, 4 + 4 + 1, 4 + 6 + 1]
    crossing = [0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    assert frame["wasted_gb_s"].tolist() == [a + c for a, c in zip(after, crossing, strict=True)]
    assert curve(DAY, warm_up_s=4.0, horizon_s=12.0).frontier.wasted_gb_s.tolist() == [0, 1, 2, 6]


def test_calls_that_take_no_time() -> None:
    # Three at the same instant: each ends before the next comes, so one instance serves all of them under any window.
    frame = curve([(1.0, 0.0)] * 3 + [(2.0, 0.0)]).at([0.0, 0.5, 1.0])
    assert frame["cold_starts"].tolist() == [2, 2, 1]
    assert frame["wasted_gb_s"].tolist() == [0, 0.5, 1.0]
    assert curve([(1.0, 0.0)] * 3).frontier.cold_starts.tolist() == [1]


def test_nothing() -> None:
    frame = curve([], horizon_s=10.0).at([0.0, inf])
    assert frame["cold_starts"].tolist() == [0, 0]
    assert frame["wasted_gb_s"].tolist() == [0, 0]
    assert frame["cold_start_rate"].isna().all()
    assert isnan(curve([], horizon_s=10.0).knee())


# The matching


def by_stack(unit: list[int], arrival_s: np.ndarray, end_s: np.ndarray) -> list[int]:
    """Which call takes whose instance next, with the free instances of each unit in a list."""
    following = [NOBODY] * len(unit)
    for row, u in enumerate(unit):
        ended = [r for r in range(row) if unit[r] == u and end_s[r] <= arrival_s[row] and following[r] == NOBODY]
        if ended:
            following[max(ended, key=lambda r: (end_s[r], r))] = row
    return following


@examples(300)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8), st.sampled_from([0, 0, 1, 1, 2, 5])), max_size=30))
def test_each_arrival_takes_what_became_idle_last(calls: list[tuple[int, int, int]]) -> None:
    calls.sort(key=lambda call: call[1])
    unit = [call[0] for call in calls]
    arrival_s = np.array([call[1] for call in calls], np.float64)
    end_s = arrival_s + np.array([call[2] for call in calls], np.float64)
    assert next_calls(np.array(unit, np.int64), arrival_s, end_s).tolist() == by_stack(unit, arrival_s, end_s)


# The least windows


@examples(2000)
@given(TIMES, TIMES)
def test_the_least_window_is_the_least_float_that_will_do(a: float, b: float) -> None:
    end_s, arrival_s = sorted((a, b))
    (window_s,) = least_windows_s(np.array([end_s]), np.array([arrival_s])).tolist()
    assert arrival_s <= end_s + window_s
    assert window_s == 0 or arrival_s > end_s + nextafter(window_s, 0)


@given(st.floats(0, 1e9), st.integers(0, 3))
def test_the_least_window_between_neighbours_among_the_floats(end_s: float, ulps: int) -> None:
    arrival_s = end_s
    for _ in range(ulps):
        arrival_s = nextafter(arrival_s, inf)
    (window_s,) = least_windows_s(np.array([end_s]), np.array([arrival_s])).tolist()
    assert arrival_s <= end_s + window_s
    assert window_s == 0 or arrival_s > end_s + nextafter(window_s, 0)


# The sums


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.01, 10)), min_size=1, max_size=20),
       st.floats(0, 1e4), st.floats(0, 2e4))  # fmt: skip
def test_waste_is_the_sum_over_idle_periods(
    periods: list[tuple[float, float, float]], start_s: float, window_s: float
) -> None:
    since_s, gap_s, gb = np.array(periods).T
    until_s = np.where(gap_s > 8e3, inf, since_s + gap_s)
    span = Span(start_s, start_s + 2e4)
    made = curve_of(IdlePeriods(since_s, since_s, until_s, gb), span)
    for w in (window_s, inf, 0.0):
        wanted = float((gb * span.overlap_s(since_s, np.minimum(since_s + w, until_s))).sum())
        assert made.wasted_gb_s(w) == pytest.approx(wanted, rel=1e-9, abs=1e-7)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5)), min_size=1, max_size=20), st.lists(st.floats(0, 200)))
def test_longer_windows_never_have_more_cold_starts_nor_waste_less(
    calls: list[tuple[float, float]], windows_s: list[float]
) -> None:
    frame = curve(sorted(calls)).at(sorted([0.0, *windows_s, inf]))
    assert (np.diff(frame["cold_starts"]) <= 0).all()
    assert (np.diff(frame["wasted_gb_s"]) >= -1e-9).all()


# Points, knee, bad input


def bursts(calls: int) -> WindowCurve:
    """A thousand gaps and more, of a ten-thousandth of a second to a day."""
    arrival_s = np.cumsum(np.geomspace(1e-4, 86_400, calls))
    return curve([(a, 0.0) for a in arrival_s.tolist()])


def test_few_points_are_all_there_and_many_are_thinned_evenly_by_logarithm() -> None:
    made = curve(DAY, horizon_s=12.0)
    assert made.points()["window_s"].tolist() == [0, *np.unique(made.warm_from_s).tolist(), inf]
    many = bursts(2000)
    thinned = many.points(102)
    assert len(thinned) == 102
    assert thinned["window_s"].iloc[1] == many.warm_from_s[0]
    assert thinned["window_s"].iloc[-2] == many.warm_from_s[-1]
    ratios = np.diff(np.log(thinned["window_s"].to_numpy()[1:-1]))
    assert ratios.max() < 2 * ratios.min()
    assert thinned.equals(many.at(thinned["window_s"]))


def test_points_of_the_frontier_keep_both_ends() -> None:
    frontier = bursts(2000).frontier
    thinned = frontier.points(100)
    assert len(thinned) <= 100
    assert thinned["cold_starts"].tolist()[:2] == [2000, 1999]
    assert thinned["cold_starts"].tolist()[-2:] == [2, 1]
    assert thinned["wasted_gb_s"].tolist() == frontier.least_gb_s(thinned["cold_starts"]).tolist()
    assert len(frontier.points()) == 2000


def test_the_knee_depends_on_the_range() -> None:
    # Eight hundred gaps of 1 s, then fifteen of 60 s, then four of 1 h: the knee is where most is gained for the waste.
    arrival_s = np.cumsum([0.0] + [1.0] * 800 + [60.0] * 15 + [3600.0] * 4)
    made = curve([(a, 0.0) for a in arrival_s.tolist()])
    assert made.knee() == pytest.approx(1.0)
    assert made.knee(low_s=2.0) == pytest.approx(60.0)
    assert isnan(made.knee(low_s=100.0, high_s=200.0))


@pytest.mark.parametrize(("low_s", "high_s"), [(1.0, 1.0), (5.0, 2.0), (-1.0, 2.0), (float("nan"), 1.0)])
def test_ranges_without_a_knee_are_refused(low_s: float, high_s: float) -> None:
    with pytest.raises(ConfigError, match=r"the knee is sought between|must be numbers of seconds >= 0"):
        curve(DAY).knee(low_s, high_s)


@pytest.mark.parametrize(("window_s", "shown"), [(-1.0, "-1.0"), (float("nan"), "nan"), ("ten", "'ten'"), (None, "")])
def test_windows_that_are_none_are_refused(window_s: object, shown: str) -> None:
    with pytest.raises(ConfigError, match=f"windows_s must be numbers of seconds >= 0, not {shown}"):
        curve(DAY).at(window_s)  # type: ignore[arg-type]


def test_a_frontier_of_no_calls() -> None:
    nothing = Frontier(0, np.array([0]), np.array([0.0]))
    assert nothing.least_gb_s(0).tolist() == 0
    assert nothing.points()["cold_start_rate"].isna().all()
