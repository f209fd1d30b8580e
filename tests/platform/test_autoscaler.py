"""The control loop: what it decides on known loads, and what holds whatever it decides."""

from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim import ConfigError, Platform, PolicyError, Trace
from sim.core.random import uniform
from sim.engine import reference
from sim.policies import FixedScale, KeepForever, Knative, Scaling
from sim.policies.keepalive.demands import Floor
from sim.policies.scaling.role import Load, Scaler, Unit
from sim.results.columns import COLD, OK, QUEUED, REJECTED, TIMED_OUT, WARM, Columns

BURST_S = [100.0] * 60
LOADS = {
    "one call": ([10.25], 0.5, 1),
    "step": (np.arange(0.0, 120.0, 0.125), 2.0, 10),
    "ramp": (np.concatenate([np.arange(k * 20.0, (k + 1) * 20.0, 1 / (2 * k + 1)) for k in range(6)]), 2.0, 10),
    "burst": (BURST_S, 1.0, 10),
    "waves": (np.concatenate([np.arange(k * 60.0, k * 60.0 + 10.0, 0.125) for k in range(3)]), 1.0, 5),
}


def run(trace: Trace, policy: Scaling, **options: object) -> Columns:
    platform = Platform(**{"start_s": 2.0, **options})
    return reference.run(trace, policy, platform, horizon_s=trace.horizon_s)


def timeline(name: str) -> list[str]:
    arrival_s, service_s, concurrency = LOADS[name]
    trace = Trace.from_arrays([0] * len(arrival_s), arrival_s, service_s, horizon_s=float(arrival_s[-1]) + 200)
    frame = run(trace, Knative(), concurrency=concurrency).decisions.frame().drop(columns="function")
    return [" ".join(map(str, row)) for row in frame.itertuples(index=False)]


GOLDEN = {
    "one call": [
        "10.25 0 0 1 1 2 call at zero",
        "72.0 2 0 0 0 1 stable",
        "74.0 1 0 0 0 0 stable",
    ],
    "step": [
        "0.0 0 0 1 1 1 call at zero",
        "4.0 1 0 23 13 2 panic",
        "6.0 2 0 29 9 3 panic",
        "8.0 3 0 25 0 5 panic",
        "66.0 5 0 16 0 3 stable",
        "130.0 3 0 0 0 2 stable",
        "156.0 2 0 0 0 1 stable",
        "182.0 1 0 0 0 0 stable",
    ],
    "ramp": [
        "0.0 0 0 1 1 1 call at zero",
        "44.0 1 0 10 0 2 panic",
        "82.0 2 0 17 0 3 panic",
        "140.0 3 0 0 0 2 stable",
        "162.0 2 0 0 0 1 stable",
        "182.0 1 0 0 0 0 stable",
    ],
    "burst": [
        "100.0 0 0 1 1 1 call at zero",
        "102.0 1 0 60 50 3 panic",
        "104.0 3 0 40 10 6 panic",
        "106.0 6 0 0 0 7 panic",
        "166.0 7 0 0 0 3 stable",
        "168.0 3 0 0 0 1 stable",
        "170.0 1 0 0 0 0 stable",
    ],
    "waves": [
        "0.0 0 0 1 1 1 call at zero",
        "2.0 1 0 17 12 2 panic",
        "4.0 2 0 23 13 4 panic",
        "6.0 4 0 19 0 6 panic",
        "8.0 6 0 8 0 7 panic",
        "66.0 7 0 8 0 3 stable",
        "68.0 3 0 8 0 1 stable",
        "70.0 1 0 10 5 3 panic",
        "132.0 3 0 0 0 1 stable",
        "192.0 1 0 0 0 0 stable",
    ],
}
"""Time, ready, starting, in flight, waiting, wanted, why."""


@pytest.mark.parametrize("name", list(LOADS))
def test_known_loads(name: str) -> None:
    assert timeline(name) == GOLDEN[name]


# Whatever is decided


@dataclass(frozen=True)
class Whim(Scaling):
    """Wants any number, by a draw a tick."""

    seed: int = 0
    most: int = 3
    tick_s: float = 1.0
    queue_depth: float = inf
    seen: list[Load] = field(default_factory=list, compare=False)

    def scaler(self, unit: Unit) -> "Whimsical":
        return Whimsical(self)


class Whimsical(Scaler):
    def __init__(self, policy: Whim) -> None:
        self.policy, self.k = policy, 0

    def wanted(self, load: Load) -> int:
        self.policy.seen.append(load)
        self.k += 1
        if self.k > 200:
            return 1  # else it may never end
        return int(uniform(self.policy.seed, self.k) * (self.policy.most + 1))

    def poked(self, load: Load) -> int | None:
        return None if uniform(self.policy.seed, -1 - self.k) < 0.5 else 1


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    times = st.floats(0.0, 30.0) | st.integers(0, 30).map(float)
    calls = draw(st.lists(st.tuples(st.integers(0, 1), times, st.floats(0.0, 5.0)), min_size=1, max_size=25))
    calls.sort(key=lambda call: call[1])
    return Trace.from_arrays(*zip(*calls, strict=True))


