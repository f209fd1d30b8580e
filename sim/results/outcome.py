"""What an experiment gave: by variant, the comparison of its policies and the digests of all their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sim.results.digest import Digest


@dataclass(frozen=True, eq=False)
class VariantOutcome:
    """The policies on one workload and one platform.

    Attributes:
        label: what is varied and how, as ``key=value`` in the order varied; empty if there is one variant only.
        frame: the comparison, a row a policy: see `sim.experiment.comparison.Comparison`.
        differences: every pair of policies: see `sim.experiment.intervals.differences`.
        notes: sentences by topic: workload, platform, intervals, baseline.
        functions: a row a function: name, app, owner, trigger, memory_mb.
        digests: by policy, one a replication; a policy that knows only failures has none.
    """

    label: str
    frame: pd.DataFrame
    differences: pd.DataFrame
    notes: Mapping[str, str]
    functions: pd.DataFrame
    digests: Mapping[str, Sequence[Digest]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that an experiment gave.

    Attributes:
        variants: at least one.
        title: its name for people: the experiment's, or the folder's.
        config_yaml: the configuration; empty if there was none.
        manifest: see `sim.experiment.manifest`; empty if the run has not ended, or was none of the command line.
        failures: what went wrong, a sentence a run that gave nothing.
    """

    variants: Sequence[VariantOutcome]
    title: str = ""
    config_yaml: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    failures: Sequence[str] = ()
