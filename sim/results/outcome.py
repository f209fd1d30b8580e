"""What an experiment gave: by variant, the comparison of its policies and the digests of all their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from sim.core.html import shown
from sim.results.digest import Digest
from sim.results.display import comparison_html


@dataclass(frozen=True, eq=False)
class VariantOutcome:
    """The policies on one workload and one platform.

    Attributes:
        label: what is varied and how, as ``key=value`` in the order varied; empty if there is one variant only.
        frame: the comparison, a row a policy: policy, policy_value, needs_future, replications, every metric (the mean
            over replications) and, for the main ones, ``<metric>_ci95``, ``<metric>_low`` and ``<metric>_high``: half
            the width and the ends of its 95 % interval, NaN where there is none.
        differences: a row a metric and pair of policies: metric, policy, other, difference (policy − other), low, high,
            p_value, real, source.
        notes: sentences by topic: workload, platform, intervals, baseline; record, where calls are not recorded.
        functions: a row a function: name, app, owner, trigger, memory_mb.
        digests: by policy, one a replication; a policy that knows only failures has none.
        frontier: the least that a policy which only keeps must waste (see `sim.results.window_curve.Frontier`):
            `wasted_gb_s` and `cold_start_rate`, from much waste to none; None where nobody computed it.
        frontier_leaves_out: what the platform has that the frontier knows nothing of, a phrase each.
    """

    label: str
    frame: pd.DataFrame
    differences: pd.DataFrame
    notes: Mapping[str, str]
    functions: pd.DataFrame
    digests: Mapping[str, Sequence[Digest]]
    frontier: pd.DataFrame | None = None
    frontier_leaves_out: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that an experiment gave.

    Attributes:
        variants: at least one.
        title: its name for people: the experiment's, or the folder's.
        config_yaml: the configuration; empty if there was none.
        manifest: see `sim.experiment.manifest`; empty if the run has not ended, or was none of the command line.
        failures: what went wrong, a sentence a run that gave nothing.
        merged_from: the manifests of the runs whose variants these are, by name; empty if it is one run's.
    """

    variants: Sequence[VariantOutcome]
    title: str = ""
    config_yaml: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    failures: Sequence[str] = ()
    merged_from: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def frame(self) -> pd.DataFrame:
        """The comparisons of all variants, one below the other, with a column `variant` where there are several."""
        return self._joined([variant.frame for variant in self.variants])

    @property
    def differences(self) -> pd.DataFrame:
        """The differences of all variants, likewise."""
        return self._joined([variant.differences for variant in self.variants])

    @property
    def notes(self) -> dict[str, str]:
        """The notes, by topic; where there are several variants, by topic and variant."""
        if len(self.variants) == 1:
            return dict(self.variants[0].notes)
        return {f"{topic} ({v.label})": note for v in self.variants for topic, note in v.notes.items()}

    def __repr__(self) -> str:
        policies = len(self.variants[0].frame)
        failures = f", {len(self.failures)} failures" if self.failures else ""
        return f"<Outcome: {policies} policies on {len(self.variants)} variants{failures}>"

    def _repr_html_(self) -> str:
        """The main metrics of every variant, for notebooks, and what failed."""
        failures = [f"<p>{shown(failure)}</p>" for failure in self.failures]
        return "".join([*failures, *(comparison_html(each.label, each.frame) for each in self.variants)])

    def decisions(self) -> pd.DataFrame:
        """What scaling policies decided: `Result.decisions` of every run, one below the other.

        The columns `variant`, `policy` and `replication` say of which, and `function` is a name.
        """
        parts = [
            digest.decisions.assign(
                function=variant.functions["name"].to_numpy()[digest.decisions["function"]],
                replication=replication, policy=label, variant=variant.label,
            )
            for variant in self.variants
            for label, digests in variant.digests.items()
            for replication, digest in enumerate(digests)
            if len(digest.decisions)
        ]  # fmt: skip
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _joined(self, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        if len(frames) == 1:
            return frames[0]
        named = [frame.assign(variant=v.label) for frame, v in zip(frames, self.variants, strict=True)]
        joined = pd.concat(named, ignore_index=True)
        return joined[["variant", *(name for name in joined if name != "variant")]]


def merged(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Several outcomes as one, the variants of each under its name; of one, itself."""
    if len(outcomes) == 1:
        return next(iter(outcomes.values()))
    variants = [
        replace(variant, label=f"{name}: {variant.label}" if variant.label else name)
        for name, outcome in outcomes.items()
        for variant in outcome.variants
    ]
    failures = [f"{name}: {failure}" for name, outcome in outcomes.items() for failure in outcome.failures]
    manifests = {name: outcome.manifest for name, outcome in outcomes.items()}
    return Outcome(variants, failures=failures, merged_from=manifests)
