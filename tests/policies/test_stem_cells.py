"""Stem cells: the reactive rule by hand, a log of ten calls, a brute-force twin, and what must hold for any trace."""

import sys
from dataclasses import dataclass, replace
from functools import cache
from math import inf, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import Plan

import sim
from sim.core.distributions import Exponential, LogNormal
from sim.core.errors import ConfigError
from sim.engine import reference
from sim.platform.startup import PhasedStart
from sim.platform.stem_cells import classes
from sim.policies import FixedWindow, PingWarmer, StemCells
from sim.policies.keepalive.demands import Floor, GenericPools
from sim.results.columns import START_KINDS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from small import UNITS, Digits

PHASES = PhasedStart({"create": 1.0, "download": 0.25, "prepare": 0.5, "runtime": 0.5})
"""2 s of a cell's, and a quarter that is left when one is taken."""
OWN_S, WHOLE_S = 0.25, 2.25


def table(rows: int = 1, **columns: object) -> pd.DataFrame:
    named = pd.DataFrame({"name": [f"f{i}" for i in range(rows)], "memory_mb": 1024.0}).assign(**columns)
    return sim.Trace.from_arrays([0], [0.0], 0.0, functions=named).functions


def trace(*arrivals_s: float, function: object = 0, horizon_s: float | None = None, **columns: object) -> sim.Trace:
    """Calls of an eighth of a second."""
    f = np.broadcast_to(np.array(function, np.int32), len(arrivals_s)).copy()
    functions = table(int(f.max()) + 1, **columns)
    return sim.Trace.from_arrays(f, arrivals_s, 0.125, functions=functions, horizon_s=horizon_s)


def run(calls: sim.Trace, policy: sim.policies.KeepAlive, seed: int = 0, **platform: object) -> sim.Result:
    return sim.simulate(calls, policy, sim.Platform(**{"start": PHASES} | platform), seed=seed)


def waits_s(result: sim.Result) -> list[float]:
    return (result.invocations["start_s"] - result.invocations["arrival_s"]).tolist()


# The rule


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        # What OpenWhisk ships: one cell a cold start, from 1 to 4.
        ({}, {0: 1, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 100: 4}),
        ({"min_count": 0}, {0: 0, 1: 1, 4: 4, 5: 4}),
        ({"min_count": 2, "max_count": 2}, {0: 2, 1: 2, 9: 2}),
        # Every whole three ask for two.
        ({"threshold": 3, "increment": 2, "max_count": 5}, {0: 1, 2: 1, 3: 2, 5: 2, 6: 4, 8: 4, 9: 5}),
        ({"increment": 0}, {0: 1, 50: 1}),
    ],
)
def test_the_reactive_rule(rule: dict[str, int], counts: dict[int, int]) -> None:
    pools = StemCells(**rule).generic_pools()
    assert {cold: pools.wanted(cold) for cold in counts} == counts


# Ten calls

TEN = trace(1.0, 2.0, 3.0, 4.0, 5.0, 5.5, 5.75, 31.0, 33.0, 100.0)
OPTIONS = {"window_s": 0.0, "initial_count": 2, "min_count": 1, "max_count": 3, "ttl_s": 10.0, "check_s": 30.0}


