"""The compiled engine on several threads: the same bits, whoever serves what."""

from dataclasses import replace
from math import inf
from pathlib import Path
from threading import current_thread, main_thread

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from test_compiled import LEARNING, WINDOWED, platforms, traces
from test_compiled_scenarios import COVERED, Nonsense, Own, Raising

import sim
from sim import config, run_config
from sim.core.errors import ConfigError, PolicyError
from sim.engine import simulate as engine
from sim.engine.compiled import own, threads
from sim.platform.platform import Platform
from sim.policies import FixedWindow, KeepAlive, PingWarmer, ProvisionedFloor
from sim.results.columns import Requests
from sim.results.result import Result
from sim.run_config import Run

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles
PRICE, PROVIDER = sim.load_pricing(), sim.load_provider()
LISTS = ("prewarmed", "on_provisioned", "loading", "loading_s")


def run(trace: sim.Trace, policy: KeepAlive, platform: Platform, count: int, **options: object) -> Result:
    return sim.simulate(trace, policy, platform, engine="compiled", threads=count, price=PRICE, **options)  # type: ignore[arg-type]


def assert_same_lists(a: Requests, b: Requests) -> None:
    for name in LISTS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), name, strict=True)


def assert_same(a: Result, b: Result) -> None:
    pd.testing.assert_series_equal(a.summary, b.summary, check_exact=True)
    pd.testing.assert_frame_equal(a.functions, b.functions, check_exact=True)
    if a.columns is None or b.columns is None:
        assert a.columns is b.columns
        return
    for name in ("invocations", "instances", "starts"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_exact=True, obj=name)
    for one, other in ((a.columns.requests, b.columns.requests), (a.columns.pings, b.columns.pings)):
        assert_same_lists(one, other)
    for name in ("function", "from_s", "to_s"):
        np.testing.assert_array_equal(getattr(a.columns.allocations, name), getattr(b.columns.allocations, name), name)


@examples(300)
@given(
    traces(), platforms(),
    st.sampled_from([*WINDOWED, *LEARNING, PingWarmer(5.0), ProvisionedFloor(2, 3.0)]),
    st.sampled_from([2, 3, 7]), st.booleans(), st.floats(0, 1), st.sampled_from([1, 7, 1 << 20]),
)  # fmt: skip
def test_the_same_bits_whatever_the_number_of_threads(
    trace: sim.Trace, platform: Platform, policy: KeepAlive, count: int, record: bool, share: float, block: int
) -> None:
    options = {"record": record, "warm_up_s": share * trace.horizon_s}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "BLOCK", block)
        ours = run(trace, policy, platform, count, **options)
    assert_same(ours, run(trace, policy, platform, 1, **options))


@pytest.mark.parametrize("policy", [*COVERED, Own()], ids=repr)
@pytest.mark.parametrize("record", [True, False])
def test_the_same_bits_of_the_embedded_trace(policy: KeepAlive, record: bool) -> None:
    trace = sim.load_trace("traces/default").slice(0, 4 * 3600)
    platform = replace(sim.load_platform("default"), isolation="app")
    one, three = (run(trace, policy, platform, count, record=record, warm_up_s=600.0) for count in (1, 3))
    assert_same(three, one)


def test_a_part_that_starts_more_than_there_is_room_for_gets_more() -> None:
    size = 300_000
    trace = sim.Trace.from_arrays(np.arange(size) % 5, np.arange(size) * 0.01, np.full(size, 0.5))
    assert_same(*(run(trace, FixedWindow(0.0), Platform(start_s=0.0), count) for count in (2, 1)))


def test_the_largest_are_dealt_first_and_what_belongs_together_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [5, 9, 1, 4, 3, 0]
    table = pd.DataFrame({"name": list("abcdef"), "app": list("uvwxux")})
    function = np.repeat(np.arange(6), calls)
    trace = sim.Trace.from_arrays(function, np.arange(function.size, dtype=float), 0.5, functions=table)

    def dealt(platform: Platform, count: int) -> list[int]:
        found: list[int] = []

        def keep(run: object, number: int) -> own.Owners:
            owner = own.owners(run, number)  # type: ignore[arg-type]
            found.extend(owner.tolist())
            return owner

        monkeypatch.setattr("sim.engine.compiled.engine.owners", keep)
        run(trace, FixedWindow(), platform, count)
        return found

    # b 9 | a 5, d 4 | then e 3 to the lighter of 9 and 9, c 1 to the other, f with no call to the lighter
    assert dealt(Platform(start_s=0.0), 2) == [1, 0, 1, 1, 0, 1]
    assert dealt(Platform(start_s=0.0, isolation="app"), 2) == [1, 0, 0, 1, 1, 1]  # a and e 8, d and f 4
    assert max(dealt(Platform(start_s=0.0), 100)) == 4
    assert dealt(Platform(start_s=0.0), 1) == [0] * 6


