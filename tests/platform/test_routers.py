"""Several routers: short logs made by hand, and laws."""

import sys
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.core.errors import ConfigError
from sim.core.random import stream, uniform
from sim.engine import reference
from sim.platform import Platform
from sim.policies import (
    FixedWindow,
    HybridHistogram,
    NoKeepAlive,
    PingWarmer,
    ProvisionedFloor,
)
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import NOT_STARTED, START_KINDS, Columns

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from small import UNITS, function_table

FUNCTIONS = sim.Trace.from_arrays(
    range(3), [0.0] * 3, 0.0, functions=pd.DataFrame({"name": list("abc"), "app": ["x", "x", "y"]})
).functions

A = {"start_s": 0.0, "routers": 2, "route_delay_s": 1.0, "hop_s": 0.25}


def routed(columns: Columns) -> list[tuple[str, float, int, int]]:
    """Start kind, start, instance and hops of every call."""
    requests = columns.requests
    kinds = [START_KINDS[k] for k in requests.start_kind.tolist()]
    hops = [0] * len(kinds) if requests.hops is None else requests.hops.tolist()
    return list(zip(kinds, requests.start_s.tolist(), requests.instance.tolist(), hops, strict=True))


def routers_of(trace: sim.Trace, seed: int, routers: int) -> np.ndarray:
    """The router of each call: what the docs say, computed anew."""
    keys = stream(seed, 0, "router", *trace.function_keys()).tolist()
    counts = [0] * len(trace.functions)
    chosen = []
    for function in trace.function.tolist():
        chosen.append(int(uniform(keys[function], counts[function]) * routers))
        counts[function] += 1
    return np.array(chosen, np.int32)


def through(routers: str, arrival_s: list[float], duration_s: object, function: list[int] | None = None) -> "Run":
    """A trace, and the first seed whose draws send its calls through the routers named, a digit a call."""
    functions = function or [0] * len(arrival_s)
    trace = sim.Trace.from_arrays(functions, arrival_s, duration_s, horizon_s=max(arrival_s) + 20.0)
    wanted = [int(digit) for digit in routers]
    seed = next(s for s in range(20_000) if routers_of(trace, s, max(wanted) + 1).tolist() == wanted)
    return Run(trace, seed)


@dataclass(frozen=True)
class Run:
    """A trace and a seed."""

    trace: sim.Trace
    seed: int

    def __call__(self, policy: KeepAlive | None = None, **options: object) -> list[tuple[str, float, int, int]]:
        return routed(self.columns(policy, **options))

    def columns(self, policy: KeepAlive | None = None, **options: object) -> Columns:
        platform = Platform(**(A | options))
        return reference.run(
            self.trace, policy or FixedWindow(10.0), platform, horizon_s=self.trace.horizon_s, seed=self.seed
        )


# By hand


def test_a_call_is_cold_although_another_router_knows_of_an_idle_instance() -> None:
    # Row 0 ends at 1 and router 0 knows; router 1 will at 2. Row 1 comes through it at 1.5, row 2 through 0 at 1.75.
    run = through("010", [0.0, 1.5, 1.75], [1.0, 5.0, 1.0])
    assert run() == [("cold", 0.0, 0, 0), ("cold", 1.5, 1, 0), ("warm", 1.75, 0, 0)]
    assert run(route_delay_s=0.0) == [("cold", 0.0, 0, 0), ("warm", 1.5, 0, 0), ("cold", 1.75, 2, 0)]


def test_news_of_the_very_instant_is_known() -> None:
    run = through("01", [0.0, 2.0], 1.0)
    assert run() == [("cold", 0.0, 0, 0), ("warm", 2.0, 0, 0)]
    assert run(route_delay_s=float(np.nextafter(2.0, 3.0)) - 1.0) == [("cold", 0.0, 0, 0), ("cold", 2.0, 1, 0)]


def test_a_stale_entry_costs_a_hop_and_then_the_call_misses() -> None:
    # Router 1 learns at 2 of the slot that router 0 takes at 3; it learns that at 4, but is asked at 3.5.
    run = through("001", [0.0, 3.0, 3.5], [1.0, 4.0, 1.0])
    assert run() == [("cold", 0.0, 0, 0), ("warm", 3.0, 0, 0), ("cold", 3.75, 2, 1)]
    assert run(start_s=0.5)[2] == ("cold", 4.25, 2, 1)  # its start begins when it misses


