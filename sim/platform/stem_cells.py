"""Stem cells: sandboxes that belong to no function yet, and what is left of a start that takes one."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from heapq import heappush
from itertools import takewhile
from math import inf, nan
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import ConfigError
from sim.core.random import function_keys
from sim.core.time import READY, TICK
from sim.platform.calendar import Calendar, Recurring
from sim.platform.startup import PHASES, StartDraws
from sim.policies.keepalive.demands import GenericPools
from sim.results.columns import Cells
from sim.results.pricing import rounded_up
from sim.workload.functions import function_table

REMOVED_A_CHECK: Final = 100
"""Cells that a check removes at most, over all classes (OpenWhisk's expiration limit)."""
FIRST_NUMBER: Final = -(1 << 62)
"""The number of the first cell among all that becomes ready: below every instance's."""

Keys: TypeAlias = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
ClassDraws: TypeAlias = Callable[[pd.DataFrame, Keys], StartDraws]
"""The draws of the starts of cells, given the table of classes and its keys."""


class Cell(Recurring):
    """A cell; it is the event of becoming ready.

    Attributes:
        number: counted over all classes, in order of creation.
        of: its class.
        ready_s: since when it is ready.
    """

    def __init__(self, calendar: Calendar, number: int, of: CellClass) -> None:
        super().__init__(calendar)
        self.number, self.of = number, of
        self.ready_s = nan


class CellClass:
    """The cells that some functions share.

    Attributes:
        index: its row in the table of classes.
        ready: ready cells; they live equally long, so the first to be ready is the first to expire.
        starting: how many are not ready yet.
        made: how many there ever were; the k-th takes draw k.
        cold_starts: starts since the last check that found none ready.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.ready: deque[Cell] = deque()
        self.starting = self.made = self.cold_starts = 0


class CellPools:
    """Applies a policy's generic pools: gives cells to the starts that ask, and fills their classes again.

    The cells of time 0 are ready then: they were deployed before the trace begins, as an operator starts a platform
    before it serves. Functions deployed as images have none: an image brings a sandbox of its own.
    """

    def __init__(
        self, calendar: Calendar, pools: GenericPools, functions: pd.DataFrame, bind: ClassDraws, horizon_s: float
    ) -> None:
        self._calendar, self._pools, self._horizon_s = calendar, pools, horizon_s
        class_of, self._table = classes(functions, pools.memory_step_mb)
        self._classes = [CellClass(i) for i in range(len(self._table))]
        self._class_of = [self._classes[i] if i >= 0 else None for i in class_of]
        self._draws = bind(self._table, _keys(self._table))
        self._generic = _generic(pools.generic_phases, self._draws.phases)
        self._class = array("i")
        self._created_s, self._ready_s, self._ended_s = array("d"), array("d"), array("d")
        self._taken = bytearray()
        for of in self._classes:
            for _ in range(pools.initial_count):
                self._ready(self._made(of))
        self._checks = 0
        self._plan()

    # A start asks for a cell.

    def specialise(self, draws: StartDraws, function: int, k: int) -> tuple[float, ...]:
        """The phases of a start, drawn as always; the generic ones are 0 if there is a cell for it."""
        phases_s = draws.draw(function, k)
        if not self._take(self._class_of[function]):
            return phases_s
        return tuple(0.0 if done else phase_s for phase_s, done in zip(phases_s, self._generic, strict=True))

    def _take(self, of: CellClass | None) -> bool:
        if of is None:
            return False
        if not of.ready:
            of.cold_starts += 1
            return False
        cell = of.ready.popleft()
        self._taken[cell.number] = True
        self._ended_s[cell.number] = self._calendar._now
        self._fill(of, self._pools.min_count)
        return True

    # Cells come and go.

    def _fill(self, of: CellClass, wanted: int) -> None:
        for _ in range(len(of.ready) + of.starting, wanted):
            self._start(of)

    def _start(self, of: CellClass) -> None:
        k = of.made
        cell = self._made(of)
        cell.callbacks = [self._ready]
        start_up_s = 0.0
        for phase_s, generic in zip(self._draws.draw(of.index, k), self._generic, strict=True):
            if generic:
                start_up_s += phase_s
        heappush(self._calendar.queue, (self._calendar._now + start_up_s, READY, FIRST_NUMBER + cell.number, cell))

    def _made(self, of: CellClass) -> Cell:
        """A new cell, which starts."""
        cell = Cell(self._calendar, len(self._class), of)
        self._class.append(of.index)
        self._created_s.append(self._calendar._now)
        self._ready_s.append(nan)
        self._ended_s.append(inf)
        self._taken.append(False)
        of.made += 1
        of.starting += 1
        return cell

    def _ready(self, cell: Cell) -> None:
        cell.ready_s = self._ready_s[cell.number] = self._calendar._now
        cell.of.starting -= 1
        cell.of.ready.append(cell)

    # A check.

    def _plan(self) -> None:
        self._checks += 1
        at_s = self._checks * self._pools.check_s
        if at_s <= self._horizon_s and self._classes:
            check = Recurring(self._calendar)
            check.callbacks = [self._check]
            heappush(self._calendar.queue, (at_s, TICK, -1, check))

    def _check(self, _event: Recurring) -> None:
        self._remove_expired(self._calendar._now)
        for of in self._classes:
            self._fill(of, self._pools.wanted(of.cold_starts))
            of.cold_starts = 0
        self._plan()

    def _remove_expired(self, now_s: float) -> None:
        """Remove ready cells that have outlived their time; as with a window, they may still be there at its end."""
        ttl_s = self._pools.ttl_s
        over = [cell for of in self._classes for cell in takewhile(lambda cell: cell.ready_s + ttl_s < now_s, of.ready)]
        over.sort(key=lambda cell: (cell.ready_s, cell.number))
        for cell in over[:REMOVED_A_CHECK]:
            cell.of.ready.popleft()  # itself: a class's first is the first of them to expire
            self._ended_s[cell.number] = now_s

    def columns(self) -> Cells:
        """The columns of the cells."""
        return Cells(
            runtimes=tuple(self._table["runtime"]),
            class_mb=self._table["memory_mb"].to_numpy(np.float64),
            kind=np.frombuffer(self._class, np.int32),
            created_s=np.frombuffer(self._created_s),
            ready_s=np.frombuffer(self._ready_s),
            ended_s=np.frombuffer(self._ended_s),
            taken=np.frombuffer(self._taken, np.bool_),
        )


def classes(functions: pd.DataFrame, memory_step_mb: float) -> tuple[list[int], pd.DataFrame]:
    """The classes that functions fall into, by runtime and memory.

    Args:
        functions: the table of functions as deployed, a row each.
        memory_step_mb: memory is rounded up to a multiple of this; 0: not.

    Returns:
        For each function the row of its class, -1 for one deployed as an image; and the classes in order of their
        first function, as a table of functions without code and VPC.
    """
    memory_mb = rounded_up(functions["memory_mb"].to_numpy(np.float64), memory_step_mb).tolist()
    rows: dict[tuple[str, float], int] = {}
    class_of = []
    for runtime, own_mb, kind in zip(functions["runtime"], memory_mb, functions["package_kind"], strict=True):
        class_of.append(rows.setdefault((runtime, own_mb), len(rows)) if kind == "zip" else -1)
    table = pd.DataFrame(list(rows), columns=["runtime", "memory_mb"])
    names = [f"{runtime} {own_mb!r}" for runtime, own_mb in rows]
    return class_of, function_table(table.assign(name=names, package_mb=0.0))


def _keys(table: pd.DataFrame) -> Keys:
    """The keys of classes: they depend on runtime and memory alone, not on which functions a trace has."""
    return function_keys(table["owner"].tolist(), ["stem cells"] * len(table), table["name"].tolist())


def _generic(wanted: tuple[str, ...], phases: tuple[str, ...]) -> tuple[bool, ...]:
    """Which of the phases of a start a cell has behind it."""
    unknown = [name for name in wanted if name not in (*PHASES, *phases)]
    if unknown:
        raise ConfigError(f"generic_phases: a start has no phase {', '.join(unknown)}; it has {', '.join(PHASES)}")
    return tuple(phase in wanted for phase in phases)