def test_progress_is_told_by_the_thread_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "HEARD_S", 0.0)
    trace, told = sim.load_trace("traces/default"), []

    def tell(calls: int) -> None:
        assert current_thread() is main_thread()
        told.append(calls)

    engine.simulate(
        trace, FixedWindow(), Platform(start_s=0.0), price=PRICE, provider=PROVIDER, engine="compiled", threads=2,
        on_progress=tell,
    )  # fmt: skip
    assert told == sorted(told)
    assert told[-1] == len(trace)


def test_ctrl_c_ends_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, seen, do = sim.load_trace("traces/default"), [], threads.Part.do

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    def keep(part: threads.Part, *arguments: object) -> None:
        do(part, *arguments)  # type: ignore[arg-type]
        seen.append(part.seen)

    monkeypatch.setattr(threads, "HEARD_S", 0.0)
    monkeypatch.setattr(threads, "BLOCK", 1)
    monkeypatch.setattr(threads.Part, "do", keep)

    with pytest.raises(KeyboardInterrupt):
        engine.simulate(
            trace, FixedWindow(), Platform(start_s=0.0), price=PRICE, provider=PROVIDER, engine="compiled", threads=2,
            on_progress=interrupt,
        )  # fmt: skip
    assert max(seen) < len(trace)


def test_an_error_in_one_thread_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = sim.load_trace("traces/default")
    seen: list[int] = []
    do = threads.Part.do

    def fail(part: threads.Part, *arguments: object) -> None:
        if part.mine[0]:
            raise MemoryError("no room")
        do(part, *arguments)  # type: ignore[arg-type]
        seen.append(part.seen)

    monkeypatch.setattr(threads, "BLOCK", 1)
    monkeypatch.setattr(threads.Part, "do", fail)
    with pytest.raises(MemoryError, match="no room"):
        run(trace, FixedWindow(), Platform(start_s=0.0), 2)
    assert seen[0] < len(trace)


@pytest.mark.parametrize("observing", [False, True])
def test_what_a_rule_does_wrong_is_noticed_in_any_thread(observing: bool) -> None:
    trace = sim.Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 400.0], 1.0)
    with pytest.raises(PolicyError, match="Raising: its rule raised an error"):
        run(trace, Raising(observing), Platform(start_s=0.0), 2)
    with pytest.raises(PolicyError, match=r"Nonsense: its rule decided \(-1.0, inf, 0.0\)"):
        run(trace, Nonsense(), Platform(start_s=0.0), 2)


def test_a_trace_without_calls() -> None:
    empty = replace(sim.Trace.from_arrays(["f", "g"], [0.0, 1.0], 1.0).slice(0.5, 0.9), horizon_s=100.0)
    for policy in (FixedWindow(), ProvisionedFloor(2), PingWarmer()):
        assert_same(*(run(empty, policy, Platform(start_s=0.5), count) for count in (2, 1)))


def test_the_reference_has_one_thread() -> None:
    trace = sim.Trace.from_arrays(["f", "g"], [0.0, 1.0], 1.0)
    with pytest.raises(ConfigError, match="threads must be 1 under engine=simpy, not 2"):
        sim.simulate(trace, FixedWindow(), threads=2)
    with pytest.raises(ConfigError, match="threads must be a whole number >= 1, not 0"):
        sim.simulate(trace, FixedWindow(), engine="compiled", threads=0)
    queued = Platform(start_s=0.5, max_instances=1, queue_limit=inf)
    assert sim.simulate(trace, FixedWindow(), queued, engine="auto", threads=2).about["engine"] == "simpy"


def test_a_kept_run_is_the_same_run_on_any_number_of_threads(tmp_path: Path) -> None:
    trace = sim.Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 400.0], 1.0)

    def kept(count: int) -> tuple[pd.DataFrame, dict[str, int]]:
        frame = sim.run_experiment(
            tmp_path, trace, {"10 min": FixedWindow()}, Platform(start_s=0.5), engine="compiled", threads=count, jobs=1
        ).frame
        return frame, {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cells").iterdir()}

    (one, cells), (two, same) = kept(1), kept(2)
    assert cells == same
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_configured_run_has_the_threads_that_it_names() -> None:
    assert build("engine=compiled", "threads=3").setting.threads == 3
    for words, said in ((["threads=2"], "threads must be 1 under engine=simpy"), (["threads=x"], "threads: expected")):
        with pytest.raises(ConfigError, match=said):
            build(*words)


def build(*overrides: str) -> Run:
    values = config.plain(config.compose_config(list(overrides)))
    return run_config.build_run(values, [config.config_dir()], config.trusted([]))
