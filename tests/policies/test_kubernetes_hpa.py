"""Kubernetes' autoscaler in the platform: timelines worked out by hand, how old metrics are, and laws."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pods import pod

import sim
from sim import ConfigError, Platform, Trace
from sim.core.build import Trust, build
from sim.core.time import next_multiple_s
from sim.engine import reference
from sim.policies import KeepAlive, KubernetesHpa
from sim.policies.scaling.hpa_values import Behavior, Sample, ScalingPolicy, ScalingRules
from sim.policies.scaling.kubernetes_hpa import KubernetesHpaScaler
from sim.policies.scaling.role import Load, PodLoad, Unit
from sim.results.columns import OK, Columns


def run(trace: Trace, policy: KubernetesHpa, **options: object) -> Columns:
    return reference.run(trace, policy, Platform(**{"start_s": 2.0, **options}), horizon_s=trace.horizon_s)


def calls(arrival_s: list[float], service_s: float, horizon_s: float, memory_mb: float = 128.0) -> Trace:
    functions = pd.DataFrame({"name": ["f"], "memory_mb": [memory_mb]})
    return Trace.from_arrays([0] * len(arrival_s), arrival_s, service_s, horizon_s=horizon_s, functions=functions)


def timeline(trace: Trace, policy: KubernetesHpa, **options: object) -> list[str]:
    """Time, ready, starting, in flight, waiting, wanted and why, of each decision after those at the start."""
    frame = run(trace, policy, **options).decisions.frame().drop(columns="function")
    assert frame["why"].iloc[0] == "at start"
    return [" ".join(map(str, row)) for row in frame.iloc[1:].itertuples(index=False)]


# By hand. Scrapes are at 7.5, 22.5, ..., syncs at 15, 30, ...


def test_step() -> None:
    """Two calls a second of 1 s each, for 300 s, and pods that serve one at a time: two are busy, two more than that.

    30: the pod was busy from 7.5 to 22.5; 100 % / 80 % of one pod is 2. 45: the second pod, ready at 32, had run for
    5.5 s at its first scrape and has no sample; taken for idle, it turns the direction. 60: both have one, 2.5 is 3.
    90: 3.75 is 4. From 120 on they are half busy, 2.5 is 3, but 4 was recommended until 105, and that holds for 300 s.
    The last call ends at 301: 29 % of 3 pods at 315 is 2, later ones ask for none.
    """
    assert timeline(calls(np.arange(0.0, 300.0, 0.5).tolist(), 1.0, 900.0), KubernetesHpa()) == [
        "30.0 1 0 31 30 2 above target",
        "60.0 2 0 33 31 3 above target",
        "90.0 3 0 5 2 4 above target",
        "420.0 4 0 0 0 3 below target",
        "615.0 3 0 0 0 2 below target",
        "630.0 2 0 0 0 1 min replicas",
    ]


def test_burst_by_concurrency() -> None:
    """60 calls of 5 s at 100, and pods that serve ten at once, of which eight tenths of one are wanted.

    The scrape at 112.5 sees 10 requests for 12.5 of its 15 s, 8.333 on the average. At 120 that asks for 11 pods and
    gets 4, the most there may be of one. At 127.5 it was the same, and the three others, ready at 122, have their
    first reading; taken for idle, they change nothing at 135: 11, of which 8 may be. At 150 nothing has run and four
    are without a sample: 4, but the 11 of 135 hold for 300 s, and 11 may be now. At 165 three are without: 3.
    """
    policy = KubernetesHpa(metric="concurrency")
    assert timeline(calls([100.0] * 60, 5.0, 900.0), policy, concurrency=10) == [
        "120.0 1 0 20 10 4 rate limit",
        "135.0 4 0 0 0 8 rate limit",
        "150.0 8 0 0 0 11 stabilised",
        "450.0 11 0 0 0 4 below target",
        "465.0 4 0 0 0 3 below target",
        "480.0 3 0 0 0 1 min replicas",
    ]


def test_burst_by_rate_and_by_memory() -> None:
    """30 calls of 10 s at 100 on a pod for 20 of 200 MB, which uses 90 MB and 5.5 for each that it serves.

    Ten wait until 110. The scrape at 112.5 sees 30 begun in 15 s: 2 a second, where 1 is wanted, makes 2 pods; ten run,
    which use 145 MB: 72 % of 200, which is no more than 10 % above 70.
    """
    trace = calls([100.0] * 30, 10.0, 200.0, memory_mb=200.0)
    options = {"target_rps": 1.0, "target_memory_percent": 70, "idle_memory_percent": 45.0}
    assert timeline(trace, KubernetesHpa(metric="rps", **options), concurrency=20) == [
        "120.0 1 0 0 0 2 above target",
    ]
    assert timeline(trace, KubernetesHpa(metric="memory", **options), concurrency=20) == []
    options["target_memory_percent"] = 60
    assert timeline(trace, KubernetesHpa(metric="memory", **options), concurrency=20) == [
        "120.0 1 0 0 0 2 above target",
    ]
    options["target_memory_percent"] = 20  # idle pods use more than twice that, and each new one does
    both = KubernetesHpa(metric=["rps", "memory"], **options)
    assert hash(both) != hash(KubernetesHpa(metric="rps", **options))
    assert timeline(trace, both, concurrency=20)[0] == "30.0 1 0 0 0 3 above target"


def test_idle() -> None:
    """All of them are there from the start to the end, and a call now and then changes nothing."""
    columns = run(calls([1.0, 100.0], 1.0, 900.0), KubernetesHpa(min_replicas=3))
    assert columns.decisions.wanted.tolist() == [3]
    assert columns.instances.ready_s.tolist() == [0.0] * 3
    assert np.isinf(columns.instances.ended_s).all()
    assert columns.requests.start_s.tolist() == [1.0, 100.0]


def test_behavior() -> None:
    """One pod more in 60 s at most, and down at once; eight calls of 100 s, and one a pod is wanted.

    At 112.5 the first pod had 8 requests for 3.5 s, 1.867 on the average, which is work for 2.
    """
    up = ScalingRules(policies=(ScalingPolicy("Pods", 1, 60),))
    behavior = Behavior(up, ScalingRules(stabilization_s=0))
    policy = KubernetesHpa(metric="concurrency", target_requests=1.0, behavior=behavior)
    assert timeline(calls([1.0] * 8, 100.0, 200.0), policy, concurrency=8) == [
        "30.0 1 0 8 0 2 rate limit",
        "90.0 2 0 8 0 3 rate limit",
        "120.0 3 0 0 0 2 below target",
        "135.0 2 0 0 0 1 min replicas",
    ]


def test_what_ends_by_itself_is_replaced() -> None:
    """An instance lives for 40 s and is replaced at the next tick, whether anybody calls or not; 2 s to start one."""
    columns = run(calls([1.0], 1.0, 100.0), KubernetesHpa(), max_lifetime_s=40.0)
    assert columns.instances.created_s.tolist() == [0.0, 45.0, 90.0]
    assert columns.instances.ended_s.tolist()[:2] == [40.0, 85.0]


def test_replicas_without_room_are_pending() -> None:
    """Eight calls ask for four pods, two a pod; from 51 on there are five, until 151.

    With room for all, 5 / 2 is 3 pods at 75. With room for two, these have more than they should, all four would have
    less: where one is so and the other otherwise, nothing changes.
    """
    policy = KubernetesHpa(metric="concurrency", target_requests=2.0, downscale_stabilization_s=0.0)
    trace = Trace.from_arrays([0] * 8, [1.0] * 8, [50.0] * 3 + [150.0] * 5, horizon_s=200.0)
    assert timeline(trace, policy, concurrency=8) == [
        "30.0 1 0 8 0 4 above target",
        "75.0 4 0 5 0 3 below target",
        "165.0 3 0 0 0 2 below target",
        "180.0 2 0 0 0 1 min replicas",
    ]
    assert timeline(trace, policy, concurrency=8, max_instances=2) == [
        "30.0 1 0 8 0 4 above target",
        "165.0 2 0 0 0 2 below target",
        "180.0 2 0 0 0 1 min replicas",
    ]


def test_pods_that_start_are_no_reason_to_keep_as_many() -> None:
    """Eight calls until 39 ask for four pods; starts take 60 s. At 52.5 the one there is had 8 for 1.5 s, 0.8.

    Were the others ready and only without a sample, they would be taken to be at their target, and all stay.
    """
    policy = KubernetesHpa(metric="concurrency", target_requests=2.0, downscale_stabilization_s=0.0)
    assert timeline(calls([1.0] * 8, 38.0, 100.0), policy, concurrency=8, start_s=60.0) == [
        "30.0 1 0 8 0 4 above target",
        "60.0 1 3 0 0 1 below target",
    ]


# How old metrics are


@given(st.floats(30.0, 90.0) | st.integers(30, 90).map(float), st.floats(0.0, 14.9) | st.sampled_from([0.0, 7.5, 14.0]))
def test_load_is_seen_at_the_first_sync_after_a_scrape_that_has_seen_enough_of_it(at_s: float, lag_s: float) -> None:
    """One call that never ends begins at `at_s`: 89 % of the 15 s before a scrape ask for a second pod, 88 do not."""
    policy = KubernetesHpa(scrape_lag_s=lag_s)
    decisions = run(calls([at_s], 1000.0, 150.0), policy, cores=1.0).decisions
    scrape_s = at_s
    while True:
        scrape_s = next_multiple_s(scrape_s, 15.0, lag_s)
        busy = (round(scrape_s * 1e9) - round(at_s * 1e9)) / 15e9
        if ceil(min(busy, 1.0) * 1000) // 10 >= 89:
            break
    sync_s = ceil(scrape_s / 15.0) * 15.0
    assert decisions.time_s[1] == sync_s
    assert decisions.wanted[1] == 2


@pytest.mark.parametrize(("lag_s", "seen_s"), [(0.0, 45.0), (7.5, 45.0), (14.0, 60.0)])
def test_a_call_at_20(lag_s: float, seen_s: float) -> None:
    """Scrapes at 30, at 22.5 and at 31 see 10, 2.5 and 11 s of it, too little; the next ones see nothing else."""
    decisions = run(calls([20.0], 1000.0, 150.0), KubernetesHpa(scrape_lag_s=lag_s)).decisions
    assert decisions.time_s[1] == seen_s


# Reasons and laws


def decide(policy: KubernetesHpa, *busy: float) -> list[str]:
    """The reasons of a scaler of one pod at syncs whose scrapes saw it busy for such shares of the time."""
    scaler, why, total_s = KubernetesHpaScaler(policy, Unit(1)), [], 0.0
    for k, share in enumerate(busy, 1):
        total_s += share * 15.0
        for at_s in (k * 15.0 - 7.5, k * 15.0):
            scaler.wanted(Load(at_s, 1, 0, 0, 0, 0, [], [], [pod(0, 0.0, total_s)]))
        why.append(scaler.why)
    return why


def test_reasons() -> None:
    assert decide(KubernetesHpa(), 0.0, 0.8, 0.7, 0.0) == ["missing metrics", "no change", "no change", "stabilised"]
    assert decide(KubernetesHpa(), 0.0, 1.0)[1:] == ["above target"]
    assert decide(KubernetesHpa(max_replicas=1), 0.0, 1.0) == ["missing metrics", "max replicas"]
    assert decide(KubernetesHpa(target_cpu_percent=10), 0.0, 1.0) == ["missing metrics", "rate limit"]
    quick = KubernetesHpa(downscale_stabilization_s=0.0)
    assert decide(quick, 0.0, 1.0, 0.4, 0.0)[1:] == ["above target", "below target", "min replicas"]


@given(st.integers(1, 80), st.integers(1, 12))
def test_requests_that_stay_are_shared_by_as_many_pods_as_the_target_asks_for(n: int, target: int) -> None:
    """The mean is n over the pods, wherever requests are: ceil(n / target) pods, by way of 4 and of twice as many."""
    policy = KubernetesHpa(metric="concurrency", target_requests=float(target))
    wanted = run(calls([1.0] * n, 1000.0, 400.0), policy, concurrency=80).decisions.wanted.tolist()
    replicas, expected = 1, []
    while Fraction(n, replicas * target) > Fraction(11, 10):
        replicas = min(ceil(Fraction(n, target)), max(2 * replicas, 4))
        expected.append(replicas)
    grown = [count for count in wanted if count > 1]
    assert grown[: len(expected)] == expected
    assert sorted(grown[: len(expected)]) == expected


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    times = draw(st.lists(st.floats(0.0, 120.0), min_size=1, max_size=40))
    return calls(sorted(times), draw(st.floats(0.0, 40.0)), 300.0)


@given(traces(), st.integers(1, 3), st.integers(0, 3), st.sampled_from(["cpu", "concurrency"]), st.sampled_from([1, 4]))
def test_there_are_never_fewer_nor_more_than_said(trace: Trace, low: int, more: int, metric: str, slots: int) -> None:
    policy = KubernetesHpa(metric=metric, min_replicas=low, max_replicas=low + more, downscale_stabilization_s=30.0)
    columns = run(trace, policy, concurrency=slots)
    wanted = columns.decisions.wanted
    assert ((wanted >= low) & (wanted <= low + more)).all()
    assert wanted[0] == low
    assert (np.diff(wanted) != 0).all()
    assert set(columns.decisions.time_s % 15.0) <= {0.0}
    assert (columns.requests.outcome == OK).all()


# Real calls


@dataclass(frozen=True)
class Noted(KubernetesHpa):
    """Keeps the samples of each sync."""

    seen: list[tuple[float, PodLoad, Sample | None]] = field(default_factory=list, compare=False)

    def scaler(self, unit: Unit) -> KubernetesHpaScaler:
        return Noting(self, unit)


class Noting(KubernetesHpaScaler):
    def wanted(self, load: Load) -> int:
        answer = super().wanted(load)
        if not load.now_s % 15.0:
            self._policy.seen.extend((load.now_s, each, self.samples[0].of(each.name)) for each in load.pods)
        return answer


def real_calls(shared: Path) -> Trace:
    return sim.load_trace(shared / "traces/azure2019_100f_8h", format="azure2019").slice(0, 1800)


def test_samples_of_real_calls_are_what_the_ledger_says(shared: Path) -> None:
    """Of the busiest function: which pods have a sample, and the share of the 15 s before the scrape that it ran."""
    whole = real_calls(shared)
    rows = whole.function == np.bincount(whole.function).argmax()
    trace = Trace.from_arrays(np.zeros(rows.sum(), int), whole.arrival_s[rows], whole.duration_s[rows], horizon_s=1800)
    policy = Noted()
    requests = reference.run(trace, policy, sim.load_platform("default", cores=1.0), horizon_s=1800).requests
    checked = 0
    for now_s, each, sample in policy.seen:
        age_s = now_s - 7.5 - (now_s if each.ready_s is None else each.ready_s)
        assert (sample is not None) == (age_s >= 10.0)
        if sample is not None:
            mine = requests.instance == each.name
            begin_s = sample.timestamp_s - sample.window_s
            run_s = np.clip(requests.end_s[mine], begin_s, sample.timestamp_s) - np.clip(
                requests.start_s[mine], begin_s, sample.timestamp_s
            )
            assert (sample.timestamp_s, sample.window_s) == (now_s - 7.5, pytest.approx(min(age_s, 15.0)))
            assert -1e-3 <= sample.value_milli - 1000 * run_s.sum() / sample.window_s < 1.001
            checked += sample.value_milli > 0
    assert checked > 100


def test_real_calls(shared: Path) -> None:
    result = sim.simulate(real_calls(shared), KubernetesHpa(), sim.load_platform("default"))
    assert (result.invocations["outcome"] == "ok").all()
    decisions = result.decisions
    assert set(decisions["why"]) <= {"at start", "above target", "below target", "min replicas", "stabilised"}
    assert (decisions["wanted"] >= 1).all()
    assert decisions["wanted"].max() > 1
    assert set(decisions["time_s"] % 15.0) == {0.0}


# What is refused, and what a configuration may say


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"metric": "disk"}, "metric must be one or several of cpu, memory, concurrency, rps"),
        ({"metric": ["cpu", "disk"]}, "metric must be one or several of"),
        ({"metric": []}, "metric must be one or several of"),
        ({"target_rps": 0.0}, "target_rps must be a finite number >= 0.001"),
        ({"target_memory_percent": 0}, "target_memory_percent must be a whole number >= 1"),
        ({"idle_memory_percent": 101.0}, "idle_memory_percent must be"),
        ({"min_replicas": 0}, "min_replicas must be >= 1: Kubernetes comes back from 0 only by a metric"),
        ({"min_replicas": -1}, "min_replicas must be a whole number >= 1"),
        ({"min_replicas": 3, "max_replicas": 2}, "max_replicas must be a whole number >= 3"),
        ({"target_cpu_percent": 0}, "target_cpu_percent must be a whole number >= 1"),
        ({"target_requests": 0.0}, "target_requests must be a finite number >= 0.001"),
        ({"sync_s": 0.0}, "sync_s must be a finite number of seconds > 0"),
        ({"scrape_s": float("inf")}, "scrape_s must be a finite number of seconds > 0"),
        ({"scrape_lag_s": -1.0}, "scrape_lag_s must be a finite number of seconds >= 0"),
        ({"scrape_lag_s": 15.0}, "scrape_lag_s must be < scrape_s"),
        ({"queue_depth": 0}, "queue_depth must be a whole number >= 1"),
        ({"tolerance": -0.1}, "tolerance must be a finite number >= 0"),
        ({"downscale_stabilization_s": -1.0}, "downscale_stabilization_s must be"),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        KubernetesHpa(**parameters)  # type: ignore[arg-type]


def test_a_configuration_may_say_how_scaling_behaves() -> None:
    here = "sim.policies.scaling.hpa_values"
    least = {"_target_": f"{here}.ScalingPolicy", "type": "Pods", "value": 1, "period_s": 60}
    up = {"_target_": f"{here}.ScalingRules", "stabilization_s": 60, "policies": [least]}
    node = {"_target_": "sim.policies.KubernetesHpa", "behavior": {"_target_": f"{here}.Behavior", "scale_up": up}}
    rules = ScalingRules(stabilization_s=60, policies=(ScalingPolicy("Pods", 1, 60),))
    assert build(node, "policy", KeepAlive, Trust()) == KubernetesHpa(behavior=Behavior(scale_up=rules))
