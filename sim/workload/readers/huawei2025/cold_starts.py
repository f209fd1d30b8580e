"""The table of cold starts: a row each, over 31 days, with the time that each of four steps took.

``day,time,clusterName,funcName,userID,requestID,totalCost_cold_start,podAllocationCost,deployCodeCost,
deployDependencyCost,schedulingCost,podID``, all costs in seconds. One request may cause several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError
from sim.workload.readers.cells import NOT_NEGATIVE, TEXT
from sim.workload.readers.csv_columns import read_blocks
from sim.workload.readers.faults import Faults
from sim.workload.readers.huawei2025.pods import are_small, pools_of
from sim.workload.readers.places import text_files
from sim.workload.readers.streams import plain_name

COSTS: Final = ("schedulingCost", "podAllocationCost", "deployCodeCost", "deployDependencyCost")

_POD: Final = "podID"
_DAY_FILE: Final = re.compile(r"day_(\d+)\.csv")


@dataclass(frozen=True)
class ColdStarts:
    """What has been measured.

    Attributes:
        seconds: float64[n, 4], of each cold start, in the order of `COSTS`.
        small: bool[n], whether of a small pod (see `pods`).
        dropped: rows left out.
    """

    seconds: npt.NDArray[np.float64]
    small: npt.NDArray[np.bool_]
    dropped: int


def read_cold_starts(
    path: Path, region: str | None = None, days: Sequence[int] | None = None, lenient: bool = False
) -> ColdStarts:
    """Read a region's cold starts, about 40 bytes each.

    Args:
        path: a file, the folder of a region's, or that of the regions' folders.
        region: a folder below it, such as ``R2``.
        days: which of the files ``day_NN.csv``; all files by default.
        lenient: leave out rows that cannot be used.

    Raises:
        TraceError: there are no such files, or a row is bad.
    """
    files = _files(path if region is None else path / region, days)
    faults = Faults(lenient)
    seconds: list[npt.NDArray[np.float64]] = []
    small: list[npt.NDArray[np.bool_]] = []
    for file in files:
        for block in read_blocks(file, {_POD: TEXT, **dict.fromkeys(COSTS, NOT_NEGATIVE)}, faults):
            seconds.append(np.column_stack([block.numbers(cost) for cost in COSTS]))
            pools = pools_of(block[_POD]).dictionary_encode()
            small.append(are_small(pools.dictionary.to_pylist())[pools.indices.to_numpy()])
    return ColdStarts(np.concatenate(seconds), np.concatenate(small), faults.rows)


def _files(place: Path, days: Sequence[int] | None) -> list[Path]:
    files = text_files(place)
    if not files:
        inside = sorted(folder.name for folder in place.iterdir() if folder.is_dir()) if place.is_dir() else []
        hint = f"; name one of its folders {inside} as region" if inside else ""
        raise TraceError(f"has no table of cold starts{hint}", file=place)
    if days is None:
        return files
    numbered = {int(match[1]): file for file in files if (match := _DAY_FILE.fullmatch(plain_name(file)))}
    if missing := [day for day in days if day not in numbered]:
        raise TraceError(f"has no day_NN.csv of days {missing}; it has {sorted(numbered)}", file=place)
    return [numbered[day] for day in days]
