"""The table of docs/scaling.md: Knative's windows and targets, and a window a call, as Kondrashov et al. measured them.

Kubernetes' autoscaler, which they did not measure, comes last.

    python docs/scaling_table.py FOLDER_OF_AZURE_2019 [SECONDS]

of which the first half is not measured. The whole, 4,800 s, takes some ten minutes.
"""

from __future__ import annotations

import sys
from math import inf

import numpy as np
import pandas as pd

import sim
from sim.policies import FixedWindow, KeepAlive, Knative, KubernetesHpa

SHORTEST_S = 0.001
"""What slowdown takes a call to last at least."""


def policies() -> dict[str, KeepAlive]:
    """Those of the table, by name."""
    sync = {f"sync, keep {s} s": FixedWindow(s) for s in (30, 600, 1800)}
    settings = [(30, 0.7), (60, 0.5), (60, 1.0), (600, 0.5), (600, 0.7), (600, 1.0), (1800, 0.7)]
    knative = {
        f"Knative, window {s} s, target {target}": Knative(
            stable_window_s=s, target_utilization=target, panic_threshold=inf
        )
        for s, target in settings
    }
    return sync | knative | {"Kubernetes HPA": KubernetesHpa()}


def row(trace: sim.Trace, policy: KeepAlive) -> dict[str, float]:
    """Memory held over busy, instances made a second, and slowdown, over the second half."""
    half_s = trace.horizon_s / 2
    result = sim.simulate(trace, policy, sim.load_platform("default", concurrency=1), warm_up_s=half_s)
    calls = result.invocations[result.invocations["counted"] & (result.invocations["start_kind"] != "")]
    took_s, ran_s = calls["end_s"] - calls["arrival_s"], trace.service_s[calls.index]
    slowdown = np.maximum(took_s, SHORTEST_S) / np.maximum(ran_s, SHORTEST_S)
    worst = slowdown.groupby(calls["function"]).quantile(0.99)
    return {
        "memory": result.summary["mean_instances"] / result.summary["mean_busy_instances"],
        "creations/s": result.summary["instance_starts"] / half_s,
        "slowdown": float(np.exp(np.log(worst).mean())),
    }


def main(folder: str, span_s: float = 4800.0) -> None:
    """Print the table."""
    trace = sim.load_trace(folder, format="azure2019", arrivals="uniform", durations="lognormal", seed=0)
    trace = trace.slice(0, span_s)
    table = pd.DataFrame({name: row(trace, policy) for name, policy in policies().items()}).T
    sys.stdout.write(f"{trace}\n{table.round(2).to_string()}\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
