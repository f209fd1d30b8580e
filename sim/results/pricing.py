"""Prices: what the user pays for calls, and what memory-time costs the provider. 1 GB is 1024 MB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.core import checks
from sim.core.errors import ConfigError
from sim.results.columns import HANDLER, Starts

FloatArray = npt.NDArray[np.float64]

MB_PER_GB: Final = 1024.0
STEP_TOLERANCE: Final = 1e-9
"""An amount this close to a whole number of steps, relative to it, is that many: binary fractions are not exact."""


@dataclass(frozen=True)
class PriceBook:
    """What a user pays per call, without free tiers and volume discounts.

    A call is billed `max(minimum_s, steps * granularity_s)` seconds, steps being its time divided by `granularity_s`
    and rounded up (a time within 1e-9 of a whole number of steps, relative, is that number, so that 0.003 s are 3 steps
    of 1 ms); its memory is rounded up to `memory_step_mb` in the same way and then kept within the bounds. Where
    processors are billed too, there are `max(vcpu_minimum, vcpu_per_gb * GB)` of them.

    Attributes:
        name: of provider and plan.
        source: where the prices are from.
        date: when they were valid, or read.
        usd_per_gb_s: USD per GB-second.
        usd_per_million_requests: USD.
        granularity_s: seconds of a billing step; 0: no rounding.
        minimum_s: seconds that a call is billed at least, empty ones too.
        bills_start_up: whether the start-up of a cold call is billed, in one sum with its execution.
        start_up_phases: the phases of a start that are billed then; none named, or none of those named present: all.
            The load of the handler is never among them: it is billed as part of the execution.
        usd_per_vcpu_s: USD per vCPU-second, on top of the memory.
        vcpu_per_gb: vCPU that come with a GB.
        vcpu_minimum: vCPU that the smallest function has.
        memory_step_mb: MB; 0: no rounding.
        memory_minimum_mb: MB that a call is billed at least.
        memory_maximum_mb: the largest size that is sold; a larger function is billed as this one.
        provisioned_usd_per_gb_s: USD per GB-second of provisioned instances, running or not.
        provisioned_duration_usd_per_gb_s: USD per GB-second that calls run on them, instead of `usd_per_gb_s`.
    """

    name: str
    source: str
    date: str
    usd_per_gb_s: float
    usd_per_million_requests: float
    granularity_s: float
    minimum_s: float
    bills_start_up: bool
    start_up_phases: Sequence[str] = ()
    usd_per_vcpu_s: float = 0.0
    vcpu_per_gb: float = 0.0
    vcpu_minimum: float = 0.0
    memory_step_mb: float = 0.0
    memory_minimum_mb: float = 0.0
    memory_maximum_mb: float = inf
    provisioned_usd_per_gb_s: float = 0.0
    provisioned_duration_usd_per_gb_s: float = 0.0

    def __post_init__(self) -> None:
        _check(self, may_be_infinite=("memory_maximum_mb",))
        if isinstance(self.start_up_phases, str):
            raise ConfigError(f"price book {self.name!r}: start_up_phases must be a list of names")
        if self.memory_maximum_mb <= 0 or self.memory_maximum_mb < self.memory_minimum_mb:
            raise ConfigError(f"price book {self.name!r}: memory_maximum_mb must be > 0 and >= memory_minimum_mb")

    @property
    def is_free(self) -> bool:
        """Whether nothing has a price: users are charged nothing, whatever they do."""
        prices = (self.usd_per_gb_s, self.usd_per_vcpu_s, self.usd_per_million_requests, self.provisioned_usd_per_gb_s)
        return not any((*prices, self.provisioned_duration_usd_per_gb_s))

    def charge_usd(self, execution_s: FloatArray, start_up_s: FloatArray, memory_mb: FloatArray) -> FloatArray:
        """What each call costs its user.

        Args:
            execution_s: float64[n], seconds that calls ran, the load of a handler included.
            start_up_s: float64[n], billable seconds of start-up (`billed_start_up_s`); 0 for warm calls. Left aside by
                a book that does not bill start-up.
            memory_mb: float64[n], MB of their functions.

        Returns:
            float64[n], USD.

        Raises:
            ValueError: a negative or missing amount.
        """
        _refuse_negative(execution_s=execution_s, start_up_s=start_up_s, memory_mb=memory_mb)
        time_s = execution_s + start_up_s if self.bills_start_up else execution_s
        return self.charge_billed_usd(np.maximum(self.minimum_s, rounded_up(time_s, self.granularity_s)), 1, memory_mb)

    def charge_billed_usd(
        self, billed_s: FloatArray, calls: npt.NDArray[np.int64] | int, memory_mb: FloatArray
    ) -> FloatArray:
        """What calls cost together, float64[n] USD, given the seconds that they are billed, and their number."""
        gb = self.billed_memory_mb(memory_mb) / MB_PER_GB
        vcpu = np.maximum(self.vcpu_minimum, self.vcpu_per_gb * gb)
        return (
            billed_s * gb * self.usd_per_gb_s
            + billed_s * vcpu * self.usd_per_vcpu_s
            + calls * (self.usd_per_million_requests / 1e6)
        )

    def charge_provisioned_usd(self, execution_s: FloatArray, memory_mb: FloatArray) -> FloatArray:
        """What each call on a provisioned instance costs, float64[n] USD: its duration at the provisioned rate."""
        _refuse_negative(execution_s=execution_s, memory_mb=memory_mb)
        billed_s = np.maximum(self.minimum_s, rounded_up(execution_s, self.granularity_s))
        return self.charge_provisioned_billed_usd(billed_s, 1, memory_mb)

    def charge_provisioned_billed_usd(
        self, billed_s: FloatArray, calls: npt.NDArray[np.int64] | int, memory_mb: FloatArray
    ) -> FloatArray:
        """What calls on provisioned instances cost together, likewise."""
        gb = self.billed_memory_mb(memory_mb) / MB_PER_GB
        return billed_s * gb * self.provisioned_duration_usd_per_gb_s + calls * (self.usd_per_million_requests / 1e6)

    def hold_usd(self, held_s: FloatArray, memory_mb: FloatArray) -> FloatArray:
        """What holding provisioned instances costs, float64[n] USD, used or not; not rounded up."""
        return held_s * self.billed_memory_mb(memory_mb) / MB_PER_GB * self.provisioned_usd_per_gb_s

    def billed_memory_mb(self, memory_mb: FloatArray) -> FloatArray:
        """The size that a function of `memory_mb` is billed as, float64[n]."""
        return np.clip(rounded_up(memory_mb, self.memory_step_mb), self.memory_minimum_mb, self.memory_maximum_mb)

    def billed_start_up_s(self, starts: Starts) -> FloatArray:
        """The part of each start-up that is billed.

        Returns:
            float64[s]: the sum of the billed phases, left to right; 0 if start-up is not billed.
        """
        total = np.zeros(starts.row.size)
        for place in self.billed_phases(starts.phases):
            total += starts.phase_s(place)
        return total

    def billed_phases(self, phases: Sequence[str]) -> list[int]:
        """The places, among the phases of a start, of those that are billed; none if start-up is not."""
        start_up = [name for name in phases if name != HANDLER]
        billed = [name for name in start_up if name in self.start_up_phases] or start_up
        return [place for place, name in enumerate(phases) if name in billed] if self.bills_start_up else []


@dataclass(frozen=True)
class ProviderPrice:
    """What a GB-second of instances costs the provider, as long as no nodes are simulated.

    Attributes:
        name: of the node type.
        source: where the price is from.
        date: when it was valid, or read.
        node_usd_per_hour: USD per hour of one node.
        node_gb: GB of memory of one node.
        utilisation: the share of it that instances fill, in (0, 1].
    """

    name: str
    source: str
    date: str
    node_usd_per_hour: float
    node_gb: float
    utilisation: float

    def __post_init__(self) -> None:
        _check(self)
        if not self.node_gb > 0 or not 0 < self.utilisation <= 1:
            raise ConfigError(f"provider price {self.name!r}: node_gb must be > 0 and utilisation in (0, 1]")

    @property
    def usd_per_gb_s(self) -> float:
        """USD per GB-second of instances: node price, per second, per GB, per share that is used."""
        return self.node_usd_per_hour / 3600.0 / self.node_gb / self.utilisation


def rounded_up(amount: FloatArray, step: float) -> FloatArray:
    """Amounts rounded up to whole steps, `STEP_TOLERANCE` forgiven; as they are if the step is 0."""
    if step == 0:
        return amount
    steps = amount / step
    nearest = np.rint(steps)
    whole = np.where(np.abs(steps - nearest) <= STEP_TOLERANCE * nearest, nearest, np.ceil(steps))
    return np.asarray(whole * step, np.float64)


def _refuse_negative(**amounts: FloatArray) -> None:
    for name, amount in amounts.items():
        if not bool(np.all(amount >= 0)):  # NaN too
            raise ValueError(f"{name} must be >= 0 for every call")


def _check(prices: PriceBook | ProviderPrice, may_be_infinite: Sequence[str] = ()) -> None:
    """Every field of the kind that its annotation says, and no number negative."""
    for field in fields(prices):
        value = getattr(prices, field.name)
        where = f"price {prices.name!r}: {field.name}"
        if field.type == "str" and not isinstance(value, str):
            raise ConfigError(f"{where} must be text, not {value!r} (quote it)")
        if field.type == "bool" and not isinstance(value, bool):
            raise ConfigError(f"{where} must be true or false, not {value!r}")
        if field.type == "float":
            checks.number(where, value, low=0, finite=field.name not in may_be_infinite)
