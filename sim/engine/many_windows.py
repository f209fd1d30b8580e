"""Many fixed windows from one pass over a trace, compiled where it can be."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.engine.compiled.coverage import is_installed
from sim.engine.simulate import measured_span
from sim.engine.window_curve import NO_START, exact_on, units_and_memory, window_curve
from sim.platform.platform import Platform
from sim.results.window_curve import checked_windows, table
from sim.workload.trace import Trace


def many_windows(
    trace: Trace,
    windows_s: npt.ArrayLike,
    platform: Platform = NO_START,
    *,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    approximate: bool = False,
) -> pd.DataFrame:
    """What each of many windows comes to, without a run; see `sim.many_windows`."""
    windows = np.atleast_1d(checked_windows(windows_s))
    if not is_installed():
        curve = window_curve(trace, platform, warm_up_s=warm_up_s, horizon_s=horizon_s, approximate=approximate)
        return curve.at(windows)
    exact_on(trace, platform, approximate=approximate)
    span = measured_span(trace, warm_up_s, horizon_s)
    rows = slice(0, int(np.searchsorted(trace.arrival_s, span.end_s, "right")))
    unit, gb = units_and_memory(trace, platform)
    of_units = np.zeros(int(unit.max(initial=-1)) + 1)
    of_units[unit] = gb
    ascending, place = np.unique(windows, return_inverse=True)
    kernels: Any = import_module("sim.engine.compiled.many_windows")
    calls = kernels.Calls(unit[trace.function[rows]], trace.arrival_s[rows], trace.service_s[rows])
    counted, cold, wasted = kernels.many_windows(calls, of_units, kernels.Span(span.start_s, span.end_s), ascending)
    return table(windows, cold[place], counted, wasted[place])
