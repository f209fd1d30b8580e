"""Checks of single numbers: what is none is refused, wherever a number is asked for, in words that name it."""

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest

import sim
from sim.core import checks
from sim.policies import AdaptiveWindow, HybridHistogram, PingWarmer, ProvisionedFloor, Scheduled

TRACE = sim.Trace.from_arrays(["f"], [1.0], 1.0)
FIXED = sim.policies.FixedWindow(60)


@pytest.mark.parametrize("value", [0, 1.5, np.float32(2.5), np.int64(3), np.float64(0.0)])
def test_numbers(value: object) -> None:
    checks.number("x", value, low=0)


@pytest.mark.parametrize("value", ["a", None, True, np.bool_(True), nan, 1j, [1.0], np.array([1.0])])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(sim.ConfigError, match="x must be a number, not"):
        checks.number("x", value, finite=False)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"above": 7}, "x must be a finite number > 7, not 7"),
        ({"low": 8}, "x must be a finite number >= 8, not 7"),
        ({"high": 6}, "x must be a finite number <= 6, not 7"),
        ({"low": 0, "high": 6.5}, "x must be a finite number from 0 to 6.5, not 7"),
        ({"above": 0, "high": 6, "finite": False}, "x must be a number > 0 and <= 6, not 7"),
    ],
)
def test_bounds_are_told(bounds: dict[str, float], message: str) -> None:
    with pytest.raises(sim.ConfigError) as error:
        checks.number("x", 7, **bounds)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_whole_numbers() -> None:
    for value in (0, 5, np.int64(5)):
        checks.whole("n", value, low=0)
    for value in (5, 5.0, inf, np.float64(7.0)):
        checks.whole("n", value, low=0, or_infinity=True)
    for wrong in (5.0, 1.5, inf, nan, True, "5", None, -1):
        with pytest.raises(sim.ConfigError, match="n must be a whole number >= 0, not"):
            checks.whole("n", wrong, low=0)
    for wrong in (1.5, nan, -inf, -1, True, "5", None):
        with pytest.raises(sim.ConfigError, match="n must be a whole number >= 0 or infinity, not"):
            checks.whole("n", wrong, low=0, or_infinity=True)


def platform(**options: object) -> Callable[[], object]:
    return lambda: sim.Platform(**{"start_s": 1.0, **options})  # type: ignore[arg-type]


def simulate(**options: object) -> Callable[[], object]:
    return lambda: sim.simulate(TRACE, FIXED, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (platform(max_instances=1.5), "max_instances must be a whole number >= 1 or infinity, not 1.5"),
        (platform(max_instances_per_unit=0.5), "max_instances_per_unit must be a whole number >= 1 or infinity"),
        (platform(queue_limit=0.5), "queue_limit must be a whole number >= 0 or infinity, not 0.5"),
        (platform(start_attempts=1.5), "start_attempts must be a whole number >= 1, not 1.5"),
        (platform(concurrency=1.5), "concurrency must be a whole number >= 1, not 1.5"),
        (platform(concurrency=True), "concurrency must be a whole number >= 1, not True"),
        (platform(max_wait_s=True), "max_wait_s must be a number of seconds >= 0, not True"),
        (platform(prewarm_lead_s="1"), "prewarm_lead_s must be a number of seconds >= 0, not '1'"),
        (platform(max_lifetime_s="a"), "max_lifetime_s must be a number of seconds > 0, not 'a'"),
        (platform(start_s="a"), "start_s must be a finite number of seconds >= 0, not 'a'"),
        (platform(start_s=True), "start_s must be a finite number of seconds >= 0, not True"),
        (platform(start_failure_probability="a"), "start_failure_probability must be a finite number from 0 to 1"),
        (simulate(warm_up_s="a"), "warm_up_s must be a number of seconds, not 'a'"),
        (simulate(horizon_s="a"), "horizon_s must be a number of seconds, not 'a'"),
        (simulate(replication=-1), "replication must be a whole number >= 0, not -1"),
        (lambda: Scheduled(((0, 1), ("a", 2))), "start_s of a step must be a finite number"),  # type: ignore[arg-type]
        (lambda: Scheduled(((0, 1), 5)), "steps must be pairs of seconds and instances"),  # type: ignore[arg-type]
        (lambda: Scheduled(7), "steps must be pairs of seconds and instances, not 7"),  # type: ignore[arg-type]
        (lambda: Scheduled(((0, 1.5),)), "instances must be a whole number >= 0, not 1.5"),  # type: ignore[arg-type]
        (lambda: Scheduled(period_s="a"), "period_s must be a number of seconds > 0, not 'a'"),  # type: ignore[arg-type]
        (lambda: ProvisionedFloor(True), "instances must be a whole number >= 0, not True"),
        (lambda: PingWarmer(period_s="a"), "period_s must be a finite number of seconds > 0"),  # type: ignore[arg-type]
        (lambda: PingWarmer(pings=1.5), "pings must be a whole number >= 1, not 1.5"),  # type: ignore[arg-type]
        (lambda: AdaptiveWindow(min_gaps=2.5), "min_gaps must be a whole number >= 0, not 2.5"),  # type: ignore[arg-type]
        (lambda: HybridHistogram(min_gaps=2.5), "min_gaps must be a whole number >= 0, not 2.5"),  # type: ignore[arg-type]
    ],
)
def test_every_number_is_checked(call: Callable[[], object], message: str) -> None:
    with pytest.raises(sim.ConfigError) as error:
        call()
    assert message in str(error.value)
