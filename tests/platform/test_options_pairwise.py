"""Conservation under every pair of options: nothing is lost, nothing is made of nothing, and no limit is exceeded.

All pairs of values of all options are covered by a small design, made by a greedy algorithm; hypothesis adds
random combinations of more than two. Everything is checked from the raw columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from heapq import heappop
from itertools import combinations, product
from math import inf, isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from option_pairs import DESIGN, OPTIONS, Case

import sim
from sim.core.errors import ConfigError
from sim.core.random import stream, uniform
from sim.core.time import EXPIRY
from sim.engine import reference
from sim.platform import Platform
from sim.platform.calendar import Calendar
from sim.platform.startup import PhasedStart
from sim.platform.waiting import WaitingCall
from sim.policies import FixedWindow, KeepForever
from sim.results import metrics
from sim.results.call_sums import Span, call_sums
from sim.results.columns import (
    COLD,
    FAILED,
    NO_INSTANCE,
    NOT_STARTED,
    OK,
    QUEUED,
    REJECTED,
    TIMED_OUT,
    WARM,
    Columns,
)
from sim.results.fleet_sums import fleet_sums


def test_the_design_covers_every_pair_in_few_cases() -> None:
    for a, b in combinations(OPTIONS, 2):
        met = [(case[a], case[b]) for case in DESIGN]
        assert all(pair in met for pair in product(OPTIONS[a], OPTIONS[b])), (a, b)
    assert len(DESIGN) < 100
    processor = {"processor", "cores", "mb_per_core", "cores_per_request"}  # see the test that shares it
    named = {f.name for f in fields(Platform)} - {"start_s", "start_attempts"} - processor
    assert named <= set(OPTIONS), "an option of the platform that is not tried with the others"


@cache
def functions(timeout_s: float) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "name": list("abc"),
            "app": list("xxy"),
            "memory_mb": [128.0, 512.0, 1024.0],
            "concurrency": [1, 2, 2],
            "package_kind": ["zip", "image", "zip"],
        }
    )
    return sim.Trace.from_arrays([0], [0.0], 0.0, functions=table.assign(timeout_s=timeout_s)).functions


def trace(seed: int, timeout_s: float, calls: int = 90) -> sim.Trace:
    """Calls in bursts, half of them at round times, so that much happens at the same instants."""
    random = np.random.default_rng(seed)
    arrival_s = np.cumsum(random.exponential(random.choice([0.05, 0.8], calls)))
    arrival_s = np.where(random.random(calls) < 0.5, np.round(arrival_s, 0), arrival_s)
    arrival_s.sort()
    duration_s = random.choice([0.0, 0.5, 1.0, 1.7, 3.0], calls)
    function = random.choice(3, calls, p=[0.6, 0.2, 0.2]).astype(np.int32)
    return sim.Trace(function, arrival_s, duration_s, functions(timeout_s), float(arrival_s[-1]))


@dataclass
class Ran:
    """A run and what it was asked for."""

    case: Case
    trace: sim.Trace
    platform: Platform
    columns: Columns
    seed: int

    @classmethod
    def of(cls, case: Case, seed: int) -> "Ran":
        calls = trace(seed, case["timeout_s"])
        options = {name: value for name, value in case.items() if name not in ("policy", "timeout_s", "start")}
        start = {"start": case["start"]} if isinstance(case["start"], PhasedStart) else {"start_s": case["start"]}
        platform = Platform(**start, **options)
        columns = reference.run(
            calls, case["policy"], platform, horizon_s=calls.horizon_s, seed=seed, replication=seed % 3
        )
        return cls(case, calls, platform, columns, seed)

    @property
    def unit(self) -> np.ndarray:
        """The unit of each function."""
        return np.array([0, 0, 2] if self.case["isolation"] == "app" else [0, 1, 2])

    @property
    def concurrency(self) -> np.ndarray:
        """The slots of an instance of each function."""
        return self.platform.deployed(self.trace.functions)["concurrency"].to_numpy()

    def calls(self) -> pd.DataFrame:
        """Calls and pings, with their unit."""
        frames = []
        for requests, service_s in ((self.columns.requests, self.trace.service_s), (self.columns.pings, None)):
            names = ("function", "arrival_s", "start_s", "end_s", "start_kind", "outcome", "instance")
            frame = pd.DataFrame({name: getattr(requests, name) for name in names})
            frame["hops"] = 0 if requests.hops is None else requests.hops
            frame["service_s"] = self.columns.ping_s if service_s is None else service_s
            frame["duration_s"] = self.columns.ping_s if service_s is None else self.trace.duration_s
            loaded = requests.loading
            if self.columns.makers_load and requests is self.columns.requests:
                starts = self.columns.starts
                loaded = starts.row[starts.phase_s(len(starts.phases) - 1) > 0]
            frame["loaded"] = np.isin(np.arange(len(frame)), loaded)
            frame["ping"] = service_s is None
            frames.append(frame)
        table = pd.concat(frames, ignore_index=True) if len(frames[1]) else frames[0]
        return table.assign(unit=self.unit[table["function"]], loaded_s=self.loaded_s(table))

    def loaded_s(self, calls: pd.DataFrame) -> np.ndarray:
        """When the handler of each call's instance is loaded: from the first start on it, as long as was drawn."""
        starts = self.columns.starts
        asked = dict(zip(starts.row.tolist(), starts.phase_s(len(starts.phases) - 1).tolist(), strict=True))
        first_s = calls.groupby([self.unit[calls["function"]], calls["instance"]])["start_s"].transform("min")
        made_by = {(life["unit"], life["instance"]): life["function"] for life in self.lives().to_dict("records")}
        load_s = []
        for function, instance in zip(calls["function"], calls["instance"], strict=True):
            if not self.platform.start_model.loads_late or instance == NO_INSTANCE:
                load_s.append(0.0)
            elif instance >= 0:
                load_s.append(asked[instance])
            else:
                load_s.append(self.unasked_load_s(made_by[self.unit[function], instance], -1 - instance))
        return (first_s + load_s).to_numpy()

    def unasked_load_s(self, function: int, k: int) -> float:
        """The load of the k-th instance of a unit that no call of the trace asked for."""
        keys, replication = self.trace.function_keys(), self.seed % 3
        deployed = self.platform.deployed(self.trace.functions)
        draws = self.platform.start_model.bind(deployed, self.seed, replication, *keys, purpose="prewarm")
        failures = int(stream(self.seed, replication, "start_failure", *keys)[function])
        for attempt in range(self.platform.start_attempts):
            number = k + (attempt << 40)
            if uniform(failures, number) >= self.platform.start_failure_probability or self.held_from_0(function, k):
                return draws.draw(function, number)[-1]
        raise AssertionError("a call on an instance whose start failed")

    def held_from_0(self, function: int, k: int) -> bool:
        """Whether the instance was there when the run began, its start long over."""
        lives = self.lives()
        life = lives[(lives["unit"] == self.unit[function]) & (lives["instance"] == -1 - k)].iloc[0]
        return life["created_s"] == life["ready_s"] == 0.0 and self.case["policy"].floor() is not None

    def lives(self) -> pd.DataFrame:
        """Instances, with their unit."""
        instances = self.columns.instances
        table = pd.DataFrame({f.name: getattr(instances, f.name) for f in fields(instances)})
        return table.assign(unit=self.unit[table["function"]])

    def by_instance(self) -> Iterator[tuple[dict[str, float], list[dict[str, float]]]]:
        """Every instance with its calls in order of start."""
        calls = self.calls()
        calls = calls[calls["instance"] != NO_INSTANCE].sort_values(["start_s", "arrival_s"], kind="stable")
        on = {key: group.to_dict("records") for key, group in calls.groupby(["unit", "instance"])}
        for life in self.lives().to_dict("records"):
            yield life, on.pop((life["unit"], life["instance"]), [])
        assert not on, "calls on instances that nobody made"


