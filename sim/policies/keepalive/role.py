"""The protocol of the keep-alive role, and the check of what a policy answers."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from sim.core import checks
from sim.core.errors import ConfigError, PolicyError
from sim.policies.keepalive.demands import Admission, Floor, GenericPools, Pings, TrackedFloor
from sim.policies.keepalive.rule import Decision, Rule
from sim.workload.trace import Trace

FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")
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
    future_is_own: ClassVar[bool] = False
    """Whether of the trace it looks only at the calls of a unit to answer for these, so that it may be shown a part."""
    learns_by: LearnsBy = "unit"
    """Whose idle times a rule learns from: the ``unit`` that shares instances, or its whole ``app``."""

    def rule(self) -> Rule | None:
        """The rule of a policy that learns; None if `windows_s` answers."""
        return None

    def unit_window_s(self) -> float:
        """How long after the end of a unit's latest call all its idle instances go; infinity: they need not."""
        return math.inf

    def floor(self) -> Floor | TrackedFloor | None:
        """Instances that units are to have at least; None: none."""
        return None

    def admission(self) -> Admission | None:
        """Which calls are let in, and how fast they may start instances; None: all, and as fast as they come."""
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


def checked_rule(policy: KeepAlive) -> Rule | None:
    """The rule of `policy`; PolicyError if it is none, or learns from what there is not."""
    if policy.learns_by not in get_args(LearnsBy):
        raise PolicyError(f"{type(policy).__name__}: learns_by must be 'unit' or 'app', not {policy.learns_by!r}")
    return _of_kind(policy, "rule", policy.rule(), Rule)


def checked_floor(policy: KeepAlive) -> Floor | TrackedFloor | None:
    """The instances that `policy` asks for; PolicyError if the answer is of another kind."""
    answer = policy.floor()
    return answer if isinstance(answer, TrackedFloor) else _of_kind(policy, "floor", answer, Floor)


def checked_admission(policy: KeepAlive) -> Admission | None:
    """The limits that `policy` sets; PolicyError if the answer is of another kind."""
    return _of_kind(policy, "admission", policy.admission(), Admission)


def checked_generic_pools(policy: KeepAlive) -> GenericPools | None:
    """The cells that `policy` asks for; PolicyError if the answer is of another kind."""
    return _of_kind(policy, "generic_pools", policy.generic_pools(), GenericPools)


def checked_calls(policy: KeepAlive) -> Pings | None:
    """The calls that `policy` asks for; PolicyError if the answer is of another kind."""
    return _of_kind(policy, "calls", policy.calls(), Pings)


def checked_unit_window_s(policy: KeepAlive) -> float:
    """The unit window of `policy`, refused if it is no number of seconds >= 0.

    Raises:
        PolicyError: it is not a number, negative or NaN.
    """
    answer = policy.unit_window_s()
    try:
        checks.number(f"{type(policy).__name__}.unit_window_s", answer, low=0, finite=False)
    except ConfigError as error:
        raise PolicyError(str(error)) from None
    return float(answer)


def checked_decision(name: str, decision: Any) -> Decision:
    """What the rule of a policy called `name` decided, refused if no platform can apply it.

    Raises:
        PolicyError: not three numbers of seconds >= 0.
    """
    try:
        unload_after_s, prewarm_after_s, keep_s = decision
        possible = unload_after_s >= 0 and prewarm_after_s >= 0 and keep_s >= 0  # never of NaN
    except (TypeError, ValueError):  # not three, or no numbers
        possible = False
    if not possible:
        raise PolicyError(f"{name}: its rule decided {decision!r}: decisions are three numbers of seconds >= 0")
    return decision  # type: ignore[no-any-return]


def _of_kind(policy: KeepAlive, method: str, answer: Any, kind: type[T]) -> T | None:
    if answer is None or isinstance(answer, kind):
        return answer
    hint = " (an instance, not the class)" if answer is kind else ""
    raise PolicyError(f"{type(policy).__name__}.{method}() must return a {kind.__name__}{hint} or None, not {answer!r}")


def require_seconds(owner: object, **parameters: object) -> None:
    """Refuse parameters that are not a number of seconds >= 0 (infinity is one)."""
    for name, value in parameters.items():
        checks.number(f"{type(owner).__name__}: {name}", value, low=0, finite=False)
