"""The report's files and the text of its page; what a browser makes of it is in test_report_browser.py."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from comparisons import day
from outcomes import MANIFEST, NASTY, a_day, empty, many, of_frame, of_runs, several, unnamed, untrusted

from sim.policies import FixedWindow, KeepForever, NoKeepAlive
from sim.report import wording
from sim.report.gallery import Drawn, gallery
from sim.report.report import markdown, write_report
from sim.results.outcome import Outcome, VariantOutcome
from sim.workload import load_trace
from sim.workload.trace import Trace

VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """A page as tags, texts and attributes; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(outcome: Outcome, folder: Path) -> str:
    named = outcome.title != NASTY
    write_report(outcome, folder, draw=gallery if named else unnamed)
    return (folder / "report.html").read_text("utf-8")


OUTCOMES = {
    "a day": a_day,
    "20 policies": lambda: many(20),
    "variants": several,
    "untrusted": untrusted,
    "empty": empty,
}


@pytest.mark.parametrize("make", OUTCOMES.values(), ids=OUTCOMES)
def test_the_page_is_whole_and_asks_for_nothing_outside_it(make, tmp_path: Path) -> None:
    page = Page(page_of(make(), tmp_path))
    assert page.tags[0][0] == "html"
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href"):
            if name in attributes:
                assert re.match(r"#|data:", attributes[name]), (tag, attributes[name])
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_files_are_named_and_no_other_is_left(tmp_path: Path) -> None:
    files = write_report(a_day(), tmp_path / "new")
    figures = [f"figures/{name}.{kind}" for name in ("pareto", "cost") for kind in ("png", "svg")]
    names = [*figures, "table.tex", "table.md", "report.html"]
    assert [str(file.relative_to(tmp_path / "new")) for file in files] == names
    assert sorted(file for file in (tmp_path / "new").rglob("*") if file.is_file()) == sorted(files)


def test_figures_of_several_variants_have_folders_of_their_own(tmp_path: Path) -> None:
    files = write_report(several(), tmp_path)
    assert [file.parent.name for file in files if file.suffix == ".svg"] == ["v1", "v1", "v2", "v2"]


def test_the_same_outcome_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = write_report(a_day(), tmp_path / "a"), write_report(a_day(), tmp_path / "b")
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in other]


def test_nothing_tells_when_or_where_it_ran(tmp_path: Path) -> None:
    elsewhere = MANIFEST | {"host": {"name": "other"}, "started": "later", "seconds": 1.0}
    text = page_of(a_day(), tmp_path / "a")
    outcome = a_day()
    again = Outcome(outcome.variants, outcome.title, outcome.config_yaml, elsewhere)
    assert page_of(again, tmp_path / "b") == text
    assert "some-host" not in text


