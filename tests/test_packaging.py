"""The wheel, built from the sdist and installed elsewhere, is the whole program: code, configs and default trace."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# One worker builds and installs for all of these.
pytestmark = pytest.mark.xdist_group("packaging")


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that must succeed, without a PYTHONPATH that could lead back to the checkout."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    # Without --sdist or --wheel, build makes the wheel from the sdist it has just made.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and nothing else of its own: the dependencies are borrowed from this one."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin" / "python"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder.parent)
    # A folder named in a .pth file comes after the venv's own, and .pth files inside it, such as the one of an editable
    # install, are not followed.
    borrowed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (site_packages(folder) / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return folder


def site_packages(venv: Path) -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(venv), "platbase": str(venv)}))


def test_the_wheel_holds_configs_and_the_default_trace(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "sim/conf/config.yaml" in names
    assert any(name.startswith("sim/traces/default/") and name.endswith(".parquet") for name in names)


def test_the_wheel_holds_the_parts_of_the_page(wheel: Path) -> None:
    parts = {f"sim/report/html/{name}" for name in ("page.html", "page.css", "page.js")}
    assert parts <= set(zipfile.ZipFile(wheel).namelist())


def test_the_import_is_the_installed_package(venv: Path, tmp_path: Path) -> None:
    found = run(venv / "bin" / "python", "-c", "import sim; print(sim.__file__)", cwd=tmp_path)
    assert Path(found.strip()) == site_packages(venv) / "sim" / "__init__.py"


def test_a_comparison_runs_from_an_unrelated_folder(venv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(venv / "bin" / "python", "-m", "sim", "policy=[fixed_10m]", f"hydra.run.dir={folder}", cwd=tmp_path)
    assert (folder / "comparison.csv").is_file()


def test_the_console_script_is_there(venv: Path, tmp_path: Path) -> None:
    assert "keepwarm" in run(venv / "bin" / "keepwarm", "--help", cwd=tmp_path).lower()