@dataclass(frozen=True)
class OneThenNone(Scaling):
    """Wants one instance until 1 s, none until 3 s, and one again."""

    tick_s: float = 1.0

    def scaler(self, unit: Unit) -> "Timetable":
        return Timetable()


class Timetable(Scaler):
    def wanted(self, load: Load) -> int:
        return int(not 1.0 <= load.now_s < 3.0)

    def poked(self, load: Load) -> int:
        return self.wanted(load)


def test_an_instance_that_drains_takes_no_call_that_comes_as_its_last_one_ends() -> None:
    # The second call waits from 0.5 s on; the third comes at 2 s, when the first ends on the instance that drains
    trace = Trace.from_arrays([0] * 3, [0.0, 0.5, 2.0], [2.0, 1.0, 1.0])
    columns = run(trace, OneThenNone(), start_s=0.0)
    assert columns.requests.start_s.tolist() == [0.0, 3.0, 4.0]


def test_nor_does_one_whose_life_is_over_while_others_wait() -> None:
    trace = Trace.from_arrays([0] * 3, [0.0, 0.5, 2.0], [2.0, 1.0, 1.0])
    columns = run(trace, FixedScale(1, tick_s=4.0), start_s=0.0, max_lifetime_s=1.5)
    assert columns.requests.start_s.tolist() == [0.0, 4.0, 5.0]


@settings(max_examples=150)
@given(
    traces(), st.integers(0, 2**30), st.sampled_from([1, 3]), st.sampled_from([0.0, 1.5]),
    st.sampled_from([inf, 4.0]), st.sampled_from([inf, 2]), st.sampled_from([inf, 3.0]),
)  # fmt: skip
def test_every_call_ends_once_on_an_instance_that_is_there(
    trace: Trace, seed: int, slots: int, start_s: float, life_s: float, depth: float, max_wait_s: float
) -> None:
    policy = Whim(seed, queue_depth=depth)
    columns = run(trace, policy, concurrency=slots, start_s=start_s, max_lifetime_s=life_s, max_wait_s=max_wait_s)
    requests, instances = columns.requests, columns.instances
    assert set(requests.outcome.tolist()) <= {OK, REJECTED, TIMED_OUT}
    ran = requests.outcome == OK
    assert np.array_equal(requests.end_s[ran], requests.start_s[ran] + trace.duration_s[ran])
    assert (requests.start_s[ran] - requests.arrival_s[ran] <= max_wait_s).all()
    line = {(f, n): i for i, (f, n) in enumerate(zip(instances.function, instances.instance, strict=True))}
    on = np.array([line[f, n] for f, n in zip(requests.function[ran], requests.instance[ran], strict=True)], int)
    start_s_of, end_s_of = requests.start_s[ran], requests.end_s[ran]
    assert (instances.ready_s[on] <= start_s_of).all()
    assert (end_s_of <= instances.ended_s[on]).all()
    for i in set(on.tolist()):
        begin, end = start_s_of[on == i], end_s_of[on == i]
        assert max(np.sum((begin <= at) & (at < end)) for at in begin) <= slots if (end > begin).all() else True
    for function in (0, 1):  # first come, first served
        mine = start_s_of[requests.function[ran] == function]
        assert (np.diff(mine) >= 0).all()


@settings(max_examples=100)
@given(traces(), st.integers(0, 2**30), st.sampled_from([1, 3]))
def test_what_scalers_see_is_what_happened(trace: Trace, seed: int, slots: int) -> None:
    """The seconds that all scalers were shown add up to the time that calls were in the system, and to their number."""
    policy = Whim(seed)
    columns = run(trace, policy, concurrency=slots)
    until_s = max(load.now_s for load in policy.seen)
    requests = columns.requests
    inside_s = np.minimum(requests.end_s, until_s) - np.minimum(requests.arrival_s, until_s)
    assert sum(map(sum, (load.concurrency for load in policy.seen))) == pytest.approx(inside_s.sum(), abs=1e-9)
    assert sum(map(sum, (load.arrivals for load in policy.seen))) == np.sum(requests.arrival_s < until_s)
    for load in policy.seen:
        assert load.waiting <= load.in_flight


@given(traces(), st.integers(1, 3), st.sampled_from([1, 2]))
def test_a_fixed_scale_is_a_delay_system(trace: Trace, n: int, slots: int) -> None:
    """The same waits as where calls start up to n instances at no cost, which Erlang's formula is held against."""
    fixed = run(trace, FixedScale(n, queue_depth=inf), concurrency=slots, start_s=0.0).requests
    platform = Platform(start_s=0.0, concurrency=slots, max_instances_per_unit=n, queue_limit=inf, binding="late")
    capped = reference.run(trace, KeepForever(), platform, horizon_s=trace.horizon_s).requests
    assert np.array_equal(fixed.start_s, capped.start_s)
    assert np.array_equal(fixed.end_s, capped.end_s)


