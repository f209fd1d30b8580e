"""Slots, queues, caps and patience against a brute-force twin: what every call gets, to the last bit.

The twin keeps no calendar. At each step it looks at everything there is, lists whatever could happen next as
(time, kind, number), and lets the first of them happen. It imports nothing of the platform.
"""

import sys
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
from binding_twin import Call, Options, Twin
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from sim.core.random import stream
from sim.engine import reference
from sim.results.columns import OUTCOMES, START_KINDS, Columns
from sim.workload.trace import Trace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from small import UNITS, Windows, cases

CHOICES = (
    "most_recently_idle", "least_recently_idle", "random", "newest_created", "oldest_created", "least_connections",
    "power_of_two", "round_robin", "by_concurrency",
)  # fmt: skip


# Cases: times on a grid, so that nearly everything happens at the same instants.

TIMES = st.sampled_from([0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 5.0])
CAPS = st.sampled_from([inf, inf, 1, 2, 3])


@st.composite
def options(draw: st.DrawFn, unit: float) -> Options:
    """Any options; each is off about as often as on."""

    def span(*extra: float) -> float:
        return draw(st.sampled_from([*extra, 0.5 * unit, unit, 2 * unit, 3 * unit]))

    return Options(
        binding=draw(st.sampled_from(["early", "late", "race"])),
        choice=draw(st.sampled_from(CHOICES)),
        concurrency=draw(st.sampled_from([1, 1, 2, 3, 4])),
        unit_cap=draw(CAPS),
        cap=draw(CAPS),
        queue_limit=draw(st.sampled_from([0, 1, 2, inf, inf])),
        max_wait_s=span(inf, inf, 0.0),
        start_up_s=span(0.0),
        life_s=span(inf, inf, 5 * unit),
        by_app=draw(st.booleans()),
        failing=draw(st.sampled_from([0.0, 0.0, 0.5, 0.9])),
        handler_s=span(0.0, 0.0, 0.0),
        timeout_s=span(inf, inf, inf),
    )


@st.composite
def settings_of_runs(draw: st.DrawFn, calls: int = 14) -> tuple[Trace, tuple[float, ...], Options]:
    """A trace of up to three functions in two apps, a window for each call, and options."""
    unit = draw(st.sampled_from(UNITS))
    n = draw(st.integers(1, calls))

    def times() -> list[float]:
        return [unit * t for t in draw(st.lists(TIMES, min_size=n, max_size=n))]

    functions = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=n, max_size=n))
    arrival_s = np.cumsum(times())
    trace = Trace(np.array(functions, np.int32), arrival_s, np.array(times()), FUNCTIONS, float(arrival_s[-1]))
    return trace, tuple(times()), draw(options(unit))


FUNCTIONS = Trace.from_arrays(
    range(3), [0.0] * 3, 0.0, functions=pd.DataFrame({"name": list("abc"), "app": ["x", "x", "y"]})
).functions


def ran(trace: Trace, windows_s: tuple[float, ...], options: Options) -> Columns:
    trace = replace(trace, functions=trace.functions.assign(timeout_s=options.timeout_s))
    return reference.run(trace, Windows(windows_s), options.platform, horizon_s=trace.horizon_s, seed=3, replication=1)


def twin_of(trace: Trace, windows_s: tuple[float, ...], options: Options) -> Twin:
    functions = trace.function.tolist()
    apps = trace.functions["app"].tolist()
    calls = [
        Call(row, f, functions[:row].count(f), apps.index(apps[f]) if options.by_app else f, *times)
        for row, (f, *times) in enumerate(
            zip(functions, trace.arrival_s.tolist(), trace.duration_s.tolist(), windows_s, strict=True)
        )
    ]
    choices, failures = (
        stream(3, 1, purpose, *trace.function_keys()).tolist() for purpose in ("instance_choice", "start_failure")
    )
    return Twin(options, calls, choices, failures).run()


def assert_agree(trace: Trace, windows_s: tuple[float, ...], options: Options) -> Columns:
    columns, twin = ran(trace, windows_s, options), twin_of(trace, windows_s, options)
    requests, instances = columns.requests, columns.instances
    assert [START_KINDS[k] for k in requests.start_kind] == [c.kind for c in twin.calls]
    assert [OUTCOMES[o] for o in requests.outcome] == [c.outcome for c in twin.calls]
    assert requests.instance.tolist() == [c.instance for c in twin.calls]
    for ours, theirs in ((requests.start_s, "start_s"), (requests.end_s, "end_s")):
        assert np.array_equal(ours, [getattr(c, theirs) for c in twin.calls], equal_nan=True)
    assert instances.instance.tolist() == [i.number for i in twin.lives]
    for name in ("created_s", "ready_s", "ended_s", "awaited"):
        assert np.array_equal(getattr(instances, name), [getattr(i, name) for i in twin.lives], equal_nan=True), name
    return columns


@examples(1500)
@given(settings_of_runs())
def test_any_options(setting: tuple[Trace, tuple[float, ...], Options]) -> None:
    assert_agree(*setting)


@examples(300)
@given(settings_of_runs(calls=40))
def test_longer_traces(setting: tuple[Trace, tuple[float, ...], Options]) -> None:
    assert_agree(*setting)


def test_an_execution_beyond_its_time_out_by_less_than_the_clock_shows() -> None:
    """Both ends are one number at that hour; the service time alone says that it was cut."""
    trace = Trace.from_arrays([0], [7.999999999999999], [2.000000000000001])
    columns = assert_agree(trace, (0.0,), Options(timeout_s=2.0000000000000004))
    assert OUTCOMES[columns.requests.outcome[0]] == "timed_out"


@examples(200)
@given(st.data(), cases(functions=2, calls=12))
def test_calls_at_and_beside_the_instants_of_the_plain_platform(data: st.DataObject, case) -> None:
    chosen = data.draw(options(max(*case.duration_s, 0.1)))
    windows_s = tuple(min(window_s, 1000.0) for window_s in case.window_s)  # under a cap nobody may wait for ever
    assert_agree(case.trace, windows_s, chosen)
