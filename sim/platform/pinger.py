"""The pinger: calls of the user's own that only keep instances warm."""

from __future__ import annotations

from heapq import heappush
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sim.core.time import ARRIVAL
from sim.platform.calendar import Calendar, Recurring
from sim.platform.router import PoolRoutes
from sim.policies.keepalive.demands import Pings

PingCalls: TypeAlias = tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]
"""Function and time in seconds of every ping, in order."""
NO_PINGS: Final[PingCalls] = (np.empty(0, np.int32), np.empty(0))


def ping_calls(pings: Pings, functions: int, horizon_s: float) -> PingCalls:
    """Every ping up to the horizon, in order of time, then function."""
    rounds = int(horizon_s // pings.period_s) + 1
    time_s = pings.period_s * np.arange(rounds)
    time_s = time_s[time_s <= horizon_s]
    each = np.repeat(np.arange(functions, dtype=np.int32), pings.at_once)
    return np.tile(each, time_s.size), np.repeat(time_s, each.size)


class Pinger(Recurring):
    """One event that is every ping in turn; pings come after the arrivals of the same instant."""

    def __init__(self, calendar: Calendar, router: PoolRoutes, calls: PingCalls, ping_s: float, rows: int) -> None:
        super().__init__(calendar)
        self.handlers = [self._ping]
        self._queue = calendar.queue
        self._router, self._ping_s, self._rows = router, ping_s, rows
        self._function, self._time_s = calls[0].tolist(), calls[1].tolist()
        self._i = 0
        self._schedule()

    def _schedule(self) -> None:
        if self._i < len(self._time_s):
            self.callbacks = self.handlers
            heappush(self._queue, (self._time_s[self._i], ARRIVAL, self._rows + self._i, self))

    def _ping(self, _event: Recurring) -> None:
        i = self._i
        self._router.ping(self._function[i], self._rows + i, self._time_s[i], self._ping_s)
        self._i = i + 1
        self._schedule()
