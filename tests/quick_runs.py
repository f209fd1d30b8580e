"""The words of a run that takes no time, and the files that a run leaves."""

from pathlib import Path

FILES = sorted([
    "comparison.csv", "comparison.parquet", "config.yaml", "differences.csv", "differences.parquet", "index.json",
    "manifest.json",
])  # fmt: skip
"""Of a run's folder, beside `PARTS`."""
PARTS = ["cells", "functions"]
QUICK = ("platform=constant_start", "policy=[fixed_1m,fixed_10m]", "executor.jobs=1", "report=false")


def left_in(folder: Path) -> list[str]:
    """Files, but for those of a run's parts."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.parent.name not in PARTS)
