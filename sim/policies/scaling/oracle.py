"""The oracle of scaling: as many instances as the calls to come need, and no more."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf, nextafter
from typing import ClassVar

from sim.core import checks
from sim.core.errors import PolicyError
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit


@dataclass(frozen=True)
class OracleScaling(Scaling):
    """Knows every call to come, and has the instances ready that they need at once.

    Every `tick_s` there are to be as many as calls need at the same time at most, from now to ``horizon_s + lead_s``
    from now: those that run, and those that come. Where every start takes `lead_s` and nothing limits instances or
    their lives, no call waits that comes after ``tick_s + lead_s``, when the first decision has taken effect; and with
    `horizon_s` equal to `tick_s` fewer instances at any tick would make one wait.

    A reference for other scaling policies, not a rule of any platform. What calls need is counted as if none waited:
    where starts take longer, or handlers load at the first call, it is no bound.

    Attributes:
        lead_s: seconds that the start of an instance is taken to last.
        horizon_s: seconds beyond that, at least `tick_s`, whose calls have their instances.
        queue_depth: calls of a function that may wait.
        tick_s: seconds between decisions.
    """

    needs_seconds: ClassVar[bool] = False
    needs_future: ClassVar[bool] = True
    lead_s: float = 2.0
    horizon_s: float = 10.0
    queue_depth: float = inf
    tick_s: float = 10.0

    def __post_init__(self) -> None:
        checks.number("OracleScaling: lead_s", self.lead_s, low=0)
        checks.number("OracleScaling: tick_s", self.tick_s, above=0)
        checks.number("OracleScaling: horizon_s", self.horizon_s, low=self.tick_s)
        checks.whole("OracleScaling: queue_depth", self.queue_depth, low=1, or_infinity=True)

    def scaler(self, unit: Unit) -> OracleScaler:
        """The oracle of one function."""
        return OracleScaler(self, unit)


class OracleScaler(Scaler):
    """The oracle of one function: its peaks to come, as candidates that fall from the nearest to the last."""

    why = "foreseen"

    def __init__(self, policy: OracleScaling, unit: Unit) -> None:
        if unit.future is None:
            raise PolicyError("OracleScaling needs the calls to come")
        self._slots = unit.concurrency
        self._lead_s, self._horizon_s = policy.lead_s, policy.horizon_s
        self._arrival_s, self._busy = unit.future.arrival_s.tolist(), unit.future.busy().tolist()
        self._seen = 0
        self._peaks: deque[int] = deque()  # calls, each with more running after it than after any later one in sight

    def wanted(self, load: Load) -> int:
        """Room for what runs now and for the highest peak in sight."""
        return self._instances(max(load.in_flight, self._peak(load.now_s, load.now_s)))

    def poked(self, load: Load) -> int:
        """The same; the call that waits, and those of the same instant, are in sight too."""
        return self._instances(max(1, self._peak(nextafter(load.now_s, -inf), load.now_s)))

    @property
    def remembers(self) -> bool:
        """While calls are to come."""
        return self._seen < len(self._arrival_s) or len(self._peaks) > 0

    def _peak(self, after_s: float, now_s: float) -> int:
        """The most that run at once after an arrival later than `after_s` and in sight at `now_s`."""
        arrival_s, busy, peaks = self._arrival_s, self._busy, self._peaks
        end_s = now_s + self._horizon_s + self._lead_s  # as the next tick's starts are ready, to the last digit
        if not self._lead_s:
            end_s = nextafter(end_s, inf)  # the next tick comes after the calls of its own instant
        while self._seen < len(arrival_s) and arrival_s[self._seen] < end_s:
            while peaks and busy[peaks[-1]] <= busy[self._seen]:
                peaks.pop()
            peaks.append(self._seen)
            self._seen += 1
        while peaks and arrival_s[peaks[0]] <= after_s:
            peaks.popleft()
        return busy[peaks[0]] if peaks else 0

    def _instances(self, calls: int) -> int:
        return -(-calls // self._slots)
