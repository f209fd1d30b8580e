"""Outcomes of runs, made without the runner of experiments."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

import sim
from sim.policies.keepalive.role import KeepAlive
from sim.results.digest import digest
from sim.results.outcome import VariantOutcome
from sim.workload import Trace

POLICIES: Mapping[str, KeepAlive] = {
    "fixed_10m": sim.policies.FixedWindow(600.0),
    "fixed_1m": sim.policies.FixedWindow(60.0),
    "none": sim.policies.NoKeepAlive(),
    "clairvoyant": sim.policies.Clairvoyant(),
}
HOSTILE = ("$x_1$ \\alpha", "_a", "line\nbreak\x1b[31m", "</g><script>alert(1)</script>", "n" * 300, "مرحبا", "函数一",
           "函数二", "")  # fmt: skip


def outcome(
    trace: Trace,
    policies: Mapping[str, KeepAlive] = POLICIES,
    replications: int = 2,
    platform: sim.Platform | None = None,
) -> VariantOutcome:
    """Policies compared on a trace; intervals are the values give or take a hundredth."""
    results = {
        label: [sim.simulate(trace, policy, platform, replication=r) for r in range(replications)]
        for label, policy in policies.items()
    }
    rows = [
        {"policy": label, "policy_value": repr(policies[label]), "needs_future": policies[label].needs_future,
         "replications": replications, **pd.DataFrame([run.summary for run in runs]).mean(skipna=False)}
        for label, runs in results.items()
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    baseline = frame["wasted_gb_s"][0]
    frame["wasted_normalised"] = frame["wasted_gb_s"] / baseline if baseline else np.nan
    for key in ("cold_start_rate", "wasted_normalised", "provider_cost_per_million_usd", "user_cost_per_million_usd"):
        frame[f"{key}_low"], frame[f"{key}_high"] = 0.99 * frame[key], 1.01 * frame[key]
    digests = {label: [digest(run) for run in runs] for label, runs in results.items()}
    functions = trace.functions[["name", "app", "owner", "trigger", "memory_mb"]]
    return VariantOutcome("", frame, pd.DataFrame(), {}, functions, digests)


def trace_of(
    functions: int = 12, calls: int = 400, names: Sequence[str] = (), span_s: float = 7200.0, seed: int = 0
) -> Trace:
    """A few functions called very unevenly, in apps of three, with four triggers."""
    random = np.random.default_rng(seed)
    names = [names[i % len(names)] + str(i // len(names) or "") if names else f"f{i}" for i in range(functions)]
    table = pd.DataFrame({
        "name": names, "app": [f"app {names[i - i % 3]}" for i in range(functions)],
        "trigger": [["http", "timer", "queue", ""][i % 4] if names[0] == "f0" else names[i] for i in range(functions)],
        "memory_mb": 128.0 * (1 + np.arange(functions) % 4),
    })  # fmt: skip
    share = 1 / np.arange(1, functions + 1) ** 2
    called = np.sort(random.choice(functions, calls, p=share / share.sum()))
    return Trace.from_arrays(
        called, random.random(calls) * span_s, random.lognormal(0.0, 1.0, calls), functions=table, horizon_s=span_s
    )
