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

from sim.report.metrics import printable
from sim.report.palette import looks
from sim.report.style import POINTS_PER_INCH, SMALL, TEXT_COLOR, house_style

APART: Final = 0.06
"""How far neighbours of one rate stand apart, as a share of it."""


def cold_probability(frame: pd.DataFrame, notes: Mapping[str, str], *, width_in: float = 7.0) -> Figure:
    """P(cold) against arrival rate, both logarithmic: measured with its interval, and each model beside it.

    Args:
        frame: a row a rate and model: `rate`, `model`, `p_cold`, `p_cold_low` and `p_cold_high` (its range over
            replications; NaN where nothing is drawn), `measured_p_cold`, `measured_low`, `measured_high`. A probability
            of 0 has no place on the axis, and is left out.
        notes: sentences to set below the figure; none for a paper, which has its caption.
        width_in: inches.
    """
    models = [str(model) for model in frame["model"].unique()]
    foot = _foot(notes, width_in)
    foot_in = len(foot) * SMALL * 1.25 / POINTS_PER_INCH
    with house_style():
        figure = Figure(figsize=(width_in, 0.55 * width_in + foot_in))
        FigureCanvasAgg(figure)  # measures text
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlabel="calls a second", ylabel="P(cold)")
        _draw_measured(axes, frame.drop_duplicates("rate"))
        for i, model in enumerate(models):
            shift = (i + 1) * (-1) ** i * APART  # left and right of the measured value by turns
            _draw_model(axes, frame[frame["model"] == model], model, looks(models)[model].color, 1.0 + shift)
        axes.set_xticks(frame["rate"].unique(), [f"{rate:g}" for rate in frame["rate"].unique()])
        axes.minorticks_off()
        axes.legend(frameon=False)
        figure.text(0.05, 0.04, "\n".join(foot), transform=figure.dpi_scale_trans, fontsize=SMALL, color="#555555",
                    va="bottom", in_layout=False)  # fmt: skip
        below = (foot_in + 0.06) / figure.get_figheight()
        figure.set_layout_engine("constrained", rect=(0, below, 1, 1 - below))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def _draw_measured(axes: Axes, rows: pd.DataFrame) -> None:
    _draw(axes, rows, ("measured_p_cold", "measured_low", "measured_high"), "measured, 95 % interval", TEXT_COLOR, 1.0)


def _draw_model(axes: Axes, rows: pd.DataFrame, model: str, color: str, at: float) -> None:
    drawn = " (mean, 95 % of replications)" if np.isfinite(rows["p_cold_low"]).any() else ""
    _draw(axes, rows, ("p_cold", "p_cold_low", "p_cold_high"), f"{printable(model)}{drawn}", color, at)


def _draw(axes: Axes, rows: pd.DataFrame, names: tuple[str, str, str], label: str, color: str, at: float) -> None:
    rows = rows[rows[names[0]] > 0]
    value, low, high = (rows[name].to_numpy(np.float64) for name in names)
    reach = np.nan_to_num(np.stack([value - low, high - value]))
    axes.errorbar(rows["rate"] * at, value, reach, label=label, color=color, linestyle="none", marker="o",
                  markersize=4.5, markerfacecolor=color if at == 1.0 else "white", elinewidth=1.0, capsize=2.5)  # fmt: skip


def _foot(notes: Mapping[str, str], width_in: float) -> list[str]:
    text = printable(". ".join(s[:1].upper() + s[1:] for s in notes.values()) + ".") if notes else ""
    return wrap(text, int(width_in * POINTS_PER_INCH / (0.54 * SMALL)))
