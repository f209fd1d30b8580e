"""The platform: a description of what serves the calls."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final, Literal, get_args

import pandas as pd

from sim.core import checks
from sim.core.distributions import Distribution
from sim.core.errors import ConfigError
from sim.platform.startup import ConstantStart, StartModel

Isolation = Literal["function", "app"]
InstanceChoice = Literal[
    "most_recently_idle", "least_recently_idle", "random", "newest_created", "oldest_created", "least_connections",
    "power_of_two", "round_robin", "by_concurrency",
]  # fmt: skip
BindingRule = Literal["early", "late", "race"]
ProcessorRule = Literal["dedicated", "shared"]

_WORDS: Final = {
    "isolation": get_args(Isolation),
    "instance_choice": get_args(InstanceChoice),
    "binding": get_args(BindingRule),
    "processor": get_args(ProcessorRule),
}


@dataclass(frozen=True)
class Platform:
    """What a platform is made of; a value that any number of runs may share.

    Attributes:
        start: how long the phases of a cold start take; or
        start_s: every start takes this many seconds. One of the two is given.
        max_lifetime_s: how long an instance may live, counted from its creation; a running call is never cut. Of a
            distribution each instance draws its own.
        isolation: what shares an instance: the calls of one function, or of all functions of one app. An app's instance
            has the memory and the packages of all its functions.
        instance_choice: which of several free slots a call takes.
        binding: what a call does that finds none: own a place in an instance that starts (early), take whichever slot
            is ready first (late), or both (race).
        concurrency: requests an instance serves at a time; without it, what the table of functions says (an app's
            instance: the least of its functions').
        processor: whether each request runs as if it were alone in its instance (dedicated), or those of an instance
            share its processor (shared): service times are those of a request alone then.
        cores: of an instance, where they are shared; without it, by its memory.
        mb_per_core: memory with which a core comes; AWS Lambda gives one with 1,769 MB.
        cores_per_request: cores that a request asks for while it runs; without it, what the table of functions says
            (cpu_share).
        image_base_mb: what an image carries besides its package: the base that zip packages share and never fetch.
        prewarm_lead_s: how long before it is due a prewarmed instance is started.
        start_failure_probability: with which an attempt to start an instance fails, at its end.
        start_attempts: how often a start is tried; a call whose instance could not be started fails.
        max_wait_s: how long a call waits before it gives up.
        max_instances_per_unit: how many instances a function (with isolation by app: an app) may have.
        max_instances: how many there may be in all.
        queue_limit: how many calls of a unit may wait for room where a cap is reached; further ones are rejected. 0:
            every call that finds no room is rejected; infinity: all wait.
        routers: how many there are; each call goes to one at random.
        route_cache_size: how many free slots a router remembers, of all functions.
        route_delay_s: how long it takes until a router knows what did not pass through it (infinity: for ever).
        hop_s: what a call loses where its router sent it to a slot that is not free.
    """

    start: StartModel | None = None
    start_s: float | None = None
    max_lifetime_s: float | Distribution = inf
    isolation: Isolation = "function"
    instance_choice: InstanceChoice = "most_recently_idle"
    binding: BindingRule = "early"
    concurrency: int | None = None
    processor: ProcessorRule = "dedicated"
    cores: float | None = None
    mb_per_core: float = 1769.0
    cores_per_request: float | None = None
    image_base_mb: float = 0.0
    prewarm_lead_s: float = 0.0
    start_failure_probability: float = 0.0
    start_attempts: int = 3
    max_wait_s: float = inf
    max_instances_per_unit: float = inf
    max_instances: float = inf
    queue_limit: float = 0
    routers: int = 1
    route_cache_size: float = inf
    route_delay_s: float = 0.0
    hop_s: float = 0.001

    def __post_init__(self) -> None:
        self._check_start()
        self._check_numbers()
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ConfigError(f"{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}")

    def _check_start(self) -> None:
        if (self.start is None) == (self.start_s is None):
            raise ConfigError("a platform needs either start (a model of phases) or start_s (seconds), and not both")
        if self.start is not None and not isinstance(self.start, StartModel):
            raise ConfigError(f"start must be a start model, not {self.start!r}")
        if self.start_s is not None:
            checks.number("start_s", self.start_s, low=0)

    def _check_numbers(self) -> None:
        if not isinstance(self.max_lifetime_s, Distribution):
            checks.number("max_lifetime_s", self.max_lifetime_s, above=0, finite=False)
        checks.number("start_failure_probability", self.start_failure_probability, low=0, high=1)
        for name in ("prewarm_lead_s", "max_wait_s", "route_delay_s"):
            checks.number(name, getattr(self, name), low=0, finite=False)
        for name in ("hop_s", "image_base_mb"):
            checks.number(name, getattr(self, name), low=0)
        for name in ("max_instances_per_unit", "max_instances", "route_cache_size"):
            checks.whole(name, getattr(self, name), low=1, or_infinity=True)
        checks.whole("queue_limit", self.queue_limit, low=0, or_infinity=True)
        for name in ("start_attempts", "routers"):
            checks.whole(name, getattr(self, name), low=1)
        for name in ("mb_per_core", "cores", "cores_per_request"):
            if getattr(self, name) is not None:
                checks.number(name, getattr(self, name), above=0)
        if self.concurrency is not None:
            checks.whole("concurrency", self.concurrency, low=1)

    @property
    def start_model(self) -> StartModel:
        """The model of starts, whichever way it was given."""
        return self.start if self.start is not None else ConstantStart(float(self.start_s or 0.0))

    def deployed(self, functions: pd.DataFrame) -> pd.DataFrame:
        """The functions as this platform runs them: with the memory, package and concurrency of their instances."""
        table = functions
        if self.isolation == "app":
            apps = functions.groupby(["owner", "app"], sort=False)
            table = functions.assign(
                memory_mb=apps["memory_mb"].transform("sum"),
                package_mb=apps["package_mb"].transform("sum"),
                concurrency=apps["concurrency"].transform("min"),
            )
        if self.image_base_mb:
            carried_mb = self.image_base_mb * (table["package_kind"] == "image")
            table = table.assign(package_mb=table["package_mb"] + carried_mb)
        if self.cores_per_request is not None:
            table = table.assign(cpu_share=self.cores_per_request)
        return table if self.concurrency is None else table.assign(concurrency=self.concurrency)

    @property
    def routes_are_true(self) -> bool:
        """Whether there is one router, which knows of every free slot at once."""
        return self.routers == 1 and self.route_cache_size == inf and not self.route_delay_s

    @property
    def router_matters(self) -> bool:
        """Whether it matters to which of the routers a call goes."""
        return self.routers > 1 and (self.route_cache_size < inf or self.route_delay_s > 0)

    def is_plain(self, deployed: pd.DataFrame) -> bool:
        """Whether a warm call is served by the short way: no queue, no order but the most recent, one slot.

        Nor may a time-out cut the load of a handler, of which the next call would have to wait for the rest.
        """
        return (
            self.isolation == "function"
            and self.routes_are_true
            and self.instance_choice == "most_recently_idle"
            and self.binding == "early"
            and self.processor == "dedicated"
            and not isinstance(self.max_lifetime_s, Distribution)
            and not self.start_failure_probability
            and self.max_wait_s == self.max_instances_per_unit == self.max_instances == inf
            and bool((deployed["concurrency"] == 1).all())
            and not (self.start_model.loads_late and bool((deployed["timeout_s"] < inf).any()))
        )
