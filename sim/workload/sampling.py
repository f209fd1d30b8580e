"""Samples of a trace: some of its functions, or some spans of its time.

Which functions are drawn depends on their owner, app and name and on the seed alone, by counter-based draws. So the
choice is the same in a part of the trace's time, in every replication of a trace made from counts, and however the
functions are ordered; and a smaller sample is a part of a larger one where the class says so. Functions stay in their
order, and a trace made from counts stays one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import ConfigError, TraceError
from sim.core.random import function_keys, stream, uniforms
from sim.workload import checks
from sim.workload.counts import CountSource
from sim.workload.selection import Population, check_spans, select_spans
from sim.workload.synthesis.draws import apportion
from sim.workload.trace import Trace
from sim.workload.transform import Transform
from sim.workload.wasserstein import Distance

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class FunctionSample(Transform):
    """Some functions of a trace, with all of their calls."""

    @abstractmethod
    def choose(self, population: Population) -> IntArray:
        """Indices of the functions chosen, ascending."""

    def changed(self, trace: Trace) -> Trace:
        """The trace of the functions chosen."""
        return trace.slice(functions=self.choose(Population.of(trace)))

    def of_counts(self, source: CountSource) -> CountSource:
        """The counts of the functions that `apply` would choose; no call is made, however many there are."""
        return source.of_functions(self.choose(Population.of(source)))


@dataclass(frozen=True)
class RandomSample(FunctionSample):
    """Functions at random, all equally likely. A smaller sample of the same seed is a part of a larger one.

    Attributes:
        functions: how many; or else
        share: of all, in (0, 1]: each function is drawn by itself, so their number varies. The same functions as the
            option `share` of the reader of Azure 2019.
        whole_apps: draw apps, and take all functions of each. With `functions`, apps are drawn until there are at least
            so many.
        seed: another one is another sample.
    """

    functions: int | None = None
    share: float | None = None
    whole_apps: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.functions is None) == (self.share is None):
            raise ConfigError("give functions or share, one of them")
        if self.functions is not None:
            checks.whole("functions", self.functions, low=1)
        if self.share is not None:
            checks.number("share", self.share, above=0.0, high=1.0)
        _check_seed(self.seed)

    def choose(self, population: Population) -> IntArray:
        """See `FunctionSample`."""
        table = population.functions
        u = function_draws("share", self.seed, table, app_only=self.whole_apps)
        if self.share is not None:
            return np.flatnonzero(u < self.share)
        assert self.functions is not None
        _require_functions(self.functions, len(table))
        order = np.argsort(u, kind="stable")
        if not self.whole_apps:
            return np.sort(order[: self.functions])
        return np.flatnonzero(u <= u[order[self.functions - 1]])


@dataclass(frozen=True)
class StratifiedSample(FunctionSample):
    """Functions at random from each stratum of popularity, so that rare and busy ones are all represented.

    Functions are ranked by their calls, the rarest first (of equal ones by draw), and cut into strata; each stratum has
    at least one function, in the trace and in the sample.

    With quartiles and equal numbers it is the "representative" sample of FaasCache (Fuerst and Sharma, ASPLOS 2021).
    For a head that makes most of the calls, as that of Azure does, use edges such as 0.5, 0.9, 0.99. In-Vitro does not
    stratify, it searches: that is `RepresentativeSample`.

    Attributes:
        functions: how many.
        edges: rising shares of the functions at which strata end, in (0, 1).
        allocation: of the sample to strata: ``proportional`` to their size, as far as whole numbers can, or ``equal``
            (as far as they have so many).
        seed: another one is another sample.
    """

    functions: int
    edges: tuple[float, ...] = (0.25, 0.5, 0.75)
    allocation: Literal["proportional", "equal"] = "proportional"
    seed: int = 0

    def __post_init__(self) -> None:
        edges = checks.rising("edges", self.edges, low=0.0, high=1.0)
        if edges[0] == 0.0 or edges[-1] == 1.0:
            raise ConfigError(f"edges must lie between 0 and 1, not at them: {list(edges)}")
        object.__setattr__(self, "edges", edges)
        checks.whole("functions", self.functions, low=len(edges) + 1)
        if self.allocation not in ("proportional", "equal"):
            raise ConfigError(f"allocation must be 'proportional' or 'equal', not {self.allocation!r}")
        _check_seed(self.seed)

    def choose(self, population: Population) -> IntArray:
        """See `FunctionSample`."""
        table = population.functions
        _require_functions(self.functions, len(table))
        u = function_draws("stratum", self.seed, table)
        strata = self.strata(population.calls, u)
        sizes = np.array([stratum.size for stratum in strata])
        weights = sizes.astype(np.float64) if self.allocation == "proportional" else np.ones(sizes.size)
        quotas = _quotas(self.functions, weights, sizes)
        return np.sort(np.concatenate([
            stratum[np.argsort(u[stratum], kind="stable")[:quota]]
            for stratum, quota in zip(strata, quotas.tolist(), strict=True)
        ]))  # fmt: skip

    def strata(self, calls: IntArray, u: FloatArray) -> list[IntArray]:
        """The functions of each stratum, the rarest first; none is empty.

        Args:
            calls: int64[F], of each function.
            u: float64[F], what decides between functions called equally often.
        """
        ends = np.rint(np.array(self.edges) * calls.size).astype(np.int64)
        place = np.arange(1, ends.size + 1)
        ends = np.maximum.accumulate(np.maximum(ends, 1) - place) + place  # each has one more than the one before
        return np.split(np.lexsort((u, calls)), np.minimum(ends, calls.size - place[::-1]))


@dataclass(frozen=True)
class RepresentativeSample(FunctionSample):
    """The best of several random samples: the one whose functions, minute by minute, are most like all of them.

    As the sampler of In-Vitro (Ustiugov et al., "Enabling In-Vitro Serverless Systems Research", WORDS 2023): for each
    minute, the Wasserstein distance between the sample's and the trace's distribution over functions of (1) calls and
    (2) resources, calls × mean duration × memory; the mean over minutes and over both decides. Theirs divides resources
    by a constant found for Azure; here both are divided by their mean over functions and minutes. For samples of
    several sizes, each part of the one before, apply one after another, the largest first, as theirs does (theirs still
    compares with the original trace, these with the sample before).

    Attributes:
        functions: how many.
        trials: random samples to choose from.
        seed: of all of them.
    """

    functions: int
    trials: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        checks.whole("functions", self.functions, low=1)
        checks.whole("trials", self.trials, low=1)
        _check_seed(self.seed)

    def choose(self, population: Population) -> IntArray:
        """See `FunctionSample`."""
        table = population.functions
        _require_functions(self.functions, len(table))
        trials = [
            np.sort(
                np.argsort(function_draws("trial", self.seed, table, number=trial), kind="stable")[: self.functions]
            )
            for trial in range(self.trials)
        ]
        resources = population.average_s * table["memory_mb"].to_numpy(np.float64)
        measures = [Distance(population.cells, np.ones(len(table))), Distance(population.cells, resources)]
        distances = [sum(measure.relative(trial) for measure in measures) for trial in trials]
        return trials[int(np.argmin(distances))]


@dataclass(frozen=True)
class Windows(Transform):
    """Chosen spans of time, put one after another (see `select_spans`).

    Where two of them meet, gaps between calls are not those of the trace.

    Attributes:
        spans_s: start and end of each in seconds, ascending and disjoint. Of whole minutes, counts stay counts.
    """

    spans_s: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        check_spans(self.spans_s, math.inf)

    def changed(self, trace: Trace) -> Trace:
        """The calls of the spans."""
        return select_spans(trace, self.spans_s)


@dataclass(frozen=True)
class RandomWindows(Transform):
    """Spans of time at random, put one after another in their order: some of those that the trace can be cut into.

    Fewer windows of the same seed are some of more.

    Attributes:
        length_s: of each; in whole minutes, counts stay counts. A rest of the trace that is shorter is never chosen.
        windows: how many.
        seed: another one is another choice.
    """

    length_s: float
    windows: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        checks.number("length_s", self.length_s, above=0.0)
        checks.whole("windows", self.windows, low=1)
        _check_seed(self.seed)

    def changed(self, trace: Trace) -> Trace:
        """The calls of the windows."""
        there = int(trace.horizon_s / self.length_s)
        if there < self.windows:
            raise TraceError(f"{self.windows} windows of {self.length_s:g} s do not fit into {trace.horizon_s:g} s")
        key = np.uint64(stream(self.seed, 0, "sample.window", 0, 0))
        chosen = np.sort(np.argsort(uniforms(key, np.arange(there, dtype=np.uint64)), kind="stable")[: self.windows])
        edges = [(i * self.length_s, min((i + 1) * self.length_s, trace.horizon_s)) for i in chosen.tolist()]
        return select_spans(trace, edges)


def _check_seed(seed: object) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ConfigError(f"seed must be a whole number, not {seed!r}")


def _require_functions(wanted: int, there: int) -> None:
    if wanted > there:
        raise TraceError(f"a sample of {wanted} functions is wanted, but the trace has {there}")


def function_draws(
    purpose: str, seed: int, table: pd.DataFrame, *, number: int = 0, app_only: bool = False
) -> FloatArray:
    """float64[F]: draw `number` of each function for a purpose; with `app_only` an app's functions have the same."""
    names = [""] * len(table) if app_only else table["name"].tolist()
    keys = stream(seed, 0, purpose, *function_keys(table["owner"].tolist(), table["app"].tolist(), names))
    return uniforms(keys, np.full(len(table), number, np.uint64))


def _quotas(total: int, weights: FloatArray, sizes: IntArray) -> IntArray:
    """Whole numbers that add up to `total`: at least 1 and at most `sizes`, else in proportion to the weights."""
    quotas, open_ = np.zeros(sizes.size, np.int64), np.ones(sizes.size, np.bool_)
    while open_.any():
        left = total - int(quotas.sum())
        exact = weights * (open_ * left / weights[open_].sum())
        few, full = open_ & (exact <= 1.0), open_ & (exact >= sizes)
        if few.any():
            quotas[few] = 1
        elif full.any():
            quotas[full] = sizes[full]
        else:
            quotas[open_] = apportion(left, weights[open_])
            break
        open_ = quotas == 0
    return quotas
