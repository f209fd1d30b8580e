"""Runs of hand-made calls, written down as short logs."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isnan
from pathlib import Path

from sim.engine import reference
from sim.platform.platform import Platform
from sim.policies import KeepAlive
from sim.policies.keepalive.rule import Decision, Rule, State
from sim.results.columns import START_KINDS, Columns
from sim.workload.trace import Trace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from small import function_table


@dataclass(frozen=True)
class Plan(KeepAlive):
    """A policy of the tests: the same decision at every idle moment."""

    unload_after_s: float = 0.0
    prewarm_after_s: float = inf
    keep_s: float = 0.0

    def rule(self) -> Rule:
        decision = (self.unload_after_s, self.prewarm_after_s, self.keep_s)
        return Rule((), lambda state, gap_s: None, lambda state, u: decision)


@dataclass(frozen=True)
class Watch(KeepAlive):
    """A policy of the tests: note what the rule is shown, and keep for ever."""

    log: list[object]
    learns_by: str = "unit"

    def rule(self) -> Rule:
        def decide(state: State, u: float) -> Decision:
            self.log.append(("u", u))
            return inf, inf, 0.0

        return Rule((), lambda state, gap_s: self.log.append(gap_s), decide, needs_uniform=True)

    @property
    def gaps_s(self) -> list[float]:
        return [entry for entry in self.log if isinstance(entry, float)]


def calls(*rows: tuple[float, float] | tuple[float, float, int]) -> Trace:
    """A trace of (arrival_s, duration_s[, function]) of functions that are alike."""
    functions = [row[2] if len(row) > 2 else 0 for row in rows]
    table = function_table(max(functions, default=0) + 1).assign(memory_mb=1024.0)
    return Trace.from_arrays(functions, [r[0] for r in rows], [r[1] for r in rows], functions=table)


def run(trace: Trace, policy: KeepAlive, **platform: object) -> Columns:
    return reference.run(trace, policy, Platform(**{"start_s": 0.0} | platform), horizon_s=trace.horizon_s)


def log(columns: Columns) -> list[tuple[float, str, int]]:
    """(start_s, kind, instance) of every call."""
    r = columns.requests
    kinds = [START_KINDS[k] for k in r.start_kind.tolist()]
    return list(zip(r.start_s.tolist(), kinds, r.instance.tolist(), strict=True))


def lives(columns: Columns) -> list[tuple[int, float, float, float]]:
    """(name, created_s, ready_s, ended_s) of every instance."""
    i = columns.instances
    assert not any(map(isnan, i.ready_s.tolist()))
    return list(zip(i.instance.tolist(), i.created_s.tolist(), i.ready_s.tolist(), i.ended_s.tolist(), strict=True))


def decisions(rule: Rule, gaps_s: Sequence[float], draw: Callable[[int], float] = lambda k: 0.0) -> list[Decision]:
    """What a rule decides before the first gap and after each."""
    state = list(rule.state)
    made = [rule.decide(state, draw(0))]
    for k, gap_s in enumerate(gaps_s, 1):
        rule.observe(state, gap_s)
        made.append(rule.decide(state, draw(k)))
    return made
