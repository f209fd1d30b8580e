"""Instances and their memory over the measured span: a line a policy, and what of it is busy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from sim.report import scales
from sim.report.canvas import blank, draw_lines, finish_with_policies, panel_height_in
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.pooled import Policy, others, recorded
from sim.report.style import FAINT, house_style
from sim.report.tradeoff import spread
from sim.results.digest import STATES
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]
What = Literal["instances", "memory"]

UNITS: Final = {"instances": ("", "instances", ""), "memory": ("_gb", "memory of instances (GB)", "GB")}
"""Suffix of the timeline's columns, title of the axis, unit in a sentence."""
BUSY_COLOR: Final = "#D9D9D9"
LOG_FROM: Final = 20.0
"""The ratio of the largest to the smallest mean of a policy from which the axis is logarithmic."""


def instances(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """The number of instances over time; None if there was never one."""
    return _drawn(variant, "instances", width_in)


def memory(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """The memory that instances fill over time, in GB; None if there was never one."""
    return _drawn(variant, "memory", width_in)


def total(policy: Policy, what: What) -> FloatArray:
    """float64[parts]: all instances of a policy, or their GB, on the average of each part of the span."""
    whole: FloatArray = np.sum([policy.timeline(f"{state}{UNITS[what][0]}") for state in STATES], axis=0)
    return whole


def _drawn(variant: VariantOutcome, what: What, width_in: float) -> Drawn | None:
    policies = [policy for policy in recorded(variant) if policy.timeline("to_s")[-1] > policy.timeline("from_s")[0]]
    totals = [total(policy, what) for policy in policies]
    if not any(values.any() for values in totals):
        return None
    suffix, title, unit = UNITS[what]
    busy = np.stack([policy.timeline(f"busy{suffix}") for policy in policies])
    edges_s = np.append(policies[0].timeline("from_s"), policies[0].timeline("to_s")[-1])
    unit_s, name = scales.time_unit(edges_s[-1] - edges_s[0])
    with house_style():
        figure = blank(width_in, panel_height_in(width_in))
        axes = figure.subplots()
        axes.set(xlabel=f"time ({name})", ylabel=title, xlim=(edges_s[0] / unit_s, edges_s[-1] / unit_s))
        _draw_busy(axes, totals, busy.max(axis=0), edges_s / unit_s)
        middle = (edges_s[1:] + edges_s[:-1]) / 2 / unit_s
        draw_lines(axes, policies, [(middle, values) for values in totals])
        finish_with_policies(figure, policies)
    return Drawn(what, *_words(variant, what, policies, totals, unit), figure)


def _draw_busy(axes: Axes, totals: Sequence[FloatArray], busy: FloatArray, edges: FloatArray) -> None:
    """Set the scale and draw what is busy: an area where equal heights mean equal amounts, else a line."""
    everything = np.concatenate([*totals, busy])
    if spread([float(values.mean()) for values in totals]) < LOG_FROM:
        axes.set_ylim(0.0, 1.06 * float(everything.max()))
        axes.stairs(busy, edges, color=BUSY_COLOR, fill=True, zorder=1.5)
    else:
        scales.apply(axes, "y", scales.choose(everything))
        axes.stairs(busy, edges, baseline=None, color=FAINT, linewidth=0.8, zorder=1.5)


def _words(
    variant: VariantOutcome, what: What, policies: list[Policy], totals: list[FloatArray], unit: str
) -> tuple[str, str, str]:
    noun = "instances" if what == "instances" else "memory of the instances (GB)"
    caption = sentences(
        f"{noun} that each policy keeps (starting, busy and idle), averaged over the 240 equal parts of the measured"
        " span",
        "grey is what is busy, running calls, under the policy where that is most",
        "what a line has above it is idle or starting",
        "lines are means over replications" if any(len(p.digests) > 1 for p in policies) else "",
        left_out(others(variant, policies), "no run"),
    )
    facts = [(p.label, f"{worded(float(v.mean()), unit)}, at most {worded(float(v.max()), unit)}")
             for p, v in zip(policies, totals, strict=True)]  # fmt: skip
    alt = sentences(f"lines of the {noun} over time, one a policy", f"on average: {listed(facts)}")
    return ("Instances over time" if what == "instances" else "Memory over time"), caption, alt
