"""The seconds just past, as several scaling policies see them."""

from hypothesis import given
from hypothesis import strategies as st

from sim.policies.scaling.recent import RecentSeconds

PARTS = st.lists(st.tuples(st.integers(0, 12), st.lists(st.integers(0, 9).map(float), max_size=6)), max_size=8)
"""Seconds of which nothing is said, then values."""


@given(PARTS, st.integers(1, 8))
def test_it_is_the_end_of_all_seconds_where_nothing_said_is_nothing(
    parts: list[tuple[int, list[float]]], window_s: int
) -> None:
    recent, whole = RecentSeconds(window_s), [0.0]
    for silent, values in parts:
        recent.add(len(whole) - 1 + silent, values)
        whole += [0.0] * silent + values
        assert recent.total == sum(whole[-window_s:])
        assert recent.highest == max(whole[-window_s:])
