"""What a pass added up, as a tally."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.tally import layout
from sim.results import tally as tallies
from sim.results.tally import Tally

IntArray = npt.NDArray[np.int64]

COUNTS = {
    "calls": layout.CALLS, "cold": layout.COLD, "rejected": layout.REJECTED, "timed_out": layout.CUT,
    "starts": layout.STARTS, "asked_starts": layout.STARTS,
}  # fmt: skip
SECONDS = {
    "busy_s": layout.BUSY_S, "idle_s": layout.IDLE_S, "left_idle_s": layout.LEFT_IDLE_S,
    "starting_s": layout.STARTING_S, "wait_s": layout.WAIT_S, "cold_wait_s": layout.WAIT_S,
    "latency_s": layout.LATENCY_S,
}  # fmt: skip


def tally_of(run: layout.Tallied, scenario: Scenario, function: IntArray) -> Tally:
    """What came of all calls of a scenario, whose functions have these places in the table of all."""
    price = scenario.price
    assert price is not None
    sums, deployed = run.sums, scenario.platform.deployed(scenario.trace.functions)
    counts = {name: sums[:, place].astype(np.int64) for name, place in COUNTS.items()}
    started = counts["calls"] - counts["rejected"]
    counts["warm"] = started - counts["cold"]
    seconds = {name: sums[:, place].copy() for name, place in SECONDS.items()}
    memory_mb = deployed["memory_mb"].to_numpy(np.float64)
    nothing: dict[str, IntArray] = dict.fromkeys(set(tallies.COUNTS) - set(counts), np.zeros_like(started))
    no_time = dict.fromkeys(set(tallies.SECONDS) - set(seconds), np.zeros(function.size))
    return Tally(
        function, counts | nothing, seconds | no_time,
        charge_usd=price.charge_billed_usd(sums[:, layout.BILLED_S], started, memory_mb),
        other_usd=np.zeros(function.size), latency_bins=run.bins,
    )  # fmt: skip
