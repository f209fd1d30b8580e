"""The command line, as a user meets it: what it writes, what it says, and how it ends."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import keepwarm, small_counts, small_trace

from sim import Trace, cli, config, jobs
from sim.experiment.cells import RUNNING
from sim.experiment.run_folder import load_run
from sim.experiment.runner import Runner
from sim.policies import KeepAlive

FILES = sorted([
    "comparison.csv", "comparison.parquet", "config.yaml", "differences.csv", "differences.parquet", "index.json",
    "manifest.json",
])  # fmt: skip
"""Of a run's folder, beside `PARTS`."""
PARTS = ["cells", "functions"]
WRITTEN = ", ".join(sorted([*FILES, *PARTS]))
QUICK = ("platform=constant_start", "policy=[fixed_1m,fixed_10m]", "executor.jobs=1", "report=false")


@dataclass(frozen=True)
class Negative(KeepAlive):
    """A policy that answers what no platform can apply."""

    def windows_s(self, future: Trace | None) -> float:
        return -1.0


@dataclass(frozen=True)
class Broken(KeepAlive):
    """A policy with a bug."""

    def windows_s(self, future: Trace | None) -> float:
        raise ZeroDivisionError("a bug of mine")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trace(tmp_path_factory.mktemp("traces") / "small")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEEPWARM_TRUST", raising=False)
    return tmp_path


def left_in(folder: Path) -> list[str]:
    """Files, but for those of a run's parts."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.parent.name not in PARTS)


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


# Commands and options


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_help_names_the_commands(words: list[str]) -> None:
    done = keepwarm(*words)
    assert (done.status, done.err) == (0, "")
    assert all(command in done.out for command in cli.COMMANDS)


def test_every_command_is_found_by_a_process_that_knows_no_other() -> None:
    program = """
import os, sys
from pkgutil import resolve_name
from sim import cli, cli_traces
places = [*cli.COMMANDS.values(), *cli_traces.COMMANDS.values()]
for place in {place.partition(":")[0]: place for place in places}.values():
    if os.fork() == 0:
        assert callable(resolve_name(place))
        sys.exit()
    assert os.wait()[1] == 0, place
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_version_is_the_packages() -> None:
    assert keepwarm("--version").out == f"keepwarm {metadata.version('keepwarm')}\n"


def test_an_unknown_command_is_met_with_those_there_are() -> None:
    done = keepwarm("rum")
    assert done.status == 2
    assert done.err.startswith("error: there is no command 'rum'; there is run, ")


def test_help_of_a_run_shows_the_configuration(here: Path) -> None:
    done = keepwarm("run", "--help")
    assert done.status == 0
    assert "window_s: 600.0" in done.out
    assert "--multirun" in keepwarm("run", "--hydra-help").out
    assert left_in(here) == []


def test_the_configuration_is_shown_and_nothing_is_run(here: Path) -> None:
    done = keepwarm("run", "--cfg", "job", *QUICK, "policies.fixed_1m.window_s=5", "workload.path=nowhere")
    assert done.status == 0
    assert "fixed_1m:\n    _target_: sim.policies.FixedWindow\n    window_s: 5\n" in done.out
    assert "hydra" not in done.out
    assert left_in(here) == []


def test_a_configuration_is_shown_before_its_missing_values_are_given() -> None:
    assert "path: ???" in keepwarm("run", "--cfg", "job", "workload=azure2019").out


