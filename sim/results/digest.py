"""What is kept of a run when its calls are forgotten: enough for every table and figure of a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.results import latency_bins
from sim.results.call_sums import Span
from sim.results.columns import CHUNK, COLD, NOT_STARTED, Columns, Decisions, FloatArray, no_decisions
from sim.results.metrics import MB_PER_GB
from sim.results.result import Result

NAMES: Final = ("name", "app", "owner", "trigger", "memory_mb")
"""What is the same in all runs of one workload, and kept once."""
BINS: Final = 240
"""Of a timeline: as many as a figure can show, six minutes each of a day."""
SURVIVAL: Final = 10.0 ** (-np.arange(97) / 16)
"""Shares of calls that are slower: from all of them to one in a million, sixteen a decade."""
PANIC: Final = "panic"
"""What the reasons of Knative's decisions in panic begin with."""
STATES: Final = ("starting", "busy", "idle")


@dataclass(frozen=True, eq=False)
class Digest:
    """One run in some 100 kB.

    Attributes:
        summary: every metric of ``docs/metrics.md`` by name, float64.
        functions: a row a function in the trace's order, the numbers of `Result.functions`.
        tail: `survival`, a share of the counted calls that started, and `latency_s` and `wait_s`, what that share
            exceeds or equals (quantiles of type 7). Without such calls, NaN.
        timeline: 240 equal parts of the measured span: `from_s`, `to_s`; how many instances were `starting`, `busy`,
            `idle`, and ``<state>_gb``, their memory, on the average of the part, generic cells among them; the calls
            that arrived, `calls`, and those of them that were `cold`; how many calls were `waiting` that started later;
            how many instances a scaler `wanted`, and of how many units it wanted them in `panic`.
        decisions: a row a decision of a scaler, see `Result.decisions`.
        phases: `phase` and `seconds`, what it took in all `starts` that counted calls caused.
        starts: their number.

    If a run did not record its calls, `timeline`, `phases` and `decisions` have no rows, and `tail` has no waits (NaN)
    and the latencies of a histogram (`sim.results.latency_bins`).
    """

    summary: pd.Series
    functions: pd.DataFrame
    tail: pd.DataFrame
    timeline: pd.DataFrame
    phases: pd.DataFrame
    decisions: pd.DataFrame
    starts: int

    @property
    def recorded(self) -> bool:
        """Whether the run recorded its calls."""
        return len(self.timeline) > 0


def digest(result: Result) -> Digest:
    """The digest of a result."""
    columns, span = result.columns, Span(result.about["warm_up_s"], result.about["horizon_s"])
    functions = result.functions.drop(columns=list(NAMES))
    if columns is None:
        assert result.latency_bins is not None
        tail, none = _binned_tail(result.latency_bins), pd.DataFrame()
        return Digest(result.summary, functions, tail, none, none, no_decisions().frame(), starts=0)
    counted = columns.starts.row[columns.requests.arrival_s[columns.starts.row] >= span.start_s]
    return Digest(
        summary=result.summary,
        functions=functions,
        tail=_tail(columns, span),
        timeline=_timeline(columns, result.functions["memory_mb"].to_numpy() / MB_PER_GB, span),
        phases=_phases(columns, span),
        decisions=columns.decisions.frame(),
        starts=int(counted.size),
    )


def _tail(columns: Columns, span: Span) -> pd.DataFrame:
    requests = columns.requests
    chosen = (requests.arrival_s >= span.start_s) & (requests.start_kind != NOT_STARTED)
    table = {"survival": SURVIVAL}
    for name, times_s in (("latency_s", requests.end_s), ("wait_s", requests.start_s)):
        since_s = times_s[chosen]
        since_s -= requests.arrival_s[chosen]
        table[name] = np.quantile(since_s, 1 - SURVIVAL) if since_s.size else np.full(SURVIVAL.size, np.nan)
    return pd.DataFrame(table)


def _binned_tail(bins: npt.NDArray[np.int64]) -> pd.DataFrame:
    latency_s = latency_bins.quantiles(bins, (1 - SURVIVAL).tolist())
    return pd.DataFrame({"survival": SURVIVAL, "latency_s": latency_s, "wait_s": np.full(SURVIVAL.size, np.nan)})


def _phases(columns: Columns, span: Span) -> pd.DataFrame:
    starts = columns.starts
    total_s = np.zeros(len(starts.phases))
    for first in range(0, starts.row.size, CHUNK):
        part = slice(first, first + CHUNK)
        counted = columns.requests.arrival_s[starts.row[part]] >= span.start_s
        total_s += [float(starts.phase_s(place, part)[counted].sum()) for place in range(total_s.size)]
    return pd.DataFrame({"phase": pd.Series(starts.phases, dtype=object), "seconds": total_s})


