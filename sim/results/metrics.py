"""Metrics, from the raw columns of a run. Definitions and symbols: ``docs/metrics.md``."""

from __future__ import annotations

from math import nan
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results.call_sums import CallSums, Span, quantile, time_by_function_s
from sim.results.columns import NOT_STARTED, Cells, Fleet, FloatArray, Requests
from sim.results.pricing import PriceBook, ProviderPrice

MB_PER_GB: Final = 1024.0


def per_function(sums: CallSums, fleet: Fleet, functions: pd.DataFrame, span: Span, price: PriceBook) -> pd.DataFrame:
    """Counts, instance-time by state and user cost of every function.

    Args:
        sums: what the calls add up to.
        fleet: what an engine returned besides.
        functions: the table of functions.
        span: what is measured.
        price: the user's price book.

    Returns:
        A row a function: calls, started, warm, cold, queued, rejected, timed_out, starts, starting_s, busy_s, idle_s,
        wait_s, user_cost_usd, after the function's name, app, trigger and memory_mb.
    """
    table = functions[["name", "app", "owner", "trigger", "memory_mb"]].copy()
    for name, count in sums.counts.items():
        table[name] = count
    created_s = fleet.instances.created_s
    inside = (created_s >= span.start_s) & (created_s <= span.end_s)
    table["starts"] = np.bincount(fleet.instances.function[inside], minlength=len(functions))
    for name, seconds in instance_time_s(sums, fleet, span).items():
        table[name] = seconds
    table["wait_s"] = sums.wait_s
    table["user_cost_usd"] = user_cost_usd(sums, fleet, functions["memory_mb"].to_numpy(), span, price)
    return table


def instance_time_s(sums: CallSums, fleet: Fleet, span: Span) -> dict[str, FloatArray]:
    """Seconds that each function's instances spend starting, busy and idle inside the span: float64[F] each."""
    pings, instances, size = fleet.pings, fleet.instances, sums.busy_s.size

    def total(function: npt.NDArray[np.int32], begin_s: FloatArray, end_s: FloatArray) -> FloatArray:
        return time_by_function_s(function, begin_s, end_s, size, span)

    unawaited = ~instances.awaited
    started_s = np.fmin(instances.ready_s, instances.ended_s)  # an instance that never became ready started to its end
    idle_s = sums.idle_s + total(pings.function, pings.idle_since_s, pings.start_s)
    return {
        "starting_s": total(instances.function, instances.created_s, started_s),
        "unawaited_start_s": total(instances.function[unawaited], instances.created_s[unawaited], started_s[unawaited]),
        "busy_s": sums.busy_s + total(pings.function, pings.busy_since_s, pings.end_s),
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


def user_cost_usd(sums: CallSums, fleet: Fleet, memory_mb: FloatArray, span: Span, price: PriceBook) -> FloatArray:
    """What the user pays for each function, float64[F] USD: counted calls, pings in the span, and what is held."""
    pings, held, size, total = fleet.pings, fleet.allocations, memory_mb.size, sums.charge_usd.copy()
    sent = pings.function[(pings.arrival_s >= span.start_s) & (pings.start_kind != NOT_STARTED)]
    if sent.size:
        each = price.charge_usd(np.full(size, fleet.ping_s), np.zeros(size), memory_mb)
        total += np.bincount(sent, minlength=size) * each
        total += _loading_pings_usd(pings, each, memory_mb, span, price)
    if held.function.size:
        seconds = np.bincount(held.function, weights=span.overlap_s(held.from_s, held.to_s), minlength=size)
        total += price.hold_usd(seconds.astype(np.float64), memory_mb)
    return total


def _loading_pings_usd(
    pings: Requests, each_usd: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook
) -> FloatArray:
    """What pings cost, float64[F] USD, beyond `each_usd` because handlers loaded during them."""
    inside = pings.arrival_s[pings.loading] >= span.start_s
    function, execution_s = pings.function[pings.loading[inside]], pings.loading_s[inside]
    charge = price.charge_usd(execution_s, np.zeros(function.size), memory_mb[function]) - each_usd[function]
    return np.bincount(function, weights=charge, minlength=memory_mb.size).astype(np.float64)


def summarise(sums: CallSums, fleet: Fleet, table: pd.DataFrame, span: Span, provider: ProviderPrice) -> pd.Series:
    """The run in one line: every metric of ``docs/metrics.md`` by name, float64."""
    calls, cold, started = (float(table[c].sum()) for c in ("calls", "cold", "started"))
    gb, cell_gb = (mb / MB_PER_GB for mb in (table["memory_mb"].to_numpy(), fleet.cells.memory_mb))
    cell_s = cell_time_s(fleet.cells, span)
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
        "stale_hops": sums.stale_hops,
        **cold_shares(table),
        **sums.latencies,
        "busy_gb_s": gb_s["busy"],
        "idle_gb_s": gb_s["idle"],
        "starting_gb_s": gb_s["starting"],
        "wasted_gb_s": gb_s["idle"] + gb_s["unawaited_start"],
        "mean_instances": mean["starting"] + mean["busy"] + mean["idle"],
        "mean_busy_instances": mean["busy"],
        "mean_idle_instances": mean["idle"],
        "pings": float(np.count_nonzero(fleet.pings.arrival_s >= span.start_s)),
        "instance_starts": table["starts"].sum(),
        "stem_cell_starts": cells_taken(fleet.cells, span),
        "downloaded_gb": sums.downloaded_mb / MB_PER_GB,
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


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else nan
