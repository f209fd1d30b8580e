"""The order of events: the calendar's key is (time, kind, number), never the order of insertion.

At one instant completions come first, so that a call arriving at the very moment another ends finds a warm instance;
expiries come last, so that an idle gap equal to the window is still warm.
"""

from __future__ import annotations

from math import floor
from typing import Final

IMMEDIATE: Final = -1
"""SimPy's own urgent events (a process that starts); they belong to whatever caused them."""
COMPLETION: Final = 0
"""A call ends or is timed out; numbered by the call's row."""
READY: Final = 1
"""An instance becomes ready; numbered by the instance."""
ARRIVAL: Final = 2
"""A call arrives; numbered by its row."""
TICK: Final = 3
"""Control loops, and every event scheduled the plain SimPy way."""
EXPIRY: Final = 4
"""An idle instance reaches the end of its window or life; numbered by the instance."""


def next_multiple_s(now_s: float, every_s: float, lag_s: float = 0.0) -> float:
    """The first of the times ``k * every_s - lag_s``, k a whole number, that is later than `now_s`.

    In float64 ``k * every_s / every_s`` may be less than k, so that a quotient alone would give `now_s` again.
    """
    k = floor((now_s + lag_s) / every_s)
    while k * every_s - lag_s <= now_s:
        k += 1
    return k * every_s - lag_s
