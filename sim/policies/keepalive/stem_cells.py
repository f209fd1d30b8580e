"""Stem cells: pools of started sandboxes that belong to no function yet, as OpenWhisk keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.demands import GenericPools
from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class StemCells(KeepAlive):
    """Keep generic cells ready for each class of functions, so that a start has only its own phases left.

    A class is a runtime and a memory. A start takes the ready cell of its class that expires first; then the class is
    filled up to `min_count`. At every check cells whose time to live is over go, and the class is filled up to
    floor(cold starts since the last check / `threshold`) * `increment`, at least `min_count`, at most `max_count`; a
    cold start is one that found no ready cell. OpenWhisk's prewarmed containers with their reactive rule; the defaults
    are those it ships for Node.js. Its operator names the classes, here they are those of the trace's functions.

    Attributes:
        window_s: seconds that an instance stays idle; OpenWhisk's idle-container timeout by default.
        initial_count: cells of each class that are ready at time 0.
        min_count: cells of a class at least, ready or starting, after one is taken and after a check.
        max_count: cells of a class to which a check fills up at most.
        ttl_s: seconds after which a ready cell is removed, at the next check.
        threshold: cold starts of a class between two checks that ask for `increment` cells.
        increment: cells that every `threshold` cold starts ask for.
        check_s: seconds from one check to the next, the first after so many; OpenWhisk adds up to 10 at random.
        memory_step_mb: a class's memory is a function's, rounded up to a multiple of so many MB; 0: not rounded.
        generic_phases: the phases of a start that a cell has behind it.
    """

    window_s: float = 600.0
    initial_count: int = 2
    min_count: int = 1
    max_count: int = 4
    ttl_s: float = 120.0
    threshold: int = 1
    increment: int = 1
    check_s: float = 600.0
    memory_step_mb: float = 128.0
    generic_phases: tuple[str, ...] = ("create", "prepare", "runtime")

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s, ttl_s=self.ttl_s, check_s=self.check_s)
        self.generic_pools()

    def windows_s(self, future: Trace | None) -> float:
        """The window of the instances; cells have none."""
        return float(self.window_s)

    def generic_pools(self) -> GenericPools:
        """The pools."""
        return GenericPools(
            self.initial_count, self.min_count, self.max_count, self.ttl_s, self.threshold, self.increment,
            self.check_s, self.memory_step_mb, tuple(self.generic_phases),
        )  # fmt: skip
