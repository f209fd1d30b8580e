"""Tables of pandas, out of the records that `machine` made of their pickles: no pandas is needed, and none is called.

A table is its columns' labels, and blocks of columns of one type. How they are written has changed with the versions:

- pandas to 1.2: a manager whose state holds axes and blocks; from 1.3: a manager called with blocks and axes;
- arrays of numpy: an empty array with a state, or (protocol 5) a buffer with a type and a shape; under ``numpy.core``
  to numpy 1, ``numpy._core`` from numpy 2;
- text: arrays of objects to pandas 2, Arrow's buffers from pandas 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.workload.readers.ibm2026.inert import Items, Made, Name

_MODULES: Final = {
    "frame": ("pandas.core.frame DataFrame", "pandas DataFrame"),
    "manager": ("pandas.core.internals.managers BlockManager", "pandas.core.internals BlockManager"),
    "block": ("pandas._libs.internals _unpickle_block",),
    "make_index": ("pandas.core.indexes.base _new_Index",),
    "index": (
        "pandas.core.indexes.base Index", "pandas Index", "pandas.core.indexes.range RangeIndex", "pandas RangeIndex",
        "pandas.core.indexes.numeric Int64Index",
    ),
    "empty_array": ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"),
    "array_type": ("numpy ndarray",),
    "array": ("numpy.core.numeric _frombuffer", "numpy._core.numeric _frombuffer"),
    "dtype": ("numpy dtype",),
    "scalar": ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar"),
    "slice": ("builtins slice", "__builtin__ slice"),
    "bytes": (
        "_codecs encode", "builtins bytearray", "__builtin__ bytearray", "builtins bytes", "__builtin__ bytes",
    ),
    "text_array": ("pandas.arrays ArrowStringArray", "pandas.core.arrays.string_arrow ArrowStringArray"),
    "text_type": ("pandas StringDtype", "pandas.core.arrays.string_ StringDtype"),
    "arrow_array": ("pyarrow.lib _restore_array",),
    "arrow_type": ("pyarrow.lib type_for_alias",),
    "arrow_buffer": ("pyarrow.lib py_buffer",),
}  # fmt: skip

NAMES: Final[Mapping[tuple[str, str], str]] = MappingProxyType({
    (name.split()[0], name.split()[1]): kind for kind, names in _MODULES.items() for name in names
})  # fmt: skip
"""All that a pickle may name, and its kind."""

_DTYPE: Final = re.compile(r"[iufb][1248]|O8?")
_ORDERS: Final = ("<", ">", "|", "=")
_MANY: Final = 1 << 40


class NotATableError(ValueError):
    """The records are not those of a table that is read here."""


@dataclass(frozen=True)
class Objects:
    """An array of objects, in numpy's C order."""

    shape: tuple[int, ...]
    items: list[Any]


Array = Objects | npt.NDArray[Any]


def apply(kind: str, arguments: tuple[Any, ...]) -> Any:
    """What stands for a call (see `machine`): numbers and bytes at once, for they are many; a record of anything else.

    Raises:
        NotATableError: arguments that no such call has.
    """
    if kind == "scalar":
        dtype, data = _arguments(kind, arguments, Made, bytes)
        return _numbers(data, dtype, 1)[0].item()
    if kind == "bytes":
        return _bytes(arguments)
    return Made(kind, arguments)


def table(record: Any) -> dict[str, list[Any]]:
    """The columns of a table, each a list with an item a row; `cell_numbers` reads an item that is a list.

    Raises:
        NotATableError: it is not a table, or one with something that is not read here.
    """
    frame = _made(record, "frame")
    state = frame.state
    manager = state.get("_mgr", state.get("_data")) if isinstance(state, dict) else None
    axes, blocks = _parts(_made(manager, "manager"))
    if len(axes) != 2:
        raise NotATableError("a table must have two axes")
    labels = _labels(axes[0])
    columns: dict[str, list[Any]] = {}
    for values, places in blocks:
        for place, column in zip(places, _rows(values, len(places)), strict=True):
            if not 0 <= place < len(labels) or labels[place] in columns:
                raise NotATableError("columns and their labels do not match")
            columns[labels[place]] = column
    if len({len(column) for column in columns.values()}) > 1 or len(columns) != len(labels):
        raise NotATableError("columns are not equally long, or not all there")
    return columns


def cell_numbers(cell: Any) -> npt.NDArray[np.float64] | None:
    """The numbers of a cell that holds a list or an array of them; None if it holds anything else."""
    if type(cell) is Items:
        return cell.numbers()
    if type(cell) is Made and cell.kind in ("empty_array", "array"):
        values = _array(cell)
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuf":
            return values.astype(np.float64)
    return None


def _made(record: Any, *kinds: str) -> Made:
    if type(record) is not Made or record.kind not in kinds:
        found = record.kind if isinstance(record, Made | Name) else type(record).__name__
        raise NotATableError(f"is not a table of pandas: a {found} stands where a {kinds[0]} is due")
    return record


def _arguments(kind: str, arguments: tuple[Any, ...], *types: type) -> tuple[Any, ...]:
    if len(arguments) != len(types) or not all(map(isinstance, arguments, types)):
        shown = [type(argument).__name__ for argument in arguments[:5]]
        raise NotATableError(f"makes a {kind} out of {len(arguments)} values: {shown}")
    return arguments


def _bytes(arguments: tuple[Any, ...]) -> bytes:
    """What ``bytes`` or ``bytearray`` of these would be: bytes as they are, text as protocol 2 writes bytes."""
    match arguments:
        case ():
            return b""
        case (bytes(data),):
            return data
        case (str(text), "latin1" | "latin-1"):
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                pass
    raise NotATableError("makes bytes out of something else")


