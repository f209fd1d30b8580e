"""What a tally covers: scenarios of which only ends of calls matter."""

from __future__ import annotations

from math import inf

import numpy as np
import pandas as pd

from sim.core.distributions import Distribution
from sim.platform.asked import Asked
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.workload.trace import Trace


def is_plain(functions: pd.DataFrame, policy: KeepAlive, platform: Platform) -> bool:
    """Whether one window and the most recently idle instance are all there is to a scenario that is covered."""
    life_s, late = platform.max_lifetime_s, platform.start_model.loads_late
    return (
        Asked.by(policy).nothing
        and not policy.needs_future
        and np.ndim(policy.windows_s(None)) == 0
        and platform.instance_choice == "most_recently_idle"
        and platform.isolation == "function"
        and not isinstance(life_s, Distribution)
        and life_s == inf
        and not (late and bool((functions["timeout_s"] < inf).any()))
    )


def is_by_function(policy: KeepAlive, platform: Platform) -> bool:
    """Whether functions of a scenario that the engine covers can be replayed one after another."""
    asked = Asked.by(policy)
    if platform.isolation != "function" or asked.pings is not None or policy.needs_future:
        return False
    return policy.learns_by != "app" if asked.rule is not None else np.ndim(policy.windows_s(None)) == 0


def is_counted(trace: Trace) -> bool:
    """Whether calls are made of counts while they are replayed; log-normal durations are made before."""
    return trace.counts is not None and trace.counts.recipe.durations != "lognormal"
