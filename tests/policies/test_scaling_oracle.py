"""The oracle of scaling: decisions worked by hand, no call that waits and no instance too many, and real calls."""

from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, lives, log, run
from ticks import load

import sim
from sim.core.errors import ConfigError, PolicyError
from sim.policies.scaling.future import Future, futures
from sim.policies.scaling.oracle import OracleScaling
from sim.policies.scaling.role import Scaler, Unit


def scaler(policy: OracleScaling, *rows: tuple[float, float], concurrency: int = 1) -> Scaler:
    """Of the calls (arrival_s, service_s)."""
    arrival_s, service_s = np.array(rows, np.float64).reshape(-1, 2).T
    return policy.scaler(Unit(concurrency, future=Future(arrival_s, service_s)))


def wanted(oracle: Scaler, *ticks: tuple[float, int]) -> list[int | None]:
    """At ticks (time, requests in flight)."""
    return [oracle.wanted(load(now_s, in_flight=in_flight)) for now_s, in_flight in ticks]


def test_golden_how_many_run_after_each_arrival() -> None:
    rows = [
        (1.0, 2.0),  # until 3
        (2.0, 4.0),  # until 6
        (3.0, 0.0),  # the first has ended at this instant
        (3.0, 0.0),  # and so has the third
        (3.0, 5.0),
        (6.0, 1.0),  # the second has ended
        (9.0, 1.0),  # all have
    ]
    assert Future(*np.array(rows).T).busy().tolist() == [1, 2, 2, 2, 2, 2, 1]


def test_golden_instances_are_wanted_a_start_and_a_tick_before_they_are_needed() -> None:
    # Two calls at once at 25 s and a third at 26, one at 50 s.
    oracle = scaler(
        OracleScaling(lead_s=5, horizon_s=10, tick_s=10), (25.0, 4.0), (25.0, 4.0), (26.0, 1.0), (50.0, 1.0)
    )
    made = wanted(
        oracle,
        (10.0, 0),  # sees to 25 s, itself outside: what is started at 20 s is ready then
        (20.0, 0),  # to 35 s
        (30.0, 0),
        (40.0, 0),  # to 55 s
    )
    assert made == [0, 3, 0, 1]
    assert oracle.remembers
    assert wanted(oracle, (50.0, 1), (60.0, 0)) == [1, 0]  # none is to come, one runs
    assert not oracle.remembers


def test_golden_a_call_of_no_duration_is_over_at_the_tick_of_its_instant() -> None:
    assert wanted(scaler(OracleScaling(), (10.0, 0.0)), (0.0, 0), (10.0, 0)) == [1, 0]


def test_golden_a_longer_horizon_keeps_instances_over_a_gap() -> None:
    rows = [(25.0, 4.0), (25.0, 4.0), (45.0, 1.0)]
    ticks = [(0.0, 0), (10.0, 0), (20.0, 0), (30.0, 0), (40.0, 0)]
    assert wanted(scaler(OracleScaling(lead_s=0, horizon_s=10), *rows), *ticks) == [0, 0, 2, 0, 1]
    assert wanted(scaler(OracleScaling(lead_s=0, horizon_s=20), *rows), *ticks) == [0, 2, 2, 1, 1]


def test_golden_an_instance_serves_as_many_as_its_concurrency() -> None:
    rows = [(1.0, 5.0)] * 5
    assert wanted(scaler(OracleScaling(), *rows, concurrency=2), (0.0, 0)) == [3]
    assert wanted(scaler(OracleScaling(), *rows, concurrency=5), (0.0, 0), (10.0, 6)) == [1, 2]


def test_golden_a_poke_sees_the_calls_of_its_own_instant() -> None:
    assert scaler(OracleScaling(), (0.0, 5.0), (0.0, 5.0), (0.0, 5.0)).poked(load(0.0, ready=0)) == 3
    late = scaler(OracleScaling(), (0.0, 1.0))
    assert wanted(late, (10.0, 0)) == [0]
    assert late.poked(load(12.0, ready=0)) == 1  # somebody waits, whatever was foreseen


GRID = st.integers(0, 120).map(lambda k: k / 4)
ROWS = st.lists(st.tuples(GRID, st.sampled_from([0.0, 0.25, 1.0, 2.5, 20.0])), min_size=1, max_size=25)


