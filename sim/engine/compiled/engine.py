"""The compiled engine: replays a scenario and tells what came of it, as columns or as sums."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

from sim.core.errors import ConfigError
from sim.engine.compiled import layout
from sim.engine.compiled.kernel import replay
from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.setup import Prepared
from sim.engine.compiled.told import Told
from sim.platform.trigger import Progress
from sim.policies.keepalive.role import KeepAlive, checked_decision, checked_rule

FloatArray = npt.NDArray[np.float64]

BLOCK: Final = 1 << 22
"""Calls replayed at a time: progress is told, and Ctrl-C heard, in between."""
STATE: Final = numba.types.float64[::1]
OBSERVE: Final = numba.types.void(STATE, numba.types.float64)
DECIDE: Final = numba.types.UniTuple(numba.types.float64, 3)(STATE, numba.types.float64)


def run(scenario: Scenario, on_progress: Progress) -> Told:
    """Replay all calls of a scenario."""
    prepared = Prepared(scenario)
    name = type(scenario.policy).__name__
    observe, decide = _functions(scenario.policy)
    first, size = 0, prepared.run.calls.function.size
    while True:
        on_progress(first)
        last = min(first + BLOCK, size)
        while (first := replay(prepared.run, first, last, observe, decide)) < last:
            prepared.grow()
        if first == size:
            break
    on_progress(prepared.rows)
    if prepared.run.state.count[layout.REFUSED]:
        checked_decision(name, tuple(prepared.run.out.refused.tolist()))
    return Told(prepared)


def compiles(policy: KeepAlive) -> bool:
    """Whether the rule of `policy`, if it has one, can be compiled."""
    try:
        _functions(policy)
    except ConfigError:
        return False
    return True


def _functions(policy: KeepAlive) -> tuple[Any, Any]:
    """The two functions of the policy's rule, compiled as they are."""
    if isinstance(policy, Hashable):
        try:
            return _compiled_once(policy)
        except TypeError:  # what it holds is not hashable
            pass
    return _compiled(policy)


def _compiled(policy: KeepAlive) -> tuple[Any, Any]:
    rule = checked_rule(policy)
    if rule is None:
        return NOBODY
    try:
        return numba.cfunc(OBSERVE)(rule.observe), numba.cfunc(DECIDE)(rule.decide)
    except numba.errors.NumbaError as error:
        why = str(error).strip().splitlines()[-1]
        raise ConfigError(f"the compiled engine cannot compile the rule of {type(policy).__name__}: {why}") from None


_compiled_once = lru_cache(maxsize=64)(_compiled)
"""Policies are values: equal ones have the same rule."""


def _observe(_: Any, __: float) -> None:
    pass


def _decide(_: Any, __: float) -> tuple[float, float, float]:
    return 0.0, 0.0, 0.0


NOBODY: Final = (numba.cfunc(OBSERVE)(_observe), numba.cfunc(DECIDE)(_decide))
"""The functions of no rule, which nobody calls."""
