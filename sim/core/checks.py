"""Checks of single numbers: one sentence that names the parameter, what it may be and what it was given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sim.core.errors import ConfigError

_INF = math.inf


def number(
    name: str, value: Any, *, above: float = -_INF, low: float = -_INF, high: float = _INF, finite: bool = True
) -> None:
    """Refuse what is not a number > `above`, >= `low` and <= `high`; true and false are none, numpy's are."""
    if not (_is_number(value) and value > above and low <= value <= high and (not finite or math.isfinite(value))):
        kind = f"{'finite ' * finite}number{' of seconds' * name.endswith('_s')}"
        raise ConfigError(f"{name} must be a {kind}{_range(above, low, high)}, not {_shown(value)}")


def whole(name: str, value: Any, *, low: float = -_INF, or_infinity: bool = False) -> None:
    """Refuse what is not an integer >= `low`; where infinity may be said, a float without a fraction will do too."""
    is_whole = isinstance(value, int | np.integer) or (or_infinity and _is_number(value) and value == np.floor(value))
    if isinstance(value, bool) or not (is_whole and value >= low):
        kind = f"a whole number{_range(-_INF, low, _INF)}{' or infinity' * or_infinity}"
        raise ConfigError(f"{name} must be {kind}, not {_shown(value)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _range(above: float, low: float, high: float) -> str:
    if low > -_INF and high < _INF:
        return f" from {low:g} to {high:g}"
    bounds = [(above, ">"), (low, ">="), (high, "<=")]
    wanted = " and ".join(f"{sign} {bound:g}" for bound, sign in bounds if math.isfinite(bound))
    return f" {wanted}" if wanted else ""
