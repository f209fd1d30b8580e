"""Changes of a whole trace, each a value: a new trace comes out, the old one stays as it is.

What was done is kept in ``about["transforms"]``, as configurations that `sim.core.build` makes the values of again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.core.describe import describe
from sim.core.errors import ConfigError, TraceError
from sim.core.random import stream, uniforms
from sim.workload import checks
from sim.workload.functions import COLUMNS, IDENTITY, function_table
from sim.workload.trace import Trace

FloatArray = npt.NDArray[np.float64]


class Transform(ABC):
    """A change of a trace. Whoever writes one implements `changed`; whoever uses one calls `apply`."""

    def apply(self, trace: Trace) -> Trace:
        """The changed trace, which tells in its `about` what was done.

        Raises:
            TraceError: the trace is not one that can be changed so.
        """
        changed = self.changed(trace)
        before = changed.about.get("transforms", ())
        done = [*(before if isinstance(before, list | tuple) else ()), describe(self)]
        return replace(changed, about={**changed.about, "transforms": done})

    @abstractmethod
    def changed(self, trace: Trace) -> Trace:
        """The changed trace; where nothing is to be done, the trace itself."""


def transformed(trace: Trace, transforms: Iterable[Transform]) -> Trace:
    """The trace after some changes, one after another."""
    for transform in transforms:
        trace = transform.apply(trace)
    return trace


@dataclass(frozen=True)
class Redeploy(Transform):
    """The same calls of functions that are deployed otherwise: another package, language, memory, time-out.

    How long calls run stays as it is; what else the change would do to the user's code, nobody has measured here. A
    trace of counts keeps them.

    Attributes:
        columns: values for columns of the table of functions, but for those that say which function it is.
        functions: the names of those that change; all by default.
    """

    columns: Mapping[str, float | str | bool]
    functions: Sequence[str] | None = None

    def __post_init__(self) -> None:
        allowed = [column for column in COLUMNS if column not in IDENTITY]
        given: Any = self.columns
        if not isinstance(given, Mapping) or not given or not set(given) <= set(allowed):
            raise ConfigError(f"columns must give values for some of {', '.join(allowed)}, not {self.columns!r}")

    def changed(self, trace: Trace) -> Trace:
        """The trace with another table of functions."""
        names = trace.functions["name"]
        chosen = np.ones(names.size, np.bool_) if self.functions is None else names.isin(self.functions).to_numpy()
        unknown = set(self.functions or ()) - set(names)
        if unknown:
            raise TraceError(f"there is no function {min(unknown)!r} to redeploy")
        table = trace.functions.astype(object)
        for column, value in self.columns.items():
            table.loc[chosen, column] = value
        return replace(trace, functions=function_table(table))


@dataclass(frozen=True)
class ScaleTime(Transform):
    """Slower or faster: arrivals and horizon times a factor. The trace becomes a recorded one, unless it is 1.

    Every gap between calls is multiplied, so a keep-alive window meets a workload that is rarer (factor above 1) or
    denser (below 1), with the same order of calls.

    Attributes:
        factor: above 0; 2 for half the speed, 0.5 for twice.
        durations: whether calls run longer by the same factor too. With it the trace is only measured by another clock:
            concurrency stays as it is, but for time-outs, which are not scaled. Without it a faster trace has more
            calls running at once.
    """

    factor: float
    durations: bool = False

    def __post_init__(self) -> None:
        checks.number("factor", self.factor, above=0.0)

    def changed(self, trace: Trace) -> Trace:
        """The trace at another speed."""
        if self.factor == 1.0:
            return trace
        longest_s = float(np.max(trace.duration_s, initial=0.0)) if self.durations else 0.0
        latest_s = max(trace.horizon_s, float(np.max(trace.arrival_s, initial=0.0)), longest_s)
        if not math.isfinite(latest_s * self.factor):
            raise TraceError(f"{self.factor:g} times {latest_s:g} s is more than a number can hold")
        return replace(
            trace.recorded(),
            arrival_s=trace.arrival_s * self.factor,
            duration_s=trace.duration_s * self.factor if self.durations else trace.duration_s,
            horizon_s=trace.horizon_s * self.factor,
        )


@dataclass(frozen=True)
class ScaleRate(Transform):
    """More or fewer calls of the same functions in the same time. The trace becomes a recorded one, unless it is 1.

    Below 1 each call is kept with that probability. Above 1 the calls are there once, and once more for every whole
    above 1, moved by up to `jitter_s`; of one more such copy each call is kept with what is left as probability. So
    every function is called `factor` times as often on average, its days, bursts and durations stay as they are, and a
    smaller factor's calls are among a larger one's. What becomes of the k-th call of a function is a draw of its own,
    numbered k, of a stream keyed by owner, app and name: other functions do not matter.

    Copies are calls of the same functions, because how often a function is called is what keep-alive depends on; clones
    of functions would leave every gap as it was, and only enlarge the platform. (For that, `merge` the trace with
    itself under a prefix.) They are moved, because copies at the very instant of the original would ask for as many
    instances at once. An exact period does not survive either way.

    Attributes:
        factor: above 0.
        jitter_s: a copy lies up to this many seconds before or after the original, uniformly; at the ends of the trace
            it is reflected. The default is the resolution of the public traces, 1 minute, below which nothing is known.
        seed: of the draws.
    """

    factor: float
    jitter_s: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        checks.number("factor", self.factor, above=0.0, high=10_000.0)
        checks.number("jitter_s", self.jitter_s, low=0.0)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise ConfigError(f"seed must be a whole number, not {self.seed!r}")

    def changed(self, trace: Trace) -> Trace:
        """The trace with calls left out or added."""
        if self.factor == 1.0:
            return trace
        copies = [self._copy(trace, number) for number in range(math.ceil(self.factor))]
        rows = np.concatenate([rows for rows, _ in copies])
        arrival = np.concatenate([arrival for _, arrival in copies])
        order = np.argsort(arrival, kind="stable")
        rows = rows[order]
        return replace(
            trace.recorded(),
            function=trace.function[rows],
            arrival_s=arrival[order],
            duration_s=trace.duration_s[rows],
        )

    def _copy(self, trace: Trace, number: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Rows of the calls that a copy has (0: the original), and when they arrive there."""
        rows: npt.NDArray[Any] = np.arange(len(trace))
        share = self.factor - number
        if share < 1.0:
            rows = np.flatnonzero(self._uniforms(trace, f"scale_rate.{number}.keep") < share)
        arrival = trace.arrival_s[rows]
        if number > 0 and self.jitter_s:
            u = self._uniforms(trace, f"scale_rate.{number}.move")[rows]
            arrival = _reflected(arrival + self.jitter_s * (2.0 * u - 1.0), trace.horizon_s)
        return rows, arrival

    def _uniforms(self, trace: Trace, purpose: str) -> FloatArray:
        keys = stream(self.seed, 0, purpose, *trace.function_keys())
        return uniforms(keys[trace.function], call_numbers(trace.function, len(trace.functions)).astype(np.uint64))


def call_numbers(function: npt.NDArray[np.int32], functions: int) -> npt.NDArray[np.int64]:
    """int64[n]: of each call, how many calls of its function came before it."""
    order = np.argsort(function, kind="stable")
    calls = np.bincount(function, minlength=functions)
    number = np.empty(function.size, np.int64)
    number[order] = np.arange(function.size) - np.repeat(np.cumsum(calls) - calls, calls)
    return number


def _reflected(times_s: FloatArray, horizon_s: float) -> FloatArray:
    """Times that overran an end of [0, horizon_s], as far inside it as they were outside."""
    if horizon_s == 0.0:
        return np.zeros_like(times_s)
    folded = np.abs(times_s) % (2.0 * horizon_s)
    return np.minimum(folded, 2.0 * horizon_s - folded)
