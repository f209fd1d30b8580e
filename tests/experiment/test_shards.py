"""A run in shards: the same to the bit however it is cut, on one machine, on Ray, and by files."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.engine.compiled.scenario import Conditions
from sim.experiment.shards import deal
from sim.policies import Clairvoyant, FixedWindow, HybridHistogram
from sim.results.call_sums import Span

pytestmark = pytest.mark.xdist_group("compiled")
ROOT = Path(__file__).parents[2]
FIXED = FixedWindow(600)


def trace() -> sim.Trace:
    return sim.load_trace(ROOT / "traces" / "default").slice(end_s=7200.0)


def assert_same(one: sim.Result, other: sim.Result) -> None:
    pd.testing.assert_series_equal(one.summary, other.summary, check_exact=True)
    pd.testing.assert_frame_equal(one.functions, other.functions, check_exact=True)


@pytest.mark.parametrize("policy", [FIXED, HybridHistogram()], ids=repr)
@pytest.mark.parametrize("isolation", ["function", "app"])
def test_any_number_of_shards_gives_the_same(policy: sim.policies.KeepAlive, isolation: str) -> None:
    platform = sim.load_platform("default", isolation=isolation)
    whole = sim.simulate_in_shards(trace(), policy, platform, shards=1, warm_up_s=600.0)
    for shards in (2, 7):
        assert_same(whole, sim.simulate_in_shards(trace(), policy, platform, shards=shards, warm_up_s=600.0))


def test_it_is_what_a_run_gives() -> None:
    run = sim.simulate(trace(), FIXED)
    cut = sim.simulate_in_shards(trace(), FIXED, shards=5)
    percentiles = [name for name in run.summary.index if name.startswith("latency_p")]
    for name in percentiles:
        assert cut.summary[name] == pytest.approx(run.summary[name], rel=1 / 256)
    pd.testing.assert_series_equal(run.summary.drop(percentiles), cut.summary.drop(percentiles), rtol=1e-9)
    exact = [name for name in run.functions if name != "user_cost_usd"]
    pd.testing.assert_frame_equal(run.functions[exact], cut.functions[exact], check_exact=True)
    assert cut.about["percentiles"] == "from a histogram, within 0.4 %"


def test_processes_of_this_machine_give_the_same() -> None:
    assert_same(
        sim.simulate_in_shards(trace(), FIXED, shards=3),
        sim.simulate_in_shards(trace(), FIXED, shards=3, executor=sim.Local(2)),
    )


RAY = """
import pandas as pd
import sim
trace = sim.load_trace({folder!r}).slice(end_s=7200.0)
policy = sim.policies.FixedWindow(600)
here = sim.simulate_in_shards(trace, policy, shards=4)
there = sim.simulate_in_shards(trace, policy, shards=4, executor=sim.Ray(2))
pd.testing.assert_series_equal(here.summary, there.summary, check_exact=True)
pd.testing.assert_frame_equal(here.functions, there.functions, check_exact=True)
print(int(there.summary["invocations"]))
"""


def test_two_workers_of_ray_give_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAY.format(folder=str(ROOT / "traces" / "default"))],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == len(trace())


# By files


def test_shards_of_machines_that_know_nothing_of_each_other(tmp_path: Path) -> None:
    files = [
        sim.simulate_shard(trace(), FIXED, shard=shard, shards=3).save(tmp_path / f"{shard}.parquet")
        for shard in (2, 0, 1)
    ]
    assert_same(sim.merge_shards(files), sim.simulate_in_shards(trace(), FIXED, shards=1))


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    part = sim.simulate_shard(trace(), FIXED, shard=1, shards=3)
    assert (
        repr(part)
        == f"<PartialResult: {len(part.functions)} of 400 functions, {part.tally.counts['calls'].sum():,} calls>"
    )
    path = part.save(tmp_path / "1.parquet")
    first = path.read_bytes()
    assert part.save(path).read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.parquet"]


def test_what_cannot_be_put_together(tmp_path: Path) -> None:
    one, two = (sim.simulate_shard(trace(), FIXED, shard=shard, shards=2) for shard in (0, 1))
    other = sim.simulate_shard(trace(), FixedWindow(60), shard=1, shards=2)
    count = len(one.functions)
    for parts, message in (
        ([], "there are no parts"),
        ([one], f"the parts have {count} of 400 functions$"),
        ([one, two, one], f"have 400 of 400 functions, and {count} of them more than once"),
        ([one, other], "different runs: policy differ"),
        ([one, replace(two, functions_in_all=401)], "different runs: functions differ"),
    ):
        with pytest.raises(sim.ConfigError, match=message):
            sim.merge_shards(parts)


def test_files_that_are_no_shards(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_bytes(b"PAR1 and then nothing")
    whole = sim.simulate_shard(trace(), FIXED, shard=0, shards=2).save(tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-100])
    pd.DataFrame({"place": [0]}).to_parquet(tmp_path / "other")
    for name, message in (
        ("missing", "missing cannot be read"), ("damaged", "no part of a run, or damaged"),
        ("cut", "no part of a run, or damaged"), ("other", "no part of a run, or damaged"),
    ):  # fmt: skip
        with pytest.raises(sim.ConfigError, match=message):
            sim.merge_shards([tmp_path / name])


def test_there_is_no_such_shard() -> None:
    with pytest.raises(sim.ConfigError, match="there is no shard 2 among 2, counted from 0"):
        sim.simulate_shard(trace(), FIXED, shard=2, shards=2)
    with pytest.raises(sim.ConfigError, match="shards must be a whole number >= 1, not 0"):
        sim.simulate_in_shards(trace(), FIXED, shards=0)


def test_what_the_compiled_engine_does_not_cover_is_refused() -> None:
    with pytest.raises(sim.ConfigError, match="does not cover binding=late"):
        sim.simulate_in_shards(trace(), FIXED, sim.load_platform("default", binding="late"), shards=2)


class Omniscient(FixedWindow):
    """Looks at the trace as a whole."""

    needs_future = True


def test_a_policy_that_looks_at_the_whole_trace_is_not_shown_a_part() -> None:
    sim.simulate_in_shards(trace(), Omniscient(60), shards=1)
    with pytest.raises(sim.ConfigError, match="answers for all calls of a trace, which must then be in memory"):
        sim.simulate_in_shards(trace(), Omniscient(60), shards=2)
    assert_same(
        sim.simulate_in_shards(trace(), Clairvoyant(60), shards=1),
        sim.simulate_in_shards(trace(), Clairvoyant(60), shards=3),
    )


# Dealing


@given(calls=st.lists(st.integers(0, 50), min_size=1, max_size=30), apps=st.integers(1, 6), shards=st.integers(1, 5))
def test_functions_are_dealt_evenly_and_apps_stay_whole(calls: list[int], apps: int, shards: int) -> None:
    function = np.repeat(np.arange(len(calls)), calls)
    table = pd.DataFrame(
        {"name": [f"f{i}" for i in range(len(calls))], "app": [f"a{i % apps}" for i in range(len(calls))]}
    )
    made = sim.Trace.from_arrays(function, np.arange(function.size, dtype=float), 1.0, functions=table)
    for isolation in ("function", "app"):
        conditions = Conditions(
            policy=FIXED, platform=sim.Platform(start_s=0.0, isolation=isolation), span=Span(0.0, made.horizon_s)
        )
        dealt = deal(made, conditions, shards)
        assert len(dealt) <= shards
        assert sorted(np.concatenate(dealt).tolist()) == list(range(len(calls)))
        assert all((np.diff(part) > 0).all() for part in dealt)
        if isolation == "app":
            owners = {app: {i for i, part in enumerate(dealt) if app in part % apps} for app in range(apps)}
            assert all(len(owner) <= 1 for owner in owners.values())
        else:
            loads = [np.array(calls)[part].sum() for part in dealt]
            assert max(loads) <= sum(calls) / shards + max(calls) + len(calls) / shards
