import pytest

from sim import TraceError, load_trace

CALLS = "func_name,invoke_time_ms\na,1\nb,1\na,10\nb,2500"
FUNCTIONS = (
    "func_name,cold_dur_ms,warm_dur_ms,mem_mb,image_name,compute,isolation\n"
    "c,4000,500,256,docker.io/x/c:latest,CPU,CONTAINERD\n"
    "a,5000,500,512,docker.io/x/a:latest,CPU,CONTAINERD\n"
    "b,900,1000,128.5,docker.io/x/b:latest,CPU,CONTAINERD"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in.csv").write_text(CALLS)
    (tmp_path / "meta.csv").write_text(FUNCTIONS)
    return tmp_path


def test_two_files(folder):
    trace = load_trace(folder)
    assert trace.functions["name"].tolist() == trace.functions["app"].tolist() == ["c", "a", "b"]
    assert trace.functions["memory_mb"].tolist() == [256.0, 512.0, 128.5]
    assert trace.arrival_s.tolist() == [0.001, 0.001, 0.01, 2.5]
    assert trace.function.tolist() == [1, 2, 1, 2]
    assert trace.duration_s.tolist() == [0.5, 1.0, 0.5, 1.0]
    assert trace.horizon_s == 2.5
    assert trace.about["format"] == "iluvatar"
    assert trace.about["report"] == {
        "functions": 3, "functions_never_called": 1, "calls": 4, "functions_cold_below_warm": 1,
        "cold_less_warm_median_s": 3.5, "rows_dropped": 0,
    }  # fmt: skip


def test_the_file_of_invocations_does(folder, tmp_path):
    assert len(load_trace(folder / "in.csv")) == 4
    (folder / "more").mkdir()
    elsewhere = (folder / "meta.csv").rename(folder / "more" / "functions.csv")
    with pytest.raises(TraceError, match="cold_dur_ms"):
        load_trace(folder)
    assert len(load_trace(folder, metadata=str(elsewhere))) == 4


def test_a_call_of_nothing(folder):
    (folder / "in.csv").write_text(CALLS.replace("b,1\n", "q,1\n"))
    with pytest.raises(TraceError, match=r"in\.csv, row 2, column 'func_name'.*meta\.csv.*'q' \(line 3\)"):
        load_trace(folder)
    trace = load_trace(folder, lenient=True)
    assert len(trace) == 3
    assert trace.about["report"]["rows_dropped"] == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("in.csv", "a,10", "a,-10", ["in.csv", "row 3", "'invoke_time_ms'", "-10"]),
        ("in.csv", "a,10", ",10", ["in.csv", "row 3", "'func_name'"]),
        ("meta.csv", "a,5000", "b,5000", ["meta.csv", "row 3", "'func_name'", "twice", "'b'"]),
        ("meta.csv", "500,512", "500,0", ["meta.csv", "row 2", "'mem_mb'", "'0'"]),
        ("meta.csv", "500,512", "x,512", ["meta.csv", "row 2", "'warm_dur_ms'", "'x'"]),
        ("meta.csv", "mem_mb", "memory", ["mem_mb"]),
    ],
)
def test_what_is_wrong_is_named(folder, file, old, new, parts):
    (folder / file).write_text((folder / file).read_text().replace(old, new))
    with pytest.raises(TraceError) as error:
        load_trace(folder)
    assert all(part in str(error.value) for part in parts), error.value


def test_several_of_a_kind(folder):
    (folder / "meta2.csv").write_text(FUNCTIONS)
    with pytest.raises(TraceError, match=r"\['meta\.csv', 'meta2\.csv'\]"):
        load_trace(folder)
    (folder / "in2.csv").write_text(CALLS)
    with pytest.raises(TraceError, match=r"\['in\.csv', 'in2\.csv'\]"):
        load_trace(folder, format="iluvatar")
