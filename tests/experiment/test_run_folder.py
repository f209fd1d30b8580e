"""The folder of a run: read back as it was written, the same bytes for the same content, whole files or none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from sim import Platform, Trace, load_pricing, load_provider
from sim.experiment import run_folder
from sim.experiment.comparison import Comparison, Setting, compare
from sim.experiment.run_folder import read_comparison, write_run
from sim.policies import Clairvoyant, FixedWindow

CONFIG = "seed: 0\nname: zwölf\n"
MANIFEST = {"versions": {"python": "3.11"}, "trace": {"about": {"path": "später"}}}


@pytest.fixture(scope="module")
def compared() -> Comparison:
    trace = Trace.from_arrays([0, 1, 0, 0], [0.0, 10.0, 30.0, 700.0], 2.0)
    setting = Setting(Platform(start_s=0.5), load_pricing(), load_provider())
    return compare(trace, {"1 min": FixedWindow(60), "Zukunft (±)": Clairvoyant()}, setting)


def test_a_run_is_read_as_it_was_written(tmp_path: Path, compared: Comparison) -> None:
    write_run(tmp_path / "new" / "folder", compared, CONFIG, MANIFEST)
    folder = tmp_path / "new" / "folder"
    read = read_comparison(folder)
    pd.testing.assert_frame_equal(read.frame, compared.frame, check_exact=True)
    assert dict(read.notes) == dict(compared.notes)
    assert (folder / "config.yaml").read_text("utf-8") == CONFIG
    assert json.loads((folder / "manifest.json").read_text("utf-8")) == MANIFEST
    assert sorted(file.name for file in folder.iterdir()) == [
        "comparison.csv", "comparison.parquet", "config.yaml", "manifest.json"
    ]  # fmt: skip


def test_the_csv_holds_the_same_numbers(tmp_path: Path, compared: Comparison) -> None:
    write_run(tmp_path, compared, CONFIG, MANIFEST)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "comparison.csv"), compared.frame, check_dtype=False, rtol=0)
    assert b"\r" not in (tmp_path / "comparison.csv").read_bytes()


def test_the_same_comparison_gives_the_same_bytes(tmp_path: Path, compared: Comparison) -> None:
    again = Comparison(compared.frame.copy(), dict(compared.notes))
    write_run(tmp_path / "a", compared, CONFIG, MANIFEST)
    write_run(tmp_path / "b", again, CONFIG, MANIFEST)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_the_parquet_file_says_nothing_of_who_wrote_it(tmp_path: Path, compared: Comparison) -> None:
    write_run(tmp_path, compared, CONFIG, MANIFEST)
    metadata = pq.read_schema(tmp_path / "comparison.parquet").metadata
    assert {key.decode() for key in metadata} == {f"keepwarm.{key}" for key in compared.notes}


def test_missing_values_stay_missing(tmp_path: Path, compared: Comparison) -> None:
    write_run(tmp_path, compared, CONFIG, MANIFEST)
    read = read_comparison(tmp_path).frame["latency_p99_s_ci95"]
    assert read.dtype == np.float64
    assert read.isna().all()


def test_a_run_replaces_an_older_one(tmp_path: Path, compared: Comparison) -> None:
    write_run(tmp_path, compared, "old: 1\n", {})
    write_run(tmp_path, compared, CONFIG, MANIFEST)
    assert (tmp_path / "config.yaml").read_text("utf-8") == CONFIG


@pytest.mark.parametrize("failing", ["write_bytes", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, compared: Comparison, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    write_run(tmp_path, compared, "old: 1\n", MANIFEST)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    half = Path.write_bytes

    def write_half(path: Path, content: bytes) -> None:
        half(path, content[: len(content) // 2])
        raise error

    def replace(source: Path, target: Path) -> None:
        raise error

    if failing == "write_bytes":
        monkeypatch.setattr(Path, "write_bytes", write_half)
    else:
        monkeypatch.setattr(run_folder.os, "replace", replace)
    with pytest.raises(type(error)):
        write_run(tmp_path, compared, CONFIG, MANIFEST)
    monkeypatch.undo()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_manifest_comes_last_so_that_a_folder_that_has_one_is_complete(
    tmp_path: Path, compared: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    replace = run_folder.os.replace

    def watched(source: Path, target: Path) -> None:
        written.append(target.name)
        replace(source, target)

    monkeypatch.setattr(run_folder.os, "replace", watched)
    write_run(tmp_path, compared, CONFIG, MANIFEST)
    assert len(written) == 4
    assert written[-1] == "manifest.json"


def test_a_manifest_that_cannot_be_written_is_no_manifest(tmp_path: Path, compared: Comparison) -> None:
    with pytest.raises(TypeError):
        write_run(tmp_path, compared, CONFIG, {"trace": object()})
    assert not (tmp_path / "manifest.json").exists()
