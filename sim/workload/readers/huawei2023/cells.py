"""The cells of the counts: who was called in which minute, how often, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError
from sim.workload.durations import PROBABILITIES, DurationStatistics

BYTES_A_CELL: Final = 64
"""At the peak, while they are put together."""
_MB: Final = 1024.0**2

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass
class Cells:
    """Cells that are not empty, by minute, then function, growing day by day.

    Attributes:
        functions: how many there are.
        limit_mb: what they may take.
        parts: function, minute, count and average duration in seconds (NaN where not known), four arrays a day.
        calls, cells: their sums, also when they are too many to hold.
        busy_s, timed: float64[F]: for the average of each function, the time of its calls whose duration is known, and
            their number; of all minutes of the days read, wanted or not.
    """

    functions: int
    limit_mb: float
    parts: list[tuple[IntArray, IntArray, IntArray, FloatArray]] = field(default_factory=list)
    calls: int = 0
    cells: int = 0
    busy_s: FloatArray = field(init=False)
    timed: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.busy_s, self.timed = np.zeros(self.functions), np.zeros(self.functions)

    def add(self, requests: FloatArray, delays_s: FloatArray | None, minutes: range, start: int) -> None:
        """Take up a day.

        Args:
            requests: float64[minutes of the day, F], NaN where there are no data.
            delays_s: the same, the average durations; None where there are none.
            minutes: the wanted ones.
            start: the number of the first of them in the trace.
        """
        if delays_s is not None:
            known = np.where(np.isnan(delays_s) | np.isnan(requests), 0.0, requests)
            self.busy_s += (known * np.nan_to_num(delays_s)).sum(axis=0)
            self.timed += known.sum(axis=0)
        wanted = np.rint(np.nan_to_num(requests[minutes.start : minutes.stop])).astype(np.int64)
        minute, function = np.nonzero(wanted)
        count = wanted[minute, function]
        self.calls += int(count.sum())
        self.cells += count.size
        if self.needed_mb <= self.limit_mb:
            delay_s = np.full(count.size, np.nan) if delays_s is None else delays_s[minute + minutes.start, function]
            self.parts.append((function, minute + start, count, delay_s))
        else:
            self.parts.clear()

    @property
    def needed_mb(self) -> float:
        """What the counts take at their largest while they are put together."""
        return self.cells * BYTES_A_CELL / _MB

    def columns(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], IntArray, FloatArray]:
        """Function, minute, count and average duration of all cells.

        Raises:
            TraceError: they are too many.
        """
        if self.needed_mb > self.limit_mb:
            share = self.limit_mb / self.needed_mb
            raise TraceError(
                f"{self.cells:,} minutes of functions would need {self.needed_mb:,.0f} MB, over the"
                f" {self.limit_mb:,.0f} MB allowed: select days, minutes, functions or a share"
                f" (about {share:.2g} would fit), or raise memory_limit_mb"
            )
        empty = (np.empty(0, np.int64),) * 3 + (np.empty(0),)
        function, minute, count, delay_s = (np.concatenate(column) for column in zip(empty, *self.parts, strict=True))
        return function.astype(np.int32), minute.astype(np.int32), count.astype(np.int64), delay_s

    def durations(self, function: npt.NDArray[np.int32], delay_s: FloatArray, otherwise_s: float) -> DurationStatistics:
        """What is known of durations, without gaps.

        A cell without a delay takes the average of its function, a function without any the median of the others'.

        Args:
            function: of each cell.
            delay_s: of each cell, NaN where it is not known.
            otherwise_s: where no function has any.
        """
        has = self.timed > 0
        average = np.divide(self.busy_s, self.timed, out=np.full(self.functions, float(otherwise_s)), where=has)
        average[~has] = np.median(average[has]) if has.any() else otherwise_s
        cell = np.where(np.isnan(delay_s), average[function], delay_s)
        return DurationStatistics(average, np.repeat(average[:, None], len(PROBABILITIES), axis=1), cell)
