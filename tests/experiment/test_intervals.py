"""Intervals and differences: against closed forms, another library's tests, brute force, and how often they err."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.core.random import generator
from sim.experiment.intervals import (
    DIFFERENCES,
    WITH_INTERVALS,
    AppSums,
    Estimates,
    IntervalSource,
    from_apps,
    from_replications,
    half_width,
)
from sim.experiment.notes import intervals_note

M = WITH_INTERVALS.index("cold_start_rate")


def summaries(*rows: list[float]) -> dict[str, pd.DataFrame]:
    """A table a policy: all metrics are the numbers given, a row a replication."""
    return {f"p{i}": pd.DataFrame(dict.fromkeys(WITH_INTERVALS, row)) for i, row in enumerate(rows)}


def test_intervals_are_students() -> None:
    numbers = [0.2, 0.5, 0.3, 0.45]
    low, high = from_replications("replications", summaries(numbers)).intervals()
    expected = stats.t.interval(0.95, 3, loc=np.mean(numbers), scale=stats.sem(numbers))
    np.testing.assert_allclose([low[0, M], high[0, M]], expected, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 30, 1000])
def test_students_numbers_are_those_of_scipy_stats_to_the_bit(n: int) -> None:
    rows = [list(generator(i, 0, "test").normal(0.01 * i, 1e-3, n)) for i in range(4)] + [[0.25] * n, [0.5] * n]
    estimates = from_replications("replications", summaries(*rows))
    found = estimates.differences().query("metric == 'cold_start_rate'")
    drawn = np.array([np.subtract(rows[i], rows[j]) for i, j in combinations(range(6), 2)])
    with np.errstate(divide="ignore"):
        t = np.abs(found["difference"]) / (drawn.std(axis=-1, ddof=1) / np.sqrt(n))
    np.testing.assert_array_equal(found["p_value"], 2 * stats.t.sf(t, n - 1))
    wide, error = stats.t.ppf(0.975, n - 1), np.std(rows, axis=-1, ddof=1) / np.sqrt(n)
    np.testing.assert_array_equal(estimates.intervals()[1][:, M], np.mean(rows, axis=-1) + wide * error)
    assert half_width(pd.Series(rows[1])) == wide * pd.Series(rows[1]).std() / np.sqrt(n)


def test_differences_are_the_paired_t_test() -> None:
    one, other = [0.21, 0.52, 0.33, 0.44], [0.2, 0.5, 0.3, 0.45]
    row = from_replications("replications", summaries(one, other)).differences().iloc[M]
    test = stats.ttest_rel(one, other)
    assert row["p_value"] == pytest.approx(test.pvalue, rel=1e-12)
    assert (row["low"], row["high"]) == pytest.approx(tuple(test.confidence_interval(0.95)), rel=1e-9)
    assert row["difference"] == pytest.approx(np.mean(np.subtract(one, other)))
    assert list(row.index) == list(DIFFERENCES)
    assert not row["real"]


def test_pairing_sees_what_intervals_of_each_do_not() -> None:
    draws = generator(1, 0, "test").normal(1.0, 0.5, 20)
    estimates = from_replications("replications", summaries(list(draws), list(draws * 1.01)))
    low, high = estimates.intervals()
    assert low[1, M] < high[0, M]  # they overlap nearly whole
    assert estimates.differences()["real"][M]


def test_what_is_the_same_in_every_replication_is_no_difference() -> None:
    estimates = from_replications("replications", summaries([0.1, 0.4, 0.2], [0.1, 0.4, 0.2], [0.2, 0.5, 0.3]))
    found = estimates.differences().query("metric == 'cold_start_rate'").reset_index(drop=True)
    assert found["real"].tolist() == [False, True, True]
    assert found["p_value"][0] == 1.0


def test_every_pair_once() -> None:
    found = from_replications("replications", summaries(*[[1.0, 2.0]] * 5)).differences()
    pairs = list(zip(found["policy"], found["other"], strict=True))
    assert pairs == list(combinations([f"p{i}" for i in range(5)], 2)) * len(WITH_INTERVALS)


@pytest.mark.parametrize(("source", "real"), [("exact", [True, False, True]), ("none", [False, False, False])])
def test_without_randomness_a_difference_is_what_it_is(source: IntervalSource, real: list[bool]) -> None:
    estimates = from_replications(source, summaries([1.0], [2.0], [1.0]))
    found = estimates.differences().query("metric == 'cold_start_rate'")
    assert sorted(found["real"].tolist()) == sorted(real)
    assert (found["low"].isna().all()) == (source == "none")
    assert estimates.columns().isna().all(axis=None)  # no ± of what nobody varied


def test_one_policy_has_no_differences() -> None:
    found = from_replications("exact", summaries([1.0])).differences()
    assert found.empty
    assert list(found.columns) == list(DIFFERENCES)


def test_of_policies_that_are_alike_hardly_any_pair_is_called_different() -> None:
    """Benjamini and Yekutieli bound the share of wrong ones: where nothing differs, of experiments that name any."""
    rng = generator(7, 0, "test")
    wrong = 0
    for _ in range(200):
        rows = [list(rng.normal(size=8)) for _ in range(6)]
        table = {f"p{i}": pd.DataFrame(dict.fromkeys(WITH_INTERVALS, row)) for i, row in enumerate(rows)}
        wrong += bool(from_replications("replications", table).differences()["real"].iloc[:15].any())
    assert wrong <= stats.binom.ppf(0.999, 200, 0.05)


# A bootstrap over apps


def sums(cold: list[float], started: list[float]) -> AppSums:
    c, s = np.array(cold), np.array(started)
    return AppSums(calls=s, started=s, cold=c, wasted_gb_s=c * 2, held_gb_s=c * 3, user_usd=s * 1e-6,
                   provider_usd_per_gb_s=1e-5)  # fmt: skip


def means(*each: AppSums) -> Estimates:
    values = np.full((len(each), len(WITH_INTERVALS)), np.nan)
    for i, one in enumerate(each):
        for name, value in one.metrics(np.arange(one.calls.size)).items():
            values[i, WITH_INTERVALS.index(name)] = value
    return Estimates("none", [f"p{i}" for i in range(len(each))], WITH_INTERVALS, values, values[..., None])


def test_a_bootstrap_is_what_resampling_by_hand_gives() -> None:
    rng = generator(3, 0, "test")
    one = sums(list(rng.poisson(4, 60)), list(10 + rng.poisson(20, 60)))
    low, high = from_apps(means(one), {"p0": one}, one, seed=0).intervals()
    rates = []
    for _ in range(4000):
        apps = rng.integers(0, 60, 60)
        rates.append(one.cold[apps].sum() / one.started[apps].sum())
    np.testing.assert_allclose([low[0, M], high[0, M]], np.quantile(rates, [0.025, 0.975]), rtol=0.05)
    place = WITH_INTERVALS.index
    assert np.isnan(low[0, place("latency_p99_s")])
    assert np.isnan(low[0, place("mean_instances")])
    assert (low[0, place("wasted_normalised")], high[0, place("wasted_normalised")]) == (1.0, 1.0)


def test_a_bootstrap_covers_what_the_sample_came_from() -> None:
    """Rates of apps from one law: in nine of ten samples and more, the interval of the mean holds the law's own."""
    rng, covered = generator(5, 0, "test"), 0
    for _ in range(25):
        share = rng.beta(2, 6, 80)
        one = sums(list(rng.binomial(50, share)), [50.0] * 80)
        low, high = from_apps(means(one), {"p0": one}, one, seed=1).intervals()
        covered += bool(low[0, M] <= 0.25 <= high[0, M])
    assert covered >= stats.binom.ppf(0.001, 25, 0.93)


