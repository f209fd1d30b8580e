"""A trace as a notebook shows it: its size, where it comes from, and what its reader had to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.core.html import facts_html, folded_html

if TYPE_CHECKING:
    from sim.workload.partitioned import PartitionedTrace
    from sim.workload.trace import Trace

LONGEST: Final = 160
"""Characters of a fact from a trace's `about`; longer ones are cut."""


def trace_html(trace: Trace) -> str:
    """The table of a trace and, folded, the load report of its reader."""
    facts = _size(trace)
    drawn = "drawn anew" if trace.is_random else "the same"
    facts.append(("arrivals", f"{drawn} in every replication"))
    if trace.calls_after_horizon:
        facts.append(("calls after the span", f"{trace.calls_after_horizon:,}"))
    return _with_origin("Trace", facts, trace.about)


def partitioned_html(trace: PartitionedTrace) -> str:
    """The table of a trace by function and, folded, the load report of its reader."""
    files = f"{len(trace.digests):,} in {trace.path}"
    return _with_origin("Trace by function", [*_size(trace), ("files", files)], trace.about)


def _size(trace: Trace | PartitionedTrace) -> list[tuple[str, str]]:
    calls, hours = len(trace), trace.horizon_s / 3600
    apps = len(trace.functions[["owner", "app"]].drop_duplicates())
    called = int((trace.calls_per_function > 0).sum())
    return [
        ("calls", f"{calls:,}"),
        ("functions", f"{len(trace.functions):,} of {apps:,} apps, {called:,} of them called"),
        ("span", f"{trace.horizon_s:,.10g} s ({hours:.3g} h)"),
    ]


def _with_origin(title: str, facts: list[tuple[str, str]], about: Mapping[str, Any]) -> str:
    report = about.get("report")
    table = facts_html(title, [*facts, *_origin(about)])
    if not isinstance(report, Mapping) or not report:
        return table
    rows = [(str(key).replace("_", " "), _text(value)) for key, value in report.items()]
    return table + folded_html("load report", facts_html("what the reader met", rows))


def _origin(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is said of the origin, but not at length."""
    return [(str(key), _text(value)) for key, value in about.items() if not isinstance(value, Mapping | list | tuple)]


def _text(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
