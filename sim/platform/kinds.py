"""Kinds of pools: what a pool has to be able to do, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.platform.bypassed_pool import BypassedPool
from sim.platform.metered_pool import MeteredPool
from sim.platform.scaled_pool import ScaledPool
from sim.platform.watched_pool import WatchedPool

if TYPE_CHECKING:
    from sim.platform.slotted_pool import SlottedPool
    from sim.policies.scaling.role import Scaling


def scaled_traits(policy: Scaling) -> list[type[SlottedPool]]:
    """What pools under a scaler of this policy can do."""
    wanted = ((MeteredPool, policy.needs_pods), (WatchedPool, policy.needs_queue), (BypassedPool, policy.may_bypass))
    return [trait for trait, is_wanted in wanted if is_wanted] or [ScaledPool]


def pool_class(traits: list[type[SlottedPool]]) -> Any:
    """The class of pools that are all of these; the first has the first word."""
    if len(traits) == 1:
        return traits[0]
    return type("".join(trait.__name__.removesuffix("Pool") for trait in traits) + "Pool", tuple(traits), {})
