"""Tables of calls that become traces by function without being in memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_partitioned import SMALL, assert_same, layouts
from test_partitioned_writer import contents

from sim import TraceError, load_trace, open_trace, save_by_function
from sim.workload.partition import saving, spool
from sim.workload.partition.conversion import convert_by_function


def table(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["function", "arrival_s", "duration_s"])
    return frame.astype({"function": int, "arrival_s": float, "duration_s": float})


def log(folder: Path, frame: pd.DataFrame) -> Path:
    frame.assign(function=frame["function"].map("f{}".format)).to_csv(folder / "calls.csv", index=False)
    return folder / "calls.csv"


calls = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 99)), min_size=1, max_size=60)


def small_steps(patch, chunk, at_a_time):
    patch.setattr(spool, "CHUNK_CALLS", chunk)
    patch.setattr(saving, "SORTED_CALLS", at_a_time)


@given(calls, layouts, st.integers(1, 20), st.integers(2, 20))
def test_a_log_in_order_gives_the_bytes_of_the_trace(tmp_path_factory, rows, layout, chunk, at_a_time):
    folder = tmp_path_factory.mktemp("log")
    source = log(folder, table(sorted(rows, key=lambda row: row[1])))
    saved = save_by_function(load_trace(source), folder / "saved", layout=layout)
    with pytest.MonkeyPatch.context() as patch:
        small_steps(patch, chunk, at_a_time)
        converted = convert_by_function(source, folder / "converted", layout=layout)
    assert contents(folder / "converted") == contents(saved)
    assert converted.about == load_trace(source).about
    assert sorted(path.name for path in folder.iterdir()) == ["calls.csv", "converted", "saved"]


@given(calls, st.integers(1, 20), st.integers(2, 20))
def test_a_log_in_no_order_has_ties_by_function(tmp_path_factory, rows, chunk, at_a_time):
    folder = tmp_path_factory.mktemp("log")
    source = log(folder, table(rows))
    with pytest.MonkeyPatch.context() as patch:
        small_steps(patch, chunk, at_a_time)
        convert_by_function(source, folder / "converted", layout=SMALL)
    wanted, found = load_trace(source), load_trace(folder / "converted")
    if not pd.Series(wanted.arrival_s).is_monotonic_increasing or list(rows) != sorted(rows, key=lambda row: row[1]):
        order = np.lexsort((wanted.function, wanted.arrival_s))
        assert found.function.tolist() == wanted.function[order].tolist()
        assert found.arrival_s.tolist() == wanted.arrival_s[order].tolist()
        assert found.duration_s.tolist() == wanted.duration_s[order].tolist()
    else:
        assert_same(found, wanted)


def test_units_and_origins_are_as_on_loading(tmp_path):
    frame = table([(1, 1_700_000_000_250, 20), (0, 1_700_000_000_000, 10), (1, 1_700_000_001_000, 30)])
    options = {"time_unit": "ms", "origin": "first", "horizon_s": 0.5}
    for name, source in (("csv", log(tmp_path, frame)), ("parquet", tmp_path / "calls.parquet")):
        if name == "parquet":
            frame.assign(function=frame["function"].map("f{}".format)).to_parquet(source, index=False)
        converted = convert_by_function(source, tmp_path / name, **options)
        trace = load_trace(source, **options)
        assert_same(load_trace(tmp_path / name), trace)
        assert converted.about == trace.about
        assert converted.about["report"]["calls_after_horizon"] == 1
        assert converted.functions["name"].tolist() == ["f1", "f0"]


def test_other_formats_are_loaded(tmp_path):
    trace = load_trace(log(tmp_path, table([(0, 1, 2), (1, 1, 3)])))
    converted = convert_by_function(trace.save(tmp_path / "canonical"), tmp_path / "converted")
    assert converted.part([0, 1]).content_hash() == trace.content_hash()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("function,arrival_s,duration_s\nf,0,1\nf,1,much\n", {}, "row 2, column 'duration_s'"),
        ("function,arrival_s,duration_s\nf,0,1\n", {"speed": 3}, r"no options \['speed'\]"),
        ("function,arrival_s,duration_s\nf,0,1\n", {"delimiter": "ab"}, "delimiter must be one character"),
        ("function,arrival_s,duration_s\nf,0,1\n", {"horizon_s": -1.0}, "horizon_s must be"),
    ],
)
def test_what_cannot_be_converted_leaves_nothing(tmp_path, text, options, message):
    (tmp_path / "calls.csv").write_text(text)
    with pytest.raises(TraceError, match=message):
        convert_by_function(tmp_path / "calls.csv", tmp_path / "out", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["calls.csv"]


def test_what_is_in_the_way_is_found_before_anything_is_read(tmp_path):
    source = log(tmp_path, table([(0, 1, 2)]))
    source.write_text(source.read_text() + "f0,2,much\n")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(TraceError, match="a file is in the way"):
        convert_by_function(source, tmp_path / "out")


def test_a_real_log(shared, tmp_path):
    trace = load_trace(shared / "traces" / "azure2021_excerpt")
    names = trace.functions["name"].to_numpy()[trace.function]
    frame = {"function": names, "arrival_s": trace.arrival_s, "duration_s": trace.duration_s}
    pd.DataFrame(frame).to_parquet(tmp_path / "calls.parquet", index=False)
    convert_by_function(tmp_path / "calls.parquet", tmp_path / "out", layout=SMALL)
    assert_same(load_trace(tmp_path / "out"), load_trace(tmp_path / "calls.parquet"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_a_log_of_one_function_takes_memory_for_some_of_its_calls(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"function": "f", "arrival_s": rng.uniform(0, 9, 4_000_000).round(3), "duration_s": 0.5})
    frame.to_parquet(tmp_path / "calls.parquet", index=False)
    code = """
import sys
from sim.workload.partition import conversion, layout, saving, spool
def peak_mb():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak_mb()
spool.CHUNK_CALLS, saving.SORTED_CALLS = 1 << 16, 1 << 17
conversion.convert_by_function(*sys.argv[1:], layout=layout.Layout(1 << 16))
print(peak_mb() - before)
"""
    words = [str(tmp_path / "calls.parquet"), str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100  # all calls are 96 MB with their ties, and twice that while they are sorted
    arrival_s = np.concatenate([arrival for _, arrival, _ in open_trace(tmp_path / "out").blocks()])
    np.testing.assert_array_equal(arrival_s, np.sort(frame["arrival_s"].to_numpy()))
