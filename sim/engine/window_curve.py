"""The window curve of a trace on a platform: whether it is exact there, and the one pass that makes it."""

from __future__ import annotations

from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.core.errors import ConfigError
from sim.engine.simulate import measured_span
from sim.platform.platform import Platform
from sim.platform.startup.parts import NO_TABLE
from sim.results.idle_periods import IdlePeriods, idle_periods
from sim.results.metrics import MB_PER_GB
from sim.results.window_curve import WindowCurve, curve_of
from sim.workload.trace import Trace

NO_START: Final = Platform(start_s=0.0)
"""The plainest platform on which the curve is exact."""


def window_curve(
    trace: Trace,
    platform: Platform = NO_START,
    *,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    approximate: bool = False,
) -> WindowCurve:
    """Cold starts and waste of every fixed window, without a run; see `sim.window_curve`."""
    left_out = exact_on(trace, platform, approximate=approximate)
    span = measured_span(trace, warm_up_s, horizon_s)
    return curve_of(_periods(trace, platform, span.end_s), span, left_out)


def exact_on(trace: Trace, platform: Platform, *, approximate: bool) -> tuple[str, ...]:
    """What the curve leaves out, see `why_inexact`.

    Raises:
        ConfigError: it leaves something out, and no approximation was asked for.
    """
    for name, value, kind in (("trace", trace, Trace), ("platform", platform, Platform)):
        if not isinstance(value, kind):
            raise ConfigError(f"{name} must be a {kind.__name__}, not {value!r}")
    left_out = why_inexact(trace, platform)
    if left_out and not approximate:
        raise ConfigError(
            f"the window curve is not exact on this platform: {'; '.join(left_out)}. Change that, or ask for the"
            " approximation that leaves it out (approximate)"
        )
    return left_out


def why_inexact(trace: Trace, platform: Platform) -> tuple[str, ...]:
    """What a platform has that the curve of `trace` leaves out, a phrase each; empty where it is exact."""
    concurrency = platform.deployed(trace.functions)["concurrency"].to_numpy()
    reasons = {
        "starts take time": _starts_take_time(trace, platform),
        "starts may fail": platform.start_failure_probability > 0,
        "instances have a maximum lifetime": platform.max_lifetime_s != inf,
        "instances serve several requests at a time": bool((concurrency[_called(trace)] > 1).any()),
        "the number of instances is limited": min(platform.max_instances, platform.max_instances_per_unit) < inf,
        "calls do not wait (max_wait_s is 0)": platform.max_wait_s == 0,
        "free instances are not taken most recently idle first": platform.instance_choice != "most_recently_idle",
        "there are several routers, or one that does not know of every free instance": not platform.routes_are_true,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _starts_take_time(trace: Trace, platform: Platform) -> bool:
    called = _called(trace)
    phases = platform.start_model.resolve(platform.deployed(trace.functions))
    return any(bool(np.any((p.offset[called] > 0) | (p.table[called] != NO_TABLE))) for p in phases)


def _called(trace: Trace) -> npt.NDArray[np.bool_]:
    called: npt.NDArray[np.bool_] = trace.calls_per_function > 0
    return called


def _periods(trace: Trace, platform: Platform, horizon_s: float) -> IdlePeriods:
    """The idle periods of the calls that arrive up to the horizon, that instant included."""
    rows = slice(0, int(np.searchsorted(trace.arrival_s, horizon_s, "right")))
    function, arrival_s = trace.function[rows], trace.arrival_s[rows]
    unit, gb = units_and_memory(trace, platform)
    return idle_periods(unit[function], arrival_s, arrival_s + trace.service_s[rows], gb[function])


def units_and_memory(trace: Trace, platform: Platform) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Of each function: the number of what shares its instances, and the GB of one of them."""
    gb = platform.deployed(trace.functions)["memory_mb"].to_numpy(np.float64) / MB_PER_GB
    unit = np.arange(gb.size, dtype=np.int64)
    if platform.isolation == "app":
        unit = trace.functions.groupby(["owner", "app"], sort=False).ngroup().to_numpy().astype(np.int64)
    return unit, gb
