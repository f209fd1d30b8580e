import pytest

from sim import Trace, TraceError, load_trace


def test_formats_are_told_apart(tmp_path):
    trace = Trace.from_arrays([0], [1.0], [1.0])
    assert len(load_trace(trace.save(tmp_path / "t"))) == 1
    assert len(load_trace(str(tmp_path / "t"), format="canonical")) == 1


@pytest.mark.parametrize(
    ("path", "options", "parts"),
    [
        ("nowhere", {}, ["nowhere", "no such file"]),
        ("empty", {}, ["empty", "none of the formats", "azure2019", "canonical"]),
        ("empty", {"format": "azure2019"}, ["empty", "invocations_per_function_md.anon.dNN.csv", "invocations.csv"]),
        ("empty", {"format": "azure1999"}, ["'azure1999'", "azure2019", "canonical"]),
        ("t", {"arrivals": "even"}, ["no options ['arrivals']", "canonical"]),
        ("empty", {"format": "azure2019", "speed": 2}, ["no options ['speed']", "'share'", "'minutes'"]),
    ],
)
def test_what_there_is_is_said(tmp_path, path, options, parts):
    (tmp_path / "empty").mkdir()
    Trace.from_arrays([0], [1.0], [1.0]).save(tmp_path / "t")
    with pytest.raises(TraceError) as error:
        load_trace(tmp_path / path, **options)
    assert all(part in str(error.value) for part in parts), error.value


@pytest.mark.parametrize("name", ["default", "traces/default"])
def test_the_embedded_trace_is_found_from_anywhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert len(load_trace(name)) >= 400_000


def test_a_path_that_is_there_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Trace.from_arrays([0], [1.0], [1.0]).save("default")
    assert len(load_trace("default")) == 1
