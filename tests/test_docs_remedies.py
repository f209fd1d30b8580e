"""The table of docs/remedies.md is what its example prints."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "remedies.md"


def test_the_table_is_what_the_example_prints(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text("utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    [table] = re.findall(r"<!-- table: remedies -->\n(.*?)<!-- end -->", page, re.DOTALL)
    exec(example, {})
    assert table.splitlines()[2:] == capsys.readouterr().out.splitlines()
