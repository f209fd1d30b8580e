"""The figures of a report, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from sim.report.figures import pareto
from sim.results.outcome import VariantOutcome


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure and what is said with it.

    Attributes:
        name: of its files, without an ending.
        title: a short heading.
        caption: what is drawn, and how to read it.
        alt: for those who cannot see it.
        figure: the figure.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


def gallery(variant: VariantOutcome, *, width_in: float = 7.0) -> Iterator[Drawn]:
    """The figures of one variant; one that has nothing to show is left out."""
    if variant.frame.empty:
        return
    yield Drawn(
        "pareto",
        "Cold starts against wasted memory",
        "Each policy is a point: further down are fewer cold starts, further left is less memory wasted. Filled points"
        " are on the Pareto front: no other policy is as good in both and better in one.",
        f"Cold-start rate against wasted memory-time of {len(variant.frame)} policies.",
        pareto(variant.frame, {}, width_in=width_in),
    )
