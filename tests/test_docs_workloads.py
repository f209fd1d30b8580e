"""Every example of docs/workloads.md runs, in order, in one folder."""

import re
import shlex
from pathlib import Path

import pytest
from command import keepwarm

from sim import load_trace
from sim.report.trace_table import facts_of, report_of, trace_text
from sim.workload.statistics import trace_statistics

PAGE = Path(__file__).resolve().parents[1] / "docs" / "workloads.md"


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "docs"}
    ran = {"python": 0, "console": 0}
    for language, text in blocks():
        if language == "python":
            exec(text, names)
        elif language == "console":
            for line in text.splitlines():
                _, *words = shlex.split(line)
                done = keepwarm(*words)
                assert done.status == 0, f"{line}\n{done.err}"
        ran[language] = ran.get(language, 0) + 1
    assert ran["python"] >= 5
    assert ran["console"] >= 4
    assert (tmp_path / "figures" / "overview.png").is_file()


def test_the_table_shown_is_what_is_printed() -> None:
    trace = load_trace("default")
    printed = trace_text(trace_statistics(trace), facts_of(trace), report_of(trace)).splitlines()
    [shown] = [text for language, text in blocks() if not language]
    for line in shown.splitlines():
        assert line == "..." or line in printed
