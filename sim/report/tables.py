"""The tables of a report's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

import numpy as np
import pandas as pd

from sim.report.contrasts import Contrast
from sim.report.definitions import DEFINITIONS
from sim.report.grid import Cell, Grid, Head, order
from sim.report.metrics import PLAIN, TABLE, Metric, ShownColumn, named, needs_future, numbers, printable, shown_columns
from sim.results.outcome import VariantOutcome

FUTURE: Final = "★ knows the future"
"""As in the figures, where such a policy is a star."""
MOST_FUNCTIONS: Final = 20
MEANINGS: Final = {definition.metric.key: definition.meaning for definition in DEFINITIONS}
NOT_METRICS: Final = ("policy", "policy_value", "needs_future", "replications")
ENDINGS: Final = ("_ci95", "_low", "_high")
VERDICTS: Final = {
    "more": "a real difference",
    "less": "a real difference",
    "same": "not shown to differ",
    "untold": "no interval to judge it by",
    "missing": "",
}
FUNCTION_HEADS: Final = {
    "name": ("function", ""),
    "calls": ("calls", ""),
    "cold_policy": ("cold starts, {policy}", ""),
    "cold_other": ("cold starts, {other}", ""),
    "wasted_gb_s_policy": ("wasted, {policy}", "GB-s"),
    "wasted_gb_s_other": ("wasted, {other}", "GB-s"),
    "user_cost_usd_policy": ("user cost, {policy}", "USD"),
    "user_cost_usd_other": ("user cost, {other}", "USD"),
}
"""Title and unit of the columns of `function_differences`; others go by their names."""


def comparison_grid(frame: pd.DataFrame) -> Grid:
    """A row a policy with the metrics of the comparison table, intervals beside the values."""
    columns = list(shown_columns(frame))
    heads = [Head("policy", kind="name"), *(_head(column) for column in columns)]
    names = policy_cells(frame)
    values = [_metric_cells(frame, column) for column in columns]
    return Grid("The comparison, a row a policy", heads, list(zip(names, *values, strict=True)))


def all_metrics_grid(frame: pd.DataFrame) -> Grid:
    """A row a metric with what it is, a column a policy; those that are nowhere defined come last, by their key."""
    metrics = [definition.metric for definition in DEFINITIONS]
    known = {metric.key for metric in metrics}
    metrics += [Metric(key, key, (key,), PLAIN, 0) for key in _metric_keys(frame) if key not in known]
    heads = [Head("metric", kind="name"), *(Head(named(label)) for label in frame["policy"].astype(str))]
    rows = []
    for metric in metrics:
        [column] = shown_columns(frame, [metric])
        about = f"{MEANINGS.get(metric.key, '')} ({metric.key})".lstrip()
        rows.append([Cell(column.title, about), *_metric_cells(frame, column)])
    return Grid("All metrics, a row a metric", heads, rows, sortable=False)


def contrast_grid(found: Mapping[str, Sequence[Contrast]], reference: str) -> Grid:
    """A row a policy: by how much it differs from the reference, in each metric that has a noun."""
    first = next(iter(found.values()))
    heads = [
        Head("policy", kind="name"),
        *(Head(c.column.metric.title, c.unit, MEANINGS[c.column.metric.key]) for c in first),
    ]
    rows = [[Cell(named(label)), *map(_contrast_cell, contrasts)] for label, contrasts in found.items()]
    return Grid(f"Differences from {named(reference)}, a row a policy", heads, rows)


def overview_grids(variants: Sequence[VariantOutcome]) -> list[Grid]:
    """For each of two metrics, a row a variant and a column a policy; a link would be no help to sort by."""
    labels = list(dict.fromkeys(label for v in variants for label in v.frame["policy"].astype(str)))
    shown = [metric for metric in TABLE if metric.key in ("cold_start_rate", "wasted_normalised")]
    return [_overview(metric, variants, labels) for metric in shown if labels]


def policies_grid(variants: Sequence[VariantOutcome]) -> Grid:
    """What was compared: every policy once, with its parameters."""
    frames = [v.frame for v in variants if not v.frame.empty]
    if not frames:
        return Grid("The policies", [Head("policy", kind="name")], [])
    frame = pd.concat(frames, ignore_index=True).drop_duplicates("policy")
    values = frame["policy_value"].astype(str) if "policy_value" in frame else frame["policy"].astype(str)
    rows = [[name, Cell(printable(value))] for name, value in zip(policy_cells(frame), values, strict=True)]
    return Grid("The policies", [Head("policy", kind="name"), Head("class and parameters", kind="text")], rows)


def function_grid(table: pd.DataFrame, policy: str, other: str) -> Grid:
    """The functions that two policies treat most differently, as `function_differences` orders them."""
    table = table.head(MOST_FUNCTIONS)
    names = [name for name in table.columns if name != "function"]
    names.sort(key=lambda name: name != "name")  # it names the row
    heads, columns = [], []
    for name in names:
        text, unit = FUNCTION_HEADS.get(name, (name, ""))
        text = text.replace("{policy}", named(policy)).replace("{other}", named(other))
        numeric = pd.api.types.is_numeric_dtype(table[name])
        heads.append(Head(text, unit, kind="name" if name == "name" else "number" if numeric else "text"))
        columns.append(_number_cells(table, name) if numeric else [Cell(printable(str(v))) for v in table[name]])
    return Grid("Functions that fare most differently", heads, list(zip(*columns, strict=True)))


def policy_cells(frame: pd.DataFrame) -> list[Cell]:
    """The names of the policies, those that know the future marked."""
    labels = frame["policy"].astype(str)
    return [
        Cell(named(label), FUTURE if future else "") for label, future in zip(labels, needs_future(frame), strict=True)
    ]


def _head(column: ShownColumn) -> Head:
    return Head(column.metric.title, column.unit.name, MEANINGS[column.metric.key])


def _metric_cells(frame: pd.DataFrame, column: ShownColumn) -> list[Cell]:
    key = column.metric.key
    low, high = numbers(frame, f"{key}_low"), numbers(frame, f"{key}_high")
    return [
        Cell(cell, half, order(value), _ends(column, low[row], high[row]))
        for row, (value, cell, half) in enumerate(
            zip(numbers(frame, key).tolist(), column.cells, column.halves, strict=True)
        )
    ]


def _ends(column: ShownColumn, low: float, high: float) -> str:
    if not (isfinite(low) and isfinite(high)):
        return ""
    factor, unit = column.unit.factor, column.unit.name
    return f"95 % interval: {low * factor:.5g} to {high * factor:.5g} {unit}".rstrip()


def _contrast_cell(contrast: Contrast) -> Cell:
    verdict = contrast.verdict
    aside = " ".join(filter(None, [f"({contrast.interval})" if contrast.interval else "", "≈" * (verdict == "same")]))
    look = verdict if verdict in ("more", "less", "same") else ""
    return Cell(contrast.text, aside, order(contrast.difference), VERDICTS[verdict], look)


def _overview(metric: Metric, variants: Sequence[VariantOutcome], labels: Sequence[str]) -> Grid:
    values = np.concatenate([numbers(v.frame.set_index("policy").reindex(list(labels)), metric.key) for v in variants])
    [column] = shown_columns(pd.DataFrame({"policy": "", metric.key: values}), [metric])
    cells = [Cell(text, order=order(value)) for text, value in zip(column.cells, values.tolist(), strict=True)]
    n = len(labels)
    rows = [[Cell(named(v.label)), *cells[i * n : (i + 1) * n]] for i, v in enumerate(variants)]
    heads = [Head("variant", kind="name"), *(Head(named(label)) for label in labels)]
    return Grid(column.title, heads, rows)


def _metric_keys(frame: pd.DataFrame) -> list[str]:
    keys = [str(key) for key in frame.columns if key not in NOT_METRICS and not str(key).endswith(ENDINGS)]
    return [key for key in keys if pd.api.types.is_numeric_dtype(frame[key])]


def _number_cells(table: pd.DataFrame, name: str) -> list[Cell]:
    [column] = shown_columns(table, [Metric(name, name, (name,), PLAIN, 0)])
    return [Cell(text, order=order(value)) for text, value in zip(column.cells, numbers(table, name), strict=True)]
