"""Every metric that docs/metrics.md defines has a title, a unit and a meaning for the page, and no other has."""

import re
from pathlib import Path

import pandas as pd
import pytest
from comparisons import day

from sim.report.definitions import DEFINITIONS
from sim.report.metrics import TABLE, shown_columns

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text("utf-8")
SUMMARY = TEXT[TEXT.index("## The summary") : TEXT.index("## Per function")]
ROWS = re.findall(r"^\| (`.+?`) \| .+ \| (.+?) \|$", SUMMARY, re.MULTILINE)
DOCUMENTED = {name: unit for names, unit in ROWS for name in re.findall(r"`(.*?)`", names)}
FACTORS = {"s": {"ms": 1000.0, "s": 1.0}, "GB-s": {"GB-s": 1.0, "M GB-s": 1e-6}, "GB": {"GB": 1.0}, "USD": {"USD": 1.0}}


def test_what_is_defined_is_what_the_docs_define() -> None:
    keys = [definition.metric.key for definition in DEFINITIONS]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {*DOCUMENTED, "wasted_normalised"}


def test_those_of_the_table_come_first() -> None:
    assert tuple(definition.metric for definition in DEFINITIONS[: len(TABLE)]) == TABLE


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.metric.key)
def test_units_are_those_of_the_docs(definition) -> None:
    stored = DOCUMENTED.get(definition.metric.key, "ratio")
    if stored.startswith("share"):
        assert [(unit.name, unit.factor) for unit in definition.metric.units] == [("%", 100.0)]
    elif definition.metric.units[0].name:
        assert {unit.name: unit.factor for unit in definition.metric.units} == FACTORS[stored]
    else:
        assert [unit.factor for unit in definition.metric.units] == [1.0]


def test_a_meaning_is_a_sentence_without_its_stop() -> None:
    for definition in DEFINITIONS:
        assert definition.meaning.strip(" .") == definition.meaning != ""


def test_columns_of_other_metrics_choose_their_unit_alone() -> None:
    frame = pd.DataFrame(day()[["policy"]]).assign(latency_p99_9_s=[0.5] * 6 + [20.0])
    [metric] = [d.metric for d in DEFINITIONS if d.metric.key == "latency_p99_9_s"]
    [column] = shown_columns(frame, [metric])
    assert (column.title, column.cells[0], column.cells[-1]) == ("latency P99.9 (s)", "0.50", "20.00")
