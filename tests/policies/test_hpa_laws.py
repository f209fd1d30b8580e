"""The horizontal pod autoscaler: what holds whatever it decides."""

from collections.abc import Iterator
from itertools import pairwise
from math import ceil, inf
from typing import Any

from hpa_loop import CPU, PER_POD, Loop, ready_pods, samples, shared_load
from hypothesis import given
from hypothesis import strategies as st

from sim.policies.scaling.hpa import Hpa
from sim.policies.scaling.hpa_values import Behavior, MetricSpec, MetricValue, Pod, ScalingPolicy, ScalingRules


@st.composite
def directions(draw: st.DrawFn, longest_s: int = 120) -> ScalingRules:
    """Rules of a direction; their longest period is `longest_s`."""
    periods_s = [longest_s, *draw(st.lists(st.sampled_from([1, 15, 30, 60, longest_s]), max_size=2))]
    kinds = st.sampled_from(["Pods", "Percent"])
    policies = tuple(ScalingPolicy(draw(kinds), draw(st.integers(1, 120)), period_s) for period_s in periods_s)
    stabilization_s = draw(st.none() | st.sampled_from([0, 15, 40, 300]))
    return ScalingRules(stabilization_s, draw(st.sampled_from(["Max", "Min"])), policies)


BEHAVIORS = st.none() | st.builds(Behavior, directions(), directions())
LOADS = st.lists(st.tuples(st.sampled_from([1.0, 14.5, 15.0, 60.0]), st.integers(0, 60_000)), min_size=1, max_size=40)


def follow(loop: Loop, loads: list[tuple[float, int]]) -> Iterator[tuple[float, int, int, int]]:
    """Syncs: the time, the replicas before, what the metric asked for, the replicas after."""
    for step_s, load_milli in loads:
        before = loop.replicas
        loop.step_s = step_s
        after = loop.sync(load_milli)
        yield loop.now_s, before, loop.decisions[-1].proposals[0].replicas, after


@given(BEHAVIORS, LOADS, st.integers(1, 20), st.integers(0, 30), st.integers(1, 60))
def test_the_replicas_stay_within_their_bounds(
    behavior: Behavior | None, loads: list[tuple[float, int]], low: int, span: int, first: int
) -> None:
    loop = Loop(shared_load(low, low + span, behavior), first)
    for _, load_milli in loads:
        assert low <= loop.sync(load_milli) <= low + span


@given(BEHAVIORS, LOADS, st.integers(1, 40), st.sampled_from([0.0, 15.0, 300.0]))
def test_no_change_goes_beyond_any_recommendation_of_its_window(
    behavior: Behavior | None, loads: list[tuple[float, int]], first: int, window_s: float
) -> None:
    loop = Loop(shared_load(1, 50, behavior, downscale_stabilization_s=window_s), first)
    up_s, down_s = 0.0, window_s
    if behavior:
        up_s = behavior.scale_up.stabilization_s or 0.0
        down_s = window_s if behavior.scale_down.stabilization_s is None else behavior.scale_down.stabilization_s
    past = [(loads[0][0], first)]
    for now_s, before, wanted, after in follow(loop, loads):
        # What is as old as the window counts only without a behaviour; there the way up, too, is to the greatest.
        in_window = [n for at_s, n in past if now_s - at_s < down_s or (not behavior and now_s - at_s == down_s)]
        greatest = max([wanted, *in_window])
        least = min([wanted, *(n for at_s, n in past if now_s - at_s < up_s)]) if behavior else greatest
        assert after >= min(before, greatest)
        assert after <= max(before, least)
        past.append((now_s, wanted))