def needed(rows: list[tuple[float, float]], from_s: float, to_s: float) -> int:
    """The most calls that run at once from `from_s` on (its calls have come) and before `to_s`, counted one by one."""
    running = sum(a <= from_s < a + x for a, x in rows)
    for k, (at_s, _) in enumerate(rows):
        if from_s < at_s < to_s:
            running = max(running, 1 + sum(a + x > at_s for a, x in rows[:k]))
    return running


@given(
    ROWS, st.sampled_from([0.0, 0.5, 3.0]), st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from([0.0, 1.0, 7.0]),
    st.integers(1, 3),
)  # fmt: skip
def test_no_call_waits_and_there_are_no_more_instances_than_that_takes(
    gaps: list[tuple[float, float]], lead_s: float, tick_s: float, more_s: float, concurrency: int
) -> None:
    rows = sorted((tick_s + lead_s + 0.25 + a, x) for a, x in gaps)
    policy = OracleScaling(lead_s=lead_s, horizon_s=tick_s + more_s, tick_s=tick_s)
    ran = run(calls(*rows), policy, start_s=lead_s, concurrency=concurrency)
    assert {kind for _, kind, _ in log(ran)} == {"warm"}
    changes = dict(zip(ran.decisions.time_s.tolist(), ran.decisions.wanted.tolist(), strict=True))
    there = 0
    for k in range(1, ceil(rows[-1][0] / tick_s)):
        now_s = k * tick_s
        there = changes.get(now_s, there)
        end_s = now_s + tick_s + more_s + (lead_s or 1e-9)  # at one instant calls come before ticks, and after starts
        assert there == ceil(needed(rows, now_s, end_s) / concurrency)


def test_a_run_of_two_bursts() -> None:
    trace = calls((3.0, 1.0), (25.0, 1.0), (25.0, 1.0), (90.0, 1.0))
    result = sim.simulate(trace, OracleScaling(), sim.load_platform("constant_start", start_s=2.0))
    # The first call comes before the first tick. At 20 s two are needed by 32 s. The last has one
    # from 80 s on; at 90 s it runs, so there is one tick more.
    assert log(result.columns) == [(5.0, "cold", 0), (25.0, "warm", -1), (25.0, "warm", -2), (90.0, "warm", -3)]
    assert lives(result.columns) == [
        (0, 3.0, 5.0, 10.0), (-1, 20.0, 22.0, 30.0), (-2, 20.0, 22.0, 30.0), (-3, 80.0, 82.0, 100.0),
    ]  # fmt: skip
    assert set(result.decisions["why"]) == {"call at zero", "foreseen"}


def test_apps_are_foreseen_as_a_whole_and_only_up_to_the_horizon() -> None:
    trace = calls((1.0, 1.0, 0), (2.0, 2.0, 2), (3.0, 3.0, 1), (4.0, 4.0, 0), (5.0, 5.0, 3))
    of_units = futures(trace, [0, 1, 0, 7], 4.0)
    assert {unit: [column.tolist() for column in future] for unit, future in of_units.items()} == {
        0: [[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]],
        1: [[3.0], [3.0]],
    }
    assert futures(trace, [0, 1, 0, 7], 0.5) == {}


def test_of_real_calls_none_waits_that_comes_after_the_first_decision() -> None:
    trace = sim.load_trace(Path(__file__).resolve().parents[2] / "traces" / "default").slice(0, 1800)
    platform = sim.Platform(start_s=2.0, isolation="app")
    result = sim.simulate(trace, OracleScaling(), platform)
    later = result.invocations[result.invocations["arrival_s"] >= 12.0]
    assert len(later) > 1000
    assert set(later["start_kind"]) == {"warm"}
    other = sim.simulate(trace, sim.policies.FixedWindow(60), platform)
    assert result.summary["wasted_gb_s"] < other.summary["wasted_gb_s"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lead_s": -1.0}, "lead_s must be"),
        ({"tick_s": 0.0}, "tick_s must be"),
        ({"horizon_s": 5.0}, "horizon_s must be"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OracleScaling(**wrong)


def test_without_the_future_there_is_no_oracle() -> None:
    with pytest.raises(PolicyError, match="needs the calls to come"):
        OracleScaling().scaler(Unit(1))
