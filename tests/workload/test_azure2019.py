import csv
import gzip
import hashlib
import lzma
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sim import TraceError, load_trace
from sim.workload.memory import default_limit_mb

PERCENTILES = [f"percentile_Average_{p}" for p in (0, 1, 25, 50, 75, 99, 100)]
DURATIONS = ["HashOwner", "HashApp", "HashFunction", "Average", "Count", "Minimum", "Maximum", *PERCENTILES]
F, G, H, K = ("o1", "a1", "f"), ("o1", "a1", "g"), ("o2", "a2", "h"), ("o2", "a3", "k")


def write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def invocations(path, minutes, table, trigger="http"):
    header = ["HashOwner", "HashApp", "HashFunction", "Trigger", *minutes]
    write(path, header, [[*key, trigger, *counts] for key, counts in table.items()])


def durations(path, rows):
    """Rows of (key, average, count, the seven percentiles or what each of them is)."""
    write(path, DURATIONS, [
        [*key, average, count, 0, 0, *(quantiles if isinstance(quantiles, list) else [quantiles] * 7)]
        for key, average, count, quantiles in rows
    ])  # fmt: skip


@pytest.fixture
def sample(tmp_path):
    """A sample of three functions and three minutes; h has neither duration nor memory."""
    invocations(tmp_path / "invocations.csv", (480, 481, 482), {F: (2, 0, 1), G: (0, 0, 0), H: (1, 0, 3)})
    durations(tmp_path / "durations.csv", [(G, 0, 5, 0), (F, 71.5, 288, 70), (K, 9, 9, 9)])
    header = ["HashFunction", "HashOwner", "HashApp", "SampleCount", "AverageAllocatedMb"]
    write(tmp_path / "memory.csv", header, [["f", "o1", "a1", 7, 22.25], ["g", "o1", "a1", 7, 30.75]])
    return tmp_path


@pytest.fixture
def published(tmp_path):
    """Days 1, 2 and 13 of two minutes; k is new on day 2, and day 13 has no memory."""
    name = "{}.anon.d{:02}.csv"
    days = {1: {F: (1, 2), G: (3, 0), H: (0, 1)}, 2: {K: (1, 1), F: (0, 4)}, 13: {F: (1, 0)}}
    for day, table in days.items():
        trigger = "others" if day == 1 else "queue"
        invocations(tmp_path / name.format("invocations_per_function_md", day), (1, 2), table, trigger)
    file = "function_durations_percentiles"
    durations(tmp_path / name.format(file, 1), [(F, 100, 1, 100), (G, 50, 1, 50), (G, 80, 2, 80), (H, -9, 1, 7)])
    durations(tmp_path / name.format(file, 2), [(F, 200, 3, 200), (K, 5, 1, [-1, 0, 4, 3, 5, 6, 7])])
    durations(tmp_path / name.format(file, 13), [(F, 400, 1, 400)])
    header = ["HashOwner", "HashApp", "SampleCount", "AverageAllocatedMb"]
    memory = "app_memory_percentiles"
    write(tmp_path / name.format(memory, 1), header, [["o1", "a1", 1, 100], ["o2", "a2", 1, 60]])
    write(tmp_path / name.format(memory, 2), header, [["o1", "a1", 3, 200], ["o9", "a9", 1, 1]])
    return tmp_path


def report(trace, *keys):
    return [trace.about["report"][key] for key in keys]


def test_a_sample(sample):
    trace = load_trace(sample)
    assert trace.functions["name"].tolist() == ["f", "g", "h"]
    assert trace.functions[["owner", "app", "trigger"]].loc[2].tolist() == ["o2", "a2", "http"]
    assert trace.arrival_s.tolist() == [15.0, 30.0, 45.0, 130.0, 150.0, 150.0, 170.0]
    assert trace.function.tolist() == [0, 2, 0, 2, 0, 2, 2]
    assert trace.horizon_s == 180.0
    assert trace.about["format"] == "azure2019"
    assert "CC-BY 4.0" in trace.about["licence"]