def test_after_a_hop_the_router_chooses_anew_from_what_it_knows_then() -> None:
    # Two instances, free from 1 and from 1.25. Router 1 tries the later one, which router 0 has just taken.
    run = through("0001", [0.0, 0.0, 3.0, 3.5], [1.0, 1.25, 4.0, 1.0])
    assert run()[2:] == [("warm", 3.0, 1, 0), ("queued", 3.75, 0, 1)]
    assert run(hop_s=0.0)[2:] == [("warm", 3.0, 1, 0), ("warm", 3.5, 0, 1)]
    assert run(instance_choice="least_recently_idle")[2:] == [("warm", 3.0, 0, 0), ("queued", 3.75, 1, 1)]


def test_an_instance_that_has_ended_costs_its_own_router_a_hop_until_it_has_heard() -> None:
    # It ends at 1 + 2 = 3: no call did that, so the only router there is learns it at 4 as well.
    run = through("00", [0.0, 3.5], 1.0)
    assert run(FixedWindow(2.0), routers=1) == [("cold", 0.0, 0, 0), ("cold", 3.75, 1, 1)]
    assert run(FixedWindow(1.5), routers=1) == [("cold", 0.0, 0, 0), ("cold", 3.5, 1, 0)]
    assert run(FixedWindow(2.5), routers=1) == [("cold", 0.0, 0, 0), ("warm", 3.5, 0, 0)]


def test_news_that_is_older_than_what_a_router_knows_first_hand_is_ignored() -> None:
    # Router 1 takes the instance at 4 on what it heard at 2.25. The news that router 0 freed it at 3.5 comes at
    # 4.75, when it is busy: router 1 knows better, and its next call, at 5, costs no hop.
    run = through("0011", [0.0, 3.0, 4.0, 5.0], [1.0, 0.5, 6.0, 1.0])
    assert run(route_delay_s=1.25)[2:] == [("warm", 4.0, 0, 0), ("cold", 5.0, 3, 0)]


def test_a_refusal_is_first_hand_too() -> None:
    # Router 0 has it from 3 to 3.25 and from 3.5 on. Router 1 is refused at 3.75; at 4.5 it hears of 3.25.
    run = through("00011", [0.0, 3.0, 3.5, 3.75, 4.625], [1.0, 0.25, 6.0, 6.0, 1.0])
    assert run(route_delay_s=1.25)[3:] == [("cold", 4.0, 3, 1), ("cold", 4.625, 4, 0)]


def test_a_full_cache_forgets_what_it_learnt_longest_ago() -> None:
    # a is learnt at 1, b at 3: with room for one a is forgotten, and starts anew.
    run = through("000", [0.0, 2.0, 4.0], 1.0, function=[0, 1, 0])
    one = {"routers": 1, "route_delay_s": 0.0}
    assert [kind for kind, *_ in run(**one, route_cache_size=2)] == ["cold", "cold", "warm"]
    columns = run.columns(**one, route_cache_size=1)
    assert routed(columns)[2] == ("cold", 4.0, 2, 0)
    assert columns.instances.ended_s.tolist() == [11.0, 13.0, 15.0]  # an instance nobody knows idles out


def test_what_is_learnt_anew_is_not_the_oldest() -> None:
    # a, b, then a again: b is the one learnt longest ago when c comes.
    calls = {"arrival_s": [0.0, 2.0, 4.0, 6.0, 8.0, 8.5], "duration_s": 0.5, "function": [0, 1, 0, 2, 0, 1]}
    kinds = [kind for kind, *_ in through("0" * 6, **calls)(routers=1, route_delay_s=0.0, route_cache_size=2)]
    assert kinds == ["cold", "cold", "warm", "cold", "warm", "cold"]


