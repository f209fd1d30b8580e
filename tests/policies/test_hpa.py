"""The horizontal pod autoscaler: the decisions of the real one, decisions worked out by hand, and what is refused."""

import gzip
import json
import pickle
from collections.abc import Iterator
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hpa_loop import CPU, PER_POD, Loop, ready_pods, samples, shared_load

from sim.core.errors import ConfigError
from sim.policies.scaling.hpa import Hpa, HpaDecision
from sim.policies.scaling.hpa_values import (
    Behavior,
    MetricSpec,
    MetricValue,
    Pod,
    Sample,
    ScalingPolicy,
    ScalingRules,
    Unavailable,
    to_ns,
)

Row = dict[str, Any]


def seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def rules(row: Row) -> ScalingRules:
    policies = tuple(ScalingPolicy(policy["type"], policy["value"], policy["period_s"]) for policy in row["policies"])
    return ScalingRules(row["stabilization_s"], row["select"], policies)


def recorded(row: Row) -> Hpa:
    """The autoscaler of a recorded sequence."""
    behavior = row["behavior"]
    return Hpa(
        tuple(MetricSpec(m["kind"], m["target"], m.get("resource"), f"m{i}") for i, m in enumerate(row["metrics"])),
        row["min_replicas"],
        row["max_replicas"],
        behavior and Behavior(rules(behavior["scale_up"]), rules(behavior["scale_down"])),
        row["tolerance"],
        "1.32",
        row["cpu_initialization_period_ms"] / 1000,
        row["initial_readiness_delay_ms"] / 1000,
        row["downscale_stabilization_ms"] / 1000,
        "Deployment/ns/d",
    )


def pods_of(sync: Row) -> list[Pod]:
    return [
        Pod(name, phase, seconds(start), ready, seconds(change), deleting, request, request)
        for name, phase, start, ready, change, deleting, request in sync["pods"]
    ]


def values_of(kinds: list[str], sync: Row) -> Iterator[MetricValue]:
    for kind, value in zip(kinds, sync["metrics"], strict=True):
        if value == "error":
            yield Unavailable()
        elif kind.startswith("external_"):
            yield value
        else:
            yield [sample and Sample(sample[0], sample[1] / 1000, sample[2] / 1000) for sample in value]


def entries(events: list[list[int]]) -> list[tuple[int, int]]:
    return [(n, t_ms * 10**6) for n, t_ms in events]


def compare(row: Row) -> int:
    """Compare every sync of a sequence with what was recorded; how many syncs that was."""
    autoscaler = recorded(row)
    kinds = [metric["kind"] for metric in row["metrics"]]
    for sync in row["syncs"]:
        told = sync["t_ms"] / 1000, sync["spec_replicas"], pods_of(sync), list(values_of(kinds, sync))
        proposals = autoscaler.propose(*told, sync["status_replicas"])
        decision = autoscaler.decide(*told, sync["status_replicas"])
        conditions = decision.conditions
        seen = {
            "calc": [(p.replicas, p.utilisation, p.average_milli, p.error) for p in proposals],
            "desired": decision.desired,
            "rescaled": decision.rescaled,
            "err": decision.error,
            "AbleToScale": conditions.able_to_scale,
            "ScalingActive": conditions.scaling_active,
            "ScalingLimited": conditions.scaling_limited,
        }
        wanted = {
            "calc": [(c["replicas"], c["util"], c.get("raw", 0), c.get("err", "")) for c in sync["calc"]],
            "desired": sync["desired"],
            "rescaled": sync["rescaled"],
            "err": sync.get("err", ""),
            "AbleToScale": sync["cond"].get("AbleToScale", ""),
            "ScalingActive": sync["cond"].get("ScalingActive", ""),
            "ScalingLimited": sync["cond"].get("ScalingLimited", ""),
        }
        assert seen == wanted, (row["id"], sync["t_ms"])
        assert decision.proposals in ((), proposals)
        if row["id"] % 5 == 0:
            history = autoscaler.history
            assert history.recommendations == entries(sync.get("recs", [])), (row["id"], sync["t_ms"])
            assert history.up_events == entries(sync.get("up_events", [])), (row["id"], sync["t_ms"])
            assert history.down_events == entries(sync.get("down_events", [])), (row["id"], sync["t_ms"])
    return len(row["syncs"])


@pytest.mark.parametrize("mode", ["nil", "default", "custom"])
def test_every_recorded_decision_of_the_real_controller(shared: Path, mode: str) -> None:
    with gzip.open(shared / "golden" / "hpa.jsonl.gz", "rt") as lines:
        rows = [row for row in map(json.loads, lines) if row["behavior_mode"] == mode]
    syncs = sum(compare(row) for row in rows)
    assert syncs == 120 * {"nil": 19, "default": 18, "custom": 35}[mode]


