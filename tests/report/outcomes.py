"""Outcomes made by hand, and one of real runs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from comparisons import METRICS, NOTES, day, scattered

from sim.engine.simulate import simulate
from sim.experiment.comparison import Setting, compare
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.report.gallery import Drawn, gallery
from sim.results.digest import Digest, digest
from sim.results.outcome import Outcome, VariantOutcome
from sim.results.pricing import PriceBook, ProviderPrice
from sim.workload.trace import Trace

NASTY = "<img src=x onerror=alert(1)>"
NAMES = (
    NASTY,
    '"><script>alert(2)</script>',
    "a&b",
    "=1+1",
    "\u202enur",
    "عربي 中文",
    "$x_1$ \\input{y} {{ 7*7 }}",
    "x" * 300,
    "",
)
PLATFORM = Platform(start_s=0.25)
PRICE = PriceBook("user", "-", "-", 1e-5, 0.2, 0.001, 0.0, bills_start_up=False)
PROVIDER = ProviderPrice("node", "-", "-", 0.1, 8.0, 0.5)
MANIFEST = {
    "versions": {"python": "3.11.7", "keepwarm": "0.1.0", "numpy": "2.4.6"},
    "source": {"commit": "0123456789abcdef", "dirty": True},
    "overrides": ["policy=[fixed_1m,fixed_10m]", "workload.path=my traces/$x", "hydra.run.dir=elsewhere"],
    "engine": "simpy", "seed": 7, "replications": 10,
    "trace": {"hash": "feedface", "about": {"licence": "CC-BY-4.0", "path": "traces/default"}},
    "host": {"name": "some-host"}, "started": "2026-01-02T03:04:05+00:00", "seconds": 12.5,
}  # fmt: skip


def of_frame(
    frame: pd.DataFrame, *, label: str = "", half: float = 0.01, real: bool = True, source: str = "replications"
) -> VariantOutcome:
    """A variant without digests; every interval reaches `half` of its value to both sides."""
    shown = frame.assign(replications=10)
    if "policy_value" not in shown:
        shown["policy_value"] = [f"FixedWindow(window_s={60.0 * (i + 1)})" for i in range(len(frame))]
        shown.loc[shown["policy"] == "fixed_10m", "policy_value"] = "FixedWindow(window_s=600.0)"
        shown["needs_future"] = shown["policy"] == "clairvoyant"
    for metric in METRICS:
        shown[f"{metric}_low"], shown[f"{metric}_high"] = shown[metric] * (1 - half), shown[metric] * (1 + half)
        shown[f"{metric}_ci95"] = shown[metric] * half
    functions = pd.DataFrame({"name": ["f"], "app": ["a"], "owner": ["o"], "trigger": ["http"], "memory_mb": [128.0]})
    return VariantOutcome(label, shown, differences(shown, half, real, source), NOTES, functions, {})


def differences(frame: pd.DataFrame, half: float, real: bool, source: str) -> pd.DataFrame:
    """Every pair once; an interval of `half` of the difference to both sides, or none."""
    rows = []
    for metric in METRICS:
        values = dict(zip(frame["policy"], frame[metric], strict=True))
        for one, other in combinations(frame["policy"], 2):
            size = values[one] - values[other]
            reach = np.nan if source == "none" else half * abs(size)
            told = real and size != 0
            rows.append((metric, one, other, size, size - reach, size + reach, np.nan, told, source))
    columns = ("metric", "policy", "other", "difference", "low", "high", "p_value", "real", "source")
    return pd.DataFrame(rows, columns=pd.Index(columns))


def a_day(**how: object) -> Outcome:
    return Outcome([of_frame(day(), **how)], title="a day", config_yaml="seed: 7\n", manifest=MANIFEST)


def many(n: int) -> Outcome:
    return Outcome([of_frame(scattered(n))], title=f"{n} policies")


def several() -> Outcome:
    labels = ("platform=fast, seed=1", f"platform={NASTY}")
    return Outcome([of_frame(day(), label=label) for label in labels], title="two platforms", manifest=MANIFEST)


def untrusted() -> Outcome:
    """Names as a trace or a user may have them, wherever there can be one."""
    frame = scattered(len(NAMES)).assign(policy=NAMES)
    variant = of_frame(frame)
    frame = variant.frame.assign(policy_value=[f"X({name!r})" for name in NAMES])
    notes = {"workload": NASTY, "platform": "{{ 7*7 }}", "intervals": "</style><script>alert(3)</script>"}
    return Outcome(
        [VariantOutcome(NASTY, frame, variant.differences, notes, variant.functions, {})] * 2, title=NASTY,
        config_yaml=f"a: '{NASTY}</pre><script>alert(4)</script>'\n", failures=[NASTY],
        manifest=MANIFEST | {"overrides": [NASTY], "trace": {"hash": NASTY, "about": {"licence": NASTY}}},
    )  # fmt: skip


def of_runs(trace: Trace, policies: dict[str, KeepAlive], replications: int = 1) -> Outcome:
    """What real runs give, with their digests; differences have no intervals."""
    compared = compare(trace, policies, Setting(PLATFORM, PRICE, PROVIDER), replications=replications)
    draws = [trace.draw(r) if r else trace for r in range(int(compared.frame["replications"].max()))]

    def run(drawn: Trace, policy: KeepAlive, replication: int) -> Digest:
        result = simulate(drawn, policy, PLATFORM, price=PRICE, provider=PROVIDER, replication=replication)
        return digest(result)

    digests = {label: [run(drawn, p, r) for r, drawn in enumerate(draws)] for label, p in policies.items()}
    functions = trace.functions[["name", "app", "owner", "trigger", "memory_mb"]]
    frame = compared.frame
    table = differences(frame, 0.0, real=True, source="exact")
    return Outcome([VariantOutcome("", frame, table, compared.notes, functions, digests)], title="runs")


def unnamed(variant: VariantOutcome) -> Iterator[Drawn]:
    """The figures without the names: which letters a figure has is no matter of the page."""
    frame = variant.frame.assign(policy=[f"p{i}" for i in range(len(variant.frame))])
    for drawn in gallery(replace(variant, frame=frame)):
        yield replace(drawn, title=f"{drawn.title} {NASTY}", caption=NASTY, alt=NASTY)


def empty() -> Outcome:
    """Every run failed."""
    columns: Sequence[str] = ("policy", "policy_value", "needs_future", "replications")
    variant = of_frame(day())
    frame = pd.DataFrame(columns=pd.Index(columns))
    return Outcome(
        [VariantOutcome("", frame, pd.DataFrame(), variant.notes, variant.functions, {})],
        failures=["fixed_1m: no memory"],
    )
