"""How the policies of a comparison differ from one of them: as numbers with intervals, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, isinf, isnan, log10, nan
from typing import Final, Literal

import numpy as np
import pandas as pd

from sim.policies import FixedWindow
from sim.report.metrics import MISSING, PERCENT, ShownColumn, decimals, named, shown_columns
from sim.results.outcome import VariantOutcome

Verdict = Literal["more", "less", "same", "untold", "missing"]

BASELINE: Final = repr(FixedWindow(600.0))
MINUS: Final = "\N{MINUS SIGN}"
NOUNS: Final = {
    "cold_start_rate": ("more", "fewer", "cold starts"),
    "wasted_gb_s": ("more", "less", "wasted memory-time"),
    "latency_p99_s": ("more", "less", "latency at P99"),
    "user_cost_per_million_usd": ("more", "less", "cost to users per million calls"),
    "provider_cost_per_million_usd": ("more", "less", "cost to the provider per million calls"),
}
"""By metric: how more and less of it are said, and its name."""


@dataclass(frozen=True)
class Contrast:
    """One metric of a policy minus that of the reference.

    Attributes:
        column: the metric, and the unit in which it is shown.
        difference, low, high: and its 95 % interval, in the stored unit; NaN where there is none.
        verdict: `more` or `less` if the difference is real, `same` if it was tested and is not shown to be;
            `untold` if there is no interval to tell by, `missing` if there is no difference.
        text: the difference, signed.
        interval: its ends, or empty.
    """

    column: ShownColumn
    difference: float
    low: float
    high: float
    verdict: Verdict
    text: str
    interval: str
    places: int

    @property
    def unit(self) -> str:
        """That of the difference: shares differ by percentage points."""
        return "percentage points" if self.column.metric.units is PERCENT else self.column.unit.name or "USD"

    @property
    def noun(self) -> str:
        """What it is a difference of."""
        return NOUNS[self.column.metric.key][2]

    @property
    def words(self) -> str:
        """``0.4 to 0.6 percentage points fewer cold starts``."""
        more, less, _ = NOUNS[self.column.metric.key]
        return f"{self._amount()} {self.unit} {more if self.difference > 0 else less} {self.noun}"

    def _amount(self) -> str:
        factor = self.column.unit.factor
        low, high = sorted((abs(self.low) * factor, abs(self.high) * factor))
        if isnan(self.low) or self.low * self.high <= 0:
            low = high = abs(self.difference) * factor
        return _range(low, high, self.places)


def reference_of(frame: pd.DataFrame) -> str:
    """The policy that the others are held against: a fixed window of 10 minutes, else the first; empty if none."""
    if frame.empty:
        return ""
    baseline = frame["policy_value"] == BASELINE if "policy_value" in frame else np.zeros(len(frame), np.bool_)
    return str(frame["policy"][baseline].iloc[0] if np.any(baseline) else frame["policy"].iloc[0])


def contrasts(variant: VariantOutcome, reference: str) -> dict[str, list[Contrast]]:
    """By policy but the reference, its contrasts in the order of `NOUNS`."""
    labels = [label for label in variant.frame["policy"].astype(str) if label != reference]
    columns = [column for column in shown_columns(variant.frame) if column.metric.key in NOUNS]
    columns.sort(key=lambda column: list(NOUNS).index(column.metric.key))
    found = _against(variant.differences, reference)
    by_policy: dict[str, list[Contrast]] = {label: [] for label in labels}
    for column in columns:
        rows = [found.get((column.metric.key, label), _NOTHING) for label in labels]
        sizes = np.abs([row.difference for row in rows]) * column.unit.factor
        real = np.array([row.real for row in rows])
        places = decimals(sizes[real] if real.any() else sizes, column.metric.decimals)
        for label, row in zip(labels, rows, strict=True):
            by_policy[label].append(_contrast(column, row, places))
    return by_policy


def sentence(policy: str, reference: str, found: Sequence[Contrast]) -> str:
    """How a policy differs from the reference, for those who read no tables."""
    real = [contrast.words for contrast in found if contrast.verdict in ("more", "less")]
    untold = [contrast.words for contrast in found if contrast.verdict == "untold" and contrast.difference]
    alike = [contrast for contrast in found if contrast.verdict == "same"]
    equal = [contrast.noun for contrast in alike if contrast.low == contrast.high == 0]
    same = [contrast.noun for contrast in alike if not contrast.low == contrast.high == 0]
    said = []
    if real:
        said.append(f"has {_listed(real)} than {named(reference)}")
    if untold:
        said.append(f"has {_listed(untold)} than {named(reference)}, without an interval to judge that by")
    if equal:
        said.append(f"does not differ from {named(reference)} in {_listed(equal, 'or')}")
    if same:
        said.append(f"is not told apart from {named(reference)} by {_listed(same, 'or')}")
    return f"{named(policy)} {'; it '.join(said)}." if said else ""


@dataclass(frozen=True)
class _Row:
    difference: float
    low: float
    high: float
    real: bool
    source: str


_NOTHING: Final = _Row(nan, nan, nan, real=False, source="none")


def _against(differences: pd.DataFrame, reference: str) -> dict[tuple[str, str], _Row]:
    """By metric and policy, policy − reference, whichever way round a pair is in the table."""
    found: dict[tuple[str, str], _Row] = {}
    for row in differences.to_dict("records"):
        size, low, high = row["difference"], row["low"], row["high"]
        if row["other"] == reference:
            found[row["metric"], row["policy"]] = _Row(size, low, high, row["real"], row["source"])
        elif row["policy"] == reference:
            found[row["metric"], row["other"]] = _Row(-size, -high, -low, row["real"], row["source"])
    return found


def _contrast(column: ShownColumn, row: _Row, places: int) -> Contrast:
    factor = column.unit.factor
    ends = [] if isnan(row.low) or row.source == "exact" else [row.low, row.high]
    interval = " to ".join(_signed(end * factor, places) for end in ends)
    return Contrast(
        column, row.difference, row.low, row.high, _verdict(row), _signed(row.difference * factor, places), interval,
        places,
    )  # fmt: skip


def _verdict(row: _Row) -> Verdict:
    if isnan(row.difference):
        return "missing"
    if row.real:
        return "more" if row.difference > 0 else "less"
    return "untold" if isnan(row.low) else "same"


def _signed(value: float, places: int) -> str:
    if isnan(value):
        return MISSING
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return sign + _small(abs(value), places)


def _range(low: float, high: float, most: int) -> str:
    """Two sizes by as few decimals as show two digits of the first and tell them apart, `most` at most."""
    fewest = 1 - floor(log10(low)) if 0 < low < inf else most
    shown: dict[str, None] = {}
    for places in range(min(max(fewest, 0), most), most + 1):
        shown = dict.fromkeys((_small(low, places), _small(high, places)))
        if len(shown) > 1:
            break
    return " to ".join(shown)


def _small(size: float, places: int) -> str:
    if isinf(size):
        return "∞"
    least = 10.0**-places
    return f"<{least:.{places}f}" if 0 < size < least / 2 else f"{size:,.{places}f}"


def _listed(parts: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
