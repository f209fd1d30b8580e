"""The route cache: which ready instances a router knows of."""

from __future__ import annotations

from sim.platform.instance import Instance


class RouteCache:
    """For each function its ready instances with a free slot, the most recently idle last.

    There is one router, and it learns at once: its entry for a function and the pool's list of free instances are one
    list, so that a hit costs a look-up and nothing is kept twice.

    Attributes:
        ready: one list a function.
    """

    def __init__(self, functions: int) -> None:
        self.ready: list[list[Instance]] = [[] for _ in range(functions)]
