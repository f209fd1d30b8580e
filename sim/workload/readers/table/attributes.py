"""What a table says of its functions: in the rows of their calls, or in a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import TraceError
from sim.workload.functions import PACKAGE_KINDS
from sim.workload.readers.csv_columns import KEY_SEPARATOR, Block
from sim.workload.readers.faults import Faults
from sim.workload.readers.table.layout import ATTRIBUTES, FUNCTION, KEY, choose_columns, kind_of
from sim.workload.readers.table.tables import Table

_TRUTH: Final = {"true": True, "false": False, "1": True, "0": False}
IntArray = npt.NDArray[np.int32]


@dataclass
class Functions:
    """The functions that a table's rows name.

    Attributes:
        columns: the table's name of each of our columns that it has.
        key: those of ours that name a function.
        index: number of each function by its cells in the columns of the key.
        values: of each function, what is known of it, by our names.
        conflicts: numbers of functions whose rows contradict each other.
        beside: the file that all functions must be in; None where rows may bring new ones.
    """

    columns: Mapping[str, str]
    key: Sequence[str]
    index: dict[str, int] = field(default_factory=dict)
    values: list[dict[str, Any]] = field(default_factory=list)
    conflicts: set[int] = field(default_factory=set)
    beside: str | None = None

    @property
    def attributes(self) -> list[str]:
        """Our names of what the rows say besides."""
        return [name for name in (*KEY, *ATTRIBUTES) if name in self.columns and name not in self.key]

    @property
    def read(self) -> list[str]:
        """Our names of all columns that are read."""
        return [*self.key, *self.attributes]

    def closed(self, columns: Mapping[str, str], file: Path) -> Functions:
        """The same functions, for a table of calls whose columns have these names, and which brings no others."""
        return replace(self, columns={name: columns[name] for name in self.key}, beside=file.name)

    def checked(self, block: Block) -> Block:
        """The block without rows that say what cannot be, or name a function that must not be new.

        Raises:
            TraceError: there are any, and the reader is not lenient.
        """
        for name, allowed in (("vpc", tuple(_TRUTH)), ("package_kind", PACKAGE_KINDS)):
            if name in self.attributes:
                bad = [cell.lower() not in allowed for cell in block.text(self.columns[name])]
                block = block.without(np.array(bad, np.bool_), self.columns[name], f"must be one of {list(allowed)}")
        if "concurrency" in self.attributes:
            column = self.columns["concurrency"]
            block = block.without(block.numbers(column) < 1, column, "must be 1 or more")
        if self.beside is not None:
            unknown = self._codes(block) >= len(self.values)
            block = block.without(unknown, self.columns[FUNCTION], f"must be a function that {self.beside} has")
        return block

    def learn(self, block: Block) -> IntArray:
        """The functions that checked rows name, by number.

        Raises:
            TraceError: they contradict what is known of one, unless lenient: then the later row is believed.
        """
        code = self._codes(block)
        if self.beside is not None:
            return code
        self.values += [{} for _ in range(len(self.index) - len(self.values))]
        if self.attributes:
            said = {name: block[self.columns[name]].to_pylist() for name in self.attributes}
            repeated = pd.DataFrame({**said, "": code}).duplicated(keep="last" if block.faults.lenient else "first")
            for i in np.flatnonzero(~repeated.to_numpy()):
                self._learn(int(code[i]), {name: cells[i] for name, cells in said.items()}, block, int(i))
        return code

    def _codes(self, block: Block) -> IntArray:
        return block.codes([self.columns[name] for name in self.key], self.index)

    def _learn(self, code: int, said: dict[str, Any], block: Block, i: int) -> None:
        known = self.values[code]
        other = [name for name, value in said.items() if known.get(name, value) != value]
        if other:
            self.conflicts.add(code)
            if not block.faults.lenient:
                column = self.columns[other[0]]
                why = f"is {said[other[0]]!r}, but was {known[other[0]]!r} in an earlier row of the same function"
                raise TraceError(why, file=block.file, row=int(block.row[i]), column=column)
        known.update(said)

    def table(self) -> pd.DataFrame:
        """A row a function, with what is known."""
        keys = list(self.index)[: len(self.values)]
        frame = pd.DataFrame([key.split(KEY_SEPARATOR) for key in keys], columns=list(self.key))
        for name in self.values[0] if self.values else ():
            frame[name] = [_value(name, values[name]) for values in self.values]
        return frame.rename(columns={FUNCTION: "name"})


def _value(name: str, value: Any) -> Any:
    if name == "vpc":
        return _TRUTH[value.lower()]
    return value.lower() if name == "package_kind" else value


def read_functions(table: Table, columns: Mapping[str, str] | None, key: Sequence[str], faults: Faults) -> Functions:
    """A table of functions.

    Args:
        table: a row a function.
        columns: its names of our columns; None where they are ours, or ``name`` for the function.
        key: ours that name a function in the table of calls: it must have these.
        faults: what happens to bad rows.

    Raises:
        TraceError: a column is missing, a function is there twice, a row is bad.
    """
    there = table.names
    if columns is None and FUNCTION not in there and "name" in there:
        columns = {ours: ours for ours in (*KEY, *ATTRIBUTES) if ours in there} | {FUNCTION: "name"}
    chosen = choose_columns(columns, (*KEY, *ATTRIBUTES), there, table.file)
    missing = [name for name in key if name not in chosen]
    if missing:
        raise TraceError(f"the calls name their {missing[0]}, so the functions must too", file=table.file)
    functions = Functions(chosen, key)
    kinds = {theirs: kind_of(ours) for ours, theirs in functions.columns.items()}
    seen: set[str] = set()
    for rows in table.blocks(kinds, faults):
        functions.learn(functions.checked(rows.without_repeated([chosen[name] for name in key], seen)))
    return functions
