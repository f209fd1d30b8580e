"""Numbers of calls spread over the minutes of a span, a row a function: as cells, of which only those with calls exist.

What a function gets depends on its own key and parameters alone, not on which others are asked for with it. Only
comparisons, single arithmetic operations and tables of six digits are used (see `draws`), so the cells are the same
anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from sim.core.distributions import CELLS, look_up
from sim.core.random import uniforms
from sim.workload.synthesis.draws import FloatArray, WholeArray, rounded

DAY_MINUTES: Final = 1440
MINUTE_S: Final = 60

Keys = npt.NDArray[np.uint64]
Cells = tuple[WholeArray, WholeArray, WholeArray]
"""Row, minute and count, by row, then minute; no count is 0."""

_BATCH: Final = 1 << 20
"""Calls or minutes worked on at a time: scratch memory of some tens of MB."""
_GUIDES: Final = 4
_DENSE: Final = 16
"""Where a function has at least one call in so many minutes, counting in all minutes is cheaper than sorting calls."""
_OF_ROUNDING: Final = 1.0 / 12.0
"""The variance that rounding to whole numbers adds."""


@dataclass(frozen=True)
class Curve:
    """The load of a span minute by minute: a raised cosine a day over a constant base, its peak at a minute of the day.

    Attributes:
        base_share: of the load that is constant.
        minutes: of the span.
    """

    base_share: float
    minutes: int

    @cached_property
    def _days(self) -> FloatArray:
        """From a peak on, a day longer than the span."""
        angle = 2.0 * np.pi / DAY_MINUTES * (np.arange(DAY_MINUTES) + 0.5)
        wave = self.base_share + (1.0 - self.base_share) * (1.0 + np.cos(angle))
        return np.resize(rounded(np.maximum(wave, 1e-6)), self.minutes + DAY_MINUTES)

    def load(self, peak: int) -> FloatArray:
        """float64[minutes]: the load of each, 1 on average over a day."""
        start = -peak % DAY_MINUTES
        return self._days[start : start + self.minutes]


def scattered(keys: Keys, calls: WholeArray, peaks: WholeArray, curve: Curve) -> Cells:
    """Calls of functions that are called rarely, each at random by the load: a Poisson process of given number.

    Args:
        keys: uint64[n], the functions' streams, of which draw j places call j.
        calls: int64[n], of each.
        peaks: int64[n], minute of the day at which the load is highest.
        curve: the load.
    """
    parts = []
    dense = calls * _DENSE > curve.minutes
    for is_dense in (False, True):
        for peak in np.unique(peaks[dense == is_dense]).tolist():
            load = np.cumsum(curve.load(peak))
            guide = np.searchsorted(load, np.arange(_GUIDES * load.size) * (load[-1] / (_GUIDES * load.size)), "right")
            for rows in _batches(np.flatnonzero((dense == is_dense) & (peaks == peak)), calls):
                minute = _placed(keys[rows], calls[rows], load, guide)
                place = np.repeat(np.arange(rows.size), calls[rows]) * curve.minutes + minute
                if is_dense:
                    counts = np.bincount(place, minlength=1)
                    cell = np.flatnonzero(counts)
                    count = counts[cell]
                else:
                    cell, count = np.unique(place, return_counts=True)
                parts.append((rows[cell // curve.minutes], cell % curve.minutes, count))
    return joined(parts)


def _placed(keys: Keys, calls: WholeArray, load: FloatArray, guide: WholeArray) -> WholeArray:
    """The minute of each call; `load` is cumulated, `guide` the minutes at equal distances of it."""
    number = np.arange(int(calls.sum())) - np.repeat(np.cumsum(calls) - calls, calls)
    u = uniforms(np.repeat(keys, calls), number.astype(np.uint64))
    passed = u * load[-1]
    minute = guide[(u * guide.size).astype(np.int64)]
    while (late := (load[minute] <= passed) & (minute < load.size - 1)).any():
        minute += late
    while (early := (minute > 0) & (load[minute - 1] > passed)).any():  # a last digit off
        minute -= early
    return minute


def counted(keys: Keys, calls: WholeArray, peaks: WholeArray, curve: Curve) -> Cells:
    """Calls of functions that are called in most minutes: Poisson numbers by the load, which add up to those wanted.

    A number is the Cornish-Fisher quantile of a Poisson distribution. What their sum lacks or has too much is spread by
    the load.

    Args:
        keys: uint64[n], the functions' streams, of which draw m is that of minute m.
        calls: as for `scattered`,
        peaks: and these,
        curve: and this.
    """
    parts, minutes = [], np.arange(curve.minutes, dtype=np.uint64)
    for rows in _batches(np.arange(calls.size), np.full(calls.size, curve.minutes)):
        load = np.stack([curve.load(peak) for peak in peaks[rows].tolist()])
        passed = np.cumsum(load, axis=1)
        z = look_up(_normal(), uniforms(keys[rows, None], minutes))
        mean = load * (calls[rows] / passed[:, -1])[:, None]
        spread = np.sqrt(np.maximum(mean - _OF_ROUNDING, 0.0))
        number = np.floor(np.maximum(mean + spread * z + (z * z - 1.0) / 6.0 + 0.5, 0.0))
        wanted = calls[rows].astype(np.float64)[:, None]
        total = np.cumsum(number, axis=1)
        total += np.rint((wanted - total[:, -1:]) * (passed / passed[:, -1:]))
        total = np.minimum(np.maximum.accumulate(total, axis=1), wanted)
        parts.append(_filled(rows, np.diff(total, axis=1, prepend=0.0)))
    return joined(parts)


def timed(periods_s: WholeArray, phases_s: WholeArray, curve: Curve) -> Cells:
    """Calls of functions that are called with an exact period, from a phase on.

    Args:
        periods_s: int64[n], whole seconds, 1 or more.
        phases_s: int64[n], the first call, in whole seconds from the start.
        curve: says how long the span is.
    """
    parts, edges_s = [], np.arange(curve.minutes + 1) * MINUTE_S
    quick = np.flatnonzero(periods_s < MINUTE_S)
    for rows in _batches(quick, np.full(periods_s.size, curve.minutes)):
        before = calls_before(edges_s, periods_s[rows, None], phases_s[rows, None])
        parts.append(_filled(rows, np.diff(before, axis=1)))
    calls = calls_before(curve.minutes * MINUTE_S, periods_s, phases_s)
    for rows in _batches(np.flatnonzero(periods_s >= MINUTE_S), calls):  # one call a minute at most
        row = np.repeat(rows, calls[rows])
        number = np.arange(row.size) - np.repeat(np.cumsum(calls[rows]) - calls[rows], calls[rows])
        parts.append((row, (phases_s[row] + number * periods_s[row]) // MINUTE_S, np.ones(row.size, np.int64)))
    return joined(parts)


def calls_before(time_s: WholeArray | int, periods_s: WholeArray, phases_s: WholeArray) -> WholeArray:
    """How many calls of exact periods come before a time, in whole seconds; elementwise."""
    return np.asarray(np.maximum(-((phases_s - time_s) // periods_s), 0), np.int64)


def joined(parts: Sequence[Cells]) -> Cells:
    """Cells one after another."""
    empty = (np.empty(0, np.int64),) * 3
    row, minute, count = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
    return row, minute, count


def by_minute(cells: Cells, rows: int, minutes: int) -> tuple[npt.NDArray[np.int32], ...]:
    """Row, minute and count, int32 each, by minute, then row.

    Args:
        cells: in any order of rows, the cells of one row together and by minute.
        rows: how many there are.
        minutes: of the span.
    """
    from scipy.sparse import coo_matrix  # noqa: PLC0415 - takes as long as all else together

    row, minute, count = (column.astype(np.int32) for column in cells)
    matrix = coo_matrix((count, (row, minute)), shape=(rows, minutes)).tocsr().tocsc()
    found = np.repeat(np.arange(minutes, dtype=np.int32), np.diff(matrix.indptr))
    return matrix.indices.astype(np.int32, copy=False), found, matrix.data


def _normal() -> FloatArray:
    p = np.arange(CELLS + 1) / CELLS
    p[0], p[-1] = 0.5 / CELLS, 1.0 - 0.5 / CELLS
    return rounded(ndtri(p))


def _filled(rows: WholeArray, counts: npt.NDArray[np.int64] | FloatArray) -> Cells:
    """The cells of a matrix with a line a row that are not empty."""
    line, minute = np.nonzero(counts)
    return rows[line], minute, counts[line, minute].astype(np.int64)


def _batches(rows: WholeArray, weights: WholeArray) -> Iterator[WholeArray]:
    """The rows in runs of at most `_BATCH` of their weights, or of one row."""
    passed = np.concatenate(([0], np.cumsum(weights[rows])))
    first = 0
    while first < rows.size:
        last = max(int(np.searchsorted(passed, passed[first] + _BATCH, "right")) - 1, first + 1)
        yield rows[first:last]
        first = last
