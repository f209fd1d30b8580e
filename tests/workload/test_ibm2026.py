import gzip
import lzma
import pickle

import numpy as np
import pandas as pd
import pytest

from sim import TraceError, load_trace
from sim.workload.readers.ibm2026 import OFFSET_S

DAY, WEEK = 86_400, 7 * 86_400
COLUMNS = ["NamespaceHash", "AppHash", "NumEvents", "InvocationTimes", "AppExecTimes", "TotalExecTimes", "PodHash"]


def week(folder, number, rows, name="week_{}.pickle"):
    """Rows of (namespace, app, times in seconds without the offset, ms, total ms)."""
    table = [
        [n, a, len(times), [t + OFFSET_S for t in times], app, total, [f"{a}-pod"] * len(times)]
        for n, a, times, app, total in rows
    ]
    file = folder / name.format(number)
    pd.DataFrame(table, columns=COLUMNS).to_pickle(file)
    return file


@pytest.fixture
def weeks(tmp_path):
    """Weeks 1 and 2; app b of n1 comes in week 2, a is in both, and there are two apps b."""
    week(tmp_path, 1, [("n0", "a", [0.5, 100.25], [10.0, 0], [12.0, 3.0]), ("n0", "b", [7], [1500], [1600])])
    week(tmp_path, 2, [("n1", "b", [WEEK + 3.0], [4.0], [5.0]), ("n0", "a", [WEEK + 1.0], [2.0], [2.5])])
    return tmp_path


def configuration(folder, rows):
    columns = ["NamespaceHash", "AppHash", "AppContainerRequestCpu", "AppContainerRequestMemory",
               "AppContainerConcurrency", "AppMinScale"]  # fmt: skip
    pd.DataFrame(rows, columns=columns).to_pickle(folder / "app_configs.pickle")


def report(trace, *keys):
    return [trace.about["report"][key] for key in keys]


def test_golden_rows(weeks):
    trace = load_trace(weeks)
    assert trace.functions[["owner", "app", "name"]].to_numpy().tolist() == [
        ["n0", "a", "a"], ["n0", "b", "b"], ["n1", "b", "b"],
    ]  # fmt: skip
    assert trace.arrival_s.tolist() == [0.5, 7.0, 100.25, WEEK + 1.0, WEEK + 3.0]
    assert trace.duration_s.tolist() == [0.01, 1.5, 0.0, 0.002, 0.004]
    assert trace.function.tolist() == [0, 1, 0, 0, 2]
    assert trace.horizon_s == WEEK + 3.0
    assert trace.counts is None
    assert trace.about["format"] == "ibm2026"
    assert trace.about["weeks"] == [1, 2]
    assert "MIT" in trace.about["licence"]
    assert report(trace, "functions", "calls", "durations_zero", "rows_dropped") == [3, 5, 1, 0]


def test_total_times_and_other_offsets(weeks):
    assert load_trace(weeks, durations="total").duration_s.tolist() == [0.012, 1.6, 0.003, 0.0025, 0.005]
    assert load_trace(weeks, weeks=[1], offset_s=0).arrival_s.tolist() == [17_999.5, 18_006.0, 18_099.25]


def test_weeks_keep_their_place_in_time(weeks):
    week(weeks, 4, [("n0", "a", [3 * WEEK + 9.0], [1], [1])])
    trace = load_trace(weeks, weeks=[2, 4])
    assert trace.arrival_s.tolist() == [1.0, 3.0, 2 * WEEK + 9.0]
    assert load_trace(weeks / "week_2.pickle").content_hash() == load_trace(weeks, weeks=[2]).content_hash()


def test_weeks_may_count_from_their_own_start(weeks):
    before = load_trace(weeks)
    week(weeks, 2, [("n1", "b", [3.0], [4.0], [5.0]), ("n0", "a", [1.0], [2.0], [2.5])])
    trace = load_trace(weeks)
    assert trace.content_hash() == before.content_hash()
    assert report(before, "times_counted_from") == [{"1": "data set", "2": "data set"}]
    assert report(trace, "times_counted_from") == [{"1": "data set", "2": "week"}]


