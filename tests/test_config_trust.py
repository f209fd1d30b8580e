"""A user's own configurations: what they name is imported and built only if the user trusts it."""

import os
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import keepwarm
from compositions import ALONE, SMALL, write

from sim import config
from sim.core.build import Trust


@pytest.mark.parametrize(
    ("arguments", "environment", "trusted"),
    [
        ([], "", ()),
        ([], "a", ("a",)),
        (["b"], "a, c.d ,", ("b", "a", "c.d")),
        (["a,b"], "", ("a", "b")),
    ],
)
def test_trust_comes_from_arguments_and_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: str, trusted: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KEEPWARM_TRUST", environment)
    assert config.trusted(arguments) == Trust(trusted)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: a package with a policy, and a preset of it. Whoever imports the package leaves a mark."""
    write(tmp_path / "minepkg" / "__init__.py", f"open({str(tmp_path / 'imported')!r}, 'w').close()\n")
    write(tmp_path / "minepkg" / "rules.py", """
import logging
from dataclasses import dataclass
import sim

@dataclass(frozen=True)
class Double(sim.policies.KeepAlive):
    window_s: float = 1.0

    def windows_s(self, future):
        return 2 * self.window_s

class Handler(logging.StreamHandler):
    pass
""")  # fmt: skip
    write(tmp_path / "conf" / "policy" / "double.yaml",
          "# @package policies.double\n_target_: minepkg.rules.Double\nwindow_s: 300\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_users_policy_runs_if_its_package_is_trusted(mine: Path, trace: Path) -> None:
    done = keepwarm("run", "--config-dir", "conf", "--trust=minepkg", "platform=constant_start", "hydra.run.dir=run",
                    "policy=[double,fixed_10m]", f"workload.path={trace}", *ALONE)  # fmt: skip
    assert done.status == 0, done.err
    table = pd.read_csv("run/comparison.csv").set_index("policy")
    assert table.loc["double", "cold_starts"] == table.loc["fixed_10m", "cold_starts"]
    assert table.loc["double", "policy_value"] == "Double(window_s=300)"


def test_a_package_is_trusted_by_the_environment(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPWARM_TRUST", "other,minepkg")
    done = keepwarm("run", "--config-dir=conf", "platform=constant_start", "policy=[double]", "workload.path=nowhere")
    assert (done.status, done.err) == (2, "error: nowhere: there is no such file or folder\n")
    assert (mine / "imported").exists()


@pytest.mark.parametrize(
    "words", [[], ["--trust", "minepk"], ["--trust=minepkg.rule"], ["+trust=minepkg"],
              ["hydra.job.env_set={KEEPWARM_TRUST: minepkg}"]]
)  # fmt: skip
def test_no_config_can_make_itself_trusted(mine: Path, words: list[str]) -> None:
    done = keepwarm("run", "--config-dir=conf", "platform=constant_start", "policy=[double]", *words)
    assert done.status == 2
    assert "not trusted" in done.err or "no such key" in done.err
    assert not (mine / "imported").exists()
    assert not (mine / "outputs").exists()


EVIL = "# @package _global_\nhydra: {job_logging: {handlers: {console: {(): minepkg.rules.Handler}}}}\n"
HYDRA_NODES = [
    "launcher: {_target_: minepkg.rules.Double}",
    "sweeper: {_target_: minepkg.rules.Double}",
    "callbacks: {x: {_target_: minepkg.rules.Double}}",
    "callbacks: {x: {_target_: logging.os.system, command: touch imported}}",
    "callbacks: {x: {_target_: logging.config.fileConfig, fname: x}}",
    "callbacks: {x: {_target_: hydra.utils.get_class, path: minepkg.rules.Double}}",
    "callbacks: {x: {_target_: hydra._internal.utils._locate, path: minepkg.rules.Double}}",
    "callbacks: {x: {_target_: sim.cli.Path}}",
    "callbacks: {x: {_target_: simulator.X}}",
    "callbacks: {x: {_target_: '${workload.format}'}}",
    "job_logging: {handlers: {console: {class: minepkg.rules.Handler}}}",
    "job_logging: {handlers: {console: {(): minepkg.rules.Handler}}}",
    "job_logging: {handlers: {console: {stream: ext://minepkg.rules.Handler}}}",
    "job_logging: {handlers: {console: {stream: '${workload.format}'}}}",
    "job_logging: {formatters: {simple: {(): minepkg.rules.Handler}}}",
    "job_logging: {filters: {x: {(): minepkg.rules.Handler}}}",
    "job_logging: {filters: {x: {args: [{class: minepkg.rules.Handler}]}}}",
    "hydra_logging: {handlers: {console: {class: minepkg.rules.Handler}}}",
]


@pytest.mark.parametrize("node", HYDRA_NODES)
def test_hydra_builds_nothing_untrusted(mine: Path, node: str) -> None:
    write(mine / "conf" / "experiment" / "evil.yaml",
          f"# @package _global_\nworkload: {{format: 'ext://minepkg.rules'}}\nhydra:\n  {node}\n")  # fmt: skip
    done = keepwarm("run", "--config-dir=conf", *SMALL, "experiment=evil")
    assert done.status == 2
    assert done.err.startswith("error: hydra.")
    assert "trusted" in done.err or "not a class" in done.err or "dotted name" in done.err
    assert not (mine / "imported").exists()
    assert not (mine / "outputs").exists()


@pytest.mark.parametrize("sweep", ["experiment=good,evil", "experiment=glob(*)", "experiment=glob([e*,g*])"])
def test_every_job_of_a_sweep_is_looked_at_before_the_first(mine: Path, sweep: str) -> None:
    write(mine / "conf" / "experiment" / "good.yaml", "# @package _global_\nseed: 1\n")
    write(mine / "conf" / "experiment" / "evil.yaml", EVIL)
    done = keepwarm("run", "--multirun", "--config-dir=conf", *SMALL, "seed=1,2,3", sweep)
    assert done.status == 2
    assert "minepkg.rules.Handler is not trusted" in done.err
    assert not (mine / "imported").exists()
    assert not (mine / "multirun").exists()


def test_a_sweep_that_a_config_asks_for_is_looked_at_too(mine: Path) -> None:
    write(mine / "conf" / "hydra" / "job_logging" / "evil.yaml",
          "version: 1\nhandlers: {console: {(): minepkg.rules.Handler}}\nroot: {handlers: [console]}\n")  # fmt: skip
    write(mine / "conf" / "experiment" / "good.yaml",
          "# @package _global_\n"
          "hydra: {mode: MULTIRUN, sweeper: {params: {hydra/job_logging: 'stdout,evil'}}}\n")  # fmt: skip
    done = keepwarm("run", "--config-dir=conf", *SMALL, "experiment=good")
    assert done.status == 2
    assert "minepkg.rules.Handler is not trusted" in done.err
    assert not (mine / "imported").exists()


def test_hydra_may_build_what_the_user_trusts(mine: Path) -> None:
    node = "# @package _global_\nhydra: {job_logging: {handlers: {console: {class: minepkg.rules.Handler}}}}\n"
    write(mine / "conf" / "experiment" / "good.yaml", node)
    done = keepwarm("run", "--config-dir=conf", "--trust=minepkg", *SMALL, "experiment=good", "workload.path=nowhere")
    assert done.err == "error: nowhere: there is no such file or folder\n"


@pytest.mark.parametrize(
    "overrides", [["hydra/job_logging=default"], ["hydra/job_logging=none"], ["hydra.verbose=true"]]
)
def test_hydras_own_choices_are_allowed(mine: Path, overrides: list[str]) -> None:
    done = keepwarm("run", *SMALL, *overrides, "workload.path=nowhere")
    assert "error: nowhere: there is no such file or folder\n" in done.err


def test_a_pickled_job_is_not_run_again(mine: Path) -> None:
    done = keepwarm("run", "--experimental-rerun", "job.pickle")
    assert (done.status, done.err[:42]) == (2, "error: --experimental-rerun is not support")


def test_a_run_can_be_repeated_from_its_own_config(mine: Path, trace: Path) -> None:
    words = ["policies.fixed_1m.window_s=90", *SMALL, f"workload.path={trace}"]
    assert keepwarm("run", *words, "hydra.run.dir=one").status == 0
    os.mkdir("again")  # noqa: PTH102
    (mine / "again" / "config.yaml").write_bytes((mine / "one" / "config.yaml").read_bytes())
    done = keepwarm("run", f"--config-path={mine / 'again'}", "hydra.run.dir=two", "hydra.output_subdir=null")
    assert done.status == 0, done.err
    assert (mine / "two" / "config.yaml").read_bytes() == (mine / "one" / "config.yaml").read_bytes()
