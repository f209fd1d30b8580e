"""What came of a replay, as the columns and sums that all engines return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.engine.compiled import layout
from sim.engine.compiled.lives import in_order, instances
from sim.engine.compiled.order import quantiles
from sim.engine.compiled.setup import Prepared
from sim.platform.startup.parts import NO_TABLE
from sim.results import latency_bins
from sim.results.call_sums import TAIL, CallSums, downloaded_mb, percentile_name
from sim.results.columns import (
    Allocations,
    Columns,
    Fleet,
    FloatArray,
    Requests,
    Starts,
    no_cells,
    no_decisions,
)
from sim.results.pricing import PriceBook

IntArray = npt.NDArray[np.int64]


class Told:
    """What came of a replay.

    Attributes:
        fleet: all but the calls of the trace.
        makers_load: see `Columns`.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared, self._run = prepared, prepared.run
        self._count = prepared.run.state.count
        self.makers_load = prepared.late and not prepared.traced_loads
        self._lines = self._in_order()
        pings = prepared.asked.pings
        self.fleet = Fleet(
            pings=self._pings(),
            ping_s=pings.ping_s if pings is not None else 0.0,
            instances=instances(self._run.lines, self._lines),
            starts=self._starts(),
            allocations=self._allocations(),
            cells=no_cells(),
        )

    def columns(self) -> Columns:
        """All of it; the replay recorded its calls."""
        fleet = self.fleet
        return Columns(
            requests=self._requests(), pings=fleet.pings, ping_s=fleet.ping_s, instances=fleet.instances,
            starts=fleet.starts, allocations=fleet.allocations, cells=fleet.cells, decisions=no_decisions(),
            makers_load=self.makers_load,
        )  # fmt: skip

    # Columns.

    def _in_order(self) -> IntArray | slice:
        """The lines in order of creation, as they are where calls made them all."""
        made = int(self._count[layout.LINES])
        return in_order(self._run.lines, made) if self._prepared.traced_loads else slice(0, made)

    def _number(self, place: int) -> IntArray:
        number: IntArray = self._run.lines.number[self._lines, place]
        return number

    def _starts(self) -> Starts:
        draws = self._prepared.starts
        asked = self._number(layout.NAME) >= 0
        row, function, k = (self._number(place)[asked] for place in (layout.NAME, layout.FUNCTION, layout.START))
        kept = tuple(np.flatnonzero((draws.table != NO_TABLE).any(axis=0)).tolist())
        kept_s = draws.draw_many(function, k)[:, kept] if kept else np.empty((row.size, 0))
        package_mb = self._prepared.deployed["package_mb"].to_numpy(np.float64)
        return Starts(draws.phases, row, function.astype(np.int32), kept, kept_s, draws.offset, package_mb)

    def _allocations(self) -> Allocations:
        held = (self._number(layout.NAME) < 0) & (self._run.terms.held > 0)
        from_s, to_s = (self._run.lines.time_s[self._lines, place][held] for place in (layout.CREATED, layout.ENDED))
        return Allocations(self._number(layout.FUNCTION)[held].astype(np.int32), from_s, to_s)

    def _pings(self) -> Requests:
        rows = slice(self._prepared.rows, None)
        return self._part(rows, *self._prepared.pings)

    def _requests(self) -> Requests:
        trace, rows = self._prepared.scenario.trace, self._prepared.rows
        return self._part(slice(0, rows), trace.function[:rows], trace.arrival_s[:rows])

    def _part(self, rows: slice, function: npt.NDArray[np.int32], arrival_s: FloatArray) -> Requests:
        out, order, calls = self._run.out, self._prepared.order, self._prepared.rows

        def column(recorded: npt.NDArray[Any]) -> npt.NDArray[Any]:
            if order is None:
                return recorded[rows]
            in_rows = np.empty_like(recorded)
            in_rows[order] = recorded
            return in_rows[rows]

        start_s = column(out.start_s)
        loading, prewarmed, held = self._noted()
        loads = loading < calls if rows.stop is not None else loading >= calls
        none = np.empty(0, np.int64)
        return Requests(
            function=function, arrival_s=arrival_s, start_s=start_s, end_s=column(out.end_s),
            start_kind=column(out.start_kind), outcome=column(out.outcome), instance=column(out.instance),
            busy_since_s=start_s, idle_since_s=column(out.idle_since_s),
            prewarmed=prewarmed if rows.stop is not None else none,
            on_provisioned=held if rows.stop is not None else none,
            loading=loading[loads] - (rows.start or 0), loading_s=out.loading_s[: loading.size][loads],
        )  # fmt: skip

    def _noted(self) -> list[IntArray]:
        """Rows of calls that loaded or waited for a load, that were the first of a prewarmed instance, on held ones."""
        counts = self._count[[layout.LOADING, layout.PREWARMED_ROWS, layout.HELD_ROWS]].tolist()
        return [rows[:count] for rows, count in zip(self._run.out.noted, counts, strict=True)]

    # Sums.

    def sums(self, price: PriceBook) -> CallSums:
        """What the calls add up to."""
        sums, scenario = self._run.out.sums, self._prepared.scenario
        of = {name: sums[:, place].astype(np.int64) for name, place in COUNTS.items()}
        started = of["calls"] - of["rejected"]
        counts = {
            "calls": of["calls"], "started": started, "warm": started - of["cold"] - of["queued"], "cold": of["cold"],
            "queued": of["queued"], "rejected": of["rejected"], "timed_out": of["timed_out"],
            "failed": np.zeros_like(started), "prewarmed": of["prewarmed"],
        }  # fmt: skip
        return CallSums(
            counts=counts,
            busy_s=sums[:, layout.BUSY_S].copy(),
            idle_s=sums[:, layout.IDLE_S].copy(),
            wait_s=sums[:, layout.WAIT_S].copy(),
            charge_usd=self._charge_usd(price, started),
            latencies=self._latencies(int(started.sum()), int(of["cold"].sum())),
            stale_hops=0.0,
            downloaded_mb=downloaded_mb(self.fleet.starts, scenario.trace.arrival_s, scenario.span),
        )

    def added(self, place: int) -> FloatArray:
        """What the calls of each function add up to in one of the columns of `layout.CALLS`, float64[F]."""
        column: FloatArray = self._run.out.sums[:, place].copy()
        return column

    def latencies_s(self) -> Sequence[FloatArray]:
        """The latencies of the counted calls that started, in any order, in any number of arrays."""
        return self._prepared.latencies_s()

    def latency_bins(self) -> IntArray:
        """The histogram of these."""
        bins: IntArray = np.sum([latency_bins.of(part_s) for part_s in self.latencies_s()], axis=0)
        return bins

    def asked_starts(self) -> IntArray:
        """How many starts of each function began inside the span because of calls, int64[F]."""
        starts, span = self.fleet.starts, self._prepared.scenario.span
        began_s = self._prepared.scenario.trace.arrival_s[starts.row]
        return np.bincount(starts.function[began_s >= span.start_s], minlength=len(self._prepared.deployed))

    def pings_sent(self) -> IntArray:
        """How many pings of each function were sent inside the span, int64[F]."""
        pings, span = self.fleet.pings, self._prepared.scenario.span
        return np.bincount(pings.function[pings.arrival_s >= span.start_s], minlength=len(self._prepared.deployed))

    def _latencies(self, started: int, cold: int) -> dict[str, float]:
        sums = self._run.out.sums
        shares = quantiles(self._prepared.latencies_s(), [p / 100 for p in TAIL])
        return {
            **{percentile_name(p): value for p, value in zip(TAIL, shares, strict=True)},
            "latency_mean_s": float(sums[:, layout.LATENCY_S].sum()) / started if started else np.nan,
            "wait_mean_s": float(sums[:, layout.WAIT_S].sum()) / started if started else np.nan,
            "cold_wait_mean_s": float(sums[:, layout.COLD_WAIT_S].sum()) / cold if cold else np.nan,
        }

    def _charge_usd(self, price: PriceBook, started: IntArray) -> FloatArray:
        """What the user pays by function, for calls on demand and for those on held instances."""
        memory_mb = self._prepared.deployed["memory_mb"].to_numpy(np.float64)
        return charge_usd(self._run.out.sums, started, memory_mb, price)


def charge_usd(sums: FloatArray, started: IntArray, memory_mb: FloatArray, price: PriceBook) -> FloatArray:
    """What the user pays by function, given the columns of `layout.CALLS`: on demand, and on held instances."""
    held = sums[:, layout.HELD_CALLS].astype(np.int64)
    on_demand = price.charge_billed_usd(sums[:, layout.BILLED_S], started - held, memory_mb)
    return on_demand + price.charge_provisioned_billed_usd(sums[:, layout.HELD_BILLED_S], held, memory_mb)


COUNTS = {
    "calls": layout.CALLS, "cold": layout.COLD, "queued": layout.QUEUED, "rejected": layout.REJECTED,
    "timed_out": layout.CUT, "prewarmed": layout.PREWARMED,
}  # fmt: skip
