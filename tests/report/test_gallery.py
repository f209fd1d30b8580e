"""The gallery: every figure that has something to show, in order, whatever the names and however much there is."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from drawn_outcomes import HOSTILE, POLICIES, outcome, trace_of
from matplotlib.axis import Axis
from matplotlib.figure import Figure

import sim
from sim.report.figures import pareto, save_figure
from sim.report.function_differences import differences_functions
from sim.report.gallery import Drawn, function_differences, gallery
from sim.report.glyphs import drawable, figure_names, shortened
from sim.results.outcome import VariantOutcome
from sim.workload import Trace

ALL = ["pareto", "cost", "cold_by_app", "cold_by_function", "latency_tail", "instances", "memory", "phases", "triggers",
       "popularity", "differences_functions"]  # fmt: skip


@cache
def some() -> VariantOutcome:
    return outcome(trace_of())


def drawn(variant: VariantOutcome, width_in: float = 7.0) -> dict[str, Drawn]:
    return {each.name: each for each in gallery(variant, width_in=width_in)}


def texts(figure: Figure) -> list[str]:
    return [found.get_text() for found in figure.findobj(mpl.text.Text) if found.get_visible()]


def relabelled(variant: VariantOutcome, labels: Mapping[str, str]) -> VariantOutcome:
    frame = variant.frame.assign(policy=variant.frame["policy"].map(labels))
    return replace(variant, frame=frame, digests={labels[old]: runs for old, runs in variant.digests.items()})


def many(variant: VariantOutcome, n: int) -> VariantOutcome:
    """The same policies over and over under other names."""
    old = list(variant.frame["policy"])
    frame = pd.concat([variant.frame.iloc[[i % len(old)]] for i in range(n)], ignore_index=True)
    frame["policy"] = [f"policy {i}" for i in range(n)]
    return replace(variant, frame=frame, digests={f"policy {i}": variant.digests[old[i % len(old)]] for i in range(n)})


# What there is


def test_every_figure_has_words_in_the_order_of_the_report() -> None:
    made = drawn(some())
    assert list(made) == ALL
    for each in made.values():
        assert each.title
        assert each.caption.endswith(".")
        assert any(character.isdigit() for character in each.alt)
        assert each.caption.isprintable()


@pytest.mark.parametrize("width_in", [3.4, 7.0, 10.0])
def test_figures_are_as_wide_as_asked_and_nothing_leaves_them(width_in: float, tmp_path: Path) -> None:
    for each in gallery(some(), width_in=width_in):
        assert each.figure.get_figwidth() == width_in
        save_figure(each.figure, tmp_path / each.name)
        for axes in each.figure.axes:
            box = axes.get_tightbbox()
            assert box.y0 >= -1, each.name
            assert box.x0 >= -1, each.name
            assert box.x1 <= each.figure.bbox.x1 + 1, each.name
            assert all(legend.get_window_extent().y1 <= box.y0 for legend in each.figure.legends), each.name
            assert not any(numbers_overlap(axis) for axis in (axes.xaxis, axes.yaxis)), each.name


def numbers_overlap(axis: Axis) -> bool:
    """Whether two numbers of an axis, one after the other, lie upon each other."""
    labels = [tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_visible()]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    return any(one.overlaps(other) for one, other in pairwise(boxes))


def test_numbers_beside_zero_have_room_in_the_column_of_a_paper() -> None:
    two = {name: POLICIES[name] for name in ("fixed_10m", "fixed_1m")}
    made = differences_functions(outcome(trace_of(40, 3000, span_s=40_000.0), two), width_in=3.4)
    assert made is not None
    [axes] = made.figure.axes
    assert not numbers_overlap(axes.xaxis)
    assert not numbers_overlap(axes.yaxis)


def test_the_same_outcome_gives_the_same_bytes_and_words(tmp_path: Path) -> None:
    files = []
    for folder, settings in (("a", {}), ("b", {"font.size": 20, "savefig.dpi": 50, "text.parse_math": True})):
        with mpl.rc_context(settings):
            made = list(gallery(some(), width_in=3.4))
            files.append(
                [(p.name, p.read_bytes()) for d in made for p in save_figure(d.figure, tmp_path / folder / d.name)]
            )
            files[-1] += [(d.caption, d.alt) for d in made]
    assert files[0] == files[1]


def test_settings_are_left_as_they_were() -> None:
    before = mpl.rcParams.copy()
    list(gallery(some()))
    assert mpl.rcParams == before


# Robust


OF_ONE_FUNCTION = {"pareto", "cost", "latency_tail", "instances", "memory", "phases"}
TRACES = {
    "no calls": (Trace.from_arrays([], [], [], functions=pd.DataFrame({"name": ["a", "b"]}), horizon_s=100.0), set()),
    "one call": (Trace.from_arrays([0], [5.0], [1.0], horizon_s=100.0), OF_ONE_FUNCTION - {"latency_tail"}),
    "one function": (trace_of(1), OF_ONE_FUNCTION),
    "no time": (Trace.from_arrays([0, 0, 0], [0.0, 0.0, 0.0], 0.0), {"pareto", "cost", "latency_tail", "phases"}),
}


@pytest.mark.parametrize("name", TRACES)
def test_what_has_nothing_to_show_is_left_out(name: str, tmp_path: Path) -> None:
    trace, expected = TRACES[name]
    made = drawn(outcome(trace))
    assert set(made) == expected
    for each in made.values():
        save_figure(each.figure, tmp_path / each.name)


def test_where_every_call_is_rejected_there_is_little_to_show(tmp_path: Path) -> None:
    variant = some()
    nothing = {
        label: [replace(run, functions=run.functions.assign(started=0, cold=0, warm=0, queued=0), starts=0,
                        tail=run.tail.assign(latency_s=np.nan, wait_s=np.nan)) for run in runs]
        for label, runs in variant.digests.items()
    }  # fmt: skip
    made = drawn(replace(variant, frame=variant.frame.assign(cold_start_rate=np.nan), digests=nothing))
    assert list(made) == ["instances", "memory"]
    for each in made.values():
        save_figure(each.figure, tmp_path / each.name)


def test_a_policy_that_failed_is_named_and_changes_no_look() -> None:
    variant = some()
    frame = variant.frame.copy()
    frame.loc[1, frame.select_dtypes(float).columns] = np.nan
    failed = replace(variant, frame=frame, digests={k: v for k, v in variant.digests.items() if k != "fixed_1m"})
    for name, each in drawn(failed).items():
        if name != "differences_functions":
            assert "fixed_1m" in each.caption, name
    whole, part = (legend_colors(drawn(v)["latency_tail"].figure) for v in (variant, failed))
    assert part == {name: color for name, color in whole.items() if name != "fixed_1m"}


def legend_colors(figure: Figure) -> dict[str, object]:
    [legend] = figure.legends
    return {
        text.get_text(): line.get_color() for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }


def test_no_policy_ran() -> None:
    variant = some()
    assert list(gallery(replace(variant, frame=variant.frame.iloc[:0], digests={}))) == []
    assert [each.name for each in gallery(replace(variant, digests={}))] == ["pareto", "cost"]


@pytest.mark.parametrize("width_in", [3.4])
def test_names_can_do_no_harm(width_in: float, tmp_path: Path) -> None:
    variant = outcome(trace_of(18, names=HOSTILE), replications=1)
    variant = many(variant, len(HOSTILE))
    variant = relabelled(variant, dict(zip(variant.frame["policy"], HOSTILE, strict=True)))
    for each in gallery(variant, width_in=width_in):
        assert each.caption.isprintable()
        assert each.alt.isprintable()
        _, svg = save_figure(each.figure, tmp_path / each.name)
        assert "script" not in {element.tag.rpartition("}")[2] for element in ET.parse(svg).iter()}
    assert "$x_1$ \\alpha" in texts(drawn(variant)["latency_tail"].figure)


@pytest.mark.parametrize("n", [2, 20])
def test_any_number_of_policies_can_be_told(n: int, tmp_path: Path) -> None:
    for each in gallery(many(some(), n), width_in=3.4):
        said = " ".join(texts(each.figure)).split()
        if each.name != "differences_functions":
            assert {str(i) for i in range(n)} <= set(said), each.name


def test_ten_thousand_functions_make_small_files(tmp_path: Path) -> None:
    variant = outcome(trace_of(10_000, 30_000), {k: POLICIES[k] for k in ("fixed_10m", "fixed_1m")}, replications=1)
    for each in gallery(variant):
        for path in save_figure(each.figure, tmp_path / each.name):
            assert path.stat().st_size < 300_000, path.name


# Names


def test_long_names_keep_both_ends() -> None:
    assert shortened("a" * 30 + "b" * 40 + "c" * 30, 10) == "aaaaaa…ccc"
    assert shortened("as it is") == "as it is"
    assert shortened("") == "(no name)"
    assert shortened("a\nb") == "a\ufffdb"


def test_what_the_font_lacks_is_replaced_and_names_stay_apart() -> None:
    assert drawable("é مرحبا 函🙂") == "é مرحبا \ufffd\ufffd"
    names = figure_names(["a", "函数", "数函", "x" * 300, "x" * 200 + "y" + "x" * 99])
    assert names["a"] == "a"
    assert names["函数"] == "\ufffd\ufffd (no. 2)"
    assert len(set(names.values())) == 5


# On real data


def test_a_real_trace(shared: Path) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_100f_8h")
    policies = {k: POLICIES[k] for k in ("fixed_10m", "fixed_1m", "clairvoyant")}
    variant = outcome(trace, policies, replications=1)
    made = drawn(variant)
    assert list(made) == [name for name in ALL if name != "cold_by_app"] or list(made) == ALL
    table = function_differences(variant, "fixed_1m", "fixed_10m")
    totals = variant.frame.set_index("policy")
    for name, label in (("policy", "fixed_1m"), ("other", "fixed_10m")):
        assert table[f"cold_{name}"].sum() == totals["cold_starts"][label]
        assert table[f"wasted_gb_s_{name}"].sum() == pytest.approx(totals["wasted_gb_s"][label], rel=1e-12)
        assert table[f"user_cost_usd_{name}"].sum() == pytest.approx(totals["user_cost_usd"][label], rel=1e-12)


# The frontier


def test_the_frontier_is_drawn_beside_the_policies_in_the_units_of_the_figure() -> None:
    frame = pd.DataFrame({"policy": ["a", "b"], "cold_start_rate": [0.5, 0.1], "wasted_gb_s": [100.0, 1000.0],
                          "wasted_normalised": [0.1, 1.0]})  # fmt: skip
    frontier = pd.DataFrame(
        {"wasted_gb_s": [0.0, 50.0, 200.0, 500.0, 5000.0], "cold_start_rate": [1.0, 0.5, 0.3, 0.1, 0]}
    )
    figure = pareto(frame, {}, frontier=frontier)
    [line] = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert np.asarray(line.get_xydata()) == pytest.approx(np.array([[0.05, 50], [0.2, 30], [0.5, 10]]))
    assert "clairvoyant frontier" in texts(figure)
    assert "clairvoyant frontier" not in texts(pareto(frame, {}, frontier=frontier.iloc[:1]))
