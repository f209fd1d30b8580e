"""What pings and instances of a run add up to: all that metrics need of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.results.call_sums import Span, time_by_function_s
from sim.results.columns import NOT_STARTED, Cells, Fleet, FloatArray, Instances, Requests
from sim.results.pricing import PriceBook

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FleetSums:
    """What pings and instances add up to, by function.

    Attributes:
        starts: int64[F], instances made inside the span.
        starting_s: float64[F], seconds inside it that instances started, in order of creation.
        unawaited_start_s: float64[F], those of instances that no call waited for when they became ready.
        left_idle_s: float64[F], seconds inside it of idle periods that no call ended, in order of their beginnings.
        ping_busy_s, ping_idle_s: float64[F], seconds inside it that pings kept instances busy, and of the idle periods
            that they ended.
        user_usd: float64[F], what the user pays for pings and for what is held.
        pings: sent inside the span.
        cells: generic cells.
    """

    starts: IntArray
    starting_s: FloatArray
    unawaited_start_s: FloatArray
    left_idle_s: FloatArray
    ping_busy_s: FloatArray
    ping_idle_s: FloatArray
    user_usd: FloatArray
    pings: float
    cells: Cells


def fleet_sums(fleet: Fleet, memory_mb: FloatArray, span: Span, price: PriceBook) -> FleetSums:
    """The sums of a recorded fleet.

    Args:
        fleet: what an engine returned besides calls.
        memory_mb: float64[F], of the functions.
        span: what is measured.
        price: the user's price book.
    """
    pings, size = fleet.pings, memory_mb.size
    lives = life_sums(fleet.instances, size, span)
    return FleetSums(
        starts=lives.starts,
        starting_s=lives.starting_s,
        unawaited_start_s=lives.unawaited_start_s,
        left_idle_s=lives.left_idle_s,
        ping_busy_s=time_by_function_s(pings.function, pings.busy_since_s, pings.end_s, size, span),
        ping_idle_s=time_by_function_s(pings.function, pings.idle_since_s, pings.start_s, size, span),
        user_usd=_user_usd(fleet, memory_mb, span, price),
        pings=float(np.count_nonzero(pings.arrival_s >= span.start_s)),
        cells=fleet.cells,
    )


class LifeSums(NamedTuple):
    """What lives of instances add up to by function; see `FleetSums`."""

    starts: IntArray
    starting_s: FloatArray
    unawaited_start_s: FloatArray
    left_idle_s: FloatArray

    @classmethod
    def none(cls, size: int) -> LifeSums:
        """Of no instances."""
        return cls(np.zeros(size, np.int64), np.zeros(size), np.zeros(size), np.zeros(size))

    def plus(self, other: LifeSums) -> LifeSums:
        """Of the instances of both."""
        return LifeSums(
            self.starts + other.starts,
            self.starting_s + other.starting_s,
            self.unawaited_start_s + other.unawaited_start_s,
            self.left_idle_s + other.left_idle_s,
        )


def life_sums(instances: Instances, size: int, span: Span) -> LifeSums:
    """The sums of instances of `size` functions, in order of creation."""
    inside = (instances.created_s >= span.start_s) & (instances.created_s <= span.end_s)
    return LifeSums(
        np.bincount(instances.function[inside], minlength=size),
        _starting_s(instances, slice(None), size, span),
        _starting_s(instances, ~instances.awaited, size, span),
        _left_idle_s(instances, size, span),
    )


def _starting_s(instances: Instances, chosen: slice | npt.NDArray[np.bool_], size: int, span: Span) -> FloatArray:
    """Seconds that instances start; one that never became ready started to its end."""
    started_s = np.fmin(instances.ready_s[chosen], instances.ended_s[chosen])
    return time_by_function_s(instances.function[chosen], instances.created_s[chosen], started_s, size, span)


def _left_idle_s(instances: Instances, size: int, span: Span) -> FloatArray:
    """Seconds of last idle periods, added in the order in which an engine meets them that keeps no instances."""
    idled = np.flatnonzero(~np.isnan(instances.idle_since_s))
    idled = idled[np.argsort(instances.idle_since_s[idled], kind="stable")]
    return time_by_function_s(
        instances.function[idled], instances.idle_since_s[idled], instances.ended_s[idled], size, span
    )


def _user_usd(fleet: Fleet, memory_mb: FloatArray, span: Span, price: PriceBook) -> FloatArray:
    """What the user pays for pings in the span, and for what is held: float64[F] USD."""
    pings, held, size = fleet.pings, fleet.allocations, memory_mb.size
    total = np.zeros(size)
    sent = pings.function[(pings.arrival_s >= span.start_s) & (pings.start_kind != NOT_STARTED)]
    if sent.size:
        each = price.charge_usd(np.full(size, fleet.ping_s), np.zeros(size), memory_mb)
        total += np.bincount(sent, minlength=size) * each
        total += _loading_pings_usd(pings, each, memory_mb, span, price)
    if held.function.size:
        seconds = np.bincount(held.function, weights=span.overlap_s(held.from_s, held.to_s), minlength=size)
        total += price.hold_usd(seconds.astype(np.float64), memory_mb)
    return total


def _loading_pings_usd(
    pings: Requests, each_usd: FloatArray, memory_mb: FloatArray, span: Span, price: PriceBook
) -> FloatArray:
    """What pings cost, float64[F] USD, beyond `each_usd` because handlers loaded during them."""
    inside = pings.arrival_s[pings.loading] >= span.start_s
    function, execution_s = pings.function[pings.loading[inside]], pings.loading_s[inside]
    charge = price.charge_usd(execution_s, np.zeros(function.size), memory_mb[function]) - each_usd[function]
    return np.bincount(function, weights=charge, minlength=memory_mb.size).astype(np.float64)
