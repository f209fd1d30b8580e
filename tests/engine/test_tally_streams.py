"""Calls streamed from disk: the tally of the same calls in memory, to the bit; and memory that stays small."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tallied import assert_same_results, assert_same_tallies, conditions, run
from test_compiled import CHOICES, traces
from test_compiled_scenarios import Own
from test_tally_plain import bursts, plain_platforms

import sim
from sim import PartitionedTrace, Trace, open_trace, save_by_function
from sim.core.errors import ConfigError, TraceError
from sim.engine import tallying
from sim.platform.platform import Platform
from sim.policies import Clairvoyant, FixedWindow, KeepAlive, KeepForever, NoKeepAlive, PingWarmer
from sim.results.tally import merged
from sim.workload.partition.layout import Layout

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

SMALL = Layout(group_calls=7, groups_a_file=3)
WINDOWS = [FixedWindow(7.0), NoKeepAlive(), KeepForever()]


@contextmanager
def on_disk(trace: Trace, layout: Layout = SMALL) -> Iterator[PartitionedTrace]:
    with TemporaryDirectory() as folder:
        yield open_trace(save_by_function(trace, Path(folder) / "t", layout=layout))


@contextmanager
def blocks_of(most: int) -> Iterator[None]:
    """Blocks of so many calls at most."""
    blocks = PartitionedTrace.blocks

    def small(self: PartitionedTrace, chosen: np.ndarray | None = None) -> Iterator[object]:
        return blocks(self, chosen, most)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartitionedTrace, "blocks", small)
        yield


@examples(200)
@given(traces(), plain_platforms(), st.sampled_from(WINDOWS), st.sampled_from([1, 3, 10, 1000]), st.floats(0, 1),
       st.floats(0, 1), st.permutations(range(4)), st.integers(0, 4))  # fmt: skip
def test_blocks_come_to_what_calls_in_memory_do(
    trace: Trace, platform: Platform, policy: KeepAlive, most: int, one: float, other: float, order: list[int], cut: int
) -> None:
    if platform.start_model.loads_late:
        trace = replace(trace, functions=trace.functions.assign(timeout_s=inf))
    warm_up_s, horizon_s = (share * trace.horizon_s for share in sorted((one, other)))
    given = conditions(trace, policy, platform, warm_up_s=warm_up_s, horizon_s=horizon_s, seed=1)
    whole = tallying.tally(trace, given)
    with on_disk(trace) as source, blocks_of(most):
        assert_same_tallies(tallying.tally(source, given), whole)
        shares = [np.sort(np.array(share, np.int64)) for share in (order[:cut], order[cut:])]
        assert_same_tallies(merged([tallying.tally(source, given, share) for share in shares]), whole)


@pytest.mark.parametrize("most", [1, 2, 5, 100])
def test_functions_with_late_calls_only_or_none_at_all(most: int) -> None:
    # a is over before the horizon, b has calls on both sides of it, c only later ones, d none, e one at the horizon
    function = [0, 0, 1, 1, 1, 1, 2, 2, 2, 4]
    arrival_s = [1.0, 2.0, 1.5, 9.0, 11.0, 12.0, 10.5, 11.0, 13.0, 10.0]
    whole = sim.Trace.from_arrays(range(5), [0.0] * 5, 0.0).functions
    trace = Trace.from_arrays(function, arrival_s, 1.5, functions=whole, horizon_s=10.0)
    for horizon_s in (None, 10.2, 0.5, 20.0):
        given = conditions(trace, FixedWindow(3.0), Platform(start_s=0.25), horizon_s=horizon_s)
        expected = tallying.tally(trace, given)
        with on_disk(trace) as source, blocks_of(most):
            assert_same_tallies(tallying.tally(source, given), expected)
            for chosen in ([2, 3], [1, 4], [], [0, 1, 2, 4]):
                places = np.array(chosen, np.int64)
                found = tallying.tally(source, given, places)
                assert found.function.tolist() == chosen
                np.testing.assert_array_equal(found.seconds["busy_s"], expected.seconds["busy_s"][places])
                np.testing.assert_array_equal(found.counts["calls"], expected.counts["calls"][places])


@pytest.mark.parametrize("drawn", [True, False], ids=["ends out of order", "ends in order"])
def test_a_function_of_many_blocks_with_more_instances_than_there_is_room_for(drawn: bool) -> None:
    trace = bursts(36_000, drawn=drawn)
    given = conditions(trace, FixedWindow(20.0), Platform(start_s=0.25), warm_up_s=5.0)
    whole = tallying.tally(trace, given)
    with on_disk(trace, Layout(group_calls=5000)) as source:
        for most in (7001, 50_000):
            with blocks_of(most):
                assert_same_tallies(tallying.tally(source, given), whole)


@pytest.mark.parametrize("policy", [Own(), Clairvoyant(20.0), PingWarmer(5.0, 3.0, 0.5), FixedWindow(7.0)], ids=repr)
def test_what_is_not_plain_is_read_function_by_function(policy: KeepAlive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "PART_CALLS", 100)
    dice = np.random.default_rng(3)
    arrival_s = np.floor(np.sort(dice.random(900)) * 500)
    table = sim.Trace.from_arrays(range(4), [0.0] * 4, 0.0).functions.assign(app=list("xxyy"))
    trace = Trace.from_arrays(dice.integers(0, 4, 900), arrival_s, np.floor(dice.exponential(4, 900)), functions=table)
    for choice in CHOICES[1:4]:
        platform = Platform(start_s=0.5, isolation="app", instance_choice=choice)
        ours, theirs = run(trace, policy, platform, record=True), run(trace, policy, platform, "simpy")
        with on_disk(trace) as source:
            found = run(source, policy, platform)
            given = conditions(trace, policy, platform)
            assert_same_tallies(tallying.tally(source, given), tallying.tally(trace, given))
        assert_same_results(found, ours)
        assert_same_results(found, theirs)


def test_a_streamed_run_is_told_as_any_other() -> None:
    trace = sim.load_trace("traces/default").slice(0, 3600)
    with on_disk(trace, Layout(group_calls=4096)) as source:
        found = run(source, FixedWindow(600.0), sim.load_platform("default"), warm_up_s=60.0)
        assert found.about["percentiles"].startswith("from a histogram")
        assert_same_results(
            found, run(trace, FixedWindow(600.0), sim.load_platform("default"), "simpy", warm_up_s=60.0)
        )
        with pytest.raises(ConfigError, match="not in memory"):
            run(source, FixedWindow(600.0), sim.load_platform("default"), record=True)


def test_a_damaged_file_is_named() -> None:
    with on_disk(bursts(2000, drawn=True)) as source:
        next((source.path / "invocations").glob("*.parquet")).write_bytes(b"nothing of the kind")
        with pytest.raises(TraceError, match="part-"):
            run(source, FixedWindow(20.0), Platform(start_s=0.25))


MEMORY = """
import sim
from tallied import run, source
from sim.workload.counts import Recipe

def megabytes():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

def replayed(calls, arrivals, durations):
    cells = {(m, f): calls for m in range(5) for f in range(4)}
    trace = source(cells, Recipe(arrivals, durations), average_s=[0.1] * 4).draw(0, {})
    return run(trace, sim.policies.FixedWindow(600), sim.Platform(start_s=0.5)).summary["invocations"]

kinds = [("even", "mean"), ("even", "per_minute"), ("uniform", "percentiles")]
for kind in kinds:
    replayed(10, *kind)
before = megabytes()
even, drawn = replayed(10_000_000, "even", "mean"), replayed(50_000, "uniform", "percentiles")
print(even, drawn, megabytes() - before, megabytes())
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")
def test_two_hundred_million_calls_take_the_memory_of_their_minutes() -> None:
    command, folder = [sys.executable, "-c", MEMORY], Path(__file__).parent
    said = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    even, drawn, more_mb, most_mb = (float(number) for number in said.stdout.split())
    assert (even, drawn) == (200_000_000, 1_000_000)
    assert more_mb < 60
    assert most_mb < 400
