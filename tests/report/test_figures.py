"""The Pareto figure: what is on the front, what is named where, and the same bytes for the same comparison."""

import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from comparisons import NOTES, day, scattered
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from sim.report.figures import pareto, pareto_front, save_figure
from sim.report.labels import Scene, overlapping, place
from sim.report.palette import looks
from sim.report.scales import choose

NAN = np.nan


def front(*points: tuple[float, float]) -> list[bool]:
    x, y = np.array(points, float).reshape(-1, 2).T
    return pareto_front(x, y).tolist()


def named_beside(figure: Figure) -> list[Annotation]:
    return [child for child in figure.axes[0].get_children() if isinstance(child, Annotation)]


def names(figure: Figure) -> set[str]:
    legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return {name.get_text() for name in named_beside(figure)} | set(legend)


# The front


def test_a_point_worse_in_both_is_beaten() -> None:
    assert front((0, 3), (1, 1), (2, 2), (3, 0)) == [True, True, False, True]


def test_a_point_as_good_in_one_and_worse_in_the_other_is_beaten() -> None:
    assert front((1, 1), (2, 1), (1, 2)) == [True, False, False]


def test_equal_points_are_on_the_front_together_or_not_at_all() -> None:
    assert front((1, 1), (1, 1)) == [True, True]
    assert front((2, 2), (2, 2), (1, 1)) == [False, False, True]


def test_a_point_without_a_value_is_out_of_the_question() -> None:
    assert front((NAN, 0), (0, NAN), (1, 1)) == [False, False, True]
    assert front() == []


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_the_front_is_what_its_definition_says(points: list[tuple[int, int]]) -> None:
    expected = [not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points) for p in points]
    assert front(*points) == expected


# Names


@pytest.mark.parametrize("width_in", [3.4, 7.0])
@pytest.mark.parametrize("frame", [day(), day(intervals=True), scattered(2), scattered(9), day().iloc[3:4]])
def test_names_beside_points_cover_neither_each_other_nor_a_marker(frame: pd.DataFrame, width_in: float) -> None:
    figure = pareto(frame, NOTES, width_in=width_in)
    boxes = np.array([name.get_window_extent().extents for name in named_beside(figure)])
    assert len(boxes) == len(frame)
    assert not overlapping(boxes)
    x, y = figure.axes[0].transData.transform(frame[["wasted_normalised", "cold_start_rate"]].to_numpy() * [1, 100]).T
    for left, bottom, right, top in boxes:
        assert not ((left < x) & (x < right) & (bottom < y) & (y < top)).any()
    assert (boxes[:, :2] >= figure.axes[0].get_window_extent().min).all()
    assert (boxes[:, 2:] <= figure.bbox.max).all()


@pytest.mark.parametrize(
    ("n", "label"), [(20, "policy {}"), (40, "policy {}"), (8, "a label of some length, number {}")]
)
@pytest.mark.parametrize("width_in", [3.4, 7.0])
def test_names_that_do_not_fit_go_into_a_legend(n: int, label: str, width_in: float) -> None:
    figure = pareto(scattered(n, label), NOTES, width_in=width_in)
    assert {" ".join(name.split()) for name in names(figure)} == {label.format(i) for i in range(n)}
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.axes[0].get_tightbbox().y0


def test_names_show_literally() -> None:
    frame = day()
    frame.loc[1, "policy"] = "_$x_1$ \\alpha"
    assert "_$x_1$ \\alpha" in names(pareto(frame, NOTES))
    frame = scattered(20, "_$x_{}$")
    assert names(pareto(frame, NOTES)) == set(frame["policy"])


def test_there_is_no_place_for_a_name_larger_than_the_picture() -> None:
    scene = Scene(np.array([0.0, 0, 100, 100]), np.empty((0, 4)), np.empty((0, 4)), near=3, step=5)
    assert place(np.array([[50.0, 50]]), np.array([[200.0, 10]]), scene) is None
    assert place(np.empty((0, 2)), np.empty((0, 2)), scene).shape == (0, 4)


# What the picture says


def test_no_call_started_is_no_reason_to_fail() -> None:
    figure = pareto(day().assign(cold_start_rate=NAN), NOTES)
    assert "no policy has a value for both" in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_policies_that_are_all_equal_are_all_named(value: float) -> None:
    frame = day().assign(cold_start_rate=value, wasted_normalised=value)
    assert names(pareto(frame, NOTES)) == set(frame["policy"])


def test_a_policy_without_values_is_named_in_the_foot() -> None:
    frame = day()
    frame.loc[0, "cold_start_rate"] = NAN
    assert "Not drawn, having no value: no_keep_alive." in foot(pareto(frame, NOTES))


def test_a_figure_without_notes_is_bare() -> None:
    assert foot(pareto(day(), {})) == ""


def test_a_policy_that_knows_the_future_keeps_no_other_off_the_front() -> None:
    frame = day()
    assert front_marker(pareto(frame, NOTES), "fixed_10m") == "white"
    frame["needs_future"] = frame["policy"] == "clairvoyant"
    assert front_marker(pareto(frame, NOTES), "fixed_10m") != "white"
    assert "star: knows the future" in foot(pareto(frame, NOTES))