def test_ten_calls_and_ten_cells() -> None:
    """Worked out by hand; every call needs a start, because windows are 0."""
    result = run(TEN, StemCells(**OPTIONS))
    assert result.invocations["start_kind"].eq("cold").all()
    assert waits_s(result) == [
        OWN_S,  # cell 0; one is left, which is enough
        OWN_S,  # cell 1; cell 2 is started instead
        WHOLE_S,  # that is not ready before 4 s
        OWN_S,  # at this very instant it is; cell 3 is started
        WHOLE_S,
        WHOLE_S,
        WHOLE_S,  # four cold starts by the check of 30 s: three cells, the most
        WHOLE_S,  # but they are ready at 32 s
        OWN_S,  # cell 4, the oldest of the three
        OWN_S,  # cell 8
    ]
    cells = result.stem_cells
    assert list(cells.drop(columns=["runtime", "memory_mb"]).itertuples(index=False, name=None)) == [
        (0.0, 0.0, 1.0, True),
        (0.0, 0.0, 2.0, True),
        (2.0, 4.0, 4.0, True),
        (4.0, 6.0, 30.0, False),  # its 10 s are over at 16 s; the check finds it
        (30.0, 32.0, 33.0, True),
        (30.0, 32.0, 60.0, False),
        (30.0, 32.0, 60.0, False),
        (60.0, 62.0, 90.0, False),  # for one cold start
        (90.0, 92.0, 100.0, True),  # for none: the least
        (100.0, 102.0, inf, False),
    ]
    assert set(cells["runtime"]) == {"python3.12"}
    assert set(cells["memory_mb"]) == {1024.0}
    starts = result.starts.set_index("row")
    assert starts.loc[0].tolist() == [0.0, 0.25, 0.0, 0.0, 1.0]  # the package is fetched all the same
    assert starts.loc[2].tolist() == [1.0, 0.25, 0.5, 0.5, 1.0]


def test_cells_are_memory_that_is_wasted_and_nobodys() -> None:
    """Of 1 GB each, in 100 s: 7 start for 2 s, ready for 1, 2, 0, 24, 1, 28, 28, 28 and 8 s."""
    result = run(TEN, StemCells(**OPTIONS))
    summary, functions = result.summary, result.functions
    assert functions["starting_s"].tolist() == [4 * OWN_S + 5 * WHOLE_S]  # the last start lies beyond the horizon
    assert functions["idle_s"].tolist() == [0.0]
    assert summary["stem_cell_starts"] == 5
    assert summary["instance_starts"] == functions["starts"].sum() == 10
    assert summary["starting_gb_s"] == 12.25 + 14
    assert summary["idle_gb_s"] == 120
    assert summary["wasted_gb_s"] == 134
    assert summary["mean_idle_instances"] == 1.2
    busy_s = functions["busy_s"].sum()
    assert summary["mean_instances"] == pytest.approx((12.25 + busy_s + 134) / 100)
    assert summary["provider_cost_usd"] == pytest.approx(
        (12.25 + busy_s + 134) * sim.load_provider().usd_per_gb_s, rel=1e-12
    )
    alone = run(TEN, FixedWindow(0.0))
    assert summary["user_cost_usd"] < alone.summary["user_cost_usd"]  # the book bills starts, those of cells to nobody
    assert len(alone.stem_cells) == alone.summary["stem_cell_starts"] == 0


def test_before_the_warm_up_is_over_cells_are_taken_and_not_counted() -> None:
    platform, policy = sim.Platform(start=PHASES), StemCells(**OPTIONS)
    summary = sim.simulate(TEN, policy, platform, warm_up_s=4.0, horizon_s=61.0).summary
    assert summary["stem_cell_starts"] == 2  # of calls 3 and 8; call 9 does not come
    assert summary["idle_gb_s"] == 24 + 1 + 28 + 28


def test_both_ways_through_the_platform_are_one() -> None:
    short, slotted = (run(TEN, StemCells(**OPTIONS), max_wait_s=wait_s) for wait_s in (inf, 1000.0))
    for name in ("invocations", "instances", "starts", "stem_cells"):
        pd.testing.assert_frame_equal(getattr(short, name), getattr(slotted, name))
    pd.testing.assert_series_equal(short.summary, slotted.summary)


# One rule at a time


@pytest.mark.parametrize(("ttl_s", "ended_s", "wait_s"), [(29.0, 30.0, WHOLE_S), (30.0, 31.0, OWN_S)])
def test_a_cell_may_be_taken_until_a_check_after_its_time(ttl_s: float, ended_s: float, wait_s: float) -> None:
    """Taken at 25 s as at any time before the check; at 30 s one that lives 30 s still lives."""
    policy = StemCells(window_s=0.0, initial_count=2, min_count=0, ttl_s=ttl_s, check_s=30.0)
    result = run(trace(25.0, 31.0), policy)
    assert waits_s(result) == [OWN_S, wait_s]
    assert result.stem_cells["ended_s"].tolist() == [25.0, ended_s]


