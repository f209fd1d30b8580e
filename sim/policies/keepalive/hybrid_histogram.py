"""The hybrid histogram: unload at once, and prewarm just before the next call is likely."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from sim.core.errors import ConfigError
from sim.policies.keepalive.parameters import require_between, require_learner, require_whole
from sim.policies.keepalive.role import KeepAlive, LearnsBy, require_seconds
from sim.policies.keepalive.rule import Decision, Rule, State


@dataclass(frozen=True)
class HybridHistogram(KeepAlive):
    """Learn a histogram of idle times, unload until its head and keep until its tail.

    Shahrad et al., "Serverless in the Wild: Characterizing and Optimizing the Serverless Workload at a Large Cloud
    Provider", USENIX ATC 2020, section 4. The *head* is the lower edge of the bin in which the `head_percentile` of the
    idle times within range lies, the *tail* the upper edge of that of the `tail_percentile`; the bin of a percentile p
    is the first up to which at least p % of the gaps, and one, are counted. An instance that becomes idle is

    - unloaded at once, prewarmed after ``head_margin * head`` and kept until ``tail_margin * tail``, or
    - where the head is 0, kept for ``tail_margin * tail``.

    A histogram that has seen fewer than `min_gaps` gaps, or is not representative, takes the standard window: keep for
    `range_s`, no prewarming. It is representative iff the coefficient of variation of the counts of its bins (empty
    ones too, population standard deviation: divided by their number, not by one less) is at least `cv_threshold`.

    Where more than `oob_threshold` of the gaps are out of bounds, that is `range_s` or longer, the paper forecasts the
    next one from the series (ARIMA). Here such units take the standard window, and see more cold starts than in the
    paper.

    The paper learns by app, on which all functions of an app share an instance: `isolation=app` on the platform. Where
    functions have instances of their own, `learns_by` chooses between the gaps of each and those of its whole app.

    Attributes:
        bin_s: seconds, the width of a bin; the paper's minute.
        range_s: seconds that the histogram covers, a multiple of `bin_s`, and the standard window; the paper's 4 hours.
        head_percentile: per cent; the paper's 5.
        tail_percentile: per cent; the paper's 99.
        head_margin: share of the head after which an instance is prewarmed; the paper's margin of 10 %.
        tail_margin: multiple of the tail up to which it is kept; the paper's margin of 10 %.
        cv_threshold: coefficient of variation from which a histogram is representative; the paper's 2.
        min_gaps: idle times before the histogram is used; the paper gives no number, 10 is that of a reproduction.
        oob_threshold: share of idle times out of bounds above which the histogram is not used; the paper gives no
            number, 0.5 is that of a reproduction.
        learns_by: ``unit``, each unit of isolation from its own idle times (the default), or ``app``, from its app's.
    """

    bin_s: float = 60.0
    range_s: float = 14400.0
    head_percentile: float = 5.0
    tail_percentile: float = 99.0
    head_margin: float = 0.9
    tail_margin: float = 1.1
    cv_threshold: float = 2.0
    min_gaps: int = 10
    oob_threshold: float = 0.5
    learns_by: LearnsBy = "unit"

    def __post_init__(self) -> None:
        require_seconds(self, bin_s=self.bin_s, range_s=self.range_s)
        require_between(self, 0, 100, head_percentile=self.head_percentile, tail_percentile=self.tail_percentile)
        require_between(self, 0, 1, head_margin=self.head_margin, oob_threshold=self.oob_threshold)
        require_between(self, 1, inf, tail_margin=self.tail_margin)
        require_between(self, 0, inf, cv_threshold=self.cv_threshold)
        require_whole(self, 0, min_gaps=self.min_gaps)
        require_learner(self, self.learns_by)
        if self.head_percentile > self.tail_percentile:
            raise ConfigError("HybridHistogram: head_percentile must not be above tail_percentile")
        if not (0 < self.bin_s <= self.range_s < inf and abs(self.range_s / self.bin_s - self.bins) < 1e-9):
            raise ConfigError("HybridHistogram: range_s must be a finite multiple of bin_s, and bin_s above 0")

    @property
    def bins(self) -> int:
        """How many bins cover the range."""
        return round(self.range_s / self.bin_s) if 0 < self.bin_s < inf > self.range_s else 0

    def rule(self) -> Rule:
        """The rule; its state is a count for each bin and the seven numbers named below."""
        bins = self.bins
        # Behind the counts: gaps within range, gaps out of it, the sum of the squared counts; then for the head and for
        # the tail the percentile's bin, followed as gaps come, and how many gaps are below it.
        within, beyond, squares, head, tail, size = bins, bins + 1, bins + 2, bins + 3, bins + 5, bins + 7
        bin_s, range_s, last = float(self.bin_s), float(self.range_s), bins - 1
        percentiles = ((head, float(self.head_percentile)), (tail, float(self.tail_percentile)))
        head_margin, tail_margin = float(self.head_margin), float(self.tail_margin)
        spread = 1.0 + float(self.cv_threshold) ** 2
        min_gaps, oob_threshold = float(max(self.min_gaps, 1)), float(self.oob_threshold)

        def observe(state: State, gap_s: float) -> None:
            if gap_s >= range_s:
                state[beyond] += 1.0
                return
            found = min(int(gap_s / bin_s), last)
            state[squares] += 2.0 * state[found] + 1.0
            state[found] += 1.0
            state[within] += 1.0
            for place, percentile in percentiles:
                wanted = max(percentile * state[within], 100.0)
                at, below = int(state[place]), state[place + 1]
                if found < at:
                    below += 1.0
                while 100.0 * below >= wanted:
                    at -= 1
                    below -= state[at]
                while 100.0 * (below + state[at]) < wanted:
                    below += state[at]
                    at += 1
                state[place], state[place + 1] = float(at), below

        def decide(state: State, u: float) -> Decision:
            inside, gaps = state[within], state[within] + state[beyond]
            too_few = gaps < min_gaps or inside < 1.0
            if too_few or state[beyond] > oob_threshold * gaps or bins * state[squares] < spread * inside * inside:
                return range_s, inf, 0.0
            keep_until_s = tail_margin * ((state[tail] + 1.0) * bin_s)
            prewarm_s = head_margin * (state[head] * bin_s)
            if prewarm_s == 0.0:
                return keep_until_s, inf, 0.0
            return 0.0, prewarm_s, keep_until_s - prewarm_s

        return Rule((0.0,) * size, observe, decide)
