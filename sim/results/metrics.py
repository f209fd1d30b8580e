"""Metrics, from the raw columns of a run. Definitions and symbols: ``docs/metrics.md``."""

from __future__ import annotations

from math import nan
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.results.call_sums import CallSums, Span, quantile
from sim.results.columns import Cells, FloatArray
from sim.results.fleet_sums import FleetSums
from sim.results.pricing import ProviderPrice

MB_PER_GB: Final = 1024.0


def per_function(sums: CallSums, fleet: FleetSums, functions: pd.DataFrame) -> pd.DataFrame:
    """Counts, instance-time by state and user cost of every function.

    Args:
        sums: what the calls add up to.
        fleet: what pings and instances add up to.
        functions: the table of functions.

    Returns:
        A row a function: calls, started, warm, cold, queued, rejected, timed_out, starts, starting_s, busy_s, idle_s,
        wait_s, user_cost_usd, after the function's name, app, trigger and memory_mb.
    """
    table = functions[["name", "app", "owner", "trigger", "memory_mb"]].copy()
    for name, count in sums.counts.items():
        table[name] = count
    table["starts"] = fleet.starts
    table["starting_s"] = fleet.starting_s
    table["unawaited_start_s"] = fleet.unawaited_start_s
    table["busy_s"] = sums.busy_s + fleet.ping_busy_s
    table["idle_s"] = sums.idle_s + fleet.ping_idle_s + fleet.left_idle_s
    table["wait_s"] = sums.wait_s
    table["user_cost_usd"] = sums.charge_usd + fleet.user_usd
    return table


def cell_time_s(cells: Cells, span: Span) -> dict[str, FloatArray]:
    """Seconds that each generic cell spends starting and ready inside the span: float64[c] each."""
    starting_s = span.overlap_s(cells.created_s, cells.ready_s)
    return {
        "starting": starting_s,
        "unawaited_start": starting_s,
        "busy": np.zeros(starting_s.size),
        "idle": span.overlap_s(cells.ready_s, cells.ended_s),
    }


def summarise(sums: CallSums, fleet: FleetSums, table: pd.DataFrame, span: Span, provider: ProviderPrice) -> pd.Series:
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
        "pings": fleet.pings,
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
