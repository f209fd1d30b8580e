"""Compiling: machine code is made once and kept on disk."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

signed: Final[Any] = np.intp
unsigned: Final[Any] = np.uintp
"""What makes a place of an index, where every call comes by: numba takes a signed one for one that may count from the
end, and looks each time."""

NOT_KEPT: Final = (
    "compiled code cannot be kept: neither keepwarm's folder nor your cache folder can be written to, so every process"
    " compiles anew (some 20 s); the environment variable NUMBA_CACHE_DIR may name a folder that can"
)
"""Said once a process."""


CONSTANTS: Final = (
    "core/distributions.py", "platform/startup/parts.py", "results/columns.py", "results/latency_bins.py",
    "results/pricing.py", "workload/arrivals.py", "workload/durations.py",
)  # fmt: skip
"""Where constants are from that are compiled in."""


def part(function: F) -> F:
    """Compile a function that only compiled ones call.

    It may make no arrays: numba then counts no references to those that it is given, which would take most of the time.
    """
    made: F = numba.njit(nogil=True, forceinline=True, _nrt=False)(function)
    return made


def entry(function: F) -> F:
    """Compile a function that Python calls, likewise, once for all processes if a folder can be written to."""
    try:
        made: F = numba.njit(nogil=True, _nrt=False, cache=True)(function)
    except RuntimeError:  # numba finds no place
        warnings.warn(NOT_KEPT, stacklevel=2)
        return part(function)
    return made


def _digest() -> str:
    """Of the sources of all that is compiled: numba itself looks only at the file of the function that it keeps."""
    whole = hashlib.blake2b(digest_size=8)
    here = Path(__file__).parent
    others = [here.parents[1] / file for file in CONSTANTS]
    for file in (*sorted(here.rglob("*.py")), *others):
        whole.update(file.read_bytes())
    return whole.hexdigest()


SOURCES: Final = _digest()
"""What an entry must depend on, so that code kept from older sources is not taken for its own."""
