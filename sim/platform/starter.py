"""The starter: how long the start-up of an instance takes, phase by phase, and what it fetches."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np

from sim.platform.code_store import CodeStore
from sim.platform.registry import Registry
from sim.platform.startup import StartDraws
from sim.results.columns import Starts


class Starter:
    """Draws the phases of a start, fetches the code, and keeps a record of both."""

    def __init__(self, registry: Registry, code_store: CodeStore, bind: Callable[[str], StartDraws]) -> None:
        """`bind` gives the draws of starts that calls ask for (``start``), and of all others (``prewarm``)."""
        self._link, self._code_store, self._bind = registry.link, code_store, bind
        self._draws = bind("start")
        self._unasked: StartDraws | None = None
        self._rows = array("q")
        self._phases_s = array("d")
        self._fetched_mb = array("d")

    def begin(self, function: int, k: int, row: int) -> float:
        """The start that call `row`, the k-th (from 0) of its function, causes; returns its seconds in all."""
        phases_s = self._draws.draw(function, k)
        self._fetched_mb.append(self._code_store.fetch(self._link[function]))
        self._rows.append(row)
        self._phases_s.extend(phases_s)
        return _total_s(phases_s)

    def begin_unasked(self, function: int, k: int) -> float:
        """The k-th (from 0) start of a function's instance that no call asked for; returns its seconds in all."""
        if self._unasked is None:
            self._unasked = self._bind("prewarm")
        self._code_store.fetch(self._link[function])
        return _total_s(self._unasked.draw(function, k))

    def starts(self) -> Starts:
        """The columns of the starts so far."""
        rows = np.frombuffer(self._rows, np.int64)
        phases = self._draws.phases
        return Starts(
            phases=phases,
            row=rows,
            phase_s=np.frombuffer(self._phases_s).reshape(rows.size, len(phases)),
            fetched_mb=np.frombuffer(self._fetched_mb),
        )


def _total_s(phases_s: tuple[float, ...]) -> float:
    start_up_s = 0.0
    for phase_s in phases_s:
        start_up_s += phase_s
    return start_up_s
