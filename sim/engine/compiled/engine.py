"""The compiled engine: replays a scenario and tells what came of it, as columns or as sums."""

from __future__ import annotations

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
from sim.policies.keepalive.role import checked_decision
from sim.policies.keepalive.rule import Rule

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
    observe, decide = _functions(prepared.asked.rule, name)
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


def _functions(rule: Rule | None, name: str) -> tuple[Any, Any]:
    """The two functions of a rule, compiled as they are; of none, two that nobody calls."""
    observe, decide = (rule.observe, rule.decide) if rule is not None else (_observe, _decide)
    try:
        return numba.cfunc(OBSERVE)(observe), numba.cfunc(DECIDE)(decide)
    except numba.errors.NumbaError as error:
        why = str(error).strip().splitlines()[-1]
        raise ConfigError(f"the compiled engine cannot compile the rule of {name}: {why}") from None


def _observe(_: Any, __: float) -> None:
    pass


def _decide(_: Any, __: float) -> tuple[float, float, float]:
    return 0.0, 0.0, 0.0
