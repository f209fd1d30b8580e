"""The meter against the definition: the mean of a step function over each whole second."""

from hypothesis import given
from hypothesis import strategies as st

from sim.platform.meter import LONGEST_QUIET_S, Meter

TIMES_S = st.floats(0.0, 40.0, allow_nan=False) | st.integers(0, 40).map(float)
SPANS_S = st.tuples(TIMES_S, st.floats(0.0, 15.0) | st.sampled_from([0.0, 1.0, 2.5]))


def in_flight(spans_s: list[tuple[float, float]], second: int) -> float:
    """Mean requests in flight within a second."""
    return sum(max(0.0, min(begin + length, second + 1) - max(begin, second)) for begin, length in spans_s)


@given(st.lists(SPANS_S, max_size=12), st.lists(st.integers(1, 60), max_size=5))
def test_every_second_is_its_mean(spans_s: list[tuple[float, float]], ticks: list[int]) -> None:
    changes = sorted(
        [(begin, 1, "arrived") for begin, _ in spans_s]
        + [(begin + length, 0 if length else 2, "ended") for begin, length in spans_s]
        + [(float(tick), 3, "take") for tick in {*ticks, 60}]
    )
    meter, loads, arrivals = Meter(), [], []
    for at_s, _, what in changes:
        if what == "take":
            since, more, came = meter.take(at_s)
            assert since == len(loads)
            assert since + len(more) == at_s
            loads += more
            arrivals += came
        else:
            getattr(meter, what)(at_s)
    assert meter.in_flight == 0
    for second, (load, came) in enumerate(zip(loads, arrivals, strict=True)):
        assert abs(load - in_flight(spans_s, second)) < 1e-9
        assert came == sum(int(begin) == second for begin, _ in spans_s)


def test_nothing_is_kept_of_a_long_silence_but_its_end() -> None:
    meter = Meter()
    meter.arrived(0.25)
    since, loads, came = meter.take(10_000.0)
    assert (since, len(loads)) == (10_000 - LONGEST_QUIET_S, LONGEST_QUIET_S)
    assert set(loads) == {1.0}
    assert set(came) == {0}
    assert meter.take(10_000.5) == (10_000, [], [])
