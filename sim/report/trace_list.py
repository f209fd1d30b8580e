"""Lists of traces and of their files: a heading, a row each, and notes below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Final

from rich.box import Box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sim.report.metrics import printable
from sim.report.table import PLAIN_RULES, RULES

WIDEST: Final = {"what": 24, "sha256": 64}
"""Columns that may be wide, and how wide at most."""
WHOLE: Final = ("name", "file", "here", "usual")
"""Columns that never go on in the next line, however narrow the terminal."""
WIDTH: Final = 160
"""Columns of a log file: a checksum is to be found there in one piece."""


def trace_list(rows: Sequence[Mapping[str, str]], notes: Sequence[str], rules: Box = RULES) -> Group:
    """A list for the terminal.

    Args:
        rows: of equal keys, which are the headings; at least one.
        notes: a line each, below.
        rules: of the table.
    """
    table = Table(box=rules, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0]:
        table.add_column(Text(name), no_wrap=name in WHOLE, overflow="fold", max_width=WIDEST.get(name))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row.values()))
    return Group(table, "", *(Text(printable(note)) for note in notes))


def list_text(rows: Sequence[Mapping[str, str]], notes: Sequence[str]) -> str:
    """The same for a file or a pipe: no colours, no line drawing, no trailing blanks."""
    out = StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False,
                      force_jupyter=False)  # fmt: skip
    console.print(trace_list(rows, notes, PLAIN_RULES), soft_wrap=False)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
