"""Azure's scale controller: one instance at a time, no faster than its rate allows."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from sim.core import checks
from sim.policies.scaling.recent import instances_for
from sim.policies.scaling.role import Load, Poked, Scaler, Scaling, Unit

HTTP = "http"


@dataclass(frozen=True)
class AzureScaling(Scaling):
    """The Consumption plan of Azure Functions: instances of a whole app, each of which serves many requests.

    While requests wait, an instance is added whenever the ready and starting ones cannot take all requests in flight:
    at most one every `http_s` for an app with an HTTP trigger, and one every `other_s` for others; the first starts at
    once. An instance that idles for `idle_s` goes. Use it with ``isolation=app``.

    Source: Azure Functions, event-driven scaling (2020-10): the rates and the most instances. How its controller judges
    load is not published; that it adds what requests in flight need is ours. Idle times are measured (mikhail.io, 2021:
    hardly any app was cold after 20 minutes, most were after 23; an adaptive policy was on). Not modelled: that policy,
    and workers that are prepared for any app.

    Attributes:
        requests_per_instance: requests that an instance is meant to serve; None: all that it can, its concurrency.
        http_s: seconds between new instances of an app with an HTTP trigger.
        other_s: seconds between new instances of any other app.
        max_instances: instances of an app at most; 100 on Linux (unverified).
        idle_s: seconds that an instance idles before it goes.
        queue_depth: calls of an app that may wait.
        tick_s: seconds between looks of the controller (ours).
    """

    poked: ClassVar[Poked] = "when_queue_forms"
    sleeps_unless_calls_wait: ClassVar[bool] = True
    requests_per_instance: float | None = None
    http_s: float = 1.0
    other_s: float = 30.0
    max_instances: int = 200
    idle_s: float = 1200.0
    queue_depth: float = inf
    tick_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("http_s", "other_s", "tick_s"):
            checks.number(f"AzureScaling: {name}", getattr(self, name), above=0)
        if self.requests_per_instance is not None:
            checks.number("AzureScaling: requests_per_instance", self.requests_per_instance, above=0)
        checks.whole("AzureScaling: max_instances", self.max_instances, low=1)
        checks.number("AzureScaling: idle_s", self.idle_s, low=0, finite=False)
        checks.whole("AzureScaling: queue_depth", self.queue_depth, low=1, or_infinity=True)

    def scaler(self, unit: Unit) -> AzureScaler:
        """The controller of one app."""
        return AzureScaler(self, unit)


class AzureScaler(Scaler):
    """The controller of one app, and when it last added an instance."""

    def __init__(self, policy: AzureScaling, unit: Unit) -> None:
        self._most = policy.max_instances
        self._each = policy.requests_per_instance or unit.concurrency
        self._every_s = policy.http_s if HTTP in unit.triggers else policy.other_s
        self._added_s = -inf

    def wanted(self, load: Load) -> int | None:
        """One more, if more are needed and it is time."""
        if load.instances >= min(instances_for(load.in_flight, self._each), self._most):
            return None
        if load.now_s < self._added_s + self._every_s:
            return None
        self._added_s, self.why = load.now_s, "more requests"
        return load.instances + 1

    def poked(self, load: Load) -> int | None:
        """The same, so that the first one starts at once."""
        return self.wanted(load)
