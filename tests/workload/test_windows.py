"""Spans of a trace's time, chosen or at random, put one after another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_traces import counted, recorded, rows

from sim.core.errors import TraceError
from sim.workload import Trace
from sim.workload.counts import CountSource
from sim.workload.sampling import RandomWindows, Windows


def test_windows_follow_each_other() -> None:
    trace = Trace.from_arrays(["a", "b", "a", "b", "a"], [0, 10, 20, 30, 40], [1, 2, 3, 4, 5])
    chosen = Windows(((10.0, 20.0), (30.0, 40.0))).apply(trace)
    assert rows(chosen) == [("b", 0.0, 2.0), ("b", 10.0, 4.0), ("a", 20.0, 5.0)]  # the last call is at the horizon
    assert chosen.horizon_s == 20.0
    assert chosen.functions["name"].tolist() == ["a", "b"]


@given(counted(), st.integers(0, 2))
def test_windows_of_whole_minutes_keep_the_counts(source: CountSource, replication: int) -> None:
    whole = source.draw(replication, {})
    windows = Windows(((60.0, 180.0), (240.0, 600.0)))
    chosen = windows.apply(whole)
    assert chosen.counts is not None
    assert chosen.counts.spans == ((101, 2), (200, 6))
    assert chosen.horizon_s == chosen.counts.horizon_s == 480.0
    again = chosen.draw(replication)
    assert again.function.tolist() == chosen.function.tolist()
    assert again.duration_s.tolist() == chosen.duration_s.tolist()
    np.testing.assert_allclose(again.arrival_s, chosen.arrival_s, atol=1e-9)
    assert Windows(((0.0, 90.0),)).apply(whole).counts is None


@given(recorded(), st.integers(1, 6), st.integers(0, 5))
def test_random_windows_are_some_of_those_there_are(trace: Trace, windows: int, seed: int) -> None:
    chosen = RandomWindows(600.0, windows, seed) if windows < 6 else RandomWindows(500.0, 6, seed)
    apart = [trace.slice(i * chosen.length_s, (i + 1) * chosen.length_s) for i in range(7)
             if (i + 1) * chosen.length_s <= trace.horizon_s]  # fmt: skip
    made = chosen.apply(trace)
    assert made.horizon_s == windows * chosen.length_s
    parts = [rows(part) for part in apart]
    for number in range(windows):
        last = number == windows - 1
        part = made.slice(number * chosen.length_s, None if last else (number + 1) * chosen.length_s)
        assert rows(part) in parts


def test_fewer_random_windows_are_some_of_more() -> None:
    trace = Trace.from_arrays([0] * 24, np.arange(24) * 3600.0 + 5.0, np.arange(24), horizon_s=86_400.0)
    few, more = (set(RandomWindows(3600.0, windows, 7).apply(trace).duration_s) for windows in (3, 8))
    assert len(few) == 3
    assert few < more
    assert RandomWindows(3600.0, 3, 8).apply(trace).duration_s.tolist() != sorted(few)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ((), "no span"),
        (((5.0, 5.0),), "later end"),
        (((-5.0, 5.0),), "start >= 0"),
        (((0.0, 5.0), (4.0, 6.0)), "overlap"),
        (((0.0, float("nan")),), "later end"),
    ],
)
def test_impossible_windows_are_refused(spans: tuple[tuple[float, float], ...], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        Windows(spans)
