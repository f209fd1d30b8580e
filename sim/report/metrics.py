"""The metrics a comparison shows: what they are called, their units, and how their numbers are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, inf, isfinite, isnan, log10
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

MISSING: Final = "–"
SIGNIFICANT: Final = 2
"""Digits that the smallest value of a column still shows."""
WIDEST: Final = 6
"""Digits beyond which a column of large numbers gains no decimals for the sake of its small ones."""


@dataclass(frozen=True)
class Unit:
    """A unit: its name, how many of it one of the stored unit makes, and the largest value it is used up to."""

    name: str
    factor: float
    below: float = inf


PERCENT: Final = (Unit("%", 100.0),)
TIME: Final = (Unit("ms", 1000.0, below=10_000.0), Unit("s", 1.0))
MEMORY_TIME: Final = (Unit("GB-s", 1.0, below=1e8), Unit("M GB-s", 1e-6))
PLAIN: Final = (Unit("", 1.0),)


@dataclass(frozen=True)
class Metric:
    """One metric as a reader sees it.

    Attributes:
        key: its column in the comparison frame.
        title: its name in one line.
        head: the same in short lines, for a narrow column.
        units: from fine to coarse; columns that share them all take the first in which the largest value of any is
            below the unit's limit, so that they can be compared.
        decimals: at least so many.
    """

    key: str
    title: str
    head: tuple[str, ...]
    units: tuple[Unit, ...]
    decimals: int


TABLE: Final = (
    Metric("cold_start_rate", "cold starts", ("cold", "starts"), PERCENT, 2),
    Metric("app_cold_share_p75", "cold starts of the P75 app", ("cold in", "P75 app"), PERCENT, 2),
    Metric("latency_p50_s", "latency P50", ("latency", "P50"), TIME, 0),
    Metric("latency_p99_s", "latency P99", ("latency", "P99"), TIME, 0),
    Metric("wasted_gb_s", "wasted memory-time", ("wasted", "memory"), MEMORY_TIME, 0),
    Metric("wasted_normalised", "wasted, 10 min = 1", ("wasted", "10 min", "= 1"), PLAIN, 2),
    Metric("user_cost_per_million_usd", "user, USD per M calls", ("user", "USD per", "M calls"), PLAIN, 2),
    Metric("provider_cost_per_million_usd", "provider, USD per M calls", ("provider", "USD per", "M calls"), PLAIN, 2),
)
"""What the comparison table shows, in its order."""


@dataclass(frozen=True)
class ShownColumn:
    """A metric with the unit chosen for a frame, and as text its values (cells) and half-widths ("" for none)."""

    metric: Metric
    unit: Unit
    cells: tuple[str, ...]
    halves: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name and unit in one line."""
        name = self.metric.title
        return f"{name} ({self.unit.name})" if self.unit.name else name

    @property
    def head(self) -> tuple[str, ...]:
        """Name and unit in lines."""
        return (*self.metric.head, self.unit.name) if self.unit.name else self.metric.head

    @property
    def width(self) -> int:
        """Characters of its widest line."""
        return max(map(len, (*self.head, *self.cells, *self.halves)))


def shown_columns(frame: pd.DataFrame) -> Iterator[ShownColumn]:
    """The columns of the comparison table, written out; a metric that the frame lacks is NaN throughout."""
    for metric in TABLE:
        alike = np.concatenate([numbers(frame, other.key) for other in TABLE if other.units is metric.units])
        largest = float(np.max(alike, initial=0.0, where=np.isfinite(alike)))
        unit = next(u for u in metric.units if largest * u.factor < u.below)
        yield _shown(metric, unit, numbers(frame, metric.key), numbers(frame, f"{metric.key}_ci95"))


def numbers(frame: pd.DataFrame, key: str) -> FloatArray:
    """float64[rows]: a column of the frame, NaN where there is none."""
    if key not in frame:
        return np.full(len(frame), np.nan)
    return frame[key].to_numpy(np.float64)


def needs_future(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """bool[rows]: which policies know the future; none where the frame does not say."""
    return frame["needs_future"].to_numpy(np.bool_) if "needs_future" in frame else np.zeros(len(frame), np.bool_)


def _shown(metric: Metric, unit: Unit, values: FloatArray, halves: FloatArray) -> ShownColumn:
    values, halves = values * unit.factor, halves * unit.factor
    places = _places(values, metric.decimals)
    return ShownColumn(
        metric,
        unit,
        tuple(_value(v, places) for v in values.tolist()),
        tuple(_half_width(h, places) for h in halves.tolist()),
    )


def _places(values: FloatArray, least: int) -> int:
    """Decimals for a whole column, so that the points of its numbers stand below each other."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return least
    wanted = SIGNIFICANT - 1 - floor(log10(positive.min()))
    room = WIDEST - 1 - max(0, floor(log10(positive.max())))
    return max(least, min(wanted, room))


def _value(value: float, places: int) -> str:
    if isnan(value):
        return MISSING
    return _rounded(value, places) if isfinite(value) else "∞"


def _half_width(half: float, places: int) -> str:
    if not isfinite(half):
        return ""
    return f"±{_rounded(half, places)}" if half else "±0"


def _rounded(number: float, places: int) -> str:
    """A number >= 0; one that would round to nothing but is not is only said to be small."""
    smallest = 10.0**-places
    return f"<{smallest:.{places}f}" if 0 < number < smallest / 2 else f"{number:,.{places}f}"


def printable(label: str) -> str:
    """The label without what would move a cursor, break a line or colour a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in label)
