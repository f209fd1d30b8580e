"""Idle periods: how long each instance waits for its next call if none is ever reclaimed.

With zero start time, unlimited capacity and no life limit a call starts when it arrives, whatever is kept, so the busy
intervals are those of the trace. With the most recently idle instance first, free instances are a stack: the end of a
call puts one on it, an arrival takes the topmost. An arrival is therefore matched to the latest end that no arrival
before it has taken, as a closing bracket is to an opening one. Keeping an instance for less long does not change the
matching: what has been reclaimed lies below what has not, and a call that is cold for it ends all the same and puts an
instance on the stack. So every call has one idle period before it, or none, under every window alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NOBODY: Final = -1
"""Stands where no call takes the instance that another leaves behind."""


@dataclass(frozen=True, eq=False)
class IdlePeriods:
    """One idle period a call: that of its instance, from its end on.

    Attributes:
        arrival_s: float64[n], when each call arrives.
        since_s: float64[n], when it ends and its instance becomes idle.
        until_s: float64[n], when the next call takes that instance; infinity if none does.
        gb: float64[n], memory of the instance.
    """

    arrival_s: FloatArray
    since_s: FloatArray
    until_s: FloatArray
    gb: FloatArray


def idle_periods(unit: IntArray, arrival_s: FloatArray, end_s: FloatArray, gb: FloatArray) -> IdlePeriods:
    """The idle periods of some calls.

    Args:
        unit: int64[n], what shares instances with what.
        arrival_s: float64[n], ascending.
        end_s: float64[n], ends of the same calls under zero start time.
        gb: float64[n], memory of an instance of the unit.
    """
    following = next_calls(unit, arrival_s, end_s)
    until_s = np.where(following == NOBODY, np.inf, arrival_s[following] if following.size else 0.0)
    return IdlePeriods(arrival_s, end_s, until_s, gb)


def next_calls(unit: IntArray, arrival_s: FloatArray, end_s: FloatArray) -> IntArray:
    """For each call the row of the call that takes its instance next, most recently idle first; `NOBODY` if none does.

    Args: as for `idle_periods`.

    Returns:
        int64[n]
    """
    n = unit.size
    call, is_end = _events(unit, arrival_s, end_s)
    # An end takes the busy count of its unit from L to L - 1; the next arrival that takes it from there to L is the one
    # that is matched: along each such edge they alternate. All units go through one count, for each leaves it at 0.
    count = np.cumsum(np.where(is_end, np.int8(-1), np.int8(1)), dtype=np.int32)
    edge = count + is_end
    along = _order(edge)
    here, after = along[:-1], along[1:]
    matched = is_end[here] & ~is_end[after] & (edge[here] == edge[after]) & (unit[call[here]] == unit[call[after]])
    following = np.full(n, NOBODY, np.int64)
    following[call[here[matched]]] = call[after[matched]]
    return following


def _events(unit: IntArray, arrival_s: FloatArray, end_s: FloatArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Arrivals and ends, unit by unit, each in the calendar's order: int64[2n], the calls; bool[2n], which are ends."""
    n = unit.size
    rows = np.arange(n)
    arrivals = _order(unit)
    by_end = np.argsort(end_s, kind="stable")
    ends = by_end[_order(unit[by_end])]
    # An end comes before the arrivals of its instant, unless it is caused there, by a call that takes no time.
    before_row = np.where(end_s == arrival_s, rows + 1, np.searchsorted(arrival_s, end_s, "left"))
    key = unit[arrivals] * (n + 1) + arrivals
    arrivals_before = np.searchsorted(key, unit * (n + 1) + before_row, "left")
    place = rows + arrivals_before[ends]
    is_end = np.zeros(2 * n, np.bool_)
    is_end[place] = True
    call = np.empty(2 * n, np.int64)
    call[place] = ends
    call[~is_end] = arrivals
    return call, is_end


def _order(whole: npt.NDArray[np.integer[Any]]) -> IntArray:
    """The stable order of whole numbers >= 0; small ones are sorted by radix, in a tenth of the time."""
    small = whole.max(initial=0) <= np.iinfo(np.int16).max
    return np.argsort(whole.astype(np.int16) if small else whole, kind="stable")
