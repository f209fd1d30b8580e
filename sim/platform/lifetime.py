"""How long instances may live."""

from __future__ import annotations

from sim.core.distributions import CELLS, Distribution
from sim.core.random import uniform


class Lifetimes:
    """One life for all, or one drawn for each instance: the k-th of a unit takes draw k of its first function."""

    def __init__(self, life_s: float | Distribution, streams: list[int]) -> None:
        """`streams` has each function's stream of draws."""
        self._constant_s = None if isinstance(life_s, Distribution) else float(life_s)
        self._table: list[float] = life_s.table.tolist() if isinstance(life_s, Distribution) else []
        self._streams = streams

    def draw(self, function: int, k: int) -> float:
        """The life in seconds of the k-th (from 0) instance of a unit."""
        if self._constant_s is not None:
            return self._constant_s
        position = uniform(self._streams[function], k) * CELLS
        cell = int(position)
        low = self._table[cell]
        return low + (self._table[cell + 1] - low) * (position - cell)
