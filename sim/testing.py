"""The conformance suite for policies, one line in anyone's own tests: ``check_policy(MyPolicy, window_s=60.0)``."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import PolicyError
from sim.core.random import generator, uniform
from sim.engine import reference
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive, checked_decision, checked_rule, checked_windows_s
from sim.policies.keepalive.rule import Rule, State
from sim.policies.scaling.role import Scaling
from sim.results.columns import Columns
from sim.workload.trace import Trace

FloatArray = npt.NDArray[np.float64]

CHANGE_S: Final = 21600.0
"""When the future of the example begins to differ."""
HORIZON_S: Final = 43200.0
LOOPED_S: Final = (18000.0, 25200.0)
"""The part of the example that is enough where decisions are made every few seconds."""

PLATFORMS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "a platform whose starts take no time": {"start_s": 0.0},
        "a platform whose starts take time": {"start_s": 1.5},
        "a platform with isolation by app": {"start_s": 1.5, "isolation": "app", "prewarm_lead_s": 2.0},
        "a platform with concurrency": {"start_s": 1.5, "concurrency": 2, "max_lifetime_s": 7200.0},
    }
)


def check_policy(policy: KeepAlive | type[KeepAlive], **parameters: Any) -> None:
    """Hold a policy against the rules that every policy follows.

    It is a value: made again from the same parameters it is equal, it pickles, its repr shows its parameters. It
    survives traces without calls, with one call, with calls at one instant, with calls of no duration. Its decisions
    are seconds >= 0, the same for the same seed, drawn from no global generator, and unless it declares `needs_future`
    those of the past do not depend on the future. It leaves what it is shown as it was, and is itself
    what it was. If it has a rule, that works on an array as on a list, remembers nothing outside the state of each
    unit, `decide` leaves the state alone, and uses its uniform only if the rule says so.

    Args:
        policy: an instance; or a class, made with `parameters`.
        **parameters: of the class.

    Raises:
        PolicyError: the rule that was broken, in words.
    """
    made = _made(policy, parameters)
    _check_value(made)
    before = pickle.loads(pickle.dumps(made))
    rule = _asked(made, "being asked for its rule", lambda: checked_rule(made))
    if rule is not None:
        _check_rule(made, rule)
    for name, trace in small_traces().items():
        for options in PLATFORMS.values():
            _run(made, trace, Platform(**options), name)
    part_s = LOOPED_S if isinstance(made, Scaling) else (0.0, HORIZON_S)
    change_s = CHANGE_S - part_s[0]
    for name, options in PLATFORMS.items():
        platform, trace = Platform(**options), example_trace().slice(*part_s)
        first = _run(made, trace, platform, name)
        _compare(made, "the same seed gives the same decisions", first, _run(made, trace, platform, name))
        copied = _run(pickle.loads(pickle.dumps(made)), trace, platform, name)
        _compare(made, "a pickled copy decides alike", first, copied)
        for what, changed in () if made.needs_future else changed_futures().items():
            after = _run(made, changed.slice(*part_s), platform, what)
            past = first.past(change_s), after.past(change_s)
            _compare(made, f"the past does not depend on the future ({what})", *past)
    if made != before or repr(made) != repr(before):
        raise _broken(made, "it is a value, which no run changes", f"it was {before!r} and is {made!r}")


def _made(policy: KeepAlive | type[KeepAlive], parameters: Mapping[str, Any]) -> KeepAlive:
    made: Any = policy(**parameters) if isinstance(policy, type) else policy
    if not isinstance(made, KeepAlive) or (parameters and made is policy):
        raise PolicyError(f"check_policy takes a policy, or a class of policies and its parameters, not {policy!r}")
    if isinstance(policy, type) and policy(**parameters) != made:
        raise _broken(
            made, "it is a value", "made twice from the same parameters, it is not equal (a frozen dataclass is)"
        )
    return made


def _check_value(policy: KeepAlive) -> None:
    try:
        copy = pickle.loads(pickle.dumps(policy))
    except Exception as error:  # whatever pickling raises
        raise _broken(policy, "it pickles", str(error)) from error
    if copy != policy:
        raise _broken(policy, "it pickles", "the copy is not equal")
    shown = repr(policy)
    if repr(copy) != shown or type(policy).__name__ not in shown or " at 0x" in shown:
        raise _broken(policy, "its repr says what it is", f"it is {shown}")
    value: Any = policy
    for name in [field.name for field in fields(value)] if is_dataclass(value) else []:
        if f"{name}={getattr(policy, name)!r}" not in shown:
            raise _broken(policy, "its repr says what it is", f"{name} is missing in {shown}")


def _check_rule(policy: KeepAlive, rule: Rule) -> None:
    listed, array = list(rule.state), cast(State, np.array(rule.state, np.float64))
    unborn = partial(_asked, policy, "deciding for a new unit", lambda: _decision(policy, rule, list(rule.state), 0.25))
    first = unborn()
    for i, gap_s in enumerate(example_gaps_s()):
        u = uniform(1, i) if rule.needs_uniform else 0.0
        decision = _asked(policy, "deciding on a list of floats", lambda u=u: _decision(policy, rule, listed, u))
        if not rule.needs_uniform and rule.decide(listed, 0.75) != decision:
            raise _broken(
                policy, "decide uses its uniform only if the rule has needs_uniform", f"it did after {i} gaps"
            )
        if _asked(policy, "deciding on an array of floats", lambda u=u: _decision(policy, rule, array, u)) != decision:
            raise _broken(policy, "a rule works on an array as on a list", f"it decides otherwise after {i} gaps")
        for state in (listed, array):
            _asked(policy, "observing", lambda state=state, gap_s=gap_s: rule.observe(state, gap_s))
        if len(listed) != len(rule.state):
            raise _broken(policy, "observe never resizes the state", f"it has {len(listed)} entries after {i + 1} gaps")
        if (now := unborn()) != first:
            how = f"for a new unit it decided {first}, and {now} once another had {i + 1} gaps"
            raise _broken(policy, "what a rule learns of a unit is in that unit's state", how)


def _decision(policy: KeepAlive, rule: Rule, state: State, u: float) -> Any:
    before = list(state)
    decision: Any = rule.decide(state, u)
    if list(state) != before:
        raise _broken(policy, "decide leaves the state alone", "it changed it")
    if not isinstance(decision, tuple):
        raise _broken(policy, "decisions are tuples of seconds >= 0", f"it decided {decision!r}")
    return checked_decision(type(policy).__name__, decision)


@dataclass(frozen=True)
class _Outcome:
    """What can be seen of a policy's decisions: a column a name, calls and instances in their order."""

    calls: pd.DataFrame
    instances: pd.DataFrame

    @classmethod
    def of(cls, columns: Columns, windows_s: float | FloatArray | None) -> _Outcome:
        calls = columns.requests.frame(columns.requests.arrival_s >= 0)
        calls["window_s"] = np.nan if windows_s is None else windows_s
        return cls(calls, columns.instances.frame())

    def past(self, change_s: float) -> _Outcome:
        """What had happened when the future began to differ."""
        calls = self.calls[self.calls["arrival_s"] < change_s]
        instances = self.instances[self.instances["created_s"] < change_s]
        times = ["created_s", "ready_s", "ended_s"]
        return _Outcome(calls, instances.assign(**instances[times].clip(upper=change_s)))


