"""``keepwarm run``: what it writes and says, alone and in sweeps, and what an interrupted one leaves."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import keepwarm
from quick_runs import FILES, PARTS, QUICK, left_in

from sim import config, jobs
from sim.experiment.cells import RUNNING
from sim.experiment.run_folder import load_run
from sim.experiment.runner import Runner

pytestmark = pytest.mark.usefixtures("here")

WRITTEN = ", ".join(sorted([*FILES, *PARTS]))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# What a run writes


def test_a_run_writes_its_files_and_nothing_else(here: Path, trace: Path) -> None:
    done = keepwarm("run", *QUICK, f"workload.path={trace}", "hydra.run.dir=out/run")
    assert (done.status, done.err) == (0, "")
    assert left_in(here) == [f"out/run/{name}" for name in FILES]
    assert f"written to {Path('out/run')}: {WRITTEN}" in done.out


def test_a_run_ends_in_a_report_unless_it_is_not_wanted(
    here: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "conf").mkdir()
    done = keepwarm("run", *QUICK[:-1], f"workload.path={trace}", "hydra.run.dir=run", "--config-dir", "conf")
    assert done.status == 0, done.err
    assert {"report.html", "table.md", "table.tex", "figures"} <= {path.name for path in (here / "run").iterdir()}
    assert (here / "run" / "figures" / "pareto.png").read_bytes().startswith(b"\x89PNG")
    assert (here / "run" / "figures" / "pareto.svg").read_text().startswith("<?xml")
    page = (here / "run" / "report.html").read_text()
    assert "keepwarm run --config-dir conf platform=constant_start" in page
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    assert keepwarm("rerun", "../run").status == 0
    monkeypatch.chdir(here)
    (here / "run" / "report.html").unlink()
    assert keepwarm("report", "run").status == 0
    assert (here / "run" / "report.html").read_text() == page


def test_a_run_goes_to_a_folder_named_by_the_time(here: Path, trace: Path) -> None:
    assert keepwarm("run", *QUICK, f"workload.path={trace}").status == 0
    assert [re.sub(r"\d", "0", name) for name in left_in(here)] == [f"outputs/0000-00-00/00-00-00/{n}" for n in FILES]


def test_two_runs_begun_in_the_same_second_are_both_kept(here: Path, trace: Path) -> None:
    words = ["run", *QUICK, f"workload.path={trace}", "hydra.run.dir=out/${now:%Y}"]
    assert [keepwarm(*words, f"seed={seed}").status for seed in (1, 2)] == [0, 0]
    first, second = sorted((here / "out").iterdir())
    assert second.name == f"{first.name}-2"
    assert [json.loads((run / "manifest.json").read_text())["seed"] for run in (first, second)] == [1, 2]
    assert left_in(second) == FILES


@pytest.mark.parametrize("sweep", [False, True])
def test_a_finished_run_is_not_overwritten_unasked(here: Path, trace: Path, sweep: bool) -> None:
    words = ["run", *QUICK, f"workload.path={trace}", "hydra.run.dir=0", "hydra.sweep.dir=."]
    assert keepwarm(*words).status == 0
    before = {file: (here / file).read_bytes() for file in left_in(here)}
    done = keepwarm(*words, "seed=5", *["--multirun"] * sweep)
    assert (done.status, done.err.count("\n")) == (2, 1 + sweep), done.err
    assert "holds a finished run: name another folder, or remove it" in done.err
    assert {file: (here / file).read_bytes() for file in before} == before


def test_what_is_written_can_be_read(here: Path, trace: Path) -> None:
    keepwarm("run", *QUICK, f"workload.path={trace}", "hydra.run.dir=run", "policies.fixed_1m.window_s=90", "seed=4")
    table = pd.read_csv("run/comparison.csv")
    assert table["policy"].tolist() == ["fixed_1m (window_s=90)", "fixed_10m"]
    assert table["wasted_normalised"].tolist()[1] == 1.0
    pd.testing.assert_frame_equal(load_run(here / "run").frame, table, check_dtype=False)
    manifest = json.loads((here / "run" / "manifest.json").read_text())
    assert manifest["overrides"] == [*QUICK, f"workload.path={trace}", "policies.fixed_1m.window_s=90", "seed=4"]
    assert (manifest["seed"], manifest["trace"]["calls"]) == (4, 40)


def test_the_same_run_gives_the_same_bytes_in_another_folder_and_another_process(here: Path, trace: Path) -> None:
    words = [
        "policy=[fixed_1m,fixed_10m]",
        "replications=2",
        "report=false",
        f"workload.path={trace}",
    ]  # starts drawn phase by phase
    assert keepwarm("run", *words, "hydra.run.dir=one").status == 0
    assert keepwarm("run", *words, f"hydra.run.dir={here}/two").status == 0
    (here / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "sim", *words, "hydra.run.dir=three"], cwd=here / "elsewhere", capture_output=True,
        text=True, timeout=60, check=False, env=os.environ | {"PYTHONHASHSEED": "1", "COLUMNS": "50"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert contents(here / "one") == contents(here / "two") == contents(here / "elsewhere" / "three")


def test_another_seed_gives_other_bytes(here: Path, trace: Path) -> None:
    words = [*QUICK[2:], "policy=[fixed_1m]", f"workload.path={trace}"]
    for seed in ("1", "2"):
        keepwarm("run", *words, f"seed={seed}", f"hydra.run.dir={seed}")
    one, two = contents(here / "1"), contents(here / "2")
    assert all(one[name] != two[name] for name in ("config.yaml", "comparison.csv", "comparison.parquet"))


def test_configs_and_trace_are_found_from_anywhere(here: Path) -> None:
    assert config.config_dir().is_absolute()
    done = keepwarm("run", *QUICK, "hydra.run.dir=run", "horizon_s=60", "policy=[fixed_10m]")
    assert done.status == 0, done.err
    assert left_in(here) == [f"run/{name}" for name in FILES]


# What it says


def test_without_a_terminal_a_run_reports_in_plain_lines(trace: Path) -> None:
    done = keepwarm("run", *QUICK, f"workload.path={trace}", "hydra.run.dir=run")
    assert done.out.startswith("<Trace: 40 calls of 3 functions over ")
    assert re.findall(r"^\[(\d/\d)\] (\w+): 40 calls, [\d.]+% cold, ", done.out, re.MULTILINE) == [
        ("1/2", "fixed_1m"),
        ("2/2", "fixed_10m"),
    ]
    assert "\x1b" not in done.out
    assert "±" not in done.out
    assert "nothing is random here" in done.out


@pytest.mark.parametrize(
    ("overrides", "last"),
    [
        (["policy=[fixed_1m]"], "[2/2] (baseline): "),
        (["replications=3"], "[2/2] fixed_10m: "),  # nothing is random: one replication says it all
        (["platform=default", "policy=[fixed_10m]", "replications=3"], "[3/3] fixed_10m, replication 2: "),
    ],
)
def test_the_number_of_runs_is_known_beforehand(trace: Path, overrides: list[str], last: str) -> None:
    done = keepwarm("run", *QUICK, *overrides, f"workload.path={trace}", "hydra.run.dir=run")
    assert [line for line in done.out.splitlines() if line.startswith("[")][-1].startswith(last)


def test_replications_come_with_intervals(trace: Path) -> None:
    done = keepwarm("run", *QUICK[1:], "replications=3", f"workload.path={trace}", "hydra.run.dir=r")
    assert done.out.count("±") > 4
    assert "95 % t intervals over 3 replications" in done.out
    assert pd.read_csv("r/comparison.csv")["latency_p99_s_ci95"].gt(0).all()


def test_a_terminal_gets_a_progress_bar(here: Path, trace: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", *QUICK, f"workload.path={trace}", "hydra.run.dir=run"], stdin=subprocess.DEVNULL,
        stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )  # fmt: skip
    os.close(theirs)
    shown = read_all(ours)
    assert process.wait(timeout=60) == 0
    assert re.search(r"2/2.* runs,.* gone, left", shown)
    assert "━" in shown
    assert "\x1b[" in shown
    assert "[1/2]" not in shown
    assert "cold" in shown
    assert left_in(here) == [f"run/{name}" for name in FILES]


def read_all(descriptor: int) -> str:
    """What is written to a pseudo-terminal until its other end is closed."""
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(descriptor)
    return b"".join(parts).decode()


# Sweeps


def test_a_sweep_writes_a_folder_a_job(here: Path, trace: Path) -> None:
    done = keepwarm("run", *QUICK, "--multirun", "seed=1,2", f"workload.path={trace}", "hydra.sweep.dir=sweep")
    assert (done.status, done.err) == (0, "")
    assert left_in(here) == sorted(["sweep/multirun.yaml", *(f"sweep/{job}/{name}" for job in "01" for name in FILES)])
    assert [json.loads((here / "sweep" / job / "manifest.json").read_text())["seed"] for job in "01"] == [1, 2]


def test_lists_of_policies_are_swept_too(here: Path, trace: Path) -> None:
    done = keepwarm("run", "-m", QUICK[0], "policy=[fixed_1m],[fixed_2m,fixed_10m]", f"workload.path={trace}",
                    "hydra.sweep.dir=sweep")  # fmt: skip
    assert done.status == 0, done.err
    assert [len(pd.read_csv(f"sweep/{job}/comparison.csv")) for job in "01"] == [1, 2]


@pytest.mark.parametrize("fail_fast", [False, True])
def test_of_a_sweep_all_is_done_that_can_be(here: Path, trace: Path, fail_fast: bool) -> None:
    done = keepwarm("run", "-m", *QUICK, "policies.fixed_1m.window_s=90,abc,120", f"workload.path={trace}",
                    "hydra.sweep.dir=sweep", f"fail_fast={fail_fast}")  # fmt: skip
    assert done.status == 2
    said = "policies.fixed_1m.window_s: expected a number, got 'abc'\n"
    more = f"error in job 1: {said}error: of the sweep, not finished: job 1\n"
    assert done.err == (f"error: {said}" if fail_fast else more)
    jobs = "0" if fail_fast else "02"
    assert left_in(here) == sorted(["sweep/multirun.yaml", *(f"sweep/{job}/{name}" for job in jobs for name in FILES)])


def test_a_sweep_begun_again_does_what_is_left(here: Path, trace: Path) -> None:
    words = ["run", "-m", *QUICK, f"workload.path={trace}", "hydra.sweep.dir=sweep"]
    assert keepwarm(*words, "seed=1,2,3").status == 0
    sweep = here / "sweep"
    before = {name: (sweep / name).stat().st_mtime_ns for name in left_in(sweep) if name[0] in "02"}
    (sweep / "1/manifest.json").unlink()
    done = keepwarm(*words, "seed=1,2,3")
    assert done.status == 0
    assert done.err == "finished already: sweep/0\nfinished already: sweep/2\n"
    assert before == {name: (sweep / name).stat().st_mtime_ns for name in before}
    assert json.loads((sweep / "1/manifest.json").read_text())["seed"] == 2
    assert "0 holds a finished run" in keepwarm(*words, "seed=4,2,3").err


# Interrupted


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["run_experiment", "write_table", "publish", "write_manifest"])
def test_an_interrupted_run_leaves_no_half_of_anything(
    here: Path, trace: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    words = ["run", *QUICK, f"workload.path={trace}", "hydra.run.dir=run"]
    with monkeypatch.context() as patched:
        patched.setattr(jobs, where, interrupt)
        done = keepwarm(*words)
    assert done.status == 130
    assert "stopped" in done.err
    left = left_in(here)
    assert set(left) <= {f"run/{name}" for name in FILES} - {"run/manifest.json"}
    assert bool(left) == (where != "run_experiment")  # nothing was run: nothing is left
    if left:
        assert "2 finished runs are kept in run; go on with: keepwarm run hydra.run.dir=run " in done.err
    again = keepwarm(*words)
    assert again.status == 0
    assert ("2 runs were there already" in again.out) == bool(left)
    assert left_in(here) == [f"run/{name}" for name in FILES]


def test_workers_that_are_stopped_before_the_first_run_has_ended_leave_nothing(
    here: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: object, runner: Runner, *__: object) -> None:
        (runner.folder / f"{'0' * 32}{RUNNING}").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "run_experiment", stopped)
    assert keepwarm("run", *QUICK, f"workload.path={trace}", "hydra.run.dir=run").status == 130
    assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("sent", "status", "executor_jobs"), [(signal.SIGINT, 130, 2), (signal.SIGTERM, 143, 2), (signal.SIGTERM, 143, 1)]
)
def test_a_signal_in_the_middle_of_a_run(here: Path, sent: signal.Signals, status: int, executor_jobs: int) -> None:
    # A shell may have told its background jobs to ignore the signal: the handler is set anew.
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from sim.cli import main; "
    words = ["run", "platform=constant_start", f"executor.jobs={executor_jobs}", "hydra.run.dir=run", "report=false",
             "horizon_s=21600"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program}sys.exit(main({words}))"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[1/7]"):  # the first run is done, others under way
            break
    os.killpg(process.pid, sent)  # as a terminal does: workers too
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert "Traceback" not in err
    assert "written to" not in out
    assert re.search(r"kept in run; go on with: keepwarm run hydra.run.dir=run platform=constant_start", err)
    assert "stopped" in err
    assert len(list((here / "run" / "cells").glob("*.parquet"))) >= 1
    assert not list(here.rglob("*.partial"))
    assert not list((here / "run" / "cells").glob(".shared-*"))
