"""Rows of the benchmark about the compiled engine."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
from yardstick import NO_START, WINDOW_S, Row, alternate, bare_loop, cost, poisson

import sim
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import PROBABILITIES, DurationStatistics
from sim.workload.functions import function_table

FIXED = sim.policies.FixedWindow(WINDOW_S)


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


def compiled_against_bare(calls: int, rounds: int) -> Row:
    """Calls of 1,000 functions on the compiled engine, nothing recorded."""
    trace, bare_calls = popular(1000, 50 * calls, 86_400.0, 0.3), calls
    compiled_seconds(trace)
    per_call, bare, ratio = alternate(
        rounds, lambda: compiled_seconds(trace) / len(trace), lambda: bare_loop(bare_calls) / bare_calls
    )
    rates = f"{1 / per_call:,.0f} calls/s against {1 / bare:,.0f}"
    return f"compiled, {len(trace):,} calls, rate against the bare loop", rates, f"{1 / ratio:.0f} (at least 60)"


def compiled_recording(calls: int, rounds: int) -> Row:
    """The same with a row a call recorded."""
    trace = popular(1000, 50 * calls, 86_400.0, 0.3)
    compiled_seconds(trace, record=True)
    whole, bare, ratio = alternate(
        rounds, lambda: compiled_seconds(trace, record=True), lambda: compiled_seconds(trace)
    )
    return "compiled, cost of recording every call", f"{whole:.2f} s and {bare:.2f} s", cost(ratio, 3)


def compiled_many_windows(calls: int, rounds: int) -> Row:
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
        cost(ratio, 3),
    )


def compiled_many_functions(calls: int, rounds: int) -> Row:
    """A call among 10,000 functions against one among 1,000, at equal share of cold starts."""
    many, few = popular(10_000, 50 * calls, 86_400.0, 0.3), popular(1000, 50 * calls, 86_400.0, 0.3)
    share = _cold_share(many, WINDOW_S)
    window_s = _window_of(few, share)
    shares = f"cold {share:.1%} and {_cold_share(few, window_s):.1%}"
    _, _, ratio = alternate(rounds, lambda: compiled_seconds(many), lambda: compiled_seconds(few, window_s))
    return "compiled, 10,000 functions, cost of a call against 1,000", shares, cost(ratio, 1.5)


def compiled_many_instances(calls: int, rounds: int, *, record: bool = False) -> Row:
    """A call of a function with 1,000 busy instances against one with 10, service times log-normal around 1 s."""
    service_s = np.random.default_rng(4).lognormal(-0.5, 1.0, 10 * calls)
    many, few = (replace(poisson(1, 10 * calls, live, 1.0), duration_s=service_s) for live in (1000.0, 10.0))
    shares = f"cold {_cold_share(many, WINDOW_S):.1%} and {_cold_share(few, WINDOW_S):.1%}"
    _, _, ratio = alternate(
        rounds, lambda: compiled_seconds(many, record=record), lambda: compiled_seconds(few, record=record)
    )
    recorded = ", recorded" if record else ""
    return f"compiled, 1,000 live instances, cost of a call against 10{recorded}", shares, cost(ratio, 1.5)


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


def compiled_threads(calls: int, rounds: int, *, record: bool = False) -> Row:
    """The speed-up of two threads, as a share of that of two runs of one thread each, side by side."""
    trace = popular(1000, 50 * calls, 86_400.0, 0.3)
    compiled_seconds(trace, record=record, threads=2)
    two_runs, two_threads, ratio = alternate(
        rounds, lambda: side_by_side(trace, record=record), lambda: compiled_seconds(trace, record=record, threads=2)
    )
    what = f"compiled, two threads, of the speed-up of two runs{', recorded' if record else ''}"
    return what, f"two runs {two_runs:.2f} s, one on two threads {two_threads:.2f} s", f"{ratio / 2:.2f} (at least 0.9)"


def compiled_around_the_kernel(calls: int, rounds: int, *, record: bool = False) -> Row:
    """What a run adds to its kernel, grouping by function included, of 20 ms and 0.04 µs a call; the worst of two."""
    module = import_module(f"sim.engine.compiled.{'engine' if record else 'tally.plain_replay'}")
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


def counted(arrivals: str) -> sim.Trace:
    """Counts of 200 functions and 480 minutes, popularity 1 / rank, at most 4,000 calls a minute, mean durations."""
    rng, functions, minutes = np.random.default_rng(5), 200, 480
    count = np.minimum(rng.poisson(4000 / np.arange(1, functions + 1), (minutes, functions)), 4000)
    minute, function = np.nonzero(count)
    average_s = rng.lognormal(np.log(0.3), 1.0, functions)
    table = function_table(pd.DataFrame({"name": [f"f{i}" for i in range(functions)]}))
    known = DurationStatistics(average_s, np.repeat(average_s[:, None], len(PROBABILITIES), axis=1))
    cells = function.astype(np.int32), minute.astype(np.int32), count[minute, function]
    return CountSource(*cells, table, known, ((0, minutes),), Recipe(arrivals)).draw(0, {})


def compiled_counts(calls: int, rounds: int, *, arrivals: str, least: int) -> Row:
    """Calls made of counts in the kernel, a whole run of them, its result included."""
    trace = counted(arrivals)
    compiled_seconds(trace)
    per_call, bare, ratio = alternate(
        rounds, lambda: compiled_seconds(trace) / len(trace), lambda: bare_loop(calls) / calls
    )
    what = f"counts, {arrivals}, {len(trace):,} calls, rate against the bare loop"
    return what, f"{1 / per_call:,.0f} calls/s against {1 / bare:,.0f}", f"{1 / ratio:.0f} (at least {least})"


def rows(calls: int, rounds: int) -> Iterator[Row]:
    """All of them."""
    for figure in (compiled_against_bare, compiled_recording, compiled_many_windows, compiled_many_functions):
        yield figure(calls, rounds)
    for other in (compiled_many_instances, compiled_threads, compiled_around_the_kernel):
        for record in (False, True):
            yield other(calls, rounds, record=record)
    yield compiled_counts(calls, rounds, arrivals="even", least=350)
    yield compiled_counts(calls, rounds, arrivals="uniform", least=50)


def cloud(days: float) -> Row:
    """A cloud of the size of Azure Functions 2019, replayed from its counts on two threads."""
    compiled_seconds(counted("even"))
    begin = time.perf_counter()
    source = sim.load_synthesis("azure_scale", hours=24.0 * days).parts()
    result = sim.simulate(source, FIXED, engine="compiled", record=False, threads=2)
    took_s, calls = time.perf_counter() - begin, result.summary["invocations"]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = f"a cloud of {len(source.functions):,} functions, {days:g} days, {calls:,.0f} calls"
    return what, f"{took_s:.0f} s, {peak_mb:,.0f} MB", f"{1e9 * took_s / calls:.1f} ns a call"
