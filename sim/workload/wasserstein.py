"""How far a sample of functions is from all of them, minute by minute."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.workload.selection import Cells

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Distance:
    """Wasserstein distances between the functions of a sample and all functions, of one quantity.

    In a minute each function has a value, its calls times its weight, zero for most; the first Wasserstein distance of
    two such distributions is the area between their distribution functions.

    Args:
        cells: the calls of all functions.
        weight: float64[F], of a call of each function.
    """

    def __init__(self, cells: Cells, weight: FloatArray) -> None:
        value = cells.count * weight[cells.function]
        order = np.lexsort((value, cells.minute))
        self._functions, self._minutes = weight.size, cells.minutes
        self._function, self._minute, value = cells.function[order], cells.minute[order], value[order]
        self._of_minute = np.bincount(self._minute, minlength=cells.minutes)
        self._first = np.cumsum(self._of_minute) - self._of_minute
        before = np.concatenate(([0.0], value[:-1])) if value.size else value
        before[self._first[self._of_minute > 0]] = 0.0
        self._step = value - before  # from the next smaller value of the minute, or from 0
        self._mean = float(value.sum()) / max(self._functions * self._minutes, 1)
        self._below = self._counted(np.ones(value.size, np.int64), self._functions) / self._functions

    def by_minute(self, sample: IntArray) -> FloatArray:
        """float64[minutes]: the distance in each minute.

        Args:
            sample: indices of its functions.
        """
        inside = np.zeros(self._functions, np.int64)
        inside[sample] = 1
        below = self._counted(inside[self._function], sample.size) / sample.size
        area = np.abs(below - self._below) * self._step
        return np.asarray(np.bincount(self._minute, area, self._minutes), np.float64)

    def relative(self, sample: IntArray) -> float:
        """The mean over minutes, divided by the mean of the quantity over functions and minutes; 0 if that is 0."""
        return float(self.by_minute(sample).mean()) / self._mean if self._mean else 0.0

    def _counted(self, inside: IntArray, functions: int) -> FloatArray:
        """Of each cell: how many of the functions inside have a smaller value in its minute, those without calls too.

        Of equal values the earlier cells count as smaller: the steps between them are 0.
        """
        total = np.concatenate(([0], np.cumsum(inside)))
        first = self._first[self._minute]
        called = total[(self._first + self._of_minute)[self._minute]] - total[first]
        return np.asarray(functions - called + total[:-1] - total[first], np.float64)
