"""How much memory there is, so that a trace that would not fit is refused before it is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sim.core.errors import TraceError

SHARE: Final = 0.5
"""Of the memory that is free, what a trace may take: a simulation of it needs room too."""

_FALLBACK_MB: Final = 4096.0
_MB: Final = 1024.0**2


def default_limit_mb() -> float:
    """MB that a trace may take by default: half of what the system, or its control group, has free."""
    return SHARE * min(_system_mb(), _control_group_mb())


def require_room(what: str, size_bytes: float, advice: str) -> None:
    """Refuse to make what takes more than `default_limit_mb`.

    Args:
        what: it is, in the plural.
        size_bytes: it would take.
        advice: what to do instead.

    Raises:
        TraceError: it would not fit.
    """
    needed_mb, limit_mb = size_bytes / _MB, default_limit_mb()
    if needed_mb > limit_mb:
        raise TraceError(
            f"{what} would need {needed_mb:,.0f} MB, over the {limit_mb:,.0f} MB that may be used (half of what is"
            f" free): {advice}"
        )


def _system_mb() -> float:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) / 1024
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _MB
    except (OSError, ValueError, AttributeError):
        return _FALLBACK_MB


def _control_group_mb() -> float:
    """What a container may still take (control groups version 2); infinite where nothing limits it."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = float((group / "memory.max").read_text("ascii"))
        return (limit - float((group / "memory.current").read_text("ascii"))) / _MB
    except (OSError, ValueError):  # no such group, or "max"
        return float("inf")
