"""A trace as tables: what it is, quantiles, triggers, and what its reader had to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from math import ceil, isfinite
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sim.core.build import TARGET
from sim.report.metrics import MISSING, printable
from sim.workload.partitioned import PartitionedTrace
from sim.workload.statistics import Sample, TraceStatistics
from sim.workload.trace import Trace

RULES: Final = box.SIMPLE_HEAD
PLAIN_RULES: Final = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)

MOST_TRIGGERS: Final = 12
LONGEST: Final = 160
"""Characters of a fact from a trace's `about`; longer ones are cut."""

_SPANS: Final = ((172_800.0, 86_400.0, "days"), (7200.0, 3600.0, "h"), (120.0, 60.0, "min"))
_NOT_FACTS: Final = ("report", "recipe", "transforms", "traces", "path")


def trace_tables(statistics: TraceStatistics, facts: Mapping[str, str], report: Mapping[str, str]) -> list[Table]:
    """The tables of a trace: facts, quantiles, triggers, and the load report where there is one.

    Args:
        statistics: what was measured.
        facts: what else is known, by `facts_of`.
        report: of the reader, by `report_of`.
    """
    tables = [_pairs([*_measured(statistics), *facts.items()]), _quantiles(statistics)]
    if statistics.functions:
        tables.append(_triggers(statistics))
    if report:
        tables.append(_pairs(list(report.items()), title="load report"))
    return tables


def trace_text(statistics: TraceStatistics, facts: Mapping[str, str], report: Mapping[str, str]) -> str:
    """The same for a file or a pipe: no colours, no line drawing, no trailing blanks."""
    out = StringIO()
    console = Console(file=out, width=200, color_system=None, force_terminal=False, legacy_windows=False,
                      force_jupyter=False)  # fmt: skip
    for table in trace_tables(statistics, facts, report):
        table.box = PLAIN_RULES
        console.print(table, "")
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines()[:-1])


def facts_of(trace: Trace) -> dict[str, str]:
    """Where a trace comes from and what was done to it, as text that is safe to show."""
    facts = {"arrivals": "recorded: the same in every replication"}
    if trace.counts is not None:
        recipe = trace.counts.recipe
        facts["arrivals"] = (
            f"made from calls counted by the minute: {recipe.arrivals} arrivals, durations by {recipe.durations},"
            f" seed {recipe.seed}"
        )
    facts |= {str(key): _fact(value) for key, value in trace.about.items() if key not in _NOT_FACTS}
    done = trace.about.get("transforms")
    if isinstance(done, list | tuple) and done:
        facts["changed by"] = ", ".join(map(_fact, done))
    made = trace.about.get("recipe")
    if isinstance(made, Mapping) and TARGET in made:
        facts["recipe"] = str(made[TARGET]).rpartition(".")[2]
    return {printable(key): printable(value) for key, value in facts.items()}


def report_of(trace: Trace | PartitionedTrace) -> dict[str, str]:
    """The reader's load report, as text that is safe to show; empty if there is none."""
    report = trace.about.get("report")
    if not isinstance(report, Mapping):
        return {}
    return {printable(str(key)).replace("_", " "): printable(_fact(value)) for key, value in report.items()}


def number(value: float) -> str:
    """A number for a table: whole from 1000 on, else three significant digits; a dash for what there is not."""
    if not isfinite(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def span(seconds: float) -> str:
    """A time in seconds and, if that is easier to grasp, in a larger unit."""
    for least, unit_s, name in _SPANS:
        if seconds >= least:
            return f"{number(seconds)} s ({seconds / unit_s:.3g} {name})"
    return f"{number(seconds)} s"


def _fact(value: Any) -> str:
    if isinstance(value, Mapping) and TARGET in value:
        given = ", ".join(f"{key}={_fact(item)}" for key, item in value.items() if key != TARGET)
        text = f"{str(value[TARGET]).rpartition('.')[2]}({given})"
    elif isinstance(value, Mapping):
        text = ", ".join(f"{key}: {_fact(item)}" for key, item in value.items())
    else:
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _measured(statistics: TraceStatistics) -> list[tuple[str, str]]:
    s = statistics
    a_second = f", {number(s.calls / s.horizon_s)} a second" if s.horizon_s and s.calls else ""
    never = f", {s.never_called:,} never called" if s.never_called else ""
    facts = [
        ("calls", f"{s.calls:,}{a_second}"),
        ("functions", f"{s.functions:,} in {_several(s.apps, 'app')} of {_several(s.owners, 'owner')}{never}"),
        ("span", span(s.horizon_s)),
    ]
    if s.calls:
        head = ceil(0.01 * s.functions)
        some = f"{_several(head, 'function')} {'make' if head > 1 else 'makes'}"
        running = f"{number(s.mean_running)} on average, {s.peak_running:,} at most, if starts take no time"
        facts += [("busiest 1 %", f"{some} {100 * s.busiest_share:.1f} % of the calls"), ("calls running", running)]
    return facts


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _pairs(rows: Sequence[tuple[str, str]], title: str | None = None) -> Table:
    table = _table(title, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for what, value in rows:
        table.add_row(Text(what), Text(value))
    return table


def _quantiles(statistics: TraceStatistics) -> Table:
    table = _table(None)
    table.add_column("")
    for head in ("number", "min", "p25", "p50", "p75", "p90", "p99", "max"):
        table.add_column(head, justify="right", no_wrap=True)
    rows: list[tuple[str, Sample]] = [
        ("calls of a function", statistics.calls_per_function),
        ("variation of a function's gaps", statistics.gap_variation),
        ("duration of a call (s)", statistics.duration_s),
        ("mean duration of a function (s)", statistics.mean_duration_s),
        ("memory of a function (MB)", statistics.memory_mb),
        ("memory of an app (MB)", statistics.app_memory_mb),
    ]
    for what, sample in rows:
        table.add_row(what, f"{sample.size:,}", *map(number, sample.quantiles.tolist()))
    return table


def _triggers(statistics: TraceStatistics) -> Table:
    table = _table(None)
    table.add_column("trigger")
    for head in ("functions", "%", "calls", "%"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, functions, calls in shortened(statistics, MOST_TRIGGERS):
        shares = [_percent(functions, statistics.functions), _percent(calls, statistics.calls)]
        table.add_row(Text(printable(name)), f"{functions:,}", shares[0], f"{calls:,}", shares[1])
    return table


def shortened(statistics: TraceStatistics, most: int) -> list[tuple[str, int, int]]:
    """Name, functions and calls of the triggers with most calls; if there are more, the last row is all others."""
    rows = [(str(t), int(f), int(c)) for t, f, c in statistics.triggers.itertuples(index=False)]
    if len(rows) <= most:
        return rows
    rest = rows[most - 1 :]
    return [*rows[: most - 1], (f"{len(rest)} others", sum(row[1] for row in rest), sum(row[2] for row in rest))]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else MISSING


def _table(title: str | None, *, show_header: bool = True) -> Table:
    return Table(
        title=title, title_justify="left", box=RULES, show_header=show_header, show_edge=False, pad_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
