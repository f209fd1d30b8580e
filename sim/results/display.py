"""A result as a notebook shows it: the main metrics, named and in the units of the comparison table."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any, Final, NamedTuple

import pandas as pd

from sim.core.html import facts_html, grid_html, shown


class Shown(NamedTuple):
    """A metric, its name, its unit and how many of that make one of the stored unit."""

    key: str
    title: str
    unit: str = ""
    factor: float = 1.0


METRICS: Final = (
    Shown("invocations", "calls"),
    Shown("cold_start_rate", "cold starts", "%", 100.0),
    Shown("app_cold_share_p75", "cold starts of the P75 app", "%", 100.0),
    Shown("latency_p50_s", "latency P50", "ms", 1000.0),
    Shown("latency_p99_s", "latency P99", "ms", 1000.0),
    Shown("wasted_gb_s", "wasted memory-time", "GB-s"),
    Shown("mean_instances", "mean instances"),
    Shown("user_cost_per_million_usd", "user, USD per M calls"),
    Shown("provider_cost_per_million_usd", "provider, USD per M calls"),
)
IF_ANY: Final = ("rejected", "timed_out", "failed", "queued", "prewarmed", "pings")
"""Counts that are shown where they are not 0."""


def result_html(summary: pd.Series, about: Mapping[str, Any]) -> str:
    """The table of a result.

    Args:
        summary: every metric by name.
        about: policy, engine, seed, replication and measured span.
    """
    rows = [(_name(metric), written(summary[metric.key] * metric.factor)) for metric in METRICS]
    rows += [(key.replace("_", " "), written(summary[key])) for key in IF_ANY if summary[key] > 0]
    said = (
        f"seed {about['seed']}, replication {about['replication']}, measured from {about['warm_up_s']:,.10g} s to"
        f" {about['horizon_s']:,.10g} s"
    )
    return f"{facts_html(str(about['policy']), rows)}<small>{shown(said)}</small>"


def comparison_html(title: str, frame: pd.DataFrame) -> str:
    """The table of a comparison: a row a policy, the main metrics, and half the width of their intervals.

    Args:
        title: above the table.
        frame: see `sim.results.outcome.VariantOutcome`.
    """
    rows = []
    for policy in frame.to_dict("records"):
        cells = [str(policy["policy"])]
        for metric in METRICS:
            half = policy.get(f"{metric.key}_ci95", nan) * metric.factor
            value = written(policy[metric.key] * metric.factor)
            cells.append(f"{value} ± {written(half)}" if isfinite(half) else value)
        rows.append(cells)
    return grid_html(title, ["policy", *map(_name, METRICS)], rows)


def _name(metric: Shown) -> str:
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def written(value: float) -> str:
    """Whole from 1000 on, else three significant digits; a dash for what there is not."""
    if not isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
