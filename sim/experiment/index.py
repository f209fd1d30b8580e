"""The index of a run: which digests belong to what. With them it is all that a comparison is computed from.

``index.json`` in a run's folder holds, beside a format's name and version: `intervals`; `policies`, a list of `label`,
`value` and `needs_future`; `variants`, a list of `label`, `facts` (the notes, and what the arithmetic needs),
`functions` (the file of their table), `cells` (by policy, a list of keys, one a replication) and `baseline` (likewise);
`failures`, sentences. The folder ``cells`` holds the digests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import ConfigError
from sim.experiment.intervals import (
    AppSums,
    Estimates,
    IntervalSource,
    from_apps,
    from_replications,
)
from sim.experiment.notes import intervals_note
from sim.experiment.replications import Replications
from sim.results.digest import Digest
from sim.results.outcome import Outcome, VariantOutcome
from sim.results.store import find_digest, parquet_bytes, read_digest, write_whole

FORMAT: Final = "keepwarm-run"
VERSION: Final = 1
INDEX: Final = "index.json"
CELLS: Final = "cells"
BASELINE_NOTE: Final = "wasted memory is normalised to that of a fixed window of 10 minutes"


class StoredDigests(Sequence[Digest]):
    """Digests that are read when they are asked for: of a large experiment they are more than memory holds."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return StoredDigests(self._paths[place])
        return _recent(self._paths[place])


@lru_cache(maxsize=64)
def _recent(path: Path) -> Digest:
    """A digest read lately: every figure asks for all of them. The checksum in its name makes it the same for ever."""
    return read_digest(path)


@dataclass(frozen=True, eq=False)
class IndexedVariant:
    """A variant as the index has it; see the module."""

    label: str
    facts: Mapping[str, Any]
    functions: pd.DataFrame
    cells: Mapping[str, Sequence[str]]
    baseline: Sequence[str]


