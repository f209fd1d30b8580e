"""Where two policies differ: which functions pay and which gain when one replaces the other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.report.contrasts import reference_of
from sim.report.metrics import needs_future, numbers
from sim.results.metrics import MB_PER_GB
from sim.results.outcome import VariantOutcome


def function_differences(variant: VariantOutcome, policy: str, other: str) -> pd.DataFrame:
    """What every function has under two policies, those whose cold starts change most first.

    Returns:
        A row a function: `function`, its index in the trace's table, `name`, `app`, `trigger`, `calls`, and, as means
        over the replications, ``cold_policy``, ``cold_other``, ``wasted_gb_s_policy`` and ``wasted_gb_s_other``.
    """
    one, two = _means(variant, policy), _means(variant, other)
    memory_gb = variant.functions["memory_mb"].to_numpy() / MB_PER_GB
    table = variant.functions[["name", "app", "trigger"]].assign(
        calls=one["calls"], cold_policy=one["cold"], cold_other=two["cold"],
        wasted_gb_s_policy=one["idle_s"] * memory_gb, wasted_gb_s_other=two["idle_s"] * memory_gb,
    )  # fmt: skip
    table.insert(0, "function", range(len(table)))
    change = (table["cold_policy"] - table["cold_other"]).abs()
    return table.loc[change.sort_values(ascending=False, kind="stable").index]


def compared_pair(variant: VariantOutcome) -> tuple[str, str] | None:
    """The two policies whose functions are shown; None if there are no two.

    The second is the reference. The first is, of the policies that waste no more memory-time than it, the one with the
    lowest cold-start rate, or of all where each wastes more. Policies that know the future are not considered.
    """
    able = [bool(variant.digests.get(str(label))) for label in variant.frame["policy"]]
    frame = variant.frame[~needs_future(variant.frame) & np.array(able, np.bool_)]
    other = reference_of(frame)
    rest = frame[frame["policy"] != other]
    if rest.empty:
        return None
    most_gb_s = numbers(frame[frame["policy"] == other], "wasted_gb_s")[0]
    cheap = rest[numbers(rest, "wasted_gb_s") <= most_gb_s]
    among = cheap if len(cheap) else rest
    return str(among["policy"].iloc[int(numbers(among, "cold_start_rate").argmin())]), other


def _means(variant: VariantOutcome, label: str) -> pd.DataFrame:
    digests = variant.digests[label]
    frames = [digest.functions[["calls", "cold", "idle_s"]] for digest in digests]
    return sum(frames[1:], frames[0]) / len(frames)
