"""Calls counted by the minute, and the recipe that makes arrivals and durations of them, anew in each replication."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.distributions import poisson_quantile
from sim.core.errors import TraceError
from sim.core.random import function_keys, stream, uniforms
from sim.workload import arrivals
from sim.workload.arrivals import MINUTE_S
from sim.workload.counted import CountedTrace
from sim.workload.durations import FIXED, MODELS, PROBABILITIES, DurationStatistics
from sim.workload.functions import FROM_ZERO
from sim.workload.memory import require_room

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Calls = tuple[npt.NDArray[np.int32], FloatArray, FloatArray]
"""The columns of a trace: function, arrival_s, duration_s."""

BATCH_CALLS: Final = 1 << 17
"""Calls made at a time: whole minutes, so that sorting stays inside a batch and its scratch memory small."""
BYTES_A_CALL: Final = 20
"""int32 function, float64 arrival and duration."""
ADVICE: Final = (
    "take fewer minutes or functions, or let runs record nothing (record=False, engine='compiled'), which need no calls"
)
_MOST_CALLS: Final = 2**31 - 1


@dataclass(frozen=True)
class Recipe:
    """How calls are made from counts.

    Attributes:
        arrivals: one of `sim.workload.arrivals.KINDS`.
        durations: one of `sim.workload.durations.MODELS`.
        seed: of everything drawn.

    Raises:
        TraceError: a name that there is not.
    """

    arrivals: str = "even"
    durations: str = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        for role, name, known in (("arrivals", self.arrivals, arrivals.KINDS), ("durations", self.durations, MODELS)):
            if name not in list(known):
                raise TraceError(f"{role} must be one of {list(known)}, not {name!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise TraceError(f"seed must be a whole number, not {self.seed!r}")

    @property
    def is_random(self) -> bool:
        """Whether two replications can differ."""
        return bool(self.drawn)

    @property
    def drawn(self) -> str:
        """What is drawn anew in each replication, in words; empty where nothing is."""
        what = (("arrivals", self.arrivals != "even"), ("durations", self.durations not in FIXED))
        return " and ".join(name for name, is_drawn in what if is_drawn)


@dataclass(frozen=True, eq=False)
class CountSource:
    """Counts a minute of F functions: the non-empty cells, by minute, then function.

    Draw j of a cell is draw ``label * 2**32 + j`` of its function's streams, where the label is the minute's absolute
    number in the data set. So choosing days, minutes or functions changes no draw of what remains.

    Attributes:
        function: int32[c], index in `functions`.
        minute: int32[c], counted from the first minute selected.
        count: int32[c], calls of the cell, 1 or more (whole numbers of any type are taken).
        functions: the table of functions.
        durations: what is known of their durations.
        spans: the selected minutes as runs of (label of the first, number of minutes), in order of time.
        recipe: how calls are made.
    """

    function: npt.NDArray[np.int32]
    minute: npt.NDArray[np.int32]
    count: npt.NDArray[Any]
    functions: pd.DataFrame
    durations: DurationStatistics
    spans: tuple[tuple[int, int], ...]
    recipe: Recipe

    def __post_init__(self) -> None:
        _check(self)
        object.__setattr__(self, "count", self.count.astype(np.int32, copy=False))
        for column in (self.function, self.minute, self.count):
            column.flags.writeable = False

    @property
    def minutes(self) -> int:
        """The number of minutes selected, empty ones included."""
        return sum(length for _, length in self.spans)

    @property
    def horizon_s(self) -> float:
        """The span of the counts: 60 s a minute."""
        return MINUTE_S * self.minutes

    @cached_property
    def labels(self) -> npt.NDArray[np.uint64]:
        """uint64[minutes]: each minute's absolute number in the data set."""
        runs = [np.arange(first, first + length, dtype=np.uint64) for first, length in self.spans]
        return np.concatenate(runs) if runs else np.empty(0, np.uint64)

    def of_functions(self, chosen: IntArray) -> CountSource:
        """The counts of some functions, in the order of their indices given; what is drawn for them stays the same."""
        number = np.full(len(self.functions), -1, np.int32)
        number[chosen] = np.arange(chosen.size, dtype=np.int32)
        cells = np.flatnonzero(number[self.function] >= 0)
        if np.any(chosen[1:] < chosen[:-1]):
            cells = cells[np.lexsort((number[self.function[cells]], self.minute[cells]))]
        return replace(
            self,
            function=number[self.function[cells]],
            minute=self.minute[cells],
            count=self.count[cells],
            functions=self.functions.iloc[chosen].reset_index(drop=True),
            durations=self.durations.select(chosen, cells),
        )

    def of_minutes(self, spans_s: Sequence[tuple[float, float]]) -> CountSource | None:
        """The counts of some spans of time, one after another; None if they are not whole minutes that are there.

        Args:
            spans_s: start and end of each, in seconds from the start, ascending and disjoint.
        """
        if any(edge % MINUTE_S for span in spans_s for edge in span):
            return None
        minutes = [(int(start / MINUTE_S), int(end / MINUTE_S)) for start, end in spans_s]
        if minutes[-1][1] > self.minutes or any(first == last for first, last in minutes):
            return None
        number = np.full(self.minutes, -1, np.int32)
        kept_minutes: npt.NDArray[Any] = np.concatenate([np.arange(first, last) for first, last in minutes])
        number[kept_minutes] = np.arange(kept_minutes.size, dtype=np.int32)
        cells = np.flatnonzero(number[self.minute] >= 0)
        return replace(
            self, function=self.function[cells], minute=number[self.minute[cells]], count=self.count[cells],
            durations=self.durations.select(None, cells), spans=_runs(self.labels[kept_minutes]),
        )  # fmt: skip

    def draw(self, replication: int, about: Mapping[str, Any]) -> CountedTrace:
        """The trace of one replication, which makes its calls when they are asked for.

        Args:
            replication: its number, from 0; without effect where the recipe draws nothing.
            about: the origin that the trace is to carry.
        """
        return CountedTrace(self.functions, self.horizon_s, about, counts=self, replication=replication)

    def columns(self, replication: int) -> Calls:
        """The calls of one replication, sorted by arrival; ties in order of function, then of the call in its cell.

        Raises:
            TraceError: they would not fit into memory.
        """
        count = self.drawn_counts(replication)
        calls = int(count.sum())
        require_room(f"{calls:,} calls", calls * BYTES_A_CALL, ADVICE)
        function, arrival, duration = np.empty(calls, np.int32), np.empty(calls), np.empty(calls)
        place, last = self._maker(replication), 0
        for cells in self._batches(count):
            part = slice(last, last + int(count[cells].sum()))
            function[part], arrival[part], duration[part] = place(cells, count[cells])
            last = part.stop
        for column in (function, arrival, duration):
            column.flags.writeable = False
        return function, arrival, duration

    def calls_per_function(self, replication: int) -> IntArray:
        """int64[F]: the calls of each function in one replication, without making them."""
        calls = np.bincount(self.function, self.drawn_counts(replication), len(self.functions))
        return calls.astype(np.int64)

    def tell(self, digest: hashlib.blake2b, replication: int) -> None:
        """Feed a hash with all that the calls of one replication depend on, and with nothing else."""
        recipe, known = self.recipe, self.durations
        digest.update(repr((recipe.arrivals, recipe.durations, self.count.size)).encode())
        columns: list[npt.NDArray[Any]] = [self.function, self.minute, self.count]
        if recipe.durations == "per_minute":
            assert known.cell_average_s is not None
            columns.append(known.cell_average_s)
        else:  # of functions that are called
            called = np.bincount(self.function, minlength=len(self.functions)) > 0
            columns.append((known.average_s if recipe.durations == "mean" else known.quantiles_s)[called])
        if recipe.is_random:
            digest.update(repr((recipe.seed, replication)).encode())
            columns += [self.labels, *self._keys]
        for column in columns:
            digest.update(np.ascontiguousarray(column).data)

    @property
    def _keys(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        table = self.functions
        return function_keys(table["owner"].tolist(), table["app"].tolist(), table["name"].tolist())

    def streams(self, replication: int, purpose: str) -> npt.NDArray[np.uint64]:
        """uint64[F]: the streams of a replication for ``arrivals``, ``durations`` or ``arrival_counts``."""
        return stream(self.recipe.seed, replication, purpose, *self._keys)

    def drawn_counts(self, replication: int) -> npt.NDArray[Any]:
        """Whole numbers [c]: the calls of each cell in a replication, `count` unless arrivals are ``poisson``."""
        if self.recipe.arrivals != "poisson":
            return self.count
        keys = self.streams(replication, "arrival_counts")
        return poisson_quantile(uniforms(keys[self.function], self.labels[self.minute]), self.count)

    def _batches(self, count: npt.NDArray[Any]) -> Iterator[slice]:
        """Runs of cells that are whole minutes: as many as make at most `BATCH_CALLS` calls, or one."""
        cell = np.searchsorted(self.minute, np.arange(self.minutes + 1))
        calls = np.concatenate(([0], np.cumsum(count)))[cell]
        first = 0
        while first < self.minutes:
            last = int(np.searchsorted(calls, calls[first] + BATCH_CALLS, "right")) - 1
            last = max(last, first + 1)
            yield slice(int(cell[first]), int(cell[last]))
            first = last

    def _maker(self, replication: int) -> Callable[[slice, npt.NDArray[Any]], Calls]:
        """What makes the calls of a run of cells that are whole minutes."""
        placement, model = arrivals.KINDS[self.recipe.arrivals], MODELS[self.recipe.durations](self.durations)
        arrival_keys, duration_keys = (self.streams(replication, purpose) for purpose in ("arrivals", "durations"))

        def make(cells: slice, count: npt.NDArray[Any]) -> Calls:
            row = np.repeat(np.arange(count.size), count)
            number = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count)
            function, minute = self.function[cells][row], self.minute[cells][row].astype(np.int64)
            index = (self.labels[minute] << np.uint64(32)) + number.astype(np.uint64)
            arrival = placement(minute, number, count[row], lambda: uniforms(arrival_keys[function], index))
            duration = model(function, cells.start + row, lambda: uniforms(duration_keys[function], index))
            order = np.argsort(arrival, kind="stable")
            return function[order], arrival[order], duration[order]

        return make