def test_policies_share_their_apps_so_that_differences_are_paired() -> None:
    rng = generator(9, 0, "test")
    started = list(10.0 + rng.poisson(500, 40))
    cold = list(rng.binomial(np.array(started, int), rng.beta(0.5, 2, 40)).astype(float))
    one, other = sums(cold, started), sums([c * 0.98 for c in cold], started)
    estimates = from_apps(means(one, other), {"p0": one, "p1": other}, one, seed=0)
    row = estimates.differences().iloc[M]
    assert row["source"] == "apps"
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["p_value"] < 0.001
    assert row["real"]


def test_a_seed_gives_the_same_bootstrap() -> None:
    one = sums([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    a, b, c = (from_apps(means(one), {"p0": one}, one, seed=seed).samples for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c, equal_nan=True)


def test_apps_that_are_never_called_do_no_harm() -> None:
    one = sums([0.0, 2.0], [0.0, 4.0])
    low, high = from_apps(means(one), {"p0": one}, one, seed=0).intervals()
    assert np.isnan(low[0, M])  # a quarter of the resamples holds no call at all
    assert np.isnan(high[0, M])


def test_one_app_has_no_intervals() -> None:
    one, other = sums([4.0], [8.0]), sums([2.0], [8.0])
    estimates = from_apps(means(one, other), {"p0": one, "p1": other}, one, seed=0)
    assert estimates.columns().isna().all(axis=None)
    assert not estimates.differences()["real"].any()
    assert intervals_note("apps", 1, 1, None).startswith("no intervals: a bootstrap over apps needs two")


def test_notes_name_the_source() -> None:
    assert intervals_note("apps", 1, 1234, None) == (
        "± half-widths of 95 % percentile intervals of a bootstrap over 1,234 apps (9,999 resamples)"
    )
    assert intervals_note("exact", 1, 3, None).startswith("nothing is random here")
    assert intervals_note("none", 1, 3, "one draw of arrivals").startswith("no intervals: the trace is one draw")
