"""Distributions: what the tables draw is what the formulas say, and nonsense is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.core.distributions import (
    CELLS,
    Constant,
    Distribution,
    Exponential,
    LogNormal,
    Quantiles,
    look_up,
    poisson_quantile,
)
from sim.core.errors import ConfigError

LOGNORMAL = LogNormal(median=0.2, p99=0.8)
SIGMA = math.log(4) / stats.norm.ppf(0.99)
QUANTILES = Quantiles((0, 0.5, 0.9, 1), (0.1, 0.2, 0.4, 1.4))
FROZEN = [
    (LOGNORMAL, stats.lognorm(s=SIGMA, scale=0.2)),
    (Exponential(3.0), stats.expon(scale=3.0)),
]
MIDDLE = (np.arange(CELLS * 8) + 0.5) / (CELLS * 8)


@pytest.mark.parametrize(("distribution", "reference"), FROZEN, ids=["LogNormal", "Exponential"])
def test_quantiles_drawn_are_those_of_the_formula(distribution: Distribution, reference) -> None:
    p = MIDDLE[(MIDDLE > 1 / CELLS) & (MIDDLE < 1 - 1 / CELLS)]
    np.testing.assert_allclose(look_up(distribution.table, p), reference.ppf(p), rtol=0.015)
    common = p[(p > 0.01) & (p < 0.99)]
    np.testing.assert_allclose(look_up(distribution.table, common), reference.ppf(common), rtol=2e-4)


@pytest.mark.parametrize(("distribution", "reference"), FROZEN, ids=["LogNormal", "Exponential"])
def test_mean_and_deviation_lose_little_to_the_cut_tails(distribution: Distribution, reference) -> None:
    drawn = look_up(distribution.table, MIDDLE)
    assert drawn.mean() == pytest.approx(reference.mean(), rel=2e-3)
    assert drawn.std() == pytest.approx(reference.std(), rel=1.5e-2)


def test_a_log_normal_has_the_median_and_p99_it_is_given() -> None:
    np.testing.assert_allclose(look_up(LOGNORMAL.table, np.array([0.5, 0.99])), [0.2, 0.8], rtol=1e-4)
    assert LOGNORMAL.sigma == pytest.approx(SIGMA)


def test_normal_quantiles_are_those_of_scipy_stats_to_the_bit() -> None:
    p = np.concatenate([MIDDLE, [0.5 / CELLS, 1 - 0.5 / CELLS, 1e-300, np.nextafter(1, 0)]])
    assert LOGNORMAL.sigma == np.log(0.8 / 0.2) / stats.norm.ppf(0.99)
    np.testing.assert_array_equal(LOGNORMAL.quantile(p), 0.2 * np.exp(LOGNORMAL.sigma * stats.norm.ppf(p)))


@pytest.mark.parametrize("mean", [0.0, 1e-9, 0.001, 0.3, 1.0, 2.0, 9.5, 100.0, 4321.0, 1e5, 3e6])
def test_poisson_quantiles_are_those_of_scipy_stats(mean: float) -> None:
    u = np.concatenate([MIDDLE[::64], [0.0, 2.0**-53, 1e-12, np.nextafter(1, 0)]])
    steps = stats.poisson.cdf(np.arange(mean + 6 * mean**0.5)[-200:], mean)  # where the number changes, and either side
    u = np.concatenate(
        [u, *(np.clip(side, 0, u[-1]) for side in (steps, np.nextafter(steps, 0), np.nextafter(steps, 1)))]
    )
    found = poisson_quantile(u, mean)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.maximum(stats.poisson.ppf(u, mean), 0))  # which has -1 at 0


def test_piecewise_linear_quantiles_go_through_their_points() -> None:
    drawn = look_up(QUANTILES.table, np.array([0.25, 0.5, 0.7, 0.9, 0.95]))
    np.testing.assert_allclose(drawn, [0.15, 0.2, 0.3, 0.4, 0.9], rtol=2e-3)  # a corner inside a cell is cut off
    exact = 0.5 * 0.15 + 0.4 * 0.3 + 0.1 * 0.9
    assert look_up(QUANTILES.table, MIDDLE).mean() == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("distribution", [Constant(0.25), LogNormal(0.25, 0.25), Quantiles((0, 1), (0.25, 0.25))])
def test_what_cannot_vary_is_not_random(distribution: Distribution) -> None:
    assert not distribution.is_random
    assert set(look_up(distribution.table, MIDDLE)) == {0.25}


@pytest.mark.parametrize("distribution", [LOGNORMAL, Exponential(1e-9), QUANTILES])
def test_what_can_vary_is_random(distribution: Distribution) -> None:
    assert distribution.is_random


@given(st.floats(1e-6, 1e3), st.floats(1, 1e3))
def test_tables_never_fall_and_are_finite_and_not_negative(median: float, ratio: float) -> None:
    for distribution in (LogNormal(median, median * ratio), Exponential(median)):
        table = distribution.table
        assert table.shape == (CELLS + 1,)
        assert np.isfinite(table).all()
        assert (table >= 0).all()
        assert (np.diff(table) >= 0).all()


@given(st.floats(0, 1, exclude_max=True))
def test_a_look_up_is_the_documented_expression_to_the_bit(u: float) -> None:
    table = LOGNORMAL.table.tolist()
    i = math.floor(u * CELLS)
    expected = table[i] + (table[i + 1] - table[i]) * (u * CELLS - i)
    assert look_up(LOGNORMAL.table, np.array([u]))[0] == expected


def test_look_up_at_the_ends() -> None:
    ends = look_up(LOGNORMAL.table, np.array([0.0, np.nextafter(1, 0)]))
    assert ends[0] == LOGNORMAL.table[0]
    assert ends[1] == pytest.approx(LOGNORMAL.table[-1], rel=1e-9)


def test_a_table_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        LOGNORMAL.table[0] = 1.0


def test_distributions_are_values() -> None:
    assert LogNormal(1, 2) == LogNormal(1.0, 2.0)
    _ = LOGNORMAL.table
    assert LogNormal(median=0.2, p99=0.8) == LOGNORMAL


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda: Constant(-1.0),
        lambda: Constant(math.nan),
        lambda: Constant(math.inf),
        lambda: LogNormal(0.0, 1.0),
        lambda: LogNormal(2.0, 1.0),
        lambda: LogNormal(1.0, math.inf),
        lambda: Exponential(0.0),
        lambda: Exponential(math.nan),
        lambda: Quantiles((0, 1), (1.0,)),
        lambda: Quantiles((0, 0.5), (1.0, 2.0)),
        lambda: Quantiles((0.1, 1), (1.0, 2.0)),
        lambda: Quantiles((0, 0.5, 0.5, 1), (1.0, 2.0, 3.0, 4.0)),
        lambda: Quantiles((0, 1), (2.0, 1.0)),
        lambda: Quantiles((0, 1), (-1.0, 1.0)),
        lambda: Quantiles((0, 1), (1.0, math.nan)),
        lambda: Quantiles((0,), (1.0,)),
    ],
)
def test_nonsense_is_refused(nonsense) -> None:
    with pytest.raises(ConfigError):
        nonsense()