def test_times_that_fit_no_week_are_refused(weeks):
    week(weeks, 2, [("n1", "b", [3.0, WEEK * 1.5], [4.0, 4.0], [5.0, 5.0])])
    with pytest.raises(TraceError) as error:
        load_trace(weeks)
    assert all(part in str(error.value) for part in ["week_2.pickle", "InvocationTimes", "week 2", "907,200"])


def test_spans(weeks):
    trace = load_trace(weeks, span_s=[7, WEEK + 3])
    assert trace.arrival_s.tolist() == [0.0, 93.25, WEEK - 6.0]
    assert trace.horizon_s == WEEK - 4.0
    assert report(trace, "calls_outside_span") == [2]
    assert load_trace(weeks, span_s=[0, 50]).about["weeks"] == [1]
    assert len(load_trace(weeks, span_s=[20, 50])) == 0


def test_selections(weeks):
    trace = load_trace(weeks, functions=["b"])
    assert trace.functions["owner"].tolist() == ["n0", "n1"]
    assert trace.arrival_s.tolist() == [7.0, WEEK + 3.0]
    chosen = [set(load_trace(weeks, share=share).functions["owner"]) for share in (0.7, 1)]
    assert chosen[0] <= chosen[1]


def test_memory_and_concurrency_are_what_was_asked_for(weeks):
    nan = np.nan
    rows = [("n0", "a", [1.0], [nan, 2.0, 4.0, 4.0], [100.0, 100], [0]), ("n1", "b", [1], [0.25], [1], [0, 0]),
            ("n0", "b", [1], [nan], [nan], [0])]  # fmt: skip
    configuration(weeks, rows)
    trace = load_trace(weeks)
    assert trace.functions["memory_mb"].tolist() == [4096.0, 2176.0, 256.0]
    assert trace.functions["concurrency"].tolist() == [100, 50, 1]
    assert report(trace, "memory_missing", "concurrency_missing") == [1, 1]
    chosen = load_trace(weeks, memory_mb=512, concurrency=1).functions
    assert set(chosen["memory_mb"]) == {512.0}
    assert set(chosen["concurrency"]) == {1}


def test_without_configuration_there_are_defaults(weeks):
    trace = load_trace(weeks)
    assert set(trace.functions["memory_mb"]) == {4096.0}
    assert set(trace.functions["concurrency"]) == {1}
    assert report(trace, "memory_missing", "concurrency_missing") == [3, 3]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_weeks(weeks, suffix, pack):
    before = load_trace(weeks).content_hash()
    for file in list(weeks.iterdir()):
        (weeks / f"{file.name}{suffix}").write_bytes(pack(file.read_bytes()))
        file.unlink()
    assert load_trace(weeks).content_hash() == before


def test_rows_that_are_there_twice_are_one_function(weeks):
    week(weeks, 1, [("n0", "a", [5.0], [1], [1]), ("n0", "a", [2.0], [3], [3])])
    trace = load_trace(weeks, weeks=[1])
    assert trace.arrival_s.tolist() == [2.0, 5.0]
    assert trace.duration_s.tolist() == [0.003, 0.001]
    assert report(trace, "functions", "rows_repeated") == [1, 1]


BAD = {
    "a time that is none": ([[1.0, np.nan], [1, 2]], ["row 2", "'InvocationTimes'", "request 2", "finite"]),
    "a negative duration": ([[1.0, 2.0], [-1, 2]], ["row 2", "'AppExecTimes'", "request 1", ">= 0"]),
    "an infinite duration": ([[1.0, 2.0], [1, np.inf]], ["row 2", "'AppExecTimes'", "request 2"]),
    "unequal lists": ([[1.0, 2.0], [1]], ["row 2", "not 2, 1 and 2"]),
    "text for numbers": ([[1.0, "2"], [1, 2]], ["row 2", "'InvocationTimes'", "list of numbers"]),
    "no list": ([5.0, [1, 2]], ["row 2", "'InvocationTimes'", "list of numbers"]),
    "nothing": ([[1.0, 2.0], None], ["row 2", "'AppExecTimes'", "list of numbers"]),
}