def _runs(labels: npt.NDArray[np.uint64]) -> tuple[tuple[int, int], ...]:
    """The labels as runs of (first, length)."""
    breaks = np.flatnonzero(np.diff(labels.astype(np.int64)) != 1) + 1
    return tuple((int(run[0]), run.size) for run in np.split(labels, breaks))


def _check(source: CountSource) -> None:
    """What a reader of files must have made sure of: cells in range, not empty, in order, none twice."""
    cells, functions = source.count.size, len(source.functions)
    if not source.function.shape == source.minute.shape == source.count.shape == (cells,):
        raise TraceError("function, minute and count must be equally long")
    if source.durations.quantiles_s.shape != (functions, len(PROBABILITIES)):
        raise TraceError(f"duration statistics are not of {functions} functions")
    known = source.durations.cell_average_s
    if known is not None and known.shape != (cells,):
        raise TraceError(f"averages of {known.size} cells, but there are {cells}")
    if known is None and source.recipe.durations == "per_minute":
        raise TraceError("durations='per_minute', but the source has no averages of minutes")
    in_range = (source.function >= 0) & (source.function < functions)
    in_range &= (source.minute >= 0) & (source.minute < source.minutes) & (source.count > 0)
    in_range &= source.count <= _MOST_CALLS
    if not in_range.all():
        row = int(np.argmin(in_range))
        raise TraceError(f"a cell names no function or minute, or has no calls or too many{FROM_ZERO}", row=row)
    place = source.minute.astype(np.int64) * functions + source.function
    rises = place[1:] > place[:-1]
    if not rises.all():
        row = int(np.argmin(rises)) + 1
        raise TraceError(f"cells must ascend by minute, then function{FROM_ZERO}", row=row)
