"""The files of a trace by function, as they are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.workload.partition.layout import Columns, Layout, PartDigest, part_file


class Parts:
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
