"""What a cold start consists of: mean seconds of each phase, a stacked bar a policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from sim.report.canvas import blank, finish, marker_of
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.glyphs import drawable, shortened
from sim.report.pooled import Policy, others, recorded
from sim.report.style import POINTS_PER_INCH, house_style
from sim.results.columns import HANDLER
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]

BAR_IN: Final = 0.24
WIDE_IN: Final = 5.0
"""The width from which the mean time stands in numbers too."""
NAME_WIDTH: Final = 0.26
"""Part of the figure's width that names of policies may take, about."""


def phases(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """Mean seconds of the phases of a start; None if starts have one phase only, or none was caused by a call."""
    policies = [policy for policy in recorded(variant) if starts(policy)]
    names = names_of(policies)
    if len(names) < 2:
        return None
    means = np.stack([mean_s(policy, names) for policy in policies])
    counts = [starts(policy) / len(policy.digests) for policy in policies]
    with house_style():
        figure = blank(width_in, BAR_IN * len(policies) + 0.6)
        axes = figure.subplots()
        colors = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.95, len(names)))
        _draw_bars(axes, means, colors)
        mean = means.sum(axis=1) if width_in >= WIDE_IN else None
        remarks = [f"{n:,.0f} ×" + (f" {worded(mean[i])} s" if mean is not None else "") for i, n in enumerate(counts)]
        _name_bars(axes, policies, remarks)
        handles = [Line2D([], [], color=color, marker="s", markersize=6.0, linestyle="none") for color in colors]
        finish(figure, handles, [drawable(shortened(name)) for name in names])
    caption = sentences(
        "mean time that each phase of a cold start takes, in the order of the phases, over all starts that counted"
        " calls caused; beside each bar, how many starts there were in a replication",
        "colours stand for phases here, markers for policies",
        "policies differ in which functions start cold",
        "the load of the handler is execution time of the first call" if HANDLER in names else "",
        left_out(others(variant, policies), "no call caused a start"),
    )  # fmt: skip
    facts = [(policy.label, worded(float(row.sum()), "s")) for policy, row in zip(policies, means, strict=True)]
    longest = shortened(str(names[int(means.mean(axis=0).argmax())]))
    alt = sentences("stacked bars of mean seconds by phase of a cold start, one a policy",
                    f"mean of all phases: {listed(facts)}", f"the longest phase is {longest}")  # fmt: skip
    return Drawn("phases", "Cold starts by phase", caption, alt, figure)


def starts(policy: Policy) -> int:
    """Starts that counted calls caused, in all replications."""
    return sum(digest.starts for digest in policy.digests)


def names_of(policies: Sequence[Policy]) -> list[str]:
    """The phases of any policy's starts, each after the one that it follows: platforms may have different ones."""
    names: list[str] = []
    for policy in policies:
        place = 0
        for name in policy.digests[0].phases["phase"]:
            if name not in names:
                names.insert(place, name)
            place = names.index(name) + 1
    return names


def mean_s(policy: Policy, names: list[str]) -> FloatArray:
    """float64[names]: mean seconds of the phases of a start, all starts of all replications weighing alike."""
    by_name = [digest.phases.set_index("phase")["seconds"].reindex(names, fill_value=0.0) for digest in policy.digests]
    mean: FloatArray = np.sum([seconds.to_numpy(np.float64) for seconds in by_name], axis=0) / starts(policy)
    return mean


def _draw_bars(axes: Axes, means: FloatArray, colors: FloatArray) -> None:
    place = np.arange(len(means))
    ends = np.cumsum(means, axis=1)
    for phase, color in enumerate(colors):
        axes.barh(place, means[:, phase], left=ends[:, phase] - means[:, phase], height=0.72, color=color,
                  edgecolor="white", linewidth=0.3)  # fmt: skip
    axes.set_xlabel("mean time of a start (s)")
    axes.set_xlim(0.0, 1.02 * float(ends.max()) or 1.0)
    axes.set_ylim(len(means) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _name_bars(axes: Axes, policies: Sequence[Policy], remarks: Sequence[str]) -> None:
    most = int(NAME_WIDTH * axes.figure.bbox.width / axes.figure.dpi / 0.06)
    place = range(len(policies))
    axes.set_yticks(place, [shortened(policy.name, most) for policy in policies])
    axes.tick_params(axis="y", length=0.0, pad=10.0)
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(place, list(remarks), fontsize=7.0)
    beside.tick_params(axis="y", length=0.0)
    beside.spines["right"].set_visible(False)
    left = axes.get_yaxis_transform() + ScaledTranslation(-5.0 / POINTS_PER_INCH, 0.0, axes.figure.dpi_scale_trans)
    for at, policy in enumerate(policies):
        axes.plot([0.0], [at], transform=left, clip_on=False, **marker_of(policy))
