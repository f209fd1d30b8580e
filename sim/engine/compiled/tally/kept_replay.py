"""Scenarios that are not plain, function after function: its instances are kept until a function is done."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.engine.compiled import layout
from sim.engine.compiled.engine import functions_of, require_good_decisions
from sim.engine.compiled.lives import in_order, instances
from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.setup import Prepared, grown
from sim.engine.compiled.tally import layout as passes
from sim.engine.compiled.tally import setup
from sim.engine.compiled.tally.keeping import DONE, FULL, MANY, keep
from sim.engine.compiled.tally.plain_replay import MOST
from sim.engine.compiled.told import COUNTS, charge_usd
from sim.results import latency_bins
from sim.results.fleet_sums import LifeSums, life_sums
from sim.results.tally import Tally
from sim.workload.source import without_calls

IntArray = npt.NDArray[np.int64]

NO_PING: Final = 1 << 62
"""Rows from here on would be pings."""
SLOTS: Final = 64
"""That a function has at first."""


class KeptWorker:
    """See `sim.engine.compiled.tally.engine.Worker`.

    Attributes:
        run: a replay of its own, whose functions and sums are everybody's.
        asked: int64[F], instances made inside the span because of calls.
        lives: sums of instances whose functions are done.
    """

    def __init__(self, replay: KeptReplay) -> None:
        whole, size = replay.prepared.run, len(replay.prepared.deployed)
        room = max(SLOTS, 2 * replay.prepared.held + 2)
        state = whole.state._replace(
            idle=np.zeros((room, 4)), ends=np.zeros(room), busy=np.zeros((room, 2), np.int64),
            count=np.zeros_like(whole.state.count),
        )  # fmt: skip
        lines = layout.Lines(*(np.empty((len(table), table.shape[1]), table.dtype) for table in whole.lines))
        out = whole.out._replace(bins=latency_bins.empty(), refused=np.zeros(3))
        self.run = whole._replace(state=state, lines=lines, out=out)
        self.asked = np.zeros(size, np.int64)
        self.lives = LifeSums.none(size)
        self._replay, self._at = replay, passes.at_first()

    def over_counts(self, cells: passes.Cells, drawn: passes.Drawn, chosen: IntArray, stop: threading.Event) -> None:
        """See `Worker`."""
        size = drawn.arrival_s.size
        self.run = self.run._replace(calls=self._replay.prepared.run.calls._replace(
            function=np.empty(size, np.uint32), arrival_s=drawn.arrival_s, service_s=np.empty(size),
            duration_s=drawn.duration_s, number=np.empty(size, np.int64), rows=NO_PING,
        ))  # fmt: skip
        self._keep(cells, drawn, setup.NO_COLUMNS, chosen, stop, left_open=False)

    def over_columns(
        self, columns: passes.Columns, chosen: IntArray, stop: threading.Event, *, left_open: bool
    ) -> None:
        """See `Worker`."""
        calls = columns.stop - columns.first
        stop_at = np.cumsum(calls)
        rows = np.arange(calls.sum()) + np.repeat(columns.first - (stop_at - calls), calls)
        function, base = np.repeat(chosen, calls).astype(np.uint32), self._replay.prepared.run.calls
        duration_s, number = columns.duration_s[rows], self._at[passes.NAMED] + np.arange(rows.size)
        self._at[passes.NAMED] += rows.size
        self.run = self.run._replace(calls=base._replace(
            function=function, arrival_s=columns.arrival_s[rows], number=number, duration_s=duration_s,
            service_s=np.minimum(duration_s, base.timeout_s[function]), rows=NO_PING,
        ))  # fmt: skip
        columns = passes.Columns(stop_at - calls, stop_at, columns.arrival_s, columns.duration_s)
        self._keep(setup.NO_CELLS, setup.drawn(0), columns, chosen, stop, left_open=left_open)

    def _keep(
        self, cells: passes.Cells, drawn: passes.Drawn, columns: passes.Columns, chosen: IntArray,
        stop: threading.Event, *, left_open: bool,
    ) -> None:  # fmt: skip
        self._at[passes.FUNCTION_AT] = 0
        while not stop.is_set():
            ended = keep(self.run, cells, drawn, columns, chosen, self._at, MOST, left_open, *self._replay.functions)
            if ended == DONE:
                break
            self._go_on(ended, chosen)
        if not left_open:
            self._settle()

    def close(self, function: int) -> None:
        """See `Worker`."""
        self.over_columns(setup.NO_CALLS, np.array([function]), threading.Event(), left_open=False)

    def _go_on(self, ended: int, chosen: IntArray) -> None:
        """Do what a pass ended for."""
        if ended == MANY:
            self._settle()
        elif ended == FULL:
            self.run = grown(self.run)
            units, function = self.run.state.units, chosen[self._at[passes.FUNCTION_AT]]
            units[function, layout.IDLE_ROOM] = self.run.state.idle.shape[0]
            units[function, layout.BUSY_ROOM] = self.run.state.ends.size

    def _settle(self) -> None:
        """Add up the instances there are, whose functions are done."""
        count = self.run.state.count
        lived = instances(self.run.lines, in_order(self.run.lines, int(count[layout.LINES])))
        span, size = self._replay.scenario.span, self.asked.size
        self.lives = self.lives.plus(life_sums(lived, size, span))
        asked = (lived.instance >= 0) & (lived.created_s >= span.start_s)
        self.asked += np.bincount(lived.function[asked], minlength=size)
        count[layout.LINES] = 0


class KeptReplay:
    """See `sim.engine.compiled.tally.engine.Replay`.

    Attributes:
        scenario: what is replayed; its trace is asked for functions only.
        prepared: as the kernel takes it.
        functions: of its rule, compiled.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Prepare to replay a scenario; calls come later."""
        self.scenario = scenario
        self.prepared = Prepared(replace(scenario, trace=without_calls(scenario.trace)))
        self.functions = functions_of(scenario.policy)
        self._bins, size = latency_bins.empty(), len(self.prepared.deployed)
        self._asked, self._lives = np.zeros(size, np.int64), LifeSums.none(size)

    def worker(self, at_once: int) -> KeptWorker:
        """See `Replay`."""
        return KeptWorker(self)

    def add(self, worker: KeptWorker) -> None:
        """See `Replay`."""
        require_good_decisions(self.scenario.policy, worker.run)
        self._bins += worker.run.out.bins
        self._asked += worker.asked
        self._lives = self._lives.plus(worker.lives)

    def tally(self, function: IntArray) -> Tally:
        """See `Replay`."""
        price, sums, span = self.scenario.price, self.prepared.run.out.sums, self.scenario.span
        assert price is not None
        memory_mb = self.prepared.deployed["memory_mb"].to_numpy(np.float64)
        counts = {name: sums[:, place].astype(np.int64) for name, place in COUNTS.items()}
        started, none = counts["calls"] - counts["rejected"], np.zeros(function.size)
        lives = self._lives
        counts |= {
            "warm": started - counts["cold"] - counts["queued"], "starts": lives.starts,
            "asked_starts": self._asked, "pings": none.astype(np.int64),
        }  # fmt: skip
        seconds = {
            "busy_s": layout.BUSY_S, "idle_s": layout.IDLE_S, "wait_s": layout.WAIT_S,
            "cold_wait_s": layout.COLD_WAIT_S, "latency_s": layout.LATENCY_S,
        }  # fmt: skip
        return Tally(
            function, counts,
            {name: sums[:, place].copy() for name, place in seconds.items()}
            | {"left_idle_s": lives.left_idle_s, "starting_s": lives.starting_s}
            | {"unawaited_start_s": lives.unawaited_start_s, "ping_busy_s": none, "ping_idle_s": none},
            charge_usd=charge_usd(sums, started, memory_mb, price),
            other_usd=price.hold_usd(np.full(function.size, self.prepared.held * span.length_s), memory_mb)
            if self.prepared.held else none,
            latency_bins=self._bins,
        )  # fmt: skip
