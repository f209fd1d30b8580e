"""Caps, queues, slots, patience and instance choice against queueing theory and an independent simulator.

With instances that stay for ever and start in no time, a cap of c makes a unit c servers: rejecting is Erlang's loss
system, queueing his delay system.
"""

from math import ceil, exp, factorial, inf

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats
from theory import Sampler, assert_mean, erlang_b

from sim.engine import reference
from sim.platform.platform import Platform
from sim.policies import FixedWindow, KeepForever
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import COLD, OK, QUEUED, REJECTED, TIMED_OUT, Columns
from sim.workload.trace import Trace


def exponential(mean_s: float) -> Sampler:
    return lambda random, n: random.exponential(mean_s, n)


def tables(functions: int) -> pd.DataFrame:
    return Trace.from_arrays(range(functions), [0.0] * functions, 0.0).functions


TABLES = {n: tables(n) for n in (1, 2, 100)}


def poisson(seed: int, rates: list[float], length_s: float, services: list[Sampler]) -> Trace:
    """Functions called by independent Poisson processes."""
    random = np.random.default_rng(seed)
    parts = []
    for rate, service in zip(rates, services, strict=True):
        n = random.poisson(rate * length_s)
        parts.append((random.uniform(0.0, length_s, n), service(random, n)))
    function = np.repeat(np.arange(len(rates), dtype=np.int32), [a.size for a, _ in parts])
    arrival_s, service_s = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(arrival_s, kind="stable")
    return Trace(function[order], arrival_s[order], service_s[order], TABLES[len(rates)], length_s)


def run(trace: Trace, policy: KeepAlive | None = None, *, start_s: float = 0.0, **options: object) -> Columns:
    platform = Platform(start_s=start_s, **options)
    return reference.run(trace, policy or KeepForever(), platform, horizon_s=trace.horizon_s)


def share(columns: Columns, what: np.ndarray, warm_up_s: float) -> float:
    """The share of calls, after the warm-up, of which something is true."""
    return float(np.mean(what[columns.requests.arrival_s >= warm_up_s]))


def erlang_c(servers: int, load: float) -> float:
    loss = erlang_b(servers, load)
    return loss / (1 - load / servers * (1 - loss))


# Loss: a cap, and calls that find no room are rejected.

SERVICES: dict[str, Sampler] = {
    "exponential": exponential(1.0),
    "deterministic": lambda _, n: np.full(n, 1.0),
    "uniform": lambda random, n: random.uniform(0.0, 2.0, n),
    "pareto, infinite variance": lambda random, n: 0.8 / 1.8 * (1 + random.pareto(1.8, n)),
    "hyperexponential": lambda random, n: random.exponential(np.where(random.random(n) < 0.1, 5.5, 0.5)),
}


@pytest.mark.parametrize(("cap", "load"), [(1, 0.5), (2, 3.0), (5, 4.0), (10, 7.0), (10, 20.0)])
@pytest.mark.parametrize("binding", ["early", "late", "race"])
def test_erlang_b(cap: int, load: float, binding: str) -> None:
    shares = []
    for seed in range(8):
        trace = poisson(seed, [load], 8000 / load, [exponential(1.0)])
        columns = run(trace, max_instances_per_unit=cap, binding=binding)
        shares.append(share(columns, columns.requests.outcome == REJECTED, 20.0))
    assert_mean(shares, erlang_b(cap, load), width=0.15)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_the_loss_depends_on_the_mean_service_only(service: Sampler) -> None:
    shares = []
    for seed in range(10):
        columns = run(poisson(seed, [4.0], 2500.0, [service]), max_instances=5)
        shares.append(share(columns, columns.requests.outcome == REJECTED, 50.0))
    assert_mean(shares, erlang_b(5, 4.0), width=0.12)


def test_functions_that_share_a_cap_lose_alike_and_as_one_with_their_summed_load() -> None:
    """Zero window: room is never held by an idle instance of the other function."""
    shares: list[list[float]] = [[], []]
    for seed in range(12):
        trace = poisson(seed, [2.0, 0.5], 4000.0, [exponential(1.0), lambda _, n: np.full(n, 4.0)])
        requests = run(trace, FixedWindow(0.0), max_instances=5).requests
        for f in (0, 1):
            shares[f].append(float(np.mean(requests.outcome[requests.function == f] == REJECTED)))
    for values in shares:
        assert_mean(values, erlang_b(5, 4.0), width=0.1)


