"""The reference engine: drives the SimPy platform."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from sim.platform.live import LivePlatform
from sim.platform.platform import Platform
from sim.platform.trigger import Progress
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import Columns
from sim.workload.trace import Trace


def run(
    trace: Trace,
    keep_alive: KeepAlive,
    platform: Platform,
    *,
    horizon_s: float,
    seed: int = 0,
    replication: int = 0,
    on_progress: Progress = lambda _: None,
) -> Columns:
    """Replay every call that arrives up to `horizon_s`, that instant included, until all of them have ended."""
    rows = int(np.searchsorted(trace.arrival_s, horizon_s, "right"))
    with _collector_paused():
        live = LivePlatform(
            platform, trace, keep_alive, rows=rows, horizon_s=horizon_s, seed=seed, replication=replication,
            on_progress=on_progress,
        )  # fmt: skip
        return live.run()


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No cyclic garbage collection: nothing made a call is cyclic, and looking for it costs a fifth of a large run."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
