"""Tallies of scenarios that are not plain: a part whose calls are all in memory, on the engine that keeps them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.engine.compiled import layout
from sim.engine.compiled.engine import run
from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.told import Told
from sim.results.fleet_sums import fleet_sums
from sim.results.tally import Tally

IntArray = npt.NDArray[np.int64]


def tally(scenario: Scenario, function: IntArray) -> Tally:
    """Replay all calls of a scenario, and keep what they add up to.

    Args:
        scenario: what to replay.
        function: int64[F], the places of its functions in the table of all.
    """
    price, span = scenario.price, scenario.span
    assert price is not None
    told: Told = run(scenario, lambda _: None)
    memory_mb = scenario.platform.deployed(scenario.trace.functions)["memory_mb"].to_numpy(np.float64)
    calls, fleet = told.sums(price), fleet_sums(told.fleet, memory_mb, span, price)
    counts = {name: calls.counts[name] for name in ("calls", "warm", "cold", "queued", "prewarmed", "rejected")}
    counts |= {"timed_out": calls.counts["timed_out"], "starts": fleet.starts}
    counts |= {"asked_starts": told.asked_starts(), "pings": told.pings_sent()}
    return Tally(
        function=function,
        counts=counts,
        seconds={
            "busy_s": calls.busy_s, "idle_s": calls.idle_s, "left_idle_s": fleet.left_idle_s,
            "starting_s": fleet.starting_s, "unawaited_start_s": fleet.unawaited_start_s,
            "ping_busy_s": fleet.ping_busy_s, "ping_idle_s": fleet.ping_idle_s, "wait_s": calls.wait_s,
            "cold_wait_s": told.added(layout.COLD_WAIT_S), "latency_s": told.added(layout.LATENCY_S),
        },
        charge_usd=calls.charge_usd,
        other_usd=fleet.user_usd,
        latency_bins=told.latency_bins(),
    )  # fmt: skip
