"""The draws of one run: how long each phase of the k-th start of a function takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sim.core.distributions import CELLS, look_up
from sim.core.random import uniform, uniforms
from sim.platform.startup.parts import NO_TABLE, Affine

FloatArray = npt.NDArray[np.float64]
Step = tuple[int, int, list[float], float, float]
"""A random phase of one function: its place, stream, table, scale and offset."""


class StartDraws:
    """Phase durations as a function of (function, k): nothing is used up, so any order of asking gives the same.

    A phase takes `offset + scale * look_up(tables[table], uniform(key, k))` seconds, or `offset` where there is no
    table. The arrays are what a compiled engine draws from; do not write to them.

    Attributes:
        phases: names of the P phases, in their order.
        tables: float64[T, CELLS + 1].
        table: int64[F, P], row of `tables`, `NO_TABLE` (-1) where the phase is constant for that function.
        scale, offset: float64[F, P]; offset in seconds.
        key: uint64[F, P], the streams.
    """

    def __init__(self, phases: tuple[str, ...], resolved: Sequence[Affine], key: npt.NDArray[np.uint64]) -> None:
        """Put the phases together.

        Args:
            phases: their names, in order.
            resolved: each of them for the F functions.
            key: uint64[F, P], the stream of each function and phase.
        """
        self.phases = phases
        self.key = key
        self.scale = np.column_stack([phase.scale for phase in resolved])
        self.offset = np.column_stack([phase.offset for phase in resolved])
        tables: list[FloatArray] = []
        columns = []
        for phase in resolved:
            columns.append(np.where(phase.table == NO_TABLE, NO_TABLE, phase.table + len(tables)))
            tables.extend(phase.tables)
        self.table = np.column_stack(columns)
        self.tables = np.stack(tables) if tables else np.empty((0, CELLS + 1))
        # Made when a function first starts: most functions of a big trace share few tables and start rarely.
        self._plans: list[tuple[tuple[float, ...], list[Step]] | None] = [None] * len(self.table)
        self._lists: list[list[float] | None] = [None] * len(tables)

    @property
    def is_random(self) -> bool:
        """Whether any function has a phase that differs from start to start."""
        return bool((self.table != NO_TABLE).any())

    def draw(self, function: int, k: int) -> tuple[float, ...]:
        """Seconds that each phase of start `k` (from 0) of a function takes; the same bits as `draw_many`."""
        constants, steps = self._plans[function] or self._plan(function)
        if not steps:
            return constants
        durations = list(constants)
        for phase, key, table, scale, offset in steps:
            position = uniform(key, k) * CELLS
            cell = int(position)
            low = table[cell]
            durations[phase] = offset + scale * (low + (table[cell + 1] - low) * (position - cell))
        return tuple(durations)

    def draw_many(self, function: npt.NDArray[np.integer], k: npt.NDArray[np.integer]) -> FloatArray:
        """`draw` of many starts at once.

        Args:
            function: int[n], indices of functions.
            k: int[n], which start of its function each is, from 0.

        Returns:
            float64[n, P], seconds.
        """
        durations: FloatArray = self.offset[function]
        for phase in range(len(self.phases)):
            tables = self.table[function, phase]
            for table in np.unique(tables[tables != NO_TABLE]):
                rows = np.flatnonzero(tables == table)
                f = function[rows]
                values = look_up(self.tables[table], uniforms(self.key[f, phase], k[rows].astype(np.uint64)))
                durations[rows, phase] = self.offset[f, phase] + self.scale[f, phase] * values
        return durations

    def _plan(self, function: int) -> tuple[tuple[float, ...], list[Step]]:
        """What `draw` needs of a function, as plain Python numbers."""
        constants = tuple(self.offset[function].tolist())
        rows = (self.table[function], self.key[function], self.scale[function])
        steps = [
            (phase, key, self._list(table), scale, constants[phase])
            for phase, (table, key, scale) in enumerate(zip(*(row.tolist() for row in rows), strict=True))
            if table != NO_TABLE
        ]
        plan = self._plans[function] = (constants, steps)
        return plan

    def _list(self, table: int) -> list[float]:
        values = self._lists[table]
        if values is None:
            values = self._lists[table] = self.tables[table].tolist()
        return values


def totals_s(phase_s: FloatArray) -> FloatArray:
    """Phases summed left to right: start-up times, or whole cold starts if the load of the handler is among them.

    Neither `numpy.sum` nor, since Python 3.12, `sum` adds floats in that order to the last bit.

    Args:
        phase_s: float64[n, P], seconds.

    Returns:
        float64[n], seconds.
    """
    total = np.zeros(len(phase_s))
    for column in phase_s.T:
        total = total + column
    return total
