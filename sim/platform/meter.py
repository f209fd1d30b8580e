"""The meter: the load of a unit, second by second."""

from __future__ import annotations

from math import floor, inf
from typing import Final

LONGEST_QUIET_S: Final = 3600
"""Seconds without any change that are remembered at most; no window is longer."""


class Headcount:
    """Requests in flight, and nothing of the past: the keeper of a pool whose scaler sees no seconds.

    Attributes:
        in_flight: requests that run or wait.
        idle_s: how long an idle instance stays.
    """

    __slots__ = ("idle_s", "in_flight")

    def __init__(self, idle_s: float = inf) -> None:
        self.in_flight = 0
        self.idle_s = idle_s

    def arrived(self, now_s: float) -> None:
        """A call has come."""
        self.in_flight += 1

    def ended(self, now_s: float) -> None:
        """A call has ended, in whatever way."""
        self.in_flight -= 1

    def emptied(self, now_s: float) -> None:
        """The last instance has ended: that changes no load."""

    def window_s(self, row: int, now_s: float) -> float:
        """How long an idle instance stays, if the scaler does not take it away."""
        return self.idle_s

    @property
    def has_news(self) -> bool:
        """Whether a call has come in the second under way."""
        return False

    def take(self, now_s: float) -> tuple[int, list[float], list[int]]:
        """No seconds, since `now_s`."""
        return int(now_s), [], []


class Meter(Headcount):
    """Requests in flight on the average of each whole second, and requests that came in it.

    It is the keeper of a pool under a scaler, so it is told when calls come and end. Nothing is looked at once a
    second: a change adds what the level before it has made up, and seconds are told apart when the first change after
    them comes, or when they are asked for.

    Attributes:
        in_flight: requests that run or wait.
        idle_s: how long an idle instance stays.
    """

    __slots__ = ("_area_s", "_arrivals", "_came", "_ends_s", "_levels", "_since_s")

    def __init__(self, idle_s: float = inf) -> None:
        super().__init__(idle_s)
        self._levels: list[float] = []
        self._came: list[int] = []
        self._area_s, self._arrivals = 0.0, 0  # of the second under way
        self._since_s, self._ends_s = 0.0, 1.0

    def arrived(self, now_s: float) -> None:
        """A call has come."""
        if now_s >= self._ends_s:
            self._turn(now_s)
        self._area_s += self.in_flight * (now_s - self._since_s)
        self._since_s = now_s
        self.in_flight += 1
        self._arrivals += 1

    def ended(self, now_s: float) -> None:
        """A call has ended, in whatever way."""
        if now_s >= self._ends_s:
            self._turn(now_s)
        self._area_s += self.in_flight * (now_s - self._since_s)
        self._since_s = now_s
        self.in_flight -= 1

    @property
    def has_news(self) -> bool:
        """See `Headcount`."""
        return self._arrivals > 0

    def take(self, now_s: float) -> tuple[int, list[float], list[int]]:
        """The seconds that have ended since the last time: the first of them, their loads, and their arrivals."""
        if now_s >= self._ends_s:
            self._turn(now_s)
        levels, came = self._levels, self._came
        self._levels, self._came = [], []
        return int(self._ends_s) - 1 - len(levels), levels, came

    def _turn(self, now_s: float) -> None:
        """The second under way has ended, and perhaps others in which nothing changed."""
        self._levels.append(self._area_s + self.in_flight * (self._ends_s - self._since_s))
        self._came.append(self._arrivals)
        second = floor(now_s)
        quiet = second - int(self._ends_s)
        if quiet > LONGEST_QUIET_S:
            self._levels.clear()
            self._came.clear()
            quiet = LONGEST_QUIET_S
        if quiet:
            self._levels += [float(self.in_flight)] * quiet
            self._came += [0] * quiet
        self._area_s, self._arrivals = 0.0, 0
        self._since_s, self._ends_s = float(second), second + 1.0
