"""What a report says in sentences: what was compared on what, how sure it is, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from sim.report.figures import pareto_front
from sim.report.metrics import ShownColumn, named, needs_future, numbers, printable, shown_columns
from sim.results.outcome import VariantOutcome

SUBJECT: Final = (
    "A serverless platform runs a function in instances: containers or small virtual machines. Starting one takes time."
    " A call that has to wait until a new instance has started is a cold start; a call that finds an instance ready is"
    " warm. A keep-alive policy decides how long an instance stays when its call has ended, and when one is started"
    " ahead of a call; a scaling policy decides how many instances there are. The longer instances stay, the fewer"
    " calls are cold, and the more memory is wasted on instances that serve nobody."
)
"""What a reader who has never heard of cold starts must know first."""
NAMED: Final = 8
"""Policies that a sentence names; more are counted."""


def subject(variants: Sequence[VariantOutcome]) -> str:
    """How many policies were compared, and which."""
    labels = list(dict.fromkeys(label for v in variants for label in v.frame["policy"].astype(str)))
    if not labels:
        return "No policy has a result here."
    what = f"{len(labels)} such policies" if len(labels) > 1 else "one such policy"
    names = f": {', '.join(map(named, labels))}" if len(labels) <= NAMED else ""
    where = f" in {len(variants)} variants of workload and platform" if len(variants) > 1 else ""
    same = ", each on the same calls" if len(labels) > 1 else ""
    verb = "compares" if len(labels) > 1 else "shows"
    return f"This page {verb} {what} by simulation{where}{same}{names}."


def setting(notes: Mapping[str, str]) -> list[str]:
    """On what it was measured, and how sure the numbers are: a sentence each, of those that there are."""
    said = {
        "workload": "The workload: {}.",
        "platform": "The platform: {}.",
        "intervals": "How sure this is: {}.",
        "baseline": "{}.",
        "record": "{}.",
    }
    lines = [form.format(printable(notes[topic]).rstrip(".")) for topic, form in said.items() if notes.get(topic)]
    return [line[:1].upper() + line[1:] for line in lines]


def findings(frame: pd.DataFrame) -> list[str]:
    """Which policies have the fewest cold starts and waste the least, and which of them no other beats in both.

    Policies that know the future are left out: nobody can run one.
    """
    own = frame[~needs_future(frame)].reset_index(drop=True)
    columns = {column.metric.key: column for column in shown_columns(own)}
    cold, waste = numbers(own, "cold_start_rate"), numbers(own, "wasted_gb_s")
    if len(own) < 2 or not np.isfinite(cold).any():
        return []
    rate, wasted = columns["cold_start_rate"], columns["wasted_gb_s"]
    said = [f"Fewest cold starts: {_best(own, rate, cold)}."]
    if np.isfinite(waste).any():
        said.append(f"Least wasted memory-time: {_best(own, wasted, waste)}.")
        said.append(_front(own, pareto_front(waste, cold)))
    queue = numbers(own, "queued") if "queued" in own else np.zeros(len(own))
    more = [str(label) for label in own["policy"][queue > numbers(own, "cold_starts")]] if queue.any() else []
    if more:
        said.append(
            f"Under {_named(more)} more calls waited for something else than a cold start, such as a busy instance: "
            "compare latencies, too."
        )
    return said


def _best(frame: pd.DataFrame, column: ShownColumn, values: np.ndarray) -> str:
    best = np.flatnonzero(values == np.nanmin(values))
    names = _named([str(frame["policy"].iloc[i]) for i in best])
    return f"{names} ({' '.join(filter(None, [column.cells[best[0]], column.unit.name]))})"


def _front(frame: pd.DataFrame, front: np.ndarray) -> str:
    beaten = [str(label) for label in frame["policy"][~front]]
    if not beaten:
        return "No policy beats another in both: fewer cold starts cost memory here."
    last = "is" if len(beaten) == 1 else "are"
    return (
        f"{_named(beaten)} {last} beaten: another policy has no more cold starts and wastes no more, and is better in "
        f"one of the two."
    )


def _named(labels: Sequence[str]) -> str:
    if len(labels) > NAMED:
        return f"{len(labels)} policies"
    names = [named(label) for label in labels]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
