"""A histogram of latencies: what it adds up to, and how far its percentiles are from the exact ones."""

from math import inf, isnan, nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.results import latency_bins
from sim.results.call_sums import TAIL

LEAST_S, MOST_S = 2.0**-20, 2.0**24
SHARES = [0.0, *(p / 100 for p in TAIL), 1.0]
inside = st.floats(LEAST_S, nextafter(MOST_S, 0))
edges = st.builds(lambda bits, ulps: float((np.int64(bits << 45) + ulps).view(np.float64)),
                  st.integers(latency_bins.LOWEST + 1, latency_bins.LOWEST + latency_bins.COUNT - 1),
                  st.integers(0, 1))  # fmt: skip
"""Latencies at the lower edge of a bin, or just above."""
latencies = st.lists(inside | edges, min_size=1, max_size=30)
anything = st.lists(st.floats(0, 1e300), max_size=30)


def of(*latency_s: float) -> np.ndarray:
    return latency_bins.of(np.array(latency_s, np.float64))


def median_s(*latency_s: float) -> float:
    return latency_bins.quantiles(of(*latency_s), [0.5])[0]


@given(latencies, st.lists(st.floats(0, 1), max_size=5))
def test_every_percentile_is_within_a_256th(values: list[float], shares: list[float]) -> None:
    for share, found in zip([*SHARES, *shares], latency_bins.quantiles(of(*values), [*SHARES, *shares]), strict=True):
        exact = float(np.quantile(values, share))
        assert abs(found - exact) <= latency_bins.ERROR * exact * (1 + 1e-12)


def test_the_error_is_what_it_is_said_to_be_at_every_edge() -> None:
    lower_s = ((np.arange(1, latency_bins.COUNT) + latency_bins.LOWEST) << 45).view(np.float64)
    for values_s in (lower_s, np.nextafter(lower_s[1:], 0)):
        error = [abs(median_s(value) / value - 1) for value in values_s.tolist()]
        assert 0.9 * latency_bins.ERROR < max(error) <= latency_bins.ERROR
    assert latency_bins.ERROR <= 0.004
    assert lower_s[0] == LEAST_S


@given(anything, anything)
def test_merging_is_addition(one: list[float], other: list[float]) -> None:
    np.testing.assert_array_equal(of(*one) + of(*other), of(*one, *other))
    assert of(*one).sum() == len(one)


@given(anything, st.randoms())
def test_order_does_not_matter(values: list[float], dice: object) -> None:
    shuffled = list(values)
    dice.shuffle(shuffled)
    np.testing.assert_array_equal(of(*values), of(*shuffled))


def test_what_is_shorter_counts_as_nothing_and_what_is_longer_as_the_longest() -> None:
    for short_s in (0.0, 5e-324, 1e-9, nextafter(LEAST_S, 0)):
        assert median_s(short_s) == 0.0
    assert 0 < median_s(LEAST_S) == pytest.approx(LEAST_S, rel=latency_bins.ERROR)
    longest_s = median_s(nextafter(MOST_S, 0))
    assert longest_s == pytest.approx(MOST_S, rel=latency_bins.ERROR)
    for long_s in (MOST_S, 1e9, 1e300, inf):
        assert median_s(long_s) == longest_s
    assert of(0.0, 1e-7).nonzero()[0].tolist() == [0]
    assert of(MOST_S, nextafter(MOST_S, 0)).nonzero()[0].tolist() == [latency_bins.COUNT - 1]


def test_nothing_has_no_percentile() -> None:
    assert all(isnan(value) for value in latency_bins.quantiles(latency_bins.empty(), SHARES))
    assert of().tolist() == latency_bins.empty().tolist() == [0] * latency_bins.COUNT


@pytest.mark.parametrize("size", [1, 2, 3, 1001, (1 << 18) + 7])
def test_of_many_calls(size: int) -> None:
    values = np.random.default_rng(size).lognormal(-3.0, 3.0, size)
    found = latency_bins.quantiles(latency_bins.of(values), SHARES)
    np.testing.assert_allclose(found, np.quantile(values, SHARES), rtol=latency_bins.ERROR, atol=LEAST_S)
    parts = np.array_split(values, 3)
    np.testing.assert_array_equal(sum(latency_bins.of(part) for part in parts), latency_bins.of(values))


def test_counts_beyond_what_an_int32_holds() -> None:
    bins = of(0.5, 2.0) * (1 << 40)
    low_s, middle_s, high_s = latency_bins.quantiles(bins, [0.0, 0.5, 1.0])
    assert low_s == pytest.approx(0.5, rel=latency_bins.ERROR)
    assert high_s == pytest.approx(2.0, rel=latency_bins.ERROR)
    assert low_s < middle_s < high_s


@pytest.mark.xdist_group("compiled")
@given(anything.filter(len) | latencies)
def test_kernels_count_alike(values: list[float]) -> None:
    plain = pytest.importorskip("sim.engine.compiled.tally.plain")
    bins = latency_bins.empty()
    for value in values:
        plain.count_latency(bins, value)
    np.testing.assert_array_equal(bins, of(*values))
