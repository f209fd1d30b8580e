"""Calls past the queue: each goes to an instance by draw, and waits there; by hand, a twin, and a row of M/M/1."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from theory import assert_mean, poisson_calls

import sim
from sim.core.random import stream, uniform
from sim.policies import FixedScale, Knative
from sim.policies.scaling.fixed_scale import FixedScaler
from sim.policies.scaling.role import Unit

FREE = sim.Platform(start_s=0.0)


@dataclass(frozen=True)
class Direct(FixedScale):
    """A fixed scale whose calls go past the queue from the first tick on."""

    may_bypass: ClassVar[bool] = True
    pod_queue_depth: float = inf

    def scaler(self, unit: Unit) -> FixedScaler:
        """The same for all."""
        scaler = FixedScaler(self.n)
        scaler.bypasses = True
        return scaler


def drawn(trace: sim.Trace, n: int) -> list[int]:
    """Which of `n` instances each call of the only function is sent to."""
    streams = stream(0, 0, "bypass", *trace.function_keys()).tolist()
    return [int(uniform(streams[0], k) * n) for k in range(len(trace))]


def test_golden_calls_wait_where_they_were_sent() -> None:
    trace = sim.Trace.from_arrays([0] * 6, [10.0] * 6, 1.0)
    assert drawn(trace, 2) == [1, 0, 1, 1, 1, 1]
    calls = sim.simulate(trace, Direct(n=2, pod_queue_depth=2), FREE).invocations
    assert calls["instance"].tolist()[:4] == [-2, -1, -2, -2]
    assert calls["start_kind"].tolist() == ["warm", "warm", "queued", "queued", "", ""]
    assert calls["end_s"].tolist()[:4] == [11.0, 11.0, 12.0, 13.0]
    assert calls["outcome"].tolist() == ["ok"] * 4 + ["rejected"] * 2  # two wait in the second instance already


def test_golden_an_instance_that_drains_serves_those_who_wait_in_it() -> None:
    @dataclass(frozen=True)
    class Shrinks(Direct):
        def scaler(self, unit: Unit) -> FixedScaler:
            scaler = super().scaler(unit)
            scaler.rests = False
            scaler.wanted = lambda load: 2 if load.now_s < 12 else 1  # type: ignore[method-assign]
            return scaler

    trace = sim.Trace.from_arrays([0] * 6, [10.0] * 5 + [14.0], 3.0)
    result = sim.simulate(trace, Shrinks(n=2), FREE)
    calls = result.invocations
    assert calls["instance"].tolist() == [-2, -1, -2, -2, -2, -1]
    assert calls["end_s"].tolist() == [13.0, 13.0, 16.0, 19.0, 22.0, 17.0]
    assert result.instances.set_index("instance")["ended_s"][-2] == 22.0


def test_golden_knative_bypasses_its_activator_while_there_is_room_for_a_burst() -> None:
    # One pod of two, of which half a request is in use: with no burst to be ready for, nothing goes by the activator
    arrival_s = np.sort(np.concatenate([np.arange(0.0, 60.0, 0.5), np.full(25, 40.25)]))
    trace = sim.Trace.from_arrays(np.zeros(arrival_s.size, int), arrival_s, 0.45)
    platform = sim.Platform(start_s=0.0, concurrency=2)
    always = sim.simulate(trace, Knative(target_burst_capacity=-1, max_scale=1, pod_queue_depth=2), platform)
    bypassed = sim.simulate(trace, Knative(target_burst_capacity=0, max_scale=1, pod_queue_depth=2), platform)
    assert (always.invocations["outcome"] == "ok").all()
    lost = bypassed.invocations[bypassed.invocations["outcome"] == "rejected"]
    assert set(lost["arrival_s"]) == {40.25}
    assert len(lost) == 25 - 1 - 4  # the call of 40.0 still runs, so one more can, and four may wait


calls = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5]) | st.floats(0.0, 3.0), st.sampled_from([0.0, 1.0]) | st.floats(0.0, 5.0)),
    min_size=1, max_size=40,
)  # fmt: skip


@examples(100)
@given(calls, st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 1.0, inf]))
def test_it_equals_a_twin(gaps: list[tuple[float, float]], n: int, slots: int, depth: float) -> None:
    arrival_s = 10.0 + np.cumsum([gap for gap, _ in gaps])
    trace = sim.Trace.from_arrays([0] * len(gaps), arrival_s, [service for _, service in gaps])
    found = sim.simulate(
        trace, Direct(n=n, pod_queue_depth=depth), sim.Platform(start_s=0.0, concurrency=slots)
    ).invocations
    ends: list[list[float]] = [[-inf] * slots for _ in range(n)]  # until when each slot of each instance is taken
    starts: list[list[float]] = [[] for _ in range(n)]
    expected = []
    for row, target in enumerate(drawn(trace, n)):
        now, free_at = float(arrival_s[row]), ends[target]
        waiting = sum(start > now for start in starts[target])
        if min(free_at) > now and waiting >= depth * slots:
            expected.append(np.nan)
            continue
        slot = free_at.index(min(free_at))
        start = max(now, free_at[slot])
        free_at[slot] = start + gaps[row][1]
        starts[target].append(start)
        expected.append(start)
    np.testing.assert_array_equal(found["start_s"], expected)


def test_calls_sent_anywhere_wait_as_in_a_row_of_single_servers() -> None:
    """A Poisson process split at random: n queues M/M/1, each with load rho, where one queue for all waits far less."""
    n, load = 4, 0.7
    waits, together = [], []
    for seed in range(12):
        trace = poisson_calls(seed, n * load, 3000.0, lambda random, k: random.exponential(1.0, k))
        for policy, means in ((Direct(n=n), waits), (FixedScale(n=n), together)):
            calls = sim.simulate(trace, policy, FREE, warm_up_s=200.0).invocations
            calls = calls[calls["counted"]]
            means.append(float((calls["start_s"] - calls["arrival_s"]).mean()))
    assert_mean(waits, load / (1 - load), width=0.2)
    assert np.mean(together) < 0.3 * np.mean(waits)


@pytest.mark.parametrize("policy", [Knative(target_burst_capacity=0), Direct(n=3)])
def test_options_apply_to_calls_that_wait_in_instances(policy: FixedScale | Knative) -> None:
    trace = sim.load_trace("traces/default").slice(0, 600)
    platform = sim.load_platform("default", max_lifetime_s=300.0, max_wait_s=5.0, concurrency=2, processor="shared")
    calls = sim.simulate(trace, policy, platform).invocations
    waited = calls["start_s"] - calls["arrival_s"]
    assert set(calls["outcome"]) <= {"ok", "timed_out", "rejected"}
    assert waited.max() <= 5.0
    assert len(calls) == len(trace)
    ended = calls.dropna(subset="start_s")
    edges = pd.concat([pd.Series(1, ended["start_s"]), pd.Series(-1, ended["end_s"])])
    assert edges.groupby(level=0).sum().cumsum().min() >= 0