def test_a_cell_that_became_ready_earlier_goes_first_whatever_its_number() -> None:
    """Cells of one class start at 10 s and at 10.5 s; the second is ready first, since its start is drawn shorter."""
    start = PhasedStart({"create": Exponential(20.0), "network": 1.0})
    calls = trace(10.0, 10.5, 200.0, horizon_s=200.0)
    policy = StemCells(window_s=0.0, min_count=2, ttl_s=1000.0, check_s=1000.0)
    crossed = 0
    for seed in range(20):
        cells = sim.simulate(calls, policy, sim.Platform(start=start), seed=seed).stem_cells
        later = cells[(cells["created_s"] > 0) & (cells["created_s"] < 200)]
        first = later.sort_values("ready_s").index[0]
        assert cells["taken"].tolist()[:2] == [True, True]
        assert later["taken"].sum() == 1
        assert later["taken"].idxmax() == first
        crossed += first != later.index[0]
    assert 0 < crossed < 20


def test_a_check_removes_a_hundred_at_most_those_that_expire_first() -> None:
    calls = trace(0.0, 35.0, function=[0, 1], memory_mb=[128.0, 256.0], horizon_s=35.0)
    policy = StemCells(initial_count=80, min_count=0, ttl_s=1.0, check_s=10.0)
    cells = run(calls, policy).stem_cells
    assert cells["taken"].sum() == 1
    ended_s = cells["ended_s"][~cells["taken"]]
    assert ended_s.value_counts().to_dict() == {10.0: 100, 20.0: 59}
    assert (ended_s[:79] == 10.0).all()  # all of them expire at once: the oldest numbers go first


def test_of_two_classes_the_cells_that_expire_first_are_removed_first() -> None:
    """One taken at 1 s is replaced by one that is ready at 3 s: of the 160 that are over at 10 s it is the last."""
    calls = trace(1.0, 25.0, function=[0, 1], memory_mb=[128.0, 256.0], horizon_s=25.0)
    policy = StemCells(initial_count=80, min_count=80, max_count=80, ttl_s=1.0, check_s=10.0)
    cells = run(calls, policy).stem_cells
    replacement = cells[cells["created_s"] == 1.0]
    assert replacement[["memory_mb", "ready_s", "ended_s"]].to_numpy().tolist() == [[128.0, 3.0, 20.0]]
    assert (cells["ended_s"] == 10.0).sum() == (cells["ended_s"] == 20.0).sum() == 100


def test_checks_end_with_the_horizon() -> None:
    policy = StemCells(initial_count=0, min_count=1, check_s=30.0)
    for horizon_s, created_s in ((89.0, [30.0, 60.0]), (90.0, [30.0, 60.0, 90.0])):
        cells = run(trace(0.0, horizon_s=horizon_s), replace(policy, ttl_s=5.0)).stem_cells
        assert cells["created_s"].tolist() == created_s


def test_a_maximum_life_counts_from_when_the_cell_is_taken() -> None:
    result = run(trace(500.0, 504.0), StemCells(), max_lifetime_s=5.0)
    assert result.invocations["start_kind"].tolist() == ["cold", "warm"]
    assert result.instances["created_s"].tolist() == [500.0]
    assert result.instances["ended_s"].tolist() == [505.0]


def test_a_constant_start_has_nothing_generic() -> None:
    with_cells, without = (sim.simulate(TEN, p, sim.Platform(start_s=2.0)) for p in (StemCells(), FixedWindow(600)))
    pd.testing.assert_frame_equal(with_cells.invocations, without.invocations)
    assert with_cells.summary["stem_cell_starts"] > 0
    assert (with_cells.stem_cells["created_s"] == with_cells.stem_cells["ready_s"]).all()