def test_a_start_nobody_wants_any_more_is_given_up_and_a_busy_instance_drains() -> None:
    @dataclass(frozen=True)
    class Falling(Whim):
        def scaler(self, unit: Unit) -> Scaler:
            return Fall(self)

    class Fall(Whimsical):
        def wanted(self, load: Load) -> int:
            return {1.0: 2, 2.0: 0, 6.0: 1}.get(load.now_s, 0 if load.now_s < 6 else 1)

        def poked(self, load: Load) -> int:
            return 1

    trace = Trace.from_arrays([0, 0], [0.25, 0.5], [4.0, 0.5], horizon_s=20.0)
    columns = run(trace, Falling(), start_s=1.5)
    assert columns.instances.instance.tolist() == [0, 1, -1]  # the second is made for the call that waited, given up
    assert columns.instances.created_s.tolist() == [0.25, 1.0, 6.0]
    assert columns.instances.ended_s.tolist()[:2] == [5.75, 2.0]  # the first drains: its call ends, then it does
    assert columns.requests.start_s.tolist() == [1.75, 7.5]
    assert columns.requests.start_kind.tolist() == [COLD, COLD]


def test_kinds_of_starts() -> None:
    """The first call of an instance that was started while calls waited is cold, the others that waited were queued."""
    trace = Trace.from_arrays([0, 0, 0], [0.0, 0.5, 10.0], [1.0, 1.0, 1.0])
    requests = run(trace, Knative(), concurrency=2).requests
    assert requests.start_s.tolist() == [2.0, 2.0, 10.0]
    assert requests.start_kind.tolist() == [COLD, QUEUED, WARM]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"binding": "race"}, "binding=race"),
        ({"queue_limit": 5, "max_instances": 3}, "queue_depth"),
        ({"routers": 2, "route_delay_s": 0.1}, "several routers"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(Trace.from_arrays([0], [0.0], 1.0), Knative(), **options)


def test_a_scaling_policy_cannot_ask_for_what_calls_start() -> None:
    @dataclass(frozen=True)
    class Both(Whim):
        def floor(self) -> Floor:
            return Floor(((0.0, 1),))

    with pytest.raises(PolicyError, match="Both scales, and so cannot have"):
        run(Trace.from_arrays([0], [0.0], 1.0), Both())


@pytest.mark.parametrize("answer", [-1, 1.5, True, "two"])
def test_no_number_of_instances(answer: object) -> None:
    class Odd(Whimsical):
        def poked(self, load: Load) -> int | None:
            return answer  # type: ignore[return-value]

    @dataclass(frozen=True)
    class Oddly(Whim):
        def scaler(self, unit: Unit) -> Scaler:
            return Odd(self)

    with pytest.raises(PolicyError, match="Oddly wants"):
        run(Trace.from_arrays([0], [0.0], 1.0), Oddly())


def test_a_scaler_that_wants_nothing_ends_the_run_with_a_word() -> None:
    class Nothing(Whimsical):
        def wanted(self, load: Load) -> int:
            return 0

        def poked(self, load: Load) -> int:
            return 0

    @dataclass(frozen=True)
    class Never(Whim):
        def scaler(self, unit: Unit) -> Scaler:
            return Nothing(self)

    with pytest.raises(PolicyError, match="1 calls wait for ever, the first of them row 0: the policy wants no"):
        run(Trace.from_arrays([0], [0.0], 1.0), Never())


def test_real_calls(shared: Path) -> None:
    trace = sim.load_trace(shared / "traces/azure2019_100f_8h", format="azure2019").slice(0, 1800)
    result = sim.simulate(trace, Knative(), sim.load_platform("default"))
    assert (result.invocations["outcome"] == "ok").all()
    assert result.summary["cold_starts"] > 10
    decisions = result.decisions
    assert set(decisions["why"]) <= {"call at zero", "panic", "stable", "before zero"}
    assert (decisions.groupby("function")["wanted"].diff().dropna() != 0).all()


def test_a_fixed_scale_rests_until_an_instance_has_gone() -> None:
    """Whatever its tick: two ticks at most replace an instance, and nothing else is done."""
    asked = []

    class Counted(FixedScale):
        def scaler(self, unit: Unit) -> Scaler:
            scaler = super().scaler(unit)
            wanted = scaler.wanted
            scaler.wanted = lambda load: asked.append(load.now_s) or wanted(load)  # type: ignore[method-assign]
            return scaler

    trace = Trace.from_arrays([0] * 3, [1.0, 31.0, 95.0], 1.0, horizon_s=100.0)
    result = sim.simulate(trace, Counted(n=1, tick_s=2.0), sim.Platform(start_s=0.5, max_lifetime_s=40.0))
    assert result.instances["created_s"].tolist() == [0.0, 42.0, 84.0]
    assert asked == [2.0, 42.0, 84.0]
    assert result.invocations["start_s"].tolist() == [1.0, 31.0, 95.0]
