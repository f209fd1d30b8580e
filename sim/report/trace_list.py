"""Lists of traces and of their files: a heading, a row each, and notes below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Final

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sim.report.metrics import printable
from sim.report.table import PLAIN_RULES, RULES

WIDEST: Final = {"what": 24, "sha256": 64}
"""Columns that go on in the next line where there is no room, and how wide they are at most; others stay whole."""
NARROWEST: Final = 16
"""Columns that each of these keeps."""
EXPENDABLE: Final = ("format", "functions", "licence", "span")
"""What a narrow terminal goes without, first to last."""
WIDTH: Final = 160
"""Columns of a log file: a checksum is to be found there in one piece."""

_GAP: Final = 2


def trace_list(rows: Sequence[Mapping[str, str]], notes: Sequence[str], *, width: int, rules: Box = RULES) -> Group:
    """A list for the terminal.

    Args:
        rows: of equal keys, which are the headings; at least one.
        notes: a line each, below.
        width: columns that there are; headings that do not fit are left out, and named below.
        rules: of the table.
    """
    kept = _fit(rows, width)
    table = Table(box=rules, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for name in kept:
        table.add_column(Text(name), no_wrap=name not in WIDEST, overflow="fold", max_width=WIDEST.get(name))
    for row in rows:
        table.add_row(*(Text(printable(row[name])) for name in kept))
    missing = [name for name in rows[0] if name not in kept]
    said = [*notes, *([f"left out for lack of room: {', '.join(missing)}"] if missing else [])]
    return Group(table, "", *(Text(printable(note)) for note in said))


def list_text(rows: Sequence[Mapping[str, str]], notes: Sequence[str]) -> str:
    """The same for a file or a pipe: no colours, no line drawing, no trailing blanks."""
    out = StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False,
                      force_jupyter=False)  # fmt: skip
    console.print(trace_list(rows, notes, width=WIDTH, rules=PLAIN_RULES))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _fit(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """The headings that there is room for."""
    needed = {
        name: NARROWEST if name in WIDEST else max(map(cell_len, [name, *(row[name] for row in rows)]))
        for name in rows[0]
    }
    for name in EXPENDABLE:
        if sum(needed.values()) + _GAP * (len(needed) - 1) > width:
            needed.pop(name, None)
    return list(needed)
