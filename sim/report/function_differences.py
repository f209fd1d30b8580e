"""Where two policies differ: which functions pay and which gain when one replaces the other."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from sim.report import scales
from sim.report.canvas import blank, lay_out, panel_height_in
from sim.report.drawn import Drawn, sentences
from sim.report.glyphs import drawable, shortened
from sim.report.metrics import needs_future, numbers
from sim.report.pooled import Policy, policies_of
from sim.report.style import FAINT, SMALL, house_style
from sim.results.metrics import MB_PER_GB
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]

BASELINE: Final = "FixedWindow(window_s=600.0)"
"""The `policy_value` of the reference: the fixed 10-minute window of Shahrad et al. (USENIX ATC 2020)."""
RASTER_FROM: Final = 500
"""Points that are drawn as one picture inside an SVG file, which would be slow with so many shapes."""
ALIKE_COLOR: Final = "#9A9A9A"
CORNER_IN: Final = 0.42
"""Left free above and below the points for the counts."""


def function_differences(variant: VariantOutcome, policy: str, other: str) -> pd.DataFrame:
    """What every function has under two policies, those whose cold starts change most first.

    Args:
        variant: the outcome.
        policy: a label in its comparison.
        other: another, which `policy` is held against.

    Returns:
        A row a function: `function`, its index in the trace's table, `name`, `app`, `trigger`, `calls`, and, as means
        over the replications, ``cold_policy``, ``cold_other`` (cold starts), ``wasted_gb_s_policy``,
        ``wasted_gb_s_other``, ``user_cost_usd_policy`` and ``user_cost_usd_other``. Sorted by the size of the change in
        cold starts, then in waste; equal ones are in the order of the trace. Generic cells belong to no function.

    Raises:
        ValueError: one of the two has no run.
    """
    known = {each.label: each for each in policies_of(variant)}
    missing = [label for label in (policy, other) if label not in known]
    if missing:
        raise ValueError(f"no run of policy {missing[0]!r}; there are {', '.join(map(repr, known))}")
    one, two = known[policy], known[other]
    table = variant.functions[["name", "app", "trigger"]].reset_index(drop=True)
    table.insert(0, "function", np.arange(len(table)))
    table["calls"] = one.functions("calls").mean(axis=0)
    memory_gb = variant.functions["memory_mb"].to_numpy(np.float64) / MB_PER_GB
    for name, values in (("cold", _cold), ("wasted_gb_s", _wasted_s), ("user_cost_usd", _user_cost_usd)):
        factor = memory_gb if name == "wasted_gb_s" else 1.0
        table[f"{name}_policy"], table[f"{name}_other"] = values(one) * factor, values(two) * factor
    size = [np.abs(change_of(table, name)) for name in ("wasted_gb_s", "cold")]
    return table.iloc[np.lexsort([-each for each in size])].reset_index(drop=True)


def change_of(table: pd.DataFrame, name: str) -> FloatArray:
    """float64[rows]: how much more of something functions have under the first policy than under the second."""
    change: FloatArray = (table[f"{name}_policy"] - table[f"{name}_other"]).to_numpy(np.float64)
    return change


def compared_pair(variant: VariantOutcome) -> tuple[str, str] | None:
    """The two policies whose functions are shown unless others are asked for; None if there are no two.

    The second is the fixed 10-minute window, or the first policy where that is not compared. The first is, of the
    policies that waste no more memory-time than it, the one with the lowest cold-start rate, or of all where each
    wastes more. Policies that know the future, or do in all as well as the second, are not considered.
    """
    frame = variant.frame
    able = np.array([bool(variant.digests.get(label)) for label in frame["policy"].astype(str)], np.bool_)
    able &= ~needs_future(frame)
    able &= np.isfinite(numbers(frame, "cold_start_rate")) & np.isfinite(numbers(frame, "wasted_gb_s"))
    frame = frame[able].reset_index(drop=True)
    if len(frame) < 2:
        return None
    is_baseline = (frame["policy_value"] == BASELINE).to_numpy() if "policy_value" in frame else np.zeros(len(frame))
    other = int(np.argmax(is_baseline))
    waste, rate = numbers(frame, "wasted_gb_s"), numbers(frame, "cold_start_rate")
    rest = (waste != waste[other]) | (rate != rate[other])
    if not rest.any():
        return None
    cheap = rest & (waste <= waste[other])
    among = np.flatnonzero(cheap if cheap.any() else rest)
    policy = int(among[np.argmin(rate[among])])
    return str(frame["policy"][policy]), str(frame["policy"][other])


def differences_functions(
    variant: VariantOutcome, *, width_in: float = 7.0, policy: str | None = None, other: str | None = None
) -> Drawn | None:
    """Change in cold starts against change in wasted memory-time, a point a function.

    Args:
        variant: the outcome.
        width_in: inches.
        policy: a label; without it both are chosen by `compared_pair`.
        other: the label of the policy that it is held against.

    Returns:
        The figure; None if there are no two policies or functions to compare, or no function differs.
    """
    chosen = (policy, other) if policy is not None and other is not None else compared_pair(variant)
    if chosen is None:
        return None
    table = function_differences(variant, *chosen)
    change = np.column_stack([change_of(table, name) for name in ("wasted_gb_s", "cold")])
    differs = change.any(axis=1)
    if len(table) < 2 or not differs.any():
        return None
    one, two = (next(p for p in policies_of(variant) if p.label == label) for label in chosen)
    with house_style():
        height_in = 1.25 * panel_height_in(width_in)
        figure = blank(width_in, height_in)
        axes = figure.subplots()
        axes.set_title(f"{_short(one)} instead of {_short(two)}", loc="left", fontsize=8.0)
        axes.set_xlabel("change in wasted memory-time (GB-s)")
        axes.set_ylabel("change in cold starts")
        scales.apply(axes, "x", scales.choose_signed(change[:, 0], ticks=max(2, int(width_in / 1.7))))
        room, ticks = CORNER_IN / (height_in - 0.6), max(2, int(height_in / 1.1))
        scales.apply(axes, "y", scales.choose_signed(change[:, 1], ticks=ticks, room=room))
        _draw_points(axes, change[differs], one, two)
        _count_corners(axes, change)
        lay_out(figure, 0.0)
        figure.set_layout_engine("none")
    caption, alt = _words(change, one, two, by_rule=policy is None or other is None)
    return Drawn("differences_functions", "Which functions gain and which pay", caption, alt, figure)


def _draw_points(axes: Axes, change: FloatArray, one: Policy, two: Policy) -> None:
    """Points in the colour of the policy under which the function has fewer cold starts."""
    for line in (axes.axhline, axes.axvline):
        line(0.0, color=FAINT, linewidth=0.8, zorder=1.5)
    many = len(change) > RASTER_FROM
    colors = np.where(change[:, 1] < 0, one.look.color, np.where(change[:, 1] > 0, two.look.color, ALIKE_COLOR))
    axes.scatter(
        change[:, 0], change[:, 1], s=6.0 if many else 14.0, c=colors.tolist(), alpha=0.6, linewidths=0.0, zorder=3,
        rasterized=many,
    )  # fmt: skip


def _count_corners(axes: Axes, change: FloatArray) -> None:
    """How many functions there are in each corner, below the points."""
    for along, waste in ((-1, "less waste"), (1, "more waste")):
        for up, cold in ((-1, "fewer cold starts"), (1, "more cold starts")):
            count = _count(change, along, up)
            axes.annotate(
                f"{waste}\n{cold}\n{count:,} function{'' if count == 1 else 's'}", (0.5 + 0.5 * along, 0.5 + 0.5 * up),
                xycoords="axes fraction", xytext=(-4 * along, -4 * up), textcoords="offset points", fontsize=SMALL,
                color="#555555", ha="left" if along < 0 else "right", va="bottom" if up < 0 else "top", zorder=1.6,
            )  # fmt: skip


def _count(change: FloatArray, along: int, up: int) -> int:
    """Functions whose waste and cold starts change in these directions."""
    return int(((np.sign(change[:, 0]) == along) & (np.sign(change[:, 1]) == up)).sum())


def _words(change: FloatArray, one: Policy, two: Policy, *, by_rule: bool) -> tuple[str, str]:
    alike = len(change) - int(change.any(axis=1).sum())
    caption = sentences(
        f"what changes for each function if {one.said} takes the place of {two.said}: wasted memory-time (along, GB-s)"
        " and cold starts (up); below the middle functions gain, above it they pay",
        f"points have the colour of the policy under which the function has fewer cold starts; {alike:,} functions for"
        " which nothing changes are left out" if alike else "points have the colour of the policy under which the"
        " function has fewer cold starts",
        f"the reference is {two.said} (the fixed 10-minute window, else the first policy); {one.said} has the lowest"
        " cold-start rate of the policies that waste no more than it, or of all if every one wastes more; policies that"
        " know the future are not considered" if by_rule else "",
    )  # fmt: skip
    fewer, more = int((change[:, 1] < 0).sum()), int((change[:, 1] > 0).sum())
    less, greater = int((change[:, 0] < 0).sum()), int((change[:, 0] > 0).sum())
    alt = sentences(
        f"points of the change by function from {two.said} to {one.said}",
        f"{fewer:,} functions have fewer cold starts ({np.abs(change[change[:, 1] < 0, 1]).sum():,.0f} in all)"
        f" and {more:,} more ({change[change[:, 1] > 0, 1].sum():,.0f})",
        f"{less:,} waste less memory-time and {greater:,} more",
    )
    return caption, alt


def _short(policy: Policy) -> str:
    return drawable(shortened(policy.label, 24))


def _cold(policy: Policy) -> FloatArray:
    mean: FloatArray = policy.functions("cold").mean(axis=0)
    return mean


def _wasted_s(policy: Policy) -> FloatArray:
    mean: FloatArray = (policy.functions("idle_s") + policy.functions("unawaited_start_s")).mean(axis=0)
    return mean


def _user_cost_usd(policy: Policy) -> FloatArray:
    mean: FloatArray = policy.functions("user_cost_usd").mean(axis=0)
    return mean
