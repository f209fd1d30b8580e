"""Conservation laws: nothing is lost, nothing is made of nothing, and what is equal for all policies is equal."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import inf

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import cases

import sim
from sim.policies import Clairvoyant, FixedWindow, KeepForever, NoKeepAlive
from sim.policies.keepalive.role import KeepAlive

MEMORY_MB = (128.0, 1000.0, 4096.0)
POLICIES = (NoKeepAlive(), FixedWindow(0.1), FixedWindow(2.0), KeepForever(), Clairvoyant(1.0), Clairvoyant(0.3))


@cache
def platforms() -> tuple[sim.Platform, ...]:
    """Starts that take no time, a constant time, and a time drawn phase by phase; without and with a limited life."""
    kinds = (*(sim.load_platform("constant_start", start_s=s) for s in (0.0, 0.5)), sim.load_platform("default"))
    return tuple(replace(platform, max_lifetime_s=life_s) for platform in kinds for life_s in (inf, 3.0))


@cache
def function_table() -> pd.DataFrame:
    runtimes = ["python3.12", "nodejs20", "java17"]
    table = pd.DataFrame({"name": list("abc"), "memory_mb": MEMORY_MB, "runtime": runtimes})
    return sim.Trace.from_arrays([0], [0.0], 0.0, functions=table).functions


@dataclass(frozen=True)
class Setting:
    """A run that can be repeated."""

    trace: sim.Trace
    policy: KeepAlive
    platform: sim.Platform
    warm_up_s: float
    horizon_s: float
    seed: int

    def run(self, policy: KeepAlive | None = None) -> sim.Result:
        return sim.simulate(
            self.trace,
            policy or self.policy,
            platform=self.platform,
            seed=self.seed,
            replication=self.seed % 3,
            warm_up_s=self.warm_up_s,
            horizon_s=self.horizon_s,
        )

    def inside_s(self, begin_s: float, end_s: float) -> float:
        """The part of an interval that lies in the measured span."""
        return max(0.0, min(end_s, self.horizon_s) - max(begin_s, self.warm_up_s))


@st.composite
def settings_of_runs(draw: st.DrawFn) -> Setting:
    case = draw(cases())
    trace = replace(case.trace, functions=function_table())
    last_s = trace.horizon_s
    instants = sorted({0.0, last_s / 2, last_s, last_s + 1.0, *case.arrival_s, case.duration_s[0]})
    span = sorted((draw(st.sampled_from(instants)), draw(st.sampled_from(instants))))
    policy, platform = draw(st.sampled_from(POLICIES)), draw(st.sampled_from(platforms()))
    return Setting(trace, policy, platform, *span, seed=draw(st.integers(0, 2**64)))


def by_instance(result: sim.Result) -> Iterator[tuple[dict[str, float], list[dict[str, float]]]]:
    """Each instance with its calls, in order of start."""
    calls: dict[int, list[dict[str, float]]] = {}
    for call in result.invocations.to_dict("records"):
        calls.setdefault(call["instance"], []).append(call)
    for instance in result.instances.to_dict("records"):
        yield instance, sorted(calls.pop(instance["instance"]), key=lambda c: (c["start_s"], c["arrival_s"]))
    assert not calls, "calls on instances that nobody made"


def phases(result: sim.Result) -> pd.DataFrame:
    """Row of the call, then the seconds of each phase."""
    return result.starts[[c for c in result.starts.columns if c == "row" or c.endswith("_s")]]


def loaded_s(result: sim.Result) -> np.ndarray:
    """When each call may begin: at its start, or once it has loaded the handler of the instance that it made."""
    start_s = result.invocations["start_s"].to_numpy(copy=True)
    if "handler_s" in result.starts:
        start_s[result.starts["row"]] += result.starts["handler_s"]
    return start_s


@settings(max_examples=150)
@given(settings_of_runs())
def test_every_call_up_to_the_horizon_ends_exactly_once(setting: Setting) -> None:
    result, trace = setting.run(), setting.trace
    calls = result.invocations
    n = int((trace.arrival_s <= setting.horizon_s).sum())
    assert len(calls) == n
    assert np.array_equal(calls["function"], trace.function[:n])
    assert np.array_equal(calls["arrival_s"], trace.arrival_s[:n])
    assert np.array_equal(calls["end_s"], loaded_s(result) + trace.duration_s[:n])
    assert (calls["outcome"] == "ok").all()
    assert calls["start_kind"].isin(["warm", "cold"]).all()
    warm, cold = calls["start_kind"] == "warm", calls["start_kind"] == "cold"
    assert (calls["start_s"] >= calls["arrival_s"]).all()
    assert (calls["start_s"][warm] == calls["arrival_s"][warm]).all()
    assert np.array_equal(calls["instance"][cold], np.flatnonzero(cold))
    assert np.array_equal(result.starts["row"].sort_values(), np.flatnonzero(cold))
    assert np.array_equal(calls["counted"], trace.arrival_s[:n] >= setting.warm_up_s)
    assert result.summary["invocations"] == calls["counted"].sum()
    assert result.summary["cold_starts"] == (cold & calls["counted"]).sum()


@settings(max_examples=150)
@given(settings_of_runs())
def test_an_instance_runs_one_call_at_a_time_within_its_life(setting: Setting) -> None:
    result = setting.run()
    phases_s = phases(result).set_index("row").drop(columns="handler_s", errors="ignore")
    for instance, calls in by_instance(result):
        first, last = calls[0], calls[-1]
        assert {call["function"] for call in calls} == {instance["function"]}
        assert [call["start_kind"] for call in calls] == ["cold"] + ["warm"] * (len(calls) - 1)
        assert instance["created_s"] == first["arrival_s"]
        start_up_s = 0.0
        for phase_s in phases_s.loc[instance["instance"]].tolist():
            start_up_s += phase_s
        assert instance["ready_s"] == first["start_s"] == instance["created_s"] + start_up_s
        assert all(after["start_s"] >= before["end_s"] for before, after in pairwise(calls))
        retires_s = instance["created_s"] + setting.platform.max_lifetime_s
        assert last["end_s"] <= instance["ended_s"] <= max(last["end_s"], retires_s)


@settings(max_examples=150)
@given(settings_of_runs())
def test_memory_time_is_what_calls_and_lives_add_up_to(setting: Setting) -> None:
    result = setting.run()
    summary = result.summary
    gb = np.array(MEMORY_MB) / 1024

    def gb_s(frame: pd.DataFrame, begin: str, end: str) -> float:
        rows = frame[["function", begin, end]].itertuples(index=False)
        return sum(gb[function] * setting.inside_s(begin_s, end_s) for function, begin_s, end_s in rows)

    busy = gb_s(result.invocations, "start_s", "end_s")
    starting = gb_s(result.instances, "created_s", "ready_s")
    alive = gb_s(result.instances, "created_s", "ended_s")
    close = {"rel": 1e-9, "abs": 1e-9}
    assert summary["busy_gb_s"] == pytest.approx(busy, **close)
    assert summary["starting_gb_s"] == pytest.approx(starting, **close)
    assert summary["starting_gb_s"] + summary["busy_gb_s"] + summary["idle_gb_s"] == pytest.approx(alive, **close)
    idle = sum(
        gb[instance["function"]] * sum(setting.inside_s(*gap) for gap in idle_periods(instance, calls))
        for instance, calls in by_instance(result)
    )
    assert summary["idle_gb_s"] == pytest.approx(idle, **close)
    assert (summary.dropna() >= 0).all()
    assert (result.functions.select_dtypes("number") >= 0).all(axis=None)


def idle_periods(instance: dict[str, float], calls: list[dict[str, float]]) -> Iterator[tuple[float, float]]:
    for before, after in pairwise(calls):
        yield before["end_s"], after["start_s"]
    yield calls[-1]["end_s"], instance["ended_s"]


def as_bytes(result: sim.Result) -> dict[str, bytes]:
    """Every column of a result, bit by bit."""
    frames = {"calls": result.invocations, "lives": result.instances, "starts": result.starts, "all": result.functions}
    columns = {f"{frame}.{column}": values for frame, table in frames.items() for column, values in table.items()}
    return {"summary": result.summary.to_numpy().tobytes()} | {
        name: repr(values.tolist()).encode() if values.dtype.kind not in "fi" else values.to_numpy().tobytes()
        for name, values in columns.items()
    }


@settings(max_examples=40)
@given(settings_of_runs())
def test_the_same_seed_gives_the_same_bytes(setting: Setting) -> None:
    assert as_bytes(setting.run()) == as_bytes(setting.run())


@settings(max_examples=60)
@given(settings_of_runs(), st.sampled_from(POLICIES), st.sampled_from(POLICIES))
def test_policies_meet_the_same_calls_and_the_same_starts(setting: Setting, a: KeepAlive, b: KeepAlive) -> None:
    setting = replace(setting, platform=platforms()[4])
    ours, theirs = setting.run(a), setting.run(b)
    assert ours.invocations["arrival_s"].equals(theirs.invocations["arrival_s"])
    for result in (ours, theirs):
        durations_s = setting.trace.duration_s[: len(result.invocations)]
        assert np.array_equal(result.invocations["end_s"], loaded_s(result) + durations_s)
    both = phases(ours).merge(phases(theirs), on="row", suffixes=("", "_other"))
    assert len(both) >= ours.invocations["function"].nunique()  # the first call of each is cold under both
    for phase in phases(ours).columns.drop("row"):
        assert both[phase].equals(both[f"{phase}_other"].rename(phase))


def test_starts_differ_from_call_to_call_and_from_seed_to_seed_but_not_from_slice_to_slice() -> None:
    trace = sim.Trace.from_arrays([0, 1, 0, 1, 2], [0.0, 0.0, 9.0, 9.0, 20.0], 1.0, functions=function_table())
    platform = platforms()[4]

    def start_ups(trace: sim.Trace, seed: int = 0, replication: int = 0) -> list[float]:
        result = sim.simulate(trace, NoKeepAlive(), platform=platform, seed=seed, replication=replication)
        return phases(result).drop(columns="row").sum(axis=1).tolist()

    first = start_ups(trace)
    assert len(set(first)) == 5
    assert not set(first) & set(start_ups(trace, seed=1))
    assert not set(first) & set(start_ups(trace, replication=1))
    assert start_ups(trace.slice(functions=[1])) == [first[1], first[3]]
