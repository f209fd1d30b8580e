"""The Chrome trace of a run: a small one line by line, and any one against a brute-force reading of the result."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim import ConfigError, Platform, Trace, simulate
from sim.platform.startup import PhasedStart
from sim.policies import FixedWindow, HybridHistogram, KeepForever, NoKeepAlive, PingWarmer, ProvisionedFloor

Event = dict[str, Any]
US = 1_000_000


def written(result: sim.Result, folder: Path, **options: object) -> list[Event]:
    path = sim.chrome_trace(result, folder / "timeline.json", **options)  # type: ignore[arg-type]
    events: list[Event] = json.loads(path.read_bytes())["traceEvents"]
    return events


def lines(events: list[Event]) -> list[str]:
    """Events in short: kind, process.thread, name, time and duration in seconds, and what is said besides."""
    short = []
    for e in events:
        where = f"{e['pid']}.{e['tid']}" if "tid" in e else f"{e['pid']}"
        when = [f"{e[key] / US:g}" for key in ("ts", "dur") if key in e]
        said = [f"{key}={value}" for key, value in e.get("args", {}).items()]
        short.append(" ".join([e["ph"], where, e["name"], *when, *said]))
    return short


# A file by hand

PHASED = Platform(start=PhasedStart({"create": 0.5, "runtime": 1.5}))
FUNCTIONS = pd.DataFrame({"name": ["f", "g"], "app": ["a", "b"], "memory_mb": [1024.0, 512.0], "package_mb": 8.0})
THREE = Trace.from_arrays(["f", "f", "g"], [1.0, 6.0, 7.0], [3.0, 2.0, 1.0], functions=FUNCTIONS, horizon_s=20.0)

BY_HAND = """\
M 1 process_name name=f
M 1 process_labels labels=app a, http, 1024 MB
M 1 process_sort_index sort_index=0
M 1.3 thread_name name=instance 0
M 1.3 thread_sort_index sort_index=3
X 1.3 starting 1 2 awaited=True fetched_mb=8.0
X 1.3 create 1 0.5
X 1.3 runtime 1.5 1.5
X 1.3 busy 3 3
X 1.3 cold 3 3 row=0 start_kind=cold outcome=ok arrival_s=1.0 wait_s=2.0 latency_s=5.0
X 1.3 busy 6 2
X 1.3 warm 6 2 row=1 start_kind=warm outcome=ok arrival_s=6.0 wait_s=0.0 latency_s=2.0
X 1.3 idle 8 10
C 1 instances 1 starting=1 busy=0 idle=0
C 1 instances 3 starting=0 busy=1 idle=0
C 1 instances 6 starting=0 busy=1 idle=0
C 1 instances 8 starting=0 busy=0 idle=1
C 1 instances 18 starting=0 busy=0 idle=0
b 1.1 waiting 1 row=0 start_kind=cold
e 1.1 waiting 3
M 2 process_name name=g
M 2 process_labels labels=app b, http, 512 MB
M 2 process_sort_index sort_index=1
M 2.4 thread_name name=instance 2
M 2.4 thread_sort_index sort_index=4
X 2.4 starting 7 2 awaited=True fetched_mb=8.0
X 2.4 create 7 0.5
X 2.4 runtime 7.5 1.5
X 2.4 busy 9 1
X 2.4 cold 9 1 row=2 start_kind=cold outcome=ok arrival_s=7.0 wait_s=2.0 latency_s=3.0
X 2.4 idle 10 10
C 2 instances 7 starting=1 busy=0 idle=0
C 2 instances 9 starting=0 busy=1 idle=0
C 2 instances 10 starting=0 busy=0 idle=1
b 2.2 waiting 7 row=2 start_kind=cold
e 2.2 waiting 9
"""


def test_a_file_by_hand(tmp_path: Path) -> None:
    result = simulate(THREE, FixedWindow(10), PHASED)
    assert "\n".join(lines(written(result, tmp_path))) + "\n" == BY_HAND


def test_what_reaches_beyond_the_span_is_cut(tmp_path: Path) -> None:
    result = simulate(THREE, FixedWindow(10), PHASED)
    events = [e for e in written(result, tmp_path, start_s=2.0, end_s=6.5, functions=["f"]) if e["ph"] != "M"]
    assert lines(events) == [
        "X 1.3 starting 2 1 awaited=True fetched_mb=8.0",
        "X 1.3 runtime 2 1",
        "X 1.3 busy 3 3",
        "X 1.3 cold 3 3 row=0 start_kind=cold outcome=ok arrival_s=1.0 wait_s=2.0 latency_s=5.0",
        "X 1.3 busy 6 0.5",
        "X 1.3 warm 6 0.5 row=1 start_kind=warm outcome=ok arrival_s=6.0 wait_s=0.0 latency_s=2.0",
        "C 1 instances 2 starting=1 busy=0 idle=0",
        "C 1 instances 3 starting=0 busy=1 idle=0",
        "C 1 instances 6 starting=0 busy=1 idle=0",
        "b 1.1 waiting 2 row=0 start_kind=cold",
        "e 1.1 waiting 3",
    ]


def test_the_handler_loads_in_the_first_call(tmp_path: Path) -> None:
    platform = Platform(start=PhasedStart({"create": 0.5, "handler": 0.25}))
    events = written(simulate(THREE, FixedWindow(10), platform), tmp_path, functions=["f"])
    assert [line for line in lines(events) if line.startswith(("X 1.3 create", "X 1.3 handler", "X 1.3 busy"))] == [
        "X 1.3 create 1 0.5", "X 1.3 busy 1.5 3.25", "X 1.3 handler 1.5 0.25", "X 1.3 busy 6 2"
    ]  # fmt: skip
    later = written(simulate(THREE, FixedWindow(10), platform), tmp_path, functions=["f"], start_s=5.0)
    assert not any(event["name"] == "handler" for event in later)


def test_requests_at_a_time_are_in_lanes(tmp_path: Path) -> None:
    trace = Trace.from_arrays(["f"] * 3, [0.0, 1.0, 4.0], [4.0, 5.0, 1.0], horizon_s=9.0)
    events = written(simulate(trace, KeepForever(), Platform(start_s=0.0, concurrency=2)), tmp_path)
    slices = [line.partition(" outcome")[0] for line in lines(events) if line.startswith(("X", "M 1.", "C"))]
    assert slices == [
        "M 1.2 thread_name name=instance 0",
        "M 1.2 thread_sort_index sort_index=2",
        "X 1.2 busy 0 6",
        "X 1.2 cold 0 4 row=0 start_kind=cold",
        "X 1.2 warm 4 1 row=2 start_kind=warm",
        "X 1.2 idle 6 3",
        "M 1.3 thread_name name=instance 0, lane 2",
        "M 1.3 thread_sort_index sort_index=3",
        "X 1.3 warm 1 5 row=1 start_kind=warm",
        "C 1 instances 0 starting=0 busy=1 idle=0",
        "C 1 instances 6 starting=0 busy=0 idle=1",
    ]


def test_calls_that_never_start_are_marks(tmp_path: Path) -> None:
    trace = Trace.from_arrays(["f", "f"], [0.0, 1.0], [5.0, 1.0])
    events = written(simulate(trace, FixedWindow(1), Platform(start_s=0.0, max_instances=1)), tmp_path)
    assert [line for line in lines(events) if line.startswith("i")] == ["i 1.1 rejected 1 row=1"]


# Any file


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "app": {"isolation": "app"},
    "slots": {"concurrency": 3},
    "late": {"binding": "late", "concurrency": 2, "isolation": "app"},
    "race": {"binding": "race"},
    "capped": {"max_instances_per_unit": 1, "queue_limit": 2, "max_lifetime_s": 30.0},
    "impatient": {"max_instances": 2, "queue_limit": 9, "max_wait_s": 2.0},
    "failing": {"start_failure_probability": 0.6, "start_attempts": 2},
    "routers": {"routers": 2, "route_delay_s": 1.0},
}
POLICIES = {
    "none": NoKeepAlive(),
    "window": FixedWindow(7.0),
    "forever": KeepForever(),
    "pings": PingWarmer(window_s=5.0, period_s=11.0),
    "floor": ProvisionedFloor(n=1, window_s=3.0),
    "histogram": HybridHistogram(bin_s=1.0, range_s=20.0, min_gaps=1),
}
CALLS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 60), st.sampled_from([0.0, 0.5, 1.0, 1 / 3, 8.0])),
    min_size=1,
    max_size=25,
)


def any_run(calls: list[tuple[int, int, float]], options: str, policy: str) -> sim.Result:
    table = pd.DataFrame({"name": list("fgh"), "app": list("xxy")})
    function, arrival_s, duration_s = zip(*calls, strict=True)
    trace = Trace.from_arrays(function, arrival_s, duration_s, functions=table, horizon_s=70.0)
    start = PhasedStart({"create": 0.7, "runtime": 1 / 3, "handler": 0.2})
    return simulate(trace, POLICIES[policy], Platform(start=start, **OPTIONS[options]))


def test_the_cases_are_what_they_should_be() -> None:
    """Every option does something: the law below is not about one kind of run only."""
    drawn = np.random.default_rng(1)
    calls = [(int(drawn.integers(3)), int(drawn.integers(60)), float(drawn.choice([0.0, 1.0, 8.0]))) for _ in range(60)]
    seen = {o: any_run(calls, o, "window").summary[["cold_starts", "wait_mean_s"]].tolist() for o in OPTIONS}
    assert all(seen[option] != seen["plain"] for option in OPTIONS if option != "plain")
    outcomes = {o: set(any_run(calls, o, "window").invocations["outcome"]) for o in ("capped", "impatient", "failing")}
    assert outcomes == {"capped": {"ok", "rejected"}, "impatient": {"ok", "timed_out"}, "failing": {"ok", "failed"}}


@given(CALLS, st.sampled_from(sorted(OPTIONS)), st.sampled_from(sorted(POLICIES)),
       st.tuples(st.integers(0, 69), st.integers(1, 70)).filter(lambda span: span[0] < span[1]))  # fmt: skip
def test_any_file_says_what_the_result_says(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, int, float]], options: str, policy: str,
    span: tuple[int, int],
) -> None:  # fmt: skip
    result, (start_s, end_s) = any_run(calls, options, policy), span
    events = written(result, tmp_path_factory.mktemp("any"), start_s=float(start_s), end_s=float(end_s))
    slices = [event for event in events if event["ph"] == "X"]
    assert_nested(slices)
    assert_in_the_span(events, start_s * US, end_s * US)
    assert_counters_are_the_slices(events)
    assert_calls_are_there(slices, result, start_s, end_s)
    assert_busy_by_instance(events, result, start_s, end_s, "xxy" if "isolation" in OPTIONS[options] else "fgh")


def assert_nested(slices: list[Event]) -> None:
    """In the order of the file every slice of a thread is inside the one before or one it is in, or after it."""
    threads = defaultdict(list)
    for event in slices:
        threads[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for thread in threads.values():
        around: list[tuple[int, int]] = []
        for begin, end in thread:
            while around and around[-1][1] <= begin and around[-1] != (begin, end):
                around.pop()
            assert not around or around[-1][0] <= begin <= end <= around[-1][1]
            around.append((begin, end))


def assert_in_the_span(events: list[Event], start_us: int, end_us: int) -> None:
    timed = [event for event in events if event["ph"] != "M"]
    assert all(start_us <= event["ts"] <= event["ts"] + event.get("dur", 0) <= end_us for event in timed)


def assert_counters_are_the_slices(events: list[Event]) -> None:
    for counter in (event for event in events if event["ph"] == "C"):
        there = defaultdict(int)
        for event in events:
            if event["ph"] == "X" and event["cat"] == "instance" and event["pid"] == counter["pid"]:
                there[event["name"]] += event["ts"] <= counter["ts"] < event["ts"] + event["dur"]
        assert counter["args"] == {state: there[state] for state in ("starting", "busy", "idle")}


def assert_calls_are_there(slices: list[Event], result: sim.Result, start_s: float, end_s: float) -> None:
    """Each call that runs for a while inside the span is there once, from start to end."""
    calls = result.invocations
    assert calls is not None
    inside = calls[(calls["end_s"] > start_s) & (calls["start_s"] < end_s) & (calls["end_s"] > calls["start_s"])]
    drawn = {e["args"]["row"]: e for e in slices if e["cat"] == "call" and e["name"] != "ping" and e["dur"]}
    assert sorted(drawn) == inside.index.tolist()
    for row, call in inside.iterrows():
        begin_us, end_us = (round(min(max(t, start_s), end_s) * US) for t in (call["start_s"], call["end_s"]))
        assert (drawn[row]["ts"], drawn[row]["dur"]) == (begin_us, end_us - begin_us)
        assert drawn[row]["name"] == call["start_kind"]


def assert_busy_by_instance(events: list[Event], result: sim.Result, start_s: float, end_s: float, units: str) -> None:
    """Busy time, thread by thread, is the union of what the result says that the instance ran, pings included."""
    assert result.columns is not None
    tables = [pd.DataFrame({key: getattr(served, key) for key in ("function", "instance", "start_s", "end_s")})
              for served in (result.columns.requests, result.columns.pings)]  # fmt: skip
    ran = defaultdict(list)
    for call in pd.concat(tables).dropna().itertuples():
        unit = units[call.function] if call.instance < 0 else "named by a row"
        ran[unit, call.instance].append((max(call.start_s, start_s), min(call.end_s, end_s)))
    expected = sorted(total for spans in ran.values() if (total := union_s(spans)) > 0)
    busy = defaultdict(float)
    for event in events:
        if event["ph"] == "X" and event["name"] == "busy" and event["dur"]:
            busy[event["tid"]] += event["dur"] / US
    assert sorted(busy.values()) == pytest.approx(expected, abs=1e-4)


def union_s(spans: list[tuple[float, float]]) -> float:
    total, reached = 0.0, -1.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total


@given(CALLS, st.sampled_from(sorted(OPTIONS)), st.sampled_from(sorted(POLICIES)))
def test_times_by_state_are_those_of_the_result(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, int, float]], options: str, policy: str
) -> None:
    result = any_run(calls, options, policy)
    assert_times_by_state(written(result, tmp_path_factory.mktemp("all")), result)


def assert_times_by_state(events: list[Event], result: sim.Result) -> None:
    """By app: with isolation by app the table of functions has a call's time at the function called."""
    slices = [event for event in events if event["ph"] == "X" and event["cat"] == "instance"]
    apps = result.functions["app"].tolist()
    drawn = defaultdict(float)
    for event in slices:
        drawn[apps[event["pid"] - 1], event["name"]] += event["dur"] / US
    for state in ("starting", "busy", "idle"):
        for app, seconds in result.functions.groupby("app")[f"{state}_s"].sum().items():
            assert drawn[app, state] == pytest.approx(seconds, abs=1e-6 * (1 + len(slices)))


