"""What a scaler sees of single instances, against the ledger and against timelines worked out by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim import Platform, PolicyError, Trace
from sim.core.random import uniform
from sim.core.time import next_multiple_s
from sim.engine import reference
from sim.policies import Scaling
from sim.policies.scaling.role import Load, PodLoad, Scaler, Unit
from sim.results.columns import Columns, Instances, Requests


@dataclass(frozen=True)
class Watched(Scaling):
    """Wants what it is told to at each tick, and keeps what it sees, and of what."""

    needs_pods: ClassVar[bool] = True
    plan: Callable[[float], int] = field(compare=False, default=lambda now_s: 1)
    tick_s: float = 1.0
    instances: int = 0
    queue_depth: float = inf
    seen: list[tuple[Unit, Load]] = field(default_factory=list, compare=False)

    def scaler(self, unit: Unit) -> Scaler:
        return Watch(self, unit)

    def at_start(self) -> int:
        return self.instances


class Unwatched(Watched):
    needs_pods: ClassVar[bool] = False


class Watch(Scaler):
    def __init__(self, policy: Watched, unit: Unit) -> None:
        self.policy, self.unit = policy, unit

    def wanted(self, load: Load) -> int:
        self.policy.seen.append((self.unit, load))
        return self.policy.plan(load.now_s)

    def poked(self, load: Load) -> int:
        return 1


def run(trace: Trace, policy: Scaling, **options: object) -> Columns:
    return reference.run(trace, policy, Platform(**{"start_s": 2.0, **options}), horizon_s=trace.horizon_s)


def whims(seed: int) -> Callable[[float], int]:
    """Any number from 0 to 3, by a draw a second; at last one."""
    return lambda now_s: 1 if now_s > 60 else int(4 * uniform(seed, int(now_s)))


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    times = st.floats(0.0, 30.0) | st.integers(0, 30).map(float)
    calls = draw(st.lists(st.tuples(times, st.floats(0.0, 8.0)), min_size=1, max_size=25))
    return Trace.from_arrays([0] * len(calls), *zip(*sorted(calls), strict=True), horizon_s=40.0)


# By hand


def test_what_is_seen_of_an_instance_second_by_second() -> None:
    """Two calls at 0.5, and one at 3.0 that ends with the second of them; the instance is ready at 2.5."""
    trace = Trace.from_arrays([0] * 3, [0.5, 0.5, 3.0], [1.25, 3.5, 3.0], horizon_s=7.0)
    policy = Watched()
    run(trace, policy, concurrency=3)
    shown = [pod for _, load in policy.seen for pod in load.pods]
    assert shown == [
        PodLoad(0, 0.5, None, 0, ()),
        PodLoad(0, 0.5, None, 0, ()),
        PodLoad(0, 0.5, 2.5, 3, (0.0, 0.5, 0.0), 3),  # the call of this instant came before the tick
        PodLoad(0, 0.5, 2.5, 2, (0.0, 0.75, 0.75), 3),  # the first ended at 3.75
        PodLoad(0, 0.5, 2.5, 2, (0.0, 1.75, 0.75), 3),
        PodLoad(0, 0.5, 2.5, 0, (0.0, 2.75, 0.75), 3),  # the others have just ended
        PodLoad(0, 0.5, 2.5, 0, (0.0, 2.75, 0.75), 3),
    ]
    assert shown[-1].request_s == 1.25 + 3.5 + 3.0


def test_one_that_drains_is_seen_no_more() -> None:
    """One instance from 0.25 on, a second from 1.0 on; the second, then both, drain while they are busy."""
    trace = Trace.from_arrays([0, 0], [0.25, 0.5], [9.0, 9.0], horizon_s=5.0)
    policy = Watched(lambda now_s: {1.0: 2, 4.0: 1}.get(now_s, 2 if now_s < 4 else 0))
    columns = run(trace, policy, start_s=1.0)
    assert [[pod.name for pod in load.pods] for _, load in policy.seen[:5]] == [[0], [0, 1], [0, 1], [0, 1], [0]]
    assert all(load.pods == () for _, load in policy.seen[5:])
    assert columns.requests.end_s.tolist() == [10.25, 11.0]


def test_a_unit_has_the_memory_and_the_concurrency_of_its_instances() -> None:
    functions = sim.Trace.from_arrays([0], [0.0], 1.0).functions.iloc[[0, 0]].assign(
        name=["a", "b"], app="x", memory_mb=[512.0, 256.0], concurrency=[4, 2], trigger=["http", "timer"]
    ).reset_index(drop=True)  # fmt: skip
    trace = Trace.from_arrays([0, 1], [0.0, 0.0], 1.0, functions=functions)
    by_function, by_app = Watched(), Watched()
    run(trace, by_function)
    run(trace, by_app, isolation="app")
    both = frozenset({"http", "timer"})
    of_functions = {
        Unit(4, 512.0, frozenset({"http"}), 512 / 1769), Unit(2, 256.0, frozenset({"timer"}), 256 / 1769),
    }  # fmt: skip
    assert {unit for unit, _ in by_function.seen} == of_functions
    assert {unit for unit, _ in by_app.seen} == {Unit(2, 768.0, both, 768 / 1769)}


# Laws


def levels_of(requests: Requests, name: int, from_s: float, to_s: float, most: int) -> list[float]:
    """Seconds at each number of requests, by the ledger: between two of its times in a row nothing changes."""
    mine = requests.instance == name
    start_s, end_s = requests.start_s[mine], requests.end_s[mine]
    times = np.unique(np.clip([from_s, to_s, *start_s, *end_s], from_s, to_s))
    levels = np.zeros(most + 1)
    for begin, end in pairwise(times):
        levels[int(np.sum((start_s <= begin) & (end_s >= end)))] += end - begin
    return levels[1:].tolist()


def check_against_ledger(policy: Watched, requests: Requests, instances: Instances) -> None:
    """That each load of a policy on one function shows what the ledger says of those it shows."""
    created_s = dict(zip(instances.instance.tolist(), instances.created_s.tolist(), strict=True))
    ready_s = dict(zip(instances.instance.tolist(), instances.ready_s.tolist(), strict=True))
    last: dict[int, tuple[PodLoad, float]] = {}
    for _, load in policy.seen:
        ready = [pod for pod in load.pods if pod.ready_s is not None]
        assert (len(ready), len(load.pods) - len(ready)) == (load.ready, load.starting)
        for pod in load.pods:
            assert pod.created_s == created_s[pod.name]
            if pod.ready_s is None:
                assert not ready_s[pod.name] < load.now_s
                assert (pod.running, pod.levels_s) == (0, ())
                continue
            assert pod.ready_s == ready_s[pod.name]
            last[pod.name] = pod, load.now_s
        mine = np.isin(requests.instance, [pod.name for pod in ready])
        served_s = np.minimum(requests.end_s, load.now_s) - np.minimum(requests.start_s, load.now_s)
        assert sum(pod.request_s for pod in ready) == pytest.approx(served_s[mine].sum(), abs=1e-9)
        assert sum(pod.running for pod in ready) <= load.in_flight - load.waiting
    for name, (pod, now_s) in last.items():
        levels_s = levels_of(requests, name, pod.ready_s, now_s, len(pod.levels_s))
        assert pod.levels_s == pytest.approx(levels_s, abs=1e-9)


@settings(max_examples=100)
@given(
    traces(), st.integers(0, 2**30), st.sampled_from([1, 3]), st.sampled_from([0.0, 1.5]), st.sampled_from([inf, 4.0])
)
def test_what_is_seen_of_instances_is_what_the_ledger_says(
    trace: Trace, seed: int, slots: int, start_s: float, life_s: float
) -> None:
    policy = Watched(whims(seed))
    columns = run(trace, policy, concurrency=slots, start_s=start_s, max_lifetime_s=life_s)
    check_against_ledger(policy, columns.requests, columns.instances)


@given(traces(), st.integers(0, 2**30), st.sampled_from([1, 3]))
def test_looking_changes_nothing_and_who_does_not_ask_sees_nothing(trace: Trace, seed: int, slots: int) -> None:
    blind, seeing = Unwatched(whims(seed)), Watched(whims(seed))
    plain, metered = (run(trace, policy, concurrency=slots) for policy in (blind, seeing))
    assert plain.requests.frame(slice(None)).equals(metered.requests.frame(slice(None)))
    assert plain.instances.frame().equals(metered.instances.frame())
    assert [load for _, load in blind.seen] == [load._replace(pods=()) for _, load in seeing.seen]


def test_real_calls_with_handlers_that_load(shared: Path) -> None:
    """Where the first call of an instance is longer by the load of its handler, as on the default platform."""
    whole = sim.load_trace(shared / "traces/azure2019_100f_8h", format="azure2019").slice(0, 1800)
    busiest = int(np.bincount(whole.function).argmax())
    rows = whole.function == busiest
    trace = Trace.from_arrays(np.zeros(rows.sum(), int), whole.arrival_s[rows], whole.duration_s[rows], horizon_s=1800)
    policy = Watched(lambda now_s: 1 + int(3 * uniform(5, int(now_s))), tick_s=10.0, instances=2)
    columns = reference.run(trace, policy, sim.load_platform("default"), horizon_s=1800)
    check_against_ledger(policy, columns.requests, columns.instances)
    assert max(pod.request_s for _, load in policy.seen for pod in load.pods) > 10


# Ticks


@given(st.floats(0.01, 100.0), st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 10**6))
def test_ticks_follow_one_another(every_s: float, part: float, k: int) -> None:
    lag_s = part * every_s
    at_s = k * every_s - lag_s
    next_s = next_multiple_s(at_s, every_s, lag_s)
    assert next_s == (k + 1) * every_s - lag_s
    assert next_multiple_s((at_s + next_s) / 2, every_s, lag_s) == next_s


def test_ticks_whose_quotients_fall_short_end() -> None:
    """3 * 0.7 / 0.7 < 3: a tick found by the quotient alone would be at 2.1 for ever."""
    policy = Watched(tick_s=0.7)
    run(Trace.from_arrays([0], [0.0], 1.0, horizon_s=5.0), policy)
    assert [load.now_s for _, load in policy.seen] == [k * 0.7 for k in range(1, 9)]


@pytest.mark.parametrize("at_s", [1.0, inf, float("nan")])
def test_a_tick_that_is_not_later_is_refused(at_s: float) -> None:
    class Stuck(Watched):
        def next_tick_s(self, now_s: float) -> float:
            return at_s

    with pytest.raises(PolicyError, match=r"Stuck.next_tick_s.* must be a later time"):
        run(Trace.from_arrays([0], [0.0], 1.0, horizon_s=9.0), Stuck())
