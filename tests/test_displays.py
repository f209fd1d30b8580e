"""What a notebook shows of a trace and a result: the numbers of the comparison table, and nobody's markup."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import IPython.display
import pandas as pd
import pytest
from command import small_counts

import sim
from sim.experiment.cells import Done
from sim.report.metrics import shown_columns
from sim.report.notebook_bar import NotebookBar

HOSTILE = '<script>alert(1)</script> & "q" \u202e\x1b[31m'
TRACE = sim.Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 400.0], [1.0, 2.0, 3.0])


class Cells(HTMLParser):
    """The rows of all tables, as text, and every tag that there is."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

        self.inside = tag in ("th", "td")

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data

    @property
    def table(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows}


def test_a_result_is_its_main_metrics() -> None:
    result = sim.simulate(TRACE, sim.policies.FixedWindow(600), sim.Platform(start_s=0.5))
    cells = Cells(result._repr_html_())
    assert cells.table["calls"] == "3"
    assert cells.table["cold starts (%)"] == "66.7"
    assert cells.table["latency P50 (ms)"] == "2,500"
    assert "pings" not in cells.table
    assert "<b>FixedWindow(window_s=600)</b>" in result._repr_html_()
    assert "seed 0, replication 0, measured from 0 s to 400 s" in result._repr_html_()


def test_what_only_some_runs_have_is_shown_where_they_have_it() -> None:
    pinged = sim.simulate(TRACE, sim.policies.PingWarmer(period_s=100.0, window_s=50.0), sim.Platform(start_s=0.5))
    assert int(Cells(pinged._repr_html_()).table["pings"]) == pinged.summary["pings"] > 0
    capped = sim.simulate(TRACE, sim.policies.FixedWindow(600), sim.Platform(start_s=0.5, max_instances=1))
    assert Cells(capped._repr_html_()).table["rejected"] == "1"


def test_names_and_units_are_those_of_the_comparison_table() -> None:
    result = sim.simulate(TRACE, sim.policies.FixedWindow(600))
    compared = {column.title for column in shown_columns(result.summary.to_frame().T)} - {"wasted, 10 min = 1"}
    assert compared <= set(Cells(result._repr_html_()).table)


def test_nothing_to_measure_is_a_dash() -> None:
    nothing = sim.simulate(sim.Trace.from_arrays([], [], []), sim.policies.FixedWindow(600))
    table = Cells(nothing._repr_html_()).table
    assert (table["calls"], table["cold starts (%)"], table["latency P99 (ms)"]) == ("0", "–", "–")


def test_a_trace_is_its_size_origin_and_report(tmp_path: Path) -> None:
    trace = sim.load_trace(small_counts(tmp_path / "azure"), arrivals="uniform")
    cells = Cells(trace._repr_html_())
    assert cells.table["calls"] == "12"
    assert ["functions", "2 of 2 apps, 2 of them called"] in cells.rows
    assert cells.table["span"] == "180 s (0.05 h)"
    assert cells.table["arrivals"] == "drawn anew in every replication"
    assert cells.table["format"] == "azure2019"
    report = {str(key).replace("_", " "): str(value) for key, value in trace.about["report"].items()}
    assert report.items() <= cells.table.items()
    assert Cells(TRACE._repr_html_()).table["arrivals"] == "the same in every replication"
    assert "details" not in Cells(TRACE._repr_html_()).tags


def test_calls_after_the_span_are_told() -> None:
    trace = sim.Trace.from_arrays(["f", "f"], [0.0, 10.0], 1.0, horizon_s=5.0)
    assert Cells(trace._repr_html_()).table["calls after the span"] == "1"


@pytest.mark.parametrize("where", ["about", "report", "policy"])
def test_names_are_no_markup(where: str) -> None:
    about = {"about": {HOSTILE: HOSTILE}, "report": {"report": {HOSTILE: HOSTILE}}}.get(where, {})
    result = sim.simulate(TRACE, sim.policies.FixedWindow(600))
    shown = (
        replace(result, about={**result.about, "policy": HOSTILE}) if where == "policy" else replace(TRACE, about=about)
    )
    html = shown._repr_html_()
    assert "alert(1)" in html
    assert set(Cells(html).tags) <= {"table", "caption", "b", "tbody", "tr", "th", "td", "details", "summary", "small"}
    assert html.isprintable()


def test_comparisons_stay_data_frames() -> None:
    table = sim.compare(TRACE, {"a": sim.policies.FixedWindow(600)}, sim.Platform(start_s=0.5))
    assert type(table) is pd.DataFrame


def test_an_outcome_is_its_comparisons_and_what_failed(tmp_path: Path) -> None:
    policies = {HOSTILE: sim.policies.FixedWindow(600), "b": sim.policies.FixedWindow(60)}
    platforms = {"fast": sim.Platform(start_s=0.5), HOSTILE: sim.Platform(start_s=5.0)}
    outcome = sim.run_experiment(tmp_path / "run", TRACE, policies, platforms, jobs=1)
    outcome = replace(outcome, failures=[HOSTILE])
    assert repr(outcome) == "<Outcome: 2 policies on 2 variants, 1 failures>"
    html = outcome._repr_html_()
    cells = Cells(html)
    assert set(cells.tags) <= {"p", "table", "caption", "b", "thead", "tbody", "tr", "th", "td"}
    assert cells.tags.count("tr") == 2 * 3
    assert html.count("cold starts (%)") == 2


def test_a_notebook_has_a_bar_that_tells_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    class Handle:
        def update(self, html: IPython.display.HTML) -> None:
            written.append(html.data)

    def display(html: IPython.display.HTML, display_id: bool) -> Handle:
        written.append(html.data)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    with NotebookBar() as bar:
        bar.read("a trace")
        bar.planned(3, 1)
        bar.done("<b>first</b>", Done("0", 10.0, 0.5, 1.0))
        assert '<progress value="1" max="2">' in written[-1]
        assert "1 of 2 runs, 0:00:00 gone, 0:00:00 left. &lt;b&gt;first&lt;/b&gt;" in written[-1]
        bar.done("second", Done("1", 10.0, 0.5, 1.0, "<i>broke</i>"))
    assert written[0].startswith('<div><progress value="0" max="1">')
    assert "one run was there already" in written[2]
    assert written[-1] == "<div>second: FAILED, &lt;i&gt;broke&lt;/i&gt;</div>"
