"""A table whose cells are text already, for the terminal and for a log file."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Final

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sim.report.metrics import printable
from sim.report.table import PLAIN_RULES, RULES

WIDTH: Final = 120
"""Columns of a log file."""


def text_table(frame: pd.DataFrame, notes: Mapping[str, str]) -> Table:
    """The table, and below it the notes, a line each; what repeats in the first column is said once."""
    table = Table(
        caption=Text("\n".join(map(printable, notes.values()))),
        caption_justify="left",
        box=RULES,
        show_edge=False,
        pad_edge=False,
    )
    for name in frame.columns:
        table.add_column(Text(printable(name)))
    before = None
    for row in frame.itertuples(index=False):
        cells = [Text(printable(str(cell))) for cell in row]
        table.add_row(*(cells if row[0] != before else [Text(""), *cells[1:]]))
        before = row[0]
    return table


def plain_text(frame: pd.DataFrame, notes: Mapping[str, str]) -> str:
    """The same for a file or a pipe: no colours, no line drawing, no trailing blanks."""
    table, out = text_table(frame, notes), StringIO()
    table.box = PLAIN_RULES
    console = Console(file=out, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False,
                      force_jupyter=False)  # fmt: skip
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
