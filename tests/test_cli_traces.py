"""``keepwarm traces``: what it prints and writes, and what it refuses in one line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import Done, keepwarm, small_counts, small_trace

from sim import cli, config, load_trace, run_config
from sim.core.errors import ConfigError
from sim.report.trace_figures import PANELS

FIGURES = sorted(f"{stem}.{suffix}" for stem in ("overview", *PANELS) for suffix in ("png", "svg"))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def traces(*words: str) -> Done:
    return keepwarm("traces", *words)


# inspect


def test_inspect_shows_a_trace_and_writes_its_figures(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    done = traces("inspect", "small", "--figures", "figures")
    assert done.status == 0, done.err
    assert "calls          40, " in done.out
    assert "read from      small" in done.out
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == FIGURES
    assert done.out.splitlines()[-1].startswith("written to figures: calls_per_function.png, ")


def test_inspect_alone_writes_nothing(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    assert traces("inspect", "small").status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_inspect_knows_the_embedded_trace() -> None:
    done = traces("inspect", "traces/default")
    assert "4 functions make 31.1 % of the calls" in done.out
    assert "2 on average, 17 at most" in done.out


def test_inspect_takes_the_options_of_a_reader(tmp_path: Path) -> None:
    small_counts(tmp_path / "counts")
    done = traces("inspect", "counts", "format=azure2019", "arrivals=uniform", "seed=4", "functions=[g]")
    assert done.status == 0, done.err
    assert "made from calls counted by the minute: uniform arrivals, durations by mean, seed 4" in done.out
    assert "1 in 1 app of 1 owner" in done.out
    assert "load report" in done.out


def test_inspect_shows_what_a_run_would_replay(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    sample = "{_target_: sim.workload.sampling.RandomSample, functions: 1}"
    slower = "{_target_: sim.workload.transform.ScaleTime, factor: 2}"
    done = traces("inspect", "small", f"transforms=[{sample},{slower}]")
    assert done.status == 0, done.err
    assert "1 in 1 app of 1 owner" in done.out
    assert "changed by     RandomSample(functions=1, " in done.out
    assert "ScaleTime(factor=2, durations=False)" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "traces inspect needs the path of a trace"),
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["small", "x"], "x: not an option; write key=value"),
        (["small", "speed=3"], "no options ['speed']"),
        (["small", "format=zip"], "there is no format 'zip'"),
        (["small", "format=azure2019,azure2021"], "format: several values"),
        (["small", "+format=azure2019"], "not an option"),
        (["small", "--figures"], "expected one argument"),
        (["small", "--figs", "x"], "unrecognized arguments: --figs x"),
        (["small", "--figures", "file"], "a file is in the way at file"),
        (["small", "--figures", "file/below"], "file/below: cannot be written"),
        (["small", "transforms=[{_target_: os.system}]"], "workload.transforms[0]: os.system is not trusted"),
        (["small", "transforms=3"], "workload.transforms: expected a list, got 3"),
        (["small", "transforms=[{_target_: sim.policies.FixedWindow, window_s: 3}]"], "is not a Transform"),
    ],
)
def test_inspect_refuses_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    (tmp_path / "file").touch()
    done = traces("inspect", *words)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its own peak")
def test_three_million_calls_take_less_than_half_a_gigabyte(shared: Path, tmp_path: Path) -> None:
    # Not ru_maxrss: it remembers what the process that started this one had.
    code = ("import sys; from sim import cli; status = cli.main(sys.argv[1:]);"
            "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')));"
            "sys.exit(status)")  # fmt: skip
    words = ["traces", "inspect", str(shared / "traces" / "azure2019_500f_8h"), "--figures", "figures"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) / 1024 < 500
    assert "5 functions make 83.6 % of the calls" in done.stdout


# synthesize


def test_synthesize_makes_what_was_asked_for(tmp_path: Path) -> None:
    words = ("synthesis=flash_crowd", "synthesis.functions=5", "synthesis.calls_per_s=0.5")
    done = traces("synthesize", *words, "out=crowd")
    assert done.status == 0, done.err
    trace = load_trace(tmp_path / "crowd")
    assert done.out.splitlines() == [repr(trace), "written to crowd; look at it with: keepwarm traces inspect crowd"]
    assert len(trace.functions) == 5
    assert trace.about["recipe"]["calls_per_s"] == 0.5
    assert traces("synthesize", *words, "out=again").status == 0
    for name in ("trace.json", "functions.parquet", "invocations.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "crowd" / name).read_bytes()
    assert traces("synthesize", *words, "out=other", "replication=1").status == 0
    assert len(load_trace(tmp_path / "other")) != len(trace)


def test_synthesize_replaces_a_trace_but_nothing_else(tmp_path: Path) -> None:
    words = ("synthesize", "synthesis=timers", "synthesis.functions=3", "out=here")
    assert traces(*words).status == 0
    assert traces(*words, "synthesis.seed=1").status == 0
    assert load_trace(tmp_path / "here").about["seed"] == 1
    (tmp_path / "here" / "note.txt").touch()
    assert "note.txt" in traces(*words).err


def test_synthesize_shows_the_recipe() -> None:
    done = traces("synthesize", "synthesis=on_off", "synthesis.process.on_s=7", "--cfg")
    assert done.status == 0, done.err
    assert "_target_: sim.workload.synthesis.Interrupted" in done.out
    assert "on_s: 7" in done.out
    assert not list(Path().iterdir())


def test_synthesize_takes_recipes_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine" / "synthesis").mkdir(parents=True)
    (tmp_path / "mine" / "synthesis" / "two.yaml").write_text(
        "_target_: sim.workload.synthesis.Superposition\nfunctions: 2\ncalls_per_s: 0.1\n"
        "process: {_target_: sim.workload.synthesis.Poisson}\n"
    )
    assert traces("synthesize", "--config-dir", "mine", "synthesis=two", "out=two").status == 0
    assert len(load_trace(tmp_path / "two").functions) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "out must be given: out=..."),
        (
            ["out=x", "synthesis=flush"],
            "no synthesis called 'flush'; there is azure_scale, bursty_mmpp, default",
        ),
        (["out=x", "synthesis.functions=-3"], "synthesis: functions must be a whole number >= 1, not -3"),
        (["out=x", "synthesis.functions=many"], "synthesis.functions: expected a whole number, got 'many'"),
        (["out=x", "synthesis.functionz=3"], "synthesis.functionz: there is no such key"),
        (["out=x", "+synthesis.functionz=3"], "synthesis.functionz: there is no such parameter"),
        (["out=x", "speed=3"], "speed: there is no such key"),
        (["out=x", "+speed=3"], "speed: there is no such key; there is synthesis, out, replication"),
        (["out=x", "replication=-1"], "replication: must be 0 or more, not -1"),
        (["out=x", "replication=a"], "replication: expected a whole number, got 'a'"),
        (["out=3"], "out: expected text, got 3"),
        (["out=''"], "out must be given"),
        (["out=full", "synthesis=timers"], "the folder is not a trace of this form, so it is not overwritten"),
        (["out=file/x", "synthesis=timers"], "cannot be written"),
        (["out=x", "synthesis=poisson", "synthesis.process._target_=os.system"], "os.system is not trusted"),
        (["out=x", "synthesis=poisson", "synthesis.calls_per_s=1e12"], "synthesis: calls_per_s at 1e+12 over 4 hours"),
        (["out=x", "synthesis.calls=500"], "synthesis: calls is too small at 500"),
        (["out=x", "synthesis=bursty_mmpp", "synthesis.process.stays_s=[1e-6,1e-6]"], "stays_s is too short"),
        (["out=x", "--config-dir", "nowhere"], "there is no folder of configs at nowhere"),
        (["out=x", "--fast"], "unrecognized arguments: --fast"),
        (["out"], "not an override"),
    ],
)
def test_synthesize_refuses_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").touch()
    (tmp_path / "file").touch()
    done = traces("synthesize", *words)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_own_processes_need_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_processes.py").write_text(
        "import dataclasses\nimport numpy as np\n@dataclasses.dataclass\nclass Twice:\n"
        "    def arrivals_s(self, rate_per_s, horizon_s, random):\n        return np.array([1.0, 2.0])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ("synthesize", "out=x", "synthesis=poisson", "synthesis.functions=2",
             "synthesis.process={_target_: my_processes.Twice}")  # fmt: skip
    assert "not trusted" in traces(*words).err
    assert traces(*words, "--trust", "my_processes").status == 0
    assert np.bincount(load_trace(tmp_path / "x").function).tolist() == [2, 2]


# The rest


@pytest.mark.parametrize("words", [[], ["--help"], ["inspect", "--help"], ["synthesize", "-h"]])
def test_help(words: list[str]) -> None:
    done = traces(*words)
    assert done.status == 0
    assert "keepwarm traces inspect PATH" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_unknown_commands_are_refused() -> None:
    done = traces("explode")
    assert (done.status, done.err) == (
        2,
        "error: there is no command 'traces explode'; there is list, download, inspect, convert, synthesize\n",
    )
    assert "keepwarm traces" in keepwarm("--help").out
    assert "traces" in cli.COMMANDS


# Transforms in a run


@pytest.mark.parametrize("preset", sorted(path.stem for path in (config.config_dir() / "workload").glob("*.yaml")))
def test_every_workload_takes_transforms(preset: str) -> None:
    sample = "{_target_: sim.workload.sampling.StratifiedSample, functions: 50, seed: 1}"
    fewer = "{_target_: sim.workload.transform.ScaleRate, factor: 0.5}"
    words = [f"workload={preset}", "++workload.path=somewhere", "platform=constant_start"]
    words.append(f"workload.transforms=[{sample},{fewer}]")
    values = config.plain(config.compose_config(words))
    run = run_config.build_run(values, [config.config_dir()], config.trusted())
    assert [type(change).__name__ for change in run.transforms] == ["StratifiedSample", "ScaleRate"]
    assert "transforms" not in run.workload
    for nothing in (None, []):
        plain = run_config.build_run(
            {**values, "workload": {**values["workload"], "transforms": nothing}}, [], config.trusted()
        )
        assert plain.transforms == ()


def test_a_run_replays_the_changed_trace(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    done = keepwarm(
        "run", "workload.path=small", "policy=[fixed_1m]", "executor.jobs=1", "report=false",
        "platform=constant_start", "hydra.run.dir=out",
        "workload.transforms=[{_target_: sim.workload.sampling.Windows, spans_s: [[0, 600]]}]",
    )  # fmt: skip
    assert done.status == 0, done.err
    kept = load_trace(tmp_path / "small").slice(0, 600.0)
    assert repr(kept) in done.out
    assert '"_target_": "sim.workload.sampling.Windows"' in (tmp_path / "out" / "manifest.json").read_text()


def test_a_wrong_transform_stops_a_run_before_it_begins(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    done = keepwarm("run", "workload.path=small", "policy=[fixed_1m]", "report=false", "hydra.run.dir=out",
                    "workload.transforms=[{_target_: sim.workload.transform.ScaleTime, factor: 0}]")  # fmt: skip
    assert done.status == 2
    assert "workload.transforms[0]: factor must be a finite number > 0, not 0" in done.err
    assert not (tmp_path / "out").exists()


def test_options_are_read_as_overrides_are() -> None:
    assert config.read_options(["a=1", "b=[x,'y z']", "c=null", "d={e: 2.5}", "f='1'"]) == {
        "a": 1, "b": ["x", "y z"], "c": None, "d": {"e": 2.5}, "f": "1",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="not an option"):
        config.read_options(["~a"])
