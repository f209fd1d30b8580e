"""Cold starts and waste under many windows, from one compiled pass."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.windows import Bins, Calls, Order, Room, Span, one_pass, sort

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def many_windows(calls: Calls, gb: FloatArray, span: Span, window_s: FloatArray) -> tuple[int, IntArray, FloatArray]:
    """What each of some windows comes to.

    Args:
        calls: up to the end of the span.
        gb: float64[u], memory of an instance of each unit.
        span: what is measured.
        window_s: float64[w], ascending.

    Returns:
        The counted calls; int64[w], the cold ones; float64[w], GB-s wasted.
    """
    size = np.bincount(calls.unit, minlength=gb.size)
    order = Order(np.concatenate([[0], np.cumsum(size)]), np.empty(calls.unit.size, np.int64))
    sort(calls.unit, order.begin[:-1].copy(), order.row)
    bins = Bins(window_s, np.zeros(window_s.size + 1, np.int64), *np.zeros((2, window_s.size + 1)))
    most = int(size.max(initial=0))
    before = int(np.searchsorted(calls.arrival_s, span.from_s, "left"))
    early = np.empty((before, 3))  # every instance that idles before the span begins was left by a call before it
    noted = one_pass(calls, order, gb, span, bins, Room(np.empty(most), np.empty(most)), early)
    counted = calls.arrival_s.size - before
    cold = counted - np.cumsum(bins.warm)[:-1]
    return counted, cold, _wasted(bins) + _wasted_early(early[:noted], window_s, span)


def _wasted(bins: Bins) -> FloatArray:
    """Instances that idle for less than the window idle as they do, the others for the window."""
    longer_gb = np.cumsum(bins.gb[:0:-1])[::-1]
    cut_s = np.where(longer_gb > 0, bins.window_s, 0.0)
    wasted: FloatArray = np.cumsum(bins.gb_s)[:-1] + longer_gb * cut_s
    return wasted


def _wasted_early(early: FloatArray, window_s: FloatArray, span: Span) -> FloatArray:
    """The same of those that idle when the span begins, of which only what lies inside counts."""
    total = np.zeros(window_s.size)
    for since_s, until_s, gb in early.tolist():
        low_s = span.from_s - since_s
        total += gb * np.maximum(np.minimum(window_s, until_s - since_s) - low_s, 0.0)
    return total
