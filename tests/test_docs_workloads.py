"""What docs/workloads.md shows is what is printed."""

import re
from pathlib import Path

from sim import load_trace
from sim.report.trace_table import facts_of, report_of, trace_text
from sim.workload.statistics import trace_statistics

PAGE = Path(__file__).resolve().parents[1] / "docs" / "workloads.md"


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_table_shown_is_what_is_printed() -> None:
    trace = load_trace("default")
    printed = trace_text(trace_statistics(trace), facts_of(trace), report_of(trace)).splitlines()
    [shown] = [text for language, text in blocks() if not language]
    for line in shown.splitlines():
        assert line == "..." or line in printed
