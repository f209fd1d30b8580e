"""What an engine is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.call_sums import Span
from sim.results.pricing import PriceBook
from sim.workload.trace import Trace


@dataclass(frozen=True, eq=False)
class Scenario:
    """All that a replay depends on, and what is wanted of it.

    Attributes:
        trace: calls are replayed up to the end of
        span: what is measured, that instant included.
        price: the user's price book; None: bills are of no interest.
        record: keep a row a call.
        threads: how many at most the compiled engine replays with.
    """

    trace: Trace
    policy: KeepAlive
    platform: Platform
    span: Span
    seed: int
    replication: int
    price: PriceBook | None
    record: bool
    threads: int = 1

    @property
    def rows(self) -> int:
        """How many calls are replayed."""
        return int(np.searchsorted(self.trace.arrival_s, self.span.end_s, "right"))
