"""What the name of a pod says: ``pool24-600-512-0000577863`` is one of a pool of 600 millicores and 512 MB."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

LARGEST_SMALL_MB: Final = 256.0
"""Up to here, and to `LARGEST_SMALL_MILLICORES`, a pod is small: the boundary of Joosen et al., EuroSys 2025."""
LARGEST_SMALL_MILLICORES: Final = 400.0

_NUMBER: Final = r"-[0-9]+$"
_RESOURCES: Final = re.compile(r"-(\d{1,7})-(\d{1,7})$", re.ASCII)


def pools_of(pods: pa.Array) -> pa.Array:
    """The pool of each pod: its name without the number."""
    return pc.replace_substring_regex(pods, _NUMBER, "")


def resources_of(pools: list[str]) -> npt.NDArray[np.float64]:
    """float64[n, 2]: millicores and MB of pools; NaN where their names do not say."""
    found = [_RESOURCES.search(pool) for pool in pools]
    numbers = [[float(match[1]), float(match[2])] if match else [np.nan, np.nan] for match in found]
    table = np.array(numbers, np.float64).reshape(len(pools), 2)
    return np.where((table > 0).all(axis=1, keepdims=True), table, np.nan)


def are_small(pools: list[str]) -> npt.NDArray[np.bool_]:
    """Which pools are of small pods; one whose name does not say is not."""
    millicores, memory_mb = resources_of(pools).T
    return np.asarray((millicores <= LARGEST_SMALL_MILLICORES) & (memory_mb <= LARGEST_SMALL_MB))