def test_patience_counts_from_the_arrival_whatever_hops_there_were() -> None:
    run = through("001", [0.0, 3.0, 3.5], [1.0, 4.0, 1.0])
    for start_s, max_wait_s, served in ((0.5, 0.75, False), (0.5, 0.8, True), (0.0, 0.25, False), (0.0, 0.2, False)):
        columns = run.columns(start_s=start_s, max_wait_s=max_wait_s, policy=FixedWindow(10.0))
        if start_s:  # the first call would give up too
            assert START_KINDS[columns.requests.start_kind[0]] == ("cold" if max_wait_s > start_s else "")
        assert (columns.requests.start_kind[2] != NOT_STARTED) == served, (start_s, max_wait_s)
        assert columns.requests.hops.tolist() == [0, 0, 1]


def test_a_prewarmed_instance_is_known_after_the_delay() -> None:
    run = through("01", [0.5, 1.0], 0.25)
    assert run(ProvisionedFloor(2, window_s=5.0)) == [("cold", 0.5, 0, 0), ("warm", 1.0, -1, 0)]
    assert run(ProvisionedFloor(2, window_s=5.0), route_delay_s=0.0) == [("warm", 0.5, -1, 0), ("warm", 1.0, -1, 0)]


def test_the_spare_slots_of_a_start_are_known_at_once_to_the_router_that_asked_for_it() -> None:
    run = through("0011", [0.0, 0.5, 0.5, 1.0], 5.0)
    assert [(kind, instance) for kind, _, instance, _ in run(concurrency=2)] == [
        ("cold", 0), ("warm", 0), ("cold", 2), ("warm", 2)
    ]  # fmt: skip


def test_pings_are_sent_by_draws_of_their_own() -> None:
    run = through("0" * 3, [31.0, 61.0, 91.0], 0.5)
    forever = {"route_delay_s": inf, "routers": 2}
    columns = run.columns(PingWarmer(period_s=10.0, window_s=15.0, ping_s=0.1), **forever)
    key = int(stream(run.seed, 0, "router.ping", *run.trace.function_keys())[0])
    sent = [int(uniform(key, p) * 2) for p in range(columns.pings.function.size)]
    assert set(sent) == {0, 1}
    instances = columns.pings.instance.tolist()
    assert len(set(instances)) > 1
    by_router = [{i for i, router in zip(instances, sent, strict=True) if router == r} for r in (0, 1)]
    assert not by_router[0] & by_router[1]  # neither ever hears of the other's


def test_hops_of_counted_calls_are_in_the_summary() -> None:
    run = through("001", [0.0, 3.0, 3.5], [1.0, 4.0, 1.0])
    options = {"policy": FixedWindow(10.0), "platform": Platform(**A), "seed": run.seed}
    result = sim.simulate(run.trace, **options)
    assert result.invocations is not None
    assert result.invocations["hops"].tolist() == [0, 0, 1]
    assert result.summary["stale_hops"] == 1
    assert sim.simulate(run.trace, **options, warm_up_s=3.75).summary["stale_hops"] == 0
    alone = sim.simulate(run.trace, FixedWindow(10.0), Platform(start_s=0.0))
    assert alone.invocations is not None
    assert "hops" not in alone.invocations
    assert alone.summary["stale_hops"] == 0


@pytest.mark.parametrize(
    "option",
    [{"routers": 0}, {"route_cache_size": 0.5}, {"route_delay_s": -1.0}, {"route_delay_s": float("nan")},
     {"hop_s": -1.0}, {"hop_s": inf}],
)  # fmt: skip
def test_routers_that_cannot_be(option: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(option))):
        Platform(start_s=1.0, **option)


# Laws


@st.composite
def traces(draw: st.DrawFn, calls: int = 25) -> sim.Trace:
    """Calls on a grid, so that nearly everything happens at the same instants."""
    unit = draw(st.sampled_from(UNITS))
    n = draw(st.integers(1, calls))
    steps = st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 5]), min_size=n, max_size=n)
    arrival_s = np.cumsum(draw(steps)) * unit
    duration_s = np.array(draw(steps)) * unit
    function = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int32)
    return sim.Trace(function, arrival_s, duration_s, FUNCTIONS, float(arrival_s[-1]))