def test_classes_are_runtimes_and_rounded_memories_and_images_have_none() -> None:
    functions = table(
        6, memory_mb=[128.0, 100.0, 128.1, 100.0, 100.0, 0.1], runtime=["a", "a", "a", "b", "a", "a"],
        package_kind=["zip", "zip", "zip", "zip", "image", "zip"], vpc=True, package_mb=99.0,
    )  # fmt: skip
    class_of, made = classes(functions, 128.0)
    assert class_of == [0, 0, 1, 2, -1, 0]
    assert made[["runtime", "memory_mb"]].to_numpy().tolist() == [["a", 128.0], ["a", 256.0], ["b", 128.0]]
    assert made[["package_mb", "vpc", "package_kind"]].drop_duplicates().to_numpy().tolist() == [[0.0, False, "zip"]]
    class_of, made = classes(functions, 0.0)
    assert class_of == [0, 1, 2, 3, -1, 4]
    assert made["memory_mb"].tolist() == [128.0, 100.0, 128.1, 100.0, 0.1]


def test_an_image_takes_no_cell_and_counts_for_none() -> None:
    calls = trace(1.0, 2.0, 40.0, function=[0, 1, 0], package_kind=["image", "zip"])
    result = run(calls, StemCells(**OPTIONS | {"initial_count": 1}))
    assert waits_s(result) == [WHOLE_S, OWN_S, WHOLE_S]
    assert result.summary["stem_cell_starts"] == 1


def test_an_apps_instance_is_of_the_class_of_its_memory() -> None:
    calls = trace(1.0, 2.0, function=[0, 1], app="x", memory_mb=[100.0, 200.0])
    cells = run(calls, StemCells(), isolation="app").stem_cells
    assert cells["memory_mb"].tolist() == [384.0, 384.0]
    assert cells["taken"].sum() == 1


def test_cells_do_not_count_towards_caps_until_they_are_taken() -> None:
    result = run(trace(1.0, 1.5, 2.0), StemCells(initial_count=9), max_instances=2, queue_limit=inf)
    assert waits_s(result) == [OWN_S, 0.0, 0.0]
    assert result.invocations["outcome"].eq("ok").all()


# Starts that no call asks for


@dataclass(frozen=True)
class Rising(StemCells):
    """A policy of the tests: generic cells, and from 10 s on one instance that is held."""

    def floor(self) -> Floor:
        return Floor(((0.0, 0), (10.0, 1)))


@dataclass(frozen=True)
class Prewarming(Plan):
    """A policy of the tests: generic cells, and prewarmed instances."""

    def generic_pools(self) -> GenericPools:
        return StemCells().generic_pools()


@dataclass(frozen=True)
class Pinging(PingWarmer):
    """A policy of the tests: generic cells, and pings."""

    def generic_pools(self) -> GenericPools:
        return StemCells().generic_pools()


def test_a_provisioned_instance_takes_no_cell_and_is_no_cold_start() -> None:
    result = run(trace(700.0), Rising(initial_count=1, min_count=1, max_count=4))
    assert result.instances[["created_s", "ready_s"]].to_numpy().tolist() == [[10.0, 10.0 + WHOLE_S]]
    cells = result.stem_cells
    assert cells[["created_s", "ended_s"]].to_numpy().tolist() == [[0.0, 600.0], [600.0, inf]]
    assert not cells["taken"].any()


def test_a_prewarm_takes_a_cell() -> None:
    result = run(trace(1.0, 100.0), Prewarming(unload_after_s=0.0, prewarm_after_s=50.0, keep_s=100.0))
    assert result.invocations["start_kind"].tolist() == ["cold", "warm"]
    instances = result.instances
    assert (instances["ready_s"] - instances["created_s"]).tolist() == [OWN_S] * 3
    assert result.summary["stem_cell_starts"] == 2  # the third after the horizon


def test_a_ping_takes_a_cell() -> None:
    result = run(trace(10.0), Pinging(period_s=300.0, ping_s=0.0))
    assert result.invocations["start_kind"].tolist() == ["warm"]
    assert result.instances["ready_s"].tolist() == [OWN_S]
    assert result.stem_cells["taken"].tolist() == [True, False]


# Randomness


