"""The starter: how long the start-up of an instance takes, phase by phase, and what it fetches."""

from __future__ import annotations

from array import array

import numpy as np

from sim.platform.code_store import CodeStore
from sim.platform.registry import Registry
from sim.platform.startup import StartDraws
from sim.results.columns import Starts


class Starter:
    """Draws the phases of a start, fetches the code, and keeps a record of both."""

    def __init__(self, registry: Registry, code_store: CodeStore, draws: StartDraws) -> None:
        self._link, self._code_store, self._draws = registry.link, code_store, draws
        self._rows = array("q")
        self._phases_s = array("d")
        self._fetched_mb = array("d")

    def begin(self, function: int, k: int, row: int) -> float:
        """The start that call `row`, the k-th (from 0) of its function, causes; returns its seconds in all."""
        phases_s = self._draws.draw(function, k)
        self._fetched_mb.append(self._code_store.fetch(self._link[function]))
        self._rows.append(row)
        self._phases_s.extend(phases_s)
        start_up_s = 0.0
        for phase_s in phases_s:
            start_up_s += phase_s
        return start_up_s

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
