"""How much memory there is, so that a trace that would not fit is refused before it is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SHARE: Final = 0.5
"""Of the memory that is free, what a trace may take: a simulation of it needs room too."""

_FALLBACK_MB: Final = 4096.0
_MB: Final = 1024.0**2


def default_limit_mb() -> float:
    """MB that a trace may take by default: half of what the system, or its control group, has free."""
    return SHARE * min(_system_mb(), _control_group_mb())


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
