"""Traces by function: what is written is what is read, as a whole, in parts, and block by block."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_traces import counted, table

from sim import ConfigError, PartitionedTrace, Trace, TraceError, load_trace, open_trace, save_by_function
from sim.workload.partition import saving
from sim.workload.partition.layout import Layout

SMALL = Layout(group_calls=2, groups_a_file=2)
layouts = st.builds(Layout, st.integers(1, 9), st.integers(1, 3))


def little() -> Trace:
    """Calls of function 1 at one instant, then function 0, which is not the table's order; 3 is never called."""
    function, arrival = [1, 0, 2, 2, 0, 1, 1, 2], [0.0, 1.0, 1.0, 2.0, 3.25, 3.25, 5.0, 8.0]
    duration = [0.5, 0.0, 1 / 3, 2.0, 2.5, 2.25, 1.0, 7.0]
    trace = Trace.from_arrays(function, arrival, duration, functions=table(4), horizon_s=7.5)
    return replace(trace, about={"format": "csv", "report": {"ö": [1, None]}})


def tied() -> Trace:
    """As many calls as functions at one instant, in no order."""
    return Trace.from_arrays([2, 0, 2, 1, 0, 2], [1, 1, 1, 1, 2, 2], [1, 2, 3, 4, 5, 6], functions=table(3))


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Few functions, many calls at the same instants."""
    functions = draw(st.integers(1, 6))
    calls = draw(st.lists(st.tuples(st.integers(0, functions - 1), st.integers(0, 8), st.floats(0, 9)), max_size=40))
    function, arrival, duration = zip(*calls, strict=True) if calls else ((), (), ())
    horizon = draw(st.sampled_from([None, 4.0, 9.5]))
    return Trace.from_arrays(np.array(function, int), arrival, duration, functions=table(functions), horizon_s=horizon)


def assert_same(one: Trace, other: Trace) -> None:
    for column in ("function", "arrival_s", "duration_s"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column), strict=True)
    pd.testing.assert_frame_equal(one.functions, other.functions)
    assert one.horizon_s == other.horizon_s


def rows(blocks):
    return [[column.tolist() for column in block] for block in blocks]


# Small and exact


def test_what_is_on_disk(tmp_path):
    folder = save_by_function(little(), tmp_path / "t", layout=SMALL)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    parts = ["invocations/part-00000.parquet", "invocations/part-00001.parquet"]
    assert names == ["calls_per_function.parquet", "functions.parquet", *parts, "trace.json"]
    head = json.loads((folder / "trace.json").read_text("utf-8"))
    bytes_of = [[1, 3.25, 0, 2.5, 0, 3.25, 0.5, 2.25], [5, 1, 1, 1 / 3, 2, 8, 2, 7]]  # arrivals, durations, by group
    assert head.pop("digests") == [blake2b(np.array(x, "<f8").tobytes(), digest_size=16).hexdigest() for x in bytes_of]
    assert head == {
        "format": "keepwarm-trace-by-function", "version": 1, "horizon_s": 7.5, "calls": 8, "group_calls": 2,
        "groups_a_file": 2, "ties": False, "about": {"format": "csv", "report": {"ö": [1, None]}},
    }  # fmt: skip
    columns = [pd.read_parquet(folder / part) for part in parts]
    assert columns[0].to_numpy().tolist() == [[0, 1, 0], [0, 3.25, 2.5], [1, 0, 0.5], [1, 3.25, 2.25]]
    assert columns[1].to_numpy().tolist() == [[1, 5, 1], [2, 1, 1 / 3], [2, 2, 2], [2, 8, 7]]
    assert pd.read_parquet(folder / "calls_per_function.parquet")["calls"].tolist() == [2, 3, 3, 0]


def test_what_is_opened(tmp_path):
    trace = little()
    opened = open_trace(save_by_function(trace, tmp_path / "t", layout=SMALL))
    assert isinstance(opened, PartitionedTrace)
    assert len(opened) == 8
    assert opened.calls_per_function.tolist() == [2, 3, 3, 0]
    assert (opened.horizon_s, opened.about) == (7.5, trace.about)
    pd.testing.assert_frame_equal(opened.functions, trace.functions)
    assert repr(opened) == f"<PartitionedTrace: 8 calls of 4 functions over 8 s, by function in {tmp_path / 't'}>"
    shown = opened._repr_html_()
    assert f"2 in {tmp_path / 't'}" in shown
    assert "4 of 2 apps, 3 of them called" in shown
    assert "load report" in shown


def test_blocks_are_whole_functions_or_parts_of_one(tmp_path):
    opened = open_trace(save_by_function(little(), tmp_path / "t", layout=SMALL))
    a = [[0, 0], [1.0, 3.25], [0.0, 2.5]]
    b = [[1, 1, 1], [0.0, 3.25, 5.0], [0.5, 2.25, 1.0]]
    c = [[2, 2, 2], [1.0, 2.0, 8.0], [1 / 3, 2.0, 7.0]]
    together = [first + second for first, second in zip(a, b, strict=True)]
    assert rows(opened.blocks()) == [[x + y for x, y in zip(together, c, strict=True)]]
    assert rows(opened.blocks(most=5)) == [together, c]
    assert rows(opened.blocks([2, 3, 0], most=3)) == [c, a]
    assert rows(opened.blocks([2, 0], most=2)) == [[x[:2] for x in c], [x[2:] for x in c], a]
    assert rows(opened.blocks([])) == rows(opened.blocks([3])) == []


def test_a_part_is_the_slice(tmp_path):
    trace = little()
    opened = open_trace(save_by_function(trace, tmp_path / "t", layout=SMALL))
    assert_same(opened.part([2, 0]), trace.slice(functions=[2, 0]))
    assert opened.part([2, 0]).about == trace.about
    assert len(opened.part([])) == len(opened.part(np.array([3]))) == 0


def test_ties_are_kept_only_where_they_are_not_in_order(tmp_path):
    for trace, ties in ((little(), False), (tied(), True)):
        folder = save_by_function(trace, tmp_path / "t", layout=SMALL)
        assert open_trace(folder).layout.ties == ties
        assert_same(load_trace(folder), trace)
    assert_same(open_trace(folder).part([1, 2]), trace.slice(functions=[1, 2]))
    tie = pd.read_parquet(folder / "invocations" / "part-00000.parquet")["tie"]
    assert tie.tolist() == [1, 0, 3, 0]


def test_the_hash_is_of_all_that_a_simulation_sees(tmp_path):
    trace = little()
    changed = [
        replace(trace, horizon_s=9.0),
        replace(trace, duration_s=trace.duration_s + np.eye(8)[7]),
        replace(trace, arrival_s=trace.arrival_s + np.eye(8)[7]),
        replace(trace, functions=trace.functions.assign(memory_mb=64.0)),
        replace(trace, function=trace.function[[0, 1, 2, 3, 5, 4, 6, 7]]),
    ]
    hashes = [
        open_trace(save_by_function(other, tmp_path / "t", layout=SMALL)).content_hash() for other in (trace, *changed)
    ]
    assert len(set(hashes)) == len(hashes)
    again = replace(trace, about={})
    assert open_trace(save_by_function(again, tmp_path / "t", layout=SMALL)).content_hash() == hashes[0]
    assert hashes[0] == "92541b0a65744923414a0c389854bb75"


def test_it_travels(tmp_path):
    opened = open_trace(save_by_function(little(), tmp_path / "t"))
    there = pickle.loads(pickle.dumps(opened))
    assert rows(there.blocks()) == rows(opened.blocks())
    assert there.content_hash() == opened.content_hash()


def test_a_trace_without_calls(tmp_path):
    trace = Trace.from_arrays([], [], [], functions=table(2), horizon_s=3)
    folder = save_by_function(trace, tmp_path / "t")
    assert list((folder / "invocations").iterdir()) == []
    assert rows(open_trace(folder).blocks()) == []
    assert_same(load_trace(folder), trace)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [([0, 4], "row 1: there is no function 4 among 4"), ([-1], "no function -1"), ([1, 0, 1], "chosen twice"),
     (["f1"], "rows in the table"), ([[0]], "rows in the table"), ([0.5], "rows in the table")],
)  # fmt: skip
def test_functions_that_cannot_be_chosen(tmp_path, chosen, message):
    opened = open_trace(save_by_function(little(), tmp_path / "t"))
    with pytest.raises(TraceError, match=message):
        list(opened.blocks(chosen))
    with pytest.raises(TraceError, match=message):
        opened.part(chosen)


def test_blocks_have_room_for_a_call(tmp_path):
    opened = open_trace(save_by_function(little(), tmp_path / "t"))
    with pytest.raises(ConfigError, match="most must be a whole number >= 1, not 0"):
        next(opened.blocks(most=0))


def test_more_than_fits_is_refused(tmp_path):
    folder = save_by_function(little(), tmp_path / "t")
    with pytest.raises(TraceError, match=r"8 calls would need .* MB allowed: stream it with sim\.open_trace"):
        load_trace(folder, memory_limit_mb=1e-4)


# Laws


@given(traces(), layouts)
def test_what_is_loaded_is_what_was_saved(tmp_path_factory, trace, layout):
    folder = save_by_function(trace, tmp_path_factory.mktemp("trace") / "t", layout=layout)
    again = load_trace(folder)
    assert_same(again, trace)
    assert again.content_hash() == trace.content_hash()


@given(traces(), layouts, st.integers(1, 12), st.data())
def test_blocks_and_parts_are_slices(tmp_path_factory, trace, layout, most, data):
    functions = len(trace.functions)
    chosen = data.draw(st.lists(st.integers(0, functions - 1), unique=True))
    opened = open_trace(save_by_function(trace, tmp_path_factory.mktemp("trace") / "t", layout=layout))
    assert_same(opened.part(chosen), trace.slice(functions=np.array(chosen, int)))
    wanted = [row for f in chosen for row in zip(*calls_of(trace, f), strict=True)]
    found = rows(opened.blocks(chosen, most))
    assert [row for block in found for row in zip(*block, strict=True)] == wanted
    calls = trace.calls_per_function
    for function, _, _ in found:
        assert 0 < len(function) <= most
        assert len(set(function)) == 1 or all(function.count(f) == calls[f] for f in set(function))


def calls_of(trace, function):
    mine = trace.function == function
    return [[function] * int(mine.sum()), trace.arrival_s[mine].tolist(), trace.duration_s[mine].tolist()]


@given(counted(), st.integers(0, 2), st.integers(1, 50))
def test_counts_are_written_as_one_draw_of_them(tmp_path_factory, counts, replication, at_a_time):
    trace = counts.draw(replication, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "SORTED_CALLS", at_a_time)
        folder = save_by_function(trace, tmp_path_factory.mktemp("trace") / "t")
    again = load_trace(folder)
    assert_same(again, trace)
    assert not again.is_random
    assert again.about == trace.recorded().about


# Real traces


@pytest.mark.parametrize("name", ["azure2019_100f_8h", "azure2021_excerpt"])
def test_a_real_trace_comes_back(shared, tmp_path, name):
    trace = load_trace(shared / "traces" / name).recorded()
    opened = open_trace(save_by_function(trace, tmp_path / "t", layout=Layout(group_calls=1 << 14)))
    assert_same(load_trace(tmp_path / "t"), trace)
    largest_first = np.argsort(-opened.calls_per_function, kind="stable")
    assert_same(opened.part(largest_first[:7]), trace.slice(functions=largest_first[:7]))
    order = np.lexsort((np.arange(len(trace)), np.argsort(largest_first)[trace.function]))
    columns = [np.concatenate(column) for column in zip(*opened.blocks(largest_first, most=5000), strict=True)]
    for column, name_of in zip(columns, ("function", "arrival_s", "duration_s"), strict=True):
        np.testing.assert_array_equal(column, getattr(trace, name_of)[order], strict=True)


def test_the_embedded_trace_comes_back(tmp_path):
    trace = load_trace("traces/default")
    assert_same(load_trace(save_by_function(trace, tmp_path / "t")), trace)


# Memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_writing_and_streaming_take_memory_for_a_few_row_groups(tmp_path):
    code = """
import sys, numpy as np, pandas as pd, sim
from sim.workload.partition.layout import Layout
def peak_mb():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak_mb()
with sim.PartitionWriter(sys.argv[1], pd.DataFrame({"name": ["f", "g"]}), layout=Layout(1 << 16)) as writer:
    for second in range(100):
        writer.write(0, second + np.arange(100_000) / 100_000, np.full(100_000, 0.5))
    writer.write(1, [3.0], [1.0])
calls = sum(function.size for function, _, _ in sim.open_trace(sys.argv[1]).blocks(most=1 << 16))
print(calls, peak_mb() - before)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "t")], capture_output=True, text=True, check=True)
    calls, more_mb = done.stdout.split()
    assert int(calls) == 10_000_001
    assert float(more_mb) < 60  # all calls are 200 MB