def test_a_cap_a_function_beside_a_cap_in_all() -> None:
    """Two classes, each at most 2 of 3 servers: the product form on the states that are allowed."""
    loads, own, both = (1.5, 0.7), 2, 3
    states = [(i, j) for i in range(own + 1) for j in range(own + 1) if i + j <= both]
    weight = {(i, j): loads[0] ** i / factorial(i) * loads[1] ** j / factorial(j) for i, j in states}
    total = sum(weight.values())
    lost = [sum(w for s, w in weight.items() if s[f] == own or sum(s) == both) / total for f in (0, 1)]
    shares: list[list[float]] = [[], []]
    for seed in range(12):
        trace = poisson(seed, list(loads), 4000.0, [exponential(1.0), exponential(1.0)])
        requests = run(trace, FixedWindow(0.0), max_instances=both, max_instances_per_unit=own).requests
        for f in (0, 1):
            shares[f].append(float(np.mean(requests.outcome[requests.function == f] == REJECTED)))
    for values, expected in zip(shares, lost, strict=True):
        assert_mean(values, expected, width=0.1)


# Delay: a cap, and calls that find no room wait.


@pytest.mark.parametrize(
    ("cap", "slots", "load", "binding"),
    [
        (1, 1, 0.6, "early"), (3, 1, 2.0, "early"), (3, 1, 2.0, "late"), (3, 1, 2.0, "race"), (8, 1, 6.0, "early"),
        (2, 2, 3.0, "early"), (2, 4, 6.0, "late"), (4, 2, 6.0, "race"),
    ],
)  # fmt: skip
def test_erlang_c(cap: int, slots: int, load: float, binding: str) -> None:
    """Who waits, how long, and the tail of it: an instance with slots is as many servers."""
    servers = cap * slots
    waits, means, tails = [], [], []
    at_s = 1.0 / (servers - load)
    for seed in range(12):
        trace = poisson(seed, [load], 12_000 / load, [exponential(1.0)])
        columns = run(trace, max_instances_per_unit=cap, concurrency=slots, binding=binding, queue_limit=inf)
        requests = columns.requests
        wait_s = requests.start_s - requests.arrival_s
        assert np.array_equal(wait_s > 0, (requests.start_kind == QUEUED) & (wait_s > 0))
        waits.append(share(columns, wait_s > 0, 50.0))
        means.append(share(columns, wait_s, 50.0))
        tails.append(share(columns, wait_s > at_s, 50.0))
        assert columns.instances.instance.size <= cap
    waiting = erlang_c(servers, load)
    assert_mean(waits, waiting, width=0.15)
    assert_mean(means, waiting / (servers - load), width=0.25)
    assert_mean(tails, waiting * exp(-1.0), width=0.25)


def test_a_cap_in_all_with_a_queue_is_the_same_delay_system() -> None:
    """Two functions, zero window: whichever call came first gets the room that an ended instance leaves."""
    waits, means = [], []
    for seed in range(12):
        trace = poisson(seed, [1.2, 0.8], 6000.0, [exponential(1.0), exponential(1.0)])
        columns = run(trace, FixedWindow(0.0), max_instances=3, queue_limit=inf)
        wait_s = columns.requests.start_s - columns.requests.arrival_s
        waits.append(share(columns, wait_s > 0, 50.0))
        means.append(share(columns, wait_s, 50.0))
    waiting = erlang_c(3, 2.0)
    assert_mean(waits, waiting, width=0.1)
    assert_mean(means, waiting, width=0.15)


@pytest.mark.parametrize(("cap", "limit", "load"), [(1, 1, 0.8), (1, 5, 0.9), (3, 4, 3.5), (4, 2, 2.0)])
@pytest.mark.parametrize("binding", ["early", "late", "race"])
def test_a_bounded_queue_is_m_m_c_k(cap: int, limit: int, load: float, binding: str) -> None:
    weight = [load**n / factorial(min(n, cap)) / cap ** max(0, n - cap) for n in range(cap + limit + 1)]
    lost = []
    for seed in range(10):
        trace = poisson(seed, [load], 8000 / load, [exponential(1.0)])
        columns = run(trace, max_instances_per_unit=cap, queue_limit=limit, binding=binding)
        lost.append(share(columns, columns.requests.outcome == REJECTED, 50.0))
    assert_mean(lost, weight[-1] / sum(weight), width=0.25)


