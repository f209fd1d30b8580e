"""What every test may use, and how hypothesis and matplotlib behave here."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI") == "true"

# Read when matplotlib is first imported, by subprocesses too: no test opens a window.
os.environ["MPLBACKEND"] = "Agg"
# The tests have the cores already: a run takes more than one of them only where it is told to, by executor.jobs.
os.environ["LOKY_MAX_CPU_COUNT"] = "1"

# No deadline: the first example pays for imports. In CI the same examples each time, so that red means a change.
settings.register_profile("default", max_examples=50, deadline=None, derandomize=IN_CI)
settings.load_profile("default")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real traces and measurements beside the project."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        missing = "../shared is not there: the traces and measurements it holds are not part of the project"
        if IN_CI:
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small trace."""
    from command import small_trace  # not above: what it imports may read the environment set there

    return small_trace(tmp_path_factory.mktemp("traces") / "small")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, in which the test works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEEPWARM_TRUST", raising=False)
    return tmp_path
