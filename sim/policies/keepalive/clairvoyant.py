"""The clairvoyant reference: keep an instance only if it pays, knowing every call to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sim.policies.keepalive.role import FloatArray, KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class Clairvoyant(KeepAlive):
    """Keep an idle instance iff it will be needed before its idling costs more than a cold start.

    One start is worth `start_worth_s` seconds of idling. The instance that becomes idle at `end` is kept iff
    ``a <= end + start_worth_s``, `a` being the arrival at which the number of busy instances of the function next
    exceeds its value just after `end`: with the most recently idle instance chosen first, that arrival is the one the
    instance serves or misses.

    With most recently idle first, unlimited capacity, no life limit and zero start time this is the exact optimum of
    ``start_worth_s * cold starts + idle seconds`` among policies that only decide how long to keep, and it has exactly
    the cold starts of ``FixedWindow(start_worth_s)`` at the least waste possible for them. The busy counts are those of
    the trace with zero start time; where starts take time, or lives are limited, it is a reference and no bound.

    Attributes:
        start_worth_s: seconds of idling of one instance that one cold start is worth.
    """

    needs_future: ClassVar[bool] = True
    future_is_own: ClassVar[bool] = True
    start_worth_s: float = 600.0

    def __post_init__(self) -> None:
        require_seconds(self, start_worth_s=self.start_worth_s)

    def windows_s(self, future: Trace | None) -> FloatArray:
        """For each call, `start_worth_s` or 0, from one pass over each function's calls."""
        if future is None:
            raise TypeError("Clairvoyant needs the trace")
        windows = np.zeros(len(future))
        rows = np.argsort(future.function, kind="stable")
        stops = np.cumsum(future.calls_per_function)
        for own in np.split(rows, stops[:-1]):
            arrival = future.arrival_s[own]
            end = arrival + future.service_s[own]
            needed = next_need_s(arrival, end)
            worth_it = (needed <= end + self.start_worth_s) & (needed < np.inf)
            windows[own] = np.where(worth_it, self.start_worth_s, 0.0)
        return windows


def next_need_s(arrival: FloatArray, end: FloatArray) -> FloatArray:
    """For each call of one function, the next arrival that raises the busy count above its value after the call's end.

    Args:
        arrival: float64[n], ascending.
        end: float64[n], ends of the same calls under zero start time.

    Returns:
        float64[n], infinity where there is none.
    """
    n = arrival.size
    # Merge the rises (arrivals) and falls (ends) in the calendar's order. At one instant ends come first, except the
    # end of a zero-length call, which follows its own arrival.
    instant = end == arrival
    falls = np.lexsort((np.arange(n), instant, end))
    rises_before = np.where(instant, np.arange(1, n + 1), np.searchsorted(arrival, end, "left"))[falls]
    step = np.ones(2 * n, np.int8)
    fall_at = np.arange(n) + rises_before
    step[fall_at] = -1
    # A fall from level L to L - 1 is answered by the next rise from L - 1 to L: on each edge they alternate.
    level = np.cumsum(step, dtype=np.int32)
    edge = np.where(step > 0, level, level + 1)
    on_edge = np.argsort(edge, kind="stable")
    call = np.empty(2 * n, np.int64)
    call[fall_at] = falls
    call[step > 0] = np.arange(n)
    here, after = on_edge[:-1], on_edge[1:]
    answered = (step[here] < 0) & (edge[here] == edge[after])
    needed = np.full(n, np.inf)
    needed[call[here[answered]]] = arrival[call[after[answered]]]
    return needed
