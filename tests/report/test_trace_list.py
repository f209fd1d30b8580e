"""Lists of traces: in full in a log, and on a narrow terminal without what matters least."""

import io

import pytest
from rich.console import Console

from sim.report.trace_list import EXPENDABLE, list_text, trace_list

ROW = {
    "name": "huawei2023_public", "what": "w " * 30, "span": "14 days", "calls": "12.5 billion", "functions": "70,000",
    "download": "143 MB", "licence": "CC-BY 4.0", "format": "azure2019", "here": "no",
}  # fmt: skip


def shown(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(trace_list([ROW], ["a note"], width=width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_the_cells_of_a_list_are_text() -> None:
    shown = list_text([{"name": "[red]x\x1b", "what": "w " * 100, "sha256": "f" * 64}], ["a note"])
    assert "[red]x\N{REPLACEMENT CHARACTER}" in shown
    assert "f" * 64 in shown
    assert max(map(len, shown.splitlines())) <= 160
    assert shown.splitlines()[-1] == "a note"


@pytest.mark.parametrize(("width", "missing"), [(120, 0), (104, 1), (92, 2), (80, 3), (71, 4)])
def test_a_narrow_terminal_goes_without_some(width: int, missing: int) -> None:
    lines = shown(width)
    assert lines[0].split() == [name for name in ROW if name not in EXPENDABLE[:missing]]
    assert all(cell in lines[2] for name, cell in ROW.items() if name not in ("what", *EXPENDABLE[:missing]))
    assert max(map(len, lines)) <= width
    note = [f"left out for lack of room: {', '.join(name for name in ROW if name in EXPENDABLE[:missing])}"]
    assert lines[-1 - bool(missing) :] == ["a note", *(note if missing else [])]