def test_the_security_policy_lets_in_its_own_style_and_script_only(tmp_path: Path) -> None:
    text = page_of(untrusted(), tmp_path)
    [policy] = [m["content"] for m in Page(text).all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_names_show_literally(tmp_path: Path) -> None:
    text = page_of(untrusted(), tmp_path)
    page = Page(text)
    assert [image["src"][:5] for image in page.all("img")] == ["data:"] * 4
    assert len(page.all("script")) == len(page.all("style")) == 1
    for name in (NASTY, '"><script>alert(2)</script>', "a&b", "عربي 中文", "$x_1$ \\input{y} {{ 7*7 }}", "x" * 300):
        assert name in page.text
    assert "\u202e" not in text
    assert "The platform: {{ 7*7 }}." in page.text


def test_a_stranger_is_told_what_was_compared_on_what_and_how_sure_it_is(tmp_path: Path) -> None:
    text = Page(page_of(a_day(), tmp_path)).text
    for said in (
        "A call that has to wait until a new instance has started is a cold start",
        "This page compares 7 such policies by simulation, each on the same calls: no_keep_alive, fixed_1m, ",
        "The workload: 458,123 calls of 400 functions in 260 apps over 24 h (traces/default).",
        "How sure this is: ± half-widths of 95 % t intervals over 10 replications.",
        "Fewest cold starts: keep_forever (0.21 %).",
        "★ knows the future",
    ):
        assert said in text


def test_how_to_reproduce_it(tmp_path: Path) -> None:
    text = Page(page_of(a_day(), tmp_path)).text
    assert "keepwarm run 'policy=[fixed_1m,fixed_10m]' 'workload.path=my traces/$x'\n" in text
    assert "0.1.0" in text
    assert "0123456789abcdef" not in text  # a commit that changes nothing would change the page
    assert "hash feedface; licence: CC-BY-4.0" in text
    assert "seed: 7" in text


def test_numbers_are_sorted_by_at_full_precision(tmp_path: Path) -> None:
    frame = day()
    frame.loc[0, "cold_start_rate"] = 0.1 + 0.2
    frame.loc[1, "cold_start_rate"] = np.nan
    page = Page(page_of(Outcome([of_frame(frame)]), tmp_path))
    orders = [cell["data-order"] for cell in page.all("td") if "data-order" in cell]
    assert orders[0] == "0.30000000000000004"
    assert orders[8] == ""


def test_what_failed_is_said_first(tmp_path: Path) -> None:
    text = Page(page_of(empty(), tmp_path)).text
    assert text.index("Not everything ran") < text.index("fixed_1m: no memory") < text.index("The policies")


def test_many_policies_have_sentences_that_are_folded_away(tmp_path: Path) -> None:
    text = page_of(many(20), tmp_path)
    assert "The other policies in words" in text
    assert "This page compares 20 such policies by simulation, each on the same calls." in Page(text).text


def test_variants_are_at_a_glance_first(tmp_path: Path) -> None:
    page = Page(page_of(several(), tmp_path))
    assert "in 2 variants of workload and platform" in page.text
    assert [link["href"] for link in page.all("a")][1:4] == ["#variants", "#v1", "#v2"]


def test_a_drawing_too_large_is_a_picture_in_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'src="data:image/svg+xml;base64,' in page_of(a_day(), tmp_path)
    monkeypatch.setattr("sim.report.report.LARGEST_SVG", 1000)
    assert 'src="data:image/png;base64,' in page_of(a_day(), tmp_path)


def test_a_picture_of_the_page_is_the_file(tmp_path: Path) -> None:
    image = Page(page_of(a_day(), tmp_path)).all("img")[0]
    content = base64.b64decode(image["src"].partition(",")[2])
    assert content == (tmp_path / "figures" / "pareto.svg").read_bytes()
    assert ET.fromstring(content).tag.endswith("svg")
    assert int(image["width"]) == 7 * 96


def test_other_figures_may_be_drawn(tmp_path: Path) -> None:
    def twice(variant: VariantOutcome) -> Iterator[Drawn]:
        for drawn in gallery(variant):
            yield drawn
            yield Drawn("again", "<b>", "caption & more", 'a "quote"', drawn.figure)

    write_report(a_day(), tmp_path, draw=twice)
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.all("img")[1]["alt"] == 'a "quote"'
    assert "caption & more" in page.text
    assert (tmp_path / "figures" / "again.svg").exists()


def test_a_file_that_cannot_be_written_leaves_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        write_report(a_day(), tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_markdown_of_several_variants_has_their_labels_and_notes() -> None:
    text = markdown(several())
    assert text.startswith("## platform=fast, seed=1\n\n| policy |")
    assert "\n458,123 calls of 400 functions in 260 apps over 24 h \\(traces/default\\).\n" in text
    assert "\n## platform=\\<img src=x onerror=alert\\(1\\)\\>\n" in text


def test_real_runs_name_the_functions_that_fare_most_differently(tmp_path: Path) -> None:
    arrivals = [0.0, 30.0, 60.0, 0.0, 700.0, 0.0]
    trace = Trace.from_arrays([0, 0, 0, 1, 1, 2], arrivals, 0.5)
    policies = {"ten": FixedWindow(600.0), "forever": KeepForever()}
    outcome = of_runs(trace, policies)
    text = Page(page_of(outcome, tmp_path)).text
    assert "Where forever and ten differ most" in text
    names = list(trace.functions["name"])
    section = text[text.index("Of 3 called functions, the 3 whose") :]
    assert min(names, key=section.index) == names[1]  # cold twice with ten minutes, once forever


def test_a_report_of_a_real_trace(shared: Path, tmp_path: Path) -> None:
    trace = load_trace(shared / "traces" / "azure2019_100f_8h", format="azure2019").slice(0, 3600)
    outcome = of_runs(trace, {"one": FixedWindow(60.0), "ten": FixedWindow(600.0)})
    page = Page(page_of(outcome, tmp_path))
    shown = [cell["data-order"] for cell in page.all("td") if "data-order" in cell]
    expected = outcome.variants[0].frame["cold_start_rate"].tolist()
    assert [float(shown[0]), float(shown[8])] == expected


def test_functions_that_were_never_called_are_no_rows(tmp_path: Path) -> None:
    trace = Trace.from_arrays([0, 0], [0.0, 300.0], 0.5, functions=pd.DataFrame({"name": ["called", "silent"]}))
    text = Page(page_of(of_runs(trace, {"none": NoKeepAlive(), "ten": FixedWindow(600.0)}), tmp_path)).text
    assert "Of 1 called functions" in text
    assert "silent" not in text


def test_who_has_calls_that_queue_rather_than_start_is_told() -> None:
    frame = pd.DataFrame(
        {"policy": ["late", "window"], "needs_future": False, "cold_start_rate": [0.1, 0.2], "cold_starts": [1.0, 2.0],
         "wasted_gb_s": [5.0, 4.0], "queued": [3.0, 2.0]}
    )  # fmt: skip
    [*_, last] = wording.findings(frame)
    assert last.startswith("Under late more calls waited for something else than a cold start")
    assert not any("waited" in said for said in wording.findings(frame.assign(queued=[1.0, 2.0])))
