"""What of a data set is wanted: days, minutes, functions, a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.core.errors import TraceError
from sim.core.random import function_keys, stream, uniforms


@dataclass(frozen=True)
class Selection:
    """Days, minutes and functions chosen; None means all.

    Attributes:
        days: numbers of days, ascending.
        minutes: first and last, both included, counted from 0 over the minute columns of the days chosen.
        functions: names, as the data set has them.
        share: of the functions, in (0, 1]: those whose key hashes below it, so that a smaller share is a part of a
            larger one, and neither days nor other functions matter.
        share_seed: another seed is another sample.

    Raises:
        TraceError: not of this form.
    """

    days: Sequence[int] | None = None
    minutes: Sequence[int] | None = None
    functions: Sequence[str] | None = None
    share: float | None = None
    share_seed: int = 0

    def __post_init__(self) -> None:
        if self.days is not None and not (_are(int, self.days) and list(self.days) == sorted(set(self.days))):
            raise TraceError(f"days must be a list of ascending numbers, not {self.days!r}")
        if self.minutes is not None and not (
            _are(int, self.minutes) and len(self.minutes) == 2 and 0 <= self.minutes[0] <= self.minutes[1]
        ):
            raise TraceError(f"minutes must be a first and a last number, from 0, not {self.minutes!r}")
        if self.functions is not None and not _are(str, self.functions):
            raise TraceError(f"functions must be a list of names, not {self.functions!r}")
        if self.share is not None and not (_is(int | float, self.share) and 0 < self.share <= 1):
            raise TraceError(f"share must be above 0 and at most 1, not {self.share!r}")
        if not _is(int, self.share_seed):
            raise TraceError(f"share_seed must be a whole number, not {self.share_seed!r}")

    def pick(self, owners: list[str], apps: list[str], names: list[str]) -> npt.NDArray[np.bool_]:
        """bool[n]: which of n functions are wanted."""
        wanted = np.ones(len(names), np.bool_)
        if self.functions is not None:
            chosen = frozenset(self.functions)
            wanted &= np.array([name in chosen for name in names], np.bool_)
        if self.share is not None:
            high, low = function_keys(owners, apps, names)
            keys = stream(self.share_seed, 0, "share", high, low)
            wanted &= uniforms(keys, np.zeros(len(names), np.uint64)) < self.share
        return wanted


def _is(kind: Any, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _are(kind: Any, values: object) -> bool:
    return isinstance(values, Sequence) and not isinstance(values, str) and bool(values) and all(
        _is(kind, value) for value in values
    )  # fmt: skip
