"""What a policy asks of a platform."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from sim.core.errors import PolicyError
from sim.policies.keepalive.demands import Admission, Floor, Pings, TrackedFloor
from sim.policies.keepalive.role import (
    KeepAlive,
    checked_admission,
    checked_calls,
    checked_floor,
    checked_rule,
    checked_unit_window_s,
)
from sim.policies.keepalive.rule import Rule
from sim.policies.scaling.role import Scaling


@dataclass(frozen=True)
class Asked:
    """What a policy asks of a platform, checked; `scaling` is the policy itself, if it is one that scales.

    Raises:
        PolicyError: it scales, and asks for what is only there where calls start instances.
    """

    rule: Rule | None
    floor: Floor | TrackedFloor | None
    pings: Pings | None
    admission: Admission | None
    unit_window_s: float
    scaling: Scaling | None

    def __post_init__(self) -> None:
        apart = self.rule, self.floor, self.pings, self.admission
        if self.scaling is not None and (self.unit_window_s < inf or any(ask is not None for ask in apart)):
            raise PolicyError(
                f"{type(self.scaling).__name__} scales, and so cannot have a rule, a floor, calls, an admission or a"
                " unit window besides"
            )

    @classmethod
    def by(cls, policy: KeepAlive) -> Asked:
        """What `policy` asks."""
        return cls(
            checked_rule(policy), checked_floor(policy), checked_calls(policy), checked_admission(policy),
            checked_unit_window_s(policy), policy if isinstance(policy, Scaling) else None,
        )  # fmt: skip

    @property
    def nothing(self) -> bool:
        """Whether windows are all there is to it."""
        apart = self.rule, self.floor, self.pings, self.admission, self.scaling
        return self.unit_window_s == inf and all(ask is None for ask in apart)