def test_options_may_stand_between_overrides(here: Path, trace: Path) -> None:
    (here / "conf" / "experiment").mkdir(parents=True)
    (here / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 9\n")
    done = keepwarm("run", QUICK[0], "--config-dir", "conf", QUICK[1], "--cfg=job", "experiment=mine")
    assert done.status == 0
    assert "seed: 9" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trust"], "error: --trust needs the name of a package\n"),
        (["--trust="], "error: --trust needs the name of a package\n"),
        (["--config-dir=nowhere"], "error: there is no folder of configs at nowhere\n"),
        (["--config-name=nothing"], "error: Cannot find primary config 'nothing'."),
        (["--fast"], "keepwarm run: error: unrecognized arguments: --fast\n"),
    ],
)
def test_options_that_are_wrong(here: Path, words: list[str], message: str) -> None:
    done = keepwarm("run", *QUICK, *words)
    assert done.status == 2
    assert message in done.err
    assert left_in(here) == []


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


# What the user can mend


def assert_refused(words: Sequence[str], message: str) -> None:
    """Exit status 2, one line that says so, no traceback, and no file or folder left behind."""
    before = left_in(Path.cwd())
    done = keepwarm("run", "hydra.run.dir=run", *words)
    assert done.status == 2, done.err
    assert done.err.startswith("error: ")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err + done.out
    assert left_in(Path.cwd()) == before
    assert not Path("run").exists()
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["policy=[fixed_9m]"], "there is no policy called 'fixed_9m'; there is "),
        (["platform=nope"], "there is no platform called 'nope'; there is "),
        (["platfrom=default"], "platfrom: there is no such key; there is workload, policies, pricing, provider, "),
        (["workload.format=csv"], "there is path, transforms; a reader's own option is added with +workload.format="),
        (["a.b.c=1", "seed=3"], "a.b.c: there is no such key\n"),
        (["policies.fixed_10m.windo_s=1"], "policies.fixed_10m.windo_s: there is no such key; there is window_s\n"),
        (["+policies.fixed_10m.windo=1"], "policies.fixed_10m.windo: there is no such parameter; there is window_s"),
        (["policy=[fixed_1m,fixed_1m]"], "the policy fixed_1m is named twice"),
        (["policy.fixed_10m.window_s="], "parameters of a policy lie under policies; write policies.fixed_10m.window"),
        (["policies.fixed_10m.window_s="], "policies.fixed_10m.window_s: expected a number, got nothing"),
        (["policies.fixed_10m.window_s=abc"], "policies.fixed_10m.window_s: expected a number, got 'abc'"),
        (["policies.fixed_10m.window_s=-5"], "window_s must be a number of seconds >= 0, not -5"),
        (["policy=[]"], "no policy is named"),
        (["policy=fixed_1m,fixed_10m"], "to sweep over them add --multirun"),
        (["platform.start_s=-1"], "start_s must be a finite number of seconds >= 0, not -1"),
        (["seed=abc"], "seed: expected a whole number, got 'abc'"),
        (["policy=[fixed_1m,provisioned_1]", "pricing=azure_consumption", "workload.path=nowhere"],
         "ProvisionedFloor(n=1, window_s=600.0) holds instances, and the price book 'Azure"),
        (["replications=0"], "replications.min must be a whole number >= 1, not 0"),
        (["replications={min: 5, max: 3}"], "replications.max must be a whole number >= 5, not 3"),
        (["replications={min: 5, max: 9}"], "without target_rel_halfwidth"),
        (["replications={min: 1, max: 9, target_rel_halfwidth: 0.1}"], "replications.min must be 2 or more"),
        (["replications={metric: speed}"], "replications.metric: 'speed' has no interval; there is cold_start_rate"),
        (["replications={n: 3}"], "replications.n: there is no such parameter; there is min, max, "),
        (["intervals=functions"], "intervals: expected 'replications' or 'apps', got 'functions'"),
        (["executor.jobs=0"], "executor: jobs must be a whole number >= 1, or null for one a core, not 0"),
        (["executor=slurm"], "there is no executor called 'slurm'; there is local, ray"),
        (["vary={platform.start_s: 3}"], "vary.platform.start_s: expected a list of values, got 3"),
        (["vary={platform.start_s: []}"], "vary.platform.start_s: expected a list of values, got []"),
        (["vary={platform.start_s: [1, 1]}"], "vary.platform.start_s: a value is named twice"),
        (["vary={platform.strat_s: [1, 2]}"], "vary.platform.strat_s: there is no such key; there is _target_"),
        (["vary={platform: [1, 2]}"], "vary.platform: expected names of presets, got [1, 2]"),
        (["vary={platform: [default, nope]}"], "there is no platform called 'nope'"),
        (["vary={policies.fixed_1m.window_s: [1, 2]}"], "vary.policies.fixed_1m.window_s: may not be varied; there is"),
        (["vary={platform.start_s: [1, -2]}"], "start_s must be a finite number of seconds >= 0, not -2"),
        (["vary={seed: [1, x]}"], "seed: expected a whole number, got 'x'"),
        (["engine.name=warp"], "engine.name: there is no engine 'warp'; there is "),
        (["workload=azure2019"], "workload.path must be given: workload.path=..."),
        (["policies.fixed_1m._target_=os.system"], "os.system is not trusted: "),
        (["policies.fixed_1m._target_=sim.cli.Path"], "sim.cli.Path is pathlib.Path, which is not trusted: "),
        (["hydra.launcher._target_=os.system"], "hydra.launcher._target_: os.system is not trusted: "),
        (["policy=[fixed_1m"], "policy=[fixed_1m: not an override"),
    ],
)  # fmt: skip
def test_wrong_configurations_are_refused_in_one_line(words: list[str], message: str) -> None:
    assert_refused([*QUICK, *words], message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["workload.path=nowhere"], "nowhere: there is no such file or folder"),
        (["+workload.format=azure1999"], "there is no format 'azure1999'"),
        (["+workload.speed=2"], "has no options ['speed']"),
        (["workload=azure2019"], "invocations.csv"),
        (["warm_up_s=-1"], "the measured span must satisfy 0 <= warm_up_s <= horizon_s, not -1 and"),
        (["warm_up_s=1e9"], "the measured span must satisfy"),
        (["horizon_s=inf"], "the measured span must satisfy"),
    ],
)  # fmt: skip
def test_what_is_found_during_the_run_is_refused_in_one_line(trace: Path, words: list[str], message: str) -> None:
    assert_refused([*QUICK, f"workload.path={trace}", *words], message)