def test_a_failed_attempt_takes_the_cell_with_it_and_the_next_starts_from_nothing() -> None:
    calls = trace(*[10.0 * k for k in range(200)])
    options = {"start_failure_probability": 0.4, "start_attempts": 3}
    all_cells = StemCells(window_s=0.0, initial_count=300, ttl_s=inf)
    ours, theirs = run(calls, all_cells, **options).starts, run(calls, FixedWindow(0.0), **options).starts
    failures = (theirs["failed_s"] / WHOLE_S).round().astype(int)
    assert set(failures) == {0, 1, 2, 3}
    expected = [0.0 if n == 0 else OWN_S + (n - 1) * WHOLE_S for n in failures]
    assert ours["failed_s"].tolist() == expected
    generic = ["create_s", "prepare_s", "runtime_s"]
    assert (ours[generic].sum(axis=1) == np.where(failures == 0, 0.0, theirs[generic].sum(axis=1))).all()
    assert ours["download_s"].equals(theirs["download_s"])


RANDOM = PhasedStart({name: Exponential(0.7) for name in ("schedule", "create", "download", "network", "runtime")})


def test_the_phases_that_are_left_are_those_that_the_start_would_have_had() -> None:
    calls = trace(*[1.0 * k for k in range(100)])
    ours, theirs = (run(calls, p, start=RANDOM, seed=3) for p in (StemCells(0.0, check_s=20.0), FixedWindow(0.0)))
    taken = (ours.starts["create_s"] == 0).to_numpy()
    assert 20 < taken.sum() < 80
    assert ours.summary["stem_cell_starts"] == taken.sum()
    for phase in ("schedule_s", "download_s", "network_s"):
        assert ours.starts[phase].equals(theirs.starts[phase])
    for phase in ("create_s", "runtime_s"):
        assert np.array_equal(ours.starts[phase], np.where(taken, 0.0, theirs.starts[phase]))


def test_a_cells_own_start_depends_on_seed_replication_and_class_alone() -> None:
    def starts_s(calls: sim.Trace, seed: int = 0, replication: int = 0) -> list[float]:
        cells = sim.simulate(
            calls, StemCells(initial_count=0, min_count=2), sim.Platform(start=RANDOM), seed=seed,
            replication=replication,
        ).stem_cells  # fmt: skip
        small = cells[cells["memory_mb"] == 128.0]
        return (small["ready_s"] - small["created_s"]).tolist()

    alone = trace(1.0, 2.0, memory_mb=128.0, horizon_s=600.0)
    among = trace(1.0, 2.0, function=[0, 1], memory_mb=[4096.0, 65.0], horizon_s=600.0)
    assert len(set(starts_s(alone))) == 2
    assert starts_s(alone) == starts_s(among)
    assert not set(starts_s(alone)) & set(starts_s(alone, seed=1))
    assert not set(starts_s(alone)) & set(starts_s(alone, replication=1))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=1, max_size=25), st.integers(0, 2**32))
def test_with_cells_enough_every_start_is_what_specialising_takes(rows: list[tuple[int, int]], seed: int) -> None:
    """Bit for bit a platform whose starts have the other phases only."""
    rows.sort(key=lambda row: row[1])
    calls = trace(*[row[1] / 7 for row in rows], function=[row[0] for row in rows])
    many = len(rows) + 1
    cells = StemCells(1.0, initial_count=many, min_count=many, max_count=many, ttl_s=inf)
    only = PhasedStart({name: part for name, part in RANDOM.phases.items() if name not in cells.generic_phases})
    ours, theirs = run(calls, cells, start=RANDOM, seed=seed), run(calls, FixedWindow(1.0), start=only, seed=seed)
    pd.testing.assert_frame_equal(ours.invocations, theirs.invocations)
    pd.testing.assert_frame_equal(ours.instances, theirs.instances)
    assert ours.stem_cells["taken"].sum() == len(ours.starts)


# The twin


@dataclass(frozen=True)
class Case:
    """A small case: three functions, the last two of one class."""

    calls: tuple[tuple[float, int, float], ...]
    phase_s: tuple[float, float, float, float]
    policy: StemCells
    horizon_s: float

    @property
    def trace(self) -> sim.Trace:
        arrival_s, function, duration_s = zip(*self.calls, strict=True)
        f, a, x = np.array(function, np.int32), np.array(arrival_s), np.array(duration_s)
        return sim.Trace(f, a, x, three_functions(), self.horizon_s)


@cache
def three_functions() -> pd.DataFrame:
    return table(3, memory_mb=[1000.0, 200.0, 129.0])


