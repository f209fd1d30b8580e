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
from sim.experiment.comparison import compare
from sim.experiment.run_folder import CLAIM, claimed, write_manifest, write_table
from sim.experiment.setting import Setting
from sim.policies import Clairvoyant, FixedWindow
from sim.results import store
from sim.results.outcome import VariantOutcome

MANIFEST = {"versions": {"python": "3.11"}, "trace": {"about": {"path": "später"}}}


@pytest.fixture(scope="module")
def compared() -> VariantOutcome:
    trace = Trace.from_arrays([0, 1, 0, 0], [0.0, 10.0, 30.0, 700.0], 2.0)
    setting = Setting(Platform(start_s=0.5), load_pricing(), load_provider())
    return compare(trace, {"1 min": FixedWindow(60), "Zukunft (±)": Clairvoyant()}, setting)


def test_a_table_is_read_as_it_was_written(tmp_path: Path, compared: VariantOutcome) -> None:
    write_table(tmp_path, "comparison", compared.frame, compared.notes)
    table = pq.read_table(tmp_path / "comparison.parquet", use_threads=False)
    pd.testing.assert_frame_equal(table.to_pandas(), compared.frame, check_exact=True)
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata == {f"keepwarm.{key}": note for key, note in compared.notes.items()}  # and nothing of who wrote it
    csv = tmp_path / "comparison.csv"
    pd.testing.assert_frame_equal(pd.read_csv(csv), compared.frame, check_dtype=False, rtol=0)
    assert b"\r" not in csv.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["comparison.csv", "comparison.parquet"]


def test_the_same_table_gives_the_same_bytes(tmp_path: Path, compared: VariantOutcome) -> None:
    for name, frame in (("a", compared.frame), ("b", compared.frame.copy())):
        write_table(tmp_path, name, frame, compared.notes)
    for suffix in ("csv", "parquet"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_no_text_of_a_csv_file_is_a_formula(tmp_path: Path) -> None:
    names = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "a=1", 'a,"b"\n', ""]
    write_table(tmp_path, "t", pd.DataFrame({"policy": names, "value": -1.5}))
    read = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert read["policy"].tolist() == [*(f"'{name}" for name in names[:5]), "\ufffd=1", *names[6:]]
    assert read["value"].eq(-1.5).all()
    assert pd.read_parquet(tmp_path / "t.parquet")["policy"].tolist() == names


def test_missing_values_stay_missing(tmp_path: Path, compared: VariantOutcome) -> None:
    write_table(tmp_path, "t", compared.frame)
    read = pd.read_parquet(tmp_path / "t.parquet")["latency_p99_s_ci95"]
    assert read.dtype == np.float64
    assert read.isna().all()


def test_a_manifest_is_json_for_people(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    text = (tmp_path / "manifest.json").read_text("utf-8")
    assert json.loads(text) == MANIFEST
    assert "später" in text
    with pytest.raises(TypeError):
        write_manifest(tmp_path, {"trace": object()})
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8")) == MANIFEST


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    store.write_whole(tmp_path / "file", b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(store.os, failing, fail)
    with pytest.raises(type(error)):
        store.write_whole(tmp_path / "file", b"new")
    monkeypatch.undo()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"file": b"old"}


def test_of_writers_at_once_one_wins_whole(tmp_path: Path) -> None:
    contents = [bytes([n]) * 100_000 for n in range(16)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda content: store.write_whole(tmp_path / "file", content), contents))
    assert (tmp_path / "file").read_bytes() in contents
    assert len(list(tmp_path.iterdir())) == 1


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


def test_a_finished_run_is_never_overwritten(tmp_path: Path, compared: VariantOutcome) -> None:
    with claimed(tmp_path / "run") as mine:
        write_table(mine, "comparison", compared.frame)
        write_manifest(mine, MANIFEST)
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
