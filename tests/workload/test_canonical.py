import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import Trace, TraceError, load_trace
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import DurationStatistics

times = st.floats(0, 1e9, allow_nan=False)


def small() -> Trace:
    table = pd.DataFrame({"name": ["ä", "b"], "owner": "o", "timeout_s": [np.inf, 3.0], "vpc": [True, False]})
    return Trace.from_arrays([1, 0, 1], [0.5, 1.25, 1.25], [0.1, 0.0, 1 / 3], functions=table, horizon_s=60)


def counted() -> Trace:
    table = small().functions
    statistics = DurationStatistics(np.array([0.5, 2.0]), np.linspace([0.1, 1.0], [0.9, 9.0], 7).T.copy())
    cells = np.array([0, 1, 0], np.int32), np.array([0, 0, 2], np.int32), np.array([3, 1, 2])
    return CountSource(*cells, table, statistics, ((480, 2), (1440, 1)), Recipe("poisson", "lognormal", 3)).draw(0, {})


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@given(st.lists(st.tuples(st.integers(0, 1), times, times), max_size=20), times)
def test_round_trip(tmp_path_factory, rows, horizon):
    function, arrival, duration = zip(*rows, strict=True) if rows else ((), (), ())
    trace = Trace.from_arrays(
        np.array(function, int), arrival, duration, functions=small().functions, horizon_s=horizon
    )
    folder = tmp_path_factory.mktemp("trace") / "saved"
    again = load_trace(trace.save(folder))
    assert again.content_hash() == trace.content_hash()
    pd.testing.assert_frame_equal(again.functions, trace.functions)
    assert again.counts is None


def test_a_column_that_came_later_is_stored_and_hashed_where_it_says_something(tmp_path):
    plain = small()
    shared = replace(plain, functions=plain.functions.assign(cpu_share=[1.0, 0.5]))
    for trace in (plain, shared):
        back = load_trace(trace.save(tmp_path / "t"))
        assert back.functions.equals(trace.functions)
        assert back.content_hash() == trace.content_hash()
        assert ("cpu_share" in pq.read_schema(tmp_path / "t" / "functions.parquet").names) == (trace is shared)
    assert plain.content_hash() != shared.content_hash()


def test_counts_survive_and_draw_the_same(tmp_path):
    trace = counted()
    again = load_trace(trace.save(tmp_path / "t"))
    assert again.counts.recipe == trace.counts.recipe
    assert again.counts.spans == trace.counts.spans
    assert again.is_random
    for replication in (0, 1):
        assert again.draw(replication).content_hash() == trace.draw(replication).content_hash()


def test_about_survives(tmp_path):
    trace = replace(small(), about={"format": "csv", "report": {"ö": [1, 2.5, None]}})
    assert load_trace(trace.save(tmp_path / "t")).about == trace.about


@pytest.mark.parametrize("trace", [small(), counted()])
def test_the_same_trace_gives_the_same_bytes(tmp_path, trace):
    one, two = trace.save(tmp_path / "one"), load_trace(tmp_path / "one").save(tmp_path / "new" / "two")
    assert contents(one) == contents(two)


def test_a_grid_of_milliseconds_is_small(tmp_path):
    random = np.random.default_rng(0)
    arrival, duration = np.rint(random.random(100_000) * 2e7) / 1000, np.rint(random.lognormal(5, 1, 100_000)) / 1000
    folder = Trace.from_arrays(random.integers(0, 50, 100_000), arrival, duration).save(tmp_path / "t")
    assert sum(len(data) for data in contents(folder).values()) < 700_000


def test_a_trace_is_replaced_and_nothing_is_left_over(tmp_path):
    counted().save(tmp_path / "t")
    small().save(tmp_path / "t")
    assert sorted(contents(tmp_path / "t")) == ["functions.parquet", "invocations.parquet", "trace.json"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


def test_a_failed_save_leaves_the_old_trace(tmp_path):
    before = contents(small().save(tmp_path / "t"))
    with pytest.raises(TraceError, match="JSON"):
        replace(small(), about={"what": object()}).save(tmp_path / "t")
    assert contents(tmp_path / "t") == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]


def test_nothing_else_is_overwritten(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    with pytest.raises(TraceError, match="in the way"):
        small().save(tmp_path / "file")
    with pytest.raises(TraceError, match="not a trace"):
        small().save(tmp_path / "folder")
    small().save(tmp_path / "t")
    (tmp_path / "t" / "notes.md").write_text("mine")
    with pytest.raises(TraceError, match=r"notes\.md"):
        small().save(tmp_path / "t")


def test_an_empty_folder_is_filled(tmp_path):
    assert len(load_trace(small().save(tmp_path))) == 3


def change(folder, file, **columns):
    table = pq.read_table(folder / file)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, folder / file)


