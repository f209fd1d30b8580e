"""Lambda's scaling: tables by hand, a twin of few lines, Erlang's loss, and a real trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theory import assert_mean, erlang_b, poisson_calls

import sim
from sim.core.errors import ConfigError, KeepwarmError
from sim.policies import LambdaScaling, TargetTracking
from sim.policies.rates import Quota, TokenBucket

KINDS = ("start_kind", "outcome")
ONE_S = sim.Platform(start_s=1.0)


def table(
    policy: LambdaScaling, arrival_s: list[float], service_s: float = 10.0, **functions: Any
) -> list[tuple[Any, ...]]:
    """(start kind, outcome, start) of each call of one function."""
    frame = pd.DataFrame({"name": ["f"], **{name: [value] for name, value in functions.items()}})
    trace = sim.Trace.from_arrays([0] * len(arrival_s), arrival_s, service_s, functions=frame)
    calls = sim.simulate(trace, policy, ONE_S).invocations
    return list(zip(calls["start_kind"], calls["outcome"], calls["start_s"], strict=True))


# The rates alone


def test_a_bucket_refills_continuously_and_never_above_its_capacity() -> None:
    bucket = TokenBucket(capacity=3, refill_per_s=0.5).counter()
    taken = [(t, bucket.take(t)) for t in (0.0, 0.0, 0.0, 0.0, 1.9, 2.0, 2.0, 100.0, 100.0, 100.0, 100.0)]
    assert [t for t, may in taken if may] == [0.0, 0.0, 0.0, 2.0, 100.0, 100.0, 100.0]


def test_ten_refills_of_a_tenth_are_a_token() -> None:
    bucket = TokenBucket(capacity=1, refill_per_s=0.1).counter()
    assert bucket.take(0.0)
    assert [bucket.take(k * 0.7) for k in range(1, 16)] == [k == 15 for k in range(1, 16)]


def test_a_quota_is_new_in_each_period() -> None:
    quota = Quota(most=2, period_s=60.0).counter()
    assert [quota.take(t) for t in (0.0, 59.0, 59.9, 60.0, 60.0, 61.0, 240.0)] == [
        True,
        True,
        False,
        True,
        True,
        False,
        True,
    ]


@given(st.lists(st.floats(0.0, 50.0), min_size=1), st.integers(1, 5), st.floats(0.0, 3.0))
def test_no_interval_sees_more_than_a_capacity_and_its_refills(times: list[float], capacity: int, rate: float) -> None:
    bucket = TokenBucket(capacity, rate).counter()
    taken = [t for t in sorted(times) if bucket.take(t)]
    for i, begin in enumerate(taken):
        for j, end in enumerate(taken[i:], 1):
            assert j <= capacity + rate * (end - begin) + 1e-6


# By hand


def test_calls_beyond_the_accounts_concurrency_are_rejected() -> None:
    policy = LambdaScaling(account_concurrency=2)
    assert table(policy, [0.0, 0.0, 0.0, 5.0, 11.0, 30.0]) == [
        ("cold", "ok", 1.0), ("cold", "ok", 1.0), ("", "rejected", pytest.approx(np.nan, nan_ok=True)),
        ("", "rejected", pytest.approx(np.nan, nan_ok=True)), ("warm", "ok", 11.0), ("warm", "ok", 30.0),
    ]  # fmt: skip


def test_new_instances_come_from_a_bucket() -> None:
    policy = LambdaScaling(starts_per_10_s=2)  # one every 5 s
    kinds = [kind for kind, _, _ in table(policy, [0.0, 0.0, 0.0, 4.9, 5.0, 5.0, 11.0, 11.0, 11.0])]
    # at 11 the first two are idle again; a third needs a start, and 1 + 0.2 tokens are there
    assert kinds == ["cold", "cold", "", "", "cold", "", "warm", "warm", "cold"]


def test_a_reservation_is_a_cap_and_a_share() -> None:
    functions = pd.DataFrame({"name": ["a", "b"]})
    policy = LambdaScaling(account_concurrency=4, unreserved=1, reserved={"a": 3})
    trace = sim.Trace.from_arrays([1, 1, 0, 0, 0, 0], [0.0, 0.0, 1.0, 1.0, 1.0, 1.0], 50.0, functions=functions)
    outcomes = sim.simulate(trace, policy, ONE_S).invocations["outcome"].tolist()
    assert outcomes == ["ok", "rejected", "ok", "ok", "ok", "rejected"]


def test_calls_of_asynchronous_triggers_come_again() -> None:
    policy = LambdaScaling(account_concurrency=1, asynchronous_triggers=("event",))
    # the first runs from 1 to 11; the others come again after 1, 3, 7 and 15 s, when only one of them is let in
    rows = table(policy, [0.0, 0.0, 0.0], 10.0, trigger="event")
    assert rows == [("cold", "ok", 1.0), ("queued", "ok", 15.0), ("queued", "ok", 31.0)]


def test_retries_end_with_the_age_of_the_call() -> None:
    policy = LambdaScaling(account_concurrency=1, asynchronous_triggers=("event",))
    rows = table(policy, [0.0, 0.0], 30_000.0, trigger="event")
    assert [outcome for _, outcome, _ in rows] == ["ok", "rejected"]


def test_provisioned_instances_serve_first_and_count_as_concurrency() -> None:
    policy = LambdaScaling(account_concurrency=103, provisioned=2)
    result = sim.simulate(sim.Trace.from_arrays([0] * 4, [0.0, 0.0, 0.0, 20.0], 5.0), policy, ONE_S)
    assert result.invocations["start_kind"].tolist() == ["warm", "warm", "cold", "warm"]
    assert result.invocations["instance"].iloc[3] < 0  # not the one on demand, which was used last
    all_taken = LambdaScaling(account_concurrency=102, provisioned=2)
    refused = sim.simulate(sim.Trace.from_arrays([0] * 103, [0.0] * 103, 5.0), all_taken, ONE_S)
    assert (refused.invocations["outcome"] == "rejected").sum() == 1


def test_provisioned_concurrency_follows_its_use() -> None:
    tracking = TargetTracking(target=0.5, scale_out_datapoints=3, min_capacity=1, initial_scale=1)
    policy = LambdaScaling(provisioned=tracking, allocation_s=90.0, allocated_per_s=1.0, window_s=0.0)
    busy = np.arange(0.0, 600.0, 1.0)
    trace = sim.Trace.from_arrays([0] * busy.size, busy, 0.999, horizon_s=600.0)
    result = sim.simulate(trace, policy, ONE_S, record=True)
    # one of one is in use: three datapoints at 180 s want ceil(1 / 0.5) = 2, which are there 90 + 1 s later
    held = result.instances[result.instances["instance"] < 0]
    assert held["created_s"].tolist() == [0.0, 271.0]
    assert (held["ready_s"] == held["created_s"]).all()
    # Then one of two is in use, which is the target. The log has what was wanted of provisioned ones, when it was
    decided = result.decisions[["time_s", "ready", "wanted", "why"]]
    assert decided.to_numpy().tolist() == [[0.0, 0, 1, "at start"], [180.0, 1, 2, "above target"]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"account_concurrency": 0}, "concurrency"),
        ({"reserved": {"f": 950}}, "at least 100 must be left"),
        ({"starts_per_10_s": 0}, "starts_per_10_s"),
        ({"provisioned": -1}, "provisioned"),
        ({"provisioned": sim.policies.KubernetesHpa()}, "cannot scale provisioned instances"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LambdaScaling(**wrong)


@pytest.mark.parametrize(
    ("policy", "platform", "words"),
    [
        (LambdaScaling(reserved={"nobody": 1}), {}, "no such function"),
        (LambdaScaling(provisioned=1, provisioned_functions=("nobody",)), {}, "no such function"),
        (LambdaScaling(), {"queue_limit": 1, "max_instances": 1}, "queue_limit"),
        (LambdaScaling(), {"binding": "race"}, "race"),
        (LambdaScaling(), {"route_delay_s": 1.0}, "routers"),
    ],
)
def test_what_cannot_be_run_is_refused(policy: LambdaScaling, platform: dict[str, Any], words: str) -> None:
    trace = sim.Trace.from_arrays([0], [0.0], 1.0)
    with pytest.raises(KeepwarmError, match=words):
        sim.simulate(trace, policy, sim.Platform(start_s=1.0, **platform))


# A twin that knows nothing of pools and gates


@dataclass
class Twin:
    """One request an instance, most recently idle first, windows, a concurrency, reservations and buckets."""

    policy: LambdaScaling
    start_s: float
    trace: sim.Trace
    idle: dict[int, list[tuple[float, int]]] = field(default_factory=dict)  # function: (end, row), ascending
    running: dict[int, int] = field(default_factory=dict)

    def run(self) -> list[tuple[str, str, float]]:
        """Kind, outcome and start of each call."""
        policy, trace = self.policy, self.trace
        names = trace.functions["name"].tolist()
        triggers = trace.functions["trigger"].tolist()
        unreserved = policy.account_concurrency - sum(policy.reserved.values())
        tokens = {f: (float(policy.starts_per_10_s), 0.0) for f in range(len(names))}
        out: list[tuple[str, str, float]] = [("", "rejected", np.nan)] * len(trace)
        queue: list[tuple[float, int, int, str, float]] = []
        for row, arrival in enumerate(trace.arrival_s.tolist()):
            heappush(queue, (arrival, 2, row, "call", 0.0))
        while queue:
            now, _, row, what, pause = heappop(queue)
            f = int(trace.function[row])
            idle = self.idle.setdefault(f, [])
            if what == "end":
                self.running[f] -= 1
                idle.append((now, row))
                continue
            service = float(trace.service_s[row])
            if names[f] in policy.reserved:
                room = self.running.get(f, 0) < policy.reserved[names[f]]
            else:
                room = sum(n for g, n in self.running.items() if names[g] not in policy.reserved) < unreserved
            idle[:] = [(end, r) for end, r in sorted(idle) if now <= end + policy.window_s]
            start: float | None = None
            if room and idle:
                idle.pop()
                start, kind = now, "warm" if not pause else "queued"
            elif room:
                left, since = tokens[f]
                left = min(left + (now - since) * policy.starts_per_10_s / 10, policy.starts_per_10_s)
                may = left >= 1 - 1e-9
                tokens[f] = left - may, now
                if may:
                    start, kind = now + self.start_s, "cold"
            if start is not None:
                self.running[f] = self.running.get(f, 0) + 1
                out[row] = kind, "ok", start
                heappush(queue, (start + service, 0, row, "end", 0.0))
            elif triggers[f] in policy.asynchronous_triggers:
                pause = min(2 * pause, 300.0) if pause else 1.0
                if now + pause <= float(trace.arrival_s[row]) + 21_600:
                    heappush(queue, (now + pause, 2, row, "call", pause))
        return out


@given(st.data())
def test_it_equals_a_twin(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    steps = st.one_of(st.just(0.0), st.sampled_from([0.5, 1.0, 5.0]), st.floats(0.0, 20.0))
    arrival = np.cumsum(data.draw(st.lists(steps, min_size=n, max_size=n)))
    function = data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    service = data.draw(st.lists(st.one_of(st.just(0.0), st.just(1.0), st.floats(0.0, 30.0)), min_size=n, max_size=n))
    functions = pd.DataFrame({"name": list("abc"), "trigger": ["http", "event", "http"]})
    trace = sim.Trace.from_arrays(function, arrival, service, functions=functions)
    reserved = data.draw(st.sampled_from([{}, {"a": 1}, {"b": 2}, {"a": 1, "b": 1}, {"a": 0}]))
    policy = LambdaScaling(
        window_s=data.draw(st.sampled_from([0.0, 5.0, 600.0])),
        account_concurrency=sum(reserved.values()) + data.draw(st.integers(1, 4)),
        unreserved=0,
        reserved=reserved,
        starts_per_10_s=data.draw(st.integers(1, 4)),
        asynchronous_triggers=data.draw(st.sampled_from([(), ("event",)])),
        requests_per_concurrency_s=1e6,
    )
    start_s = data.draw(st.sampled_from([0.0, 0.5, 3.0]))
    calls = sim.simulate(trace, policy, sim.Platform(start_s=start_s)).invocations
    ours = list(zip(calls["start_kind"], calls["outcome"], calls["start_s"].fillna(-1.0), strict=True))
    twins = [
        (kind, outcome, -1.0 if start != start else start)
        for kind, outcome, start in Twin(policy, start_s, trace).run()
    ]
    assert ours == twins


# Laws


@pytest.mark.parametrize(("reserved", "load"), [(1, 0.5), (4, 3.0)])
def test_what_a_reservation_throttles_is_erlangs_loss(reserved: int, load: float) -> None:
    platform = sim.Platform(start_s=0.0)
    shares = []
    for seed in range(10):
        trace = poisson_calls(seed, load, 3000.0, lambda random, n: random.exponential(1.0, n))
        policy = LambdaScaling(reserved={str(trace.functions["name"].iloc[0]): reserved})
        summary = sim.simulate(trace, policy, platform, record=False, warm_up_s=50.0).summary
        shares.append(summary["rejected"] / summary["invocations"])
    assert_mean(shares, erlang_b(reserved, load), width=0.15)


def test_wide_limits_change_nothing_on_a_real_trace() -> None:
    trace, platform = sim.load_trace("traces/default").slice(0, 7200), sim.load_platform("default")
    plain = sim.simulate(trace, sim.policies.FixedWindow(600), platform).invocations
    wide = sim.simulate(trace, LambdaScaling(account_concurrency=10**6, starts_per_10_s=10**6), platform).invocations
    pd.testing.assert_frame_equal(plain, wide)
    narrow = sim.simulate(trace, LambdaScaling(account_concurrency=3), platform)
    assert 0 < narrow.summary["rejected"] < len(trace)
    busy = narrow.invocations.query("outcome == 'ok'")
    events = sorted([(t, 1) for t in busy["arrival_s"]] + [(t, -1) for t in busy["end_s"]])
    assert np.cumsum([step for _, step in events]).max() == 3