SPANS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 3.0])
CHOICES = ("most_recently_idle", "least_recently_idle", "random", "newest_created", "oldest_created")
POLICIES = (
    NoKeepAlive(),
    FixedWindow(1.0),
    FixedWindow(3.0),
    HybridHistogram(bin_s=0.5, range_s=10.0, min_gaps=2),
    PingWarmer(period_s=2.0, window_s=1.0, ping_s=0.1, pings=2),
    ProvisionedFloor(1, window_s=2.0),
)


@st.composite
def platforms(draw: st.DrawFn) -> Platform:
    """Every option but those of the routers."""
    return Platform(
        start_s=draw(SPANS),
        max_lifetime_s=draw(st.sampled_from([inf, inf, 0.5, 5.0])),
        isolation=draw(st.sampled_from(["function", "app"])),
        instance_choice=draw(st.sampled_from(CHOICES)),
        binding=draw(st.sampled_from(["early", "late", "race"])),
        concurrency=draw(st.integers(1, 3)),
        max_wait_s=draw(st.sampled_from([inf, inf, 0.0, 1.0])),
        max_instances_per_unit=draw(st.sampled_from([inf, inf, 1, 2])),
        queue_limit=draw(st.sampled_from([0, 2])),
        start_failure_probability=draw(st.sampled_from([0.0, 0.0, 0.5])),
    )


def same(a: Columns, b: Columns) -> None:
    """Every call, ping and instance of two runs is the same."""
    for ours, theirs in ((a.requests, b.requests), (a.pings, b.pings)):
        for name in ("start_s", "end_s", "start_kind", "outcome", "instance", "busy_since_s", "idle_since_s"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name), equal_nan=True), name
    for name in ("instance", "created_s", "ready_s", "ended_s", "awaited"):
        assert np.array_equal(getattr(a.instances, name), getattr(b.instances, name), equal_nan=True), name


@examples(400)
@given(traces(), platforms(), st.sampled_from(POLICIES), st.integers(1, 4), st.integers(0, 99))
def test_routers_that_know_everything_at_once_are_one_router(
    trace: sim.Trace, platform: Platform, policy: KeepAlive, routers: int, seed: int
) -> None:
    # A size that is never reached takes the way of several routers even where there is one.
    many = replace(platform, routers=routers, route_cache_size=1e9, hop_s=0.5)
    ours, theirs = (reference.run(trace, policy, p, horizon_s=trace.horizon_s, seed=seed) for p in (many, platform))
    same(ours, theirs)
    assert ours.requests.hops.tolist() == [0] * len(trace)


def split(trace: sim.Trace, seed: int, routers: int) -> sim.Trace:
    """The trace whose functions are called through one router each: thinning by the same draws."""
    function = trace.function * routers + routers_of(trace, seed, routers)
    table = function_table(len(trace.functions) * routers)
    return replace(trace.recorded(), function=function.astype(np.int32), functions=table)


@examples(300)
@given(
    traces(calls=60), st.integers(2, 3), st.integers(0, 99), SPANS, st.sampled_from([0.0, 1.0, 3.0, inf]),
    st.sampled_from(["most_recently_idle", "least_recently_idle", "newest_created", "oldest_created"]),
)  # fmt: skip
def test_routers_that_never_hear_of_each_other_keep_fleets_of_their_own(
    trace: sim.Trace, routers: int, seed: int, start_s: float, window_s: float, choice: str
) -> None:
    # An instance that has idled out is not forgotten either: its entry costs a hop, which here takes no time.
    alone = Platform(start_s=start_s, instance_choice=choice, max_instances=1e9)
    apart = replace(alone, max_instances=inf, routers=routers, route_delay_s=inf, hop_s=0.0)
    ours = reference.run(trace, FixedWindow(window_s), apart, horizon_s=trace.horizon_s, seed=seed)
    theirs = reference.run(split(trace, seed, routers), FixedWindow(window_s), alone, horizon_s=trace.horizon_s)
    same(ours, theirs)
    assert window_s < inf or not ours.requests.hops.any()


