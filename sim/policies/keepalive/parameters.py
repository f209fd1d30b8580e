"""Checks of parameters that are no times."""

from __future__ import annotations

import numpy as np

from sim.core.errors import ConfigError


def require_between(owner: object, low: float, high: float, **parameters: object) -> None:
    """Refuse parameters that are not a finite number in [low, high]."""
    for name, value in parameters.items():
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not (is_number and low <= float(value) <= high and abs(float(value)) < np.inf):  # type: ignore[arg-type]
            span = f">= {low:g}" if high == np.inf else f"from {low:g} to {high:g}"
            raise ConfigError(f"{type(owner).__name__}: {name} must be a number {span}, not {value!r}")


def require_learner(owner: object, learns_by: object) -> None:
    """Refuse anything but the two words for whose idle times are learnt."""
    if learns_by not in ("unit", "app"):
        raise ConfigError(f"{type(owner).__name__}: learns_by must be 'unit' or 'app', not {learns_by!r}")
