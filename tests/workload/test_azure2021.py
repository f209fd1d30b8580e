import gzip

import numpy as np
import pytest

from sim import TraceError, load_trace

HEADER = "app,func,end_timestamp,duration\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "AzureFunctionsInvocationTraceForTwoWeeksJan2021.txt"


def test_calls_in_order_of_arrival(file):
    file.write_text(HEADER + "a,f,10.5,0.5\nb,f,3,2\na,g,4,0\na,f,9.25,8.5\n")
    trace = load_trace(file)
    assert trace.functions[["app", "name"]].to_numpy().tolist() == [["a", "f"], ["b", "f"], ["a", "g"]]
    assert trace.arrival_s.tolist() == [0.75, 1.0, 4.0, 10.0]
    assert trace.duration_s.tolist() == [8.5, 2.0, 0.0, 0.5]
    assert trace.function.tolist() == [0, 1, 2, 0]
    assert trace.horizon_s == 10.0
    assert set(trace.functions["memory_mb"]) == {200.0}
    assert not trace.is_random
    assert "Zhang et al." in trace.about["licence"]
    assert trace.about["report"] == {
        "functions": 3, "calls": 4, "arrivals_rounded_to_zero": 0, "durations_zero": 1, "rows_dropped": 0,
    }  # fmt: skip


def test_a_start_just_before_zero_is_zero(file):
    file.write_text(HEADER + "a,f,0.25,0.25075\na,f,1,0.5\n")
    trace = load_trace(file)
    assert trace.arrival_s.tolist() == [0.0, 0.5]
    assert trace.about["report"]["arrivals_rounded_to_zero"] == 1


def test_a_start_before_zero_is_wrong(file):
    file.write_text(HEADER + "a,f,1,0.5\na,f,0.25,0.252\n")
    with pytest.raises(TraceError, match=r"row 2, column 'end_timestamp'.*\(line 3\)"):
        load_trace(file)
    trace = load_trace(file, lenient=True)
    assert len(trace) == 1
    assert repr(trace).endswith("1 rows of its files dropped>")


def test_memory_is_an_option(file):
    file.write_text(HEADER + "a,f,1,0.5\n")
    assert load_trace(file, memory_mb=512).functions["memory_mb"].tolist() == [512.0]
    with pytest.raises(TraceError, match="memory_mb"):
        load_trace(file, memory_mb=0)


def test_which_file_of_a_folder(file, tmp_path):
    file.write_text(HEADER + "a,f,1,0.5\n")
    (tmp_path / "notes.txt").write_text("mine")
    assert len(load_trace(tmp_path)) == 1
    (tmp_path / "excerpt.csv.gz").write_bytes(gzip.compress((HEADER + "a,f,1,0.5\n").encode()))
    with pytest.raises(TraceError, match=r"Jan2021\.txt', 'excerpt\.csv\.gz"):
        load_trace(tmp_path, format="azure2021")


def test_the_excerpt(shared):
    """Counts and span as its provenance note gives them."""
    trace = load_trace(shared / "traces" / "azure2021_excerpt")
    assert len(trace) == 199
    assert trace.functions["app"].nunique() == 13
    assert len(trace.functions) == 31
    assert trace.arrival_s[0] == pytest.approx(0.0015, abs=5e-5)
    assert trace.arrival_s[-1] == trace.horizon_s == pytest.approx(1200.01, abs=0.01)
    assert np.all(trace.calls_per_function > 0)
    assert trace.about["report"]["rows_dropped"] == 0
