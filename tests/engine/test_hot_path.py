"""What a warm call costs, counted: calendar events and calls of functions, Python's and C's. Nothing is timed."""

import gc
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from math import inf
from types import FrameType
from typing import Any, Final

import numpy as np
import pytest

import sim
from sim.engine import reference
from sim.platform.platform import Platform
from sim.policies import Clairvoyant, FixedWindow, KeepAlive
from sim.workload.trace import Trace

CALLS: Final = 500
WARM_CALL: Final = {
    "Trigger._arrive": 1,
    "Router.route": 1,
    "Instance.serve": 1,
    "Ledger.warm_start": 1,
    "ConstantWindowPool.release": 1,
    "InstancePool._keep": 1,
    "Trigger._schedule": 1,
    "heappop": 2,
    "heappush": 2,
    "pop": 1,
    "append": 1,
    "len": 1,
}
"""The recorded price of a warm call. Make it smaller at will; a larger one wants a reason."""


def one_by_one(calls: int) -> Trace:
    """All but the first find the same instance idle, within a minute: no window's alarm rings in between."""
    arrival_s = np.arange(calls) / 32
    arrival_s[1:] += 20.0
    return Trace.from_arrays(np.zeros(calls, np.int64), arrival_s, 1 / 64)


def of_three(calls: int) -> Trace:
    """The same with three functions, whose calls overlap."""
    arrival_s = np.arange(calls) / 32
    arrival_s[3:] += 20.0
    return Trace.from_arrays(np.arange(calls) % 3, arrival_s, 1 / 16)


def counted(trace: Trace, policy: KeepAlive, platform: Platform) -> Counter[str]:
    """Every function that a run calls, by name, and how often."""
    count: Counter[str] = Counter()

    def see(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            count[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            count[function.__name__] += 1

    before = sys.getprofile()
    gc.disable()  # others may have hung functions of theirs on it
    sys.setprofile(see)
    try:
        reference.run(trace, policy, platform, horizon_s=trace.horizon_s)
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def a_warm_call(trace: Callable[[int], Trace], policy: KeepAlive, platform: Platform) -> dict[str, float]:
    """What each call adds to a run in which only the first ones are cold."""
    counted(trace(6), policy, platform)  # what is worked out once and kept
    few, many = (counted(trace(calls), policy, platform) for calls in (CALLS, 2 * CALLS))
    many.subtract(few)
    return {name: more / CALLS for name, more in many.items() if more}


@pytest.mark.parametrize("trace", [one_by_one, of_three])
@pytest.mark.parametrize("platform", ["default", "constant_start"])
def test_a_warm_call_is_two_events_and_seven_functions(trace: Callable[[int], Trace], platform: str) -> None:
    assert a_warm_call(trace, FixedWindow(600), sim.load_platform(platform)) == WARM_CALL


def test_a_window_a_call_costs_no_more() -> None:
    renamed = {name.replace("ConstantWindowPool", "CallWindowPool"): n for name, n in WARM_CALL.items()}
    measured = a_warm_call(one_by_one, Clairvoyant(600.0), sim.load_platform("constant_start"))
    assert {name: measured[name] for name in renamed} == renamed
    assert all(of.startswith("Clairvoyant") or of in renamed or measured[of] < 0.5 for of in measured)


def test_a_life_costs_a_comparison_where_the_window_outlasts_it_and_else_nothing() -> None:
    platform = sim.load_platform("default", max_lifetime_s=1e6)
    assert a_warm_call(one_by_one, FixedWindow(600), platform) == WARM_CALL
    assert a_warm_call(one_by_one, FixedWindow(inf), platform) == WARM_CALL | {"max": 1}


def test_options_at_their_defaults_are_the_platform_without_them() -> None:
    """Whatever options a platform has: off, they are priced by the test above."""
    plain = Platform(start_s=0.25)
    for option in fields(Platform):
        if option.name not in ("start", "start_s"):
            same = replace(plain, **{option.name: option.default})
            assert same.is_plain(same.deployed(one_by_one(2).functions)), option.name
    assert a_warm_call(one_by_one, FixedWindow(600), plain) == WARM_CALL


@pytest.mark.parametrize(
    ("options", "functions"),
    [
        ({"binding": "late"}, 25),
        ({"isolation": "app"}, 25),
        ({"max_instances": 50, "queue_limit": 5}, 25),
        ({"concurrency": 2}, 26),
        ({"instance_choice": "random"}, 29),
    ],
)
def test_the_longer_way_is_two_events_and_so_many_functions(options: dict[str, Any], functions: int) -> None:
    """Python's and C's together; the short way has 14."""
    price = a_warm_call(one_by_one, FixedWindow(600), Platform(start_s=0.25, **options))
    assert price["heappop"] == 2
    assert sum(price.values()) == functions
    assert sum(WARM_CALL.values()) == 14