CLASS_OF = (0, 1, 1)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    digits = Digits(draw(Digits.NUMBERS))
    unit = digits.choose(UNITS)
    spans = [0.0, unit, 2 * unit, 3 * unit]
    phase_s = tuple(digits.choose(spans) for _ in range(4))
    least = digits.choose([0, 1, 2])
    policy = StemCells(
        window_s=digits.choose([0.0, unit, 5 * unit]), initial_count=digits.choose([0, 1, 2, 4]), min_count=least,
        max_count=least + digits.choose([0, 1, 3]), ttl_s=draw(st.sampled_from([0.0, unit, 4 * unit, inf])),
        threshold=draw(st.sampled_from([1, 2])), increment=draw(st.sampled_from([1, 2])),
        check_s=draw(st.sampled_from([2, 3, 5])) * unit,
    )  # fmt: skip
    rows = []
    tick = 0
    for number in draw(st.lists(Digits.NUMBERS, min_size=1, max_size=20)):
        digits = Digits(number)
        tick += digits.choose([0, 0, 1, 2, 4])
        rows.append((tick * unit, digits.choose([0, 1, 1, 2]), digits.choose(spans)))
    return Case(tuple(rows), phase_s, policy, (tick + digits.choose([0, 6])) * unit)


Calls = list[tuple[str, float, int]]
Cells = list[tuple[int, float, float, float, bool]]


def twin(case: Case) -> tuple[Calls, Cells]:
    """Kind, start and instance of every call, and class, creation, readiness, end and taking of every cell.

    It keeps no calendar: it goes through arrivals and checks, and looks at all instances and cells there ever were.
    """
    policy = case.policy
    schedule_s, create_s, download_s, runtime_s = case.phase_s
    cells = [
        {"class": of, "created": 0.0, "ready": 0.0, "ended": inf, "taken": False}
        for of in (0, 1) for _ in range(policy.initial_count)
    ]  # fmt: skip
    used: list[tuple[int, float, int, int]] = []  # function, end of the last call, its row, name
    served: Calls = []
    colds = [0, 0]

    def fill(of: int, wanted: int, now_s: float) -> None:
        there = sum(cell["class"] == of and cell["ended"] == inf for cell in cells)
        ready_s = now_s + (create_s + runtime_s)
        cells.extend(
            {"class": of, "created": now_s, "ready": ready_s, "ended": inf, "taken": False}
            for _ in range(wanted - there)
        )

    def start_up_s(of: int, now_s: float) -> float:
        ready = [c for c in cells if c["class"] == of and c["ready"] <= now_s and c["ended"] == inf]
        if not ready:
            colds[of] += 1
            return schedule_s + create_s + download_s + runtime_s
        cell = min(ready, key=lambda c: c["ready"])  # the first of several: the oldest
        cell |= {"ended": now_s, "taken": True}
        fill(of, policy.min_count, now_s)
        return schedule_s + download_s

    checks = []
    while (len(checks) + 1) * policy.check_s <= case.horizon_s:
        checks.append(((len(checks) + 1) * policy.check_s, 1, len(checks)))
    arrivals = [(call[0], 0, row) for row, call in enumerate(case.calls)]
    for now_s, is_check, row in sorted(arrivals + checks):
        if is_check:
            for cell in cells:
                if cell["ended"] == inf and cell["ready"] + policy.ttl_s < now_s:
                    cell["ended"] = now_s
            for of in (0, 1):
                whole = colds[of] // policy.threshold * policy.increment
                fill(of, min(policy.max_count, max(policy.min_count, whole)), now_s)
                colds[of] = 0
            continue
        _, function, duration_s = case.calls[row]
        free = [i for i in used if i[0] == function and i[1] <= now_s <= i[1] + policy.window_s]
        if free:
            instance = max(free, key=lambda i: i[1:3])
            used.remove(instance)
            name, start_s = instance[3], now_s
        else:
            name, start_s = row, now_s + start_up_s(CLASS_OF[function], now_s)
        served.append(("warm" if free else "cold", start_s, name))
        used.append((function, start_s + duration_s, row, name))
    return served, [tuple(cell.values()) for cell in cells]


