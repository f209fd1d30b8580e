"""Traces by function that are damaged, or do not go together: one error, which says where."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_partitioned import SMALL, little, rows, tied

from sim import TraceError, load_trace, open_trace, save_by_function

FIRST, SECOND = "invocations/part-00000.parquet", "invocations/part-00001.parquet"


@pytest.fixture
def folder(tmp_path):
    return save_by_function(little(), tmp_path / "t", layout=SMALL)


def change(folder, file, rows_a_group=2, **columns):
    table = pq.read_table(folder / file)
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, folder / file, row_group_size=rows_a_group)


def change_head(folder, **values):
    head = json.loads((folder / "trace.json").read_text("utf-8"))
    (folder / "trace.json").write_text(json.dumps(head | values), "utf-8")


def flip(folder, file, place):
    data = bytearray((folder / file).read_bytes())
    data[place] ^= 0x10
    (folder / file).write_bytes(bytes(data))


# file 0: function 0 0 | 1 1, arrivals 1 3.25 | 0 3.25; file 1: function 1 2 | 2 2, arrivals 5 1 | 2 8


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda f: change(f, FIRST, function=[0, 0, 0, 1]), ["part-00000", "row 2", "'function'", "not 0"]),
        (lambda f: change(f, SECOND, function=[1, 2, 2, 4]), ["part-00001", "row 3", "'function'", "not 4"]),
        (lambda f: change(f, FIRST, arrival_s=[2, 1, 0, 1]), ["part-00000", "row 1", "'arrival_s'", "earlier", "1.0"]),
        (lambda f: change(f, SECOND, arrival_s=[3, 1, 2, 8]), ["part-00001", "row 0", "'arrival_s'", "earlier", "3.0"]),
        (lambda f: change(f, SECOND, arrival_s=[5, 3, 2, 8]), ["part-00001", "row 2", "'arrival_s'", "earlier", "2.0"]),
        (lambda f: change(f, FIRST, arrival_s=[1, np.nan, 0, 3]), ["row 1", "'arrival_s'", "finite", "nan"]),
        (lambda f: change(f, FIRST, arrival_s=[np.nan, 1, 0, 3]), ["row 0", "'arrival_s'", "finite", "nan"]),
        (lambda f: change(f, SECOND, arrival_s=[5, 1, 2, np.inf]), ["row 3", "'arrival_s'", "finite", "inf"]),
        (lambda f: change(f, SECOND, arrival_s=[np.inf, 1, 2, 8]), ["row 0", "'arrival_s'", "finite", "inf"]),
        (lambda f: change(f, SECOND, arrival_s=[5, -1, 2, 8]), ["row 1", "'arrival_s'", "finite", "-1"]),
        (lambda f: change(f, SECOND, duration_s=[1, 1, np.nan, 1]), ["row 2", "'duration_s'", "finite", "nan"]),
        (lambda f: change(f, SECOND, duration_s=[1, -2, 1, 1]), ["row 1", "'duration_s'", "finite", "-2"]),
        (lambda f: change(f, SECOND, duration_s=[1, 1, 1, None]), ["row 3", "'duration_s'", "missing"]),
        (lambda f: change(f, FIRST, rows_a_group=3), ["part-00000", "row groups of [3, 1]"]),
        (lambda f: shutil.copy(f / "functions.parquet", f / FIRST), ["part-00000", "columns"]),
        (lambda f: (f / FIRST).write_text("PAR?"), ["part-00000", "not a Parquet file"]),
        (lambda f: flip(f, FIRST, 40), ["part-00000", "not a Parquet file"]),
        (lambda f: (f / SECOND).unlink(), ["part-00001", "the file is missing"]),
        (lambda f: change(f, "calls_per_function.parquet", calls=[3, 2, 3, 0]), ["row 2", "'function'", "not 1"]),
        (lambda f: change(f, "calls_per_function.parquet", calls=[2, 3, 4, 0]), ["calls_per_function", "add up to 8"]),
        (lambda f: change(f, "calls_per_function.parquet", calls=[2, 3, 4, -1]), ["calls_per_function", ">= 0"]),
        (lambda f: shutil.copy(f / FIRST, f / "calls_per_function.parquet"), ["calls_per_function", "columns"]),
        (lambda f: change(f, "functions.parquet", memory_mb=[1, -1, 1, 1]), ["functions.parquet", "row 1"]),
        (lambda f: (f / "functions.parquet").unlink(), ["functions.parquet", "missing"]),
        (lambda f: (f / "trace.json").write_text("{"), ["trace.json", "not JSON"]),
        (lambda f: change_head(f, version=2), ["trace.json", "version 2"]),
        (lambda f: change_head(f, format="other"), ["trace.json", "format"]),
        (lambda f: change_head(f, horizon_s=None), ["trace.json", "'horizon_s'", "None"]),
        (lambda f: change_head(f, calls=12), ["trace.json", "'digests'", "3"]),
        (lambda f: change_head(f, calls=7), ["calls_per_function", "add up to 7"]),
        (lambda f: change_head(f, digests=[1, 2]), ["trace.json", "'digests'"]),
        (lambda f: change_head(f, ties="no"), ["trace.json", "'ties'"]),
        (lambda f: change_head(f, ties=True), ["part-00000", "columns"]),
        (lambda f: change_head(f, group_calls=0), ["trace.json", "group_calls"]),
        (lambda f: change_head(f, group_calls=4, groups_a_file=1), ["part-00000", "row groups of [2, 2]"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(folder, spoil, parts):
    spoil(folder)
    for read in (
        load_trace,
        lambda path: list(open_trace(path).blocks()),
        lambda path: open_trace(path).part([0, 1, 2]),
    ):
        with pytest.raises(TraceError) as error:
            read(folder)
        assert all(part in str(error.value) for part in parts), error.value


def test_calls_that_were_exchanged_are_found_on_loading(folder):
    change(folder, SECOND, duration_s=[1, 1, 1, 1])
    with pytest.raises(TraceError, match=r"part-00001\.parquet: its calls are not those that were written"):
        load_trace(folder)


def test_a_table_of_another_length(folder):
    table = pq.read_table(folder / "functions.parquet")
    pq.write_table(table.slice(0, 3), folder / "functions.parquet")
    with pytest.raises(TraceError, match=r"calls_per_function\.parquet: 4 rows, but there are 3 functions"):
        open_trace(folder)


def test_only_the_files_that_are_needed_are_read(folder):
    intact = rows(open_trace(folder).blocks([0]))
    (folder / SECOND).write_text("PAR?")
    assert rows(open_trace(folder).blocks([0])) == intact
    assert len(open_trace(folder).part([0])) == 2
    with pytest.raises(TraceError, match="part-00001"):
        open_trace(folder).part([1])


def test_what_is_no_trace_by_function(tmp_path):
    with pytest.raises(TraceError, match=r"is not a trace by function .*--by-function makes one"):
        open_trace(tmp_path)
    little().save(tmp_path / "canonical")
    with pytest.raises(TraceError, match=r"trace\.json: its format is not 'keepwarm-trace-by-function'"):
        open_trace(tmp_path / "canonical")


def test_lenient_leaves_out_calls_that_cannot_be_used(folder):
    change(folder, FIRST, function=[0, 9, 1, 1], duration_s=[0, 1, -1, 3])
    change(folder, SECOND, arrival_s=[3, 1, 2, 8])
    trace = load_trace(folder, lenient=True)
    assert trace.function.tolist() == [0, 2, 2, 1, 2]
    assert trace.arrival_s.tolist() == [1.0, 1.0, 2.0, 3.25, 8.0]
    assert trace.about["report"]["rows_dropped"] == 3
    assert "3 rows of its files dropped" in repr(trace)


def test_flipped_bits_are_found(tmp_path):
    intact = load_trace(save_by_function(tied(), tmp_path / "t", layout=SMALL)).content_hash()
    file, refused = tmp_path / "t" / FIRST, 0
    data = file.read_bytes()
    places = range(0, len(data), 29)
    for place in places:
        flip(tmp_path / "t", FIRST, place)
        try:
            assert load_trace(tmp_path / "t").content_hash() == intact
        except TraceError:
            refused += 1
        file.write_bytes(data)
    assert refused > len(places) / 2