@pytest.mark.parametrize(
    ("column", "row", "value"), [("arrival_s", 3, np.nan), ("duration_s", 7, -1.0), ("arrival_s", 2, np.inf)]
)
def test_a_damaged_trace_is_told_by_file_row_and_column(trace: Path, column: str, row: int, value: float) -> None:
    copy = Path("damaged")
    copy.mkdir()
    for file in trace.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    table = pq.read_table(copy / "invocations.parquet", use_threads=False)
    values = table[column].to_numpy().copy()
    values[row] = value
    table = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
    pq.write_table(table, copy / "invocations.parquet")
    place = f"{copy / 'invocations.parquet'}, row {row}, column '{column}': must be a finite number >= 0"
    assert_refused([*QUICK, "workload.path=damaged"], place)


@pytest.mark.parametrize("cell", ["-1", "1.5", "many", ""])
def test_a_damaged_table_of_counts_is_told_by_file_row_and_column(here: Path, cell: str) -> None:
    small_counts(here / "azure", cell)
    done = keepwarm("run", *QUICK, "workload=azure2019", "workload.path=azure", "hydra.run.dir=run")
    assert (done.status, done.err.count("\n")) == (2, 1)
    place = re.escape(str(Path("azure/invocations.csv")))
    assert re.match(rf"error: {place}, row \d+, column '482': ", done.err)
    assert not (here / "run").exists()


def test_results_that_cannot_be_written(here: Path, trace: Path) -> None:
    (here / "file").touch()
    done = keepwarm("run", *QUICK, f"workload.path={trace}", "hydra.run.dir=file/run")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert f"results cannot be written to {Path('file/run')}" in done.err


