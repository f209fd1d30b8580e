"""The adaptive window: as long as most of the idle times seen so far."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, frexp, inf, ldexp, log2
from typing import Final

from sim.core.errors import ConfigError
from sim.policies.keepalive.parameters import require_between, require_learner, require_whole
from sim.policies.keepalive.role import KeepAlive, LearnsBy, require_seconds
from sim.policies.keepalive.rule import Decision, Rule, State

FINEST_S: Final = 0.0625
"""Shorter gaps are not told apart; a power of two, so that dividing by it is exact."""
STEPS: Final = 16
"""Bins in which each doubling of the gap is divided: a window is at most a sixteenth longer than the quantile."""


@dataclass(frozen=True)
class AdaptiveWindow(KeepAlive):
    """Keep an idle instance for a quantile of its unit's idle times, learnt as they come.

    The quantile q is the smallest gap that at least ``q * n`` of the n gaps seen do not exceed, read from a histogram
    whose bins are a sixteenth of a doubling wide, and rounded up to the upper edge of its bin: the window is above the
    quantile by at most 1/16 of it (0.0625 s below 0.0625 s). Nothing is forgotten, and gaps that are too long for any
    window count like all others. Pagurus (Li et al., USENIX ATC 2022) takes the 95th percentile of intervals in this
    way, to tell from when on an idle container is of no more use to its function.

    Attributes:
        quantile: share of the idle times that the window covers, 0.95 by default: Pagurus's.
        min_gaps: idle times before the quantile is used, 30 by default: Pagurus's.
        default_window_s: seconds, the window until then, 600 by default: OpenWhisk's.
        min_window_s: seconds, no window is shorter; 60 by default, as on Huawei's YuanRong (EuroSys 2025). Gaps are
            those in which no call runs; where calls overlap, they do not tell how soon a second instance is needed.
        max_window_s: seconds, no window is longer; 14400 by default, the range of Shahrad et al. (USENIX ATC 2020).
        learns_by: ``unit``, each unit of isolation from its own idle times (the default), or ``app``, from its app's.
    """

    quantile: float = 0.95
    min_gaps: int = 30
    default_window_s: float = 600.0
    min_window_s: float = 60.0
    max_window_s: float = 14400.0
    learns_by: LearnsBy = "unit"

    def __post_init__(self) -> None:
        require_between(self, 0, 1, quantile=self.quantile)
        require_whole(self, 0, min_gaps=self.min_gaps)
        require_seconds(self, default_window_s=self.default_window_s, min_window_s=self.min_window_s)
        require_between(self, 0, 2.0**40, max_window_s=self.max_window_s)
        require_learner(self, self.learns_by)
        if self.min_window_s > self.max_window_s:
            raise ConfigError("AdaptiveWindow: min_window_s must not be above max_window_s")

    def rule(self) -> Rule:
        """The rule; its state is a count for each bin, then the number of gaps, the quantile's bin, the gaps below."""
        doublings = max(0, ceil(log2(max(self.max_window_s, FINEST_S) / FINEST_S)))
        last = doublings * STEPS + 1  # bin 0 holds what is below FINEST_S, the last one what no window can cover
        total, place, size = last + 1, last + 2, last + 4
        quantile, min_gaps = float(self.quantile), float(max(self.min_gaps, 1))
        default_s, min_s, max_s = float(self.default_window_s), float(self.min_window_s), float(self.max_window_s)

        def observe(state: State, gap_s: float) -> None:
            found = 0
            if gap_s > max_s:
                found = last
            elif gap_s >= FINEST_S:
                mantissa, doubling = frexp(gap_s / FINEST_S)
                found = min(1 + (doubling - 1) * STEPS + int((2.0 * mantissa - 1.0) * STEPS), last)
            state[found] += 1.0
            state[total] += 1.0
            wanted = max(quantile * state[total], 1.0)
            at, below = int(state[place]), state[place + 1]
            if found < at:
                below += 1.0
            while below >= wanted:
                at -= 1
                below -= state[at]
            while below + state[at] < wanted:
                below += state[at]
                at += 1
            state[place], state[place + 1] = float(at), below

        def decide(state: State, u: float) -> Decision:
            if state[total] < min_gaps:
                return default_s, inf, 0.0
            at = int(state[place])
            window_s = ldexp(1.0 + ((at - 1) % STEPS + 1) / STEPS, (at - 1) // STEPS) * FINEST_S if at else FINEST_S
            return min(max(window_s, min_s), max_s), inf, 0.0

        return Rule((0.0,) * size, observe, decide)
