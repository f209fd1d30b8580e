"""Tallies: what the calls of some functions come to, in so few numbers that any number of them can be put together.

A tally of all functions is the same to the bit, whatever the parts it was put together from: counts and histograms are
whole numbers, and every other sum is that of one function, added in the order of its calls. What goes over functions
is added in the order of the table, when all are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results import latency_bins, metrics
from sim.results.call_sums import TAIL, CallSums, Span, percentile_name
from sim.results.columns import FloatArray, no_cells
from sim.results.fleet_sums import FleetSums
from sim.results.pricing import ProviderPrice

IntArray = npt.NDArray[np.int64]

HISTOGRAM: Final = "from a histogram, within 0.4 %"
"""What `Result.about` says of percentiles where latencies were not kept."""
COUNTS: Final = (
    "calls", "warm", "cold", "queued", "prewarmed", "rejected", "timed_out", "starts", "asked_starts", "pings",
)  # fmt: skip
SECONDS: Final = (
    "busy_s", "idle_s", "left_idle_s", "starting_s", "unawaited_start_s", "ping_busy_s", "ping_idle_s", "wait_s",
    "cold_wait_s", "latency_s",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tally:
    """What came of the calls of some functions.

    Attributes:
        function: int64[f], which functions, by their places in the table of all; ascending.
        counts: int64[f] each, by the names of `COUNTS`: counted calls and how they went; instances made inside the
            span, and those of them that calls made; pings sent inside it.
        seconds: float64[f] each, by the names of `SECONDS`. Inside the span: busy and idle until a call came, idle
            until the instance ended, starting, that with nobody waiting, busy with pings, idle until a ping came. Of
            counted calls that started: seconds waited, by cold ones, and from arrival to end.
        charge_usd: float64[f], what the user pays for the counted calls.
        other_usd: float64[f], and for pings and for what is held.
        latency_bins: int64[COUNT], see `sim.results.latency_bins`.
    """

    function: IntArray
    counts: Mapping[str, IntArray]
    seconds: Mapping[str, FloatArray]
    charge_usd: FloatArray
    other_usd: FloatArray
    latency_bins: IntArray


def merged(parts: Sequence[Tally]) -> Tally:
    """Several tallies, of different functions, as one; in whatever order they are given.

    Raises:
        ValueError: there are none, or a function is in two of them.
    """
    if not parts:
        raise ValueError("there is nothing to put together")
    function = np.concatenate([part.function for part in parts])
    order = np.argsort(function, kind="stable")
    if np.any(np.diff(function[order]) == 0):
        raise ValueError("a function is in two of the tallies")
    return Tally(
        function[order],
        {name: np.concatenate([part.counts[name] for part in parts])[order] for name in COUNTS},
        {name: np.concatenate([part.seconds[name] for part in parts])[order] for name in SECONDS},
        np.concatenate([part.charge_usd for part in parts])[order],
        np.concatenate([part.other_usd for part in parts])[order],
        np.sum([part.latency_bins for part in parts], axis=0),
    )


def summarise(
    tally: Tally, functions: pd.DataFrame, span: Span, provider: ProviderPrice
) -> tuple[pd.Series, pd.DataFrame]:
    """Every metric of ``docs/metrics.md`` by name, and a row a function (see `sim.results.metrics`).

    Args:
        tally: of all functions.
        functions: as the platform runs them.
        span: what was measured.
        provider: what memory costs.

    Raises:
        ValueError: some functions are missing.
    """
    if not np.array_equal(tally.function, np.arange(len(functions))):
        raise ValueError(f"a tally of {tally.function.size:,} functions, but there are {len(functions):,}")
    sums, fleet = _call_sums(tally, functions), _fleet_sums(tally)
    table = metrics.per_function(sums, fleet, functions)
    return metrics.summarise(sums, fleet, table, span, provider), table


def _call_sums(tally: Tally, functions: pd.DataFrame) -> CallSums:
    counts, seconds = tally.counts, tally.seconds
    started = counts["calls"] - counts["rejected"]
    names = ("calls", "started", "warm", "cold", "queued", "rejected", "timed_out", "failed", "prewarmed")
    every = {**counts, "started": started, "failed": np.zeros_like(started)}
    return CallSums(
        counts={name: every[name] for name in names},
        busy_s=seconds["busy_s"],
        idle_s=seconds["idle_s"],
        wait_s=seconds["wait_s"],
        charge_usd=tally.charge_usd,
        latencies=_latencies(tally, int(started.sum())),
        stale_hops=0.0,
        downloaded_mb=float((counts["asked_starts"] * functions["package_mb"].to_numpy(np.float64)).sum()),
    )


def _latencies(tally: Tally, started: int) -> dict[str, float]:
    shares = latency_bins.quantiles(tally.latency_bins, [p / 100 for p in TAIL])
    cold = int(tally.counts["cold"].sum())
    total = {name: float(tally.seconds[name].sum()) for name in ("latency_s", "wait_s", "cold_wait_s")}
    return {
        **{percentile_name(p): value for p, value in zip(TAIL, shares, strict=True)},
        "latency_mean_s": total["latency_s"] / started if started else nan,
        "wait_mean_s": total["wait_s"] / started if started else nan,
        "cold_wait_mean_s": total["cold_wait_s"] / cold if cold else nan,
    }


def _fleet_sums(tally: Tally) -> FleetSums:
    return FleetSums(
        starts=tally.counts["starts"],
        starting_s=tally.seconds["starting_s"],
        unawaited_start_s=tally.seconds["unawaited_start_s"],
        left_idle_s=tally.seconds["left_idle_s"],
        ping_busy_s=tally.seconds["ping_busy_s"],
        ping_idle_s=tally.seconds["ping_idle_s"],
        user_usd=tally.other_usd,
        pings=float(tally.counts["pings"].sum()),
        cells=no_cells(),
    )