@pytest.mark.parametrize(("cells", "parts"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_named_or_left_out(tmp_path, cells, parts):
    times, durations = cells
    rows = [["n", "a", 1, [OFFSET_S], [1], [1], ["p"]], ["n", "b", 2, times, durations, [1, 1], ["p", "p"]]]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["InvocationTimes"] = [[OFFSET_S], [t + OFFSET_S if not isinstance(t, str) else t for t in times]
                                if isinstance(times, list) else times]  # fmt: skip
    frame.to_pickle(tmp_path / "week_1.pickle")
    with pytest.raises(TraceError) as error:
        load_trace(tmp_path)
    assert all(part in str(error.value) for part in ["week_1.pickle", *parts]), error.value
    trace = load_trace(tmp_path, lenient=True)
    assert report(trace, "functions", "rows_dropped") == [2, 1]
    assert parts[1] in trace.about["report"]["first_dropped"]
    assert 1 <= len(trace) <= 2


def table(**changes):
    columns = {"NamespaceHash": ["n"], "AppHash": ["a"], "InvocationTimes": [[OFFSET_S]], "AppExecTimes": [[1]]}
    return pd.DataFrame({k: v for k, v in (columns | changes).items() if v is not None})


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (table(AppHash=None), ["'AppHash'", "missing", "NamespaceHash"]),
        (table(AppExecTimes=None), ["'AppExecTimes'", "missing"]),
        (table(AppHash=[7]), ["row 1", "'AppHash'", "text"]),
        (table(NamespaceHash=[""]), ["row 1", "'NamespaceHash'", "empty"]),
        ([1, 2], ["not a table of pandas"]),
        ({"_mgr": 1}, ["not a table of pandas"]),
        (pd.Series([1.0]), ["Series", "byte"]),
        (table(x=pd.Series([1], dtype="category")), ["NDArrayBacked", "byte"]),
    ],
)
def test_other_pickles_are_refused(tmp_path, content, parts):
    (tmp_path / "week_1.pickle").write_bytes(pickle.dumps(content))
    with pytest.raises(TraceError) as error:
        load_trace(tmp_path)
    assert all(part in str(error.value) for part in ["week_1.pickle", *parts]), error.value


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"weeks": [3]}, ["[3]", "[1, 2]"]),
        ({"weeks": [2, 1]}, ["ascending"]),
        ({"weeks": 1}, ["weeks"]),
        ({"span_s": [5, 5]}, ["span_s"]),
        ({"span_s": 5}, ["span_s"]),
        ({"span_s": [9 * WEEK, 10 * WEEK]}, ["no week", "[1, 2]"]),
        (
            {"span_s": [200, 300], "weeks": [1]},
            ["no request comes in span_s=[200.0, 300.0]", "from 0.500 to 100.250 s"],
        ),
        ({"span_s": [0, 0.5], "weeks": [1]}, ["no request comes in", "from 0.500 to 100.250 s"]),
        ({"functions": ["a", "x"]}, ["'x'"]),
        ({"share": 1e-9}, ["no app is left"]),
        ({"durations": "cpu"}, ["durations", "'app', 'total'"]),
        ({"offset_s": "5h"}, ["offset_s"]),
        ({"memory_limit_mb": 0.001}, ["0 MB", "memory_limit_mb"]),
    ],
)
def test_impossible_options_are_named(weeks, options, parts):
    with pytest.raises(TraceError) as error:
        load_trace(weeks, **options)
    assert all(part in str(error.value) for part in parts), error.value


def test_archives_are_to_be_unpacked(tmp_path):
    (tmp_path / "week_1.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(TraceError, match="unpack"):
        load_trace(tmp_path, format="ibm2026")


def test_a_table_that_repeats_one_list_for_ever_is_refused(tmp_path):
    shared = [OFFSET_S] * 50_000
    frame = pd.DataFrame({"NamespaceHash": "n", "AppHash": [f"a{i}" for i in range(1000)],
                          "InvocationTimes": [shared] * 1000, "AppExecTimes": [shared] * 1000})  # fmt: skip
    frame.to_pickle(tmp_path / "week_1.pickle")
    with pytest.raises(TraceError, match="more than the 20 MB"):
        load_trace(tmp_path, memory_limit_mb=20)


def test_the_saved_trace_is_the_same(weeks, tmp_path):
    trace = load_trace(weeks)
    assert load_trace(trace.save(tmp_path / "saved")).content_hash() == trace.content_hash()
