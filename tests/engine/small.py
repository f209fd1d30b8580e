"""Small traces full of ties, and the engine run on them at little cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf, isfinite, nextafter
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st
from twin import Served, twin

from sim.engine import reference
from sim.platform.platform import Platform
from sim.platform.startup import ConstantStart, PhasedStart
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import START_KINDS, Columns
from sim.workload.trace import Trace

T = TypeVar("T")

UNITS = (1.0, 0.1, 0.3, 1 / 3, 0.0007)
"""Grids of time: multiples of most of them are not exact, so sums that ought to be equal differ in the last bit."""


@dataclass(frozen=True)
class Windows(KeepAlive):
    """A policy of the tests: whatever window each call is given."""

    values: tuple[float, ...]

    def windows_s(self, future: Trace | None) -> np.ndarray:
        return np.array(self.values)


@dataclass(frozen=True)
class Case:
    """A trace in order of arrival, a window for each call, and a platform."""

    function: tuple[int, ...]
    arrival_s: tuple[float, ...]
    duration_s: tuple[float, ...]
    window_s: tuple[float, ...]
    start_up_s: float = 0.0
    life_s: float = inf
    handler_s: float = 0.0
    timeout_s: float = inf

    @property
    def trace(self) -> Trace:
        return Trace(
            np.array(self.function, np.int32),
            np.array(self.arrival_s, np.float64),
            np.array(self.duration_s, np.float64),
            function_table(max(self.function, default=0) + 1, self.timeout_s),
            self.arrival_s[-1] if self.arrival_s else 0.0,
        )

    @property
    def platform(self) -> Platform:
        start = ConstantStart(start_s=self.start_up_s)
        if self.handler_s:
            start = PhasedStart({"create": self.start_up_s, "handler": self.handler_s})
        return Platform(start, max_lifetime_s=self.life_s)

    def run(self, policy: KeepAlive | None = None) -> Columns:
        """The engine's columns; by default under the windows of the case."""
        trace = self.trace
        policy = Windows(self.window_s) if policy is None else policy
        return reference.run(trace, policy, self.platform, horizon_s=trace.horizon_s, seed=0, replication=0)

    def brute_force(self, window_s: Sequence[float] | None = None) -> list[Served]:
        """What the twin makes of the case, in the order of the trace."""
        calls = list(zip(self.arrival_s, self.duration_s, window_s or self.window_s, strict=True))
        served = []
        for f in set(self.function):
            rows = [row for row, function in enumerate(self.function) if function == f]
            own = [(row, *calls[row]) for row in rows]
            served += twin(own, self.start_up_s, self.life_s, self.handler_s, self.timeout_s)
        return sorted(served)


@cache
def function_table(functions: int, timeout_s: float = inf) -> object:
    """A table of that many functions (making one costs more than running a small case)."""
    return Trace.from_arrays(range(functions), [0.0] * functions, 0.0).functions.assign(timeout_s=timeout_s)


def kinds(columns: Columns) -> list[str]:
    """The start kind of every call."""
    return [START_KINDS[k] for k in columns.requests.start_kind.tolist()]


def cold_starts(columns: Columns) -> int:
    """How many calls were cold."""
    return kinds(columns).count("cold")


def idle_s(columns: Columns) -> float:
    """Idle seconds of all instances, from the raw columns, up to the last arrival."""
    requests, instances = columns.requests, columns.instances
    horizon_s = requests.arrival_s[-1]
    between = requests.start_s - requests.idle_since_s
    after = np.minimum(instances.ended_s, horizon_s) - np.minimum(instances.idle_since_s, horizon_s)
    return float(np.nansum(between) + np.nansum(after))


def nudged(time_s: float, ulps: int) -> float:
    """The time itself, or its neighbour among the floats."""
    return nextafter(time_s, inf * ulps) if ulps else time_s


NUDGES = (0, 0, 0, 0, -1, 1)


