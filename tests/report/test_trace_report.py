"""The tables and figures of a trace: what they say, on any trace, and that names in it can do no harm."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sim.report.trace_figures import PANELS, figure, overview, trace_figures
from sim.report.trace_table import facts_of, number, report_of, shortened, span, trace_text
from sim.workload import Trace
from sim.workload.sampling import RandomSample
from sim.workload.statistics import trace_statistics

HOSTILE = "</g><script>alert(1)</script>$x^2$\n\x1b[31m[red]函"


def trace_of(calls: int = 200, functions: int = 10, about: dict[str, object] | None = None, name: str = "f") -> Trace:
    random = np.random.default_rng(0)
    table = pd.DataFrame({
        "name": [f"{name}{i}" for i in range(functions)], "trigger": [f"{name}{i % 20}" for i in range(functions)],
        "memory_mb": 64.0 + np.arange(functions),
    })  # fmt: skip
    made = Trace.from_arrays(
        random.zipf(1.5, calls).clip(1, functions) - 1, random.random(calls) * 3600.0,
        random.lognormal(0.0, 2.0, calls), functions=table, horizon_s=3600.0,
    )  # fmt: skip
    return Trace(made.function, made.arrival_s, made.duration_s, made.functions, 3600.0, about=about or {})


TRACES = {
    "empty": Trace.from_arrays([], [], []),
    "never called": Trace.from_arrays([], [], [], functions=pd.DataFrame({"name": ["a", "b"]}), horizon_s=100.0),
    "one call": Trace.from_arrays([0], [5.0], [1.0]),
    "one function": trace_of(300, 1),
    "no time": Trace.from_arrays([0, 0, 0], [0.0, 0.0, 0.0], 0.0),
    "ten functions": trace_of(),
    "many": trace_of(20_000, 10_000),
    "hostile": trace_of(name=HOSTILE),
}


def text_of(trace: Trace) -> str:
    return trace_text(trace_statistics(trace), facts_of(trace), report_of(trace))


def said(drawn: Figure) -> str:
    axes = [ax for part in (drawn.subfigs or [drawn]) for ax in part.axes]
    return " ".join(text.get_text() for ax in axes for text in ax.texts)


# Tables


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_has_a_table(name: str) -> None:
    text = text_of(TRACES[name])
    assert f"{len(TRACES[name]):,}" in text
    assert "nan" not in text
    assert all(line == line.rstrip() and line.isprintable() for line in text.splitlines())


def test_what_the_table_says() -> None:
    trace = Trace.from_arrays(
        ["a", "a", "b"], [0.0, 10.0, 20.0], [1.0, 2.0, 3.0], horizon_s=7200.0,
        functions=pd.DataFrame({"name": ["a", "b", "c"], "app": ["x", "x", "y"], "trigger": ["http", "http", "timer"]}),
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in text_of(trace).splitlines()]
    assert lines[:6] == [
        "calls 3, 0.000417 a second",
        "functions 3 in 2 apps of 1 owner, 1 never called",
        "span 7,200 s (2 h)",
        "busiest 1 % 1 function makes 66.7 % of the calls",
        "calls running 0.000833 on average, 1 at most, if starts take no time",
        "arrivals recorded: the same in every replication",
    ]
    assert "duration of a call (s) 3 1 1.5 2 2.5 2.8 2.98 3" in lines
    assert "http 2 66.7 3 100.0" in lines
    assert "timer 1 33.3 0 0.0" in lines


def test_where_a_trace_comes_from_is_told() -> None:
    about = {"licence": "CC0", "days": [1, 2], "path": "/secret", "report": {"rows_dropped": 1234, "x": {"y": 1}},
             "recipe": {"_target_": "a.b.Recipe", "seed": 3}}  # fmt: skip
    trace = RandomSample(share=1.0).apply(trace_of(about=about))
    assert facts_of(trace) == {
        "arrivals": "recorded: the same in every replication",
        "licence": "CC0",
        "days": "[1, 2]",
        "changed by": "RandomSample(functions=None, share=1.0, whole_apps=False, seed=0)",
        "recipe": "Recipe",
    }
    assert report_of(trace) == {"rows dropped": "1,234", "x": "y: 1"}
    assert "load report\nrows dropped" in text_of(trace)


def test_a_report_that_is_none_is_left_out() -> None:
    assert report_of(trace_of(about={"report": "all well"})) == {}


def test_many_triggers_are_cut_short() -> None:
    measured = trace_statistics(trace_of(5000, 40))
    rows = shortened(measured, 6)
    assert len(rows) == 6
    assert rows[-1][0] == "15 others"
    assert sum(row[1] for row in rows) == 40
    assert sum(row[2] for row in rows) == 5000
    assert len(shortened(measured, 20)) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00012345, "0.000123"), (12.345, "12.3"), (999.4, "999"), (1234.5, "1,234"), (float("nan"), "–")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (90, "90 s"),
        (600, "600 s (10 min)"),
        (28_800, "28,800 s (8 h)"),
        (1_209_600, "1,209,600 s (14 days)"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


# Figures


@pytest.mark.parametrize("name", TRACES)
def test_every_trace_has_every_figure(name: str, tmp_path: Path) -> None:
    files = trace_figures(trace_statistics(TRACES[name]), tmp_path / "new", "a title")
    assert sorted(path.name for path in files) == sorted(
        f"{stem}.{suffix}" for stem in ("overview", *PANELS) for suffix in ("png", "svg")
    )
    for path in files:
        assert path.stat().st_size < 500_000
        if path.suffix == ".svg":
            assert "script" not in {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}


def test_the_same_trace_gives_the_same_bytes(tmp_path: Path) -> None:
    measured = trace_statistics(TRACES["ten functions"])
    first, second = (trace_figures(measured, tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_ranks_of_functions() -> None:
    trace = Trace.from_arrays(np.repeat([0, 1, 2], [5, 100, 1]), np.arange(106), 0.0, functions=pd.DataFrame(
        {"name": list("abcd")}))  # fmt: skip
    drawn = figure(trace_statistics(trace), "calls_per_function")
    [line] = drawn.axes[0].lines
    assert np.asarray(line.get_xydata()).tolist() == [[1, 100], [2, 5], [3, 1]]
    assert drawn.axes[0].get_yscale() == "log"
    assert "busiest 1 %: 94 % of calls\n1 more are never called" in said(drawn)


def test_axes_over_decades_are_logarithmic() -> None:
    drawn = figure(trace_statistics(trace_of(20_000, 10_000)), "calls_per_function")
    assert (drawn.axes[0].get_xscale(), drawn.axes[0].get_yscale()) == ("log", "log")
    durations = figure(trace_statistics(trace_of(20_000)), "durations").axes[0]
    assert durations.get_xscale() == "log"
    assert len(durations.get_xticks()) <= 8


def test_cumulative_shares_end_at_all() -> None:
    drawn = figure(trace_statistics(trace_of()), "durations")
    for line in drawn.axes[0].lines:
        x, y = np.asarray(line.get_xydata()).T
        assert np.all(np.diff(x) >= 0)
        assert (y[0], y[-1]) == (0.0, 100.0)


def test_nothing_is_said_to_be_nothing() -> None:
    text = said(overview(trace_statistics(TRACES["empty"])))
    assert "no calls" in text
    assert "no functions" in text
    assert "no values" in text


@pytest.mark.parametrize(("horizon_s", "unit"), [(30.0, "s"), (3000.0, "min"), (86_400.0, "h"), (1e6, "days")])
def test_time_has_a_unit_that_fits(horizon_s: float, unit: str) -> None:
    trace = Trace.from_arrays([0, 0], [1.0, 2.0], 1.0, horizon_s=horizon_s)
    drawn = figure(trace_statistics(trace), "over_time")
    assert drawn.axes[1].get_xlabel() == f"time ({unit})"
