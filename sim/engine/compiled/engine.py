"""The compiled engine: replays a scenario and tells what came of it, as columns or as sums."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

from sim.core.errors import ConfigError, PolicyError
from sim.engine.compiled import layout
from sim.engine.compiled.guard import guarded
from sim.engine.compiled.kernel import close_units, open_units, replay
from sim.engine.compiled.own import owners
from sim.engine.compiled.scenario import Scenario
from sim.engine.compiled.setup import Prepared
from sim.engine.compiled.threads import Functions, replay_in_threads
from sim.engine.compiled.told import Told
from sim.platform.trigger import Progress
from sim.policies.keepalive.role import KeepAlive, checked_decision, checked_rule
from sim.policies.keepalive.rule import Rule

FloatArray = npt.NDArray[np.float64]

BLOCK: Final = 1 << 22
"""Calls replayed at a time: progress is told, and Ctrl-C heard, in between."""


def run(scenario: Scenario, on_progress: Progress) -> Told:
    """Replay all calls of a scenario."""
    prepared = Prepared(scenario)
    functions = functions_of(scenario.policy)
    owner = owners(prepared.run, scenario.threads)
    if owner.any():
        replay_in_threads(prepared, owner, functions, on_progress)
    else:
        _replay(prepared, functions, on_progress)
    on_progress(prepared.rows)
    require_good_decisions(scenario.policy, prepared.run)
    return Told(prepared)


def require_good_decisions(policy: KeepAlive, run: layout.Run) -> None:
    """Raise what there is to raise of a rule's decisions so far."""
    name = type(policy).__name__
    if run.state.learnt[:, -1:].any():
        raise PolicyError(f"{name}: its rule raised an error, which compiled code cannot tell; engine=simpy does")
    if run.state.count[layout.REFUSED]:
        checked_decision(name, tuple(run.out.refused.tolist()))


def _replay(prepared: Prepared, functions: Functions, on_progress: Progress) -> None:
    """Replay all calls in this thread."""
    first, size = 0, prepared.run.calls.function.size
    open_units(prepared.run)
    while True:
        on_progress(first)
        last = min(first + BLOCK, size)
        while (first := replay(prepared.run, first, last, *functions)) < last:
            prepared.grow()
        if first == size:
            break
    while not close_units(prepared.run, functions[1]):
        prepared.grow()


def compiles(policy: KeepAlive) -> bool:
    """Whether the rule of `policy`, if it has one, can be compiled."""
    try:
        functions_of(policy)
    except ConfigError:
        return False
    return True


def functions_of(policy: KeepAlive) -> tuple[Any, Any]:
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
        return guarded(rule)
    except numba.errors.NumbaError as error:
        why = str(error).strip().splitlines()[-1]
        raise ConfigError(f"the compiled engine cannot compile the rule of {type(policy).__name__}: {why}") from None


_compiled_once = lru_cache(maxsize=64)(_compiled)
"""Policies are values: equal ones have the same rule."""


NOBODY: Final = guarded(Rule((), lambda _, __: None, lambda _, __: (0.0, 0.0, 0.0)))
"""The functions of no rule, which nobody calls."""
