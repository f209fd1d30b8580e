"""What the compiled engine covers: scenarios whose functions do not interact."""

from __future__ import annotations

from importlib.util import find_spec
from math import inf
from typing import Final

from sim.platform.asked import Asked
from sim.platform.platform import Platform
from sim.policies.keepalive.demands import Floor
from sim.policies.keepalive.role import KeepAlive, checked_generic_pools
from sim.workload.source import Source

INSTALL: Final = "engine=compiled needs numba: pip install 'keepwarm[compiled]'"


def is_installed() -> bool:
    """Whether numba is there; it is not imported for that."""
    return find_spec("numba") is not None


def why_not(trace: Source, policy: KeepAlive, platform: Platform) -> tuple[str, ...]:
    """What of a scenario is not covered, a phrase each; empty where everything is."""
    return (*_of_platform(trace, platform), *_of_policy(policy))


def _of_platform(trace: Source, platform: Platform) -> list[str]:
    several = platform.deployed(trace.functions)["concurrency"].to_numpy() > 1
    reasons = {
        f"binding={platform.binding}": platform.binding != "early",
        "concurrency above 1": bool(several.any() and several[trace.calls_per_function > 0].any()),
        "processor=shared": platform.processor == "shared",
        "start_failure_probability": platform.start_failure_probability > 0,
        "max_wait_s": platform.max_wait_s < inf,
        "max_instances (max_instances_per_unit is covered)": platform.max_instances < inf,
        "queue_limit": platform.max_instances_per_unit < inf and platform.queue_limit > 0,
        "several routers, or one that does not know of every free instance": not platform.routes_are_true,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _of_policy(policy: KeepAlive) -> list[str]:
    asked = Asked.by(policy)
    floor, name = asked.floor, type(policy).__name__
    held = isinstance(floor, Floor) and len(floor.steps) == 1 and floor.functions is None and not floor.served_first
    apart = [asked.rule is not None, bool(floor), asked.pings is not None]
    reasons = {
        "a scaling policy": asked.scaling is not None,
        "an admission": asked.admission is not None,
        "generic cells": checked_generic_pools(policy) is not None,
        "a window of a whole unit": asked.unit_window_s < inf,
        "a floor that changes, is of some functions, or is served first": bool(floor) and not held,
        "two of a rule, a floor and pings together": sum(apart) > 1,
    }
    return [f"{reason}, as {name} wants" for reason, holds in reasons.items() if holds]
