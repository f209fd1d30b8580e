"""Formats csv and parquet."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim import Trace, TraceError, load_trace

CALLS = "function,arrival_s,duration_s,memory_mb\nf,2,0.5,128\ng,0.5,1,256\nf,3,0,128\n"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "calls.csv").write_text(CALLS)
    return tmp_path / "calls.csv"


def write(file, **columns):
    pd.DataFrame(columns).to_csv(file, index=False)


def summary(trace: Trace):
    names = trace.functions["name"].to_numpy()[trace.function]
    return list(zip(names, trace.arrival_s.tolist(), trace.duration_s.tolist(), strict=True))


def test_our_own_names(file):
    trace = load_trace(file)
    assert trace.about["format"] == "csv"
    assert summary(trace) == [("g", 0.5, 1.0), ("f", 2.0, 0.5), ("f", 3.0, 0.0)]
    assert trace.functions["memory_mb"].tolist() == [128.0, 256.0]
    assert trace.functions["app"].tolist() == ["f", "g"]
    assert trace.horizon_s == 3.0
    assert load_trace(file, horizon_s=60).horizon_s == 60.0
    assert load_trace(str(file), format="csv").content_hash() == trace.content_hash()


def test_a_round_trip_through_parquet(file, tmp_path):
    pd.read_csv(file).to_parquet(tmp_path / "calls.parquet")
    trace = load_trace(tmp_path / "calls.parquet")
    assert trace.about["format"] == "parquet"
    assert trace.content_hash() == load_trace(file).content_hash()


def test_names_and_units(file):
    write(
        file, fn=["f", "g"], start=[1500, 250], took=[2, 4], App=["a", "a"], who=["o", "p"], kind=["queue", "timer"],
        lang=["go1.x", "java21"], zip=[3.5, 0], how=["zip", "IMAGE"], limit=[30, 900], par=[1, 8], vpc=["True", "0"],
        cores=[0.25, 2],
    )  # fmt: skip
    columns = {
        "function": "fn", "arrival_s": "start", "duration_s": "took", "app": "App", "owner": "who", "trigger": "kind",
        "runtime": "lang", "package_mb": "zip", "package_kind": "how", "timeout_s": "limit", "concurrency": "par",
        "vpc": "vpc", "cpu_share": "cores",
    }  # fmt: skip
    trace = load_trace(file, "csv", columns=columns, time_unit="ms", duration_unit="s")
    assert summary(trace) == [("g", 0.25, 4.0), ("f", 1.5, 2.0)]
    g, f = trace.functions.loc[1].tolist(), trace.functions.loc[0].tolist()
    assert g == ["g", "a", "p", "timer", "java21", 128.0, 0.0, "image", 900.0, 8, False, 2.0]
    assert f == ["f", "a", "o", "queue", "go1.x", 128.0, 3.5, "zip", 30.0, 1, True, 0.25]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"arrival_s": "start", "duration_s": "took"}, [("f", 1.0, 0.5), ("f", 2.0, 3.0)]),
        ({"arrival_s": "start", "end_s": "stop"}, [("f", 1.0, 1.0), ("f", 2.0, 4.0)]),
        ({"duration_s": "took", "end_s": "stop"}, [("f", 1.5, 0.5), ("f", 3.0, 3.0)]),
    ],
)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_two_of_three_times(file, columns, expected, unit):
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = {"start": [1, 2], "stop": [2, 6], "took": [0.5, 3]}
    write(
        file, fn=["f", "f"], **{name: [int(t * factor) if factor > 1 else t for t in ts] for name, ts in times.items()}
    )
    assert summary(load_trace(file, "csv", columns={"function": "fn", **columns}, time_unit=unit)) == expected


AGREE = [
    ({}, [1.0, 2.5], [0.5, 3.0], [1.5, 5.5]),
    ({}, [1.0, 2.0], [0.6, 0.0], [2.0, 3.0]),  # rounded to whole seconds, but for the duration
    ({"time_unit": "ms"}, [1000, 2000], [5, 7], [1006, 2006]),
    ({"duration_unit": "ms"}, [10, 20], [900, 0], [10, 21]),
    ({"time_unit": "ms", "duration_unit": "s"}, [0, 0], [2, 2], [1000, 3000]),
    ({"time_unit": "ns", "origin": "first"}, [10**18, 10**18 + 9], [7, 5], [10**18 + 7, 10**18 + 14]),
]
DISAGREE = [
    ({}, [1.0, 2.5], [0.5, 3.0], [1.5, 6.75], "1 s", 6.75),
    ({}, [1.0, 2.5], [0.5, 3.0], [1.5, 4.25], "1 s", 4.25),
    ({}, [0.0, 1.0], [0.5, 120.0], [0.5, 1.12], "1 s", 1.12),  # a duration in ms
    ({"time_unit": "ms"}, [1000, 2000], [5, 7], [1006, 2009], "0.001 s", 2009.0),
    ({"duration_unit": "ms"}, [10, 20], [900, 0], [10, 22], "1 s", 22.0),
    ({"time_unit": "us"}, [0, 0], [7, 7], [7, 1008], "0.001 s", 1008.0),
    ({"time_unit": "ns", "origin": "first"}, [10**18, 10**18], [7, 5], [10**18, 10**18 + 1_000_006], "0.001 s",
     10**18 + 1_000_006),
]  # fmt: skip


@pytest.mark.parametrize(("options", "start", "took", "end"), AGREE)
def test_an_end_that_agrees_changes_nothing(file, options, start, took, end):
    write(file, function=["f", "f"], arrival_s=start, duration_s=took)
    two = load_trace(file, **options)
    write(file, function=["f", "f"], arrival_s=start, duration_s=took, end_s=end)
    assert load_trace(file, **options).content_hash() == two.content_hash()


@pytest.mark.parametrize(("options", "start", "took", "end", "resolution", "value"), DISAGREE)
def test_an_end_that_disagrees_is_a_bad_row(file, options, start, took, end, resolution, value):
    write(file, function=["f", "f"], arrival_s=start, duration_s=took, end_s=end)
    with pytest.raises(TraceError) as error:
        load_trace(file, **options)
    for part in ("row 2", "'end_s'", f"arrival plus the duration, to within {resolution} ", f"not {value!r} (line 3)"):
        assert part in str(error.value)
    trace = load_trace(file, lenient=True, **options)
    assert (len(trace), trace.about["report"]["rows_dropped"]) == (1, 1)
    alone = {name: name for name in ("function", "arrival_s", "duration_s")}
    assert len(load_trace(file, columns=alone, **options)) == 2


def test_ends_of_parquet_are_checked_too(tmp_path):
    start = pd.to_datetime(["2024-06-01T12:00:00", "2024-06-01T12:00:01"])
    took = pd.to_timedelta([0.25, 2.0], unit="s")
    calls = pd.DataFrame({"function": ["f", "f"], "arrival_s": start, "duration_s": took, "end_s": start + took})
    calls.to_parquet(tmp_path / "t.parquet")
    assert load_trace(tmp_path / "t.parquet").duration_s.tolist() == [0.25, 2.0]
    calls["end_s"] += pd.to_timedelta([0, 2], unit="ms")
    calls.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TraceError, match=r"row 2, column 'end_s': must be the arrival plus the duration"):
        load_trace(tmp_path / "t.parquet")
    calls.assign(end_s=[1.0, 2.0]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TraceError, match="another unit"):
        load_trace(tmp_path / "t.parquet")


@pytest.mark.parametrize(("horizon_s", "after"), [(None, 0), (3.0, 0), (2.5, 1), (0.5, 2), (0.0, 3)])
def test_calls_after_the_horizon_are_reported(file, horizon_s, after):
    trace = load_trace(file, horizon_s=horizon_s)
    assert len(trace) == 3
    assert trace.calls_after_horizon == trace.about["report"]["calls_after_horizon"] == after


def test_nanoseconds_since_1970_are_exact(file):
    start = 1_700_000_000_123_456_789
    write(file, function=["f", "f"], arrival_s=[start + 1, start], duration_s=[1, 3])
    assert summary(load_trace(file, time_unit="ns", origin="first")) == [("f", 0.0, 3e-9), ("f", 1e-9, 1e-9)]
    assert load_trace(file, time_unit="ns", origin=start - 5).arrival_s.tolist() == [5e-9, 6e-9]


def test_origins(file):
    assert load_trace(file, origin="first").arrival_s.tolist() == [0.0, 1.5, 2.5]
    assert load_trace(file, origin=0.25).arrival_s.tolist() == [0.25, 1.75, 2.75]
    assert load_trace(file, origin=-1).arrival_s.tolist() == [1.5, 3.0, 4.0]
    with pytest.raises(TraceError, match=r"row 2, column 'arrival_s'.*origin.*0\.5"):
        load_trace(file, origin=1)
    trace = load_trace(file, origin=1, lenient=True)
    assert summary(trace) == [("f", 1.0, 0.5), ("f", 2.0, 0.0)]
    assert trace.functions["name"].tolist() == ["f"]
    assert trace.about["report"]["rows_dropped"] == 1


def test_times_since_1970_need_an_origin(file):
    write(file, function=["f"], arrival_s=[1_700_000_000], duration_s=[1])
    with pytest.raises(TraceError, match="origin='first'"):
        load_trace(file)
    assert load_trace(file, origin="first").arrival_s.tolist() == [0.0]
    assert load_trace(file, origin=1_699_999_990).arrival_s.tolist() == [10.0]


def test_an_arrival_just_before_the_origin_by_rounding_is_at_it(file):
    write(file, function=["f", "f"], end_s=[0.5, 2], duration_s=[0.5004, 1])
    trace = load_trace(file)
    assert trace.arrival_s.tolist() == [0.0, 1.0]
    assert trace.about["report"]["arrivals_rounded_to_zero"] == 1
    write(file, function=["f", "f"], end_s=[0.5, 2], duration_s=[0.502, 1])
    with pytest.raises(TraceError, match="row 1, column 'end_s'"):
        load_trace(file)


def test_an_end_before_its_arrival(file):
    write(file, function=["f", "f"], arrival_s=[1, 2], end_s=[1, 1.5])
    with pytest.raises(TraceError, match=r"row 2, column 'end_s'.*before the arrival, not 1\.5"):
        load_trace(file)
    assert load_trace(file, lenient=True).duration_s.tolist() == [0.0]


def test_functions_are_known_by_owner_app_and_name(file):
    write(
        file, function=["f"] * 4, app=["a", "a", "b", "b"], owner=["x", "y", "x", "x"], arrival_s=range(4), duration_s=1
    )
    trace = load_trace(file)
    assert trace.functions[["owner", "app"]].to_numpy().tolist() == [["x", "a"], ["y", "a"], ["x", "b"]]
    assert trace.function.tolist() == [0, 1, 2, 2]


def test_rows_that_contradict_each_other(file):
    write(file, function=["f", "g", "f", "f"], arrival_s=range(4), duration_s=1, memory_mb=[128, 64, 256, 512])
    with pytest.raises(TraceError, match=r"row 3, column 'memory_mb': is 256\.0, but was 128\.0"):
        load_trace(file)
    trace = load_trace(file, lenient=True)
    assert trace.functions["memory_mb"].tolist() == [512.0, 64.0]
    assert trace.about["report"]["functions_contradicted"] == 1
    assert trace.about["report"]["rows_dropped"] == 0


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_a_second_table(file, tmp_path, form):
    write(file, function=["f", "g"], app=["a", "a"], arrival_s=[0, 1], duration_s=1, memory_mb=[1, 2])
    frame = pd.DataFrame({"name": ["g", "f", "h"], "app": "a", "memory_mb": [64, 128, 32], "vpc": [True, False, False]})
    beside = tmp_path / f"functions.{form}"
    if form == "parquet":
        frame.to_parquet(beside)
    else:
        text = frame.to_csv(index=False).encode()
        beside.write_bytes(gzip.compress(text) if form == "csv.gz" else text)
    trace = load_trace(file, functions=beside.name)
    assert trace.functions["name"].tolist() == ["g", "f", "h"]
    assert trace.functions["memory_mb"].tolist() == [64.0, 128.0, 32.0]
    assert trace.functions["vpc"].tolist() == [True, False, False]
    assert trace.function.tolist() == [1, 0]
    assert trace.about["report"]["functions_never_called"] == 1


def test_a_second_table_with_names_of_its_own(file, tmp_path):
    (tmp_path / "f.csv").write_text("id,mb,application\nf,64,shop\ng,32,shop\n")
    columns = {"function": "id", "memory_mb": "mb", "app": "application"}
    trace = load_trace(file, functions="f.csv", function_columns=columns)
    assert trace.functions["memory_mb"].tolist() == [64.0, 32.0]
    assert trace.functions["app"].tolist() == ["shop", "shop"]


@pytest.mark.parametrize(
    ("beside", "parts"),
    [
        ("name\ng\n", ["row 1", "'function'", "f.csv", "'f'"]),
        ("name\ng\ng\nf\n", ["f.csv", "row 2", "'name'", "twice"]),
        ("name,memory_mb\nf,0\ng,1\n", ["f.csv", "row 1", "'memory_mb'"]),
        ("name,vpc\nf,maybe\ng,true\n", ["f.csv", "row 1", "'vpc'", "'maybe'"]),
        ("name,concurrency\nf,0\ng,1\n", ["f.csv", "row 1", "'concurrency'", "1 or more"]),
        ("name,package_kind\nf,rpm\ng,zip\n", ["f.csv", "row 1", "'package_kind'", "'rpm'"]),
        ("memory_mb\n1\n", ["f.csv", "which column is the function"]),
        ("", ["f.csv", "empty"]),
    ],
)
def test_what_is_wrong_with_the_second_table(file, tmp_path, beside, parts):
    (tmp_path / "f.csv").write_text(beside)
    with pytest.raises(TraceError) as error:
        load_trace(file, functions="f.csv")
    assert all(part in str(error.value) for part in parts), error.value


def test_calls_of_functions_that_the_second_table_has_not(file, tmp_path):
    (tmp_path / "f.csv").write_text("name\ng\n")
    trace = load_trace(file, functions="f.csv", lenient=True)
    assert summary(trace) == [("g", 0.5, 1.0)]
    assert trace.about["report"]["rows_dropped"] == 2


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"columns": {"function": "fn"}}, ["'fn'", "missing", "'arrival_s'"]),
        ({"columns": {"fn": "function"}}, ["no 'fn'", "'duration_s'"]),
        ({"columns": {"arrival_s": "arrival_s", "duration_s": "duration_s"}}, ["which column is the function"]),
        ({"columns": {"function": "function", "end_s": "arrival_s"}}, ["two of", "['end_s']"]),
        ({"columns": {"function": 3}}, ["columns.function", "text", "3"]),
        ({"columns": ["function"]}, ["columns", "a mapping"]),
        (
            {"columns": {"function": "function", "arrival_s": "function", "duration_s": "duration_s"}},
            ["'function'", "both"],
        ),
        ({"time_unit": "min"}, ["unit", "'min'", "'ms'"]),
        ({"duration_unit": "h"}, ["unit", "'h'"]),
        ({"origin": "start"}, ["origin", "'start'", "'first'"]),
        ({"origin": float("nan")}, ["origin", "nan"]),
        ({"origin": 1e300}, ["origin"]),
        ({"horizon_s": -1.0}, ["horizon_s"]),
        ({"horizon_s": "day"}, ["horizon_s", "'day'"]),
        ({"delimiter": ";"}, ["function"]),
        ({"delimiter": ";;"}, ["delimiter"]),
        ({"delimiter": '"'}, ["delimiter"]),
        ({"functions": "none.csv"}, ["none.csv", "No such file"]),
        ({"function_columns": {"function": "id"}}, ["function_columns"]),
        ({"lenient": "no"}, ["lenient", "true or false"]),
    ],
)
def test_impossible_options_are_named(file, options, parts):
    with pytest.raises(TraceError) as error:
        load_trace(file, "csv", **options)
    assert all(part in str(error.value) for part in parts), error.value


def test_timestamps(tmp_path):
    moments = pd.to_datetime(["2024-05-01 00:00:01.000000001", "2024-05-01 00:00:00.5"], format="ISO8601")
    frame = pd.DataFrame(
        {"function": ["f", "g"], "arrival_s": moments, "duration_s": pd.to_timedelta([100, 250], "ms")}
    )
    file = tmp_path / "t.parquet"
    frame.to_parquet(file)
    trace = load_trace(file)
    assert summary(trace) == [("g", 0.0, 0.25), ("f", 0.500000001, 0.1)]
    assert load_trace(file, origin="2024-05-01").arrival_s.tolist() == [0.5, 1.000000001]
    assert load_trace(file, origin="2024-05-01T01:00:00+01:00").arrival_s.tolist() == [0.5, 1.000000001]
    frame.assign(arrival_s=moments.tz_localize("Europe/Berlin")).to_parquet(file)
    assert load_trace(file, origin="2024-04-30T22:00").arrival_s.tolist() == [0.5, 1.000000001]
    for origin in (5, "noon o'clock"):
        with pytest.raises(TraceError, match="origin must be a time"):
            load_trace(file, origin=origin)
    frame.assign(end_s=[2.0, 3.0])[["function", "arrival_s", "end_s"]].to_parquet(file)
    with pytest.raises(TraceError, match="'end_s': has another unit"):
        load_trace(file)


def test_types_of_parquet(tmp_path):
    file = tmp_path / "t.parquet"
    expected = [("7", 0.5, 1.0), ("8", 1.0, 2.0)]
    for function in (
        pa.array([7, 8]),
        pa.array(["7", "8"]).dictionary_encode(),
        pa.array(["7", "8"], pa.large_string()),
    ):
        for times in (pa.float32(), pa.float64(), pa.decimal128(9, 2)):
            columns = [function, pa.array([0.5, 1.0]).cast(times), pa.array([1, 2], pa.uint8())]
            pq.write_table(pa.table(columns, ["function", "arrival_s", "duration_s"]), file)
            assert summary(load_trace(file)) == expected


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"function": ["f", None]}, ["row 2", "'function'"]),
        ({"function": ["f", ""]}, ["row 2", "'function'", "''"]),
        ({"function": ["f", "a\nb"]}, ["row 2", "'function'", "control"]),
        ({"arrival_s": [0.0, np.nan]}, ["row 2", "'arrival_s'", "nan"]),
        ({"arrival_s": [0.0, np.inf]}, ["row 2", "'arrival_s'", "inf"]),
        ({"arrival_s": pa.array([1, None])}, ["row 2", "'arrival_s'"]),
        ({"arrival_s": [0, -1]}, ["row 2", "'arrival_s'", "-1"]),
        ({"arrival_s": pa.array([0, 2**64 - 1], pa.uint64())}, ["'arrival_s'"]),
        ({"arrival_s": ["0", "1"]}, ["'arrival_s'", "string", "numbers or timestamps"]),
        ({"duration_s": [1.0, -0.5]}, ["row 2", "'duration_s'", "-0.5"]),
        ({"function": pa.array([["f"], ["g"]])}, ["'function'", "list"]),
        ({"memory_mb": ["128", "x"]}, ["'memory_mb'"]),
    ],
)
def test_what_is_wrong_in_parquet(tmp_path, columns, parts):
    given = {"function": ["f", "g"], "arrival_s": [0.0, 1.0], "duration_s": [1.0, 1.0], **columns}
    pq.write_table(pa.table(given), tmp_path / "t.parquet")
    with pytest.raises(TraceError) as error:
        load_trace(tmp_path / "t.parquet")
    assert all(part in str(error.value) for part in ["t.parquet", *parts]), error.value


def test_parquet_that_is_none(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(TraceError, match="not a Parquet file that can be read"):
        load_trace(tmp_path / "t.parquet", format="parquet")
    pq.write_table(
        pa.table({"function": ["f"], "arrival_s": [1], "duration_s": [1]}).slice(0, 0), tmp_path / "t.parquet"
    )
    with pytest.raises(TraceError, match="no rows"):
        load_trace(tmp_path / "t.parquet")
    given = pa.table([["f"], [1], [1], ["g"]], ["function", "arrival_s", "duration_s", "function"])
    pq.write_table(given, tmp_path / "t.parquet")
    with pytest.raises(TraceError, match="'function': the column is there twice"):
        load_trace(tmp_path / "t.parquet")


def test_lenient_parquet(tmp_path):
    frame = pd.DataFrame({"function": ["f", None, "g", "h"], "arrival_s": [0.0, 1.0, np.nan, 3.0], "duration_s": 1.0})
    frame.to_parquet(tmp_path / "t.parquet")
    trace = load_trace(tmp_path / "t.parquet", lenient=True)
    assert summary(trace) == [("f", 0.0, 1.0), ("h", 3.0, 1.0)]
    assert trace.about["report"]["rows_dropped"] == 2
    assert "row 2, column 'function'" in trace.about["report"]["first_dropped"]


def test_many_blocks(file, monkeypatch):
    monkeypatch.setattr("sim.workload.readers.csv_lines.BLOCK_BYTES", 256)
    random = np.random.default_rng(0)
    calls = pd.DataFrame({
        "function": random.integers(0, 9, 2000).astype(str), "arrival_s": random.random(2000), "duration_s": 1.0,
    })  # fmt: skip
    calls["memory_mb"] = calls["function"].astype(float) + 1
    calls.to_csv(file, index=False)
    trace = load_trace(file)
    expected = calls.sort_values("arrival_s", kind="stable")
    assert trace.arrival_s.tolist() == expected["arrival_s"].tolist()
    assert trace.functions["name"].to_numpy()[trace.function].tolist() == expected["function"].tolist()
    assert trace.functions["memory_mb"].tolist() == [float(name) + 1 for name in trace.functions["name"]]
