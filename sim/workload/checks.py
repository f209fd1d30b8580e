"""Checks of lists of parameters, and those of numbers: one sentence that names the parameter and what it was given."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from sim.core.checks import number, whole
from sim.core.errors import ConfigError

__all__ = ["items", "number", "rising", "same_length", "shares", "whole"]


def items(name: str, values: Any, kind: type | tuple[type, ...] = object) -> tuple[Any, ...]:
    """The non-empty list as a tuple, each entry of the given kind."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} must be a list, not {values!r}")
    entries = tuple(values)
    if not entries:
        raise ConfigError(f"{name} must not be empty")
    for i, entry in enumerate(entries):
        if not isinstance(entry, kind):
            raise ConfigError(f"{name}[{i}] is of the wrong kind: {entry!r}")
    return entries


def rising(name: str, values: Any, *, low: float, high: float = math.inf) -> tuple[float, ...]:
    """The list as a tuple of numbers in [low, high], each greater than the one before."""
    entries = items(name, values)
    for i, entry in enumerate(entries):
        number(f"{name}[{i}]", entry, low=low, high=high)
    if any(later <= earlier for earlier, later in pairwise(entries)):
        raise ConfigError(f"{name} must rise, not {list(entries)}")
    return tuple(float(entry) for entry in entries)


def same_length(name: str, values: tuple[Any, ...], other_name: str, others: tuple[Any, ...]) -> None:
    """Refuse two lists that do not go together."""
    if len(values) != len(others):
        raise ConfigError(f"{name} has {len(values)} entries and {other_name} {len(others)}; they go together")


def shares(name: str, values: Iterable[float]) -> None:
    """Refuse shares that are negative or do not add up to 1."""
    given = list(values)
    for i, value in enumerate(given):
        number(f"{name}[{i}]", value, low=0.0, high=1.0)
    if abs(math.fsum(given) - 1.0) > 1e-6:
        raise ConfigError(f"{name} must add up to 1, not {math.fsum(given):g}")
