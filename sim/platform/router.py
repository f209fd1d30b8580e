"""The router: sends a call to a ready instance, or to whoever can start one."""

from __future__ import annotations

from typing import Protocol

from sim.platform.activator import Activator
from sim.platform.route_cache import RouteCache
from sim.platform.slotted_pool import SlottedPool


class Routes(Protocol):
    """What the trigger hands calls to."""

    def route(self, function: int, row: int, now_s: float, service_s: float) -> None:
        """Serve the call `row`, which arrives now."""


class PoolRoutes(Routes, Protocol):
    """What the pinger hands pings to as well."""

    def ping(self, function: int, row: int, now_s: float, ping_s: float) -> None:
        """Serve a ping, which comes now."""


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


class PoolRouter:
    """One router in front of pools that know their own free slots, and whose calls may wait."""

    def __init__(self, pools: list[SlottedPool]) -> None:
        """One pool a function; functions of one app may share theirs."""
        self._pools = pools
        self._calls = [0] * len(pools)

    def route(self, function: int, row: int, now_s: float, service_s: float) -> None:
        """Serve the call `row`, which arrives now."""
        k = self._calls[function]
        self._calls[function] = k + 1
        self._pools[function].arrive(function, k, row, now_s, service_s)

    def ping(self, function: int, row: int, now_s: float, ping_s: float) -> None:
        """Serve a ping, which comes now; its number is that of the next call."""
        self._pools[function].ping(function, self._calls[function], row, now_s, ping_s)