def peak(begin_s: np.ndarray, end_s: np.ndarray) -> int:
    """The most intervals that overlap, those that end at an instant before those that begin at it."""
    steps = sorted([(b, 1) for b in begin_s.tolist()] + [(e, -1) for e in end_s.tolist()])
    return max(np.cumsum([step for _, step in steps]), default=0)


def check_calls(ran: Ran) -> None:
    """Every call ends exactly once, with an outcome, in time."""
    calls, case = ran.calls(), ran.case
    started = calls["start_kind"] != NOT_STARTED
    for column in ("start_s", "end_s"):
        assert np.array_equal(calls[column].notna(), started)
    assert np.array_equal(calls["instance"] != NO_INSTANCE, started)
    loading = calls["loaded_s"] > calls["start_s"]
    assert np.array_equal(calls["loaded"], loading)
    whole_s = calls[["start_s", "loaded_s"]].max(axis=1) + calls["duration_s"]
    latest_s = np.where(calls["ping"] & ~loading, inf, calls["start_s"] + case["timeout_s"])
    assert np.array_equal(np.minimum(whole_s, latest_s)[started], calls["end_s"][started])
    ended = np.where(whole_s > latest_s, TIMED_OUT, OK)
    assert np.array_equal(calls["outcome"][started], ended[started])
    assert calls["outcome"][~started].isin([REJECTED, TIMED_OUT, FAILED]).all()
    wait_s = (calls["start_s"] - calls["arrival_s"])[started]
    assert (wait_s >= 0).all()
    assert ((calls["start_s"] <= calls["arrival_s"] + case["max_wait_s"])[started]).all()
    assert (wait_s[calls["start_kind"] == WARM] == 0).all()
    limited = case["max_instances_per_unit"] < inf or case["max_instances"] < inf
    assert limited or not (calls["outcome"] == REJECTED).any()
    assert case["queue_limit"] < inf or not (calls["outcome"] == REJECTED).any()
    assert case["max_wait_s"] < inf or not (calls["outcome"][~started] == TIMED_OUT).any()
    assert case["start_failure_probability"] or not (calls["outcome"] == FAILED).any()