@pytest.mark.parametrize(("cap", "load", "patience_s"), [(1, 0.9, 0.5), (3, 2.5, 0.3), (4, 6.0, 1.0)])
@pytest.mark.parametrize("binding", ["early", "late", "race"])
def test_patience(cap: int, load: float, patience_s: float, binding: str) -> None:
    """M/M/c+D (Baccelli and Hébuterne 1981): who gives up, and nobody waits longer than the patience."""
    idle = [load**j / factorial(j) for j in range(cap)]  # in units of P(none busy)
    over = load * idle[-1] * exp((load - cap) * patience_s) / cap  # the wait offered exceeds the patience
    within = load * idle[-1] * -np.expm1((load - cap) * patience_s) / (cap - load)
    gone = []
    for seed in range(10):
        trace = poisson(seed, [load], 8000 / load, [exponential(1.0)])
        columns = run(trace, max_instances_per_unit=cap, queue_limit=inf, max_wait_s=patience_s, binding=binding)
        requests = columns.requests
        assert np.nanmax(requests.start_s - requests.arrival_s) <= patience_s
        assert set(requests.outcome.tolist()) == {OK, TIMED_OUT}
        gone.append(share(columns, requests.outcome == TIMED_OUT, 50.0))
    assert_mean(gone, over / (sum(idle) + within + over), width=0.15)


# Slots without a cap.


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("choice", ["most_recently_idle", "oldest_created", "random"])
def test_instances_that_stay_are_the_peak_of_busy_slots_rounded_up(slots: int, choice: str) -> None:
    """Nothing starts while any slot is free: exact, for every trace. Busy slots are Poisson, lambda E[S] in mean."""
    busy = []
    for seed in range(8):
        trace = poisson(seed, [6.0], 1000.0, [exponential(2.0)])
        columns = run(trace, concurrency=slots, instance_choice=choice)
        ends = np.sort(trace.arrival_s + trace.duration_s)
        found = np.arange(len(trace)) - np.searchsorted(ends, trace.arrival_s, "right")
        assert columns.instances.instance.size == ceil((found.max() + 1) / slots)
        assert np.array_equal(columns.requests.end_s, trace.arrival_s + trace.duration_s)
        busy.append(float(found[trace.arrival_s > 20].mean()))
    assert_mean(busy, 12.0, width=0.1)


# Which of the idle instances: M/M/infinity under a window, as in SimFaaS (Mahmoudi and Khazaei 2021).

RATE, SERVICE_S, START_S = 0.9, 1.991, 0.253


def stays(level: int, time_s: float) -> np.ndarray:
    """P(the busy count stays <= level for that long | it starts at j), for j = 0..level."""
    up, down = np.full(level + 1, RATE), np.arange(level + 1) / SERVICE_S
    rates = np.diag(-(up + down)) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)
    return linalg.expm(rates * time_s) @ np.ones(level + 1)


def exact_most_recent(window_s: float) -> tuple[float, float]:
    """Cold-start probability and mean instances, most recently idle first, zero start: ``test_closed_forms.py``."""
    busy = stats.poisson.pmf(range(40), RATE * SERVICE_S)
    stay = [stays(b, window_s) for b in range(40)]
    cold = sum(busy[b] * stay[b][b] for b in range(40))
    return float(cold), float(sum(1 - busy[: b + 1] @ stay[b] for b in range(40)))


def expected_peak(length_s: float) -> float:
    """The mean of the greatest busy count within that time, from an empty system."""
    return float(sum(1 - stays(b, length_s)[0] for b in range(40)))


def cold_and_instances(columns: Columns, warm_up_s: float, end_s: float) -> np.ndarray:
    lives = columns.instances
    alive_s = np.clip(lives.ended_s, warm_up_s, end_s) - np.clip(lives.created_s, warm_up_s, end_s)
    cold = share(columns, columns.requests.start_kind == COLD, warm_up_s)
    return np.array([cold, alive_s.sum() / (end_s - warm_up_s)])