def test_the_way_up_and_down_without_a_behavior() -> None:
    loop = Loop(shared_load(), 1)
    assert [loop.sync(50_000) for _ in range(6)] == [4, 8, 16, 32, 50, 50]
    assert loop.decisions[1].conditions.scaling_limited == "True:ScaleUpLimit"
    assert loop.decisions[1].reason == "external metric load(nil) above target"
    assert [loop.sync(3_000) for _ in range(21)] == [50] * 20 + [3]  # a recommendation 300 s old still counts
    assert loop.decisions[-2].conditions.able_to_scale == "True:ScaleDownStabilized"
    assert loop.decisions[-1].reason == "All metrics below target"


def test_the_way_up_and_down_with_the_usual_behavior() -> None:
    loop = Loop(shared_load(behavior=Behavior()), 1)
    assert [loop.sync(50_000) for _ in range(6)] == [5, 10, 20, 40, 50, 50]
    assert [loop.sync(3_000) for _ in range(20)] == [50] * 19 + [3]  # here it does not


def test_policies_count_changes_of_both_directions_within_their_period() -> None:
    up = ScalingRules(policies=(ScalingPolicy("Pods", 3, 60),))
    down = ScalingRules(0, "Min", (ScalingPolicy("Percent", 50, 60), ScalingPolicy("Pods", 4, 60)))
    loop = Loop(shared_load(behavior=Behavior(up, down)), 10)
    assert [loop.sync(30_000) for _ in range(6)] == [13, 13, 13, 13, 16, 16]
    # 13 were there 60 s before, then 16: 4 fewer at most. On the way back 3 more than the 16, wherever they are now.
    assert [loop.sync(1_000) for _ in range(3)] == [9, 9, 9]
    assert loop.sync(30_000) == 19


def test_each_kind_of_metric_in_a_case_worked_out_by_hand() -> None:
    pods = ready_pods(4)
    cases: list[tuple[MetricSpec, MetricValue, tuple[int, int, int]]] = [
        (CPU, samples([1000, 900, 950, 1001]), (5, 96, 962)),  # 3851/4000 is 96 percent; ceil(1.2 * 4)
        (MetricSpec("resource_raw", 500, "memory"), samples([1000, 900, 950, 1001]), (8, 962, 0)),
        (PER_POD, samples([200, 300, 100, 301]), (1, 225, 0)),
        (MetricSpec("external_value", 1000), [1200, 300], (6, 1500, 0)),
        (MetricSpec("external_per_pod", 1000), [5000, 1], (6, 1251, 0)),
    ]
    for metric, value, expected in cases:
        (proposal,) = Hpa((metric,), 1, 10).propose(0.0, 4, pods, [value])
        assert (proposal.replicas, proposal.utilisation, proposal.average_milli) == expected, metric


def test_the_greatest_of_several_metrics_counts_and_one_that_is_missing_keeps_the_replicas_from_falling() -> None:
    def decide(load_milli: int, other: MetricValue) -> HpaDecision:
        autoscaler = Hpa((PER_POD, MetricSpec("external_per_pod", 1000)), 1, 20)
        return autoscaler.decide(15.0, 4, ready_pods(4), [samples([load_milli] * 4), other])

    both = decide(1500, [7000])
    assert (both.desired, [p.replicas for p in both.proposals], both.reason) == (
        7, [6, 7], "external metric metric(nil) above target"
    )  # fmt: skip
    up = decide(1500, Unavailable("no adapter"))
    assert (up.desired, up.rescaled, up.reason) == (6, True, "pods metric concurrency above target")
    assert "no adapter" in up.error
    down = decide(500, Unavailable("no adapter"))
    assert (down.desired, down.rescaled, down.conditions.scaling_active) == (4, False, "False:FailedGetExternalMetric")


def test_the_tolerance_of_either_release() -> None:
    def proposed(percent: int, form: Any, behavior: Behavior | None = None) -> int:
        autoscaler = Hpa((CPU,), 1, 20, behavior, tolerance_form=form)
        return autoscaler.propose(15.0, 10, ready_pods(10), [samples([10 * percent] * 10)])[0].replicas

    assert [proposed(percent, "1.32") for percent in (71, 72, 87, 88, 89)] == [9, 10, 10, 11, 12]
    assert [proposed(percent, "1.33") for percent in (71, 72, 87, 88, 89)] == [9, 10, 10, 10, 12]
    exact_down = Behavior(scale_down=ScalingRules(tolerance=0.0))
    exact_up = Behavior(scale_up=ScalingRules(tolerance=0.0))
    assert [proposed(percent, "1.33", exact_down) for percent in (72, 79, 80, 88)] == [9, 10, 10, 10]
    assert [proposed(percent, "1.33", exact_up) for percent in (72, 80, 81, 88)] == [10, 10, 11, 11]


