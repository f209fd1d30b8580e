import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_table_of_the_readme_is_what_make_run_prints() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "readme_table.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert script["with_table"](readme, script["default_comparison"]()) == readme