def test_what_does_not_join_takes_the_median_and_is_counted(sample):
    trace = load_trace(sample)
    assert trace.counts.durations.average_s.tolist() == [0.0715, 0.0, 0.03575]
    assert trace.counts.durations.quantiles_s[:, 3].tolist() == [0.07, 0.0, 0.035]
    assert trace.functions["memory_mb"].tolist() == [22.25, 30.75, 26.5]
    assert report(trace, "functions", "calls", "functions_never_called") == [3, 7, 1]
    assert report(trace, "duration_missing", "duration_average_zero", "duration_rows_unused") == [1, 1, 1]
    assert report(trace, "memory_missing", "memory_rows_unused") == [1, 0]


def test_where_nothing_joins_constants_do(sample):
    durations(sample / "durations.csv", [(K, 9, 9, 9)])
    write(sample / "memory.csv", [*DURATIONS[:3], "SampleCount", "AverageAllocatedMb"], [[*F, 1, 0]])
    trace = load_trace(sample)
    assert set(trace.duration_s) == {0.684}
    assert set(trace.functions["memory_mb"]) == {128.0}
    assert report(trace, "duration_missing", "memory_missing") == [3, 3]


def test_published_days_follow_one_another(published):
    trace = load_trace(published)
    assert trace.functions["name"].tolist() == ["f", "g", "h", "k"]
    assert trace.functions["trigger"].tolist() == ["queue", "others", "others", "queue"]
    assert trace.calls_per_function.tolist() == [8, 3, 1, 2]
    assert trace.horizon_s == 360.0
    assert (trace.arrival_s[trace.function == 3] // 60).tolist() == [2, 3]
    assert trace.counts.spans == ((1, 2), (1441, 2), (12 * 1440 + 1, 2))
    assert report(trace, "trigger_changes", "duration_rows_repeated") == [1, 1]


def test_published_statistics_are_joined_over_days(published):
    trace = load_trace(published, days=[1, 2])
    assert trace.counts.durations.average_s == pytest.approx([0.175, 0.07, 0.007, 0.005])
    assert trace.counts.durations.quantiles_s[3].tolist() == [0.0, 0.0, 0.004, 0.004, 0.005, 0.006, 0.007]
    assert report(trace, "duration_average_negative", "duration_percentiles_mended") == [1, 1]
    assert trace.functions["memory_mb"].tolist() == [87.5, 87.5, 60.0, 87.5]  # o1/a1: 175 MB on two functions
    assert report(trace, "memory_missing", "memory_rows_unused") == [1, 1]


def test_a_negative_memory_is_no_glitch_that_is_known(published):
    file = published / "app_memory_percentiles.anon.d02.csv"
    file.write_text(file.read_text().replace("o1,a1,3,200", "o1,a1,3,-200"))
    with pytest.raises(TraceError) as error:
        load_trace(published, days=[1, 2])
    for part in (str(file), "row 1", "'AverageAllocatedMb'", "from 0", "'-200'"):
        assert part in str(error.value)
    trace = load_trace(published, days=[1, 2], lenient=True)
    assert trace.functions["memory_mb"].tolist() == [50.0, 50.0, 60.0, 50.0]  # o1/a1: day 1's 100 MB
    assert report(trace, "rows_dropped", "duration_average_negative") == [1, 1]


def test_a_day_without_memory_takes_that_of_the_last_day_before(published):
    trace = load_trace(published, days=[13])
    assert trace.functions["memory_mb"].tolist() == [200.0]
    assert trace.duration_s.tolist() == [0.4]


def test_selections(published):
    def calls(**options):
        trace = load_trace(published, **options)
        named = [trace.functions["name"][i] for i in trace.function]
        return dict(Counter(named)), trace.horizon_s

    assert calls(days=[2]) == ({"k": 2, "f": 4}, 120.0)
    assert calls(minutes=[1, 2]) == ({"f": 2, "h": 1, "k": 1}, 120.0)
    assert calls(days=[1, 13], minutes=(1, 2)) == ({"f": 3, "h": 1}, 120.0)
    assert calls(functions=["k", "g"]) == ({"g": 3, "k": 2}, 360.0)
    assert load_trace(published, functions=["f"], days=[1]).functions["memory_mb"].tolist() == [50.0]
    file = published / "invocations_per_function_md.anon.d02.csv"
    assert load_trace(file).content_hash() == load_trace(published, days=[2]).content_hash()


def test_selections_change_no_draw(published):
    recipe = {"arrivals": "uniform", "durations": "percentiles", "seed": 4}
    whole, part = load_trace(published, **recipe), load_trace(published, days=[1, 13], functions=["f"], **recipe)
    mine = whole.function == 0
    second = whole.arrival_s[mine] % 60
    late = whole.arrival_s[mine] >= 240
    early = whole.arrival_s[mine] < 120
    np.testing.assert_allclose(part.arrival_s % 60, np.concatenate((second[early], second[late])), atol=1e-9)


def test_shares_nest(shared):
    folder = shared / "traces" / "azure2019_100f_8h"
    chosen = {share: set(load_trace(folder, share=share).functions["name"]) for share in (0.1, 0.3, 1.0)}
    assert chosen[0.1] < chosen[0.3] < chosen[1.0]
    assert len(chosen[0.3]) == pytest.approx(30, abs=15)
    assert chosen[0.3] != set(load_trace(folder, share=0.3, share_seed=1).functions["name"])


@pytest.mark.parametrize(("name", "total"), [("azure2019_100f_8h", 339_657), ("azure2019_500f_8h", 3_037_902)])
def test_the_samples_calls_per_function(shared, name, total):
    trace = load_trace(shared / "traces" / name)
    with (shared / "traces" / name / "invocations.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert trace.functions["name"].tolist() == [row[2] for row in rows]
    assert trace.calls_per_function.tolist() == [sum(map(int, row[4:])) for row in rows]
    assert len(trace) == total
    assert trace.horizon_s == 480 * 60
    with (shared / "traces" / name / "durations.csv").open(newline="") as file:
        average = {row[2]: float(row[3]) / 1000 for row in list(csv.reader(file))[1:]}
    assert trace.counts.durations.average_s.tolist() == [average[row[2]] for row in rows]
    assert report(trace, "duration_missing", "memory_missing") == [0, 0]


def test_the_sample_in_order(shared):
    """Arrival by arrival, as plain Python makes and sorts them."""
    trace = load_trace(shared / "traces" / "azure2019_100f_8h")
    with (shared / "traces" / "azure2019_100f_8h" / "invocations.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    expected = sorted(
        (60.0 * m + 60.0 * (j + 0.5) / int(k), f)
        for f, row in enumerate(rows)
        for m, k in enumerate(row[4:])
        for j in range(int(k))
    )
    assert (
        hashlib.md5(trace.arrival_s.tobytes()).digest()
        == hashlib.md5(np.array([row[0] for row in expected]).tobytes()).digest()
    )
    assert trace.function.tolist() == [row[1] for row in expected]


def edit(line, column, text, file="invocations.csv"):
    def spoil(folder):
        lines = [row.split(",") for row in (folder / file).read_text().splitlines()]
        lines[line - 1][column] = text
        (folder / file).write_text("\n".join(map(",".join, lines)) + "\n")

    return spoil


def replaced(old, new, file="invocations.csv"):
    return lambda folder: (folder / file).write_text((folder / file).read_text().replace(old, new))


def content(data, file="invocations.csv"):
    return lambda folder: (folder / file).write_bytes(data)


def appended(text, file="invocations.csv"):
    return lambda folder: (folder / file).write_text((folder / file).read_text() + text)


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (edit(3, 5, "-1"), ["invocations.csv", "row 2", "'481'", "-1", "line 3"]),
        (edit(2, 6, "1.5"), ["invocations.csv", "row 1", "'482'", "1.5", "line 2"]),
        (edit(2, 6, "many"), ["row 1", "'482'", "many"]),
        (edit(2, 6, "nan"), ["row 1", "'482'", "nan"]),
        (edit(2, 6, "0x10"), ["row 1", "'482'", "0x10"]),
        (edit(2, 2, "a\tb"), ["row 1", "'HashFunction'", "control"]),
        (edit(2, 6, "inf"), ["row 1", "'482'", "inf"]),
        (edit(2, 6, "99999999999"), ["row 1", "'482'", "99999999999"]),
        (edit(4, 4, ""), ["row 3", "'480'", "''", "line 4"]),
        (edit(4, 2, ""), ["row 3", "'HashFunction'", "empty"]),
        (edit(1, 2, "Function"), ["'HashFunction'", "missing", "line 1"]),
        (edit(1, 5, "480"), ["'480'", "twice", "line 1"]),
        (edit(1, 6, "483"), ["'483'", "consecutive", "481"]),
        (edit(1, 6, "noon"), ["'noon'", "minute"]),
        (replaced("o2,a2,h", "o1,a1,f"), ["invocations.csv", "row 3", "line 4", "twice", "'f'"]),
        (replaced(",", ";"), ["invocations.csv", "'HashOwner'", "missing", "delimiter"]),
        (appended("o3,a3,x,http,1,1\n"), ["row 4", "6 cells", "7", "line 5"]),
        (appended("o3,a3,x,http,1,1,1,1\n"), ["row 4", "8 cells", "line 5"]),
        (content(b""), ["invocations.csv", "empty"]),
        (content(b"\n\n"), ["invocations.csv", "empty"]),
        (content(b"HashOwner,HashApp,HashFunction,Trigger,1\n"), ["invocations.csv", "no rows"]),
        (content(b"HashOwner,HashApp,HashFunction,Trigger\na,b,c,d\n"), ["invocations.csv", "no columns of minutes"]),
        (content(b"HashOwner,HashApp,HashFunction,Trigger,1\na,b,c,d,1\na,b,\xff,d,1\n"), ["UTF-8", "line 3"]),
        (content(b"\x00\x01\xfe\xff" * 99), ["invocations.csv"]),
        (lambda folder: (folder / "durations.csv").unlink(), ["no durations.csv"]),
        (lambda folder: (folder / "memory.csv").unlink(), ["no memory.csv"]),
        (lambda folder: (folder / "invocations.csv").unlink(), ["invocations.csv"]),
        (edit(3, 3, "-1", "durations.csv"), ["durations.csv", "row 2", "'Average'", "-1", "line 3"]),
        (edit(3, 3, "", "durations.csv"), ["durations.csv", "row 2", "'Average'", "''"]),
        (edit(3, 3, "inf", "durations.csv"), ["durations.csv", "row 2", "'Average'", "inf"]),
        (edit(3, 9, "NaN", "durations.csv"), ["durations.csv", "row 2", "'percentile_Average_25'", "NaN"]),
        (edit(1, 3, "Mean", "durations.csv"), ["durations.csv", "'Average'", "missing"]),
        (edit(3, 2, "g", "durations.csv"), ["durations.csv", "row 2", "twice", "'HashFunction'"]),
        (content(b"", "durations.csv"), ["durations.csv", "empty"]),
        (edit(2, 4, "x", "memory.csv"), ["memory.csv", "row 1", "'AverageAllocatedMb'", "'x'"]),
        (edit(3, 0, "f", "memory.csv"), ["memory.csv", "row 2", "twice"]),
    ],
)
def test_what_is_wrong_is_named(sample, spoil, parts):
    spoil(sample)
    with pytest.raises(TraceError) as error:
        load_trace(sample)
    assert all(part in str(error.value) for part in parts), error.value


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"days": [3]}, ["[3]", "[1, 2, 13]"]),
        ({"days": [2, 1]}, ["ascending"]),
        ({"days": 1}, ["days"]),
        ({"minutes": (5, 6)}, ["minutes 5 to 6", "0 to 5"]),
        ({"minutes": (2, 1)}, ["minutes"]),
        ({"minutes": 60}, ["minutes"]),
        ({"functions": ["f", "x"]}, ["'x'"]),
        ({"functions": "f"}, ["list"]),
        ({"share": 0}, ["share"]),
        ({"share": "half"}, ["share"]),
        ({"share": 1e-9}, ["no function is left"]),
        ({"arrivals": "late"}, ["arrivals", "'even', 'uniform', 'poisson'"]),
        ({"durations": "long"}, ["durations", "'lognormal'"]),
        ({"memory_limit_mb": "lots"}, ["memory_limit_mb"]),
    ],
)
def test_impossible_selections_are_named(published, options, parts):
    with pytest.raises(TraceError) as error:
        load_trace(published, **options)
    assert all(part in str(error.value) for part in parts), error.value


