"""Cold starts of a sampled Azure Functions 2019 folder by the brute-force twin, for the constants in ``test_real.py``.

Run it as ``python tests/engine/golden.py FOLDER``; half a million calls take some ten seconds a window. Files are read
with the csv module and arrivals made here, so that nothing of the package has a say: call j of k in minute m, counted
from the file's first, arrives at ``60.0*m + 60.0*(j + 0.5)/k`` and takes the function's Average, in ms, / 1000.
"""

import csv
import sys
from collections.abc import Iterator
from math import inf
from pathlib import Path

from twin import twin

WINDOWS_S = (0.0, 60.0, 120.0, 600.0, 3600.0, inf)
NOT_MINUTES = 4  # HashOwner, HashApp, HashFunction, Trigger


def functions(folder: Path) -> Iterator[tuple[list[int], float]]:
    """Calls in each minute, and seconds that each takes, function by function."""
    with (folder / "durations.csv").open(newline="") as file:
        average_ms = {(r["HashOwner"], r["HashApp"], r["HashFunction"]): r["Average"] for r in csv.DictReader(file)}
    with (folder / "invocations.csv").open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            yield [int(k) for k in row[NOT_MINUTES:]], float(average_ms[tuple(row[:3])]) / 1000


def cold_starts(counts: list[int], duration_s: float, window_s: float) -> int:
    """Cold starts of one function on a platform whose starts take no time."""
    arrivals = (60.0 * m + 60.0 * (j + 0.5) / k for m, k in enumerate(counts) for j in range(k))
    return sum(s.kind == "cold" for s in twin((i, a, duration_s, window_s) for i, a in enumerate(arrivals)))


def main() -> None:
    folder = Path(sys.argv[1])
    for window_s in WINDOWS_S:
        total = sum(cold_starts(counts, duration_s, window_s) for counts, duration_s in functions(folder))
        print(f"    {window_s}: {total},", flush=True)


if __name__ == "__main__":
    main()
