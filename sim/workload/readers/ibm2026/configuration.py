"""What the apps had asked for: memory and concurrency, from ``app_configs.pickle``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.core.errors import TraceError
from sim.workload.readers.ibm2026.frames import cell_numbers
from sim.workload.readers.ibm2026.pickles import read_table, text_column

APP: Final = ("NamespaceHash", "AppHash")
DEFAULT_MEMORY_MB: Final = 4096.0
"""What an app gets that asks for nothing: 4 GB, as the publishers' own script says."""

_MEMORY, _CONCURRENCY = "AppContainerRequestMemory", "AppContainerConcurrency"
_MB_A_GB: Final = 1024.0
_MOST_DAYS: Final = 10_000

App = tuple[str, str]


@dataclass(frozen=True)
class Configuration:
    """Memory in MB and concurrency of apps, as far as they are known."""

    memory_mb: Mapping[App, float]
    concurrency: Mapping[App, float]


def read_configuration(file: Path | None, limit_mb: float) -> Configuration:
    """The median over the days of what each app had asked for; of nothing where there is no file.

    Raises:
        TraceError: the file is not what it should be.
    """
    if file is None:
        return Configuration({}, {})
    columns = read_table(file, (*APP, _MEMORY, _CONCURRENCY), limit_mb)
    apps = list(zip(*(text_column(columns, name, file) for name in APP), strict=True))
    memory_gb = _medians(columns, _MEMORY, apps, file)
    concurrency = _medians(columns, _CONCURRENCY, apps, file)
    return Configuration({app: gb * _MB_A_GB for app, gb in memory_gb.items()}, concurrency)


def _medians(columns: dict[str, list[Any]], name: str, apps: Sequence[App], file: Path) -> dict[App, float]:
    """The median of each app's days; days without a value, and apps without a day, are left out."""
    found: dict[App, float] = {}
    for row, (app, cell) in enumerate(zip(apps, columns[name], strict=True), start=1):
        days = np.array([cell], np.float64) if isinstance(cell, int | float) else cell_numbers(cell)
        if days is None or days.size > _MOST_DAYS or not (np.isnan(days) | ((days > 0) & np.isfinite(days))).all():
            raise TraceError("must be a list of numbers > 0, or missing", file=file, row=row, column=name)
        if not np.isnan(days).all():
            found[app] = float(np.nanmedian(days))
    return found


def functions_of(
    apps: Sequence[App], known: Configuration, memory_mb: float | None, concurrency: int | None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """A row a function, and what the load report says of it.

    Args:
        apps: the apps; each is one function.
        known: what they had asked for; of an app that is not in it, the median of those that are.
        memory_mb: of every function, instead.
        concurrency: of every function, instead.
    """
    memory = [known.memory_mb.get(app, np.nan) for app in apps]
    slots = [known.concurrency.get(app, np.nan) for app in apps]
    table = pd.DataFrame(list(apps), columns=["owner", "app"])
    table["name"] = table["app"]
    table["memory_mb"] = _filled(memory, DEFAULT_MEMORY_MB) if memory_mb is None else float(memory_mb)
    table["concurrency"] = np.maximum(_filled(slots, 1.0).round(), 1.0) if concurrency is None else concurrency
    missing = {"memory": memory_mb is None, "concurrency": concurrency is None}
    counts = {"memory": memory, "concurrency": slots}
    return table, {f"{key}_missing": int(np.isnan(counts[key]).sum()) for key, wanted in missing.items() if wanted}


def _filled(values: list[float], otherwise: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    array = np.array(values, np.float64)
    gaps = np.isnan(array)
    return np.where(gaps, otherwise if gaps.all() else np.median(array[~gaps]), array)