@examples(300)
@given(cases())
def test_calls_and_cells_are_those_of_the_twin(case: Case) -> None:
    names = ("schedule", "create", "download", "runtime")
    platform = sim.Platform(start=PhasedStart(dict(zip(names, case.phase_s, strict=True))))
    columns = reference.run(case.trace, case.policy, platform, horizon_s=case.horizon_s)
    served, cells = twin(case)
    r, c = columns.requests, columns.cells
    kinds = [START_KINDS[kind] for kind in r.start_kind.tolist()]
    assert list(zip(kinds, r.start_s.tolist(), r.instance.tolist(), strict=True)) == served
    made = (c.kind, c.created_s, c.ready_s, c.ended_s, c.taken)
    assert list(zip(*(column.tolist() for column in made), strict=True)) == cells
    most = max(case.policy.initial_count, case.policy.max_count)
    for of in (0, 1):
        lives = [(created_s, ended_s) for kind, created_s, _, ended_s, _ in cells if kind == of]
        assert all(sum(a <= at_s < b for a, b in lives) <= most for at_s, _ in lives)


@settings(max_examples=100)
@given(cases(), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.5, 1.0]))
def test_memory_time_is_that_of_functions_and_of_cells(case: Case, warm_up: float, horizon: float) -> None:
    span = (warm_up * horizon * case.horizon_s, horizon * case.horizon_s)
    names = ("schedule", "create", "download", "runtime")
    platform = sim.Platform(start=PhasedStart(dict(zip(names, case.phase_s, strict=True))))
    result = sim.simulate(case.trace, case.policy, platform, warm_up_s=span[0], horizon_s=span[1])
    functions, cells, summary = result.functions, result.stem_cells, result.summary

    def inside_s(begin: str, end: str) -> pd.Series:
        return (cells[end].clip(*span) - cells[begin].clip(*span)).astype(float)

    own_gb, cell_gb = functions["memory_mb"] / 1024, cells["memory_mb"] / 1024
    starting = (inside_s("created_s", "ready_s") * cell_gb).sum()
    ready = (inside_s("ready_s", "ended_s") * cell_gb).sum()
    close = {"rel": 1e-9, "abs": 1e-9}
    assert summary["starting_gb_s"] == pytest.approx((functions["starting_s"] * own_gb).sum() + starting, **close)
    assert summary["idle_gb_s"] == pytest.approx((functions["idle_s"] * own_gb).sum() + ready, **close)
    assert summary["wasted_gb_s"] == pytest.approx(summary["idle_gb_s"] + starting, **close)
    taken_s = cells["ended_s"][cells["taken"]]
    assert summary["stem_cell_starts"] == taken_s.between(*span).sum()
    lives_s = sum(functions[f"{state}_s"].sum() for state in ("starting", "busy", "idle"))
    lives_s += inside_s("created_s", "ended_s").sum()
    mean = lives_s / (span[1] - span[0]) if span[1] > span[0] else nan
    assert summary["mean_instances"] == pytest.approx(mean, nan_ok=True, **close)


# What is refused


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"initial_count": -1}, "initial_count"),
        ({"min_count": 0.5}, "min_count"),
        ({"min_count": 5}, "max_count"),
        ({"threshold": 0}, "threshold"),
        ({"increment": -1}, "increment"),
        ({"ttl_s": -1.0}, "ttl_s"),
        ({"check_s": 0.0}, "check_s"),
        ({"check_s": nan}, "check_s"),
        ({"memory_step_mb": inf}, "memory_step_mb"),
        ({"window_s": -1.0}, "window_s"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StemCells(**parameters)  # type: ignore[arg-type]


def test_a_phase_that_there_is_not_is_refused_and_one_that_the_model_leaves_out_is_not() -> None:
    with pytest.raises(ConfigError, match="no phase boot; it has schedule"):
        run(TEN, StemCells(generic_phases=("create", "boot")))
    only = PhasedStart({"create": 1.0, "download": LogNormal(0.2, 1.0)})
    assert run(TEN, StemCells(), start=only).summary["stem_cell_starts"] > 0