def test_a_missing_companion_is_named(published):
    (published / "app_memory_percentiles.anon.d02.csv").unlink()
    with pytest.raises(TraceError, match=r"no app_memory_percentiles\.anon\.d02\.csv"):
        load_trace(published)


def test_what_would_not_fit_is_refused_with_its_size(sample):
    rows = {f: tuple(range(1, 1441)) for f in (F, G, H)}
    invocations(sample / "invocations.csv", tuple(range(1440)), rows)
    with pytest.raises(TraceError) as error:
        load_trace(sample, memory_limit_mb=0.1)
    advice = [
        "4,320 minutes of functions",
        "about 0.38",
        "days, minutes, functions or a share",
        "memory_limit_mb",
    ]
    assert all(part in str(error.value) for part in advice), error.value
    assert len(load_trace(sample, functions=["f"], minutes=(1, 1), memory_limit_mb=0.1)) == 2


def test_calls_that_would_not_fit_are_counted_but_not_made(sample):
    invocations(sample / "invocations.csv", (1, 2), {F: (2**31 - 1, 10), G: (2**31 - 1, 2**31 - 1)})
    trace = load_trace(sample, memory_limit_mb=1)
    assert len(trace) == 3 * (2**31 - 1) + 10
    with pytest.raises(TraceError, match=r"6,442,450,951 calls would need 122,880 MB.* fewer minutes or functions"):
        trace.arrival_s  # noqa: B018
    assert trace.slice(60.0, functions=["f"]).arrival_s.tolist() == [6.0 * i + 3.0 for i in range(10)]


