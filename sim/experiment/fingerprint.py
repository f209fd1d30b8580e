"""Fingerprints: whether two runs are the same run, by everything that their result depends on.

Values are hashed by the name of their class and what they hold; classes that are not `sim`'s own, by their sources too.
What cannot be told (a class typed into a notebook, a lambda, an object of C) makes a fingerprint unsure: nothing is
reused on its word.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pandas as pd

PACKAGES: Final = ("numpy", "pandas", "scipy", "simpy")
"""Whose versions can change a result."""
OWN: Final = "sim"
_SIMPLE: Final = (bool, int, float, str, bytes, dict, list, tuple, set, frozenset)
_HEAP_TYPE: Final = 1 << 9
"""CPython's flag of classes written in Python: an object of these without a state has none."""


class Digester(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


@dataclass(frozen=True)
class Fingerprint:
    """The hash of a value.

    Attributes:
        digest: 32 hexadecimal digits.
        unsure: why equal digests need not mean equal results; empty where they do.
    """

    digest: str
    unsure: tuple[str, ...] = ()


def fingerprint(value: Any) -> Fingerprint:
    """The fingerprint of a value: scalars, arrays, tables, containers, and objects of such."""
    told = hashlib.blake2b(digest_size=16)
    reader = _Reader(told)
    try:
        reader.read(value)
    except RecursionError:
        reader.unsure["an object that contains itself"] = None
    for module in sorted(_with_helpers(reader.modules)):
        source = _source(module)
        if source is None:
            reader.unsure[f"the source of {module} cannot be read"] = None
        else:
            told.update(f"module {module} {hashlib.blake2b(source).hexdigest()}".encode())
    return Fingerprint(told.hexdigest(), tuple(reader.unsure))


def own_sources() -> str:
    """The hash of the installed `sim` sources and of the versions of what they compute with."""
    told, package = hashlib.blake2b(digest_size=16), Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*.py")):
        told.update(f"{path.relative_to(package).as_posix()} {path.stat().st_size}\n".encode())
        told.update(path.read_bytes())
    versions = {name: metadata.version(name) for name in PACKAGES} | {"python": list(sys.version_info[:3])}
    told.update(json.dumps(versions, sort_keys=True).encode())
    return told.hexdigest()


def _with_helpers(modules: set[str]) -> set[str]:
    """The modules, and those that they use, as far as these were not installed: what a user's package is made of."""
    found, pending = set(modules), list(modules)
    while pending:
        module = sys.modules.get(pending.pop())
        for item in list(vars(module).values()) if module is not None else ():
            name = item.__name__ if isinstance(item, types.ModuleType) else getattr(item, "__module__", None)
            if isinstance(name, str) and name not in found and _foreign([name]) and not _is_installed(name):
                found.add(name)
                pending.append(name)
    return found


def _is_installed(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is None or bool({"site-packages", "dist-packages"} & set(Path(file).parts))


def _source(module: str) -> bytes | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    try:
        return Path(file).read_bytes() if file else None
    except OSError:
        return None


class _Reader:
    """Feeds values to a hash, each after a word on what it is, and notes where their classes come from."""

    def __init__(self, told: Digester) -> None:
        self._told = told
        self.modules: set[str] = set()
        self.unsure: dict[str, None] = {}

    def read(self, value: Any) -> None:
        """One value, with all that it holds."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, _SIMPLE) and type(value) not in _SIMPLE and not isinstance(value, Enum):
            self._class(type(value))  # what a subclass does is in its source
        if value is None or isinstance(value, bool | str | bytes):
            self._say(type(value).__name__, value)
        elif isinstance(value, int | float):  # 600 and 600.0 are the same window
            self._say("number", int(value) if isinstance(value, float) and value.is_integer() else value)
        elif isinstance(value, Enum):
            self._class(type(value))
            self._say("member", value.name)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.FunctionType | types.BuiltinFunctionType):
            self._function(value)
        elif isinstance(value, np.ndarray):
            self._array(value)
        elif isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            self._table(value)
        elif isinstance(value, Mapping):
            self._say("mapping", len(value))
            self._all(part for item in value.items() for part in item)
        elif isinstance(value, list | tuple):
            self._say("sequence", len(value))
            self._all(value)
        elif isinstance(value, set | frozenset):
            self._say("set", sorted(fingerprint(item).digest for item in value))
            self.modules.update(*(_modules(type(item)) for item in value))
        else:
            self._object(value)

    def _say(self, kind: str, value: Any) -> None:
        content = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        self._told.update(f"{kind} {len(content)} ".encode())
        self._told.update(content)

    def _all(self, values: Any) -> None:
        for value in values:
            self.read(value)

    def _class(self, cls: type) -> None:
        name = f"{cls.__module__}.{cls.__qualname__}"
        self._say("class", name)
        if "<" in cls.__qualname__:
            self._unnamed(name)
        self.modules.update(_modules(cls))

    def _unnamed(self, name: str) -> None:
        """A lambda, or made inside a function: what it closes over is not in its source."""
        self.unsure[f"{name} was made inside a function"] = None

    def _function(self, function: Any) -> None:
        name = f"{function.__module__}.{function.__qualname__}"
        self._say("function", name)
        if "<" in function.__qualname__:
            self._unnamed(name)
        elif function.__module__ is not None:
            self.modules.update(_foreign([function.__module__]))

    def _array(self, array: Any) -> None:
        if array.dtype.hasobject:
            self._say("objects", array.shape)
            self._all(array.ravel().tolist())
        else:
            self._say("array", (array.dtype.str, array.shape))
            self._told.update(np.ascontiguousarray(array).tobytes())

    def _table(self, table: Any) -> None:
        frame = table.to_frame() if not isinstance(table, pd.DataFrame) else table
        self._say("table", (list(map(str, frame.columns)), len(frame)))
        for name in range(frame.shape[1]):
            self._array(frame.iloc[:, name].to_numpy())
        if not isinstance(frame.index, pd.RangeIndex):
            self._array(frame.index.to_numpy())

    def _object(self, value: Any) -> None:
        if isinstance(value, functools.partial):
            self._say("partial", 0)
            self._all((value.func, value.args, value.keywords))
            return
        if isinstance(value, types.MethodType):
            self._say("method", 0)
            self._all((value.__self__, value.__func__))
            return
        self._class(type(value))
        if isinstance(value, range | slice | complex | bytearray):
            self._say("value", value)
            return
        state = _state(value)
        if state is None:
            self.unsure[f"what an object of {type(value).__qualname__} holds cannot be read"] = None
        self.read(state)


def _state(value: Any) -> Any:
    """What an object holds: the fields of a dataclass and whatever else was set on it; None if that cannot be read."""
    cls: Any = type(value)
    if not is_dataclass(value):
        state = value.__getstate__()
        return {} if state is None and cls.__flags__ & _HEAP_TYPE else state
    held = {f.name: getattr(value, f.name) for f in fields(value)}
    computed = {name for base in cls.__mro__ for name, item in vars(base).items()
                if isinstance(item, functools.cached_property)}  # fmt: skip
    return held | {name: item for name, item in getattr(value, "__dict__", {}).items() if name not in computed}


def _modules(cls: type) -> set[str]:
    """The modules that a class and those it is derived from were defined in, but for `sim`'s and Python's own."""
    return _foreign(base.__module__ for base in cls.__mro__)


def _foreign(names: Any) -> set[str]:
    return {name for name in names if name.split(".")[0] not in (OWN, *sys.stdlib_module_names) or name == "__main__"}
