"""Sweeps by Hydra's launchers: jobs in processes of their own, each in a folder of its own."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from command import keepwarm, small_trace

from sim import Trace
from sim.policies import KeepAlive

QUICK = ("platform=constant_start", "policy=[fixed_1m]", "executor.jobs=1")
LOCAL = ("joblib", "submitit_local")


@dataclass(frozen=True)
class Broken(KeepAlive):
    """A policy with a bug."""

    def windows_s(self, future: Trace | None) -> float:
        raise ZeroDivisionError("a bug of mine")


@pytest.fixture(autouse=True)
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What all sweeps here have in common; every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return (*QUICK, f"workload.path={small_trace(tmp_path / 'small')}", f"hydra.sweep.dir={tmp_path / 'sweep'}")


def manifest(job: int) -> dict[str, object]:
    return json.loads((Path("sweep") / str(job) / "manifest.json").read_text("utf-8"))


def claims() -> list[Path]:
    return list(Path("sweep").rglob(".claim"))


@pytest.mark.parametrize("launcher", LOCAL)
def test_jobs_of_a_sweep_run_in_processes_and_folders_of_their_own(words: tuple[str, ...], launcher: str) -> None:
    done = keepwarm("run", "--multirun", f"hydra/launcher={launcher}", "warm_up_s=0,100", *words)
    assert (done.status, done.err) == (0, "")
    for job, warm_up_s in enumerate(("0", "100")):
        assert manifest(job)["overrides"] == [f"warm_up_s={warm_up_s}", *words[:-1]]
    assert claims() == []


@pytest.mark.parametrize("launcher", LOCAL)
def test_a_job_that_is_refused_keeps_no_other_from_its_end(words: tuple[str, ...], launcher: str) -> None:
    finished = Path("sweep") / "0" / "manifest.json"
    finished.parent.mkdir(parents=True)
    finished.write_text("{}", "utf-8")
    done = keepwarm("run", "--multirun", f"hydra/launcher={launcher}", "seed=1,2", *words)
    assert done.status == 2
    assert done.err.splitlines()[-1].startswith("error: ")
    assert "sweep/0 holds a finished run: name another folder, or remove it" in done.err
    assert "Traceback" not in done.err
    assert manifest(0) == {}
    assert manifest(1)["seed"] == 2
    assert claims() == []


def test_a_job_on_slurm_is_what_was_asked_for(words: tuple[str, ...]) -> None:
    asked = ("hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=16", "hydra.launcher.partition=short")
    done = keepwarm("run", *asked, *words, "--cfg", "hydra", "--package", "hydra.launcher")
    launcher = yaml.safe_load(done.out)
    assert (done.status, done.err) == (0, "")
    assert launcher["_target_"] == "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
    assert (launcher["cpus_per_task"], launcher["partition"]) == (16, "short")


def test_on_slurm_what_nobody_trusts_is_refused_as_everywhere(words: tuple[str, ...]) -> None:
    done = keepwarm("run", "--multirun", "hydra/launcher=submitit_slurm", "hydra.launcher._target_=os.system", *words)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "hydra.launcher._target_: os.system is not trusted" in done.err


def test_a_sweep_is_not_shown_and_run_at_once(words: tuple[str, ...]) -> None:
    done = keepwarm("run", "--multirun", "seed=1,2", *words, "--cfg", "job")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "--multirun runs jobs, --cfg and --info only show a configuration" in done.err


def test_a_sweep_that_ends_early_is_gone_on_with(words: tuple[str, ...]) -> None:
    broken = ("--trust", "test_launchers", "+policies.broken._target_=test_launchers.Broken")
    done = keepwarm("run", "--multirun", "seed=7", *broken, *words)
    assert done.status == 2
    assert (
        "kept in sweep/0; go on with: keepwarm run hydra.sweep.dir=sweep --trust test_launchers --multirun" in done.err
    )
    assert done.err.count("hydra.sweep.dir=") == 1
