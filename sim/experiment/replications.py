"""How often what is random is drawn: a fixed number of times, or until an interval is narrow enough."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import pandas as pd

from sim.core import checks
from sim.core.errors import ConfigError
from sim.experiment.intervals import WITH_INTERVALS, half_width


@dataclass(frozen=True)
class Replications:
    """How many replications.

    They are drawn in rounds, the same number for every policy, so that all stay paired; how many a round takes depends
    on the results so far and on nothing else.

    Attributes:
        min: at least so many; no fewer than 2 where a target is set, 5 or more are wise.
        max: at most so many; by default `min`.
        target_rel_halfwidth: enough when, for every policy, the half-width of the metric's 95 % interval is at most
            this share of its mean; None: `min` it is. An interval that made itself stop is a little too narrow; the
            fewer replications, the more so (Law, Simulation Modeling and Analysis, section 9.4.1).
        metric: that is watched, one of those with intervals.
    """

    min: int = 1
    max: int | None = None
    target_rel_halfwidth: float | None = None
    metric: str = "cold_start_rate"

    def __post_init__(self) -> None:
        checks.whole("replications.min", self.min, low=1)
        if self.max is not None:
            checks.whole("replications.max", self.max, low=self.min)
        if self.metric not in WITH_INTERVALS:
            raise ConfigError(
                f"replications.metric: {self.metric!r} has no interval; there is {', '.join(WITH_INTERVALS)}"
            )
        if self.target_rel_halfwidth is None:
            if self.most > self.min:
                raise ConfigError("replications.max is more than min, but without target_rel_halfwidth it says nothing")
            return
        checks.number("replications.target_rel_halfwidth", self.target_rel_halfwidth, low=0)
        if self.max is None:
            raise ConfigError("replications.max must be given where an interval is to be narrow enough")
        if self.min < 2:
            raise ConfigError("replications.min must be 2 or more where an interval is to be narrow enough")

    @property
    def most(self) -> int:
        """The greatest number."""
        return self.min if self.max is None else self.max

    def next(self, values: pd.DataFrame) -> int:
        """How many replications there should be, given the metric's values so far; the same number: enough.

        Args:
            values: a column a policy, a row a replication.
        """
        done = len(values)
        if self.target_rel_halfwidth is None or done >= self.most:
            return done
        widths = self._relative_widths(values) / self.target_rel_halfwidth
        if not (widths > 1).any():  # never where a value is NaN: more of them would not help
            return done
        times = float(widths.max() ** 2)
        wanted = 2 * done if times > 2 else ceil(done * times)  # the width is not known well enough to go further
        return min(self.most, max(done + 1, wanted))

    def missed(self, values: pd.DataFrame) -> str:
        """For which policies the interval is wider than asked, in words; empty if for none.

        Args:
            values: as `next` takes them.
        """
        if self.target_rel_halfwidth is None:
            return ""
        widths = self._relative_widths(values)
        wide = [f"{name} ({width:.2g})" for name, width in widths.items() if width > self.target_rel_halfwidth]
        return (
            f"the half-width asked for, {self.target_rel_halfwidth:g} of the mean of {self.metric}, was not reached in"
            f" {len(values)} replications for {', '.join(wide)}"
        ) if wide else ""  # fmt: skip

    def _relative_widths(self, values: pd.DataFrame) -> pd.Series:
        """Half-width over mean, a row a policy; NaN where a value is, infinite where all that the mean is not is 0."""
        half = values.apply(half_width)
        return half / values.mean().abs().where(half != 0, 1.0)
