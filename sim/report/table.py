"""The comparison table: for the terminal, for a log file and for a README."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Final

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sim.report.metrics import ShownColumn, printable, shown_columns

NARROWEST_LABEL: Final = 13
"""Columns that a policy's label keeps; a longer one goes on in the next line."""

EXPENDABLE: Final = ("wasted_gb_s", "latency_p50_s", "user_cost_per_million_usd", "app_cold_share_p75", "latency_p99_s")
"""What a narrow terminal goes without, first to last."""

RULES: Final = box.SIMPLE_HEAD
PLAIN_RULES: Final = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def comparison_table(frame: pd.DataFrame, notes: Mapping[str, str], *, width: int = 100) -> Table:
    """The table of a comparison, a row a policy, with 95 % half-widths below the values that have one.

    Args:
        frame: the comparison.
        notes: what was compared on what, and the source of the intervals; shown above and below.
        width: columns that the terminal has. What does not fit is left out, and named below the table.
    """
    labels = [printable(label) for label in frame["policy"].astype(str)]
    shown = list(shown_columns(frame))
    gap, label_width, kept = _fit(max(map(cell_len, ["policy", *labels])), shown, width)
    missing = [column.title for column in shown if column not in kept]
    table = Table(
        title=Text(printable(notes.get("workload", ""))),
        caption=Text(_caption(notes, missing)),
        title_justify="left",
        caption_justify="left",
        box=RULES,
        padding=(0, gap - 1, 0, 0),  # the divider is a blank of its own
        show_edge=False,
        pad_edge=False,
    )
    lines = max(len(column.head) for column in shown)
    table.add_column(_bottom(["policy"], lines), width=label_width, overflow="fold")
    for column in kept:
        table.add_column(_bottom(column.head, lines), width=column.width, justify="right", no_wrap=True)
    for row, label in enumerate(labels):
        table.add_row(Text(label), *(_cell(column.cells[row], column.halves[row]) for column in kept))
    return table


def comparison_text(frame: pd.DataFrame, notes: Mapping[str, str], *, width: int = 100) -> str:
    """The same table for a file or a pipe: no colours, no line drawing, no trailing blanks."""
    table = comparison_table(frame, notes, width=width)
    table.box = PLAIN_RULES
    out = StringIO()
    console = Console(
        file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False, force_jupyter=False
    )
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def comparison_markdown(frame: pd.DataFrame) -> str:
    """The same table in GitHub's Markdown."""
    shown = list(shown_columns(frame))
    head = ["policy", *(column.title for column in shown)]
    lines = [_row(head), _row(["---", *("---:" for _ in shown)])]
    for row, label in enumerate(frame["policy"].astype(str)):
        cells = (f"{column.cells[row]} {column.halves[row]}".rstrip() for column in shown)
        lines.append(_row([_code(printable(label)), *cells]))
    return "\n".join(lines) + "\n"


def _fit(longest: int, shown: Sequence[ShownColumn], width: int) -> tuple[int, int, list[ShownColumn]]:
    """The gap between columns, the width of the labels and the columns that fit."""
    kept = list(shown)
    for gap, expendable in ((2, ""), *((1, key) for key in ("", *EXPENDABLE))):
        kept = [column for column in kept if column.metric.key != expendable]
        room = width - sum(gap + column.width for column in kept)
        if room >= min(longest, NARROWEST_LABEL):
            break
    return gap, max(1, min(longest, room)), kept


def _caption(notes: Mapping[str, str], missing: Sequence[str]) -> str:
    lines = [notes[key] for key in ("platform", "baseline", "intervals") if notes.get(key)]
    if missing:
        lines.append(f"Left out for lack of room: {', '.join(missing)}")
    return "\n".join(map(printable, lines))


def _bottom(head: Sequence[str], lines: int) -> Text:
    return Text("\n" * (lines - len(head)) + "\n".join(head))


def _cell(value: str, half: str) -> Text:
    return Text.assemble(value, ("\n" + half, "dim")) if half else Text(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(label: str) -> str:
    """A code span: nothing in it is markup but the bar, which would end the cell."""
    longest = max(map(len, re.findall("`+", label)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest else ""
    return f"{fence}{blank}{label}{blank}{fence}".replace("|", r"\|") if label else ""