class Digits:
    """Choices taken from one number, digit by digit: drawing a number a call costs a fifth of a draw a choice."""

    NUMBERS = st.integers(0, 2**24 - 1)  # hypothesis draws no more bits than these evenly

    def __init__(self, number: int) -> None:
        self.number = number

    def choose(self, options: Sequence[T]) -> T:
        self.number, i = divmod(self.number, len(options))
        return options[i]


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    functions: int = 3,
    calls: int = 9,
    constant: bool = False,
    start_ups: bool = True,
    lives: bool = True,
    handlers: bool = False,
    units: Sequence[float] = UNITS,
    nudges: Sequence[int] = NUDGES,
) -> Case:
    """Cases whose calls arrive at, just before and just after the instants at which something happens.

    Args:
        functions, calls: how many functions at most, and calls of each.
        constant: one window for every call.
        start_ups, lives: whether starts take time, whether lives are limited.
        handlers: whether the first call on an instance loads its handler, and time-outs cut calls.
        units: grids of time to choose from.
        nudges: how many units in the last place a time may be moved.
    """
    digits = Digits(draw(Digits.NUMBERS))
    unit = digits.choose(units)
    spans = [0.0, unit, 2 * unit, 3 * unit, 7 * unit, unit + 2 * unit]
    windows = [*spans, 0.0, 5e-324, unit / 2, inf]
    window_s = digits.choose(windows)
    start_up_s = digits.choose([0.0, unit, 3 * unit, unit / 2, 1e-18]) if start_ups else 0.0
    life_s = digits.choose([inf, inf, unit, 2 * unit, 5 * unit, 5e-324, 9 * unit]) if lives else inf
    handler_s = digits.choose([unit, unit / 2, 2 * unit, 3 * unit, 1e-18]) if handlers else 0.0
    timeout_s = digits.choose([inf, inf, unit, 2 * unit, unit / 4, 5 * unit]) if handlers else inf
    rows: list[tuple[float, int, float, float]] = []
    for function in range(draw(st.integers(1, functions))):
        own: list[tuple[int, float, float, float]] = []
        last_s = 0.0
        for i, number in enumerate(draw(st.lists(Digits.NUMBERS, min_size=1, max_size=calls))):
            digits = Digits(number)
            happens = {last_s, last_s + unit, last_s + 4 * unit}
            for s in twin(own, start_up_s, life_s, handler_s, timeout_s):
                happens |= {s.start_s, s.end_s, s.expiry_s, s.created_s + life_s}
                happens |= {s.loaded_s} if handlers else set()
            soon = sorted(t for t in happens if last_s <= t < inf)
            last_s = max(last_s, nudged(digits.choose(digits.choose([soon[:3], soon])), digits.choose(nudges)))
            until = [t - last_s for t in soon if t > last_s]  # so that it ends as something else happens
            duration_s = digits.choose(digits.choose([spans, until or spans]))
            own.append((i, last_s, duration_s, window_s if constant else digits.choose(windows)))
        rows += [(arrival_s, function, duration_s, window) for _, arrival_s, duration_s, window in own]
    rows.sort(key=lambda row: row[0])
    arrival_s, function, duration_s, window = zip(*rows, strict=True)
    return Case(function, arrival_s, duration_s, window, start_up_s, life_s, handler_s, timeout_s)


@st.composite
def crowds(draw: st.DrawFn) -> Case:
    """Many calls of one function in few instants: instances that become ready, end and are called all at once."""
    unit = draw(st.sampled_from(UNITS))
    steps = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), min_size=4, max_size=14))
    ticks = np.cumsum([wait for wait, _ in steps])
    return Case(
        function=(0,) * len(steps),
        arrival_s=tuple((ticks * unit).tolist()),
        duration_s=tuple(length * unit for _, length in steps),
        window_s=(draw(st.sampled_from([unit, 3 * unit, 6 * unit, inf])),) * len(steps),
        start_up_s=draw(st.sampled_from([1, 2, 3])) * unit,
        life_s=draw(st.sampled_from([inf, inf, 5 * unit])),
    )


@st.composite
def cases_with_a_gap_for_window(draw: st.DrawFn, **options: object) -> Case:
    """Cases of one constant window, which equals the gap between an end and an arrival, computed as a float."""
    case = draw(cases(constant=True, **options))
    gaps = {a - s.end_s for s in case.brute_force() for a in case.arrival_s if isfinite(s.end_s) and a >= s.end_s}
    gap = draw(st.sampled_from(sorted(gaps | {0.0})))
    window_s = max(0.0, nudged(gap, draw(st.sampled_from(NUDGES))))
    return replace(case, window_s=(window_s,) * len(case.window_s))
