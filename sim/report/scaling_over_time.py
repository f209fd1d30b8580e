"""What scaling policies wanted over the measured span, and what there was: a panel a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sim.report import scales
from sim.report.canvas import blank, finish, panel_height_in
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.pooled import Policy, recorded
from sim.report.style import house_style
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]

MOST_PANELS: Final = 4
PANEL: Final = 0.62
"""Height of a panel, in those of a figure with one."""
LINES: Final[Mapping[str, Mapping[str, Any]]] = {
    "wanted": {"color": "black", "linestyle": "-", "linewidth": 2.4},  # seen where the next lies on it
    "ready": {"color": "#0072B2", "linestyle": "-", "linewidth": 1.0},
    "starting": {"color": "#D55E00", "linestyle": "-", "linewidth": 1.0},
    "waiting calls": {"color": "#CC79A7", "linestyle": "--", "linewidth": 1.0},
    "functions in panic": {"color": "#009E73", "linestyle": ":", "linewidth": 1.3},
}
BUSY: Final = "#D9D9D9"


def scaling(variant: VariantOutcome, *, width_in: float = 7.0) -> Drawn | None:
    """Instances wanted, starting, ready and busy, calls that wait, and functions in panic; None if nothing scales."""
    scaled = [policy for policy in recorded(variant) if policy.timeline("wanted").any()]
    shown = scaled[:MOST_PANELS]
    if not shown:
        return None
    edges_s = np.append(shown[0].timeline("from_s"), shown[0].timeline("to_s")[-1])
    unit_s, name = scales.time_unit(edges_s[-1] - edges_s[0])
    with house_style():
        height_in = panel_height_in(width_in) * (1 if len(shown) == 1 else PANEL * len(shown))
        figure = blank(width_in, height_in)
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0].tolist()
        for axes, policy in zip(panels, shown, strict=True):
            _draw(axes, policy, edges_s / unit_s)
            axes.set(ylabel="number", xlim=(edges_s[0] / unit_s, edges_s[-1] / unit_s))
            if len(shown) > 1:
                axes.set_title(policy.name, loc="left")
        panels[-1].set_xlabel(f"time ({name})")
        handles = [Line2D([], [], **look) for look in LINES.values()]
        busy = Line2D([], [], color=BUSY, linewidth=6, solid_capstyle="butt")  # no wider than its place
        finish(figure, [*handles, busy], [*LINES, "busy"])
    return Drawn("scaling", "What was wanted and what there was", *_words(shown, scaled[MOST_PANELS:]), figure)


def _values(policy: Policy) -> dict[str, FloatArray]:
    return {
        "wanted": policy.timeline("wanted"),
        "ready": policy.timeline("busy") + policy.timeline("idle"),
        "starting": policy.timeline("starting"),
        "waiting calls": policy.timeline("waiting"),
        "functions in panic": policy.timeline("panic"),
    }


def _draw(axes: Axes, policy: Policy, edges: FloatArray) -> None:
    axes.stairs(policy.timeline("busy"), edges, color=BUSY, fill=True, zorder=1.5)
    middle = (edges[1:] + edges[:-1]) / 2
    for name, values in _values(policy).items():
        axes.plot(middle, values, **LINES[name], zorder=2.5)
    axes.set_ylim(bottom=0.0)


def _words(shown: list[Policy], others: list[Policy]) -> tuple[str, str]:
    caption = sentences(
        "instances that the scaling policy wanted of all functions together, and those that started, were ready"
        " (draining ones too) and were busy (grey), averaged over the 240 equal parts of the measured span",
        "besides, the calls that waited and started later, and how many functions' last change was made in panic",
        f"one panel a policy: {', '.join(policy.said for policy in shown)}"
        if len(shown) > 1
        else f"of {shown[0].said}",
        left_out([policy.label for policy in others], f"being more than {MOST_PANELS}"),
    )
    facts = [
        (
            policy.label,
            ", ".join(f"{worded(float(values.mean()))} {name}" for name, values in _values(policy).items()),
        )
        for policy in shown
    ]
    return caption, sentences("lines over time, a panel a scaling policy", f"on average: {listed(facts)}")
