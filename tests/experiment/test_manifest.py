"""The manifest: enough to do a run again, and to know whether it is the same."""

import json
import platform as machine
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from sim import Platform, Trace, load_pricing, load_provider
from sim.experiment import manifest as module
from sim.experiment.manifest import PACKAGES, git_state, manifest, trace_facts
from sim.experiment.setting import Setting
from sim.results.pricing import PriceBook, ProviderPrice

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TRACE = Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 30.5], 2.0, horizon_s=60.0)


@cache
def prices() -> tuple[PriceBook, ProviderPrice]:
    return load_pricing(), load_provider()


def made(trace: Trace = TRACE, **options: object) -> dict[str, object]:
    setting = Setting(Platform(start_s=0.5), *prices(), seed=7)
    times = {"started": START, "ended": START + timedelta(seconds=90.5)}
    return manifest(
        {"trace": trace_facts(trace)}, setting, **{"overrides": ["seed=7"], "replications": 3, **times, **options}
    )  # type: ignore[arg-type]


def test_it_says_what_was_run() -> None:
    facts = made()
    assert {key: facts[key] for key in ("overrides", "engine", "seed", "replications")} == {
        "overrides": ["seed=7"], "engine": "simpy", "seed": 7, "replications": 3
    }  # fmt: skip
    assert facts["trace"] == {
        "calls": 3, "functions": 2, "horizon_s": 60.0, "hash": TRACE.content_hash(), "about": {}
    }  # fmt: skip


def test_it_says_with_what() -> None:
    facts = made()
    versions = facts["versions"]
    assert isinstance(versions, dict)
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(versions) == {"python", *PACKAGES}
    assert all(versions[name] == metadata.version(name) for name in PACKAGES)
    assert {"keepwarm", "simpy", "numpy", "pandas", "pyarrow", "hydra-core"} <= set(PACKAGES)
    assert facts["host"] == {
        "system": machine.platform(), "machine": machine.machine(), "name": machine.node(), "directory": str(Path.cwd())
    }  # fmt: skip


def test_it_says_when() -> None:
    facts = made()
    assert (facts["started"], facts["ended"], facts["seconds"]) == (
        "2026-01-02T03:04:05+00:00", "2026-01-02T03:05:35.500000+00:00", 90.5
    )  # fmt: skip


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("keepwarm", "not-installed-anywhere"))
    assert made()["versions"]["not-installed-anywhere"] is None  # type: ignore[index]


def test_whatever_a_reader_reports_can_be_written() -> None:
    about = {"path": Path("a/b"), "share": np.float64(0.5), "days": (1, 2), "report": {"rows": np.int64(3), 5: None}}
    facts = trace_facts(replace(TRACE, about=about))
    assert json.loads(json.dumps(facts))["about"] == {
        "path": str(Path("a/b")), "share": 0.5, "days": [1, 2], "report": {"rows": 3, "5": None}
    }  # fmt: skip
    assert json.loads(json.dumps(made(replace(TRACE, about=about))))["overrides"] == ["seed=7"]


def test_the_hash_is_that_of_the_calls() -> None:
    other = Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 30.5], 2.5, horizon_s=60.0)
    assert trace_facts(TRACE)["hash"] != trace_facts(other)["hash"]
    assert trace_facts(TRACE)["hash"] == trace_facts(replace(TRACE, about={"path": "elsewhere"}))["hash"]


# The state of the checkout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one commit in which the module of the manifest seems to lie."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "manifest.py").write_text("x = 1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "sim" / "manifest.py"))
    return tmp_path


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_clean_checkout(repository: Path) -> None:
    assert git_state(repository / "sim") == {"commit": git(repository, "rev-parse", "HEAD"), "dirty": False}


@pytest.mark.parametrize("file", ["sim/manifest.py", "new.txt"])
def test_a_changed_checkout_is_dirty(repository: Path, file: str) -> None:
    (repository / file).write_text("y = 2\n")
    assert git_state(repository / "sim") == {"commit": git(repository, "rev-parse", "HEAD"), "dirty": True}


def test_a_package_installed_inside_somebody_elses_checkout_is_not_theirs(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = repository / ".venv" / "sim"
    inside.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(inside / "manifest.py"))
    assert git_state(inside) is None


def test_without_a_checkout(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None


def test_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository / "empty"))
    assert git_state(repository / "sim") is None
    assert made()["source"] is None
