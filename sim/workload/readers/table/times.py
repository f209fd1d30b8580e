"""Arrivals and durations from any two of arrival, duration and end, in whatever units a table has them.

Where all three are there, the end must agree, as well as its unit can say. Each may have been rounded to a unit of its
own, so the sum may be off by one of the coarser unit; and by `ROUNDING_S`, because timestamps in nanoseconds are often
of milliseconds, and a float64 does not hold those since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError
from sim.workload.readers.cells import NOT_NEGATIVE, NUMBER, Kind
from sim.workload.readers.csv_columns import Block
from sim.workload.readers.table.layout import TIMES, choose_times
from sim.workload.readers.table.tables import Table

ROUNDING_S: Final = 0.001
"""By which an arrival that is an end less a duration may fall below zero, and then is zero; and by which, at least, an
arrival plus a duration may miss the end."""

_ARRIVAL, _DURATION, _END = TIMES
FloatArray = npt.NDArray[np.float64]


class Times:
    """The times of one table.

    Args:
        table: where they are.
        columns: its name of each of our columns that it has.
        time_unit: of arrivals and ends.
        duration_unit: of durations; None for the same.
        origin: what counts as second zero.

    Attributes:
        kinds: what the columns that are read must hold.
        per_s: units of arrivals and ends to a second.
        from_first: whether the first arrival is second zero; then arrivals are counted from any other one until all are
            known.
        rounded: arrivals that fell below zero by no more than `ROUNDING_S`.

    Raises:
        TraceError: two of the three are not there, units or an origin that there are not.
    """

    def __init__(
        self, table: Table, columns: Mapping[str, str], time_unit: str, duration_unit: str | None, origin: Any
    ) -> None:
        given = choose_times(columns, table.file)
        self.names = given[:2]
        self.column = {name: columns[name] for name in given}
        units = [duration_unit or time_unit if name == _DURATION else time_unit for name in given]
        read = {name: table.time(columns[name], unit) for name, unit in zip(given, units, strict=True)}
        self.per = {name: per_s for name, (_, per_s) in read.items()}
        self.kinds: dict[str, Kind] = {columns[name]: kind for name, (kind, _) in read.items()}
        if _DURATION in read and self.kinds[columns[_DURATION]] == NUMBER:
            self.kinds[columns[_DURATION]] = NOT_NEGATIVE
        if _ARRIVAL in read and _END in read and self.per[_ARRIVAL] != self.per[_END]:
            raise TraceError("has another unit than the arrivals have", file=table.file, column=columns[_END])
        moment = next(name for name in self.names if name != _DURATION)
        self.per_s = self.per[moment]
        self.zero = table.origin(columns[moment], origin)
        self.from_first = self.zero is None
        self.rounded = 0

    def checked(self, block: Block) -> Block:
        """The block without rows whose times are impossible.

        Raises:
            TraceError: there are any, and the reader is not lenient.
        """
        if self.zero is None and len(block):
            moment = next(name for name in self.names if name != _DURATION)
            self.zero = block[self.column[moment]][0].as_py()
        if self.names == (_ARRIVAL, _END):
            early = self._raw(block, _END) < self._raw(block, _ARRIVAL)
            block = block.without(early, self.column[_END], "must not be before the arrival")
        elif len(self.column) == len(TIMES):
            block = self._agreeing(block)
        if self.from_first:
            return block
        too_early = self._arrivals(block) < -self._tolerance()
        return block.without(too_early, self.column[self.names[-1 if _END in self.names else 0]],
                             "must not be of a call that came before the origin")  # fmt: skip

    def _agreeing(self, block: Block) -> Block:
        """The block without rows whose end is not their arrival plus their duration."""
        unit = self.per_s / self.per[_DURATION]
        tolerance = max(1.0, unit, ROUNDING_S * self.per_s)
        took = self._raw(block, _END) - self._raw(block, _ARRIVAL)
        rule = (
            f"must be the arrival plus the duration, to within {tolerance / self.per_s:g} s"
            " (to go by these two alone, leave the end out of columns)"
        )
        return block.without(np.abs(took - self._raw(block, _DURATION) * unit) > tolerance, self.column[_END], rule)

    def of(self, block: Block) -> tuple[FloatArray, FloatArray]:
        """Arrivals, in units of `per_s` from the zero so far, and durations in seconds, of checked rows."""
        arrival = self._arrivals(block)
        if not self.from_first:
            self.rounded += int((arrival < 0).sum())
            arrival = np.maximum(arrival, 0.0)
        if _DURATION in self.names:
            return arrival, self._raw(block, _DURATION) / self.per[_DURATION]
        return arrival, (self._raw(block, _END) - self._raw(block, _ARRIVAL)) / self.per_s

    def _raw(self, block: Block, name: str) -> npt.NDArray[Any]:
        return block.numbers(self.column[name])

    def _arrivals(self, block: Block) -> FloatArray:
        """Whole numbers are subtracted as such: a float64 does not hold nanoseconds since 1970."""
        if _ARRIVAL in self.names:
            return np.asarray(self._raw(block, _ARRIVAL) - self.zero, np.float64)
        duration = self._raw(block, _DURATION) * (self.per_s / self.per[_DURATION])
        return np.asarray((self._raw(block, _END) - self.zero) - duration, np.float64)

    def _tolerance(self) -> float:
        return ROUNDING_S * self.per_s if _END in self.names and _DURATION in self.names else 0.0
