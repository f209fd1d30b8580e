"""Calls as readers of call traces gather them: block by block, then a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import TraceError
from sim.workload.memory import default_limit_mb
from sim.workload.trace import Trace

BYTES_A_CALL: Final = 64
"""At the peak, while calls are sorted."""
_MB: Final = 1024.0**2

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]


class Gathered(Protocol):
    """What takes up calls block by block, in memory or elsewhere."""

    count: int

    def add(self, function: IntArray, arrival_s: FloatArray, duration_s: FloatArray) -> None:
        """Take up some calls."""

    def per_function(self, functions: int) -> npt.NDArray[np.int64]:
        """int64[functions]: the calls of each."""

    def after(self, horizon_s: float | None) -> int:
        """Calls later than a horizon, once arrivals are seconds; 0 where none is declared."""

    @property
    def earliest(self) -> float:
        """The first arrival; 0 where there is none."""

    def rescale(self, zero: float, per_s: float) -> None:
        """Make seconds of arrivals that were added in other units, `per_s` to a second, counted from elsewhere."""


@dataclass
class Calls:
    """Calls in any order of arrival.

    Attributes:
        limit_mb: what they may take while the trace is made.
        parts: function, arrival_s and duration_s, a triple of arrays a block.
        count: of all calls.
    """

    limit_mb: float = field(default_factory=default_limit_mb)
    parts: list[tuple[IntArray, FloatArray, FloatArray]] = field(default_factory=list)
    count: int = 0

    def add(self, function: IntArray, arrival_s: FloatArray, duration_s: FloatArray) -> None:
        """Take up some calls.

        Raises:
            TraceError: they would not fit into memory.
        """
        self.parts.append((function, arrival_s, duration_s))
        self.count += function.size
        needed_mb = self.count * BYTES_A_CALL / _MB
        if needed_mb > self.limit_mb:
            raise TraceError(
                f"the first {self.count:,} calls would need {needed_mb:,.0f} MB, over the {self.limit_mb:,.0f} MB that"
                " may be used (half of what is free): read a part of the trace"
            )

    def per_function(self, functions: int) -> npt.NDArray[np.int64]:
        """int64[functions]: the calls of each."""
        counts = np.zeros(functions, np.int64)
        for function, _, _ in self.parts:
            counts += np.bincount(function, minlength=functions)
        return counts

    def after(self, horizon_s: float | None) -> int:
        """Calls later than a horizon, once arrivals are seconds; 0 where none is declared."""
        latest = np.inf if horizon_s is None else horizon_s
        return sum(int(np.count_nonzero(arrival > latest)) for _, arrival, _ in self.parts)

    @property
    def earliest(self) -> float:
        """The first arrival; 0 where there is none."""
        return min((float(arrival.min()) for _, arrival, _ in self.parts if arrival.size), default=0.0)

    def rescale(self, zero: float, per_s: float) -> None:
        """Make seconds of arrivals that were added in other units, `per_s` to a second, counted from elsewhere."""
        self.parts = [(function, (arrival - zero) / per_s, duration) for function, arrival, duration in self.parts]

    def trace(self, functions: pd.DataFrame, about: Mapping[str, Any], horizon_s: float | None = None) -> Trace:
        """The calls as a trace, sorted by arrival; ties in the order in which they were added.

        Args:
            functions: a row a function, as `sim.workload.functions.function_table` takes it.
            about: the trace's origin.
            horizon_s: its span; by default the last arrival.
        """
        columns = zip(*self.parts, strict=True) if self.parts else ([np.empty(0)] for _ in range(3))
        function, arrival_s, duration_s = (np.concatenate(column) for column in columns)
        self.parts.clear()
        made = Trace.from_arrays(
            function.astype(np.int32), arrival_s, duration_s, functions=functions, horizon_s=horizon_s
        )
        return replace(made, about=about)