def test_a_folder_that_held_something_is_kept_when_a_run_fails(here: Path) -> None:
    (here / "run").mkdir()
    (here / "run" / "notes.txt").write_text("mine")
    assert keepwarm("run", *QUICK, "workload.path=nowhere", "hydra.run.dir=run").status == 2
    assert left_in(here) == ["run/notes.txt"]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("Negative", "mine: Negative returned a window that is negative or not a number"),
        ("Broken", "mine: raised ZeroDivisionError: a bug of mine (test_cli.py, line "),
    ],
)
def test_of_a_policy_that_fails_one_line_is_said_and_all_other_runs_are_kept(
    here: Path, trace: Path, policy: str, message: str
) -> None:
    words = ["run", *QUICK, "--trust=test_cli", f"+policies.mine._target_={__name__}.{policy}",
             f"workload.path={trace}", "hydra.run.dir=run"]  # fmt: skip
    done = keepwarm(*words)
    assert done.status == 2
    assert f"\nerror: {message}" in done.err
    assert "Traceback" not in done.err
    assert "2 finished runs are kept in run; go on with: keepwarm run hydra.run.dir=run --trust test_cli " in done.err
    assert ("ZeroDivisionError" in (here / "run" / "failures.txt").read_text()) == (policy == "Broken")
    outcome = load_run(here / "run")
    assert outcome.frame["policy"].tolist() == ["fixed_1m", "fixed_10m"]
    assert message in outcome.failures[0]
    assert not (here / "run" / "manifest.json").exists()
    again = keepwarm(*words[:-3], *words[-2:])  # without it
    assert again.status == 0
    assert "2 runs were there already" in again.out
    assert not (here / "run" / "failures.txt").exists()


def test_fail_fast_stops_at_the_first_failure(here: Path, trace: Path) -> None:
    done = keepwarm("run", *QUICK, "--fail-fast", "--trust=test_cli", "policy=[]",
                    f"+policies.mine._target_={__name__}.Negative", f"workload.path={trace}",
                    "hydra.run.dir=run")  # fmt: skip
    assert done.status == 2
    assert "[1/2] mine: FAILED" in done.out
    assert "[2/2]" not in done.out


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


def test_a_finished_run_whose_files_were_damaged_is_refused_in_one_line(here: Path, trace: Path) -> None:
    assert keepwarm("run", *QUICK, f"workload.path={trace}", "hydra.run.dir=run").status == 0
    manifest, configuration = here / "run" / "manifest.json", here / "run" / "config.yaml"
    for text in ("x", "[]", '{"host": 3}', '{"overrides": "a"}', '{"options": 4}', '{"source": 1}'):
        manifest.write_text(text)
        for command in ("rerun", "report"):
            done = keepwarm(command, "run")
            assert (done.status, done.err.count("\n")) == (2, 1)
            assert "manifest.json is damaged" in done.err
    manifest.write_text('{"host": {"directory": 3}}')  # what it does not say is not needed
    assert keepwarm("rerun", "run").status == 0
    whole = configuration.read_text()
    configuration.write_text(whole.replace("seed: 0", "seed: ${oc.env:HOME}"))  # a stranger's run is told nothing
    done = keepwarm("rerun", "run")
    assert (done.status, "config.yaml is damaged: it refers to something" in done.err) == (2, True)
    for content in (b"\xff\xfe", None):
        configuration.write_bytes(content) if content is not None else configuration.unlink()
        assert "config.yaml cannot be read" in keepwarm("rerun", "run").err


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


def test_configs_and_trace_are_found_from_anywhere(here: Path) -> None:
    assert config.config_dir().is_absolute()
    done = keepwarm("run", *QUICK, "hydra.run.dir=run", "horizon_s=60", "policy=[fixed_10m]")
    assert done.status == 0, done.err
    assert left_in(here) == [f"run/{name}" for name in FILES]
