"""How fast the engines are, as ratios against a bare SimPy loop measured in the same run.

The yardstick makes one process with one timeout a request and nothing else; it says what this machine can do at this
moment. Every figure is the median of several rounds in which what is compared alternates.

    keepwarm bench [--rounds 5] [--calls 200000] [--trace FOLDER]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import simpy
from rich.console import Console
from rich.table import Table

import sim

WINDOW_S = 600.0
NO_START = sim.Platform(start_s=0.0)


def bare_loop(calls: int) -> float:
    """Seconds for one process with one timeout a request."""

    def request(env: simpy.Environment) -> Iterator[simpy.Event]:
        yield env.timeout(1.0)

    def source(env: simpy.Environment, gaps: list[float]) -> Iterator[simpy.Event]:
        for gap in gaps:
            yield env.timeout(gap)
            env.process(request(env))

    env = simpy.Environment()
    env.process(source(env, np.random.default_rng(1).exponential(0.1, calls).tolist()))
    begin = time.perf_counter()
    env.run()
    return time.perf_counter() - begin


def poisson(functions: int, calls: int, rate: float, service_s: float) -> sim.Trace:
    """Equally popular functions, each called `rate` times a second."""
    rng = np.random.default_rng(2)
    arrival_s = np.cumsum(rng.exponential(1 / (functions * rate), calls))
    function = rng.integers(0, functions, calls) if functions > 1 else np.zeros(calls, np.int64)
    function[:functions] = np.arange(functions)  # each is called at least once
    return sim.Trace.from_arrays(function, arrival_s, np.full(calls, service_s))


def seconds(trace: sim.Trace, window_s: float, platform: sim.Platform) -> tuple[float, float]:
    """Time and cold-start rate of one run, its recorded result included."""
    begin = time.perf_counter()
    result = sim.simulate(trace, sim.policies.FixedWindow(window_s), platform=platform, record=True)
    return time.perf_counter() - begin, result.summary["cold_start_rate"]


def alternate(rounds: int, one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float, float]:
    """Medians of two timings and of their ratio one / other, measured in turn."""
    pairs = [(one(), other()) for _ in range(rounds)]
    return (*(statistics.median(p[i] for p in pairs) for i in (0, 1)), statistics.median(a / b for a, b in pairs))


def platform_against_bare(calls: int, rounds: int) -> tuple[str, str, str]:
    """The full default platform on 100 functions x 0.1 calls/s x 1 s x 10 minutes."""
    trace, platform = poisson(100, calls, 0.1, 1.0), sim.load_platform("default")
    bare, full, ratio = alternate(rounds, lambda: bare_loop(calls), lambda: seconds(trace, WINDOW_S, platform)[0])
    rates = f"{calls / full:,.0f} calls/s against {calls / bare:,.0f}"
    return "default platform, rate against the bare loop", rates, f"{ratio:.2f} (at least 1.0)"


def many_functions(calls: int, rounds: int) -> tuple[str, str, str]:
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
    return "10,000 functions, cost of a call against 1", f"cold {shares[0]:.1%} and {shares[1]:.1%}", _cost(ratio, 2.5)


def many_instances(calls: int, rounds: int) -> tuple[str, str, str]:
    """A call of a function with 1,000 busy instances against one with 10."""
    platform = sim.load_platform("default")
    many, few = poisson(1, calls, 1000.0, 1.0), poisson(1, calls, 10.0, 1.0)
    shares = [seconds(t, WINDOW_S, platform)[1] for t in (many, few)]
    one = lambda: seconds(many, WINDOW_S, platform)[0]  # noqa: E731
    _, _, ratio = alternate(rounds, one, lambda: seconds(few, WINDOW_S, platform)[0])
    return (
        "1,000 live instances, cost of a call against 10",
        f"cold {shares[0]:.1%} and {shares[1]:.1%}",
        _cost(ratio, 1.5),
    )


def tick(live: int, rounds: int) -> tuple[str, str, str]:
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


def calls_under_a_scaler(calls: int, rounds: int) -> tuple[str, str, str]:
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


def functions_that_sleep(calls: int, rounds: int) -> tuple[str, str, str]:
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
        f"{with_them:.2f} s and {without:.2f} s"), _cost(ratio, 1.05)  # fmt: skip


def popular(functions: int, calls: int, span_s: float, median_s: float) -> sim.Trace:
    """Functions whose popularity falls as 1 / rank, called at random in a span, with log-normal service times."""
    rng = np.random.default_rng(3)
    share = 1 / np.arange(1, functions + 1)
    function = rng.choice(functions, calls, p=share / share.sum())
    return sim.Trace.from_arrays(
        function, np.sort(rng.random(calls) * span_s), rng.lognormal(np.log(median_s), 1.0, calls)
    )


def compiled_seconds(trace: sim.Trace, window_s: float = WINDOW_S, *, record: bool = False, threads: int = 1) -> float:
    """Time of one run of the compiled engine, its result included."""
    begin, policy = time.perf_counter(), sim.policies.FixedWindow(window_s)
    sim.simulate(trace, policy, NO_START, engine="compiled", record=record, threads=threads)
    return time.perf_counter() - begin


def compiled_against_bare(calls: int, rounds: int) -> tuple[str, str, str]:
    """Calls of 1,000 functions on the compiled engine, nothing recorded."""
    trace, bare_calls = popular(1000, 50 * calls, 86_400.0, 0.3), calls
    compiled_seconds(trace)
    per_call, bare, ratio = alternate(
        rounds, lambda: compiled_seconds(trace) / len(trace), lambda: bare_loop(bare_calls) / bare_calls
    )
    rates = f"{1 / per_call:,.0f} calls/s against {1 / bare:,.0f}"
    return f"compiled, {len(trace):,} calls, rate against the bare loop", rates, f"{1 / ratio:.0f} (at least 60)"


def compiled_recording(calls: int, rounds: int) -> tuple[str, str, str]:
    """The same with a row a call recorded."""
    trace = popular(1000, 50 * calls, 86_400.0, 0.3)
    whole, bare, ratio = alternate(
        rounds, lambda: compiled_seconds(trace, record=True), lambda: compiled_seconds(trace)
    )
    return "compiled, cost of recording every call", f"{whole:.2f} s and {bare:.2f} s", _cost(ratio, 3)


def compiled_many_windows(calls: int, rounds: int) -> tuple[str, str, str]:
    """A thousand windows from one pass against one run."""
    trace, windows_s = popular(1000, 50 * calls, 86_400.0, 0.3), np.linspace(0.0, 7200.0, 1000)

    def many() -> float:
        begin = time.perf_counter()
        sim.many_windows(trace, windows_s)
        return time.perf_counter() - begin

    many()
    all_of_them, one, ratio = alternate(rounds, many, lambda: compiled_seconds(trace))
    return (
        "compiled, 1,000 windows from one pass, against one run",
        f"{all_of_them:.2f} s and {one:.2f} s",
        _cost(ratio, 3),
    )


def compiled_many_functions(calls: int, rounds: int) -> tuple[str, str, str]:
    """A call among 10,000 functions against one among 1,000, at equal share of cold starts."""
    many, few = popular(10_000, 50 * calls, 86_400.0, 0.3), popular(1000, 50 * calls, 86_400.0, 0.3)
    share = _cold_share(many, WINDOW_S)
    window_s = _window_of(few, share)
    shares = f"cold {share:.1%} and {_cold_share(few, window_s):.1%}"
    _, _, ratio = alternate(rounds, lambda: compiled_seconds(many), lambda: compiled_seconds(few, window_s))
    return "compiled, 10,000 functions, cost of a call against 1,000", shares, _cost(ratio, 1.5)


def compiled_many_instances(calls: int, rounds: int, *, record: bool = False) -> tuple[str, str, str]:
    """A call of a function with 1,000 busy instances against one with 10, service times log-normal around 1 s."""
    service_s = np.random.default_rng(4).lognormal(-0.5, 1.0, 10 * calls)
    many, few = (replace(poisson(1, 10 * calls, live, 1.0), duration_s=service_s) for live in (1000.0, 10.0))
    shares = f"cold {_cold_share(many, WINDOW_S):.1%} and {_cold_share(few, WINDOW_S):.1%}"
    _, _, ratio = alternate(
        rounds, lambda: compiled_seconds(many, record=record), lambda: compiled_seconds(few, record=record)
    )
    recorded = ", recorded" if record else ""
    return f"compiled, 1,000 live instances, cost of a call against 10{recorded}", shares, _cost(ratio, 1.5)


def side_by_side(trace: sim.Trace, *, record: bool) -> float:
    """Time until two processes have both done a run of their own; they begin together."""
    context = multiprocessing.get_context("fork")  # what is compiled, and the trace, they have from here
    together, times = context.Barrier(2), context.SimpleQueue()

    def one() -> None:
        together.wait()
        begin = time.perf_counter()
        compiled_seconds(trace, record=record)
        times.put((begin, time.perf_counter()))

    both = [context.Process(target=one) for _ in range(2)]
    for process in both:
        process.start()
    (one_begins, one_ends), (other_begins, other_ends) = times.get(), times.get()
    for process in both:
        process.join()
    return max(one_ends, other_ends) - min(one_begins, other_begins)


def compiled_threads(calls: int, rounds: int, *, record: bool = False) -> tuple[str, str, str]:
    """The speed-up of two threads, as a share of that of two runs of one thread each, side by side."""
    trace = popular(1000, 50 * calls, 86_400.0, 0.3)
    compiled_seconds(trace, record=record, threads=2)
    two_runs, two_threads, ratio = alternate(
        rounds, lambda: side_by_side(trace, record=record), lambda: compiled_seconds(trace, record=record, threads=2)
    )
    what = f"compiled, two threads, of the speed-up of two runs{', recorded' if record else ''}"
    return what, f"two runs {two_runs:.2f} s, one on two threads {two_threads:.2f} s", f"{ratio / 2:.2f} (at least 0.9)"


def compiled_around_the_kernel(calls: int, rounds: int, *, record: bool = False) -> tuple[str, str, str]:
    """What a run adds to its kernel, grouping by function included, of 20 ms and 0.04 µs a call; the worst of two."""
    module = import_module(f"sim.engine.compiled.{'engine' if record else 'tally.engine'}")
    name = "replay" if record else "over_columns"
    kernel, spent_s = getattr(module, name), [0.0]

    def timed(*arguments: object) -> object:
        begin = time.perf_counter()
        told = kernel(*arguments)
        spent_s[0] += time.perf_counter() - begin
        return told

    def added_s(trace: sim.Trace) -> float:
        spent_s[0] = 0.0
        return compiled_seconds(trace, record=record) - spent_s[0]

    traces = popular(10, 1000, 3600.0, 0.3), popular(1000, 50 * calls, 86_400.0, 0.3)
    setattr(module, name, timed)
    try:
        added = [statistics.median(added_s(trace) for _ in range(rounds)) for trace in traces]
    finally:
        setattr(module, name, kernel)
    worst = max(each / (0.02 + 4e-8 * len(trace)) for each, trace in zip(added, traces, strict=True))
    shown = ", ".join(f"{1e3 * each:.0f} ms of {len(trace):,}" for each, trace in zip(added, traces, strict=True))
    what = f"compiled, around the kernel, of 20 ms + 0.04 µs a call{', recorded' if record else ''}"
    return what, shown, f"{worst:.2f} (at most 1)"


def _cold_share(trace: sim.Trace, window_s: float) -> float:
    return float(sim.window_curve(trace).at([window_s])["cold_start_rate"].iloc[0])


def _window_of(trace: sim.Trace, share: float) -> float:
    """The window with about that share of cold starts."""
    windows_s = np.geomspace(1.0, 1e5, 200)
    rates = sim.window_curve(trace).at(windows_s)["cold_start_rate"].to_numpy()
    return float(windows_s[np.argmin(np.abs(rates - share))])


def _cost(ratio: float, most: float) -> str:
    return f"{ratio:.2f} (at most {most})"


def peak_memory(folder: str) -> tuple[str, str, str]:
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
    chosen = parser.parse_args()
    table = Table("what", "measured", "median ratio")
    if chosen.trace:
        table.add_row(*peak_memory(chosen.trace))
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
            for figure in (
                compiled_against_bare, compiled_recording, compiled_many_windows, compiled_many_functions,
            ):  # fmt: skip
                table.add_row(*figure(chosen.calls, chosen.rounds))
            for figure in (compiled_many_instances, compiled_threads, compiled_around_the_kernel):
                for record in (False, True):
                    table.add_row(*figure(chosen.calls, chosen.rounds, record=record))
    Console(width=None if sys.stdout.isatty() else 110).print(table)


if __name__ == "__main__":
    main()