def _timeline(columns: Columns, memory_gb: FloatArray, span: Span) -> pd.DataFrame:
    edges_s = np.linspace(span.start_s, span.end_s, BINS + 1)
    table: dict[str, npt.NDArray[Any]] = {"from_s": edges_s[:-1], "to_s": edges_s[1:]}
    instances, gigabytes = (
        {state: np.zeros(BINS) for state in STATES},
        {state: np.zeros(BINS) for state in STATES},
    )
    for state, begin_s, end_s, gb in _intervals(columns, memory_gb):
        instances[state] += time_by_part(edges_s, begin_s, end_s, np.ones(begin_s.size))
        gigabytes[state] += time_by_part(edges_s, begin_s, end_s, gb)
    width_s = np.maximum(edges_s[1:] - edges_s[:-1], np.finfo(np.float64).tiny)
    table |= {state: seconds / width_s for state, seconds in instances.items()}
    table |= {f"{state}_gb": gb_s / width_s for state, gb_s in gigabytes.items()}
    requests = columns.requests
    counted = requests.arrival_s >= span.start_s
    table["calls"] = np.histogram(requests.arrival_s[counted], edges_s)[0]
    table["cold"] = np.histogram(requests.arrival_s[counted & (requests.start_kind == COLD)], edges_s)[0]
    waited_s = np.where(requests.start_s > requests.arrival_s, requests.start_s, np.nan)
    one = np.ones(requests.arrival_s.size)
    table["waiting"] = time_by_part(edges_s, requests.arrival_s, waited_s, one) / width_s
    from_s, until_s, wanted, in_panic = _decided(columns.decisions)
    table["wanted"] = time_by_part(edges_s, from_s, until_s, wanted) / width_s
    table["panic"] = time_by_part(edges_s, from_s, until_s, in_panic) / width_s
    return pd.DataFrame(table)


def _decided(decisions: Decisions) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """From when until when each decision held, the instances wanted, and 1 if that was in panic; float64[d] each."""
    order = np.lexsort((np.arange(decisions.time_s.size), decisions.function))  # each unit's one after another
    function, time_s = decisions.function[order], decisions.time_s[order]
    until_s = np.append(time_s[1:], np.inf)
    until_s[np.append(function[1:] != function[:-1], True)[: function.size]] = np.inf
    panic = np.array([reason.startswith(PANIC) for reason in decisions.reasons], np.bool_)
    in_panic = panic[decisions.why[order]] if panic.size else np.empty(0)
    return time_s, until_s[: time_s.size], decisions.wanted[order].astype(np.float64), in_panic.astype(np.float64)


def _intervals(columns: Columns, memory_gb: FloatArray) -> Iterator[tuple[str, FloatArray, FloatArray, FloatArray]]:
    """State, begin, end and memory of all that instances and cells did, some rows at a time; NaN: nothing was done."""
    instances, cells = columns.instances, columns.cells
    started_s = np.fmin(instances.ready_s, instances.ended_s)
    yield from _parts("starting", instances.created_s, started_s, memory_gb, instances.function)
    yield from _parts("idle", instances.idle_since_s, instances.ended_s, memory_gb, instances.function)
    for served in (columns.requests, columns.pings):
        yield from _parts("busy", served.busy_since_s, served.end_s, memory_gb, served.function)
        yield from _parts("idle", served.idle_since_s, served.start_s, memory_gb, served.function)
    cell_gb = cells.memory_mb / MB_PER_GB
    each = np.arange(cell_gb.size, dtype=np.int32)
    yield from _parts("starting", cells.created_s, cells.ready_s, cell_gb, each)
    yield from _parts("idle", cells.ready_s, cells.ended_s, cell_gb, each)


def _parts(
    state: str, begin_s: FloatArray, end_s: FloatArray, gb: FloatArray, owner: npt.NDArray[np.int32]
) -> Iterator[tuple[str, FloatArray, FloatArray, FloatArray]]:
    for first in range(0, begin_s.size, CHUNK):
        rows = slice(first, first + CHUNK)
        yield state, begin_s[rows], end_s[rows], gb[owner[rows]]


def time_by_part(edges_s: FloatArray, begin_s: FloatArray, end_s: FloatArray, weight: FloatArray) -> FloatArray:
    """How much of the intervals lies in each part of a span, every second of one counted by its weight.

    Args:
        edges_s: float64[k + 1], ascending.
        begin_s: float64[n]; intervals with a NaN are left out.
        end_s: float64[n], not before `begin_s`; infinity goes beyond the last edge.
        weight: float64[n].

    Returns:
        float64[k], weighted seconds.
    """
    there = ~(np.isnan(begin_s) | np.isnan(end_s))
    weight = weight[there]
    until = _time_until(edges_s, begin_s[there], weight) - _time_until(edges_s, end_s[there], weight)
    return np.diff(until)


def _time_until(edges_s: FloatArray, since_s: FloatArray, weight: FloatArray) -> FloatArray:
    """By each edge, the weighted seconds since all times before it: float64[k + 1]."""
    offset_s = np.clip(since_s, edges_s[0], edges_s[-1]) - edges_s[0]
    part = np.searchsorted(edges_s - edges_s[0], offset_s, "left")
    number = np.cumsum(np.bincount(part, weight, edges_s.size))
    total_s = np.cumsum(np.bincount(part, weight * offset_s, edges_s.size))
    seconds: FloatArray = number * (edges_s - edges_s[0]) - total_s
    return seconds
