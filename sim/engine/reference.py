"""The reference engine: drives the SimPy platform."""

from __future__ import annotations

import numpy as np

from sim.platform.platform import LivePlatform, Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import Columns
from sim.workload.trace import Trace


def run(
    trace: Trace, keep_alive: KeepAlive, platform: Platform, *, horizon_s: float, seed: int, replication: int
) -> Columns:
    """Replay every call that arrives up to `horizon_s`, that instant included, until all of them have ended."""
    rows = int(np.searchsorted(trace.arrival_s, horizon_s, "right"))
    live = LivePlatform(platform, trace, keep_alive, rows=rows, seed=seed, replication=replication)
    return live.run()
