"""The folder of a run: read back as it was written, the same bytes for the same content, whole files or none."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from sim import ConfigError, Platform, Trace, load_pricing, load_provider
from sim.experiment import run_folder
from sim.experiment.comparison import Comparison, Setting, compare
from sim.experiment.run_folder import CLAIM, claimed, read_comparison, write_run
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


# Whose it is


def test_a_folder_is_one_runs_alone(tmp_path: Path) -> None:
    with claimed(tmp_path / "run") as mine:
        assert mine == tmp_path / "run"
        with pytest.raises(ConfigError, match="is in use by another run"), claimed(tmp_path / "run"):
            pass
        assert mine.is_dir()
    assert not mine.exists()  # nothing was written
    with claimed(tmp_path / "run"):
        pass


def test_a_finished_run_is_never_overwritten(tmp_path: Path, compared: Comparison) -> None:
    with claimed(tmp_path / "run") as mine:
        write_run(mine, compared, CONFIG, MANIFEST)
    before = {file.name: file.read_bytes() for file in mine.iterdir()}
    with pytest.raises(ConfigError, match="holds a finished run"), claimed(mine):
        pass
    assert {file.name: file.read_bytes() for file in mine.iterdir()} == before


def test_a_run_that_was_not_finished_may_be_continued(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_bytes(b"a cell")
    (tmp_path / CLAIM).touch()  # its process was killed
    with claimed(tmp_path) as mine:
        assert (mine / "part.parquet").read_bytes() == b"a cell"
    assert [file.name for file in tmp_path.iterdir()] == ["part.parquet"]


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    with (
        claimed(tmp_path / "run", may_rename=True) as first,
        claimed(tmp_path / "run", may_rename=True) as second,
        claimed(tmp_path / "run", may_rename=True) as third,
    ):
        assert [folder.name for folder in (first, second, third)] == ["run", "run-2", "run-3"]


def test_of_many_runs_at_once_each_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    def run(number: int) -> str:
        with claimed(tmp_path / "run", may_rename=True) as mine:
            (mine / "manifest.json").write_text(f"{number}")
            return mine.name

    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(run, range(40)))
    assert sorted(names) == sorted(["run", *(f"run-{n}" for n in range(2, 41))])
    assert sorted(int((tmp_path / name / "manifest.json").read_text()) for name in names) == list(range(40))


def test_runs_that_fail_at_once_leave_nothing(tmp_path: Path) -> None:
    def fail(_: int) -> None:
        with suppress(ZeroDivisionError), claimed(tmp_path / "run", may_rename=True):
            raise ZeroDivisionError

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fail, range(200)))
    assert list(tmp_path.iterdir()) == []
