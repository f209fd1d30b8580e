"""Predictive scaling: what was needed at this phase of earlier seasons, and no less than what was needed just now."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.scaling.recent import RecentSeconds, instances_for, require_whole_seconds
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit


@dataclass(frozen=True)
class Predictive(Scaling):
    """A seasonal forecast with a reactive floor.

    A season, such as a day, is cut into phases; the peak of a phase is the highest average of its seconds of requests
    in flight. Every `tick_s` there are to be as many instances as the forecast needs, for the phase that it is and
    those that begin within `lead_s`: the least peak that a share `quantile` of the last `seasons` did not exceed at
    that phase, times `headroom`. Seasons before the trace do not count, and in the first there is no forecast. There
    are never fewer than the requests in flight need, or the highest average of the last `reactive_s`.

    The rule and all its defaults are ours: the plainest forecast that has a season, for others to be compared with.

    Attributes:
        period_s: whole seconds of a season, a multiple of `phase_s`; a day by default.
        phase_s: whole seconds of a phase.
        seasons: how many of the last are looked at.
        quantile: share of them whose peaks the forecast reaches; 1: the highest of all.
        headroom: times the forecast.
        lead_s: seconds before a phase from which on its instances are wanted, at most a season; with a tick and a start
            or more they are ready in time.
        reactive_s: whole seconds just past whose load is always provided for.
        queue_depth: calls of a function that may wait.
        tick_s: seconds between decisions.
    """

    period_s: float = 86400.0
    phase_s: float = 300.0
    seasons: int = 7
    quantile: float = 1.0
    headroom: float = 1.0
    lead_s: float = 30.0
    reactive_s: float = 60.0
    queue_depth: float = inf
    tick_s: float = 10.0

    def __post_init__(self) -> None:
        require_whole_seconds(self, "period_s", "phase_s", "reactive_s")
        if self.period_s % self.phase_s:
            raise ConfigError(
                f"Predictive: period_s must be a multiple of phase_s, {self.phase_s:g}, not {self.period_s:g}"
            )
        checks.whole("Predictive: seasons", self.seasons, low=1)
        checks.number("Predictive: quantile", self.quantile, low=0, high=1)
        checks.number("Predictive: headroom", self.headroom, above=0)
        checks.number("Predictive: lead_s", self.lead_s, low=0, high=self.period_s)
        checks.number("Predictive: tick_s", self.tick_s, above=0)
        checks.whole("Predictive: queue_depth", self.queue_depth, low=1, or_infinity=True)

    def scaler(self, unit: Unit) -> PredictiveScaler:
        """The forecast of one function."""
        return PredictiveScaler(self, unit)


class PredictiveScaler(Scaler):
    """The forecast of one function, from the peaks of the phases in which it had requests."""

    def __init__(self, policy: Predictive, unit: Unit) -> None:
        self._policy, self._slots = policy, unit.concurrency
        self._phase_s = int(policy.phase_s)
        self._phases = int(policy.period_s) // self._phase_s
        self._recent = RecentSeconds(int(policy.reactive_s))
        self._peaks: dict[int, float] = {}  # by the number of the phase since the start, in order; no entry: 0

    def wanted(self, load: Load) -> int:
        """The greater of the forecast and the floor."""
        self._record(load)
        floor = instances_for(max(self._recent.highest, load.in_flight), self._slots)
        forecast = self._forecast(load.now_s)
        self.why = "forecast" if forecast > floor else "reactive"
        return max(forecast, floor)

    def poked(self, load: Load) -> int:
        """The forecast, or one."""
        return max(self._forecast(load.now_s), 1)

    @property
    def remembers(self) -> bool:
        """While a season that counts had requests."""
        return len(self._peaks) > 0

    def _record(self, load: Load) -> None:
        self._recent.add(load.since, load.concurrency)
        peaks = self._peaks
        for second, level in enumerate(load.concurrency, load.since):
            if level:
                phase = second // self._phase_s
                peaks[phase] = max(peaks.get(phase, 0.0), level)
        outdated = int(load.now_s // self._phase_s) - self._policy.seasons * self._phases
        while peaks and (oldest := next(iter(peaks))) < outdated:
            del peaks[oldest]

    def _forecast(self, now_s: float) -> int:
        """Instances for the phases from now to the lead."""
        first, last = int(now_s // self._phase_s), int((now_s + self._policy.lead_s) // self._phase_s)
        peak = max(self._expected(phase) for phase in range(first, last + 1))
        return instances_for(peak * self._policy.headroom, self._slots)

    def _expected(self, phase: int) -> float:
        """The quantile of the peaks at the same phase of the last seasons; 0 where there are none."""
        oldest = max(phase - self._policy.seasons * self._phases, phase % self._phases)
        peaks = sorted(self._peaks.get(earlier, 0.0) for earlier in range(oldest, phase, self._phases))
        reached = max(instances_for(self._policy.quantile * len(peaks), 1.0), 1)
        return peaks[reached - 1] if peaks else 0.0
