"""The functions of a rule, compiled so that whatever they raise is noticed."""

from __future__ import annotations

from math import nan
from typing import Any, Final

import numba

from sim.policies.keepalive.rule import Rule

STATE: Final = numba.types.float64[::1]
OBSERVE: Final = numba.types.void(STATE, numba.types.float64)
DECIDE: Final = numba.types.UniTuple(numba.types.float64, 3)(STATE, numba.types.float64)


def guarded(rule: Rule) -> tuple[Any, Any]:
    """`observe` and `decide`, as functions that kernels may be handed without being compiled anew.

    Both take one entry more than the rule's state has: 1 once either of them has raised anything, a wrong index too.
    After that nothing is observed, and decisions are NaN: compiled code would otherwise print the error and go on.
    """
    own_observe, own_decide = (numba.njit(boundscheck=True)(own) for own in (rule.observe, rule.decide))

    def observe(state: Any, gap_s: float) -> None:
        if not state[-1]:
            try:
                own_observe(state[:-1], gap_s)
            except Exception:  # noqa: BLE001 - numba knows no other
                state[-1] = 1.0

    def decide(state: Any, u: float) -> tuple[float, float, float]:
        if not state[-1]:
            try:
                unload_after_s, prewarm_after_s, keep_s = own_decide(state[:-1], u)
                return float(unload_after_s), float(prewarm_after_s), float(keep_s)
            except Exception:  # noqa: BLE001 - numba knows no other
                state[-1] = 1.0
        return nan, nan, nan

    return numba.cfunc(OBSERVE)(observe), numba.cfunc(DECIDE)(decide)
