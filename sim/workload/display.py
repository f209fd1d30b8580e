"""A trace as a notebook shows it: its size, where it comes from, and what its reader had to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.html import facts_html, folded_html

LONGEST: Final = 160
"""Characters of a fact from a trace's `about`; longer ones are cut."""


def size(
    calls: int, calls_per_function: npt.NDArray[np.int64], functions: pd.DataFrame, horizon_s: float
) -> list[tuple[str, str]]:
    """Facts on the size of a trace: calls, functions, span."""
    apps = len(functions[["owner", "app"]].drop_duplicates())
    called = int((calls_per_function > 0).sum())
    return [
        ("calls", f"{calls:,}"),
        ("functions", f"{len(functions):,} of {apps:,} apps, {called:,} of them called"),
        ("span", f"{horizon_s:,.10g} s ({horizon_s / 3600:.3g} h)"),
    ]


def with_origin(title: str, facts: list[tuple[str, str]], about: Mapping[str, Any]) -> str:
    """The table of a trace with its facts and those on its origin, and, folded, the load report of its reader."""
    report = about.get("report")
    table = facts_html(title, [*facts, *_origin(about)])
    if not isinstance(report, Mapping) or not report:
        return table
    rows = [(str(key).replace("_", " "), _text(value)) for key, value in report.items()]
    return table + folded_html("load report", facts_html("what the reader met", rows))


def _origin(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is said of the origin, but not at length."""
    return [(str(key), _text(value)) for key, value in about.items() if not isinstance(value, Mapping | list | tuple)]


def _text(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
