"""What several scaling policies count with: the seconds just past, and instances for a load."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import ceil, fsum
from typing import Final

from sim.core import checks
from sim.core.errors import ConfigError

DIGITS: Final = 6
"""Of an amount that is compared or rounded up: what is beyond them is rounding error, in requests or instances."""


class RecentSeconds:
    """The values of the last whole seconds, 0 where nothing was said of one.

    Args:
        window_s: how many seconds, at least 1.
    """

    __slots__ = ("_ends_s", "_values")

    def __init__(self, window_s: int) -> None:
        self._values: deque[float] = deque(maxlen=window_s)
        self._ends_s = 0

    def add(self, since: int, values: Sequence[float]) -> None:
        """The values of the seconds from `since` on, which is not before the end of those that are known."""
        window_s: int = self._values.maxlen  # type: ignore[assignment]  # it has one
        self._values.extend([0.0] * min(since - self._ends_s, window_s))
        self._values.extend(values)
        self._ends_s = since + len(values)

    @property
    def total(self) -> float:
        """Their sum, rounded once."""
        return fsum(self._values)

    @property
    def highest(self) -> float:
        """The highest of them; 0 where nothing is known yet."""
        return max(self._values, default=0.0)


def instances_for(amount: float, each: float) -> int:
    """How many are needed for `amount` if one takes `each`: 7 · 0.4 is four times 0.7, whatever float64 makes of it."""
    return ceil(round(amount / each, DIGITS))


def require_whole_seconds(owner: object, *names: str) -> None:
    """Refuse parameters that are no whole number of seconds >= 1: loads are known by whole seconds."""
    for name in names:
        value = getattr(owner, name)
        checks.number(f"{type(owner).__name__}: {name}", value, low=1)
        if value != int(value):
            raise ConfigError(f"{type(owner).__name__}: {name} must be whole seconds, not {value!r}")
