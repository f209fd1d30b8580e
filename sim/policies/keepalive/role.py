"""The protocol of the keep-alive role, and the check of what a policy answers."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from sim.core.errors import ConfigError, PolicyError
from sim.policies.keepalive.demands import Floor, GenericPools, Pings
from sim.policies.keepalive.rule import Rule
from sim.workload.trace import Trace

FloatArray = npt.NDArray[np.float64]
LearnsBy: TypeAlias = Literal["unit", "app"]


class KeepAlive:
    """How long an instance stays once it is idle.

    A policy is a value: it holds parameters, never the state of a run. It answers in one of two ways, before the first
    call, and the platform applies the answer: `windows_s` where windows are known, or `rule` where they are learnt. An
    instance that becomes idle at `end` serves a call arriving at `a` iff ``a <= end + window`` (maximum lifetime
    apart).
    """

    needs_future: ClassVar[bool] = False
    """Whether the policy must be shown the trace; only then is it handed one."""
    learns_by: LearnsBy = "unit"
    """Whose idle times a rule learns from: the ``unit`` that shares instances, or its whole ``app``."""

    def rule(self) -> Rule | None:
        """The rule of a policy that learns; None if `windows_s` answers."""
        return None

    def unit_window_s(self) -> float:
        """How long after the end of a unit's latest call all its idle instances go; infinity: they need not."""
        return math.inf

    def floor(self) -> Floor | None:
        """Instances that every unit is to have at least; None: none."""
        return None

    def generic_pools(self) -> GenericPools | None:
        """Cells that belong to no function, from which any of a class may start; None: none."""
        return None

    def calls(self) -> Pings | None:
        """Calls of the policy's own; None: none."""
        return None

    def windows_s(self, future: Trace | None) -> float | FloatArray:
        """One window in seconds for every idle instance, or float64[n]: one for each call of the trace.

        A window a call is the window of the instance that becomes idle when that call ends. Windows are >= 0, infinity
        included.

        Args:
            future: the whole trace if the policy declares `needs_future`, else None.
        """
        raise PolicyError(f"{type(self).__name__} defines neither windows_s nor rule")


def checked_windows_s(policy: KeepAlive, trace: Trace) -> float | FloatArray:
    """What `policy` answers for `trace`, refused if no platform can apply it.

    Raises:
        PolicyError: not a number, negative, NaN, or as many windows as the trace has not calls.
    """
    name = type(policy).__name__
    answer = policy.windows_s(trace if policy.needs_future else None)
    try:
        windows = np.asarray(answer, np.float64)
    except (TypeError, ValueError):
        raise PolicyError(f"{name} returned {answer!r} where a window in seconds belongs") from None
    if windows.ndim and windows.shape != (len(trace),):
        raise PolicyError(f"{name} returned windows of shape {windows.shape} for {len(trace)} calls")
    if not np.all(windows >= 0):
        raise PolicyError(f"{name} returned a window that is negative or not a number")
    return windows if windows.ndim else float(windows)


def require_seconds(owner: object, **parameters: object) -> None:
    """Refuse parameters that are not a number of seconds >= 0 (infinity is one)."""
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not float(value) >= 0:
            raise ConfigError(f"{type(owner).__name__}: {name} must be a number of seconds >= 0, not {value!r}")
