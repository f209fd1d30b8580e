"""Stem cells: the reactive rule by hand, a log of ten calls, one rule at a time, and what is refused."""

from dataclasses import dataclass, replace
from math import inf, nan

import pandas as pd
import pytest
from plans import Plan
from stem_cell_runs import OWN_S, PHASES, WHOLE_S, run, table, trace

import sim
from sim.core.distributions import Exponential, LogNormal
from sim.core.errors import ConfigError
from sim.platform.startup import PhasedStart
from sim.platform.stem_cells import classes
from sim.policies import FixedWindow, PingWarmer, StemCells
from sim.policies.keepalive.demands import Floor, GenericPools


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