def check_kinds(ran: Ran) -> None:
    """Cold: the first call of an instance that a call started; on one that none did it is queued, or prewarmed."""
    surely_prewarmed = maybe_prewarmed = 0
    for life, calls in ran.by_instance():
        at_first = [call["start_kind"] == WARM for call in calls if call["start_s"] == calls[0]["start_s"]]
        if life["instance"] < 0:  # of several that start at one instant any may be the first
            surely_prewarmed += bool(at_first) and all(at_first)
            maybe_prewarmed += any(at_first)
        for i, call in enumerate(calls):
            first = i == 0 and life["instance"] >= 0
            waited = call["start_kind"] != WARM
            if waited:
                assert (call["start_kind"] == COLD) == first or same_start(calls, i) or call["hops"]
        colds = [call for call in calls if call["start_kind"] == COLD]
        assert len(colds) <= (life["instance"] >= 0)
        assert all(call["start_s"] == calls[0]["start_s"] == life["ready_s"] for call in colds)
        waited = [c for c in calls if c["start_kind"] in (COLD, QUEUED) and c["start_s"] == life["ready_s"]]
        if not isnan(life["ready_s"]):
            # others have come at that very instant, or may have come back
            surely = [call for call in waited if not call["hops"] and call["arrival_s"] < life["ready_s"]]
            assert bool(surely) <= life["awaited"] <= bool(waited)
    of_both = (*ran.columns.requests.prewarmed, *ran.columns.pings.prewarmed)
    assert surely_prewarmed <= len(of_both) <= maybe_prewarmed


def same_start(calls: list[dict[str, float]], i: int) -> bool:
    """Whether another call of the instance started at the same instant: the order among them is not in the columns."""
    return sum(call["start_s"] == calls[i]["start_s"] for call in calls) > 1


