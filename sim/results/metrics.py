"""Metrics, from the raw columns of a run. Definitions and symbols: ``docs/metrics.md``."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from operator import attrgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results.columns import (
    CHUNK,
    COLD,
    FAILED,
    NOT_STARTED,
    QUEUED,
    REJECTED,
    TIMED_OUT,
    WARM,
    Cells,
    Columns,
    FloatArray,
    Requests,
)
from sim.results.pricing import PriceBook, ProviderPrice

MB_PER_GB: Final = 1024.0


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


def per_function(
    columns: Columns, service_s: FloatArray, functions: pd.DataFrame, span: Span, price: PriceBook
) -> pd.DataFrame:
    """Counts, instance-time by state and user cost of every function, summed in the order of rows.

    Args:
        columns: what an engine returned.
        service_s: float64[n], service time of each call.
        functions: the table of functions.
        span: what is measured.
        price: the user's price book.

    Returns:
        A row a function: calls, started, warm, cold, queued, rejected, timed_out, starts, starting_s, busy_s, idle_s,
        wait_s, user_cost_usd, after the function's name, app, trigger and memory_mb.
    """
    requests, size = columns.requests, len(functions)
    counted = requests.arrival_s >= span.start_s

    def count(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(requests.function[chosen], minlength=size)

    table = functions[["name", "app", "owner", "trigger", "memory_mb"]].copy()
    table["calls"] = count(counted)
    table["started"] = count(counted & (requests.start_kind != NOT_STARTED))
    for name, kind in (("warm", WARM), ("cold", COLD), ("queued", QUEUED)):
        table[name] = count(counted & (requests.start_kind == kind))
    for name, outcome in (("rejected", REJECTED), ("timed_out", TIMED_OUT), ("failed", FAILED)):
        table[name] = count(counted & (requests.outcome == outcome))
    rows = requests.prewarmed[counted[requests.prewarmed]]
    table["prewarmed"] = np.bincount(requests.function[rows], minlength=size)
    created_s = columns.instances.created_s
    inside = (created_s >= span.start_s) & (created_s <= span.end_s)
    table["starts"] = np.bincount(columns.instances.function[inside], minlength=size)
    for name, seconds in instance_time_s(columns, size, span).items():
        table[name] = seconds
    table["wait_s"] = _waited_s(requests, counted, size)
    table["user_cost_usd"] = user_cost_usd(columns, service_s, functions["memory_mb"].to_numpy(), span, price)
    return table


def _waited_s(requests: Requests, counted: npt.NDArray[np.bool_], size: int) -> FloatArray:
    """Seconds that the counted calls of each function waited, those that started: float64[size]."""
    seconds = np.zeros(size)
    for first in range(0, counted.size, CHUNK):
        part = slice(first, first + CHUNK)
        rows = first + np.flatnonzero(counted[part] & (requests.start_kind[part] != NOT_STARTED))
        np.add.at(seconds, requests.function[rows], requests.start_s[rows] - requests.arrival_s[rows])
    return seconds


def instance_time_s(columns: Columns, size: int, span: Span) -> dict[str, FloatArray]:
    """Seconds that each function's instances spend starting, busy and idle inside the span: float64[size] each."""
    requests, instances = columns.requests, columns.instances

    def total(function: npt.NDArray[np.int32], begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        seconds = np.zeros(size)
        for first in range(0, function.size, CHUNK):
            rows = slice(first, first + CHUNK)
            np.add.at(seconds, function[rows], span.overlap_s(begin_s[rows], end_s[rows]))  # in the order of rows
        return seconds

    unawaited = ~instances.awaited
    started_s = np.fmin(instances.ready_s, instances.ended_s)  # an instance that never became ready started to its end
    busy_s, idle_s = (
        sum(
            (total(served.function, begin(served), end(served)) for served in (requests, columns.pings)), np.zeros(size)
        )
        for begin, end in ((_busy_since_s, _end_s), (_idle_since_s, _start_s))
    )
    return {
        "starting_s": total(instances.function, instances.created_s, started_s),
        "unawaited_start_s": total(instances.function[unawaited], instances.created_s[unawaited], started_s[unawaited]),
        "busy_s": busy_s,
        "idle_s": idle_s + total(instances.function, instances.idle_since_s, instances.ended_s),
    }


def cell_time_s(cells: Cells, span: Span) -> dict[str, FloatArray]:
    """Seconds that each generic cell spends starting and ready inside the span: float64[c] each."""
    starting_s = span.overlap_s(cells.created_s, cells.ready_s)
    return {
        "starting": starting_s,
        "unawaited_start": starting_s,
        "busy": np.zeros(starting_s.size),
        "idle": span.overlap_s(cells.ready_s, cells.ended_s),
    }


_busy_since_s, _end_s = attrgetter("busy_since_s"), attrgetter("end_s")
_idle_since_s, _start_s = attrgetter("idle_since_s"), attrgetter("start_s")


def user_cost_usd(
    columns: Columns, service_s: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook
) -> FloatArray:
    """What the user pays for each function, float64[F] USD: counted calls, pings in the span, and what is held."""
    requests, pings, held = columns.requests, columns.pings, columns.allocations
    size = memory_mb.size
    charge = charges_usd(columns, service_s, memory_mb, span, price)
    total = np.bincount(requests.function, weights=charge, minlength=size).astype(np.float64)
    sent = pings.function[(pings.arrival_s >= span.start_s) & (pings.start_kind != NOT_STARTED)]
    if sent.size:
        each = price.charge_usd(np.full(size, columns.ping_s), np.zeros(size), memory_mb)
        total += np.bincount(sent, minlength=size) * each
        total += _loading_pings_usd(columns, each, memory_mb, span, price)
    if held.function.size:
        seconds = np.bincount(held.function, weights=span.overlap_s(held.from_s, held.to_s), minlength=size)
        total += price.hold_usd(seconds.astype(np.float64), memory_mb)
    return total


def _loading_pings_usd(
    columns: Columns, each_usd: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook
) -> FloatArray:
    """What pings cost, float64[F] USD, beyond `each_usd` because handlers loaded during them."""
    pings = columns.pings
    inside = pings.arrival_s[pings.loading] >= span.start_s
    function, execution_s = pings.function[pings.loading[inside]], pings.loading_s[inside]
    charge = price.charge_usd(execution_s, np.zeros(function.size), memory_mb[function]) - each_usd[function]
    return np.bincount(function, weights=charge, minlength=memory_mb.size).astype(np.float64)


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


def summarise(columns: Columns, table: pd.DataFrame, span: Span, provider: ProviderPrice) -> pd.Series:
    """The run in one line: every metric of ``docs/metrics.md`` by name, float64."""
    calls, cold, started = (float(table[c].sum()) for c in ("calls", "cold", "started"))
    gb, cell_gb = (mb / MB_PER_GB for mb in (table["memory_mb"].to_numpy(), columns.cells.memory_mb))
    cell_s = cell_time_s(columns.cells, span)
    seconds = {state: (table[f"{state}_s"].to_numpy(), of_cells) for state, of_cells in cell_s.items()}
    gb_s = {state: float((s * gb).sum()) + float((c * cell_gb).sum()) for state, (s, c) in seconds.items()}
    mean = {state: _ratio(float(s.sum()) + float(c.sum()), span.length_s) for state, (s, c) in seconds.items()}
    user_usd = float(table["user_cost_usd"].sum())
    provider_usd = (gb_s["starting"] + gb_s["busy"] + gb_s["idle"]) * provider.usd_per_gb_s
    values: dict[str, Any] = {
        "invocations": calls,
        "cold_starts": cold,
        "cold_start_rate": _ratio(cold, started),
        "warm": table["warm"].sum(),
        "prewarmed": table["prewarmed"].sum(),
        "queued": table["queued"].sum(),
        "rejected": table["rejected"].sum(),
        "timed_out": table["timed_out"].sum(),
        "failed": table["failed"].sum(),
        "stale_hops": stale_hops(columns, span),
        **cold_shares(table),
        **latencies(columns, span),
        "busy_gb_s": gb_s["busy"],
        "idle_gb_s": gb_s["idle"],
        "starting_gb_s": gb_s["starting"],
        "wasted_gb_s": gb_s["idle"] + gb_s["unawaited_start"],
        "mean_instances": mean["starting"] + mean["busy"] + mean["idle"],
        "mean_busy_instances": mean["busy"],
        "mean_idle_instances": mean["idle"],
        "pings": float(np.count_nonzero(columns.pings.arrival_s >= span.start_s)),
        "instance_starts": table["starts"].sum(),
        "stem_cell_starts": cells_taken(columns.cells, span),
        "downloaded_gb": downloaded_mb(columns, span) / MB_PER_GB,
        "user_cost_usd": user_usd,
        "user_cost_per_million_usd": _ratio(user_usd * 1e6, calls),
        "provider_cost_usd": provider_usd,
        "provider_cost_per_million_usd": _ratio(provider_usd * 1e6, calls),
    }
    return pd.Series(values, dtype=np.float64)


def cells_taken(cells: Cells, span: Span) -> float:
    """How many generic cells were taken inside the span."""
    ended_s = cells.ended_s[cells.taken]
    return float(np.count_nonzero((ended_s >= span.start_s) & (ended_s <= span.end_s)))


def stale_hops(columns: Columns, span: Span) -> float:
    """How often counted calls were sent where no slot was free."""
    requests = columns.requests
    return 0.0 if requests.hops is None else float(requests.hops[requests.arrival_s >= span.start_s].sum())


def downloaded_mb(columns: Columns, span: Span) -> float:
    """MB of packages and images fetched by the starts that began inside the span."""
    starts = columns.starts
    began_s = columns.requests.arrival_s[starts.row]
    return float(starts.fetched_mb[(began_s >= span.start_s) & (began_s <= span.end_s)].sum())


def cold_shares(table: pd.DataFrame) -> dict[str, float]:
    """Cold-start rates over apps and over functions that had a call start."""
    active = table[table["started"] > 0]
    apps = active.groupby(["owner", "app"], sort=False)[["cold", "started"]].sum()
    by_app = (apps["cold"] / apps["started"]).to_numpy()
    by_function = (active["cold"] / active["started"]).to_numpy()
    shares = {f"app_cold_share_p{p}": quantile(by_app, p / 100) for p in (50, 75, 90)}
    shares |= {f"function_cold_share_p{p}": quantile(by_function, p / 100) for p in (50, 75, 90)}
    shares["always_cold_functions"] = float(np.mean(by_function == 1)) if by_function.size else nan
    return shares


def latencies(columns: Columns, span: Span) -> dict[str, float]:
    """Percentiles of latency, and the mean wait, of the counted calls that started; seconds."""
    requests = columns.requests
    chosen = (requests.arrival_s >= span.start_s) & (requests.start_kind != NOT_STARTED)
    latency_s = _since_arrival_s(requests.end_s, requests, chosen)
    values = {f"latency_p{p:g}_s".replace(".", "_"): quantile(latency_s, p / 100) for p in (50, 95, 99, 99.9)}
    values["latency_mean_s"] = _mean(latency_s)
    del latency_s  # a column of a big trace is a burden
    wait_s = _since_arrival_s(requests.start_s, requests, chosen)
    values["wait_mean_s"] = _mean(wait_s)
    values["cold_wait_mean_s"] = _mean(wait_s[requests.start_kind[chosen] == COLD])
    return values


def _since_arrival_s(time_s: FloatArray, requests: Requests, chosen: npt.NDArray[np.bool_]) -> FloatArray:
    since_s = time_s[chosen]
    since_s -= requests.arrival_s[chosen]
    return since_s


def quantile(values: FloatArray, p: float) -> float:
    """The p-quantile by linear interpolation between order statistics (type 7); NaN of nothing."""
    return float(np.quantile(values, p)) if values.size else nan


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else nan


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else nan
