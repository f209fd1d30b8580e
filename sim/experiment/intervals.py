"""How sure the numbers of a comparison are: intervals of each policy's, and of the differences between policies.

They come from one of two sources. *Replications*: what is drawn (arrivals, start-ups, lives) is drawn anew, and the
mean varies as Student's t says. *Apps*: which apps happened to be in the trace, as if it were a sample of many more;
they are drawn with replacement (Efron's bootstrap, percentile method), the same ones for every policy.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # scipy.stats takes a second to import, which scipy does when it is first asked for it
from scipy.special import stdtr, stdtrit

from sim.core.random import generator

FloatArray = npt.NDArray[np.float64]
IntervalSource = Literal["replications", "apps", "exact", "none"]

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 9999
"""So that a p-value has a least of 0.0002, small enough where a tenth of 190 pairs differ."""
BATCH_VALUES: Final = 1 << 24
"""Values that a batch of resamples holds at a time."""
WITH_INTERVALS: Final = (
    "cold_start_rate", "app_cold_share_p75", "latency_p50_s", "latency_p99_s", "wasted_gb_s", "wasted_normalised",
    "mean_instances", "user_cost_per_million_usd", "provider_cost_per_million_usd",
)  # fmt: skip
DIFFERENCES: Final = ("metric", "policy", "other", "difference", "low", "high", "p_value", "real", "source")


@dataclass(frozen=True, eq=False)
class Estimates:
    """Values of M metrics of P policies, and what is known of how far they may be off.

    Attributes:
        source: of all intervals.
        policies: P labels.
        metrics: M names.
        values: float64[P, M], the means.
        samples: float64[P, M, n], column by column comparable between policies: the replications, or the resamples;
            with one replication n is 1.
    """

    source: IntervalSource
    policies: Sequence[str]
    metrics: Sequence[str]
    values: FloatArray
    samples: FloatArray

    def intervals(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends, float64[P, M] each; NaN where there are none."""
        low, high, _ = _limits(self.source, self.values, self.samples)
        return low, high

    def columns(self) -> pd.DataFrame:
        """A row a policy: ``<metric>_ci95`` (half the width), ``<metric>_low`` and ``<metric>_high``."""
        low, high = self.intervals()
        if self.source == "exact":  # a table that says ±0 would promise what nobody measured
            low = high = np.full_like(low, np.nan)
        parts = {"ci95": (high - low) / 2, "low": low, "high": high}
        return pd.DataFrame({f"{m}_{name}": part[:, i] for i, m in enumerate(self.metrics)
                             for name, part in parts.items()})  # fmt: skip

    def differences(self) -> pd.DataFrame:
        """A row a metric and pair of policies (see `DIFFERENCES`): policy − other, and whether it is real.

        Paired: the same draws, or the same apps, for both. A difference is real if its p-value, adjusted for all pairs
        of that metric by Benjamini and Yekutieli (Annals of Statistics 29, 2001), is at most 5 %; where nothing is
        random, if there is one. `low` and `high` are the 95 % interval of the pair alone.
        """
        pairs = list(combinations(range(len(self.policies)), 2))
        frames = [self._differences_of(i, pairs) for i in range(len(self.metrics))] if pairs else []
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=pd.Index(DIFFERENCES))

    def _differences_of(self, metric: int, pairs: Sequence[tuple[int, int]]) -> pd.DataFrame:
        one, other = np.array(pairs).T
        difference = self.values[one, metric] - self.values[other, metric]
        low, high, p = _limits(self.source, difference, self.samples[one, metric] - self.samples[other, metric])
        return pd.DataFrame(
            {
                "metric": self.metrics[metric],
                "policy": [self.policies[i] for i in one],
                "other": [self.policies[i] for i in other],
                "difference": difference,
                "low": low,
                "high": high,
                "p_value": p,
                "real": _real(self.source, difference, p),
                "source": self.source,
            }
        )


