"""The figures of a report on a comparison, in its order, each with its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd

from sim.report import cold_by_group, cold_shares, latency_tail, over_time, scaling_over_time, start_phases
from sim.report.drawn import Drawn, left_out, listed, sentences, worded
from sim.report.figures import cost, costs_shown, pareto
from sim.report.function_differences import differences_functions, function_differences
from sim.report.metrics import needs_future, numbers
from sim.report.tradeoff import points_of, values_of
from sim.results.outcome import VariantOutcome

__all__ = ["FAMILIES", "Drawn", "function_differences", "gallery"]

FAMILIES: Final[tuple[Callable[..., Drawn | None], ...]] = (
    cold_shares.cold_by_app,
    cold_shares.cold_by_function,
    latency_tail.latency_tail,
    over_time.instances,
    over_time.memory,
    scaling_over_time.scaling,
    start_phases.phases,
    cold_by_group.triggers,
    cold_by_group.popularity,
    differences_functions,
)
"""What draws the figures made from digests, each given the outcome of a variant and ``width_in``."""


def gallery(variant: VariantOutcome, *, width_in: float = 7.0) -> Iterator[Drawn]:
    """Every figure that has something to show, drawn when it is asked for.

    Args:
        variant: the policies on one workload and one platform.
        width_in: inches of each; 3.4 is a paper's column, 7 its text width, 10 a slide.
    """
    for drawn in (_pareto(variant, width_in), _cost(variant.frame, width_in)):
        if drawn is not None:
            yield drawn
    for family in FAMILIES:
        drawn = family(variant, width_in=width_in)
        if drawn is not None:
            yield drawn


def _frontier_words(leaves_out: Sequence[str]) -> str:
    said = (
        "the dashed line is the clairvoyant frontier: the least waste at every rate if the future were known, keeping"
        " instances but not prewarming them"
    )
    return (
        f"{said}; an approximation here, as it takes no account of this: {', '.join(leaves_out)}"
        if leaves_out
        else said
    )


def _pareto(variant: VariantOutcome, width_in: float) -> Drawn | None:
    frame, frontier = variant.frame, variant.frontier
    key = "wasted_normalised" if np.isfinite(numbers(frame, "wasted_normalised")).any() else "wasted_gb_s"
    points = points_of(frame, key)
    if not points.drawn.any():
        return None
    unit = "times the waste of the fixed 10-minute window" if key == "wasted_normalised" else "GB-s wasted"
    caption = sentences(
        f"cold-start rate (up) against memory-time wasted on idle instances (along, {unit}): both are better"
        " small",
        _front_words(frame),
        _frontier_words(variant.frontier_leaves_out) if frontier is not None else "",
        left_out(points.lost, "having no value"),
    )  # fmt: skip
    return Drawn(
        "pareto", "Cold starts against wasted memory", caption, _alt(frame, [key], [unit]),
        pareto(frame, {}, width_in=width_in, frontier=frontier),
    )  # fmt: skip


def _cost(frame: pd.DataFrame, width_in: float) -> Drawn | None:
    figure = cost(frame, width_in=width_in)
    if figure is None:
        return None
    keys, names = zip(*costs_shown(frame), strict=True)
    user = np.isfinite(numbers(frame, "user_cost_per_million_usd")).any() and "user cost" not in names
    lost = [set(points_of(frame, key).lost) for key in keys]
    caption = sentences(
        f"cold-start rate (up) against {' and '.join(names)} in USD per million calls (along): both are better small",
        "the provider pays for the memory of instances, whatever they do; the user by the price list",
        "the user's costs differ by less than 1 % and are not drawn" if user else "",
        _front_words(frame),
        left_out(
            [label for label in frame["policy"].astype(str) if all(label in of for of in lost)], "having no value"
        ),
    )
    alt = _alt(frame, keys, [f"USD of {name} per million calls" for name in names])
    return Drawn("cost", "Cold starts against cost", caption, alt, figure)


def _front_words(frame: pd.DataFrame) -> str:
    known = "; a star knows the future and takes no part in it" if needs_future(frame).any() else ""
    bars = "; bars are 95 % intervals" if np.isfinite(values_of(frame, "cold_start_rate").low).any() else ""
    return (
        "filled markers, joined by the grey steps, are on the Pareto front: no other policy is as good in both and"
        f" better in one{known}{bars}"
    )


def _alt(frame: pd.DataFrame, keys: Sequence[str], what: Sequence[str]) -> str:
    cells = [[worded(100 * rate, "% cold starts") for rate in numbers(frame, "cold_start_rate").tolist()]]
    for key, name in zip(keys, what, strict=True):
        cells.append([f"{worded(value)} {name}" for value in numbers(frame, key).tolist()])
    facts = [f"({', '.join(row)})" for row in zip(*cells, strict=True)]
    said = listed(list(zip(frame["policy"].astype(str), facts, strict=True)))
    return sentences("a point for each policy", f"values: {said}")
