"""Reading a trace by function, row group by row group."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import TraceError
from sim.workload.functions import FROM_ZERO
from sim.workload.partition.layout import Columns, Layout, part_file
from sim.workload.readers.faults import Faults

IntArray = npt.NDArray[np.int32]


class Groups(AbstractContextManager["Groups"]):
    """The row groups of a trace, checked. One file is open at a time, and the last group that was read is kept.

    Args:
        folder: of the trace.
        layout: of its files.
        calls_per_function: int64[F].
        ties: whether `tie` is read, if it is there.
        faults: what becomes of calls that cannot be used; by default they are an error.

    Attributes:
        kinds: the types of the columns that are read, by name.
    """

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        calls_per_function: npt.NDArray[np.int64],
        *,
        ties: bool = False,
        faults: Faults | None = None,
    ) -> None:
        self._folder, self._layout = folder, layout
        self.kinds = {name: kind for name, kind in layout.kinds.items() if ties or name != "tie"}
        self._faults = Faults() if faults is None else faults
        self._ends = np.cumsum(calls_per_function)
        self._calls = int(self._ends[-1]) if self._ends.size else 0
        self._file: pq.ParquetFile | None = None
        self._open = self._kept = -1
        self._columns: Columns = {}
        self._latest: tuple[int, float] = (-1, 0.0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def count(self) -> int:
        """How many groups there are."""
        return -(-self._calls // self._layout.group_calls)

    def read(self, number: int) -> Columns:
        """The columns of one group: function, arrival_s, duration_s, and tie if it is asked for.

        Raises:
            TraceError: the file is missing or damaged, or a call is impossible.
        """
        if number != self._kept:
            part, place = divmod(number, self._layout.groups_a_file)
            file = part_file(self._folder, part)
            columns = self._raw(file, part, place)
            first = number * self._layout.group_calls
            before = self._latest if number == self._kept + 1 else (-1, 0.0)
            self._latest = (int(columns["function"][-1]), float(columns["arrival_s"][-1]))
            self._columns = self._good(columns, file, first, before)
            self._kept = number
        return self._columns

    def copy(self, first: int, last: int, into: Columns, at: int) -> None:
        """Copy rows `first` to `last`, itself outside, to a place in other columns.

        Raises:
            TraceError: as for `read`.
        """
        while first < last:
            number, start = divmod(first, self._layout.group_calls)
            columns = self.read(number)
            taken = min(last - first, self._layout.group_calls - start)
            for name, column in into.items():
                column[at : at + taken] = columns[name][start : start + taken]
            first, at = first + taken, at + taken

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._open = None, -1

    def _raw(self, file: Path, part: int, place: int) -> Columns:
        try:
            if part != self._open:
                self._close()
                self._file = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
                self._open = part
                self._check_shape(file, part)
            assert self._file is not None
            table = self._file.read_row_group(place, columns=list(self.kinds), use_threads=False)
        except FileNotFoundError:
            raise TraceError("the file is missing", file=file) from None
        except (OSError, pa.ArrowException) as error:
            raise TraceError(f"not a Parquet file that can be read: {error}", file=file) from None
        for name in self.kinds:
            if table[name].null_count:
                row = place * self._layout.group_calls + int(np.argmax(table[name].is_null().to_numpy()))
                raise TraceError(f"a value is missing{FROM_ZERO}", file=file, row=row, column=name)
        return {name: table[name].to_numpy() for name in self.kinds}

    def _check_shape(self, file: Path, part: int) -> None:
        """Columns and rows are what the layout says."""
        assert self._file is not None
        found, schema, size = self._file.metadata, self._layout.schema, self._layout.group_calls
        if not self._file.schema_arrow.equals(schema):
            raise TraceError(f"has the columns {self._file.schema_arrow.names}, not {schema.names}", file=file)
        rows = min(self._layout.file_calls, self._calls - part * self._layout.file_calls)
        groups = [found.row_group(i).num_rows for i in range(found.num_row_groups)]
        if groups != [min(size, rows - start) for start in range(0, rows, size)]:
            raise TraceError(f"has row groups of {groups[:3]} calls, not {rows} calls in groups of {size}", file=file)

    def _good(self, columns: Columns, file: Path, first: int, before: tuple[int, float]) -> Columns:
        """The calls that can be used, of a group that begins with row `first` of the trace."""
        expected = self._expected(first, columns["function"].size)
        if _all_good(columns, expected, before):
            return columns
        good, in_file = np.ones(expected.size, np.bool_), first % self._layout.file_calls

        def leave_out(bad: npt.NDArray[np.bool_], why: str, column: str) -> None:
            bad &= good
            if bad.any():
                row = int(np.argmax(bad))
                why_not = f"{why}, not {columns[column][row].item()}{FROM_ZERO}"
                error = TraceError(why_not, file=file, row=in_file + row, column=column)
                self._faults.meet(error, f"{column} {why}", int(bad.sum()))
                good[bad] = False

        function, arrival = columns["function"], columns["arrival_s"]
        leave_out(function != expected, "must be as the calls per function say", "function")
        for column in ("arrival_s", "duration_s"):
            leave_out(~((columns[column] >= 0) & (columns[column] < np.inf)), "must be a finite number >= 0", column)
        falls = np.diff(arrival, prepend=before[1]) < 0
        falls &= np.diff(expected, prepend=np.int32(before[0])) == 0
        leave_out(falls, "must not be earlier than the function's call before", "arrival_s")
        return {name: column[good] for name, column in columns.items()}

    def _expected(self, first: int, count: int) -> IntArray:
        """Whose calls the rows from `first` on are."""
        edges = self._ends
        low, high = np.searchsorted(edges, [first, first + count - 1], "right").tolist()
        bounds = np.clip(edges[low : high + 1], first, first + count)
        return np.repeat(np.arange(low, high + 1, dtype=np.int32), np.diff(bounds, prepend=first))


def _all_good(columns: Columns, expected: IntArray, before: tuple[int, float]) -> bool:
    """Whether all calls of a group can be used, found out in few passes; not a number is never in order."""
    function, arrival, duration = columns["function"], columns["arrival_s"], columns["duration_s"]
    if not (np.array_equal(function, expected) and duration.min() >= 0 and duration.max() < np.inf):
        return False
    starts = np.flatnonzero(expected[1:] != expected[:-1]) + 1
    ascends = arrival[1:] >= arrival[:-1]
    ascends[starts - 1] = True
    least = before[1] if before[0] == expected[0] else 0.0
    starts_well = arrival[0] >= least and bool((arrival[starts] >= 0).all())
    ends_well = arrival[-1] < np.inf and bool((arrival[starts - 1] < np.inf).all())
    return starts_well and ends_well and bool(ascends.all())