def change_head(folder, **values):
    head = json.loads((folder / "trace.json").read_text("utf-8"))
    (folder / "trace.json").write_text(json.dumps(head | values), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda f: change(f, "invocations.parquet", function=[1, 2, 0]), ["invocations", "row 1", "'function'", "2"]),
        (lambda f: change(f, "invocations.parquet", arrival_s=[0, 2, 1]), ["invocations", "row 2", "'arrival_s'"]),
        (lambda f: change(f, "invocations.parquet", arrival_s=[0, 1, np.inf]), ["row 2", "'arrival_s'", "inf"]),
        (lambda f: change(f, "invocations.parquet", duration_s=[0, None, 1]), ["row 1", "'duration_s'", "missing"]),
        (lambda f: change(f, "invocations.parquet", duration_s=[0, 1, -1]), ["row 2", "'duration_s'", "-1"]),
        (lambda f: change(f, "functions.parquet", memory_mb=[1, -1]), ["functions.parquet", "row 1", "'memory_mb'"]),
        (lambda f: shutil.copy(f / "functions.parquet", f / "invocations.parquet"), ["invocations", "columns"]),
        (lambda f: (f / "invocations.parquet").write_text("PAR?"), ["invocations.parquet", "not a Parquet file"]),
        (lambda f: (f / "invocations.parquet").unlink(), ["invocations.parquet", "missing"]),
        (lambda f: (f / "trace.json").write_text("{"), ["trace.json", "not JSON"]),
        (lambda f: change_head(f, version=99), ["trace.json", "version 99"]),
        (lambda f: change_head(f, format="other"), ["trace.json", "format"]),
        (lambda f: change_head(f, horizon_s=-1), ["trace.json", "'horizon_s'", "-1"]),
        (lambda f: change_head(f, calls=2), ["invocations.parquet", "3 calls"]),
        (lambda f: change_head(f, recipe={"arrivals": "never"}), ["counts.parquet", "missing"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, spoil, parts):
    folder = small().save(tmp_path / "t")
    spoil(folder)
    with pytest.raises(TraceError) as error:
        load_trace(folder)
    assert all(part in str(error.value) for part in parts), error.value


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda f: change(f, "counts.parquet", minute=[0, 0, 3]), ["counts.parquet", "row 2"]),
        (lambda f: change(f, "counts.parquet", count=[3, 0, 2]), ["counts.parquet", "row 1"]),
        (lambda f: change(f, "counts.parquet", function=[1, 0, 0]), ["counts.parquet", "row 1", "ascend"]),
        (lambda f: change(f, "durations.parquet", average_s=[1, np.nan]), ["durations", "row 1", "'average_s'"]),
        (lambda f: change(f, "durations.parquet", p25_s=[0, 0]), ["durations", "row 0", "not fall"]),
        (lambda f: change_head(f, recipe={"arrivals": "never"}), ["trace.json", "never"]),
        (lambda f: change_head(f, spans=[[1, 2, 3]]), ["trace.json", "spans"]),
    ],
)
def test_what_is_wrong_with_counts_is_named(tmp_path, spoil, parts):
    folder = counted().save(tmp_path / "t")
    spoil(folder)
    with pytest.raises(TraceError) as error:
        load_trace(folder)
    assert all(part in str(error.value) for part in parts), error.value


def test_lenient_leaves_out_calls_that_cannot_be_used(tmp_path):
    folder = small().save(tmp_path / "t")
    change(folder, "invocations.parquet", function=[1, 2, 0], arrival_s=[3.0, 9.0, 2.0])
    trace = load_trace(folder, lenient=True)
    assert trace.function.tolist() == [1]
    assert trace.about["report"]["rows_dropped"] == 2
    assert "2 rows of its files dropped" in repr(trace)


def test_text_that_is_not_utf8(tmp_path):
    folder = small().save(tmp_path / "t")
    table = pq.read_table(folder / "functions.parquet")
    bad = pa.array([b"\xff", b"b"], pa.binary()).view(pa.string())
    pq.write_table(table.set_column(0, "name", bad), folder / "functions.parquet")
    with pytest.raises(TraceError, match=r"functions\.parquet.*UTF8"):
        load_trace(folder)
