"""Ski rental: how long to keep an instance if nothing is known of the calls to come."""

from __future__ import annotations

from dataclasses import dataclass
from math import e, inf, log
from typing import Final

from sim.policies.keepalive.parameters import require_between
from sim.policies.keepalive.role import KeepAlive
from sim.policies.keepalive.rule import Decision, Rule, State
from sim.workload.trace import Trace

CELLS: Final = 256
"""Cells of the inverse-CDF table; straight lines between its entries miss the formula by at most 6e-6 of T."""


@dataclass(frozen=True)
class SkiRental(KeepAlive):
    """Keep for as long as a cold start is worth: never much worse than knowing the next call.

    An idle second is rent, a cold start is worth T seconds of it: this is the ski-rental problem. Keeping each idle
    instance for exactly T costs at most 2 times what a policy pays that knows each gap, and no deterministic policy
    promises less (Karlin, Manasse, Rudolph and Sleator, "Competitive Snoopy Caching", Algorithmica 3, 1988). A random
    window, drawn anew whenever an instance becomes idle, from the density ``exp(x / T) / (T (e - 1))`` on [0, T], costs
    at most e / (e - 1) = 1.582 times as much in expectation, and no policy promises less (Karlin, Manasse, McGeoch and
    Owicki, "Competitive Randomized Algorithms for Nonuniform Problems", Algorithmica 11, 1994). It is drawn by inverse
    CDF, ``T ln(1 + u (e - 1))``, from a table.

    Attributes:
        start_worth_s: seconds of idling of one instance that one cold start is worth, T; 600 by default, so that the
            deterministic rule is the baseline of ten minutes.
        randomised: draw the window; false by default.
    """

    start_worth_s: float = 600.0
    randomised: bool = False

    def __post_init__(self) -> None:
        require_between(self, 0, inf, start_worth_s=self.start_worth_s)

    def windows_s(self, future: Trace | None) -> float:
        """T."""
        return float(self.start_worth_s)

    def rule(self) -> Rule | None:
        """What draws the window, if it is drawn; nothing is learnt."""
        if not self.randomised:
            return None
        worth_s = float(self.start_worth_s)
        table = (*(worth_s * log(1.0 + i / CELLS * (e - 1.0)) for i in range(CELLS)), worth_s)

        def observe(state: State, gap_s: float) -> None:
            pass

        def decide(state: State, u: float) -> Decision:
            position = u * CELLS
            cell = int(position)
            low = table[cell]
            return low + (table[cell + 1] - low) * (position - cell), inf, 0.0

        return Rule((), observe, decide, needs_uniform=True)