@dataclass(frozen=True, eq=False)
class Index:
    """The index of a run, and where its digests are.

    Attributes:
        intervals: where intervals are to come from.
        policies: label, value and needs_future of each.
        variants: at least one.
        digests: the files there are, by key.
        failures: sentences.
    """

    intervals: str
    policies: Sequence[Mapping[str, Any]]
    variants: Sequence[IndexedVariant]
    digests: Mapping[str, Path]
    failures: Sequence[str] = ()
    _summaries: dict[str, pd.Series] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """Of all cells that belong to it."""
        return {key for v in self.variants for some in (*v.cells.values(), v.baseline) for key in some}

    def outcome(self, **besides: Any) -> Outcome:
        """The comparison, computed; `besides` are further attributes of the outcome.

        Where something is missing, only replications that all policies have are used, and policies that have none are
        left out and named.
        """
        missing: list[str] = []
        variants = [self._variant(variant, missing) for variant in self.variants]
        return Outcome(variants, failures=[*self.failures, *missing], **besides)

    def metric(self, variant: int, metric: str) -> pd.DataFrame:
        """A metric's values so far: a column a policy that has any, a row a replication that they all have."""
        shown = self.variants[variant]
        kept, n = self._complete(shown)
        return pd.DataFrame({label: self._summaries_of(shown, label, n)[metric] for label in kept})

    def next_replications(self, variant: int, replications: Replications) -> int:
        """How many there should be, given what there is."""
        values = self.metric(variant, replications.metric)
        return replications.next(values) if values.size else replications.min

    def _complete(self, variant: IndexedVariant) -> tuple[list[str], int]:
        """The policies that have a first replication, and how many replications from the first on all of these have."""
        number = {label: self._leading(keys) for label, keys in variant.cells.items()}
        kept = [label for label, n in number.items() if n]
        return kept, min((number[label] for label in kept), default=0)

    def _leading(self, keys: Sequence[str]) -> int:
        return next((i for i, key in enumerate(keys) if key not in self.digests), len(keys))

    def _summaries_of(self, variant: IndexedVariant, label: str, n: int) -> pd.DataFrame:
        base_gb_s = [
            self._summary(key)["wasted_gb_s"] if key in self.digests else np.nan for key in variant.baseline[:n]
        ]
        table = pd.DataFrame([self._summary(key) for key in variant.cells[label][:n]]).reset_index(drop=True)
        base = np.array(base_gb_s)
        table["wasted_normalised"] = table["wasted_gb_s"] / np.where(base == 0, np.nan, base)
        return table

    def _summary(self, key: str) -> pd.Series:
        if key not in self._summaries:
            self._summaries[key] = read_digest(self.digests[key]).summary
        return self._summaries[key]

    def _variant(self, variant: IndexedVariant, missing: list[str]) -> VariantOutcome:
        kept, n = self._complete(variant)
        missing += self._missing(variant, kept, n)
        summaries = {label: self._summaries_of(variant, label, n) for label in kept}
        digests = {label: StoredDigests([self.digests[key] for key in variant.cells[label][:n]]) for label in kept}
        source, apps = _source(self.intervals, variant.facts, n), 0
        estimates = from_replications(source, summaries) if kept else None
        if estimates is not None and source == "apps":
            estimates, apps = self._by_apps(estimates, variant, digests, n)
        notes = {
            "workload": variant.facts["workload"],
            "platform": variant.facts["platform"],
            "intervals": intervals_note(
                source, n, apps, variant.facts["frozen"], self._missed(variant, kept, summaries)
            ),
            "baseline": BASELINE_NOTE,
        }
        if variant.facts.get("record"):
            notes["record"] = variant.facts["record"]
        frame, differences = self._frame(kept, summaries, estimates), pd.DataFrame()
        if estimates is not None:
            differences = estimates.differences()
        told, frontier = variant.facts["frontier"], None
        if told is not None:
            frontier = pd.DataFrame({name: told[name] for name in ("wasted_gb_s", "cold_start_rate")}, dtype=np.float64)
        leaves_out = () if told is None else told["leaves_out"]
        return VariantOutcome(
            variant.label, frame, differences, notes, variant.functions, digests, frontier, leaves_out
        )

    @staticmethod
    def _missed(variant: IndexedVariant, kept: Sequence[str], summaries: Mapping[str, pd.DataFrame]) -> str:
        """Which intervals are wider than was asked for, in words."""
        asked = Replications(**variant.facts["replications"])
        values = pd.DataFrame({label: summaries[label][asked.metric] for label in kept})
        return asked.missed(values) if variant.facts["is_random"] and values.size else ""

    def _missing(self, variant: IndexedVariant, kept: Sequence[str], n: int) -> list[str]:
        """What the comparison of a variant lacks, in sentences."""
        said = [] if self.failures else [
            f"{_named(p['label'], variant.label)}: has not been run" for p in self.policies if p["label"] not in kept
        ]  # fmt: skip
        wanted = max((len(keys) for keys in variant.cells.values()), default=0)
        if kept and n < wanted:
            where = f"{variant.label}: " if variant.label else ""
            said.append(f"{where}only the first {n} of {wanted} replications are used, those that every policy has")
        return said

    def _frame(
        self, kept: Sequence[str], summaries: Mapping[str, pd.DataFrame], estimates: Estimates | None
    ) -> pd.DataFrame:
        if estimates is None:
            return pd.DataFrame(columns=pd.Index(["policy", "policy_value", "needs_future", "replications"]))
        shown = [p for p in self.policies if p["label"] in kept]
        head = pd.DataFrame(
            {
                "policy": [p["label"] for p in shown],
                "policy_value": [p["value"] for p in shown],
                "needs_future": [p["needs_future"] for p in shown],
                "replications": [len(summaries[p["label"]]) for p in shown],
            }
        )
        means = pd.DataFrame([summaries[p["label"]].mean(skipna=False) for p in shown])
        return pd.concat([head, means, estimates.columns()], axis=1)

    def _by_apps(
        self, means: Estimates, variant: IndexedVariant, digests: Mapping[str, Sequence[Digest]], n: int
    ) -> tuple[Estimates, int]:
        """Estimates by a bootstrap over apps, and how many those are."""
        sums = {label: _app_sums(each, variant) for label, each in digests.items()}
        apps = next(iter(sums.values())).calls.size
        base = StoredDigests([self.digests[key] for key in variant.baseline[:n] if key in self.digests])
        if not base:
            return means, apps
        return from_apps(means, sums, _app_sums(base, variant), variant.facts["seed"]), apps


def _source(intervals: str, facts: Mapping[str, Any], n: int) -> IntervalSource:
    if intervals == "apps":
        return "apps"
    if facts["is_random"]:
        return "replications" if n > 1 else "none"
    return "exact" if facts["frozen"] is None else "none"


def _named(label: str, variant: str) -> str:
    return f"{label}, {variant}" if variant else label


