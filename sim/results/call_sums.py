"""What the calls of a run add up to: all that metrics need of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.results.columns import (
    CHUNK,
    COLD,
    FAILED,
    NOT_STARTED,
    QUEUED,
    REJECTED,
    TIMED_OUT,
    WARM,
    Columns,
    FloatArray,
    Requests,
    Starts,
)
from sim.results.pricing import PriceBook

IntArray = npt.NDArray[np.int64]

TAIL: Final = (50, 95, 99, 99.9)
"""Percentiles of latency."""


@dataclass(frozen=True)
class Span:
    """The measured span: calls arriving in [start_s, end_s] count, memory-time is integrated over it."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s

    def overlap_s(self, begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        """The part of each interval that lies inside; 0 where one of its ends is NaN."""
        part = np.clip(end_s, self.start_s, self.end_s)
        part -= np.clip(begin_s, self.start_s, self.end_s)
        return np.nan_to_num(part, copy=False, nan=0.0)


@dataclass(frozen=True, eq=False)
class CallSums:
    """What the calls of a run add up to, by function, in the order of rows.

    Attributes:
        counts: int64[F] of counted calls, by name: calls, started, warm, cold, queued, rejected, timed_out, failed,
            prewarmed.
        busy_s: float64[F], seconds inside the span that they kept instances busy.
        idle_s: float64[F], seconds inside the span of the idle periods that they ended.
        wait_s: float64[F], seconds that counted ones waited, those that started.
        charge_usd: float64[F], what the user pays for the counted ones.
        latencies: percentiles of latency, and means of latency and wait, by the names of metrics.
        stale_hops: how often counted ones were sent where no slot was free.
        downloaded_mb: what was fetched by the starts that they caused inside the span.
    """

    counts: Mapping[str, IntArray]
    busy_s: FloatArray
    idle_s: FloatArray
    wait_s: FloatArray
    charge_usd: FloatArray
    latencies: Mapping[str, float]
    stale_hops: float
    downloaded_mb: float


def call_sums(columns: Columns, service_s: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook) -> CallSums:
    """The sums of recorded calls.

    Args:
        columns: what an engine returned.
        service_s: float64[n], service time of each call.
        memory_mb: float64[F], of the functions.
        span: what is measured.
        price: the user's price book.
    """
    requests, size = columns.requests, memory_mb.size
    counted = requests.arrival_s >= span.start_s
    return CallSums(
        counts=_counts(requests, counted, size),
        busy_s=time_by_function_s(requests.function, requests.busy_since_s, requests.end_s, size, span),
        idle_s=time_by_function_s(requests.function, requests.idle_since_s, requests.start_s, size, span),
        wait_s=_waited_s(requests, counted, size),
        charge_usd=_charged_usd(columns, service_s, memory_mb, span, price),
        latencies=latencies(columns, span),
        stale_hops=stale_hops(columns, span),
        downloaded_mb=downloaded_mb(columns.starts, requests.arrival_s, span),
    )


def _charged_usd(
    columns: Columns, service_s: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook
) -> FloatArray:
    charge = charges_usd(columns, service_s, memory_mb, span, price)
    return np.bincount(columns.requests.function, weights=charge, minlength=memory_mb.size).astype(np.float64)


def _counts(requests: Requests, counted: npt.NDArray[np.bool_], size: int) -> dict[str, IntArray]:
    def count(chosen: npt.NDArray[np.bool_]) -> IntArray:
        return np.bincount(requests.function[chosen], minlength=size)

    counts = {"calls": count(counted), "started": count(counted & (requests.start_kind != NOT_STARTED))}
    for name, kind in (("warm", WARM), ("cold", COLD), ("queued", QUEUED)):
        counts[name] = count(counted & (requests.start_kind == kind))
    for name, outcome in (("rejected", REJECTED), ("timed_out", TIMED_OUT), ("failed", FAILED)):
        counts[name] = count(counted & (requests.outcome == outcome))
    rows = requests.prewarmed[counted[requests.prewarmed]]
    counts["prewarmed"] = np.bincount(requests.function[rows], minlength=size)
    return counts


def time_by_function_s(
    function: npt.NDArray[np.int32], begin_s: FloatArray, end_s: FloatArray, size: int, span: Span
) -> FloatArray:
    """Seconds of intervals inside the span by function, float64[size], added in the order of rows."""
    seconds = np.zeros(size)
    for first in range(0, function.size, CHUNK):
        rows = slice(first, first + CHUNK)
        np.add.at(seconds, function[rows], span.overlap_s(begin_s[rows], end_s[rows]))
    return seconds


def _waited_s(requests: Requests, counted: npt.NDArray[np.bool_], size: int) -> FloatArray:
    """Seconds that the counted calls of each function waited, those that started: float64[size]."""
    seconds = np.zeros(size)
    for first in range(0, counted.size, CHUNK):
        part = slice(first, first + CHUNK)
        rows = first + np.flatnonzero(counted[part] & (requests.start_kind[part] != NOT_STARTED))
        np.add.at(seconds, requests.function[rows], requests.start_s[rows] - requests.arrival_s[rows])
    return seconds


def charges_usd(
    columns: Columns, service_s: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook
) -> FloatArray:
    """What the user pays for each call, in USD: float64[n], 0 for calls that do not count or never started."""
    requests, starts = columns.requests, columns.starts
    start_up_s = np.zeros(requests.function.size)
    start_up_s[starts.row] = price.billed_start_up_s(starts)
    charge = start_up_s  # in its place: a column of a big trace is a burden
    execution_s = columns.execution_s(service_s)
    paid = (requests.arrival_s >= span.start_s) & (requests.start_kind != NOT_STARTED)
    for first in range(0, paid.size, CHUNK):  # arithmetic on all calls at once takes 8 columns
        rows = first + np.flatnonzero(paid[first : first + CHUNK])
        charge[rows] = price.charge_usd(execution_s[rows], start_up_s[rows], memory_mb[requests.function[rows]])
    charge[~paid] = 0.0
    held = requests.on_provisioned  # these started
    rows = held[requests.arrival_s[held] >= span.start_s]
    charge[rows] = price.charge_provisioned_usd(execution_s[rows], memory_mb[requests.function[rows]])
    return charge


def stale_hops(columns: Columns, span: Span) -> float:
    """How often counted calls were sent where no slot was free."""
    requests = columns.requests
    return 0.0 if requests.hops is None else float(requests.hops[requests.arrival_s >= span.start_s].sum())


def downloaded_mb(starts: Starts, arrival_s: FloatArray, span: Span) -> float:
    """MB of packages and images fetched by the starts that began inside the span."""
    began_s = arrival_s[starts.row]
    return float(starts.fetched_mb[(began_s >= span.start_s) & (began_s <= span.end_s)].sum())


def latencies(columns: Columns, span: Span) -> dict[str, float]:
    """Percentiles of latency, and the mean wait, of the counted calls that started; seconds."""
    requests = columns.requests
    chosen = _measured(requests, span)
    latency_s = _since_arrival_s(requests.end_s, requests, chosen)
    values = {percentile_name(p): quantile(latency_s, p / 100) for p in TAIL}
    values["latency_mean_s"] = _mean(latency_s)
    del latency_s  # a column of a big trace is a burden
    wait_s = _since_arrival_s(requests.start_s, requests, chosen)
    values["wait_mean_s"] = _mean(wait_s)
    values["cold_wait_mean_s"] = _mean(wait_s[requests.start_kind[chosen] == COLD])
    return values


def latencies_s(requests: Requests, span: Span) -> FloatArray:
    """The latencies of the counted calls that started, in order of rows."""
    return _since_arrival_s(requests.end_s, requests, _measured(requests, span))


def _measured(requests: Requests, span: Span) -> npt.NDArray[np.bool_]:
    measured: npt.NDArray[np.bool_] = (requests.arrival_s >= span.start_s) & (requests.start_kind != NOT_STARTED)
    return measured


def percentile_name(p: float) -> str:
    """The metric that is a percentile of latency."""
    return f"latency_p{p:g}_s".replace(".", "_")


def _since_arrival_s(time_s: FloatArray, requests: Requests, chosen: npt.NDArray[np.bool_]) -> FloatArray:
    since_s = time_s[chosen]
    since_s -= requests.arrival_s[chosen]
    return since_s


def quantile(values: FloatArray, p: float) -> float:
    """The p-quantile by linear interpolation between order statistics (type 7); NaN of nothing."""
    return float(np.quantile(values, p)) if values.size else nan


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else nan
