"""Stem cells: how starts are drawn, a brute-force twin, and what must hold for any trace."""

import sys
from dataclasses import dataclass
from functools import cache
from math import inf, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from stem_cell_runs import OWN_S, WHOLE_S, run, table, trace

import sim
from sim.core.distributions import Exponential
from sim.engine import reference
from sim.platform.startup import PhasedStart
from sim.policies import FixedWindow, StemCells
from sim.results.columns import START_KINDS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from small import UNITS, Digits

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