def _compare(policy: KeepAlive, rule: str, first: _Outcome, second: _Outcome) -> None:
    for kind, a, b in (("call", first.calls, second.calls), ("instance", first.instances, second.instances)):
        if len(a) != len(b):
            raise _broken(policy, rule, f"there were {len(a)} {kind}s, then {len(b)}")
        for column in a:
            if not a[column].equals(b[column]):
                row = int(np.argmax((a[column] != b[column]) & ~(a[column].isna() & b[column].isna())))
                was, is_now = a[column].iloc[row], b[column].iloc[row]
                raise _broken(policy, rule, f"{column} of {kind} {row} was {was}, then {is_now}")


def _run(policy: KeepAlive, trace: Trace, platform: Platform, what: str) -> _Outcome:
    """Replay `trace`, seeing to it that nothing global is drawn and the view stays as it was."""
    shown, drawn = trace.content_hash(), _global_generators()
    columns = _asked(
        policy, what, lambda: reference.run(trace, policy, platform, horizon_s=trace.horizon_s, seed=0, replication=0)
    )
    windows_s = _asked(policy, what, lambda: checked_windows_s(policy, trace)) if policy.rule() is None else None
    if trace.content_hash() != shown or trace.arrival_s.flags.writeable or trace.duration_s.flags.writeable:
        raise _broken(policy, "the view is read only", f"it changed the trace or the table of functions ({what})")
    if _global_generators() != drawn:
        raise _broken(policy, "it draws from no global generator", "random or numpy.random has moved on")
    return _Outcome.of(columns, windows_s)