def test_cpu_counts_once_a_pod_is_ready_and_measured_since() -> None:
    def proposed(pod: Pod, timestamp_s: float, now_s: float) -> int:
        """What three pods at twice the target and this one, likewise, ask for: 8 if it counts, 6 if not."""
        value = [*samples([1600] * 3), Sample(1600, timestamp_s, 15.0)]
        return Hpa((CPU,), 1, 20).propose(now_s, 4, [*ready_pods(3), pod], [value])[0].replicas

    def starting(ready: bool | None, change_s: float | None) -> Pod:
        return Pod("new", "Running", 1000.0, ready, change_s, False, 1000)

    assert proposed(starting(True, 1010.0), 1024.999, 1025.0) == 6
    assert proposed(starting(True, 1010.0), 1025.0, 1025.0) == 8
    assert proposed(starting(False, 1010.0), 1100.0, 1299.999) == 6
    assert proposed(starting(False, 1029.999), 1100.0, 1300.0) == 6  # was never ready
    assert proposed(starting(False, 1030.0), 1100.0, 1300.0) == 8
    assert proposed(starting(None, None), 1400.0, 1400.0) == 6


def test_what_is_not_known_of_pods_makes_the_change_smaller() -> None:
    def proposed(values_milli: list[int | None], target: int = 80, phase: Any = "Running") -> int:
        pods = [*ready_pods(len(values_milli) - 1), Pod("last", phase, -2000.0, True, -1900.0, False, 1000)]
        metric = MetricSpec("resource_util", target, "cpu")
        return Hpa((metric,), 1, 20).propose(0.0, len(pods), pods, [samples(values_milli)])[0].replicas

    assert proposed([1600, 1600, 1600, 1600]) == 8
    assert proposed([1600, 1600, 1600, None]) == 6  # as if it used nothing
    assert proposed([400, 400, 400, 400]) == 2
    assert proposed([400, 400, 400, None]) == 3  # as if it used all that it requests: 55/80 * 4
    assert proposed([1000, 1000, 1000, None], target=200) == 3  # or the target if that is more: 125/200 * 4
    assert proposed([1600, 1600, 1600, 0], phase="Pending") == 6
    assert proposed([400, 400, 400, 0], phase="Pending") == 2  # ceil(0.5 * 3)
    assert proposed([1600, 1600, 1600, 0], phase="Failed") == 6  # not there at all: ceil(2 * 3)


def test_metrics_that_cannot_be_computed_say_why() -> None:
    def error(metric: MetricSpec, pods: list[Pod], value: MetricValue) -> str:
        return Hpa((metric,), 1, 20).decide(15.0, 2, pods, [value]).proposals[0].error

    assert error(PER_POD, [], []).startswith("no pods returned")
    assert error(MetricSpec("external_value", 1000), [], [5000]).startswith("unable to calculate ready pods: no pods")
    assert error(CPU, ready_pods(2), samples([None, None])).startswith("did not receive metrics")
    assert error(CPU, [*ready_pods(1), Pod("bare", "Failed")], samples([1, None])).endswith("cpu of Pod bare")
    assert error(CPU, ready_pods(2, request_milli=0), samples([1, 1])) == "no metrics returned matched known pods"


def test_averages_are_cut_towards_zero() -> None:
    (proposal,) = Hpa((PER_POD,), 1, 20).propose(0.0, 2, ready_pods(2), [samples([-2, 1])])
    assert proposal.utilisation == 0


def test_a_metric_below_zero_asks_for_none_and_at_none_for_less_than_there_are() -> None:
    loop = Loop(shared_load(low=0), 3)
    loop.sync(-5000)
    assert [n for n, _ in loop.autoscaler.history.recommendations] == [3, 0]
    two = Hpa((MetricSpec("external_value", 1000), MetricSpec("external_per_pod", 1000)), 0, 9)
    assert two.decide(15.0, 0, [], [[-5000], Unavailable()]).error.startswith("failed to compute")
    assert two.decide(30.0, 0, [], [[0], Unavailable()]).error.startswith("invalid metrics")


@pytest.mark.parametrize("behavior", [None, Behavior()])
def test_a_bound_is_named_before_a_rate_that_is_the_same(behavior: Behavior | None) -> None:
    loop = Loop(shared_load(high=10, behavior=behavior), 5)
    assert loop.sync(20_000) == 10
    assert loop.decisions[0].conditions.scaling_limited == "True:TooManyReplicas"


def test_zero_replicas_stay_zero_unless_zero_is_a_bound() -> None:
    assert Loop(shared_load(low=1), 0).sync(5000) == 0
    loop = Loop(shared_load(low=0), 0)
    assert [loop.sync(load) for load in (0, 5000)] == [0, 4]