def test_only_a_policy_that_knows_the_future_is_a_star() -> None:
    frame = scattered(80)
    frame["needs_future"] = frame["policy"] == "policy 7"
    stars = [line for line in pareto(frame, NOTES).axes[0].lines if line.get_marker() == "*"]
    assert [line.get_xydata().tolist() for line in stars] == [
        [[frame["wasted_normalised"][7], 100 * frame["cold_start_rate"][7]]]
    ]


def test_the_axis_of_a_rate_ends_at_all_and_leaves_room_for_names() -> None:
    frame = day()
    frame.loc[0, "cold_start_rate"] = 1.0
    axes = pareto(frame, NOTES).axes[0]
    assert axes.spines["left"].get_bounds() == (axes.get_ylim()[0], 100.0)
    assert axes.get_ylim()[1] > 100.0
    assert axes.spines["bottom"].get_bounds() == axes.get_xlim()


def test_waste_is_absolute_where_the_baseline_wasted_nothing() -> None:
    figure = pareto(day().assign(wasted_normalised=NAN), NOTES)
    assert figure.axes[0].get_xlabel() == "wasted memory-time (GB-s)"


@pytest.mark.parametrize("width_in", [3.4, 7.0])
def test_the_figure_is_as_wide_as_asked(width_in: float) -> None:
    assert pareto(scattered(20), NOTES, width_in=width_in).get_figwidth() == width_in


def foot(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts).replace("\n", " ")


def front_marker(figure: Figure, label: str) -> object:
    row = list(day()["policy"]).index(label)
    x, y = day()[["wasted_normalised", "cold_start_rate"]].to_numpy()[row] * [1, 100]
    [marker] = [
        line for line in figure.axes[0].lines
        if line.get_marker() not in ("None", None) and np.allclose(line.get_xydata(), [x, y])
    ]  # fmt: skip
    return marker.get_markerfacecolor()


# Axes


def test_zero_stands_apart_from_a_logarithmic_axis() -> None:
    scale = choose(np.array([0.0, 0.21, 1, 28]))
    assert (scale.kind, scale.start, scale.ticks) == ("broken", 0.1, (0.0, 0.1, 1.0, 10.0))


def test_close_values_have_a_linear_axis() -> None:
    assert choose(np.array([0.0, 0.5, 1.0, 1.6])).kind == "linear"


def test_an_axis_over_decades_is_logarithmic_and_stops_at_its_most() -> None:
    scale = choose(np.array([2.0, 95.0]), most=100)
    assert (scale.kind, scale.ticks) == ("log", (2.0, 5.0, 10.0, 20.0, 50.0, 100.0))


@given(st.lists(st.just(0.0) | st.floats(1e-12, 1e9), min_size=1, max_size=8))
def test_every_value_is_inside_its_axis(values: list[float]) -> None:
    scale = choose(np.array(values))
    assert scale.low < min(values)
    assert max(values) < scale.high
    assert len(scale.ticks) <= 12


# Looks


def test_looks_are_unique_and_follow_the_order() -> None:
    labels = [f"policy {i}" for i in range(77)]
    all_of_them = looks(labels)
    assert len({(look.color, look.marker) for look in all_of_them.values()}) == 77
    assert len({(look.color, look.dash) for look in list(all_of_them.values())[:28]}) == 28
    assert looks(labels[:5]) == {label: all_of_them[label] for label in labels[:5]}


# Files


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path) -> None:
    first = save_figure(pareto(day(intervals=True), NOTES), tmp_path / "a" / "pareto")
    with mpl.rc_context({"font.size": 20, "savefig.dpi": 50, "svg.fonttype": "none"}):
        second = save_figure(pareto(day(intervals=True), NOTES), tmp_path / "b" / "pareto")
    assert [path.name for path in first] == ["pareto.png", "pareto.svg"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_files_name_neither_a_date_nor_a_version(tmp_path: Path) -> None:
    png, svg = save_figure(pareto(day(), NOTES), tmp_path / "v1.5")
    assert png.name == "v1.5.png"
    assert mpl.__version__.encode() not in png.read_bytes()[:2000]
    assert b"tEXt" not in png.read_bytes()
    assert "dc:date" not in svg.read_text()
    assert mpl.__version__ not in svg.read_text()


def test_a_label_is_never_markup_in_the_svg(tmp_path: Path) -> None:
    frame = day()
    frame.loc[0, "policy"] = "</g><script>alert(1)</script><!-- -- -->"
    _, svg = save_figure(pareto(frame, NOTES), tmp_path / "f")
    tags = {element.tag.rsplit("}")[-1] for element in ET.parse(svg).iter()}
    assert "script" not in tags


def test_settings_are_left_as_they_were() -> None:
    before = mpl.rcParams.copy()
    pareto(day(), NOTES)
    assert mpl.rcParams == before
