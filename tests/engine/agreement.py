"""Whether two engines agree on a scenario: on every call, instance and start to the bit, and on what they add up to."""

from typing import Any

import numpy as np
import pandas as pd

import sim
from sim.engine import engines, reference
from sim.platform.platform import Platform
from sim.policies import KeepAlive
from sim.results.columns import Columns, Requests

OF_CALLS = ("function", "arrival_s", "start_s", "end_s", "start_kind", "outcome", "instance", "busy_since_s",
            "idle_since_s")  # fmt: skip
OF_INSTANCES = ("function", "instance", "created_s", "ready_s", "awaited", "idle_since_s", "ended_s")
PRICE, PROVIDER = sim.load_pricing(), sim.load_provider()
MONEY_AND_MEANS = ("user_cost", "latency_mean", "wait_mean", "cold_wait_mean", "downloaded")
"""What is added function by function where no call is kept, and so may differ in the last digits."""
SECONDS = ("starting_s", "unawaited_start_s", "busy_s", "idle_s", "wait_s")


def assert_same(name: str, a: Any, b: Any) -> None:
    np.testing.assert_array_equal(np.asarray(a), np.asarray(b), name, strict=True)


def assert_same_calls(a: Requests, b: Requests) -> None:
    for name in OF_CALLS:
        assert_same(name, getattr(a, name), getattr(b, name))
    for name in ("prewarmed", "on_provisioned"):
        assert_same(name, np.sort(getattr(a, name)), np.sort(getattr(b, name)))


def assert_same_columns(a: Columns, b: Columns, service_s: np.ndarray) -> None:
    """Instances of one instant, and what was held, may be told in any order."""
    assert_same_calls(a.requests, b.requests)
    assert_same_calls(a.pings, b.pings)
    assert a.ping_s == b.ping_s
    orders = [np.lexsort((c.instances.instance, c.instances.function)) for c in (a, b)]
    for name in OF_INSTANCES:
        assert_same(name, *(getattr(c.instances, name)[order] for c, order in zip((a, b), orders, strict=True)))
    for c in (a, b):
        assert (np.diff(c.instances.created_s) >= 0).all()
    assert_same("starts", a.starts.frame(), b.starts.frame())
    assert_same("execution", a.execution_s(service_s), b.execution_s(service_s))
    held = [np.lexsort((c.allocations.to_s, c.allocations.from_s, c.allocations.function)) for c in (a, b)]
    for name in ("function", "from_s", "to_s"):
        assert_same(name, *(getattr(c.allocations, name)[order] for c, order in zip((a, b), held, strict=True)))


def assert_agree(trace: sim.Trace, policy: KeepAlive, platform: Platform) -> None:
    """Both engines record the same."""
    arguments = {"horizon_s": trace.horizon_s, "seed": 3, "replication": 1}
    ours = engines.replay("compiled", trace, policy, platform, **arguments)
    theirs = reference.run(trace, policy, platform, **arguments)
    assert_same_columns(ours, theirs, trace.service_s)


def assert_same_sums(trace: sim.Trace, policy: KeepAlive, platform: Platform, **options: Any) -> None:
    """Both engines come to the same, the compiled one recording and not."""
    options = {"price": PRICE, "provider": PROVIDER, **options}
    results = [
        sim.simulate(trace, policy, platform, engine=engine, record=record, **options)
        for engine, record in (("simpy", False), ("compiled", False), ("compiled", True))
    ]
    assert [r.about["engine"] for r in results] == ["simpy", "compiled", "compiled"]
    theirs, *ours = results
    for result in ours:
        money = result.functions.pop("user_cost_usd"), theirs.functions["user_cost_usd"]
        pd.testing.assert_frame_equal(result.functions, theirs.functions[list(result.functions)], check_exact=True)
        np.testing.assert_allclose(*money, rtol=1e-9, atol=1e-18)
        pd.testing.assert_series_equal(result.summary, theirs.summary, rtol=1e-9, atol=1e-15)
    exact = [name for name in ours[0].summary.index if not name.startswith(MONEY_AND_MEANS)]
    pd.testing.assert_series_equal(ours[0].summary[exact], ours[1].summary[exact], check_exact=True)
