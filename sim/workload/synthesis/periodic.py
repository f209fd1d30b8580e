"""Timers at a rate: exact periods, each call a little late."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.draws import FloatArray

_MOST_CALLS = 2**31


@dataclass(frozen=True)
class Periodic:
    """A timer: call k is due at phase + k * period, and comes up to `jitter_s` late.

    The number of calls is not drawn: the span divided by the period, give or take one. A timer does not follow the day.

    Attributes:
        periods_s: the periods there are, rising, of which a function has the one nearest in ratio to what its rate
            asks. An empty list gives every function the period that its rate asks, to the millisecond.
        jitter_s: a call comes late by anything from 0 up to this, uniformly and independently. Larger than the
            period, it lets calls overtake each other.
        aligned: whether all phases are 0, as those of cron's full minutes and hours are: all timers of a period then
            fire together. Otherwise a phase is whole seconds below the period, drawn.
    """

    periods_s: tuple[float, ...] = (60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 86_400.0)
    jitter_s: float = 0.0
    aligned: bool = False

    def __post_init__(self) -> None:
        if self.periods_s:
            object.__setattr__(self, "periods_s", checks.rising("periods_s", self.periods_s, low=0.001))
        checks.number("jitter_s", self.jitter_s, low=0.0)
        if not isinstance(self.aligned, bool):
            raise ConfigError(f"aligned must be true or false, not {self.aligned!r}")

    def period_s(self, rate_per_s: float) -> float:
        """The period of a function that is called so often, in seconds."""
        wanted = 1.0 / rate_per_s
        if not self.periods_s:
            return max(round(wanted * 1000.0), 1) / 1000.0
        bounds = [math.sqrt(a * b) for a, b in zip(self.periods_s, self.periods_s[1:], strict=False)]
        return self.periods_s[int(np.searchsorted(bounds, wanted))]

    def arrivals_s(self, rate_per_s: float, horizon_s: float, random: np.random.Generator) -> FloatArray:
        """When the timer fires; see `sim.workload.synthesis.arrivals.RateProcess`."""
        period = self.period_s(rate_per_s)
        phase = 0.0 if self.aligned else float(math.floor(random.random() * period))
        calls = math.ceil((horizon_s - phase) / period) if phase < horizon_s else 0
        if calls > _MOST_CALLS:
            raise ConfigError(f"periods_s: one of {period:g} s makes {calls:,} calls in {horizon_s:g} s")
        due = phase + period * np.arange(calls)
        late = due + self.jitter_s * random.random(calls) if self.jitter_s else due
        return np.asarray(late[late < horizon_s], np.float64)
