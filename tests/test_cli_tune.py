"""``keepwarm tune``: what it finds is the front of what it tried, and a search goes on where it was stopped."""

import importlib
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from command import keepwarm, small_trace

from sim.experiment.run_folder import load_run
from sim.experiment.tuning import Parameter, Search
from sim.report.figures import pareto_front

WINDOW = ["--parameter", "window_s=1.0..2000.0:log"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    small_trace(tmp_path / "small")
    return tmp_path


def words(trials: int, *more: str) -> list[str]:
    policy = [] if any(word.startswith("policy=") for word in more) else ["policy=[fixed_10m]"]
    return ["tune", "workload.path=small", *policy, "platform=constant_start", "executor.jobs=1", "report=false",
            f"--trials={trials}", "--out=out", *(more or WINDOW)]  # fmt: skip


def test_the_front_is_reported_beside_the_policy_as_it_was(here: Path) -> None:
    done = keepwarm(*words(20))
    assert done.status == 0, done.err
    trials = pd.read_parquet("out/trials.parquet")
    assert len(trials) == 20
    assert trials["window_s"].between(1, 2000).all()
    front = pareto_front(trials["cold_start_rate"].to_numpy(), trials["wasted_gb_s"].to_numpy())
    np.testing.assert_array_equal(trials["on_front"], front)
    frame = load_run("out").frame
    assert frame["policy"][0] == "fixed_10m"
    np.testing.assert_allclose(frame["cold_start_rate"][1:], trials["cold_start_rate"][front])
    assert (here / "out" / "manifest.json").exists()


def test_a_search_that_was_killed_goes_on_and_finds_the_same(here: Path) -> None:
    assert keepwarm(*words(24)).status == 0
    (here / "out").rename(here / "whole")
    program = f"import sys; from sim.cli import main; sys.exit(main({words(24)}))"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if str(line).startswith("[12/"):  # in the second batch
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert keepwarm(*words(24)).status == 0
    for name in ("trials.csv", "comparison.csv"):
        assert (here / "out" / name).read_bytes() == (here / "whole" / name).read_bytes()


@pytest.mark.parametrize("told", [0, 3, 8, 11])
def test_where_it_was_stopped_makes_no_difference(tmp_path: Path, told: int) -> None:
    """Stopped while results are told, or while they are computed: the same trials in the end."""

    def results(batch: Sequence[Mapping[str, float]]) -> list[list[float] | None]:
        return [[each["x"] ** 2, (each["x"] - 1) ** 2] if each["x"] < 2.5 else None for each in batch]

    def search(folder: str) -> Search:
        (tmp_path / folder).mkdir(exist_ok=True)
        return Search(tmp_path / folder, [Parameter("x", low=0.0, high=3.0)], ["cold_start_rate", "wasted_gb_s"], 5)

    search("whole").run(20, results)
    with pytest.MonkeyPatch.context() as patched:
        tell, left = optuna.study.Study.tell, [told]

        def stopping(study: object, *words: object, **more: object) -> object:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return tell(study, *words, **more)

        patched.setattr(optuna.study.Study, "tell", stopping)
        with pytest.raises(KeyboardInterrupt):
            search("stopped").run(20, results)
    search("stopped").run(20, results)
    pd.testing.assert_frame_equal(search("stopped").trials(), search("whole").trials(), check_exact=True)
    assert 10 < len(search("whole").trials()) < 20


def test_a_search_that_has_ended_may_go_on(here: Path) -> None:
    assert keepwarm(*words(8)).status == 0
    before = pd.read_parquet("out/trials.parquet")
    assert keepwarm(*words(16)).status == 0
    pd.testing.assert_frame_equal(pd.read_parquet("out/trials.parquet")[:8].drop(columns="on_front"),
                                  before.drop(columns="on_front"))  # fmt: skip


def test_whole_numbers_and_choices(here: Path) -> None:
    metrics = "--metrics=cold_start_rate,provider_cost_per_million_usd"
    done = keepwarm(*words(8, "policy=[provisioned_1]", "--parameter=n=0..2", "--parameter=window_s=60,600", metrics))
    assert done.status == 0, done.err
    trials = pd.read_parquet("out/trials.parquet")
    assert set(trials["n"]) <= {0, 1, 2}
    assert set(trials["window_s"]) <= {60, 600}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--parameter=windo_s=1..2"], "windo_s: fixed_10m has no such parameter; it has window_s"),
        (["--parameter=window_s=2..1"], "window_s: the range from 2 to 1 is empty"),
        (["--parameter=window_s=0..1:log"], "a logarithmic range begins above 0"),
        (["--parameter=window_s"], "write KEY=LOW..HIGH"),
        (["--parameter=window_s=1e..2"], "is no number"),
        (["--metrics=speed,wasted_gb_s", *WINDOW], "metrics: there is no 'speed'"),
        (["--metrics=cold_start_rate", *WINDOW], "metrics: name two that differ"),
        (["policy=[fixed_1m,fixed_2m]", *WINDOW], "choose one policy"),
        (["workload.path=small"], "no parameter is named"),
    ],
)
def test_what_is_refused(here: Path, more: list[str], message: str) -> None:
    done = keepwarm(*words(4, *more))
    assert done.status == 2
    assert message in done.err
    assert not (here / "out").exists()


def test_settings_of_which_none_can_be_run_are_told(here: Path) -> None:
    done = keepwarm(*words(3, "policy=[hybrid_histogram]", "--parameter", "range_s=3601.0..3659.0"))  # bins are minutes
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "tune: none of the settings that were tried can be run: policies.hybrid_histogram: " in done.err
    assert not (here / "out" / "manifest.json").exists()


def test_another_search_in_the_same_folder_is_refused(here: Path) -> None:
    assert keepwarm(*words(2)).status == 0
    done = keepwarm(*words(2, "--parameter=window_s=1.0..9.0"))
    assert done.status == 2
    assert "holds a search with other parameters" in done.err


def test_another_workload_in_the_same_folder_is_refused_and_the_search_kept(here: Path) -> None:
    assert keepwarm(*words(2)).status == 0
    small_trace(here / "other")
    done = keepwarm(*words(2), "workload.path=other", "seed=1")
    assert done.status == 2
    assert "holds a search of something else" in done.err
    assert (here / "out" / "manifest.json").exists()


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    from sim.core.errors import ConfigError

    with pytest.raises(ConfigError, match="keepwarm\\[tune\\]"):
        Search(Path(), [Parameter("window_s", low=1.0, high=2.0)], ["cold_start_rate", "wasted_gb_s"]).trials()
