"""How fast the engines are, as ratios against a bare SimPy loop measured in the same run.

The yardstick makes one process with one timeout a request and nothing else; it says what this machine can do at this
moment. Every figure is the median of several rounds in which what is compared alternates.

    keepwarm bench [--rounds 5] [--calls 200000] [--trace FOLDER] [--cloud DAYS]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from yardstick import WINDOW_S, Row, alternate, bare_loop, cost, poisson

import sim


def seconds(trace: sim.Trace, window_s: float, platform: sim.Platform) -> tuple[float, float]:
    """Time and cold-start rate of one run, its recorded result included."""
    begin = time.perf_counter()
    result = sim.simulate(trace, sim.policies.FixedWindow(window_s), platform=platform, record=True)
    return time.perf_counter() - begin, result.summary["cold_start_rate"]


def platform_against_bare(calls: int, rounds: int) -> Row:
    """The full default platform on 100 functions x 0.1 calls/s x 1 s x 10 minutes."""
    trace, platform = poisson(100, calls, 0.1, 1.0), sim.load_platform("default")
    bare, full, ratio = alternate(rounds, lambda: bare_loop(calls), lambda: seconds(trace, WINDOW_S, platform)[0])
    rates = f"{calls / full:,.0f} calls/s against {calls / bare:,.0f}"
    return "default platform, rate against the bare loop", rates, f"{ratio:.2f} (at least 1.0)"


def many_functions(calls: int, rounds: int) -> Row:
    """A call among 10,000 functions against a call of a single one, at the same share of cold starts."""
    share, rate, service_s = 0.08, 0.01, 0.001
    platform = sim.load_platform("default")

    def case(functions: int) -> tuple[sim.Trace, float]:
        first = functions / calls  # cold whatever the window
        window_s = -np.log((share - first) / (1 - first)) / rate
        return poisson(functions, calls, rate, service_s), float(window_s)

    many, one = case(10_000), case(1)
    shares = [seconds(*c, platform)[1] for c in (many, one)]
    _, _, ratio = alternate(rounds, lambda: seconds(*many, platform)[0], lambda: seconds(*one, platform)[0])
    return "10,000 functions, cost of a call against 1", f"cold {shares[0]:.1%} and {shares[1]:.1%}", cost(ratio, 2.5)


def many_instances(calls: int, rounds: int) -> Row:
    """A call of a function with 1,000 busy instances against one with 10."""
    platform = sim.load_platform("default")
    many, few = poisson(1, calls, 1000.0, 1.0), poisson(1, calls, 10.0, 1.0)
    shares = [seconds(t, WINDOW_S, platform)[1] for t in (many, few)]
    one = lambda: seconds(many, WINDOW_S, platform)[0]  # noqa: E731
    _, _, ratio = alternate(rounds, one, lambda: seconds(few, WINDOW_S, platform)[0])
    return (
        "1,000 live instances, cost of a call against 10",
        f"cold {shares[0]:.1%} and {shares[1]:.1%}",
        cost(ratio, 1.5),
    )


def tick(live: int, rounds: int) -> Row:
    """A tick of Knative's autoscaler for one function that is live and called, against a bare call.

    What ticks cost, and what it costs to record for them, is the difference between two runs of the same calls on
    instances that are always there, one under the autoscaler and one without any.
    """
    ticks, rate = 120_000 // live, 0.1
    trace = poisson(live, max(live, int(live * 2 * ticks * rate)), rate, 0.5)
    platform, bare_calls = sim.load_platform("default"), 50_000

    def run(policy: sim.policies.KeepAlive) -> float:
        begin = time.perf_counter()
        sim.simulate(trace, policy, platform=platform)
        return time.perf_counter() - begin

    scaled, held = sim.policies.Knative(min_scale=1), sim.policies.ProvisionedFloor(1, window_s=float("inf"))
    costs = [
        ((run(scaled) - run(held)) / (live * (trace.horizon_s / 2)), bare_loop(bare_calls) / bare_calls)
        for _ in range(rounds)
    ]
    ratio = statistics.median(a_tick / a_call for a_tick, a_call in costs)
    shown = f"{1e6 * statistics.median(a_tick for a_tick, _ in costs):.1f} µs a tick"
    return f"a tick of Knative's autoscaler, {live:,} live functions, in bare calls", shown, f"{ratio:.2f} (at most 3)"


def calls_under_a_scaler(calls: int, rounds: int) -> Row:
    """Calls between the ticks of a scaler, on instances that are there, against the bare loop."""
    trace, platform = poisson(100, calls, 0.1, 1.0), sim.load_platform("default")
    policy = sim.policies.FixedScale(2, tick_s=3600.0)

    def run() -> float:
        begin = time.perf_counter()
        sim.simulate(trace, policy, platform=platform)
        return time.perf_counter() - begin

    bare, full, ratio = alternate(rounds, lambda: bare_loop(calls), run)
    rates = f"{calls / full:,.0f} calls/s against {calls / bare:,.0f}"
    return "calls between ticks of a scaler, rate against the bare loop", rates, f"{ratio:.2f} (at least 1.0)"


def functions_that_sleep(calls: int, rounds: int) -> Row:
    """10,000 functions that are never called, beside 100 that are, under Knative's autoscaler."""
    trace, platform = poisson(100, calls, 0.1, 1.0), sim.load_platform("default")
    names = pd.DataFrame({"name": [f"f{i}" for i in range(10_100)]})
    more = sim.Trace.from_arrays(trace.function, trace.arrival_s, trace.duration_s, functions=names)

    def run(which: sim.Trace) -> float:
        begin = time.perf_counter()
        sim.simulate(which, sim.policies.Knative(), platform=platform)
        return time.perf_counter() - begin

    with_them, without, ratio = alternate(rounds, lambda: run(more), lambda: run(trace))
    return "10,000 functions that sleep, time of a run with and without", (
        f"{with_them:.2f} s and {without:.2f} s"), cost(ratio, 1.05)  # fmt: skip


def peak_memory(folder: str) -> Row:
    """One policy on an Azure 2019 trace, from loading to the recorded result; alone in the process to mean anything."""
    begin = time.perf_counter()
    trace = sim.load_trace(folder, format="azure2019")
    loaded = time.perf_counter()
    sim.simulate(trace, sim.policies.FixedWindow(WINDOW_S))
    ended = time.perf_counter()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = f"{len(trace):,} calls: load {loaded - begin:.1f} s, run {ended - loaded:.1f} s"
    return "peak memory of one policy", times, f"{peak_mb:,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="keepwarm bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--trace", help="folder of an Azure 2019 trace: measure time and peak memory on it instead")
    parser.add_argument("--cloud", type=float, help="days: replay a cloud of the size of Azure Functions 2019 instead")
    chosen = parser.parse_args()
    table = Table("what", "measured", "median ratio")
    if chosen.trace:
        table.add_row(*peak_memory(chosen.trace))
    elif chosen.cloud:
        table.add_row(*import_module("compiled").cloud(chosen.cloud))
    else:
        for figure in (
            platform_against_bare,
            many_functions,
            many_instances,
            calls_under_a_scaler,
            functions_that_sleep,
        ):
            table.add_row(*figure(chosen.calls, chosen.rounds))
        for live in (100, 1000):
            table.add_row(*tick(live, chosen.rounds))
        if find_spec("numba") is not None:
            for row in import_module("compiled").rows(chosen.calls, chosen.rounds):
                table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 110).print(table)


if __name__ == "__main__":
    main()
