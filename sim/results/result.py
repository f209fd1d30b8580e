"""The result of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class Result:
    """What one policy did with one trace on one platform.

    Attributes:
        summary: every metric of ``docs/metrics.md`` by name, float64.
        functions: a row a function: counts, instance-seconds by state, user cost.
        invocations: a row a call in trace order: function, arrival_s, start_s, end_s, start_kind, outcome, instance,
            counted; None if the run did not record.
        instances: a row an instance in order of creation; None if the run did not record.
        starts: a row a cold start with the seconds of each phase; None if the run did not record.
        about: policy, engine, seed, replication and measured span.
        stem_cells: a row a generic cell in order of creation; None if the run did not record.
    """

    summary: pd.Series
    functions: pd.DataFrame
    invocations: pd.DataFrame | None
    instances: pd.DataFrame | None
    starts: pd.DataFrame | None
    about: Mapping[str, Any]
    stem_cells: pd.DataFrame | None = None

    def __repr__(self) -> str:
        s = self.summary
        return (
            f"<Result: {self.about['policy']}: {s['invocations']:,.0f} calls, {s['cold_start_rate']:.3%} cold,"
            f" {s['wasted_gb_s']:,.0f} GB-s wasted>"
        )
