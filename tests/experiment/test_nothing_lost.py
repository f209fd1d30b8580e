"""Runs that are killed, damaged, starved or sabotaged: what was finished is kept, and the end is the same bytes."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from command import small_trace
from misbehaving import Deadly, Hanging, Locked, Murderous, Nonsense, Raising, Slow

from sim import Platform, Trace, load_platform, load_pricing, load_provider
from sim.experiment.executors import Local
from sim.experiment.experiment import Experiment, Variant, run_experiment
from sim.experiment.index import Index
from sim.experiment.replications import Replications
from sim.experiment.run_folder import load_run
from sim.experiment.runner import CellsFailedError, Runner
from sim.experiment.setting import Setting
from sim.policies import FixedWindow, KeepAlive
from sim.results.store import find_digest

HERE = Path(__file__).resolve().parent
FOUR = [f"slow{i}" for i in range(4)]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trace(tmp_path_factory.mktemp("traces") / "small")


@pytest.fixture(scope="module")
def fifty(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The words of a run of 50 cells: four policies and the baseline, ten replications."""
    presets = tmp_path_factory.mktemp("presets")
    (presets / "policy").mkdir()
    for i, name in enumerate(FOUR):
        (presets / "policy" / f"{name}.yaml").write_text(
            f"# @package policies.{name}\n_target_: misbehaving.Slow\nwindow_s: {60 * (i + 1)}\n"
        )
    words = [f"--config-dir={presets}", "--trust=misbehaving", f"policy=[{','.join(FOUR)}]", "replications=10"]
    return [*words, "report=false", f"workload.path={trace}", "hydra.run.dir=run"]


def start(words: list[str], where: Path, **options: object) -> subprocess.Popen[str]:
    where.mkdir(exist_ok=True)
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "sim", *words], cwd=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": path}, **options,
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


