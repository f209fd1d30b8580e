"""Deadlines: the instants at which running requests would be cut, the first of them first."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.platform.running import Running


class Deadlines:
    """Of requests that run; those of requests that ended before are dropped when they are met, or are too many."""

    __slots__ = ("_of_row", "_queue")

    def __init__(self) -> None:
        self._queue: list[tuple[float, int]] = []  # seconds and row
        self._of_row: dict[int, Running] = {}

    def add(self, at_s: float, request: Running) -> None:
        """`request` is cut at `at_s`, unless it has ended by then."""
        self._of_row[request.row] = request
        heappush(self._queue, (at_s, request.row))

    def forget(self, request: Running) -> None:
        """`request` has ended; one without a deadline may, too."""
        self._of_row.pop(request.row, None)
        if len(self._queue) > 2 * len(self._of_row) + 8:  # so that a change costs O(log n) of the requests that run
            self._queue = [each for each in self._queue if each[1] in self._of_row]
            heapify(self._queue)

    def first(self) -> tuple[float, Running | None]:
        """The next one, and whose it is; infinity and None if there is none."""
        while self._queue and self._queue[0][1] not in self._of_row:
            heappop(self._queue)
        if not self._queue:
            return inf, None
        at_s, row = self._queue[0]
        return at_s, self._of_row[row]
