"""Runs of which no call is kept: the compiled engine replays function after function, and only sums remain."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.tally.coverage import is_plain
from sim.platform.platform import Platform
from sim.platform.trigger import Progress
from sim.policies.keepalive.role import KeepAlive
from sim.results.call_sums import TAIL, percentile_name
from sim.results.pricing import ProviderPrice
from sim.results.tally import summarise
from sim.workload.trace import Trace

if TYPE_CHECKING:
    pass

HISTOGRAM: Final = "from a histogram, within 0.4 %"
"""What `Result.about` says of percentiles where latencies were not kept."""


def tallies(trace: Trace, policy: KeepAlive, platform: Platform) -> bool:
    """Whether a scenario that the compiled engine covers can be replayed function after function."""
    return is_plain(trace, policy, platform)


def summary_of(
    scenario: Scenario, provider: ProviderPrice, on_progress: Progress
) -> tuple[pd.Series, pd.DataFrame, str | None]:
    """Every metric of a scenario, a row a function, and how percentiles were got unless they are exact."""
    kernels: Any = import_module("sim.engine.compiled.tally.engine")
    functions = scenario.platform.deployed(scenario.trace.functions)
    tally, latency_s = kernels.tally(
        scenario, np.arange(len(functions)), threads=scenario.threads, exact=True, on_progress=on_progress
    )
    summary, table = summarise(tally, functions, scenario.span, provider)
    if latency_s is None:
        return summary, table, HISTOGRAM
    quantiles: Any = import_module("sim.engine.compiled.order").quantiles
    parts = np.array_split(latency_s, scenario.threads)
    for p, value in zip(TAIL, quantiles(parts, [p / 100 for p in TAIL]), strict=True):
        summary[percentile_name(p)] = value
    return summary, table, None