def test_two_fleets_of_poisson_calls_are_those_of_half_the_rate() -> None:
    """Calls of no duration are cold with probability exp(-rate * window): here exp(-2), with one router exp(-4)."""
    random = np.random.default_rng(7)
    n, window_s = 40_000, 4.0
    trace = sim.Trace.from_arrays(np.zeros(n, int), np.cumsum(random.exponential(1.0, n)), 0.0)
    shares = {
        routers: np.mean(
            reference.run(
                trace,
                FixedWindow(window_s),
                Platform(start_s=0.0, routers=routers, route_delay_s=inf, hop_s=0.0),
                horizon_s=trace.horizon_s,
            ).requests.start_kind
            == START_KINDS.index("cold")
        )
        for routers in (1, 2, 4)
    }
    for routers, share in shares.items():
        expected = np.exp(-window_s / routers)
        assert abs(share - expected) < 3.3 * np.sqrt(expected * (1 - expected) / n), routers


@examples(300)
@given(
    traces(calls=40), platforms(), st.sampled_from(POLICIES[:4]), st.integers(1, 4), st.sampled_from([inf, 1, 2, 4]),
    st.sampled_from([0.0, 1e-18, 0.1, 0.5, 1.0, inf]), SPANS, st.integers(0, 99),
)  # fmt: skip
def test_nothing_is_lost(
    trace: sim.Trace, platform: Platform, policy: KeepAlive, routers: int, size: float, delay_s: float, hop_s: float,
    seed: int,
) -> None:  # fmt: skip
    many = replace(platform, routers=routers, route_cache_size=size, route_delay_s=delay_s, hop_s=hop_s)
    columns = reference.run(trace, policy, many, horizon_s=trace.horizon_s, seed=seed)
    requests = columns.requests
    started = requests.start_kind != NOT_STARTED
    assert np.array_equal(started, ~np.isnan(requests.end_s))
    assert np.array_equal(requests.end_s[started], (requests.start_s + trace.service_s)[started])
    hops = np.zeros(len(trace), int) if requests.hops is None else requests.hops
    waited_s = (requests.start_s - requests.arrival_s)[started]
    assert (waited_s >= hops[started] * hop_s * (1 - 1e-9) - 1e-9).all()
    assert (waited_s[requests.start_kind[started] == START_KINDS.index("warm")] == 0).all()
    assert (requests.start_s[started] <= requests.arrival_s[started] + many.max_wait_s).all()
    assert delay_s or not hops.any()
    unit = np.array([0, 0, 2] if many.isolation == "app" else [0, 1, 2])
    for f, instance in {*zip(unit[requests.function[started]], requests.instance[started], strict=True)}:
        on = started & (unit[requests.function] == f) & (requests.instance == instance)
        steps = sorted([(t, 1) for t in requests.start_s[on]] + [(t, -1) for t in requests.end_s[on]])
        assert max(np.cumsum([step for _, step in sorted(steps)])) <= many.concurrency


# Real traffic


@pytest.fixture(scope="module")
def azure(shared: Path) -> sim.Trace:
    folder = shared / "traces" / "azure2019_100f_8h"
    return sim.load_trace(folder, format="azure2019", arrivals="even", durations="mean")


@pytest.mark.xdist_group("azure2019")
def test_real_calls_through_eight_routers_that_know_everything_are_served_as_by_one(azure: sim.Trace) -> None:
    one = Platform(start_s=0.25, max_instances=1e9)
    many = Platform(start_s=0.25, routers=8, route_cache_size=1e9)
    ours, theirs = (reference.run(azure, FixedWindow(600.0), p, horizon_s=azure.horizon_s) for p in (many, one))
    same(ours, theirs)


@pytest.mark.xdist_group("azure2019")
def test_real_fleets_that_never_hear_of_each_other_are_those_of_functions_of_their_own(azure: sim.Trace) -> None:
    apart = Platform(start_s=0.25, routers=2, route_delay_s=inf, hop_s=0.0)
    ours = reference.run(azure, FixedWindow(600.0), apart, horizon_s=azure.horizon_s, seed=1)
    theirs = reference.run(
        split(azure, 1, 2), FixedWindow(600.0), Platform(start_s=0.25, max_instances=1e9), horizon_s=azure.horizon_s
    )
    same(ours, theirs)
    assert (
        np.count_nonzero(ours.requests.start_kind == START_KINDS.index("cold")) > 559
    )  # one router's: docs/platforms.md