def test_replicas_out_of_bounds_are_moved_there_at_once_and_remembered_as_changes() -> None:
    loop = Loop(shared_load(low=3, high=10, behavior=Behavior()), 20)
    assert loop.sync(0) == 10
    assert loop.decisions[0].reason == "Current number of replicas above Spec.MaxReplicas"
    loop.replicas = 1
    assert loop.sync(0) == 3
    assert loop.decisions[1].reason == "Current number of replicas below Spec.MinReplicas"
    assert [n for n, _ in loop.autoscaler.history.down_events + loop.autoscaler.history.up_events] == [10, 2]


def test_the_replicas_that_are_there_are_the_pods_that_go_on() -> None:
    pods = [*ready_pods(2), Pod("ending", deleting=True), Pod("done", "Succeeded"), Pod("new", "Pending")]
    by_pods, told = (shared_load().propose(0.0, 5, pods, [[9000]], status) for status in (None, 3))
    assert by_pods == told
    assert by_pods[0].utilisation == 3000


def test_times_that_differ_by_a_rounding_error_are_equal() -> None:
    assert to_ns(0.1 + 0.2) == to_ns(0.3) == 300_000_000
    loop = Loop(shared_load(downscale_stabilization_s=0.3), 1, step_s=0.1)
    assert [loop.sync(load) for load in (4_000, 1_000, 1_000, 1_000, 1_000)] == [4, 4, 4, 4, 1]


def test_an_autoscaler_pickles_with_what_it_remembers() -> None:
    loop = Loop(shared_load(behavior=Behavior()), 1)
    loads = [50_000, 50_000, 1_000, 60_000, 2_000]
    for load in loads:
        loop.sync(load)
    again = pickle.loads(pickle.dumps(loop))
    assert [again.sync(load) for load in loads] == [loop.sync(load) for load in loads]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"metrics": ()}, "metrics"), ({"min_replicas": -1}, "min_replicas"), ({"max_replicas": 0}, "max_replicas"),
     ({"min_replicas": 5, "max_replicas": 4}, "max_replicas"), ({"min_replicas": 0}, "min_replicas"),
     ({"tolerance": -0.1}, "tolerance"), ({"tolerance": nan}, "tolerance"),
     ({"tolerance_form": "1.31"}, "tolerance_form"),
     ({"cpu_initialization_period_s": -1.0}, "cpu_initialization_period_s"),
     ({"initial_readiness_delay_s": inf}, "initial_readiness_delay_s"),
     ({"downscale_stabilization_s": -1.0}, "downscale_stabilization_s"), ({"target": "function"}, "target"),
     ({"tolerance_form": "1.32", "behavior": Behavior(ScalingRules(tolerance=0.2))}, "behavior")],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^Hpa: {named} "):
        Hpa(**{"metrics": (CPU,), "min_replicas": 1, "max_replicas": 9, **parameters})


@pytest.mark.parametrize(
    ("cls", "parameters", "named"),
    [(MetricSpec, {"kind": "cpu", "target": 80}, "kind"), (MetricSpec, {"kind": "pods", "target": 0}, "target"),
     (MetricSpec, {"kind": "resource_util", "target": 80}, "resource"),
     (MetricSpec, {"kind": "pods", "target": 80, "resource": "cpu"}, "resource"),
     (ScalingPolicy, {"type": "Nodes", "value": 1, "period_s": 15}, "type"),
     (ScalingPolicy, {"type": "Pods", "value": 0, "period_s": 15}, "value"),
     (ScalingPolicy, {"type": "Pods", "value": 1, "period_s": 1801}, "period_s"),
     (ScalingPolicy, {"type": "Pods", "value": 1, "period_s": 1.5}, "period_s"),
     (ScalingRules, {"stabilization_s": 3601}, "stabilization_s"), (ScalingRules, {"select": "max"}, "select"),
     (ScalingRules, {"policies": ()}, "policies"), (ScalingRules, {"tolerance": -1}, "tolerance")],
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(cls: type, parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^{cls.__name__}: {named} "):
        cls(**parameters)


@pytest.mark.parametrize(
    ("now_s", "spec", "values", "named"),
    [(nan, 2, [[Sample(1, 0.0, 15.0)] * 2], "now_s"), (0.0, -1, [[Sample(1, 0.0, 15.0)] * 2], "spec_replicas"),
     (0.0, 2, [], "metric_values"), (0.0, 2, [[Sample(1, 0.0, 15.0)]], "metric_values"),
     (0.0, 2, [[Sample(0.5, 0.0, 15.0)] * 2], "the sum")],  # type: ignore[arg-type]
)  # fmt: skip
def test_what_cannot_be_decided_on_is_refused(now_s: float, spec: int, values: list[MetricValue], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^Hpa: {named} "):
        Hpa((PER_POD,), 1, 9).decide(now_s, spec, ready_pods(2), values)