def check_instances(ran: Ran) -> None:
    """No instance runs more than it has slots for, or outside its life; no cap is ever exceeded."""
    case, lives = ran.case, ran.lives()
    assert not lives.duplicated(["unit", "instance"]).any()
    assert (lives["created_s"] >= 0).all()
    assert not (lives["ready_s"] < lives["created_s"]).any()
    assert not (lives["ended_s"] < lives[["created_s", "ready_s"]].max(axis=1)).any()
    life_s = case["max_lifetime_s"] if isinstance(case["max_lifetime_s"], float) else 9.0
    for life, calls in ran.by_instance():
        assert not calls or calls[0]["start_s"] >= life["ready_s"]
        last_s = max((call["end_s"] for call in calls), default=life["created_s"])
        assert last_s <= life["ended_s"]
        if not isnan(life["ready_s"]):
            assert life["ended_s"] <= max(last_s, life["ready_s"], life["created_s"] + life_s)
        slots = ran.concurrency[int(life["function"])]
        assert peak(*np.array([(c["start_s"], c["end_s"]) for c in calls]).reshape(-1, 2).T) <= slots
    assert peak(lives["created_s"], lives["ended_s"]) <= case["max_instances"]
    for _, of_unit in lives.groupby("unit"):
        assert peak(of_unit["created_s"], of_unit["ended_s"]) <= case["max_instances_per_unit"]
    starts = ran.columns.starts
    assert sorted(starts.row.tolist()) == sorted(n for n in lives["instance"] if 0 <= n < len(ran.trace))


PRICE, PROVIDER = sim.load_pricing(), sim.load_provider()


def check_memory_time(ran: Ran, from_s: float) -> None:
    """Starting, busy and idle time are what lives and calls add up to within the span; none is negative."""
    span = Span(from_s, ran.trace.horizon_s)

    def inside_s(begin_s: float, end_s: float) -> float:
        return max(0.0, min(end_s, span.end_s) - max(begin_s, span.start_s))

    deployed = ran.platform.deployed(ran.trace.functions)
    sums = call_sums(ran.columns, ran.trace.service_s, deployed["memory_mb"].to_numpy(), span, PRICE)
    fleet = fleet_sums(ran.columns, deployed["memory_mb"].to_numpy(), span, PRICE)
    table = metrics.per_function(sums, fleet, deployed)
    summary = metrics.summarise(sums, fleet, table, span, PROVIDER)
    gb = deployed["memory_mb"].to_numpy() / 1024
    gb_s = dict.fromkeys(("life", "starting", "unawaited", "busy"), 0.0)
    for life, calls in ran.by_instance():
        own_gb = gb[int(life["function"])]
        started_s = life["ended_s"] if isnan(life["ready_s"]) else life["ready_s"]
        gb_s["life"] += own_gb * inside_s(life["created_s"], life["ended_s"])
        gb_s["starting"] += own_gb * inside_s(life["created_s"], started_s)
        gb_s["unawaited"] += own_gb * (not life["awaited"]) * inside_s(life["created_s"], started_s)
        gb_s["busy"] += own_gb * sum(inside_s(*period) for period in busy_periods(calls))
    for cell in ran.columns.cells.frame().to_dict("records"):
        starting = cell["memory_mb"] / 1024 * inside_s(cell["created_s"], cell["ready_s"])
        gb_s["life"] += cell["memory_mb"] / 1024 * inside_s(cell["created_s"], cell["ended_s"])
        gb_s["starting"] += starting
        gb_s["unawaited"] += starting
    close = {"rel": 1e-9, "abs": 1e-9}
    assert summary["starting_gb_s"] == pytest.approx(gb_s["starting"], **close)
    assert summary["busy_gb_s"] == pytest.approx(gb_s["busy"], **close)
    total = summary["starting_gb_s"] + summary["busy_gb_s"] + summary["idle_gb_s"]
    assert total == pytest.approx(gb_s["life"], **close)
    assert summary["wasted_gb_s"] == pytest.approx(summary["idle_gb_s"] + gb_s["unawaited"], **close)
    assert (summary.dropna() >= -1e-9).all()
    assert (table.select_dtypes("number") >= -1e-9).all(axis=None)