def _app_sums(digests: Sequence[Digest], variant: IndexedVariant) -> AppSums:
    """What each app that was called adds, on the average of the replications."""
    names = ["calls", "started", "cold", "wasted_gb_s", "held_gb_s", "user_usd"]
    gb = variant.functions["memory_mb"].to_numpy() / 1024
    total = pd.DataFrame(0.0, index=range(len(gb)), columns=names)
    for each in digests:
        f = each.functions
        total += pd.DataFrame(
            {
                "calls": f["calls"],
                "started": f["started"],
                "cold": f["cold"],
                "wasted_gb_s": (f["idle_s"] + f["unawaited_start_s"]) * gb,
                "held_gb_s": (f["starting_s"] + f["busy_s"] + f["idle_s"]) * gb,
                "user_usd": f["user_cost_usd"],
            }
        ).astype(np.float64)
    total /= len(digests)
    wasted_gb_s = np.mean([each.summary["wasted_gb_s"] for each in digests])
    if not np.isclose(total["wasted_gb_s"].sum(), wasted_gb_s, rtol=1e-6):  # generic cells are nobody's
        total[["wasted_gb_s", "held_gb_s"]] = np.nan
    apps = total.groupby([variant.functions["owner"], variant.functions["app"]], sort=False).sum(min_count=1)
    apps = apps[apps["calls"] > 0]  # the same for every policy
    columns = {name: apps[name].to_numpy(np.float64) for name in names}
    return AppSums(**columns, provider_usd_per_gb_s=variant.facts["provider_usd_per_gb_s"])


def write_index(index: Index, folder: Path) -> None:
    """Write ``index.json`` and the tables of functions, the same bytes for the same index."""
    (folder / "functions").mkdir(exist_ok=True)
    written: dict[bytes, str] = {}
    variants = []
    for variant in index.variants:
        content = _parquet(variant.functions)
        if content not in written:
            written[content] = f"functions/{len(written)}.parquet"
            write_whole(folder / written[content], content)
        variants.append(
            {
                "label": variant.label,
                "facts": dict(variant.facts),
                "functions": written[content],
                "cells": {label: list(keys) for label, keys in variant.cells.items()},
                "baseline": list(variant.baseline),
            }
        )
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "intervals": index.intervals,
        "policies": [dict(policy) for policy in index.policies],
        "variants": variants,
        "failures": list(index.failures),
    }
    write_whole(folder / INDEX, (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode())


def read_index(folder: Path) -> Index:
    """The index of a run's folder; digests that are missing or damaged are not in it.

    Raises:
        ConfigError: there is none, or it is none.
    """
    path = folder / INDEX
    try:
        whole = json.loads(path.read_text("utf-8"))
        if whole["format"] != FORMAT or whole["version"] != VERSION:
            raise ConfigError(f"{path} is of version {whole['version']}, which this version of keepwarm does not read")
        tables = {name: pq.read_table(folder / name, use_threads=False).to_pandas() for name in _tables(whole)}
        variants = [
            IndexedVariant(v["label"], v["facts"], tables[v["functions"]], v["cells"], v["baseline"])
            for v in whole["variants"]
        ]
        _check_words(whole)
        _check_policies_and_notes(whole)
        found = {key: find_digest(folder / CELLS, key) for key in _checked_keys(variants)}
        digests = {key: digest for key, digest in found.items() if digest is not None}
        return Index(whole["intervals"], whole["policies"], variants, digests, tuple(map(str, whole["failures"])))
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} is not the folder of a comparison: {error.filename} is not there") from None
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError, pa.ArrowException) as error:
        raise ConfigError(f"{path} is damaged: {error!r}") from None


def _check_words(whole: Mapping[str, Any]) -> None:
    words = [variant["facts"][name] for variant in whole["variants"] for name in ("workload", "platform")]
    words += [policy[name] for policy in whole["policies"] for name in ("label", "value")]
    if not all(isinstance(word, str) for word in words):
        raise ValueError("what is compared is not told in words")


def _check_policies_and_notes(whole: Mapping[str, Any]) -> None:
    words = [variant["facts"][name] for variant in whole["variants"] for name in ("workload", "platform")]
    words += [policy[name] for policy in whole["policies"] for name in ("label", "value")]
    answers = [policy["needs_future"] for policy in whole["policies"]]
    if not all(isinstance(word, str) for word in words) or not all(isinstance(answer, bool) for answer in answers):
        raise ValueError("a policy or a note that is none")


def _checked_keys(variants: Sequence[IndexedVariant]) -> list[str]:
    keys = sorted({key for v in variants for some in (*v.cells.values(), v.baseline) for key in some})
    if not variants or not all(re.fullmatch("[0-9a-f]{32}", key) for key in keys):
        raise ValueError("no variants, or a key that is none")
    return keys


def _tables(whole: Mapping[str, Any]) -> Iterator[str]:
    for variant in whole["variants"]:
        name = variant["functions"]
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ConfigError(f"a table of functions may not lie outside its run's folder, at {name}")
        yield name


def _parquet(frame: pd.DataFrame) -> bytes:
    return parquet_bytes(pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None))
