"""Several traces made into one: at the same time, or one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from sim.core.errors import ConfigError, TraceError
from sim.workload.functions import function_table
from sim.workload.load import load_trace
from sim.workload.trace import Trace
from sim.workload.transform import Transform

Place = Literal["overlap", "sequence"]

_KEY: Final = ["owner", "app", "name"]


def merge(traces: Sequence[Trace], *, prefixes: Sequence[str] | None = None, place: Place = "overlap") -> Trace:
    """One recorded trace with the calls of all.

    Functions with the same owner, app and name are one, whose other columns are those of the first trace that has it.
    A prefix keeps them apart: it is set before owner, app and name, so that neither instances nor apps are shared (and
    draws keyed by these names become others).

    Args:
        traces: at least one. Calls at the same instant stay in the order of the traces.
        prefixes: one a trace, ``""`` for none; none by default.
        place: ``overlap``, all start at 0, and the longest gives the horizon; ``sequence``, each starts at the horizon
            of the one before, and the horizons add up. A trace of calls ends at its last arrival, if it declares
            nothing else: the next one then starts at that instant.

    Raises:
        TraceError: no trace, or not as many prefixes.
        ConfigError: a place that there is not.
    """
    if not traces:
        raise TraceError("there is nothing to merge")
    labels = list(prefixes) if prefixes is not None else [""] * len(traces)
    if len(labels) != len(traces):
        raise TraceError(f"{len(traces)} traces and {len(labels)} prefixes; there must be as many")
    _check_place(place)
    numbers, table = _one_table([_prefixed(t.functions, label) for t, label in zip(traces, labels, strict=True)])
    ends = np.cumsum([trace.horizon_s for trace in traces]).tolist()
    starts = [0.0, *ends[:-1]] if place == "sequence" else [0.0] * len(traces)
    arrival = np.concatenate([trace.arrival_s + start for trace, start in zip(traces, starts, strict=True)])
    order = np.argsort(arrival, kind="stable")
    origins = [dict(trace.recorded().about) for trace in traces]
    frozen = dict.fromkeys(str(origin["frozen"]) for origin in origins if "frozen" in origin)
    about: dict[str, Any] = {"format": "merged", "place": place, "prefixes": labels, "traces": origins}
    return Trace(
        np.concatenate([number[trace.function] for trace, number in zip(traces, numbers, strict=True)])[order],
        arrival[order],
        np.concatenate([trace.duration_s for trace in traces])[order],
        table,
        ends[-1] if place == "sequence" else max(trace.horizon_s for trace in traces),
        about=about | ({"frozen": ", ".join(frozen)} if frozen else {}),
    )


def _check_place(place: str) -> None:
    if place not in ("overlap", "sequence"):
        raise ConfigError(f"place must be 'overlap' or 'sequence', not {place!r}")


def _prefixed(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    return table.assign(**{column: prefix + table[column] for column in _KEY}) if prefix else table


def _one_table(tables: Sequence[pd.DataFrame]) -> tuple[list[np.ndarray[Any, Any]], pd.DataFrame]:
    """int32[F] of each table, its functions' rows in the one table, and that table: functions as they first appear."""
    together = pd.concat(tables, ignore_index=True)
    row = together.groupby(_KEY, sort=False).ngroup().to_numpy(np.int32)
    bounds = np.cumsum([len(table) for table in tables])[:-1]
    return np.split(row, bounds), function_table(together.drop_duplicates(_KEY))


@dataclass(frozen=True)
class Merge(Transform):
    """Another trace, read from a file, merged into this one (see `merge`). The trace becomes a recorded one.

    Attributes:
        path: of the other trace, as for `load_trace`; of a trace of counts it is replication 0.
        format: its format; found out by default.
        options: of its reader.
        prefix: before the names of its functions, to keep them apart from those of this trace.
        place: ``overlap``, or ``sequence``: the other trace comes after this one.
    """

    path: str
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    place: Place = "overlap"

    def __post_init__(self) -> None:
        if not self.path:
            raise ConfigError("path must be that of a trace, not empty")
        _check_place(self.place)

    def changed(self, trace: Trace) -> Trace:
        """Both traces as one."""
        other = load_trace(self.path, self.format, **self.options)
        return merge([trace, other], prefixes=["", self.prefix], place=self.place)