def _asked(policy: KeepAlive, what: str, answer: Any) -> Any:
    try:
        return answer()
    except PolicyError:
        raise
    except Exception as error:  # whatever a policy raises
        raise _broken(policy, f"it survives {what}", f"{type(error).__name__}: {error}") from error


def _global_generators() -> tuple[Any, ...]:
    kind, words, *rest = np.random.get_state()  # noqa: NPY002, it is looked at so that nobody uses it
    return random.getstate(), kind, np.asarray(words).tobytes(), *rest


def _broken(policy: KeepAlive, rule: str, how: str) -> PolicyError:
    return PolicyError(f"{type(policy).__name__} breaks the rule that {rule}: {how}")


def small_traces() -> dict[str, Trace]:
    """Traces at the edge of what can be."""
    functions = pd.DataFrame({"name": ["a", "b"], "app": "x"})
    return {
        "a trace without functions": Trace.from_arrays([], [], []),
        "a trace without calls": Trace.from_arrays([], [], [], functions=functions, horizon_s=3600.0),
        "a trace of one call": Trace.from_arrays([0], [5.0], [1.0], functions=functions),
        "calls at one instant": Trace.from_arrays([0, 1, 0, 0], [5.0, 5.0, 5.0, 6.0], 1.0, functions=functions),
        "calls of no duration": Trace.from_arrays([0, 0, 1, 0], [0.0, 0.0, 0.0, 60.0], 0.0, functions=functions),
    }


def _example_calls() -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Half a day: a timer, a busy and a rare Poisson stream, bursts, and a function called now and then."""
    drawn = generator(0, 0, "sim.testing")
    streams = [
        np.arange(30.0, HORIZON_S, 600.0),
        np.cumsum(drawn.exponential(240.0, 400)),
        np.cumsum(drawn.exponential(1500.0, 80)),
        (np.arange(100.0, HORIZON_S, 2400.0)[:, None] + np.array([0.0, 0.0, 1.0, 2.0])).ravel(),
        np.cumsum(drawn.exponential(9000.0, 40)),
    ]
    function = np.repeat(np.arange(len(streams)), [s.size for s in streams])
    arrival_s = np.concatenate(streams)
    return function, arrival_s, np.where(function == 3, 0.0, drawn.exponential(3.0, arrival_s.size))


def _example(chosen: npt.NDArray[np.bool_], later_s: FloatArray | float = 0.0) -> Trace:
    function, arrival_s, duration_s = _example_calls()
    moved_s = arrival_s + later_s
    kept = chosen & (moved_s <= HORIZON_S)
    table = pd.DataFrame({"name": list("abcde"), "app": list("xxyyz")})
    return Trace.from_arrays(function[kept], moved_s[kept], duration_s[kept], functions=table, horizon_s=HORIZON_S)


def example_trace() -> Trace:
    """Half a day of five functions of three apps, made anew."""
    return _example(np.isfinite(_example_calls()[1]))


def changed_futures() -> dict[str, Trace]:
    """The example, with other calls from `CHANGE_S` on."""
    past = _example_calls()[1] < CHANGE_S
    fewer = past | (np.arange(past.size) % 2 == 0)
    return {"no more calls": _example(past), "fewer, later calls": _example(fewer, np.where(past, 0.0, 1700.0))}


def example_gaps_s() -> tuple[float, ...]:
    """Idle times to learn from: a timer's, some that are out of every range, and some of every size."""
    drawn = generator(0, 1, "sim.testing").exponential(1.0, 120)
    sizes = np.logspace(-4, 5, 120)
    return (0.0, *[600.0] * 40, 86400.0, 5e-324, 1e9, *(drawn * sizes).tolist(), 0.0)
