"""How cold starts are spread over apps and over functions: the share of them with a rate of at most x."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.report.canvas import blank, draw_lines, finish_with_policies, panel_height_in
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.pooled import Policy, others, policies_of
from sim.report.style import FAINT, house_style
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]
Owner = Literal["app", "function"]

STEPS: Final = 500
"""A line with more is drawn at so many equal steps of the rate, where it is exact."""
MEASURE: Final = 75.0
"""Per cent of the apps whose worst rate is the measure of Shahrad et al. (USENIX ATC 2020): a line to read it at."""


def cold_by_app(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """The distribution of the apps' cold-start rates; None if no call started, or each app is one function."""
    apps = _apps(variant.functions)
    if len(np.unique(apps)) == len(apps):
        return None
    return _drawn(variant, "app", apps, width_in)


def cold_by_function(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """The distribution of the functions' cold-start rates; None if no call started or there is one function."""
    return _drawn(variant, "function", np.arange(len(variant.functions)), width_in)


def rates(policy: Policy, owner: npt.NDArray[np.int64]) -> FloatArray:
    """Per cent of cold starts of every owner with a call that started, all replications pooled, ascending.

    Args:
        policy: with its digests.
        owner: int64[functions], the app of each function, or the function itself.
    """
    pooled = []
    for cold, started in zip(policy.functions("cold"), policy.functions("started"), strict=True):
        total = np.bincount(owner, started)
        there = total > 0
        pooled.append(100.0 * np.bincount(owner, cold)[there] / total[there])
    return np.sort(np.concatenate(pooled))


def cumulative(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distribution of sorted percentages as steps from (0, 0) to (100, 100): x, and per cent of values <= x."""
    x = np.unique(values)
    if x.size > STEPS:
        x = np.linspace(0.0, 100.0, STEPS + 1)
    y = 100.0 * np.searchsorted(values, x, side="right") / values.size
    return np.array([0.0, *x, 100.0]), np.array([0.0, *y, 100.0])


def _drawn(variant: VariantOutcome, owner: Owner, owners: npt.NDArray[np.int64], width_in: float) -> Drawn | None:
    policies = [policy for policy in policies_of(variant) if policy.functions("started").any()]
    pooled = [rates(policy, owners) for policy in policies]
    if owners.max(initial=0) == 0 or not pooled:
        return None
    with house_style():
        figure = blank(width_in, panel_height_in(width_in))
        axes = figure.subplots()
        axes.set(xlabel=f"cold-start rate of the {owner} (%)", ylabel=f"share of {owner}s (%)")
        axes.set(xlim=(-1.5, 101.5), ylim=(-1.5, 101.5), xticks=range(0, 101, 20), yticks=(0, 25, 50, 75, 100))
        axes.axhline(MEASURE, color=FAINT, linewidth=0.8, zorder=1.5)
        draw_lines(axes, policies, [cumulative(values) for values in pooled], steps=True)
        finish_with_policies(figure, policies)
    count = len(pooled[0]) / len(policies[0].digests)
    caption = sentences(
        f"share of the {owner}s (up) whose cold-start rate is at most that on the axis (along), of about {count:,.0f}"
        f" {owner}s with a call that started, each counted alike however often it is called",
        "the further up and to the left a line, the better for most; it meets the grey line at the rate that 75 % of"
        f" the {owner}s do not exceed",
        "replications are pooled" if len(policies[0].digests) > 1 else "",
        left_out(others(variant, policies), "no call started"),
    )
    facts = [(p.label, f"{worded(float(np.quantile(v, 0.75)), '%')}") for p, v in zip(policies, pooled, strict=True)]
    alt = sentences(f"lines of the cumulative distribution of cold-start rates over {owner}s, one a policy",
                    f"75 % of the {owner}s are at or below: {listed(facts)}")  # fmt: skip
    return Drawn(f"cold_by_{owner}", f"Cold-start rate by {owner}", caption, alt, figure)


def _apps(functions: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.asarray(functions.groupby(["owner", "app"], sort=False, dropna=False).ngroup(), np.int64)
