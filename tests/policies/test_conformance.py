"""The conformance suite passes every policy that is shipped, and catches wrong ones, each by the rule it breaks."""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from omegaconf import OmegaConf

from sim import policies
from sim.core.build import Trust, build
from sim.core.errors import PolicyError
from sim.policies import FixedWindow, KeepAlive, Scaling
from sim.policies.keepalive.rule import Decision, Rule, State
from sim.testing import check_policy
from sim.workload.trace import Trace

PRESETS = Path(__file__).resolve().parents[2] / "configs" / "policy"
SHIPPED = [
    cls
    for name in policies.__all__
    if issubclass(cls := getattr(policies, name), KeepAlive) and cls not in (KeepAlive, Scaling)
]


@pytest.mark.parametrize("cls", SHIPPED)
def test_every_shipped_policy_conforms(cls: type[KeepAlive]) -> None:
    check_policy(cls)


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_every_preset_conforms(name: str) -> None:
    preset = build(OmegaConf.to_container(OmegaConf.load(PRESETS / f"{name}.yaml")), name, KeepAlive, Trust())
    if preset != type(preset)():  # else it is the class as it is tested above
        check_policy(preset)


def test_every_shipped_policy_has_a_preset() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in PRESETS.glob("*.yaml"))
    assert [cls.__name__ for cls in SHIPPED if f"sim.policies.{cls.__name__}\n" not in texts] == []


def test_it_takes_an_instance_or_a_class_and_its_parameters() -> None:
    check_policy(FixedWindow, window_s=60.0)
    check_policy(FixedWindow(60.0))
    for wrong in (FixedWindow(60.0), "fixed", 600.0):
        with pytest.raises(PolicyError, match="takes a policy"):
            check_policy(wrong, window_s=60.0)  # type: ignore[arg-type]


# Wrong policies


def shown_trace() -> Trace:
    """What a policy finds that looks up the stack for what it is not shown."""
    frame = sys._getframe()
    while frame is not None and "trace" not in frame.f_locals:
        frame = frame.f_back
    return frame.f_locals["trace"]


@dataclass(frozen=True)
class Wrong(KeepAlive):
    def windows_s(self, future: Trace | None) -> Any:
        return 600.0


class PeeksAtEachGap(Wrong):
    """Keeps an instance iff its function is called again within the hour."""

    def windows_s(self, future: Trace | None) -> Any:
        trace = shown_trace()
        windows = np.zeros(len(trace))
        for f in range(len(trace.functions)):
            rows = np.flatnonzero(trace.function == f)
            windows[rows[:-1]] = np.where(np.diff(trace.arrival_s[rows]) < 3600, 3600.0, 0.0)
        return windows


