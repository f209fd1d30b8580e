"""The notebooks: each agrees with its script, holds no outputs, and runs from its first cell to its last."""

import os
import subprocess
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import jupytext
import matplotlib.image
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "notebooks").glob("*.py"))
TIMEOUT_S = 600
MAKE = "make it anew: jupytext --update --to ipynb notebooks/*.py"

FIGURES = {
    "01_keep_alive_windows": 4,
    "02_your_own_policy": 2,
    "03_from_trace_to_window": 4,
    "04_how_far_from_lambda": 3,
    "05_scaling": 2,
}

# In a process of its own: what Jupyter's libraries warn of is theirs.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[3])
"""


def executed(script: Path, tmp_path: Path, **variables: str) -> list[Any]:
    """The outputs of a notebook's cells, run where Jupyter would run them."""
    run, out = tmp_path / "run.py", tmp_path / "executed.ipynb"
    run.write_text(RUN)
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # figures are shown in the page
    env |= {f"{name}DIR": str(tmp_path / "jupyter") for name in ("IPYTHON", "JUPYTER_CONFIG_", "JUPYTER_RUNTIME_")}
    command = [sys.executable, str(run), str(script.with_suffix(".ipynb")), str(script.parent), str(out)]
    done = subprocess.run(
        command, env=env | variables, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    cells = nbformat.read(out, as_version=4).cells
    return [output for cell in cells for output in cell.get("outputs", [])]


def warnings(outputs: list[Any]) -> list[str]:
    return [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]


def figures(outputs: list[Any]) -> list[Any]:
    """The pictures, as arrays of pixels."""
    shown = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [matplotlib.image.imread(BytesIO(b64decode(picture)), format="png") for picture in shown]


def test_every_notebook_is_a_pair() -> None:
    names = [script.stem for script in SCRIPTS]
    assert names == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == sorted(FIGURES)
    page = (ROOT / "notebooks/README.md").read_text("utf-8")
    assert all(f"]({name}.ipynb)" in page for name in names)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_pairs_agree(script: Path) -> None:
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    cells = [(cell.cell_type, cell.source) for cell in jupytext.read(script).cells]
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == cells, MAKE


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_no_outputs_are_kept(script: Path) -> None:
    code = [c for c in nbformat.read(script.with_suffix(".ipynb"), as_version=4).cells if c.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code), MAKE


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(script, id=script.stem, marks=[pytest.mark.shared] * ("lambda" in script.stem))
        for script in SCRIPTS
    ],
)
def test_every_cell_runs(script: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    measured = request.getfixturevalue("shared") / "measurements" if "lambda" in script.stem else tmp_path
    outputs = executed(script, tmp_path, KEEPWARM_MEASUREMENTS=str(measured))
    assert warnings(outputs) == []
    drawn = figures(outputs)
    assert len(drawn) == FIGURES[script.stem]
    assert all(picture.std() > 0.05 for picture in drawn)  # an empty page is 0


def test_without_measurements_it_says_so(tmp_path: Path) -> None:
    outputs = executed(ROOT / "notebooks/04_how_far_from_lambda.py", tmp_path, KEEPWARM_MEASUREMENTS=str(tmp_path))
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "The measurements are not here" in said
    assert warnings(outputs) == []
    assert figures(outputs) == []
