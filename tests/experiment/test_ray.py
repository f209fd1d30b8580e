"""Cells on Ray: really on two of its workers, with the results of this process."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim import ConfigError
from sim.experiment.ray_cluster import Ray

PROGRAM = """
import sys
from pathlib import Path
import sim
from sim.experiment.executors import Local
from sim.experiment.experiment import Experiment, Variant, run_experiment
from sim.experiment.ray_cluster import Ray
from sim.experiment.replications import Replications
from sim.experiment.runner import Runner
from sim.experiment.setting import Setting
from misbehaving import Murderous, Raising
from sim.policies import FixedWindow, HybridHistogram

trace = sim.Trace.from_arrays([0, 1, 0, 0] * 50, [10.0 * i * (1 + i % 7) for i in range(200)], 2.0)
setting = Setting(sim.load_platform(), sim.load_pricing(), sim.load_provider())
policies = {"1 min": FixedWindow(60), "hybrid": HybridHistogram(), "bad": Raising(), "10 min": FixedWindow(600)}
experiment = Experiment([Variant("", "", lambda: trace, setting)], policies, Replications(5))
for name, executor in (("ray", Ray(jobs=2)), ("here", Local(1))):
    folder = Path(name)
    folder.mkdir()
    runner = Runner(executor, folder)
    index = run_experiment(experiment, runner).index
    assert [failure[:43] for failure in index.failures] == ["bad, bad, replication 1, bad, replication 2"]
    print(name, len(runner.digests))
"""


def test_two_workers_give_the_same_bytes(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-3:-1] == ["ray 15", "here 15"]
    ray, here = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("ray", "here"))
    assert ray == here
    assert len(ray) == 15


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError, match="needs Ray: pip install 'keepwarm\\[ray\\]'"):
        next(Ray().run([], tmp_path, None))


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_a_number_of_jobs_that_is_none(jobs: int) -> None:
    with pytest.raises(ConfigError, match="jobs must be a whole number >= 1"):
        Ray(jobs)
