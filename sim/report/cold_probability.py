"""The figure of measured and predicted cold-start probabilities by arrival rate."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sim.report import scales
from sim.report.metrics import printable
from sim.report.palette import Look, looks
from sim.report.style import POINTS_PER_INCH, SMALL, TEXT_COLOR, house_style

APART: Final = 1.05
"""How far neighbours at one rate stand apart, as a ratio of rates."""
MEASURED: Final = ("measured_p_cold", "measured_low", "measured_high")
MODEL: Final = ("p_cold", "p_cold_low", "p_cold_high")


def cold_probability(frame: pd.DataFrame, notes: Mapping[str, str], *, width_in: float = 7.0) -> Figure:
    """P(cold) against arrival rate, both logarithmic: measured with its interval, the models beside it.

    Args:
        frame: a row a rate and model: `rate`, `model`, `p_cold`, `p_cold_low` and `p_cold_high` (its range over
            replications; NaN where nothing is drawn), `measured_p_cold`, `measured_low`, `measured_high`. Rows without
            a measured probability are joined to a line, a line a model.
        notes: sentences to set below the figure; none for a paper, which has its caption.
        width_in: inches.
    """
    foot = _foot(notes, width_in)
    foot_in = len(foot) * SMALL * 1.25 / POINTS_PER_INCH
    with house_style():
        figure = Figure(figsize=(width_in, 0.6 * width_in + foot_in))
        FigureCanvasAgg(figure)  # measures text
        axes = figure.subplots()
        axes.set(xlabel="calls a second", ylabel="P(cold)")
        _set_scales(axes, frame)
        _draw_models(axes, frame)
        axes.legend(frameon=False, loc="lower left")
        figure.text(0.05, 0.04, "\n".join(foot), transform=figure.dpi_scale_trans, fontsize=SMALL, color="#555555",
                    va="bottom", in_layout=False)  # fmt: skip
        below = (foot_in + 0.06) / figure.get_figheight()
        figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _set_scales(axes: Axes, frame: pd.DataFrame) -> None:
    probabilities = frame[[*MEASURED, *MODEL]].to_numpy(np.float64).ravel()
    scales.apply(axes, "x", scales.choose(frame["rate"].to_numpy(np.float64)))
    scales.apply(axes, "y", scales.choose(probabilities, most=1.0))


def _draw_models(axes: Axes, frame: pd.DataFrame) -> None:
    measured = frame[frame["measured_p_cold"].notna()]
    _draw(axes, measured.drop_duplicates("rate"), MEASURED, "measured, 95 % interval", Look(TEXT_COLOR, "o", ""), 1.0)
    names = [str(model) for model in frame["model"].unique()]
    for i, (name, look) in enumerate(looks(names).items()):
        rows = frame[frame["model"] == name]
        line = rows[rows["measured_p_cold"].isna()]
        axes.plot(line["rate"], line["p_cold"], color=look.color, linestyle=look.dash, linewidth=1.0, zorder=1.5)
        rows = rows[rows["measured_p_cold"].notna()]
        drawn = ": mean, 95 % of replications" if rows["p_cold_low"].notna().any() else ""
        beside = APART ** ((i // 2 + 1) * (-1) ** i)  # right and left by turns
        _draw(axes, rows, MODEL, f"{printable(name)}{drawn}", look, beside)


def _draw(axes: Axes, rows: pd.DataFrame, names: tuple[str, str, str], label: str, look: Look, beside: float) -> None:
    value, low, high = (rows[name].to_numpy(np.float64) for name in names)
    axes.errorbar(
        rows["rate"] * beside, value, np.nan_to_num(np.stack([value - low, high - value])), label=label,
        color=look.color, marker=look.marker, markersize=4.0, markerfacecolor=look.color if beside == 1.0 else "white",
        linestyle="none", elinewidth=1.0, capsize=2.5, zorder=3, clip_on=False,
    )  # fmt: skip


def _foot(notes: Mapping[str, str], width_in: float) -> list[str]:
    text = printable(". ".join(s[:1].upper() + s[1:] for s in notes.values()) + ".") if notes else ""
    return wrap(text, int(width_in * POINTS_PER_INCH / (0.54 * SMALL)))