def busy_periods(calls: list[dict[str, float]]) -> Iterator[tuple[float, float]]:
    """The union of the calls of an instance, in order of start, as disjoint intervals."""
    begin_s = end_s = -inf
    for call in calls:
        if call["start_s"] > end_s:
            yield begin_s, end_s
            begin_s = call["start_s"]
        end_s = max(end_s, call["end_s"])
    yield begin_s, end_s


def as_bytes(value: object) -> object:
    if is_dataclass(value):
        return {f.name: as_bytes(getattr(value, f.name)) for f in fields(value)}
    return value.tobytes() if isinstance(value, np.ndarray) else value


def check_all(case: Case, seed: int) -> None:
    ran = Ran.of(case, seed)
    check_calls(ran)
    check_instances(ran)
    check_kinds(ran)
    for from_s in (0.0, ran.trace.horizon_s / 3):
        check_memory_time(ran, from_s)
    assert as_bytes(Ran.of(case, seed).columns) == as_bytes(ran.columns)


@pytest.mark.parametrize("i", range(len(DESIGN)))
def test_every_pair_of_options(i: int) -> None:
    check_all(DESIGN[i], seed=i)


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in OPTIONS.items()}), st.integers(0, 999))
def test_any_options(case: Case, seed: int) -> None:
    check_all(case, seed)


@pytest.mark.parametrize("i", range(0, len(DESIGN), 3))
def test_no_two_events_of_the_calendar_have_one_key(i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But where one is superseded: an alarm, or the patience of a call that runs. Who was put first is naught."""

    def means_nothing(kind: int, *events: object) -> bool:
        return kind == EXPIRY or any(isinstance(event, WaitingCall) and event.over for event in events)

    def run(calendar: Calendar) -> None:
        while calendar.queue:
            time_s, kind, number, event = heappop(calendar.queue)
            if calendar.queue and calendar.queue[0][:3] == (time_s, kind, number):
                assert means_nothing(kind, event, calendar.queue[0][3])
            calendar._now = time_s
            callbacks, event.callbacks = event.callbacks, None
            for callback in callbacks:
                callback(event)

    monkeypatch.setattr(Calendar, "run", run)
    Ran.of(DESIGN[i], seed=i)


def test_the_start_of_an_instance_that_nobody_waits_for_is_waste() -> None:
    """Under race the busy instance serves the second call long before its own is ready, at 12 s."""
    calls = sim.Trace.from_arrays([0, 0], [0.0, 10.5], [1.0, 1.0], horizon_s=30.0)
    late = sim.Trace.from_arrays([0, 0, 0], [0.0, 10.0, 10.5], [1.0, 1.0, 1.0], horizon_s=30.0)
    platform = sim.Platform(start_s=10.0, binding="race")
    alone, raced = (sim.simulate(t, FixedWindow(5.0), platform) for t in (calls, late))
    assert alone.invocations["start_kind"].tolist() == ["cold", "queued"]
    assert raced.invocations["start_s"].tolist() == [10.0, 11.0, 12.0]
    gb = 128 / 1024
    assert raced.summary["wasted_gb_s"] == pytest.approx(raced.summary["idle_gb_s"] + 2 * 10 * gb)


@pytest.mark.parametrize("binding", ["early", "late", "race"])
def test_a_call_that_would_wait_for_ever_is_an_error_that_says_so(binding: str) -> None:
    calls = sim.Trace.from_arrays([0, 1], [0.0, 5.0], 1.0)
    platform = Platform(start_s=0.0, max_instances=1, queue_limit=inf, binding=binding)
    with pytest.raises(ConfigError, match="max_instances"):
        reference.run(calls, KeepForever(), platform, horizon_s=10.0)


@pytest.mark.parametrize("number", range(len(DESIGN)))
def test_sharing_a_processor_that_is_large_enough_changes_nothing(number: int) -> None:
    case = DESIGN[number]
    alone, shared = Ran.of(case, number), Ran.of(case | {"processor": "shared", "cores": 100.0}, number)
    pd.testing.assert_frame_equal(alone.calls(), shared.calls())
    pd.testing.assert_frame_equal(alone.columns.instances.frame(), shared.columns.instances.frame())
