"""The figure of cold-start probabilities: what stands where, and the same bytes again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from sim.report.cold_probability import cold_probability
from sim.report.figures import save_figure

NAN = float("nan")
ROWS = [
    (0.01, "a", 0.2, NAN, NAN, 0.1, 0.05, 0.18),
    (0.01, "b", 0.1, 0.08, 0.13, 0.1, 0.05, 0.18),
    (0.1, "a", 0.02, NAN, NAN, 0.01, 0.002, 0.03),
    (0.1, "b", 0.01, 0.009, 0.012, 0.01, 0.002, 0.03),
    (0.03, "a", 0.06, NAN, NAN, NAN, NAN, NAN),
    (0.05, "a", 0.04, NAN, NAN, NAN, NAN, NAN),
]
COLUMNS = ["rate", "model", "p_cold", "p_cold_low", "p_cold_high", "measured_p_cold", "measured_low", "measured_high"]


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=COLUMNS).assign(**changes)


def series(figure: Figure) -> dict[str, tuple[list[float], list[float], list[float]]]:
    """What is drawn with error bars: rates, values and the heights of the bars, by label."""
    found = {}
    for container in figure.axes[0].containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, bars = container
        heights = [float(np.ptp(segment[:, 1])) for segment in bars[0].get_segments()]
        found[str(container.get_label())] = (list(line.get_xdata()), list(line.get_ydata()), heights)
    return found


def test_everything_stands_at_its_value_with_its_interval() -> None:
    found = series(cold_probability(frame(), {}))
    assert list(found) == ["measured, 95 % interval", "a", "b: mean, 95 % of replications"]
    rates, values, heights = found["measured, 95 % interval"]
    assert (rates, values) == ([0.01, 0.1], [0.1, 0.01])
    assert heights == pytest.approx([0.13, 0.028])
    rates, values, heights = found["b: mean, 95 % of replications"]
    assert rates == pytest.approx([0.01, 0.1], rel=0.06)
    assert rates != [0.01, 0.1]
    assert values == [0.1, 0.01]
    assert heights == pytest.approx([0.05, 0.003])
    assert found["a"][2] == [0.0, 0.0]


def test_rates_that_were_not_measured_are_a_line() -> None:
    lines = [line for line in cold_probability(frame(), {}).axes[0].lines if line.get_linestyle() == "-"]
    assert [list(line.get_xdata()) for line in lines if len(line.get_xdata())] == [[0.03, 0.05]]


def test_a_probability_of_zero_is_drawn_apart() -> None:
    axes = cold_probability(frame(p_cold=[0.2, 0.1, 0.0, 0.01, 0.06, 0.04]), {}).axes[0]
    assert axes.get_yscale() == "symlog"
    assert axes.get_ylim()[0] < 0


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    notes = {"wrong": "wrong flags: a $1$, b 2"}
    one, two = (save_figure(cold_probability(frame(), notes), tmp_path / name / "p") for name in ("1", "2"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