@given(directions(), directions(), LOADS, st.integers(1, 40))
def test_no_change_goes_beyond_what_policies_allow_since_the_start_of_their_periods(
    up: ScalingRules, down: ScalingRules, loads: list[tuple[float, int]], first: int
) -> None:
    loop = Loop(shared_load(1, 1000, Behavior(up, down)), first)
    replicas = [(-inf, first)]
    for now_s, before, _, after in follow(loop, loads):
        for sign, rules in ((1, up), (-1, down)):
            reached = []
            for policy in rules.policies or ():
                start = [n for at_s, n in replicas if at_s <= now_s - policy.period_s][-1]
                # A percentage may be off by one: it is rounded, the product being a little off itself.
                change = policy.value if policy.type == "Pods" else start * policy.value / 100 + 1
                reached.append(start + sign * change)
            boldest = max(reached, key=lambda n: sign * n)
            mildest = min(reached, key=lambda n: sign * n)
            allowed = {"Max": boldest, "Min": mildest}[rules.select]
            assert sign * (after - before) <= 0 or sign * (allowed - after) >= 0
        replicas.append((now_s, after))


@given(st.builds(Behavior, directions(), directions()), LOADS, st.integers(1, 40), st.booleans())
def test_a_direction_that_is_disabled_is_never_taken(
    behavior: Behavior, loads: list[tuple[float, int]], first: int, up: bool
) -> None:
    off = ScalingRules(select="Disabled")
    behavior = Behavior(off, behavior.scale_down) if up else Behavior(behavior.scale_up, off)
    seen = [first, *(after for *_, after in follow(Loop(shared_load(1, 50, behavior), first), loads))]
    assert all(after <= before if up else after >= before for before, after in pairwise(seen))


KINDS = st.sampled_from([
    CPU,
    MetricSpec("resource_util", 130, "memory"),
    MetricSpec("resource_raw", 700, "cpu"),
    PER_POD,
    MetricSpec("external_value", 9_000),
    MetricSpec("external_per_pod", 1_000),
])  # fmt: skip
FORMS = st.sampled_from(["1.32", "1.33"])


def value_of(metric: MetricSpec, values_milli: list[int]) -> MetricValue:
    return values_milli if metric.kind.startswith("external_") else samples(list(values_milli))


@given(KINDS, st.integers(1, 200), BEHAVIORS, FORMS, st.sampled_from([0.0, 0.1]))
def test_pods_exactly_at_their_target_stay_as_many(
    metric: MetricSpec, count: int, behavior: Behavior | None, form: Any, tolerance: float
) -> None:
    each_milli = metric.target * 10 if metric.kind == "resource_util" else metric.target
    total = [metric.target] if metric.kind == "external_value" else [each_milli] * count
    autoscaler = Hpa((metric,), 1, 200, behavior, tolerance, form)
    for sync in range(3):
        decision = autoscaler.decide(15.0 * sync, count, ready_pods(count), [value_of(metric, total)])
        assert (decision.desired, decision.rescaled, decision.error) == (count, False, "")


@given(KINDS, st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 2000)), min_size=1, max_size=30), FORMS)
def test_more_load_never_asks_for_fewer_replicas(metric: MetricSpec, loads: list[tuple[int, int]], form: Any) -> None:
    autoscaler = Hpa((metric,), 1, 200, tolerance_form=form)
    less, more = ([load for load, _ in loads], [load + added for load, added in loads])
    fewer, greater = (
        autoscaler.propose(0.0, len(loads), ready_pods(len(loads)), [value_of(metric, values)])[0].replicas
        for values in (less, more)
    )
    assert fewer <= greater


@given(
    st.sampled_from([CPU, MetricSpec("resource_util", 130, "memory"), PER_POD]),
    st.lists(st.none() | st.integers(0, 3000), min_size=1, max_size=12),
    st.integers(0, 4),
)
def test_pods_of_which_nothing_is_known_never_turn_the_direction(
    metric: MetricSpec, values_milli: list[int | None], pending: int
) -> None:
    count = len(values_milli) + pending
    pods = [*ready_pods(len(values_milli)), *(Pod(f"n{i}", "Pending", None, None, None, False, 1000, 1000)
                                              for i in range(pending))]  # fmt: skip
    autoscaler = Hpa((metric,), 1, 200)
    (proposal,) = autoscaler.propose(0.0, count, pods, [samples([*values_milli, *[None] * pending])])
    known = [value for value in values_milli if value is not None]
    if not known:
        assert proposal.error
    elif proposal.utilisation > metric.target:
        assert count <= proposal.replicas <= max(count, ceil(proposal.utilisation / metric.target * len(known)))
    else:
        assert proposal.replicas <= count
