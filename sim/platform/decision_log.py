"""The decision log: what scalers wanted, when and why."""

from __future__ import annotations

from typing import Final

import numpy as np

from sim.results.columns import Decisions

AT_START: Final = "at start"
"""The reason of what there is when the trace begins."""


class DecisionLog:
    """A row each time that a scaler wants another number of a unit, in the order in which that happens."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, int, int, int, int, int, int, str]] = []

    def note(
        self,
        now_s: float,
        function: int,
        wanted: int,
        why: str,
        *,
        ready: int = 0,
        starting: int = 0,
        in_flight: int = 0,
        waiting: int = 0,
    ) -> None:
        """From `now_s` on `wanted` instances are to be there; the others as in `Decisions`, just before."""
        self._rows.append((now_s, function, ready, starting, in_flight, waiting, wanted, why))

    def columns(self) -> Decisions:
        """The log."""
        time_s, *counts, why = zip(*self._rows, strict=True) if self._rows else ((),) * 8
        reasons = tuple(dict.fromkeys(why))
        codes = [reasons.index(each) for each in why]
        function, ready, starting, in_flight, waiting, wanted, code = (
            np.array(each, np.int32) for each in (*counts, codes)
        )
        seconds = np.array(time_s, np.float64)
        return Decisions(seconds, function, ready, starting, in_flight, waiting, wanted, code, reasons)
