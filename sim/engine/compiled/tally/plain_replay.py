"""Plain scenarios: nothing of a function is kept but the ends of its calls."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.tally import layout, setup
from sim.engine.compiled.tally.passes import close_function, over_columns, over_counts
from sim.results import latency_bins
from sim.results.tally import COUNTS, SECONDS, Tally

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MOST: Final = 1 << 24
"""Calls replayed at a time: in between a thread hears that it is to stop."""
OF_COUNTS: Final = {
    "calls": layout.CALLS, "cold": layout.COLD, "rejected": layout.REJECTED, "timed_out": layout.CUT,
    "starts": layout.STARTS, "asked_starts": layout.STARTS,
}  # fmt: skip
OF_SECONDS: Final = {
    "busy_s": layout.BUSY_S, "idle_s": layout.IDLE_S, "left_idle_s": layout.LEFT_IDLE_S,
    "starting_s": layout.STARTING_S, "wait_s": layout.WAIT_S, "cold_wait_s": layout.WAIT_S,
    "latency_s": layout.LATENCY_S,
}  # fmt: skip


class PlainWorker:
    """See `sim.engine.compiled.tally.engine.Worker`.

    Attributes:
        run: a pass of its own, whose sums are everybody's.
    """

    def __init__(self, run: layout.Tallied, at_once: int) -> None:
        self._at_once = at_once
        self.run = run._replace(queues=setup.queues(at_once), bins=latency_bins.empty())

    def over_counts(self, cells: layout.Cells, drawn: layout.Drawn, chosen: IntArray, stop: threading.Event) -> None:
        """See `Worker`."""
        at = layout.at_first()
        while not stop.is_set() and not over_counts(self.run, cells, drawn, chosen, at, MOST):
            self._make_room()

    def over_columns(
        self, columns: layout.Columns, chosen: IntArray, stop: threading.Event, *, left_open: bool
    ) -> None:
        """See `Worker`."""
        at = layout.at_first()
        while not stop.is_set() and not over_columns(self.run, columns, chosen, at, MOST, left_open):
            self._make_room()

    def close(self, function: int) -> None:
        """See `Worker`."""
        close_function(self.run, function)

    def _make_room(self) -> None:
        if not setup.has_room(self.run.queues, self._at_once):
            self.run = self.run._replace(queues=setup.wider(self.run.queues))


class PlainReplay:
    """See `sim.engine.compiled.tally.engine.Replay`.

    Attributes:
        scenario: what is replayed.
    """

    def __init__(self, scenario: Scenario, latencies: int) -> None:
        """Prepare to replay a scenario, with room for so many latencies if they are to be kept."""
        self.scenario = scenario
        self._run = setup.tallied(scenario, latencies)

    def worker(self, at_once: int) -> PlainWorker:
        """See `Replay`."""
        return PlainWorker(self._run, at_once)

    def add(self, worker: PlainWorker) -> None:
        """See `Replay`."""
        self._run.bins[:] += worker.run.bins

    def tally(self, function: IntArray) -> Tally:
        """See `Replay`."""
        price, sums = self.scenario.price, self._run.sums
        assert price is not None
        counts = {name: sums[:, place].astype(np.int64) for name, place in OF_COUNTS.items()}
        started = counts["calls"] - counts["rejected"]
        counts["warm"] = started - counts["cold"]
        seconds = {name: sums[:, place].copy() for name, place in OF_SECONDS.items()}
        nothing = dict.fromkeys(set(COUNTS) - set(counts), np.zeros(function.size, np.int64))
        no_time = dict.fromkeys(set(SECONDS) - set(seconds), np.zeros(function.size))
        memory_mb = self.scenario.platform.deployed(self.scenario.trace.functions)["memory_mb"].to_numpy(np.float64)
        return Tally(
            function, counts | nothing, seconds | no_time,
            charge_usd=price.charge_billed_usd(sums[:, layout.BILLED_S], started, memory_mb),
            other_usd=np.zeros(function.size), latency_bins=self._run.bins,
        )  # fmt: skip

    def latencies_s(self) -> FloatArray:
        """The latencies of the counted calls that started, if they were kept; in any order."""
        latency_s: FloatArray = self._run.latency_s
        counted = latency_s >= 0
        return latency_s if counted.all() else latency_s[counted]