def _limits(
    source: IntervalSource, values: FloatArray, samples: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ends of the 95 % intervals, and two-sided p-values of the hypothesis that the value is 0; shapes as `values`."""
    if source == "exact":
        return values, values, np.where(values == 0, 1.0, 0.0)
    if source == "apps":
        low, high = np.quantile(samples, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], axis=-1)
        beyond = np.minimum((samples >= 0).sum(axis=-1), (samples <= 0).sum(axis=-1))
        p = np.minimum(1.0, 2 * (beyond + 1) / (samples.shape[-1] + 1))  # counted: sums over skewed apps are not normal
        return low, high, np.where(np.isnan(low), np.nan, p)
    n = samples.shape[-1]
    if source == "none" or n < 2:
        return (np.full_like(values, np.nan),) * 3
    error = samples.std(axis=-1, ddof=1) / np.sqrt(n)
    half = stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0: equal in every replication
        p = 2 * stdtr(n - 1, -np.abs(values) / error)
    return values - half, values + half, np.where((error == 0) & (values == 0), 1.0, p)


def _real(source: IntervalSource, difference: FloatArray, p: FloatArray) -> npt.NDArray[np.bool_]:
    if source == "exact":
        return np.asarray(difference != 0) & ~np.isnan(difference)
    real, told = np.zeros(p.size, np.bool_), ~np.isnan(p)
    if told.any():
        real[told] = scipy.stats.false_discovery_control(p[told], method="by") <= 1 - CONFIDENCE
    return real


def half_width(values: pd.Series) -> float:
    """Half-width of the 95 % t interval of the mean of replications; NaN if there is one, or one of them is NaN."""
    n = len(values)
    if n < 2:
        return np.nan
    return float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * values.std(ddof=1, skipna=False) / np.sqrt(n))


def from_replications(source: IntervalSource, summaries: Mapping[str, pd.DataFrame]) -> Estimates:
    """Estimates from a table of summaries a policy, a row a replication."""
    samples = np.array([[table[m].to_numpy() for m in WITH_INTERVALS] for table in summaries.values()])
    return Estimates(source, list(summaries), WITH_INTERVALS, samples.mean(axis=-1), samples)


@dataclass(frozen=True, eq=False)
class AppSums:
    """What each of A apps adds to the metrics of one policy; float64[A] each.

    Attributes:
        calls, started, cold: numbers of calls.
        wasted_gb_s, held_gb_s: memory-time wasted, and in all.
        user_usd: cost.
        provider_usd_per_gb_s: a number: what memory-time costs.
    """

    calls: FloatArray
    started: FloatArray
    cold: FloatArray
    wasted_gb_s: FloatArray
    held_gb_s: FloatArray
    user_usd: FloatArray
    provider_usd_per_gb_s: float

    def metrics(self, apps: npt.NDArray[np.int64]) -> dict[str, FloatArray]:
        """Metrics of some apps, those named more often counting as often: float64[...] of an int64[..., A]."""
        calls, started, cold = (part[apps].sum(axis=-1) for part in (self.calls, self.started, self.cold))
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():  # apps of which none was called
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
            each = self.cold / self.started
            share, quantile = each[apps], np.nanquantile if np.isnan(each).any() else np.quantile  # the second is fast
            of_calls = 1e6 / calls
            return {
                "cold_start_rate": cold / started,
                "app_cold_share_p75": quantile(share, 0.75, axis=-1),
                "wasted_gb_s": self.wasted_gb_s[apps].sum(axis=-1),
                "user_cost_per_million_usd": self.user_usd[apps].sum(axis=-1) * of_calls,
                "provider_cost_per_million_usd": self.held_gb_s[apps].sum(axis=-1)
                * self.provider_usd_per_gb_s
                * of_calls,
            }


def from_apps(means: Estimates, sums: Mapping[str, AppSums], baseline: AppSums, seed: int) -> Estimates:
    """The same values with intervals from a bootstrap over apps; metrics that are no sums over apps have none.

    Nor has any where there is one app: all resamples would be alike.
    """
    size = baseline.calls.size
    if size < 2:
        return replace(means, source="apps", samples=np.full((len(means.policies), len(means.metrics), 1), np.nan))
    names = [*AppSums.metrics(baseline, np.arange(size)), "wasted_normalised"]

    def statistic(apps: npt.NDArray[np.int64], axis: int = -1) -> FloatArray:  # noqa: ARG001 - always the last
        wasted_gb_s = baseline.metrics(apps)["wasted_gb_s"]
        rows = []
        for each in sums.values():
            found = each.metrics(apps)
            with np.errstate(divide="ignore", invalid="ignore"):  # the baseline wastes nothing
                rows.append([*found.values(), found["wasted_gb_s"] / wasted_gb_s])
        return np.array(rows)

    with warnings.catch_warnings():  # a metric that is NaN in some resamples has no interval, and `samples` say so
        warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)
        drawn = scipy.stats.bootstrap(
            (np.arange(size),), statistic, n_resamples=RESAMPLES, batch=max(1, BATCH_VALUES // max(1, size)),
            vectorized=True, method="percentile", rng=generator(seed, 0, "bootstrap"),
        ).bootstrap_distribution  # fmt: skip
    samples = np.full((len(means.policies), len(means.metrics), RESAMPLES), np.nan)
    for place, name in enumerate(names):
        samples[:, means.metrics.index(name)] = drawn[:, place]
    return replace(means, source="apps", samples=samples)
