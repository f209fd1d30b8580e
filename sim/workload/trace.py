"""A trace: who is called when and for how long, as columns, and the functions that are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import TraceError
from sim.core.random import function_keys
from sim.workload import canonical, display
from sim.workload.functions import FROM_ZERO, function_table, telling

if TYPE_CHECKING:
    from sim.workload.counts import CountSource

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]

_MOST_FUNCTIONS: Final = 2**31
"""Their index is an int32."""
_MANY_FUNCTIONS: Final = 1_000_000
_UNCALLED_A_CALLED: Final = 100
"""A table that nobody gave is refused above so many functions, 0.5 GB, if not one in so many is called: then numbers of
another kind (hashes, ids) were taken for indices. Chosen, not measured: the largest public trace has 0.07 million
functions."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Calls sorted by arrival, and the functions they call. Build one with `from_arrays` or `load_trace`.

    Attributes:
        function: int32[n], index of the called function in `functions`.
        arrival_s: float64[n], seconds from the start of the trace, ascending; ties keep their order.
        duration_s: float64[n], service time in seconds, without any start-up.
        functions: the table of functions (see `sim.workload.functions`).
        horizon_s: the declared span of the trace; its last arrival where nothing is declared.
        about: facts on the origin: format, path, licence, what a reader had to fall back on (the load report).
        counts: where calls are made from counts a minute (`sim.workload.counted`), those; else None.
        replication: which draw of the counts this is; 0 of a recorded trace.
    """

    function: IntArray
    arrival_s: FloatArray
    duration_s: FloatArray
    functions: pd.DataFrame
    horizon_s: float
    about: Mapping[str, Any] = field(default_factory=dict)
    counts: CountSource | None = field(default=None, init=False)
    replication: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for column in (self.function, self.arrival_s, self.duration_s):
            column.flags.writeable = False

    @classmethod
    def from_arrays(
        cls,
        function: npt.ArrayLike,
        arrival_s: npt.ArrayLike,
        duration_s: npt.ArrayLike,
        *,
        functions: pd.DataFrame | None = None,
        horizon_s: float | None = None,
    ) -> Trace:
        """A trace from three columns of equal length, in any order of arrival.

        Args:
            function: int indices into `functions`, or names (then matched with ``functions.name``, or, without a table,
                numbered by first appearance).
            arrival_s: seconds >= 0.
            duration_s: seconds >= 0; a scalar serves every call.
            functions: a row a function; `name` and whatever else is known (see `sim.workload.functions`).
            horizon_s: the span of the trace; by default its last arrival. Later calls are kept, and counted in `about`.

        Raises:
            TraceError: lengths that differ, NaN, infinities, negative times, unknown functions, a table that is none;
                without a table, numbers that leave nearly all functions uncalled.
        """
        arrival = _times("arrival_s", arrival_s)
        duration = _times("duration_s", np.broadcast_to(np.asarray(duration_s), arrival.shape)
                          if np.ndim(duration_s) == 0 else duration_s)  # fmt: skip
        index, table = _match_functions(np.asarray(function), functions)
        if not index.shape == arrival.shape == duration.shape:
            raise TraceError(
                f"function, arrival_s and duration_s have {index.size}, {arrival.size} and {duration.size} entries;"
                " they must be equally long"
            )
        last = float(arrival.max()) if arrival.size else 0.0
        horizon = last if horizon_s is None else float(horizon_s)
        if not 0 <= horizon < np.inf:
            raise TraceError(f"horizon_s must be a finite number >= 0, not {horizon}")
        if np.any(arrival[1:] < arrival[:-1]):
            order = np.argsort(arrival, kind="stable")
            index, arrival, duration = index[order], arrival[order], duration[order]
        after = int(np.count_nonzero(arrival > horizon))
        about = {"report": {"calls_after_horizon": after}} if after else {}
        return cls(index, arrival, duration, table, horizon, about=about)

    def __len__(self) -> int:
        return self.function.size

    def __repr__(self) -> str:
        size = f"{len(self):,} calls of {len(self.functions):,} functions over {self.horizon_s:,.0f} s"
        dropped, after = self.about.get("report", {}).get("rows_dropped", 0), self.calls_after_horizon
        notes = [f"; {dropped:,} rows of its files dropped"] if dropped else []
        notes += [f"; {after:,} calls after that"] if after else []
        return f"<Trace: {size}{''.join(notes)}>"

    def _repr_html_(self) -> str:
        """Its size, origin and load report, for notebooks."""
        facts = display.size(len(self), self.calls_per_function, self.functions, self.horizon_s)
        drawn = "drawn anew" if self.is_random else "the same"
        facts.append(("arrivals", f"{drawn} in every replication"))
        if self.calls_after_horizon:
            facts.append(("calls after the span", f"{self.calls_after_horizon:,}"))
        return display.with_origin("Trace", facts, self.about)

    @property
    def calls_after_horizon(self) -> int:
        """Calls later than the declared horizon: part of the trace, but no run replays them unless it is told to."""
        return len(self) - int(np.searchsorted(self.arrival_s, self.horizon_s, "right"))

    @cached_property
    def service_s(self) -> FloatArray:
        """float64[n]: seconds that calls run, their durations cut at their functions' ``timeout_s``."""
        timeout_s = self.functions["timeout_s"].to_numpy()
        if np.isinf(timeout_s).all():
            return self.duration_s
        cut: FloatArray = np.minimum(self.duration_s, timeout_s[self.function])
        cut.flags.writeable = False
        return cut

    @property
    def calls_per_function(self) -> npt.NDArray[np.int64]:
        """int64[F]: the number of calls of each function."""
        return np.bincount(self.function, minlength=len(self.functions)).astype(np.int64)

    def function_keys(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """The functions' 128-bit keys as two uint64[F] (high, low), from owner, app and name."""
        table = self.functions
        return function_keys(table["owner"].tolist(), table["app"].tolist(), table["name"].tolist())

    def slice(
        self,
        start_s: float = 0.0,
        end_s: float | None = None,
        functions: Sequence[int] | Sequence[str] | npt.NDArray[Any] | None = None,
    ) -> Trace:
        """The calls that arrive in [start_s, end_s) of the given functions, as a trace of its own.

        Time is counted from `start_s` anew. Without `end_s` the slice runs to the end, the last arrival included. The
        function table holds the functions chosen, in the order given. A trace made from counts stays one where the span
        is whole minutes: its calls are those that the counts of these minutes make, the same as in the whole but for
        the rounding of arrivals (calls that tie are in the order of the functions chosen); else see `recorded`.

        Args:
            start_s: of the span, in seconds of this trace.
            end_s: of the span, itself outside.
            functions: indices, or names; all of them by default.

        Raises:
            TraceError: an empty or reversed span, one that begins after the horizon, unknown functions.
        """
        stop = self._stop_s(start_s, end_s)
        first = int(np.searchsorted(self.arrival_s, start_s, "left"))
        last = len(self) if end_s is None else int(np.searchsorted(self.arrival_s, stop, "left"))
        rows: Any = slice(first, last)
        function, table = self.function[rows], self.functions
        if functions is not None:
            chosen = self._indices(np.asarray(functions))
            number = np.full(len(table), -1, np.int32)
            number[chosen] = np.arange(chosen.size, dtype=np.int32)
            kept = number[function] >= 0
            rows = first + np.flatnonzero(kept)
            function = number[function[kept]]
            table = table.iloc[chosen].reset_index(drop=True)
        return replace(
            self,
            function=function.copy(),
            arrival_s=self.arrival_s[rows] - start_s,
            duration_s=self.duration_s[rows].copy(),
            functions=table,
            horizon_s=min(stop, self.horizon_s) - start_s,
        )

    def part(self, chosen: npt.NDArray[np.int64]) -> Trace:
        """The calls of some functions, given by their places in the table: a `slice`, or the whole if these are all."""
        return self if np.array_equal(chosen, np.arange(len(self.functions))) else self.slice(functions=chosen)

    def _stop_s(self, start_s: float, end_s: float | None) -> float:
        """The end of a slice in seconds, if there can be such a slice."""
        stop = self.horizon_s if end_s is None else float(end_s)
        if not 0 <= start_s <= min(stop, self.horizon_s) or (start_s == stop and end_s is not None):
            raise TraceError(f"cannot slice from {start_s} s to {stop} s")
        return stop

    def _indices(self, chosen: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        index, _ = _match_functions(chosen, self.functions)
        if np.unique(index).size != index.size:
            raise TraceError("a function is chosen twice")
        return index.astype(np.int64)

    def draw(self, replication: int) -> Trace:
        """The trace of another replication: of counts, with arrivals and durations made anew.

        A recorded trace is the same in every replication, and so is one whose recipe draws nothing at random.
        """
        return self

    def recorded(self) -> Trace:
        """The same calls without their counts: those of every replication.

        Where another replication would have had others, ``about["frozen"]`` says what these are one draw of.
        """
        return self

    @property
    def is_random(self) -> bool:
        """Whether `draw` can give two different traces."""
        return False

    def content_hash(self) -> str:
        """A hash of all that a simulation sees: calls, function table and horizon.

        Of a trace of counts it is made of what its calls are made of, and so another than that of the same calls
        recorded.
        """
        digest = hashlib.blake2b(digest_size=16)
        self._tell_calls(digest)
        digest.update(self.functions[telling(self.functions)].to_csv(index=False).encode())
        digest.update(repr(self.horizon_s).encode())
        return digest.hexdigest()

    def _tell_calls(self, digest: hashlib.blake2b) -> None:
        for column in (self.function, self.arrival_s, self.duration_s):
            digest.update(np.ascontiguousarray(column).data)

    def save(self, path: str | Path) -> Path:
        """Write the canonical Parquet form, a folder (see `sim.workload.canonical`); returns its path."""
        canonical.save(Path(path), self.functions, self.horizon_s, self.about, self._write_calls)
        return Path(path)

    def _write_calls(self, folder: Path) -> dict[str, Any]:
        """Write what calls are made of; returns what is to be said of it."""
        columns = {"function": self.function, "arrival_s": self.arrival_s, "duration_s": self.duration_s}
        return canonical.write_calls(folder, columns)


def _times(name: str, values: npt.ArrayLike) -> FloatArray:
    try:
        column = np.array(values, np.float64, ndmin=1) + 0.0  # one zero only: -0.0 would hash apart
    except (TypeError, ValueError) as error:
        raise TraceError(f"not numbers: {error}", column=name) from None
    if column.ndim != 1:
        raise TraceError(f"must be one-dimensional, not of shape {column.shape}", column=name)
    bad = ~(np.isfinite(column) & (column >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        why = f"must be a finite number of seconds >= 0, not {float(column[row])}{FROM_ZERO}"
        raise TraceError(why, row=row, column=name)
    return column


def _match_functions(given: npt.NDArray[Any], table: pd.DataFrame | None) -> tuple[IntArray, pd.DataFrame]:
    """Indices and complete table for functions given by number or by name."""
    complete = None if table is None else function_table(table)
    if given.ndim != 1:
        raise TraceError(f"must be one-dimensional, not of shape {given.shape}", column="function")
    if given.size == 0:
        given = given.astype(np.int64)
    if np.issubdtype(given.dtype, np.integer):
        count = _functions_numbered(given) if complete is None else len(complete)
        bad = (given < 0) | (given >= count)
        if bad.any():
            row = int(np.argmax(bad))
            why = f"there is no function {int(given[row])} among {count}{FROM_ZERO}"
            raise TraceError(why, row=row, column="function")
        if complete is None:
            complete = function_table(pd.DataFrame({"name": [str(i) for i in range(count)]}))
        return given.astype(np.int32), complete
    if given.dtype.kind not in "OUT" or pd.isna(given).any():
        raise TraceError(f"must be whole numbers or names, all there, not {given.dtype}", column="function")
    names = given.astype(str)
    if complete is None:
        codes, unique = pd.factorize(names)
        return codes.astype(np.int32), function_table(pd.DataFrame({"name": unique}))
    lookup = pd.Index(complete["name"])
    if not lookup.is_unique:
        raise TraceError("names occur in several apps: give indices instead", column="function")
    codes = lookup.get_indexer(pd.Index(names))
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        why = f"the table of functions has no {str(names[row])!r}{FROM_ZERO}"
        raise TraceError(why, row=row, column="function")
    return codes.astype(np.int32), complete


def _functions_numbered(given: npt.NDArray[Any]) -> int:
    """How many functions there are if nobody gave a table: as many as the largest number needs."""
    if not given.size:
        return 0
    row = int(np.argmax(given))
    count = int(given[row]) + 1
    if count > _MANY_FUNCTIONS:
        called = np.unique(given).size
        if count > _MOST_FUNCTIONS or count > _UNCALLED_A_CALLED * called:
            raise TraceError(
                f"{count - 1} would make a table of {count:,} functions, of which {called:,} are called: number the"
                f" functions 0 to n − 1, or give names or a table{FROM_ZERO}", row=row, column="function",
            )  # fmt: skip
    return count
