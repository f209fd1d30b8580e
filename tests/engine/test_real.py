"""Real traffic: the samples' calls function by function, and cold starts as the brute-force twin counts them."""

import csv
from functools import cache
from math import inf
from pathlib import Path

import golden
import numpy as np
import pytest

import sim
from sim.policies import Clairvoyant, FixedWindow

pytestmark = pytest.mark.xdist_group("azure2019")  # one process loads the traces and keeps them

# Window in seconds: cold starts with arrivals "even", durations "mean" and starts that take no time. Made once, with
# nothing of the package, by: python tests/engine/golden.py ../shared/traces/azure2019_100f_8h (then 500f).
COLD_100F = {0.0: 339657, 60.0: 4371, 120.0: 3085, 600.0: 552, 3600.0: 156, inf: 121}
COLD_500F = {0.0: 3037902, 60.0: 20577, 120.0: 15261, 600.0: 3068, 3600.0: 942, inf: 695}


@cache
def load(folder: Path) -> sim.Trace:
    return sim.load_trace(folder, format="azure2019", arrivals="even", durations="mean")


def cold_starts(trace: sim.Trace, policy: sim.policies.KeepAlive) -> float:
    platform = sim.load_platform("constant_start", start_s=0.0)
    return sim.simulate(trace, policy, platform=platform, record=False).summary["cold_starts"]


@pytest.mark.parametrize("name", ["azure2019_100f_8h", "azure2019_500f_8h"])
def test_every_call_of_the_file_is_in_the_trace(shared: Path, name: str) -> None:
    folder = shared / "traces" / name
    with (folder / "invocations.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    in_file = {(row[0], row[1], row[2]): sum(int(k) for k in row[4:]) for row in rows}
    trace = load(folder)
    table = trace.functions
    names = zip(table["owner"], table["app"], table["name"], strict=True)
    assert dict(zip(names, trace.calls_per_function.tolist(), strict=True)) == in_file
    assert trace.horizon_s == 480 * 60.0
    assert len(trace) == (COLD_500F if "500f" in name else COLD_100F)[0.0]  # none overlaps another's end: all are cold


@pytest.mark.parametrize("window_s", COLD_100F)
def test_golden_cold_starts_of_100_functions(shared: Path, window_s: float) -> None:
    trace = load(shared / "traces" / "azure2019_100f_8h")
    assert cold_starts(trace, FixedWindow(window_s)) == COLD_100F[window_s]


@pytest.mark.parametrize("window_s", [60.0, 600.0])
def test_golden_cold_starts_of_500_functions(shared: Path, window_s: float) -> None:
    trace = load(shared / "traces" / "azure2019_500f_8h")
    assert cold_starts(trace, FixedWindow(window_s)) == COLD_500F[window_s]


def test_clairvoyant_has_the_cold_starts_of_the_window_of_one_start(shared: Path) -> None:
    trace = load(shared / "traces" / "azure2019_100f_8h")
    platform = sim.load_platform("constant_start", start_s=0.0)
    ours = sim.simulate(trace, Clairvoyant(600.0), platform=platform)
    theirs = sim.simulate(trace, FixedWindow(600.0), platform=platform)
    assert ours.summary["cold_starts"] == COLD_100F[600.0]
    assert ours.invocations is not None
    assert theirs.invocations is not None
    assert np.array_equal(ours.invocations["start_kind"], theirs.invocations["start_kind"])
    assert ours.summary["wasted_gb_s"] < theirs.summary["wasted_gb_s"]


def test_the_twin_still_counts_what_the_constants_say(shared: Path) -> None:
    functions = golden.functions(shared / "traces" / "azure2019_100f_8h")
    assert sum(golden.cold_starts(counts, duration_s, 600.0) for counts, duration_s in functions) == COLD_100F[600.0]
