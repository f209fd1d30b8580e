import gzip
import inspect

import pytest
from omegaconf import OmegaConf

from sim import Trace, TraceError, load_trace
from sim.config import config_dir
from sim.workload.load import READERS


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


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"what,ever\n1,2\n", "none of the formats"),
        (b"", "is empty"),
        (gzip.compress(b"app,func,end_timestamp,duration\n" * 9, mtime=0)[:-9], "damaged, or was cut short"),
        (b"Rar!\x1a\x07\x01\x00", "RAR archive: unpack it first"),
        (b"\xff\xfea\x00", "UTF-16"),
    ],
)
def test_a_file_that_fits_nothing_is_told_what_it_is(tmp_path, data, part):
    (tmp_path / "trace").write_bytes(data)
    with pytest.raises(TraceError, match=part):
        load_trace(tmp_path / "trace")


@pytest.mark.parametrize("name", [name for name in READERS if name != "canonical"])
def test_every_format_has_a_preset_of_its_options(name):
    preset = OmegaConf.to_container(OmegaConf.load(config_dir() / "workload" / f"{name}.yaml"), resolve=False)
    assert preset.pop("format") == name
    assert preset.pop("path") == "???"
    preset.pop("transforms", None)  # not the reader's: what is done to the trace afterwards
    defaults = {key: parameter.default for key, parameter in inspect.signature(READERS[name].read).parameters.items()}
    for option, value in preset.items():
        default = "${seed}" if option == "seed" else defaults[option]
        assert value == (list(default) if isinstance(default, tuple) else default), option
    assert "lenient" in preset


@pytest.mark.parametrize("name", READERS)
def test_every_reader_can_be_lenient(name):
    assert "lenient" in READERS[name].options
