"""Which calls are cold: the cold-start rate by the trigger and by the popularity of the function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report import scales
from sim.report.canvas import blank, finish_with_policies, line_of, marker_of, panel_height_in
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.glyphs import drawable, shortened
from sim.report.metrics import printable
from sim.report.pooled import Policy, others, policies_of
from sim.report.style import FAINT, house_style
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_TRIGGERS: Final = 8
ROW_IN: Final = 0.34
"""Height of a row of markers, and of each of many that share it."""
DOT_IN: Final = 0.04
NAME_LENGTH: Final = 18
NO_TRIGGER: Final = "(none)"


def triggers(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """Cold-start rate by trigger, a marker a policy; None if fewer than two triggers have a call that started."""
    policies = _that_started(variant)
    if not policies:
        return None
    calls = np.mean([policy.functions("started").mean(axis=0) for policy in policies], axis=0)
    names, group = trigger_groups(variant.functions["trigger"], calls)
    if len(names) < 2:
        return None
    rates = np.stack([group_rates(policy, group, len(names)) for policy in policies])
    shares = 100.0 * np.bincount(group[group >= 0], calls[group >= 0], len(names)) / calls.sum()
    short = [shortened(name, NAME_LENGTH) for name in names]
    rows = [f"{drawable(name)}\n{worded(part)} % of calls" for name, part in zip(short, shares, strict=True)]
    figure = _rows_of_dots(policies, rates, rows, width_in)
    caption = sentences(
        "share of cold starts among the calls of the functions with each trigger, a marker a policy; in a row policies"
        " stand below each other in the order compared",
        "the triggers with fewest calls share the last row" if group.max() >= MOST_TRIGGERS - 1 else "",
        left_out(others(variant, policies), "no call started"),
    )
    alt = _alt("markers of cold-start rates by trigger, one a policy", policies, rates, short)
    return Drawn("triggers", "Cold starts by trigger", caption, alt, figure)


def popularity(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """Cold-start rate, and share of all cold starts, by calls a function; None if all have about as many."""
    policies = _that_started(variant)
    decades = 1 + max((int(decade_of(policy.functions("calls")).max()) for policy in policies), default=-1)
    if not policies:
        return None
    counts = np.stack([decade_counts(policy, decades) for policy in policies])
    there: npt.NDArray[np.bool_] = counts[:, :, 1].sum(axis=0) > 0
    if there.sum() < 2:
        return None
    names = [name for name, some in zip(decade_names(decades), there, strict=True) if some]
    cold, started, functions = np.moveaxis(counts[:, there], -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates, shares = 100.0 * cold / started, 100.0 * cold / cold.sum(axis=1, keepdims=True)
    each = functions[0] / len(policies[0].digests)
    ranges = [f"{name}\n({n:,.0f})" for name, n in zip(names, each, strict=True)]
    figure = _two_panels(policies, rates, shares, ranges, width_in)
    caption = sentences(
        "cold-start rate (above) and share of the policy's cold starts (below) of the functions with that many calls"
        " in the measured span, or more up to the next number; in brackets, how many functions that are",
        "a function that is called once is cold unless something warms it beforehand",
        left_out(others(variant, policies), "no call started"),
    )
    alt = _alt("lines of cold-start rates over calls a function, one a policy", policies, rates, names)
    return Drawn("popularity", "Cold starts by popularity of the function", caption, alt, figure)


def trigger_groups(trigger: pd.Series, calls: FloatArray) -> tuple[list[str], IntArray]:
    """The triggers with calls, those with most first, and the group of each function; -1 for those never called.

    Args:
        trigger: of each function.
        calls: float64[functions], by which they are ordered.

    Returns:
        At most `MOST_TRIGGERS` names, the last of which may stand for all others, and int64[functions].
    """
    named = (
        trigger.astype(object).where(trigger.notna(), "").astype(str).map(lambda name: printable(name) or NO_TRIGGER)
    )
    total = pd.Series(calls).groupby(named.to_numpy(object)).sum()
    order = [str(name) for name in total[total > 0].sort_values(ascending=False, kind="stable").index]
    kept = order if len(order) <= MOST_TRIGGERS else order[: MOST_TRIGGERS - 1]
    place = {name: min(i, len(kept)) for i, name in enumerate(order)}
    names = kept if len(kept) == len(order) else [*kept, f"{len(order) - len(kept)} others"]
    return names, np.array([place.get(name, -1) for name in named], np.int64)


def group_rates(policy: Policy, group: IntArray, groups: int) -> FloatArray:
    """float64[groups]: per cent of cold starts among the calls that started, all replications pooled; NaN of none."""
    there = group >= 0
    cold, started = (
        np.bincount(group[there], policy.functions(name).sum(axis=0)[there], groups) for name in ("cold", "started")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rates: FloatArray = 100.0 * cold / started
    return rates


def decade_of(calls: FloatArray) -> IntArray:
    """Which range of calls a function is in: 0 for 1, 1 for 2 to 9, 2 for 10 to 99, and so on; -1 for none."""
    bounds = np.array([1.0, 2.0, *10.0 ** np.arange(1, 19)])
    return np.searchsorted(bounds, calls, side="right") - 1


def decade_names(decades: int) -> list[str]:
    """How these ranges are written: their least, and a plus."""
    return ["1", "2+", *(f"{_compact(10**k)}+" for k in range(1, decades - 1))][:decades]


def decade_counts(policy: Policy, decades: int) -> FloatArray:
    """float64[decades, 3]: cold starts, calls that started and functions called, summed over the replications."""
    columns = [policy.functions(name) for name in ("cold", "started", "calls")]
    decade = decade_of(columns[2]).ravel()
    there = decade >= 0
    weights = (columns[0].ravel()[there], columns[1].ravel()[there], np.ones(int(there.sum())))
    return np.column_stack([np.bincount(decade[there], weight, decades) for weight in weights])


def _compact(power: int) -> str:
    units = ((10**9, "G"), (10**6, "M"), (1000, "k"), (1, ""))
    return next(f"{power // unit}{name}" for unit, name in units if power >= unit)


def _that_started(variant: VariantOutcome) -> list[Policy]:
    return [policy for policy in policies_of(variant) if policy.functions("started").any()]


def _rows_of_dots(policies: Sequence[Policy], rates: FloatArray, rows: Sequence[str], width_in: float) -> Figure:
    with house_style():
        figure = blank(width_in, max(ROW_IN, DOT_IN * len(policies)) * len(rows) + 0.6)
        axes = figure.subplots()
        axes.set_xlabel("cold-start rate (%)")
        scales.apply(axes, "x", scales.choose(rates.ravel(), most=100.0), most=100.0)
        _draw_dots(axes, policies, rates)
        axes.set_yticks(range(len(rows)), list(rows), fontsize=7.0)
        finish_with_policies(figure, policies, lines=False)
    return figure


def _two_panels(
    policies: Sequence[Policy], rates: FloatArray, shares: FloatArray, ranges: Sequence[str], width_in: float
) -> Figure:
    with house_style():
        figure = blank(width_in, 1.0 + 1.15 * panel_height_in(width_in))
        above, below = figure.subplots(2, 1, sharex=True)
        above.set_ylabel("cold-start rate (%)")
        scales.apply(above, "y", scales.choose(rates.ravel(), most=100.0), most=100.0)
        _draw_over_decades(above, policies, rates)
        _draw_over_decades(below, policies, shares)
        below.set(ylabel="share of cold starts (%)", xlabel="calls of the function (number of functions)")
        below.set_ylim(0.0, 1.05 * float(np.nanmax(shares, initial=0.0)) or 1.0)
        below.set_xticks(range(len(ranges)), list(ranges))
        finish_with_policies(figure, policies)
    return figure


def _draw_dots(axes: Axes, policies: Sequence[Policy], rates: FloatArray) -> None:
    rows = rates.shape[1]
    offset = np.linspace(-0.34, 0.34, len(policies)) if len(policies) > 1 else np.zeros(1)
    for edge in range(1, rows):
        axes.axhline(edge - 0.5, color=FAINT, linewidth=0.4, zorder=1.0)
    for policy, values, shift in zip(policies, rates, offset, strict=True):
        axes.plot(values, np.arange(rows) + shift, **marker_of(policy), clip_on=False, zorder=3)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0.0)
    axes.grid(visible=False, axis="y")


def _draw_over_decades(axes: Axes, policies: Sequence[Policy], values: FloatArray) -> None:
    for policy, row in zip(policies, values, strict=True):
        axes.plot(np.arange(row.size), row, **line_of(policy), clip_on=False, zorder=3)
    axes.set_xlim(-0.3, values.shape[1] - 0.7)
    axes.grid(visible=False, axis="x")


def _alt(what: str, policies: Sequence[Policy], rates: FloatArray, names: Sequence[str]) -> str:
    facts = []
    for policy, row in zip(policies, rates.tolist(), strict=True):
        each = ", ".join(f"{name} {worded(rate, '%')}" for name, rate in zip(names, row, strict=True))
        facts.append((policy.label, f"({each})"))
    return sentences(what, f"rates: {listed(facts)}")
