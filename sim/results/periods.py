"""Which instance was in which state when: periods, from the raw columns of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results.columns import NO_INSTANCE, Columns, FloatArray, Instances, Requests

IntArray = npt.NDArray[np.int64]

STATES: Final = ("starting", "idle", "busy")
STARTING, IDLE, BUSY = range(3)

NO_LINE: Final = -1
"""The line of the instance of a call that had none."""


@dataclass(frozen=True, eq=False)
class Periods:
    """Periods of instances, those of one instance in order of time.

    Attributes:
        line: int64[k], ascending: whose, as its line in `Columns.instances`.
        state: int8[k], indices into `STATES`.
        begin_s, end_s: float64[k]; the end is infinity where the run was over before.
    """

    line: IntArray
    state: npt.NDArray[np.int8]
    begin_s: FloatArray
    end_s: FloatArray


def lines(columns: Columns, functions: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """The lines of the instances that ran the calls, int64[n], and the pings, int64[p]; `NO_LINE` where none did.

    Args:
        columns: what an engine returned.
        functions: a row a function, with `owner` and `app`.
    """
    instances, requests, pings = columns.instances, columns.requests, columns.pings
    by_row = np.full(requests.function.size, NO_LINE, np.int64)
    made_by_call = np.flatnonzero(instances.instance >= 0)
    by_row[instances.instance[made_by_call]] = made_by_call
    app = functions.groupby(["owner", "app"], sort=False).ngroup().to_numpy().astype(np.int64)
    unasked = _Unasked(instances, np.flatnonzero(instances.instance < 0), app)
    return _lines(requests, by_row, unasked), _lines(pings, by_row, unasked)


@dataclass(frozen=True, eq=False)
class _Unasked:
    """The instances that no call made, whose names are their units' only; `app` is that of each function."""

    instances: Instances
    lines: IntArray
    app: IntArray

    def find(self, function: npt.NDArray[np.int32], instance: IntArray) -> IntArray:
        """Their lines, given functions that they served: the unit is the function, or its app where that has none."""
        found = self._among(self.instances.function[self.lines], function, instance)
        other = np.flatnonzero(found == NO_LINE)
        if other.size:
            makers = self.app[self.instances.function[self.lines]]
            found[other] = self._among(makers, self.app[function[other]], instance[other])
        return found

    def _among(self, units: npt.NDArray[Any], unit: npt.NDArray[Any], instance: IntArray) -> IntArray:
        known = pd.MultiIndex.from_arrays([units, self.instances.instance[self.lines]])
        place = known.get_indexer(pd.MultiIndex.from_arrays([unit, instance]))
        return np.where(place < 0, NO_LINE, np.append(self.lines, NO_LINE)[place])


def _lines(requests: Requests, by_row: IntArray, unasked: _Unasked) -> IntArray:
    name = requests.instance
    line = np.full(name.size, NO_LINE, np.int64)
    of_call = name >= 0
    line[of_call] = by_row[name[of_call]]
    other = np.flatnonzero(~of_call & (name != NO_INSTANCE))
    if other.size:
        line[other] = unasked.find(requests.function[other], name[other])
    return line


def periods(columns: Columns, of_calls: IntArray, of_pings: IntArray) -> Periods:
    """All periods of all instances.

    Args:
        columns: what an engine returned.
        of_calls: int64[n], lines by `lines`.
        of_pings: int64[p]
    """
    instances = columns.instances
    every = np.arange(instances.function.size)
    parts = [
        _Part(every, STARTING, instances.created_s, np.fmin(instances.ready_s, instances.ended_s)),
        _Part(every, IDLE, instances.idle_since_s, instances.ended_s),
    ]
    for served, line in ((columns.requests, of_calls), (columns.pings, of_pings)):
        parts.append(_Part(line, IDLE, served.idle_since_s, served.start_s))
        parts.append(_Part(line, BUSY, served.busy_since_s, served.end_s))
    there = [~np.isnan(part.begin_s) & (part.line != NO_LINE) for part in parts]
    line = np.concatenate([part.line[kept] for part, kept in zip(parts, there, strict=True)])
    state = np.repeat(np.array([part.state for part in parts], np.int8), [np.count_nonzero(kept) for kept in there])
    begin_s = np.concatenate([part.begin_s[kept] for part, kept in zip(parts, there, strict=True)])
    end_s = np.concatenate([part.end_s[kept] for part, kept in zip(parts, there, strict=True)])
    order = np.lexsort((end_s, begin_s, line))
    return Periods(line[order], state[order], begin_s[order], end_s[order])


class _Part(NamedTuple):
    """Periods of one state from one table; none where the begin is NaN."""

    line: IntArray
    state: int
    begin_s: FloatArray
    end_s: FloatArray
