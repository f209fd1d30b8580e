"""The command line, as a user meets it: its commands and options, and what it says of what the user can mend."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import keepwarm, small_counts
from quick_runs import QUICK, left_in

from sim import Trace, cli
from sim.experiment.run_folder import load_run
from sim.policies import KeepAlive

pytestmark = pytest.mark.usefixtures("here")


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