def _parts(manager: Made) -> tuple[list[Any], list[tuple[Any, range | list[int]]]]:
    """The axes, and for each block its values and the places of its columns."""
    match manager.arguments, manager.state:
        case ((tuple(blocks), Items() as axes), None):
            of_blocks = [_arguments("block", _made(block, "block").arguments, Made, Made, int) for block in blocks]
            return list(axes), [(values, _places(places)) for values, places, _ in of_blocks]
        case ((), (_, _, _, {"0.14.1": {"axes": Items() as axes, "blocks": Items() as blocks}})):
            if all(isinstance(block, dict) and {"values", "mgr_locs"} <= set(block) for block in blocks):
                return list(axes), [(block["values"], _places(block["mgr_locs"])) for block in blocks]
    raise NotATableError("holds its columns in a way that is not read here")


def _places(record: Any) -> range | list[int]:
    made = _made(record, "slice", "empty_array", "array")
    if made.kind == "slice":
        found = range(*_arguments("slice", made.arguments, int, int, int))
        if len(found) > _MANY:
            raise NotATableError("has too many columns")
        return found
    values = _array(made)
    if isinstance(values, Objects) or values.ndim != 1 or values.dtype.kind not in "iu":
        raise NotATableError("columns are placed by what are not numbers")
    return [int(value) for value in values]


def _labels(axis: Any) -> list[str]:
    made = _made(axis, "make_index")
    _, given = _arguments("index", made.arguments, Name, dict)
    (labels,) = _rows(given.get("data"), 1)
    if not all(isinstance(label, str) for label in labels):
        raise NotATableError("has columns whose names are not text")
    return labels


def _rows(record: Any, count: int) -> list[list[Any]]:
    """The columns of a block's values, each as a list."""
    made = _made(record, "empty_array", "array", "text_array")
    values = _texts(made) if made.kind == "text_array" else _array(made)
    shape = values.shape if len(values.shape) == 2 else (1, *values.shape)
    if len(shape) != 2 or shape[0] != count:
        raise NotATableError("a block has not a column for every place")
    if isinstance(values, Objects):
        return [values.items[i * shape[1] : (i + 1) * shape[1]] for i in range(count)]
    return [list(column.tolist()) for column in values.reshape(shape)]


def _array(made: Made) -> Array:
    """An array of numpy."""
    if made.kind == "array":
        if len(made.arguments) != 4:
            raise NotATableError("has an array whose axes are in an order that is not read here")
        data, dtype, shape, order = _arguments("array", made.arguments, bytes, Made, tuple, str)
        return _shaped(data, dtype, shape, fortran=order == "F")
    match made.state:
        case (1, tuple(shape), Made() as dtype, bool(fortran), bytes() | Items() as data):
            return _shaped(data, dtype, shape, fortran)
    raise NotATableError("has an array whose state is not read here")


def _shaped(data: bytes | Items, dtype: Made, shape: tuple[Any, ...], fortran: bool) -> Array:
    if not all(type(length) is int and length >= 0 for length in shape):
        raise NotATableError("has an array whose shape is not of numbers")
    size = prod(shape)
    if isinstance(data, Items):
        if len(data) != size or _dtype_code(dtype)[0] != "O":
            raise NotATableError(f"has an array of {size} objects with {len(data)}")
        return Objects(shape, list(data))  # numpy writes objects in C order, whatever the order of the array
    return _numbers(data, dtype, size).reshape(shape, order="F" if fortran else "C")


def _numbers(data: bytes, dtype: Made, size: int) -> npt.NDArray[Any]:
    code = _dtype_code(dtype)
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    if code[0] == "O" or order not in _ORDERS:
        raise NotATableError("has numbers of a type that is not read here")
    plain = np.dtype(order + code)
    if len(data) != size * plain.itemsize:
        raise NotATableError(f"has {len(data)} bytes for {size} numbers of {plain.itemsize}")
    return np.frombuffer(data, plain)


def _dtype_code(dtype: Made) -> str:
    code = _made(dtype, "dtype").arguments[:1]
    if len(code) != 1 or type(code[0]) is not str or not _DTYPE.fullmatch(code[0]):
        raise NotATableError("has an array of a type that is not read here")
    return code[0]


def _texts(made: Made) -> Objects:
    """Text as Arrow keeps it: where each begins in one long text."""
    state = made.state if isinstance(made.state, dict) else {}
    given = _made(state.get("_pa_array"), "arrow_array").arguments
    match given:
        case ((Made("arrow_type", (str(kind),)), int(size), 0, int(skipped), Items() as buffers, Items(), None),):
            gaps, bounds, letters = buffers if len(buffers) == 3 else (0, 0, 0)
        case _:
            raise NotATableError("has text in a form that is not read here, or with gaps")
    width = {"string": 4, "large_string": 8}.get(kind)
    if width is None or gaps is not None or not 0 <= size <= _MANY or not 0 <= skipped <= _MANY:
        raise NotATableError("has text in a form that is not read here, or with gaps")
    data = _buffer(bounds)
    ends = np.frombuffer(data[: len(data) // width * width], f"<i{width}")[skipped : skipped + size + 1].tolist()
    return Objects((size,), _cut(_buffer(letters), ends, size))


def _buffer(record: Any) -> bytes:
    data: bytes
    (data,) = _arguments("buffer", _made(record, "arrow_buffer").arguments, bytes)
    return data


def _cut(letters: bytes, ends: list[int], size: int) -> list[str]:
    if len(ends) != size + 1 or ends != sorted(ends) or not 0 <= ends[0] <= ends[-1] <= len(letters):
        raise NotATableError("has text whose ends do not fit")
    try:
        return [letters[first:end].decode() for first, end in pairwise(ends)]
    except UnicodeDecodeError:
        raise NotATableError("has text that is not UTF-8") from None
