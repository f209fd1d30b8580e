"""Admission: how many requests may be in flight, and how often calls may come and instances may start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from sim.core.errors import ConfigError, PolicyError
from sim.platform.platform import Platform
from sim.policies import rates
from sim.policies.keepalive.demands import Admission, Pings, Retries

if TYPE_CHECKING:
    from sim.platform.slotted_pool import SlottedPool


class Scope:
    """What the units of a scope use together: a concurrency, less what is reserved or provisioned, and a rate of calls.

    Attributes:
        left: requests on demand that may still come, of units without a reservation.
        calls: what has been taken of the rate, if there is one.
    """

    __slots__ = ("calls", "left")

    def __init__(self, left: float, calls: rates.Counter | None) -> None:
        self.left, self.calls = left, calls


class Gate:
    """Lets the requests of one unit in, and counts those that are in flight.

    What the unit has beyond its provisioned instances is taken from its scope, or from its reservation.

    Attributes:
        in_flight: requests that run or wait for a start.
        retries: how those come again that were not let in; None: they are rejected.
    """

    __slots__ = ("_provisioned", "_reserved", "_scope", "_starts", "_unreserved", "in_flight", "retries")

    def __init__(
        self, scope: Scope, unreserved: int, reserved: int | None, starts: rates.Counter | None, retries: Retries | None
    ) -> None:
        self._scope, self._unreserved, self._reserved = scope, unreserved, reserved
        self._starts, self.retries = starts, retries
        self._provisioned = self.in_flight = 0

    def enter(self, now_s: float) -> bool:
        """A request wants in; whether it may."""
        beyond = self.in_flight >= self._provisioned
        if self._reserved is not None:
            if self.in_flight >= self._reserved:
                return False
        elif beyond and self._scope.left < 1:
            return False
        if self._scope.calls is not None and not self._scope.calls.take(now_s):
            return False
        if beyond and self._reserved is None:
            self._scope.left -= 1
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """A request that was let in is in flight no longer."""
        self.in_flight -= 1
        if self._reserved is None and self.in_flight >= self._provisioned:
            self._scope.left += 1

    def may_start(self, now_s: float) -> bool:
        """Whether an instance may be started for a call now."""
        return self._starts is None or self._starts.take(now_s)

    def provision(self, change: int) -> bool:
        """The unit is to have one provisioned instance more (1) or less (-1); whether its scope has room for it."""
        if self._reserved is not None:
            if self._provisioned + change > self._reserved:
                return False
        else:
            more = max(self.in_flight, self._provisioned + change) - max(self.in_flight, self._provisioned)
            if more > 0 and self._scope.left - more < self._unreserved:
                return False
            self._scope.left -= more
        self._provisioned += change
        return True


def require_admissible(admission: Admission | None, platform: Platform, pings: Pings | None) -> None:
    """Refuse what makes no sense where calls are throttled, or is not modelled together with that.

    Raises:
        ConfigError: with the reason.
    """
    if admission is None:
        return
    if platform.queue_limit:
        raise ConfigError("queue_limit lets calls wait for room; a policy that throttles them rejects or repeats them")
    if not platform.routes_are_true:
        raise ConfigError("several routers, or caches and delays of one, are not modelled where calls are throttled")
    if platform.binding == "race":
        raise ConfigError("binding=race is not modelled where starts are throttled")
    if pings is not None:
        raise ConfigError("pings are not modelled where calls are throttled")


def gates(admission: Admission, functions: pd.DataFrame, pools: Sequence[SlottedPool]) -> list[Gate]:
    """A gate for each pool, by the functions that they are of.

    Raises:
        PolicyError: a reservation is of no function.
    """
    names, triggers = functions["name"].tolist(), functions["trigger"].tolist()
    owners = functions["owner"].tolist() if admission.scope == "owner" else [""] * len(functions)
    unknown = sorted(set(admission.reserved) - {names[pool.function] for pool in pools})
    if unknown:
        raise PolicyError(f"concurrency is reserved for {', '.join(unknown)}: there is no such function")
    scopes = {owner: Scope(admission.concurrency, _counter(admission.calls)) for owner in owners}
    made = []
    for pool in pools:
        scope, own = scopes[owners[pool.function]], admission.reserved.get(names[pool.function])
        scope.left -= own or 0
        again = admission.retries if triggers[pool.function] in _repeated(admission.retries) else None
        made.append(Gate(scope, admission.unreserved, own, _counter(admission.starts), again))
    return made


def _counter(rate: rates.Rate | None) -> rates.Counter | None:
    return rate.counter() if rate is not None else None


def _repeated(retries: Retries | None) -> tuple[str, ...]:
    return retries.triggers if retries is not None else ()
