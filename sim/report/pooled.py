"""The policies of an outcome with the digests of their runs, pooled over replications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sim.report.glyphs import figure_names, shortened
from sim.report.metrics import needs_future
from sim.report.palette import Look, looks
from sim.results.digest import Digest
from sim.results.outcome import VariantOutcome

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy as figures show it.

    Attributes:
        label: its key in the outcome.
        name: how figures write it.
        look: how figures draw it.
        reference: whether it knows the future.
        digests: one a replication, at least one.
    """

    label: str
    name: str
    look: Look
    reference: bool
    digests: Sequence[Digest]

    @property
    def recorded(self) -> bool:
        """Whether its runs recorded their calls: only then there is anything over time or of starts."""
        return all(digest.recorded for digest in self.digests)

    @property
    def said(self) -> str:
        """How captions write it: what a page shows need not be drawable."""
        return shortened(self.label)

    def functions(self, column: str) -> FloatArray:
        """float64[replications, functions]: a column of the table of functions."""
        return np.stack([digest.functions[column].to_numpy(np.float64) for digest in self.digests])

    def timeline(self, column: str) -> FloatArray:
        """float64[parts]: a column of the timeline, its mean over replications."""
        mean: FloatArray = np.mean([digest.timeline[column].to_numpy(np.float64) for digest in self.digests], axis=0)
        return mean


def policies_of(variant: VariantOutcome) -> list[Policy]:
    """The policies that have a digest, in the order compared; looks and names are those of the whole comparison."""
    labels = list(variant.frame["policy"].astype(str))
    names, look = figure_names(labels), looks(labels)
    return [
        Policy(label, names[label], look[label], bool(future), variant.digests[label])
        for label, future in zip(labels, needs_future(variant.frame), strict=True)
        if variant.digests.get(label)
    ]


def recorded(variant: VariantOutcome) -> list[Policy]:
    """Those of the policies whose runs recorded their calls."""
    return [policy for policy in policies_of(variant) if policy.recorded]


def others(variant: VariantOutcome, policies: Sequence[Policy]) -> list[str]:
    """The labels of the policies compared that are not among these, in the order compared."""
    these = {policy.label for policy in policies}
    return [label for label in variant.frame["policy"].astype(str) if label not in these]
