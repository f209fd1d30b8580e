"""Durations and memory, joined to the functions by (owner, app, function).

A function on several days, or in several rows of a published file, gets the mean of its rows weighted by their Count
(durations) or SampleCount (memory), of the average and of each percentile; one row is taken as it is. What does not
join gets the median over the functions that did, each statistic for itself; where none did, the constants below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.workload.durations import PERCENTS, DurationStatistics
from sim.workload.functions import DEFAULTS
from sim.workload.readers.azure2019.files import FUNCTION, Day
from sim.workload.readers.cells import NOT_NEGATIVE, NUMBER, TEXT, Kind
from sim.workload.readers.csv_columns import read_blocks
from sim.workload.readers.faults import Faults

FALLBACK_DURATION_S: Final = 0.684
"""Where no function has any: exp(-0.38) s, the median of the average durations in Shahrad et al., ATC 2020."""
FALLBACK_MEMORY_MB: Final = float(DEFAULTS["memory_mb"])

_AVERAGE, _COUNT = "Average", "Count"
_PERCENTILES: Final = tuple(f"percentile_Average_{percent}" for percent in PERCENTS)
_MEDIAN: Final = _PERCENTILES.index("percentile_Average_50")
_MEMORY, _SAMPLES = "AverageAllocatedMb", "SampleCount"

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class RunningMean:
    """Weighted means of rows of values, one a function; a single row stays what it is to the last bit."""

    def __init__(self, functions: int, width: int) -> None:
        self.mean = np.zeros((functions, width))
        self.weight = np.zeros(functions)

    def add(self, function: IntArray, values: FloatArray, weight: FloatArray) -> int:
        """Add rows, those of unknown functions (< 0) apart; returns how many named a function named before."""
        known = np.flatnonzero(function >= 0)
        function, values = function[known], values[known]
        weight = np.maximum(weight[known], 1.0)  # a row without a count still says something
        repeated = 0
        while function.size:
            _, first = np.unique(function, return_index=True)
            rows = function[first]
            self.weight[rows] += weight[first]
            step = (weight[first] / self.weight[rows])[:, None]
            self.mean[rows] += (values[first] - self.mean[rows]) * step
            rest = np.delete(np.arange(function.size), first)
            function, values, weight = function[rest], values[rest], weight[rest]
            repeated += rest.size
        return repeated


def join_durations(
    days: Sequence[Day], index: Mapping[str, int], faults: Faults
) -> tuple[DurationStatistics, dict[str, int]]:
    """Average and percentiles of every function, in seconds, and what the load report says of them.

    A published Average below zero (a few are known, a glitch of the collection) is replaced by the 50th percentile,
    as the publishers advise; a percentile below zero by zero, and one below its predecessor by that. An Average of zero
    stays zero.

    Raises:
        TraceError: a file is not what it should be.
    """
    means = RunningMean(len(index), 1 + len(_PERCENTILES))
    report = dict.fromkeys(("rows_unused", "rows_repeated", "average_negative", "percentiles_mended"), 0)
    for day in days:
        kind = NUMBER if day.published else NOT_NEGATIVE
        source = _Source(day.durations, FUNCTION, (_AVERAGE, *_PERCENTILES), kind, _COUNT, day.published)
        function, table = source.read(index, faults)
        used = function >= 0
        values, negative, mended = _mend(table[:, :-1])
        report["rows_unused"] += int((~used).sum())
        report["average_negative"] += int((negative & used).sum())
        report["percentiles_mended"] += int((mended & used).sum())
        report["rows_repeated"] += means.add(function, values, table[:, -1])
    filled, report["missing"] = _fill(means.mean, means.weight == 0, FALLBACK_DURATION_S * 1000)
    report["average_zero"] = int((filled[:, 0] == 0).sum())
    seconds = filled / 1000
    statistics = DurationStatistics(seconds[:, 0].copy(), seconds[:, 1:].copy())
    return statistics, {f"duration_{key}": value for key, value in sorted(report.items())}


def join_memory(
    days: Sequence[Day], index: Mapping[str, int], app_sizes: Mapping[str, int], faults: Faults
) -> tuple[FloatArray, dict[str, int]]:
    """Memory of every function in MB, and what the load report says of it.

    Published files know the memory of apps: it is split evenly over the app's functions in the days read, chosen or
    not, as the samplers do. A memory of zero counts as missing; one below zero is a bad row: the
    publishers speak of negative durations only.

    Raises:
        TraceError: a file is not what it should be.
    """
    of_apps = days[0].published if days else False
    owners = {key: key.rpartition("\n")[0] if of_apps else key for key in index}
    unit = {owner: number for number, owner in enumerate(dict.fromkeys(owners.values()))}
    means = RunningMean(len(unit), 1)
    report = {"rows_unused": 0, "rows_repeated": 0}
    for day in days:
        assert day.memory is not None
        key = FUNCTION[:2] if of_apps else FUNCTION
        source = _Source(day.memory, key, (_MEMORY,), NOT_NEGATIVE, _SAMPLES, of_apps)
        of_row, table = source.read(unit, faults)
        report["rows_unused"] += int((of_row < 0).sum())
        report["rows_repeated"] += means.add(of_row, table[:, :1], table[:, 1])
    size = np.array([app_sizes[owner] if of_apps else 1 for owner in owners.values()])
    memory = means.mean[[unit[owner] for owner in owners.values()]] / size[:, None]
    filled, report["missing"] = _fill(memory, memory[:, 0] == 0, FALLBACK_MEMORY_MB)
    return filled[:, 0], {f"memory_{key}": value for key, value in sorted(report.items())}


def _fill(values: FloatArray, missing: npt.NDArray[np.bool_], otherwise: float) -> tuple[FloatArray, int]:
    """Missing rows at the median of the others, or a constant; and how many were missing."""
    if missing.any():
        values[missing] = otherwise if missing.all() else np.median(values[~missing], axis=0)
    return values, int(missing.sum())


def _mend(values: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Average and percentiles as they may be used; which rows had a negative average, which odd percentiles."""
    average, given = values[:, 0], values[:, 1:]
    rising = np.maximum.accumulate(np.maximum(given, 0.0), axis=1)
    negative = average < 0
    average = np.where(negative, rising[:, _MEDIAN], average)
    return np.column_stack((average, rising)), negative, (rising != given).any(axis=1)


@dataclass(frozen=True)
class _Source:
    """A file of statistics: the columns that name a row, those with values and their kind, and that of its weight."""

    file: Path
    key: tuple[str, ...]
    values: tuple[str, ...]
    kind: Kind
    weight: str
    published: bool

    def read(self, index: Mapping[str, int], faults: Faults) -> tuple[IntArray, FloatArray]:
        """Number of each row's function or app (-1 if it is not wanted), and its values, the weight as last column."""
        kinds: dict[str, Kind] = dict.fromkeys(self.key, TEXT)
        kinds |= dict.fromkeys(self.values, self.kind) | {self.weight: NOT_NEGATIVE}
        numbers: list[int] = []
        tables: list[FloatArray] = []
        seen: set[str] = set()
        for rows in read_blocks(self.file, kinds, faults):
            block = rows if self.published else rows.without_repeated(self.key, seen)
            numbers += [index.get(key, -1) for key in block.keys(self.key)]
            tables.append(np.column_stack([block.numbers(name) for name in (*self.values, self.weight)]))
        return np.array(numbers, np.int64), np.concatenate(tables)
