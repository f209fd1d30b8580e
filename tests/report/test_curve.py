"""The window curve as table and figure: what is named, what is marked, and that an approximation says so."""

from math import inf
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import sim
from sim.report.curve import curve_figure, curve_table, normalised, window_label
from sim.report.figures import save_figure
from sim.report.labels import overlapping
from sim.results.window_curve import WindowCurve


def curve(*, start_s: float = 0.0) -> WindowCurve:
    """Gaps of a hundredth of a second to some hours."""
    arrival_s = np.cumsum(np.geomspace(0.01, 2e4, 300))
    return sim.window_curve(sim.Trace.from_arrays(["f"] * 300, arrival_s, 0.0), sim.Platform(start_s=start_s),
                            approximate=start_s > 0)  # fmt: skip


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize(
    ("window_s", "label"),
    [(0.0, "0 s"), (0.0015, "0.0015 s"), (60.0, "1 min"), (80.361, "80.4 s"), (120.0, "2 min"), (3600.0, "1 h"),
     (5400.0, "90 min"), (11_692.0, "3.25 h"), (86_400.0, "1 d"), (200_000.0, "2.31 d"), (inf, "∞")],
)  # fmt: skip
def test_windows_are_written_in_the_unit_they_are_grasped_in(window_s: float, label: str) -> None:
    assert window_label(window_s) == label


def test_the_table_has_the_usual_windows_and_the_knee() -> None:
    made = curve()
    table = curve_table(made)
    assert [w for w in table["window"] if "knee" not in w] == [
        "0 s", "1 min", "2 min", "5 min", "10 min", "20 min", "1 h", "2 h", "4 h", "∞",
    ]  # fmt: skip
    assert f"{window_label(made.knee())} (knee)" in set(table["window"])
    ten = table.set_index("window").loc["10 min"]
    assert ten["cold starts"] == f"{made.cold_starts(600.0):,}"
    assert ten["10 min = 1"] == "1"
    assert table["least possible GB-s"].iloc[0] == "0"


def test_waste_of_windows_that_waste_nothing_has_no_ratio() -> None:
    alone = sim.window_curve(sim.Trace.from_arrays(["f"], [0.0], 0.0))
    assert np.isnan(normalised(np.array([0.0, 1.0]), alone)).all()
    assert curve_table(alone)["10 min = 1"].tolist() == ["–"] * 10
    assert "knee" not in "".join(curve_table(alone)["window"])


@pytest.mark.parametrize("width_in", [3.4, 7.0])
def test_the_figure_marks_windows_and_the_knee_and_no_names_meet(width_in: float) -> None:
    figure = curve_figure(curve(), {"workload": "300 calls"}, width_in=width_in)
    said = texts(figure)
    assert {"fixed windows", "least possible (clairvoyant)", "10 min", "300 calls."} <= set(said)
    assert sum(text.startswith("knee: ") for text in said) == 2
    left, right = figure.axes
    for axes in (left, right):
        names = [text.get_window_extent().extents for text in axes.texts]
        assert not overlapping(np.array(names))
        assert all(np.all(n[:2] >= 0) and n[2] <= figure.bbox.width and n[3] <= figure.bbox.height for n in names)


def test_the_figure_of_an_approximation_says_so_without_notes_too() -> None:
    assert "An approximation: made as if it were not so that starts take time." in texts(curve_figure(
        curve(start_s=1.0), {}))  # fmt: skip
    assert not [text for text in texts(curve_figure(curve(), {})) if "approximation" in text]


@pytest.mark.parametrize(
    "calls", [[], [(0.0, 1.0)], [(0.0, 0.0), (0.0, 0.0)], [(0.0, 0.0), (1e-5, 0.0)], [(0.0, 0.0), (3e6, 0.0)]]
)
def test_figures_of_next_to_nothing(calls: list[tuple[float, float]], tmp_path: Path) -> None:
    arrival_s, duration_s = np.array(calls, np.float64).reshape(-1, 2).T
    made = sim.window_curve(sim.Trace.from_arrays(np.zeros(len(calls), int), arrival_s, duration_s))
    for width_in in (3.4, 7.0):
        assert len(save_figure(curve_figure(made, {}, width_in=width_in), tmp_path / "curve")) == 2


def test_names_of_a_workload_cannot_break_the_figure() -> None:
    assert "A\N{REPLACEMENT CHARACTER}b $x_1$." in texts(curve_figure(curve(), {"workload": "a\x1bb $x_1$"}))


def test_the_same_curve_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (save_figure(curve_figure(curve(), {}), tmp_path / name) for name in ("a", "b"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]
