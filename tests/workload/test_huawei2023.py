import gzip
import lzma

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim import TraceError, load_trace
from sim.workload.selection import select_spans

DAY = 1440
NAN = ""


def table(file, day, columns, rows):
    """Rows of (minute of the day, a cell a column)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [["day", "time", *columns], *([day, 86_400 * day + 60 * minute, *cells] for minute, *cells in rows)]
    file.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))


def metric(folder, name, day, columns, rows):
    table(folder / name / f"day_{day:03}.csv", day, columns, rows)


@pytest.fixture
def private(tmp_path):
    """Days 0 and 2; function 10 is new on day 2, and 1 has no delay in its second minute."""
    metric(tmp_path, "requests_minute", 0, (0, 1), [(0, "2.0", NAN), (1, "0.0", "3.0"), (2, NAN, "1.0")])
    metric(tmp_path, "function_delay_minute", 0, (0, 1), [(0, 0.5, NAN), (1, NAN, 0.25), (2, NAN, NAN)])
    metric(tmp_path, "requests_minute", 2, (0, 1, 10), [(0, "1.0", "0.0", "1.0"), (1439, "4", NAN, "1")])
    metric(tmp_path, "function_delay_minute", 2, (0, 1, 10), [(0, 0.125, NAN, NAN), (1439, 1.5, NAN, NAN)])
    return tmp_path


def report(trace, *keys):
    return [trace.about["report"][key] for key in keys]


def calls(trace, name):
    mine = trace.function == trace.functions["name"].tolist().index(name)
    return list(zip(trace.arrival_s[mine].tolist(), trace.duration_s[mine].tolist(), strict=True))


def test_golden_rows(private):
    trace = load_trace(private)
    assert trace.functions["name"].tolist() == ["0", "1", "10"]
    end = 60.0 * 2 * DAY
    assert calls(trace, "0") == [
        (15.0, 0.5), (45.0, 0.5), (end / 2 + 30, 0.125), *((end - 60 + s, 1.5) for s in (7.5, 22.5, 37.5, 52.5)),
    ]  # fmt: skip
    assert calls(trace, "1") == [(70.0, 0.25), (90.0, 0.25), (110.0, 0.25), (150.0, 0.25)]
    assert calls(trace, "10") == [(end / 2 + 30, 0.6339285714285714), (end - 30, 0.6339285714285714)]
    assert trace.horizon_s == end
    assert trace.about["format"] == "huawei2023"
    assert trace.about["days"] == [0, 2]
    assert "CC-BY 4.0" in trace.about["licence"]
    assert not trace.is_random


def test_no_data_is_not_no_calls(private):
    trace = load_trace(private)
    empty = 3 * 2 * DAY - 6 - 6 + 3  # a row that is missing is empty cells; function 10 has none on day 0
    assert report(trace, "calls", "cells_without_data") == [13, empty]
    assert report(trace, "cells_without_delay", "functions_without_delay", "days_missing") == [3, 1, 1]
    metric(private, "requests_minute", 0, (0, 1), [(0, "2.0", "0.0"), (1, "0.0", "3.0"), (2, "0", "1.0")])
    again = load_trace(private)
    assert again.content_hash() == trace.content_hash()
    assert report(again, "cells_without_data") == [empty - 2]


def test_where_a_minute_has_no_delay_the_functions_average_stands_in(private):
    mean = load_trace(private, durations="mean")
    average = (2 * 0.5 + 0.125 + 4 * 1.5) / 7
    assert {d for _, d in calls(mean, "0")} == {average}
    assert {d for _, d in calls(mean, "1")} == {0.25}
    assert {d for _, d in calls(mean, "10")} == {(average + 0.25) / 2}


def test_delays_may_be_in_milliseconds(private):
    seconds, milliseconds = load_trace(private), load_trace(private, delay_unit="ms")
    np.testing.assert_allclose(milliseconds.duration_s, seconds.duration_s / 1000)


def test_gaps_are_closed_or_kept(private):
    closed, kept = load_trace(private), load_trace(private, gaps="keep")
    assert closed.counts.spans == ((0, DAY), (2 * DAY, DAY))
    assert kept.counts.spans == ((0, 3 * DAY),)
    assert kept.horizon_s == 3 * 86_400
    assert (
        kept.arrival_s[kept.arrival_s >= 86_400].tolist()
        == (closed.arrival_s[closed.arrival_s >= 86_400] + 86_400).tolist()
    )
    assert report(kept, "days_missing") == [1]


def test_the_public_set_has_no_delays(tmp_path):
    folder = tmp_path / "public" / "csv_files"
    table(folder / "requests_minute" / "day_00.csv", 0, range(4), [(5, 1, 0, NAN, 2)])
    for path in (tmp_path / "public", folder, folder / "requests_minute"):
        trace = load_trace(path)
        assert trace.arrival_s.tolist() == [315.0, 330.0, 345.0]
        assert set(trace.duration_s) == {0.1}
        assert report(trace, "days_without_delays", "functions_without_delay") == [1, 4]
    assert set(load_trace(folder, duration_s=2).duration_s) == {2.0}
    assert set(trace.functions["memory_mb"]) == {128.0}


def test_memory_is_that_of_an_instance(private):
    metric(private, "memory_limit_minute", 0, (0, 1), [(0, 512, NAN), (1, 1024, 0)])
    metric(private, "instances_minute", 0, (0, 1), [(0, 2, 1), (1, 4, 1)])
    trace = load_trace(private)
    assert trace.functions["memory_mb"].tolist() == [256.0, 256.0, 256.0]
    assert report(trace, "memory_missing") == [2]
    running = (2 * 0.5 + 3 * 0.25) / 60 / (2 + 4 + 1)
    assert report(trace, "calls_running_per_instance") == [pytest.approx(running)]
    chosen = load_trace(private, memory_mb=64)
    assert set(chosen.functions["memory_mb"]) == {64.0}
    assert report(chosen, "calls_running_per_instance") == [None]


def test_selections_change_no_draw(private):
    options = {"arrivals": "uniform", "seed": 3}
    whole = load_trace(private, **options)
    part = load_trace(private, functions=[1, 10], **options)
    assert calls(part, "1") == calls(whole, "1")
    assert [arrival for arrival, _ in calls(part, "10")] == [arrival for arrival, _ in calls(whole, "10")]
    late = load_trace(private, minutes=[1, DAY], **options)
    assert [d for _, d in calls(late, "1")] == [d for _, d in calls(whole, "1")]
    np.testing.assert_allclose([a for a, _ in calls(late, "1")], [a - 60 for a, _ in calls(whole, "1")], atol=1e-9)
    second = load_trace(private, days=[2], functions=[0], **options)
    np.testing.assert_allclose(second.arrival_s, [a - 86_400 for a, _ in calls(whole, "0")[2:]], atol=1e-9)
    kept = load_trace(private, gaps="keep", **options)
    np.testing.assert_allclose(kept.arrival_s % 60, whole.arrival_s % 60, atol=1e-9)
    share = load_trace(private, share=0.5, **options).functions["name"].tolist()
    assert set(share) < {"0", "1", "10"}


def test_replications_and_poisson(private):
    trace = load_trace(private, arrivals="poisson")
    assert trace.is_random
    assert trace.draw(1).arrival_s.tolist() != trace.arrival_s.tolist()
    assert set(trace.draw(2).duration_s) <= {0.5, 0.25, 0.125, 1.5, 0.6339285714285714}


def test_saving_keeps_the_delays(private, tmp_path):
    trace = load_trace(private, arrivals="uniform")
    again = load_trace(trace.save(tmp_path / "saved"))
    assert again.counts.recipe == trace.counts.recipe
    for replication in (0, 1):
        assert again.draw(replication).content_hash() == trace.draw(replication).content_hash()


def test_a_saved_average_that_is_none_is_named(private, tmp_path):
    folder = load_trace(private).save(tmp_path / "saved")
    table = pq.read_table(folder / "averages.parquet")
    for values, parts in (([np.nan, *[0.5] * 7], ["row 0", "'average_s'"]), ([0.5], ["averages of 1 cells"])):
        pq.write_table(pa.table({"average_s": pa.array(values, pa.float64())}), folder / "averages.parquet")
        with pytest.raises(TraceError) as error:
            load_trace(folder)
        assert all(part in str(error.value) for part in parts), error.value
    pq.write_table(table, folder / "averages.parquet")
    assert len(load_trace(folder)) == 13


def test_parts_of_the_trace_keep_their_delays(private):
    trace = load_trace(private, arrivals="uniform")
    for part in (trace.slice(functions=[0, 2]), select_spans(trace, [(60.0, 180.0), (86_400.0, 86_460.0)])):
        assert part.counts is not None
        assert part.draw(0).duration_s.tolist() == part.duration_s.tolist()
        assert part.draw(1).duration_s.size == len(part) > 0


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".xz", lzma.compress), (".zst", lambda data: pa.compress(data, "zstd", asbytes=True))],
)
def test_compressed_tables(private, suffix, pack):
    before = load_trace(private).content_hash()
    for file in list(private.rglob("*.csv")):
        file.with_name(f"{file.name}{suffix}").write_bytes(pack(file.read_bytes()))
        file.unlink()
    assert load_trace(private).content_hash() == before


def cell(line, column, text, file="requests_minute/day_000.csv"):
    def spoil(folder):
        rows = [row.split(",") for row in (folder / file).read_text().splitlines()]
        rows[line - 1][column] = text
        (folder / file).write_text("\n".join(map(",".join, rows)) + "\n")

    return spoil


BAD_ROWS = {
    "half a call": (cell(3, 2, "1.5"), ["day_000.csv", "row 2", "'0'", "1.5", "whole", "line 3"]),
    "a negative count": (cell(3, 3, "-1.0"), ["row 2", "'1'", "-1.0"]),
    "text": (cell(3, 3, "many"), ["row 2", "'1'", "many"]),
    "infinitely many": (cell(3, 3, "inf"), ["row 2", "'1'", "inf"]),
    "too many": (cell(3, 3, "1e15"), ["row 2", "'1'", "1e15"]),
    "another day": (cell(3, 0, "1"), ["row 2", "'day'", "file's day, 0"]),
    "half a minute": (cell(3, 1, "90"), ["row 2", "'time'", "90"]),
    "another day's time": (cell(3, 1, "86400"), ["row 2", "'time'", "86400"]),
    "a minute twice": (cell(3, 1, "0"), ["row 2", "'time'", "twice"]),
    "a negative delay": (
        cell(3, 3, "-0.1", "function_delay_minute/day_000.csv"),
        ["function_delay_minute", "day_000.csv", "row 2", "'1'", "-0.1"],
    ),
}


@pytest.mark.parametrize(("spoil", "parts"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_named_or_left_out(private, spoil, parts):
    spoil(private)
    with pytest.raises(TraceError) as error:
        load_trace(private)
    assert all(part in str(error.value) for part in parts), error.value
    trace = load_trace(private, lenient=True)
    assert report(trace, "rows_dropped") == [1]
    assert len(trace) == (13 if "function_delay_minute" in parts else 10)


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (cell(1, 2, "zero"), ["'zero'", "function", "line 1"]),
        (cell(1, 3, "0"), ["'0'", "twice", "line 1"]),
        (cell(1, 1, "when"), ["'time'", "missing"]),
        (lambda folder: (folder / "requests_minute" / "day_000.csv").write_text("day,time\n0,0\n"), ["no columns"]),
        (lambda folder: (folder / "requests_minute" / "day_000.csv").write_text("day,time,0\n"), ["no rows"]),
        (lambda folder: (folder / "requests_minute" / "day_000.csv").write_bytes(b"\x80\x04"), ["day_000.csv"]),
    ],
)
def test_bad_tables_are_named(private, spoil, parts):
    spoil(private)
    for lenient in (False, True):
        with pytest.raises(TraceError) as error:
            load_trace(private, lenient=lenient)
        assert all(part in str(error.value) for part in parts), error.value


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"days": [1]}, ["[1]", "0, 2"]),
        ({"days": [2, 0]}, ["ascending"]),
        ({"minutes": [5, 2 * DAY]}, ["minutes 5 to 2880", "0 to 2879"]),
        ({"minutes": [5, 3 * DAY], "gaps": "keep"}, ["0 to 4319"]),
        ({"gaps": "fill"}, ["gaps", "'close', 'keep'"]),
        ({"functions": [0, 7]}, ["'7'"]),
        ({"functions": ["0"]}, ["functions"]),
        ({"share": 1e-9}, ["no function is left"]),
        ({"durations": "percentiles"}, ["durations", "'per_minute', 'mean'"]),
        ({"arrivals": "late"}, ["arrivals"]),
        ({"delay_unit": "us"}, ["delay_unit", "'s', 'ms'"]),
        ({"duration_s": -1}, ["duration_s"]),
        ({"memory_limit_mb": 1e-5}, ["7 minutes of functions", "memory_limit_mb"]),
    ],
)
def test_impossible_options_are_named(private, options, parts):
    with pytest.raises(TraceError) as error:
        load_trace(private, **options)
    assert all(part in str(error.value) for part in parts), error.value


def test_seconds_are_not_read(tmp_path):
    metric(tmp_path, "requests_second", 0, (0,), [(0, 1)])
    with pytest.raises(TraceError, match="only tables of minutes"):
        load_trace(tmp_path, format="huawei2023")


def test_a_wide_day(tmp_path):
    random = np.random.default_rng(0)
    counts = random.poisson(0.3, (DAY, 700))
    table(tmp_path / "requests_minute" / "day_00.csv", 0, range(700), [(m, *row) for m, row in enumerate(counts)])
    trace = load_trace(tmp_path)
    assert trace.calls_per_function.tolist() == counts.sum(axis=0).tolist()
    assert np.bincount((trace.arrival_s // 60).astype(int)).tolist() == counts.sum(axis=1).tolist()
