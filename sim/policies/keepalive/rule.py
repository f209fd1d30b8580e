"""Keep-alive rules that learn: scalar functions over floats and a small array, which any engine can run or compile."""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from dataclasses import dataclass
from typing import TypeAlias

State: TypeAlias = MutableSequence[float]
"""What a rule remembers of a unit: a list here, an array in a compiled engine; only indexed, never resized."""

Decision: TypeAlias = tuple[float, float, float]
"""Seconds: unload the idle instance after, prewarm one after (infinity: never), keep the prewarmed one for."""


@dataclass(frozen=True)
class Rule:
    """A rule, as two plain functions of a unit's state.

    The *idle time* of a unit runs from the moment it has no running call to its next call. Each one is shown to
    `observe` when it ends; whenever an instance becomes idle, `decide` says what becomes of it.

    Attributes:
        state: what every unit begins with.
        observe: ``observe(state, gap_s)`` changes the state in place; `gap_s` is >= 0.
        decide: ``decide(state, u)`` returns ``(unload_after_s, prewarm_after_s, keep_s)``, counted from the moment the
            instance became idle and, for the last, from when the prewarmed one is due; none of them negative.
        needs_uniform: whether `decide` uses `u`, a uniform in [0, 1) of its own for each decision; else `u` is 0.
    """

    state: tuple[float, ...]
    observe: Callable[[State, float], None]
    decide: Callable[[State, float], Decision]
    needs_uniform: bool = False
