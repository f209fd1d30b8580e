"""The result of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results.columns import Columns
from sim.results.display import result_html


@dataclass(frozen=True, eq=False)
class Result:
    """What one policy did with one trace on one platform.

    The tables (`invocations`, `instances`, `starts`, `stem_cells`, `decisions`) are made of the recorded columns when
    they are first asked for: of millions of calls they take as much memory as the run did.

    Attributes:
        summary: every metric of ``docs/metrics.md`` by name, float64.
        functions: a row a function: counts, instance-seconds by state, user cost.
        about: policy, engine, seed, replication and measured span.
        columns: what the engine recorded; None if the run did not.
        latency_bins: of a run that did not, the histogram of the latencies of the counted calls that started
            (`sim.results.latency_bins`), int64; None if it did.
    """

    summary: pd.Series
    functions: pd.DataFrame
    about: Mapping[str, Any]
    columns: Columns | None = None
    latency_bins: npt.NDArray[np.int64] | None = None

    @cached_property
    def invocations(self) -> pd.DataFrame | None:
        """A row a call in trace order: what was asked, when it ran, how, where, and whether it counts."""
        if self.columns is None:
            return None
        requests = self.columns.requests
        return requests.frame(requests.arrival_s >= self.about["warm_up_s"])

    @cached_property
    def instances(self) -> pd.DataFrame | None:
        """A row an instance in order of creation; None if the run did not record, as of all that follow."""
        return None if self.columns is None else self.columns.instances.frame()

    @cached_property
    def starts(self) -> pd.DataFrame | None:
        """A row a start that a call caused, with the seconds of each phase."""
        return None if self.columns is None else self.columns.starts.frame()

    @cached_property
    def stem_cells(self) -> pd.DataFrame | None:
        """A row a generic cell in order of creation."""
        return None if self.columns is None else self.columns.cells.frame()

    @cached_property
    def decisions(self) -> pd.DataFrame | None:
        """A row each time that a scaler changed how many instances a unit was to have, and why."""
        return None if self.columns is None else self.columns.decisions.frame()

    def __repr__(self) -> str:
        s = self.summary
        return (
            f"<Result: {self.about['policy']}: {s['invocations']:,.0f} calls, {s['cold_start_rate']:.3%} cold,"
            f" {s['wasted_gb_s']:,.0f} GB-s wasted>"
        )

    def _repr_html_(self) -> str:
        """The main metrics, for notebooks."""
        return result_html(self.summary, self.about)