def finish(words: list[str], where: Path) -> str:
    process = start(words, where)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(fifty: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run that nothing happened to."""
    where = tmp_path_factory.mktemp("undisturbed")
    finish([*fifty, "executor.jobs=1"], where)
    return where / "run"


@pytest.mark.xdist_group("fifty")
@pytest.mark.parametrize("executor_jobs", [1, 2])
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(
    fifty: list[str], undisturbed: Path, tmp_path: Path, executor_jobs: int
) -> None:
    words, moments = [*fifty, f"executor.jobs={executor_jobs}"], random.Random(executor_jobs)
    for _ in range(2):
        process = start(words, tmp_path)
        assert process.stdout is not None
        wanted = moments.randint(1, 12)
        for line in process.stdout:
            if line.startswith(f"[{wanted}/"):
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert not (tmp_path / "run" / "manifest.json").exists()
        assert load_run(tmp_path / "run").variants  # what there is can be looked at
    out = finish(words, tmp_path)
    there = int(out.split(" runs were there already")[0].split()[-1])
    assert 2 <= there < 50
    assert out.count(" cold, ") == 50 - there  # no finished cell was run again
    given = contents(tmp_path / "run")
    expected = contents(undisturbed)
    assert given.pop("config.yaml") == expected.pop("config.yaml").replace(
        b"jobs: 1", f"jobs: {executor_jobs}".encode()
    )
    assert given == expected


@pytest.mark.xdist_group("fifty")
def test_parts_that_are_damaged_are_run_again_and_no_others(
    fifty: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(undisturbed, copy)
    (copy / "manifest.json").unlink()
    parts = sorted((copy / "cells").iterdir())
    parts[0].write_bytes(parts[0].read_bytes()[:-1])
    parts[1].write_bytes(parts[1].read_bytes()[: len(parts[1].read_bytes()) // 2])
    flipped = bytearray(parts[2].read_bytes())
    flipped[len(flipped) // 3] ^= 1
    parts[2].write_bytes(flipped)
    parts[3].write_bytes(b"")
    parts[4].write_bytes(b"cos\nsystem\n(S'true'\ntR.")  # a pickle that runs a command
    parts[5].unlink()
    assert len(load_run(copy).frame)  # what is left can be looked at
    assert "44 runs were there already" in finish([*fifty, "executor.jobs=1"], tmp_path)
    assert contents(copy) == contents(undisturbed)


# In this process


PLATFORM = Platform(start_s=0.5)


def run(
    policies: Mapping[str, KeepAlive], folder: Path, *, jobs: int = 2, replications: int = 1, **options: object
) -> tuple[Index, Runner]:
    trace = Trace.from_arrays([0, 1, 0, 0], [0.0, 10.0, 30.0, 700.0], 2.0)
    setting = Setting(PLATFORM if replications == 1 else load_platform(), load_pricing(), load_provider())
    experiment = Experiment([Variant("", "", lambda: trace, setting)], policies, Replications(replications))
    folder.mkdir(exist_ok=True)
    runner = Runner(Local(jobs), folder, **options)  # type: ignore[arg-type]
    return run_experiment(experiment, runner).index, runner


GOOD: dict[str, KeepAlive] = {"1 min": FixedWindow(60), "10 min": FixedWindow(600)}


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Raising(), "bad: raised ZeroDivisionError: a bug of mine (misbehaving.py, line "),
        (Nonsense(), "bad: Nonsense returned a window that is negative or not a number"),
        (Nonsense("soon"), "bad: Nonsense returned 'soon' where a window in seconds belongs"),
        (Hanging(), "bad: took longer than 1 s"),
        (Hanging(deaf=True), "bad: its process died, when it was run alone too"),
        (Murderous(), "bad: its process died, when it was run alone too"),
        (Deadly(), "bad: its process died, when it was run alone too"),
        (Locked(), "bad: cannot be sent to another process (executor.jobs=1): "),
    ],
)
def test_of_a_policy_that_misbehaves_one_thing_is_said_and_all_others_are_kept(
    tmp_path: Path, policy: KeepAlive, message: str
) -> None:
    index, _ = run({"bad": policy, **GOOD}, tmp_path / "cells", limit_s=1.0)
    assert len(index.failures) == 1
    assert index.failures[0].startswith(message)
    assert index.outcome().frame["policy"].tolist() == list(GOOD)
    assert not list((tmp_path / "cells").glob("*.running"))


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    index, runner = run({"unlucky": Murderous(str(counter)), **GOOD}, tmp_path / "cells")
    assert not index.failures
    assert counter.read_text() == "xx"
    assert index.outcome().frame["policy"].tolist() == ["unlucky", *GOOD]
    assert len(runner.digests) == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_fail_fast(tmp_path: Path, jobs: int) -> None:
    slow = {f"slow {i}": Slow(100.0 + i, 0.3) for i in range(12)}
    with pytest.raises(CellsFailedError, match="bad: raised ZeroDivisionError") as error:
        run({"bad": Raising(), **slow}, tmp_path / "cells", jobs=jobs, fail_fast=True)
    assert "in windows_s" in error.value.__notes__[0]  # for whoever debugs
    assert len(list((tmp_path / "cells").glob("*.parquet"))) < 12


def test_finished_cells_of_another_run_are_taken(tmp_path: Path) -> None:
    run(GOOD, tmp_path / "one")
    index, runner = run({"new": FixedWindow(61), **GOOD}, tmp_path / "two", others=[tmp_path / "one"])
    assert runner.reused == 2
    shutil.rmtree(tmp_path / "one")
    assert index.outcome().frame["policy"].tolist() == ["new", *GOOD]


def test_a_damaged_part_is_mended_from_another_run(tmp_path: Path) -> None:
    run(GOOD, tmp_path / "one")
    run(GOOD, tmp_path / "two", others=[tmp_path / "one"])
    for path in (tmp_path / "two").iterdir():
        path.unlink()
        path.write_bytes(b"half")
    index, runner = run(GOOD, tmp_path / "two", others=[tmp_path / "one"])
    assert runner.reused == 2
    assert index.outcome().frame["policy"].tolist() == list(GOOD)


def test_classes_whose_source_cannot_be_read_are_run_anew(tmp_path: Path) -> None:
    class Mine(FixedWindow):
        pass

    run({"mine": Mine(60), **GOOD}, tmp_path, jobs=1)
    _, runner = run({"mine": Mine(60), **GOOD}, tmp_path, jobs=1)
    assert runner.reused == 2
    assert len(runner.digests) == 3


# A disk that fills


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems can only be mounted by the administrator; see the next test")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    windows = {f"{i} s": FixedWindow(i) for i in range(100)}
    with pytest.raises(CellsFailedError, match="cannot be written to: No space left on device"):
        run(windows, small_disk / "cells", jobs=1)
    kept = list((small_disk / "cells").glob("*.parquet"))
    assert 3 < len(kept) < 100
    assert all(find_digest(path.parent, path.stem.split("-")[0]) for path in kept)
    assert not list((small_disk / "cells").glob(".*.partial"))


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    """As a quota would have it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(CellsFailedError, match="cannot be written to: File too large"):
            run(GOOD, tmp_path / "cells", jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list((tmp_path / "cells").glob(".*.partial"))
    index, _ = run(GOOD, tmp_path / "cells", jobs=1)
    assert index.outcome().frame["policy"].tolist() == list(GOOD)


def test_one_process_and_two_write_the_same_files(tmp_path: Path) -> None:
    for jobs in (1, 2):
        run(GOOD, tmp_path / str(jobs), jobs=jobs, replications=3)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / jobs).iterdir()} for jobs in ("1", "2"))
    assert one == two
    assert len(one) == 6