class PeeksAtTheWhole(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return float(len(shown_trace()))


class MutatesTheTable(Wrong):
    needs_future: ClassVar[bool] = True

    def windows_s(self, future: Trace | None) -> Any:
        if future is not None and len(future.functions):
            future.functions.loc[0, "memory_mb"] = 1.0
        return 600.0


class MutatesTheArrays(Wrong):
    needs_future: ClassVar[bool] = True

    def windows_s(self, future: Trace | None) -> Any:
        if future is not None:
            future.arrival_s.flags.writeable = True
            future.arrival_s[:] = np.sort(future.arrival_s)
        return 600.0


class WritesToTheArrays(Wrong):
    needs_future: ClassVar[bool] = True

    def windows_s(self, future: Trace | None) -> Any:
        if future is not None:
            future.arrival_s[:] = 0.0
        return 600.0


class DrawsFromRandom(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return 600.0 * random.random()


class DrawsFromNumpy(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return 600.0 * np.random.rand()  # noqa: NPY002, that is what is wrong with it


class DrawsAnew(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return 600.0 * np.random.default_rng().random()


class ReturnsNaN(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return float("nan")


class ReturnsNothing(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return None


class IsNegative(Wrong):
    def windows_s(self, future: Trace | None) -> Any:
        return -1.0


class DividesByTheCalls(Wrong):
    needs_future: ClassVar[bool] = True

    def windows_s(self, future: Trace | None) -> Any:
        return 600.0 if future is None else float(future.arrival_s[-1]) / len(future)


class AnswersNothing(KeepAlive):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnswersNothing)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "AnswersNothing()"


@dataclass(frozen=True)
class CannotBePickled(Wrong):
    how: Callable[[float], float] = field(default=lambda x: x)


class HasNoEquality(KeepAlive):
    def windows_s(self, future: Trace | None) -> float:
        return 600.0


@dataclass(frozen=True)
class HidesAParameter(Wrong):
    window_s: float = field(default=600.0, repr=False)


@dataclass(frozen=True)
class Remembers(Wrong):
    """Learns across runs: the state is in the policy and not in the rule."""

    gaps_s: list[float] = field(default_factory=list, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Remembers(gaps_s={self.gaps_s!r})"

    def rule(self) -> Rule:
        return Rule(
            (), lambda state, gap_s: self.gaps_s.append(gap_s), lambda state, u: (float(len(self.gaps_s)), inf, 0.0)
        )


@dataclass
class CountsItsQuestions(KeepAlive):
    """Changes itself, though nobody sees it in its windows."""

    asked: int = 0

    def windows_s(self, future: Trace | None) -> float:
        self.asked += 1
        return 600.0


class LearnsInAClosure(Wrong):
    """Learns within a run, but of all units in one."""

    def rule(self) -> Rule:
        longest_s = [60.0]

        def observe(state: State, gap_s: float) -> None:
            longest_s[0] = max(longest_s[0], gap_s)

        return Rule((), observe, lambda state, u: (longest_s[0], inf, 0.0))


class LearnsByNothing(Wrong):
    learns_by = "foo"  # type: ignore[assignment]


class AnswersOther(Wrong):
    def calls(self) -> Any:
        return 5


def ruled(decide: Callable[[State, float], Decision], observe: Callable[[State, float], None]) -> type[KeepAlive]:
    class Ruled(Wrong):
        def rule(self) -> Rule:
            return Rule((0.0,), observe, decide)

        def __reduce__(self) -> tuple[Any, ...]:
            return ruled_again, (decide, observe)

        def __eq__(self, other: object) -> bool:
            return type(other).__name__ == "Ruled"

        __hash__ = None

    return Ruled


def ruled_again(decide: Any, observe: Any) -> KeepAlive:
    return ruled(decide, observe)()


def watch(state: State, gap_s: float) -> None:
    state[0] += gap_s


def grow(state: State, gap_s: float) -> None:
    if isinstance(state, list):
        state.append(gap_s)


def keep(state: State, u: float) -> Decision:
    return 600.0, inf, 0.0


def keep_nan(state: State, u: float) -> Decision:
    return 0.0, state[0] * float("nan"), 0.0


def keep_negative(state: State, u: float) -> Decision:
    return 0.0, state[0], -state[0]


def keep_and_forget(state: State, u: float) -> Decision:
    state[0] = state[0] * 0.5 + 1.0
    return 600.0, inf, 0.0


def keep_at_random(state: State, u: float) -> Decision:
    return 600.0 * u, inf, 0.0


def keep_by_length(state: State, u: float) -> Decision:
    return (600.0 if state else 0.0), inf, 0.0  # an array of one is judged by its entry


def keep_by_one(state: State, u: float) -> Any:
    return 600.0


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (PeeksAtEachGap, "the past does not depend on the future"),
        (PeeksAtTheWhole, "the past does not depend on the future"),
        (MutatesTheTable, "the view is read only"),
        (MutatesTheArrays, "the view is read only"),
        (WritesToTheArrays, "survives.*read-only"),
        (DrawsFromRandom, "no global generator"),
        (DrawsFromNumpy, "no global generator"),
        (DrawsAnew, "the same seed gives the same decisions"),
        (ReturnsNaN, "negative or not a number"),
        (ReturnsNothing, "where a window in seconds belongs|not a number"),
        (IsNegative, "negative"),
        (DividesByTheCalls, "survives a trace without"),
        (AnswersNothing, "neither windows_s nor rule"),
        (CannotBePickled, "it pickles"),
        (HasNoEquality, "it is a value"),
        (HidesAParameter, "its repr says what it is: window_s"),
        (Remembers, "what a rule learns of a unit is in that unit's state"),
        (CountsItsQuestions, "it is a value, which no run changes: it was .*asked=0.* and is"),
        (LearnsInAClosure, "what a rule learns of a unit is in that unit's state"),
        (LearnsByNothing, "learns_by must be 'unit' or 'app', not 'foo'"),
        (AnswersOther, r"AnswersOther\.calls\(\) must return a Pings or None, not 5"),
        (ruled(keep, grow), "never resizes"),
        (ruled(keep_nan, watch), "seconds >= 0"),
        (ruled(keep_negative, watch), "seconds >= 0"),
        (ruled(keep_by_one, watch), "seconds >= 0"),
        (ruled(keep_and_forget, watch), "decide leaves the state alone"),
        (ruled(keep_at_random, watch), "needs_uniform"),
        (ruled(keep_by_length, watch), "on an array as on a list"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_policy_is_caught(wrong: type[KeepAlive], rule: str) -> None:
    with pytest.raises(PolicyError, match=rule) as caught:
        check_policy(wrong)
    assert wrong.__name__ in str(caught.value)
