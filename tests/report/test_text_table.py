"""The table of text: every cell is there at any width, and what repeats is said once."""

from io import StringIO

import pandas as pd
import pytest
from rich.console import Console

from sim.report.text_table import plain_text, text_table

FRAME = pd.DataFrame(
    {"rate": ["1", "1", "20"], "model": ["a", "[b]", "c"], "p": ["0.1 ± 0.2", "0.3", "0.4 [0.1, 0.9]"]}
)
NOTES = {"one": "a first note", "two": "a second"}


def test_a_log_file_gets_plain_lines() -> None:
    assert plain_text(FRAME, NOTES).splitlines() == [
        "rate   model   p",
        "-----------------------------",
        "1      a       0.1 ± 0.2",
        "       [b]     0.3",
        "20     c       0.4 [0.1, 0.9]",
        "a first note",
        "a second",
    ]


@pytest.mark.parametrize("width", [24, 80])
def test_nothing_is_cut_off_on_a_narrow_terminal(width: int) -> None:
    console = Console(width=width, record=True, file=StringIO(), legacy_windows=False)
    console.print(text_table(FRAME, NOTES))
    shown = console.export_text()
    assert "…" not in shown
    assert all(word in shown for word in ("rate", "[b]", "0.1", "0.9]", "a second"))
    assert max(map(len, shown.splitlines())) <= width
