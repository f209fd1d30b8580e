"""Checks of parameters that are no times."""

from __future__ import annotations

from sim.core import checks
from sim.core.errors import ConfigError


def require_between(owner: object, low: float, high: float, **parameters: object) -> None:
    """Refuse parameters that are not a finite number in [low, high]."""
    for name, value in parameters.items():
        checks.number(f"{type(owner).__name__}: {name}", value, low=low, high=high)


def require_whole(owner: object, low: int, **parameters: object) -> None:
    """Refuse parameters that are not a whole number >= low."""
    for name, value in parameters.items():
        checks.whole(f"{type(owner).__name__}: {name}", value, low=low)


def require_learner(owner: object, learns_by: object) -> None:
    """Refuse anything but the two words for whose idle times are learnt."""
    if learns_by not in ("unit", "app"):
        raise ConfigError(f"{type(owner).__name__}: learns_by must be 'unit' or 'app', not {learns_by!r}")
