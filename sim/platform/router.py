"""The router: sends a call to a ready instance, or to the activator."""

from __future__ import annotations

from sim.platform.activator import Activator
from sim.platform.route_cache import RouteCache


class Router:
    """One router in front of all functions; it takes the most recently idle instance."""

    def __init__(self, cache: RouteCache, activator: Activator) -> None:
        self._ready = cache.ready
        self._activator = activator
        self._calls = [0] * len(cache.ready)

    def route(self, function: int, row: int, now_s: float, service_s: float) -> None:
        """Serve the call `row`, which arrives now."""
        calls = self._calls
        k = calls[function]
        calls[function] = k + 1
        ready = self._ready[function]
        if ready:
            ready.pop().serve(row, now_s, service_s)
        else:
            self._activator.start(function, k, row, now_s, service_s)