def test_the_default_limit_is_some_of_the_memory_there_is():
    assert 0 < default_limit_mb() < float("inf")


def test_a_selection_is_made_before_any_call(sample):
    invocations(sample / "invocations.csv", (1, 2), {F: (2**31 - 1, 3), H: (2**31 - 1, 4)})
    assert len(load_trace(sample, minutes=(1, 1), memory_limit_mb=1)) == 7


def test_windows_line_ends_quotes_and_a_byte_order_mark_are_welcome(sample):
    before = load_trace(sample).content_hash()
    text = (sample / "invocations.csv").read_text().replace("f,http", '"f",http').replace("\n", "\r\n")
    (sample / "invocations.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_trace(sample).content_hash() == before


def test_a_table_of_functions_in_any_order_of_columns(sample):
    frame = pd.read_csv(sample / "durations.csv")
    before = load_trace(sample).content_hash()
    frame[frame.columns[::-1]].to_csv(sample / "durations.csv", index=False)
    assert load_trace(sample).content_hash() == before


def test_lenient_leaves_out_functions_and_statistics_that_cannot_be_used(sample):
    edit(3, 5, "-1")(sample)
    edit(3, 3, "x", "durations.csv")(sample)
    edit(2, 4, "nan", "memory.csv")(sample)
    appended("o2,a2,h,http,9,9,9\nshort,row\n")(sample)
    trace = load_trace(sample, lenient=True)
    assert trace.functions["name"].tolist() == ["f", "h"]
    assert trace.calls_per_function.tolist() == [3, 4]
    assert report(trace, "rows_dropped", "duration_missing", "memory_missing") == [5, 2, 2]
    assert trace.about["report"]["rows_dropped_because"] == {
        "481 must be a whole number from 0 to 2147483647": 1,
        "wrong number of cells": 1,
        "HashFunction must not be there twice": 1,
        "Average must be a number from 0 to 1e+30": 1,
        "AverageAllocatedMb must be a number from 0 to 1e+30": 1,
    }
    assert "row 2, column '481'" in trace.about["report"]["first_dropped"]
    assert trace.draw(1).about == trace.about


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_published_files_may_be_compressed(published, suffix):
    before = load_trace(published).content_hash()
    for file in list(published.iterdir()):
        data = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": partial(pa.compress, codec="zstd", asbytes=True)}
        file.with_name(f"{file.name}{suffix}").write_bytes(data[suffix](file.read_bytes()))
        file.unlink()
    assert load_trace(published).content_hash() == before
    day = published / f"invocations_per_function_md.anon.d02.csv{suffix}"
    assert load_trace(day).about["days"] == [2]