def test_real_calls(shared: Path, tmp_path: Path) -> None:
    trace = sim.load_trace(shared / "traces/azure2019_100f_8h", format="azure2019").slice(0, 1800)
    result = simulate(trace, FixedWindow(600))
    events = written(result, tmp_path)
    assert_times_by_state(events, result)
    assert_nested([event for event in events if event["ph"] == "X"])
    assert sum(event["ph"] == "X" and event["cat"] == "call" for event in events) == len(result.invocations)
    assert sum(event["ph"] == "b" for event in events) == result.summary["cold_starts"] > 50


# Files


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [sim.chrome_trace(simulate(THREE, FixedWindow(10)), tmp_path / name).read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def test_the_file_says_of_what_it_is(tmp_path: Path) -> None:
    path = sim.chrome_trace(simulate(THREE, FixedWindow(10), seed=3), str(tmp_path / "t.json"), start_s=2.5)
    said = json.loads(path.read_bytes())["otherData"]
    assert said["policy"] == "FixedWindow(window_s=10)"
    assert (said["seed"], said["start_s"], said["end_s"]) == ("3", "2.5", "20.0")


def test_names_are_data(tmp_path: Path) -> None:
    names = ['"},{"ph":"X', "</script>\n\x00\u2028", "ü\U0001f600"]
    table = pd.DataFrame({"name": names})
    trace = Trace.from_arrays([0, 1, 2], [0.0, 1.0, 2.0], 1.0, functions=table)
    path = sim.chrome_trace(simulate(trace, FixedWindow(1)), tmp_path / "t.json")
    assert path.read_bytes().isascii()
    events = json.loads(path.read_text())["traceEvents"]
    assert [event["args"]["name"] for event in events if event["name"] == "process_name"] == names


def test_functions_are_shown_in_the_order_chosen(tmp_path: Path) -> None:
    result = simulate(THREE, FixedWindow(10))
    for chosen in (["g", "f"], [1, 0], np.array([1, 0])):
        events = written(result, tmp_path, functions=chosen)
        assert [e["args"]["name"] for e in events if e["name"] == "process_name"] == ["g", "f"]
    assert written(result, tmp_path, functions=["g"], end_s=5.0) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"functions": ["h"]}, "'h' is the name of no function"),
        ({"functions": [2]}, "there is no function 2 among 2"),
        ({"functions": [-1]}, "functions must be a whole number >= 0, not -1"),
        ({"functions": "f"}, "must be a list of indices or names, not 'f'"),
        ({"functions": [0, "f"]}, "'f' is chosen twice"),
        ({"start_s": -1.0}, "start_s must be a finite number of seconds >= 0"),
        ({"start_s": 9.0, "end_s": 8.0}, "start_s < end_s <= 20, .* not 9 and 8"),
        ({"start_s": 9.0, "end_s": 9.0}, "start_s < end_s <= 20, .* not 9 and 9"),
        ({"end_s": 21.0}, "start_s < end_s <= 20"),
        ({"end_s": float("nan")}, "end_s must be a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        written(simulate(THREE, FixedWindow(10)), tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_names_that_several_apps_have_are_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["f", "f"], "app": ["a", "b"]})
    result = simulate(Trace.from_arrays([0, 1], [0.0, 1.0], 1.0, functions=table), FixedWindow(10))
    with pytest.raises(ConfigError, match="'f' occurs in several apps: give indices"):
        written(result, tmp_path, functions=["f"])


def test_a_run_that_was_not_recorded_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="record=True"):
        written(simulate(THREE, FixedWindow(10), record=False), tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.json"
    path.write_text("before")
    monkeypatch.setattr("sim.results.timeline.Timeline._waits", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        sim.chrome_trace(simulate(THREE, FixedWindow(10)), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
