"""What an engine is given."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.call_sums import Span
from sim.results.pricing import PriceBook
from sim.workload.trace import Trace


@dataclass(frozen=True, eq=False, kw_only=True)
class Conditions:
    """All that a replay depends on but the calls.

    Attributes:
        policy, platform, seed, replication: see `sim.simulate`.
        span: what is measured; calls are replayed up to its end, that instant included.
        price: the user's price book; None: bills are of no interest.
        threads: how many at most the compiled engine replays with.
    """

    policy: KeepAlive
    platform: Platform
    span: Span
    seed: int = 0
    replication: int = 0
    price: PriceBook | None = None
    threads: int = 1

    def scenario(self, trace: Trace, *, record: bool) -> Scenario:
        """These conditions for the calls of a trace."""
        own = {field.name: getattr(self, field.name) for field in fields(Conditions)}
        return Scenario(trace=trace, record=record, **own)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scenario(Conditions):
    """What an engine is given.

    Attributes:
        trace: what arrives.
        record: keep a row a call.
    """

    trace: Trace
    record: bool

    @property
    def rows(self) -> int:
        """How many calls are replayed."""
        return int(np.searchsorted(self.trace.arrival_s, self.span.end_s, "right"))
