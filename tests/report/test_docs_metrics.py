"""docs/metrics.md defines every number and column that comes out, and none that does not."""

import re
from pathlib import Path

import pandas as pd
import pytest

from sim.engine.simulate import simulate
from sim.experiment.comparison import compare
from sim.experiment.intervals import DIFFERENCES
from sim.experiment.setting import Setting
from sim.platform.platform import Platform
from sim.policies import FixedWindow, NoKeepAlive
from sim.results.pricing import PriceBook, ProviderPrice
from sim.results.result import Result
from sim.workload.trace import Trace

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
PRICE = PriceBook("user", "-", "-", 1e-5, 0.2, 0.001, 0.0, bills_start_up=False)
PROVIDER = ProviderPrice("node", "-", "-", 0.1, 8.0, 0.5)
TRACE = Trace.from_arrays([0, 1, 0], [0.0, 1.0, 700.0], 0.5)
PLATFORM = Platform(start_s=0.25)


@pytest.fixture(scope="module")
def result() -> Result:
    return simulate(TRACE, FixedWindow(600.0), PLATFORM, price=PRICE, provider=PROVIDER)


@pytest.fixture(scope="module")
def comparison() -> pd.DataFrame:
    return compare(TRACE, {"none": NoKeepAlive()}, Setting(PLATFORM, PRICE, PROVIDER)).frame


def defined(heading: str) -> set[str]:
    """What the first columns of the tables in a section name."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    rows = re.findall(r"^\| (`.*?`) \|", section[1], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(.*?)`", row)}


def test_the_summary_is_what_the_docs_define(result: Result) -> None:
    assert defined("The summary") == set(result.summary.index)


def test_the_columns_of_functions_are_what_the_docs_define(result: Result) -> None:
    assert defined("Per function") == set(result.functions.columns)


def test_the_columns_of_calls_instances_and_starts_are_what_the_docs_define(result: Result) -> None:
    assert result.invocations is not None
    assert result.instances is not None
    assert result.starts is not None
    assert result.stem_cells is not None
    assert result.decisions is not None
    frames = (result.invocations, result.instances, result.starts, result.stem_cells, result.decisions)
    columns = {name for frame in frames for name in frame.columns}
    assert defined("Per call, per instance, per start") - {"<phase>_s"} == columns


def test_the_columns_of_a_comparison_are_what_the_docs_define(comparison: pd.DataFrame, result: Result) -> None:
    own = {name for name in comparison.columns if name not in result.summary.index}
    intervals = {name for name in own if name.endswith(("_ci95", "_low", "_high"))}
    assert defined("The comparison") - {"<metric>_ci95", "<metric>_low", "<metric>_high"} == own - intervals
    sentence = TEXT[TEXT.index("**Intervals**") : TEXT.index("They cover what")]
    named = re.findall(r"`(.*?)`", sentence)
    assert {f"{name}_{end}" for name in named for end in ("ci95", "low", "high")} == intervals


def test_the_columns_of_differences_are_what_the_docs_define() -> None:
    assert defined("Differences") == set(DIFFERENCES)


def test_symbols_come_before_what_uses_them() -> None:
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    assert headings[0] == "Symbols"
