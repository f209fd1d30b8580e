"""Prints what docs/aws_lambda_2020.md quotes of windows and lives chosen without the file they are judged on.

Every point of a grid is judged on every file by its number of wrong cold flags. For each file the point with the fewest
on the other three is taken; of equals the middle one, ordered by window, surplus window and life. How the equals
do on the file left out is printed too: the spread is what the choice among them is worth.

It prints as well how many flags would be wrong by chance alone, if lives are drawn as the preset draws them.

Usage: python docs/figures/aws_lambda_2020_left_out.py FOLDER, with the rate_*.csv in FOLDER. It takes some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sim import Platform, load_platform
from sim.experiment.aws_lambda_2020 import Measurement, Model, predict, read_measurements, score
from sim.policies import FixedWindow, FunctionIdleWindow

Point = tuple[float, ...]
IntArray = npt.NDArray[np.int64]

WINDOWS_S = range(600, 701, 10)
SURPLUS_S = range(700, 1501, 50)
LIVES_S = range(6900, 7301, 50)
REPLICATIONS = 500


def usual(window_s: float, life_s: float) -> Model:
    """The model of the literature."""
    return replace(corrected(window_s, life_s), as_seen=True)


def corrected(window_s: float, life_s: float) -> Model:
    """The same, shown the times at which calls reached the platform."""
    return Model(FixedWindow(window_s), Platform(start_s=0.0, max_lifetime_s=life_s))


def ours(window_s: float, surplus_s: float, life_s: float) -> Model:
    """A window for the function, one for surplus instances, one life."""
    return Model(FunctionIdleWindow(window_s, surplus_s), Platform(start_s=0.0, max_lifetime_s=life_s))


GRIDS = {
    "a window and a life (usual)": (usual, list(product(WINDOWS_S, LIVES_S))),
    "the same, the client's doing taken out": (corrected, list(product(WINDOWS_S, LIVES_S))),
    "two windows and a life of 7,150 s (ours)": (ours, list(product(WINDOWS_S, SURPLUS_S, [7150]))),
    "two windows and a life": (ours, list(product(WINDOWS_S, SURPLUS_S, LIVES_S))),
    "two windows and a life, or none": (ours, list(product(WINDOWS_S, SURPLUS_S, [*LIVES_S, inf]))),
}


def wrong_flags(files: Iterable[Measurement], models: Sequence[Model]) -> IntArray:
    """int64[models, files]."""
    return np.array([[score(f.is_cold, predict(f, m))["wrong"] for f in files] for m in models])


def left_out(wrong: IntArray, file: int) -> tuple[int, IntArray]:
    """The point chosen without `file`, and the wrong flags on `file` of all points that do as well without it."""
    elsewhere = np.delete(wrong, file, axis=1).sum(axis=1)
    equals = np.flatnonzero(elsewhere == elsewhere.min())
    return int(equals[equals.size // 2]), wrong[equals, file]


def by_chance(file: Measurement) -> list[float]:
    """The 2.5 and 97.5 % quantiles of the wrong flags of `ours`, were the preset's drawn lives the truth."""
    truth = Model(FunctionIdleWindow(), load_platform("aws_lambda_2020"))
    foretold = predict(file, ours(640, 1300, 7150))
    wrong = [(predict(file, truth, replication=k)[1:] != foretold[1:]).sum() for k in range(REPLICATIONS)]
    return np.quantile(wrong, [0.025, 0.975]).tolist()


def main(folder: Path) -> None:
    """Print the choices and what they are worth."""
    files = read_measurements(folder)
    for file in files:
        say(f"{file.rate:g}/s: wrong by chance alone, 95 %: {by_chance(file)}")
    for name, (family, grid) in GRIDS.items():
        wrong = wrong_flags(files, [family(*point) for point in grid])
        best = wrong[np.argmin(wrong.sum(axis=1))]
        total = 0
        say(f"{name}: {len(grid)} points; the best on all files together: {best.tolist()}, {best.sum()} wrong")
        for i, file in enumerate(files):
            chosen, equals = left_out(wrong, i)
            total += wrong[chosen, i]
            say(
                f"  without {file.rate:g}/s: {grid[chosen]}, wrong there {wrong[chosen, i]} of {file.is_cold.size - 1}"
                f" ({equals.min()} to {equals.max()} for its {equals.size} equals)"
            )
        say(f"  together {total} wrong")


def say(line: str) -> None:
    """Print."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