@pytest.mark.parametrize(
    ("window_s", "cold", "cold_error", "instances", "instances_error"),
    [
        (60.0, 0.0161, 0.00025, 5.890, 0.03),
        (300.0, 0.00285, 0.0001, 7.19, 0.04),
        (600.0, 0.001339, 0.000036, 7.7035, 0.0216),
        (1200.0, 0.00067, 0.00005, 8.19, 0.05),
    ],
)
def test_newest_created_first(
    window_s: float, cold: float, cold_error: float, instances: float, instances_error: float
) -> None:
    """SimFaaS's rule, against an independent simulator; 3 of its standard errors are allowed beside ours.

    Each replication is corrected by how far the most recently idle rule without start-ups, of which the answer is known
    exactly, misses it on the same trace (control variates).
    """
    exact = np.array(exact_most_recent(window_s))
    corrected = []
    for seed in range(12):
        trace = poisson(seed, [RATE], 40_000.0, [exponential(SERVICE_S)])
        newest = run(trace, FixedWindow(window_s), start_s=START_S, instance_choice="newest_created")
        control = run(trace, FixedWindow(window_s))
        misses = cold_and_instances(control, 8000.0, 40_000.0) - exact
        corrected.append(cold_and_instances(newest, 8000.0, 40_000.0) - misses)
    colds, means = np.array(corrected).T
    assert_mean(list(colds), cold, width=0.1, tolerance=cold_error)
    assert_mean(list(means), instances, width=0.01, tolerance=instances_error)


@pytest.mark.parametrize(
    ("choice", "cold", "cold_error", "width", "instances"),
    [
        ("most_recently_idle", 0.0165, 0.00025, 0.06, 5.9),
        ("newest_created", 0.0161, 0.00025, 0.06, 5.89),
        ("oldest_created", 0.0160, 0.00025, 0.06, 5.9),  # the mirror image: lowest index first
        ("random", 0.00040, 0.00003, 0.45, 8.4),
    ],
)
def test_the_choice_of_the_instance_matters_enormously(
    choice: str, cold: float, cold_error: float, width: float, instances: float
) -> None:
    """A window of 60 s: cold starts differ by a factor of 40, and of 500 with the least recently idle (below)."""
    values = []
    for seed in range(12):
        trace = poisson(100 + seed, [RATE], 30_000.0, [exponential(SERVICE_S)])
        columns = run(trace, FixedWindow(60.0), start_s=START_S, instance_choice=choice)
        values.append(cold_and_instances(columns, 3000.0, 30_000.0))
    colds, means = np.array(values).T
    assert_mean(list(colds), cold, width=width, tolerance=cold_error)
    assert_mean(list(means), instances, width=0.05, tolerance=0.05)


def test_least_recently_idle_first_never_shrinks() -> None:
    """Each instance is used within every window, so cold starts are records of the busy count: exact, and its theory.

    The independent simulator's .00003 and 10.8 instances are the records of its 4e5 s.
    """
    peaks = []
    for seed in range(12):
        trace = poisson(100 + seed, [RATE], 20_000.0, [exponential(SERVICE_S)])
        columns = run(trace, FixedWindow(60.0), instance_choice="least_recently_idle")
        ends = np.sort(trace.arrival_s + trace.duration_s)
        found = np.arange(len(trace)) - np.searchsorted(ends, trace.arrival_s, "right")
        assert (columns.requests.start_kind == COLD).sum() == found.max() + 1
        peaks.append(float(found.max() + 1))
    assert_mean(peaks, expected_peak(20_000.0), width=0.12)
    assert expected_peak(4e5) / (4e5 * RATE) == pytest.approx(0.00003, abs=0.000005)
    over_time = np.mean([expected_peak(t) for t in (0.5e5, 1.5e5, 2.5e5, 3.5e5)])
    assert over_time == pytest.approx(10.8, abs=0.6)  # of 6 runs, in which the peak has a deviation of about 1


def test_faascache() -> None:
    """100 functions x 0.1 calls/s x 1 s x 10 minutes x 100,000 calls: FaasCache's own numbers for its two orders."""
    for choice, low, high in (("least_recently_idle", 300, 330), ("most_recently_idle", 560, 640)):
        cold = []
        for seed in range(4):
            trace = poisson(seed, [0.1] * 100, 10_000.0, [lambda _, n: np.full(n, 1.0)] * 100)
            columns = run(trace, FixedWindow(600.0), instance_choice=choice)
            cold.append(int((columns.requests.start_kind == COLD).sum()))
        assert low <= np.mean(cold) <= high, cold
