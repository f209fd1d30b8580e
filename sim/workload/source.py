"""What calls can come from: a trace in memory, one on disk, or anything else that has each function's at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.workload.trace import Trace

IntArray = npt.NDArray[np.int64]


class Source(Protocol):
    """Calls of functions, anywhere: in memory, on disk, or made when they are asked for.

    Attributes:
        functions: the table of functions (see `sim.workload.functions`).
        horizon_s: the declared span.
        calls_per_function: int64[F], about how many calls each has: shards are made of equal weight by it.
    """

    @property
    def functions(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def horizon_s(self) -> float: ...  # noqa: D102
    @property
    def calls_per_function(self) -> IntArray: ...  # noqa: D102

    def content_hash(self) -> str:
        """A hash of all that a simulation sees."""

    def part(self, chosen: IntArray) -> Trace:
        """The calls of some functions, given by ascending places in the table, as a trace of these functions."""


def about(source: Source) -> Mapping[str, Any]:
    """Facts on the origin, of those that have any."""
    facts: Mapping[str, Any] = getattr(source, "about", {})
    return facts


def without_calls(source: Source, chosen: IntArray | slice = slice(None)) -> Trace:
    """Some functions of a source, and none of their calls."""
    table = source.functions.iloc[chosen].reset_index(drop=True)
    return Trace(np.empty(0, np.int32), np.empty(0), np.empty(0), table, source.horizon_s)
