"""The latency of the slowest calls: which share of calls takes longer than a time, both on logarithmic axes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from sim.report import scales
from sim.report.canvas import blank, draw_lines, finish_with_policies, panel_height_in
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.pooled import Policy, others, policies_of
from sim.report.style import house_style
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]


def latency_tail(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """Share of calls slower than x; None if no policy had two calls that started."""
    curves = {policy: curve for policy in policies_of(variant) if (curve := tail(policy))[0].size > 1}
    if not curves:
        return None
    with house_style():
        figure = blank(width_in, panel_height_in(width_in))
        axes = figure.subplots()
        axes.set(xlabel="latency (s)", ylabel="slower calls (%)")
        scales.apply(axes, "x", scales.choose(np.concatenate([x for x, _ in curves.values()])))
        _set_shares(axes, min(float(y.min()) for _, y in curves.values()))
        draw_lines(axes, list(curves), list(curves.values()))
        finish_with_policies(figure, list(curves))
    caption = sentences(
        "share of the calls (up) whose latency, from arrival to end, exceeds a time (along), on logarithmic axes:"
        " a line crosses 1 % at the 99th percentile",
        "quantiles are means over the replications" if any(len(p.digests) > 1 for p in curves) else "",
        "of calls that were not recorded latencies come from a histogram, within 0.4 %"
        if not all(p.recorded for p in curves)
        else "",
        "a line ends where one call is left, and at one in a million",
        left_out(others(variant, list(curves)), "fewer than two calls started"),
    )
    facts = [(p.label, " and ".join(worded(_at(c, share), "s") for share in (1.0, 0.1))) for p, c in curves.items()]
    alt = sentences("lines of the share of calls slower than a latency, one a policy",
                    f"exceeded by 1 % and by 0.1 % of the calls: {listed(facts)}")  # fmt: skip
    return Drawn("latency_tail", "Latency of the slowest calls", caption, alt, figure)


def tail(policy: Policy) -> tuple[FloatArray, FloatArray]:
    """Latency in s and per cent of calls that are slower, down to one call of the replication with fewest."""
    started = policy.functions("started").sum(axis=1)
    tails = [digest.tail for digest, calls in zip(policy.digests, started, strict=True) if calls]
    if not tails:
        return np.empty(0), np.empty(0)
    share = tails[0]["survival"].to_numpy(np.float64)
    there = share * started[started > 0].min() >= 1 - 1e-9
    latency_s = np.mean([part["latency_s"].to_numpy(np.float64) for part in tails], axis=0)
    return latency_s[there], 100.0 * share[there]


def _set_shares(axes: Axes, least: float) -> None:
    axes.set_yscale("log")
    axes.set_ylim(0.8 * least, 130.0)
    axes.yaxis.set_major_locator(LogLocator(numticks=10))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6f}".rstrip("0").rstrip(".")))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _at(curve: tuple[FloatArray, FloatArray], share: float) -> float:
    """The latency that so many per cent exceed: NaN beyond the end of the line."""
    latency_s, shares = curve
    near = np.flatnonzero(np.isclose(shares, share))
    return float(latency_s[near[0]]) if near.size else np.nan
