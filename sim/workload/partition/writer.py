"""Writing a trace by function, block by block, in memory for one row group."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import TraceError
from sim.workload.canonical import CALLS, FUNCTIONS, write_head, write_parquet
from sim.workload.folders import whole_folder
from sim.workload.functions import FROM_ZERO, function_table, telling
from sim.workload.partition.layout import (
    FILES,
    INVOCATIONS,
    Columns,
    Head,
    Layout,
    PartDigest,
    is_by_function,
    part_file,
)

_MOST_TIES: Final = 2**31


class PartitionWriter(AbstractContextManager["PartitionWriter"]):
    """Writes a trace that never is in memory as a whole: function by function, each in any number of blocks.

    The folder is there when the ``with`` block has ended, and nothing is if it ended in an error. The same calls give
    the same bytes, however they are cut into blocks. ::

        with PartitionWriter("large", functions, horizon_s=86_400) as writer:
            for function in range(len(functions)):
                writer.write(function, arrival_s, duration_s)

    Args:
        path: the folder; its parents are made, a trace by function that is there is replaced.
        functions: a row a function; `name` and whatever else is known (see `sim.workload.functions`).
        horizon_s: the span of the trace; by default its last arrival.
        about: facts on the origin, as JSON has them.
        layout: of the files. With `ties` every block says its calls' places among all calls of their instant.

    Raises:
        TraceError: an impossible table or horizon; on entering, something else is in the path's place.
    """

    def __init__(
        self,
        path: str | Path,
        functions: pd.DataFrame,
        horizon_s: float | None = None,
        *,
        about: Mapping[str, Any] | None = None,
        layout: Layout | None = None,
    ) -> None:
        self.path = Path(path)
        self.functions = function_table(functions)
        self.horizon_s = None if horizon_s is None else float(horizon_s)
        if self.horizon_s is not None and not 0 <= self.horizon_s < np.inf:
            raise TraceError(f"horizon_s must be a finite number >= 0, not {horizon_s}")
        self.about = dict(about or {})
        self.layout = layout if layout is not None else Layout()
        self._calls = np.zeros(len(self.functions), np.int64)
        self._function, self._latest_s, self._last_s = 0, 0.0, 0.0
        self._end = ExitStack()
        self._parts: _Parts | None = None

    def __enter__(self) -> Self:
        with ExitStack() as end:
            folder = end.enter_context(whole_folder(self.path, is_by_function, FILES))
            (folder / INVOCATIONS).mkdir()
            self._parts = _Parts(folder, self.layout)
            end.callback(self._parts.close)  # before the folder goes, or takes its place
            self._end = end.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        parts, self._parts = self._parts, None
        assert parts is not None
        with self._end:
            if error is not None:
                raise error
            parts.end()
            self._write_tables(parts)

    def write(
        self, function: int, arrival_s: npt.ArrayLike, duration_s: npt.ArrayLike, tie: npt.ArrayLike | None = None
    ) -> None:
        """Add calls of one function: the one of the last block, or a later one.

        Args:
            function: its row in the table.
            arrival_s: float64[k], seconds from the start of the trace, ascending, none earlier than what was written
                of this function before.
            duration_s: float64[k], seconds.
            tie: int32[k], each call's place among all calls of its instant; only, and always, where the layout has
                `ties`.

        Raises:
            TraceError: a function out of order, columns that are not equally long, impossible times. Rows count from
                the block's first.
        """
        if self._parts is None:
            raise TraceError("calls are written inside the with block of their writer")
        if not 0 <= function < len(self.functions):
            raise TraceError(f"there is no function {function} among {len(self.functions)}")
        if function < self._function:
            raise TraceError(f"function {function} comes after {self._function}; they must come in the table's order")
        if function > self._function:
            self._function, self._latest_s = int(function), 0.0
        block = self._checked(arrival_s, duration_s, tie)
        count = block["arrival_s"].size
        if count:
            self._latest_s = float(block["arrival_s"][-1])
            self._last_s = max(self._last_s, self._latest_s)
            self._calls[function] += count
            self._parts.add(int(function), block)

    def _checked(self, arrival_s: npt.ArrayLike, duration_s: npt.ArrayLike, tie: npt.ArrayLike | None) -> Columns:
        block: Columns = {"arrival_s": _times("arrival_s", arrival_s), "duration_s": _times("duration_s", duration_s)}
        if (tie is not None) != self.layout.ties:
            raise TraceError("tie must be given where the layout has ties, and only there")
        if tie is not None:
            block["tie"] = np.asarray(tie)
        sizes = {name: column.shape for name, column in block.items()}
        if len(set(sizes.values())) > 1:
            raise TraceError(f"columns of one block must be equally long, not of shapes {sizes}")
        arrival = block["arrival_s"]
        falls = np.flatnonzero(np.diff(arrival, prepend=self._latest_s) < 0)
        if falls.size:
            row = int(falls[0])
            why = f"must not be earlier than the function's call before, {float(arrival[row])} is{FROM_ZERO}"
            raise TraceError(why, row=row, column="arrival_s")
        return block

    def _write_tables(self, parts: _Parts) -> None:
        folder, table = parts.folder, self.functions
        write_parquet(folder, FUNCTIONS, {column: table[column] for column in telling(table)})
        write_parquet(folder, CALLS, {"calls": self._calls})
        horizon_s = self._last_s if self.horizon_s is None else self.horizon_s
        calls = int(self._calls.sum())
        write_head(folder, Head(calls, horizon_s, self.layout, tuple(parts.digests), self.about).to_json())


def _times(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        column = np.asarray(values, np.float64) + 0.0  # one zero only: -0.0 would hash apart
    except (TypeError, ValueError) as error:
        raise TraceError(f"not numbers: {error}", column=name) from None
    if column.ndim != 1:
        raise TraceError(f"must be one-dimensional, not of shape {column.shape}", column=name)
    good = (column >= 0) & (column < np.inf)
    if not good.all():
        row = int(np.argmin(good))
        why = f"must be a finite number of seconds >= 0, not {float(column[row])}{FROM_ZERO}"
        raise TraceError(why, row=row, column=name)
    return column


class _Parts:
    """The files, of calls as they come.

    Attributes:
        folder: of the trace.
        digests: of the files that are whole.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.digests: list[str] = []
        self._layout = layout
        self._group = {name: np.empty(layout.group_calls, kind) for name, kind in layout.kinds.items()}
        self._filled = self._groups = 0
        self._file: pq.ParquetWriter | None = None
        self._digest = PartDigest()

    def add(self, function: int, block: Columns) -> None:
        """Take calls of one function."""
        done, count = 0, block["arrival_s"].size
        while done < count:
            taken = min(count - done, self._layout.group_calls - self._filled)
            place = slice(self._filled, self._filled + taken)
            self._group["function"][place] = function
            for name, column in block.items():
                self._group[name][place] = column[done : done + taken]
            done, self._filled = done + taken, self._filled + taken
            if self._filled == self._layout.group_calls:
                self._write_group()

    def end(self) -> None:
        """Write what is left."""
        if self._filled:
            self._write_group()
        if self._file is not None:
            self._end_file()

    def close(self) -> None:
        """Let go of a file that will not be ended."""
        if self._file is not None:
            self._file.close()

    def _write_group(self) -> None:
        if self._file is None:
            self._file = _open(part_file(self.folder, len(self.digests)), self._layout.schema)
        columns = {name: column[: self._filled] for name, column in self._group.items()}
        arrays = [pa.array(column) for column in columns.values()]
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._layout.schema), self._filled)
        self._digest.add(columns)
        self._filled, self._groups = 0, self._groups + 1
        if self._groups == self._layout.groups_a_file:
            self._end_file()

    def _end_file(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file, self._groups = None, 0
        self.digests.append(str(self._digest))
        self._digest = PartDigest()


def _open(file: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Fixed settings: the same calls give the same bytes.

    Of what was tried on random and on rounded times, this is within a third of the smallest and the fastest to read:
    split bytes for arrivals, which ascend; dictionaries for durations, which often repeat (they fall back to plain
    values where they do not); and a weak zstd, as a strong one takes four times as long for a few per cent.
    """
    return pq.ParquetWriter(
        file,
        schema,
        version="2.6",
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in schema.names if name != "arrival_s"],
        column_encoding={"arrival_s": "BYTE_STREAM_SPLIT"},
        write_page_checksum=True,
    )
