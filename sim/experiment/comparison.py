"""Compare policies on one workload, with the same arrivals, durations and start draws for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Protocol

import numpy as np
import pandas as pd
from scipy import stats

from sim.core.distributions import Distribution
from sim.core.errors import ConfigError
from sim.engine.simulate import measured_span, require_price, simulate
from sim.platform.platform import Platform
from sim.policies.keepalive.fixed_window import FixedWindow
from sim.policies.keepalive.role import KeepAlive, checked_rule
from sim.results.pricing import PriceBook, ProviderPrice
from sim.workload.trace import Trace

BASELINE: Final = FixedWindow(600.0)
"""Wasted memory is normalised to this policy's (Shahrad et al., USENIX ATC 2020, section 5)."""
CONFIDENCE: Final = 0.95
WITH_INTERVALS: Final = (
    "cold_start_rate", "app_cold_share_p75", "latency_p50_s", "latency_p99_s", "wasted_gb_s", "wasted_normalised",
    "mean_instances", "user_cost_per_million_usd", "provider_cost_per_million_usd",
)  # fmt: skip

_TOLD: Final = ("start", "start_s", "max_lifetime_s", "instance_choice", "concurrency")
"""Options of a platform that its note has words for; others are named if they are not the default."""


@dataclass(frozen=True)
class Setting:
    """Everything of a run but the trace and the policy."""

    platform: Platform
    price: PriceBook
    provider: ProviderPrice
    engine: str = "simpy"
    seed: int = 0
    warm_up_s: float = 0.0
    horizon_s: float | None = None

    def __post_init__(self) -> None:
        for name, kind in (("platform", Platform), ("price", PriceBook), ("provider", ProviderPrice)):
            require_instance(name, getattr(self, name), kind)


def require_instance(name: str, value: object, kind: type) -> None:
    """Refuse what is no `kind`: a class instead of an instance, the name of a preset."""
    if not isinstance(value, kind):
        hint = " (an instance, not the class)" if isinstance(value, type) else ""
        raise ConfigError(f"{name} must be a {kind.__name__}{hint}, not {value!r}")


@dataclass(frozen=True, eq=False)
class Comparison:
    """A comparison: a row a policy, and what a reader must know besides.

    Attributes:
        frame: policy, policy_value, needs_future, replications, then every metric (the mean over replications) and, for
            the main ones, ``<metric>_ci95``: the half-width of its 95 % interval, NaN where there is none.
        notes: sentences by topic: workload, platform, intervals, baseline.
    """

    frame: pd.DataFrame
    notes: Mapping[str, str]


class Watch(Protocol):
    """Is told how far a comparison is."""

    def begin(self, label: str, calls: int) -> None:
        """The run of a policy begins."""

    def progress(self, calls: int) -> None:
        """So many of its calls have arrived."""

    def end(self, summary: pd.Series) -> None:
        """It is over."""


class Unwatched:
    """Nobody looks."""

    def begin(self, label: str, calls: int) -> None:
        """Nothing."""

    def progress(self, calls: int) -> None:
        """Nothing."""

    def end(self, summary: pd.Series) -> None:
        """Nothing."""


def compare(
    trace: Trace,
    policies: Mapping[str, KeepAlive],
    setting: Setting,
    *,
    replications: int = 1,
    watch: Watch | None = None,
) -> Comparison:
    """Run every policy on the same replications of a trace.

    The fixed 10-minute window is run in addition where it is not among the policies. Where nothing is random one
    replication says it all, whatever was asked for.
    """
    require_instance("trace", trace, Trace)
    require_instance("policies", policies, Mapping)
    for label, policy in policies.items():
        require_instance(f"policies[{label!r}]", policy, KeepAlive)
        require_price(policy, setting.price)
    if not policies:
        raise ConfigError("there is no policy to compare")
    if replications < 1:
        raise ConfigError(f"replications must be 1 or more, not {replications}")
    random = is_random(trace, policies, setting)
    replications = replications if random else 1
    watched = watch or Unwatched()
    runs: dict[str, list[pd.Series]] = {label: [] for label in policies}
    for replication in range(replications):
        drawn = trace.draw(replication) if replication else trace
        for label, summary in _replicate(drawn, policies, setting, replication, watched).items():
            runs[label].append(summary)
    rows = [
        {
            "policy": label,
            "policy_value": repr(policies[label]),
            "needs_future": policies[label].needs_future,
            "replications": len(summaries),
            **_row(summaries),
        }
        for label, summaries in runs.items()
    ]
    notes = {
        "workload": _workload_note(trace, setting),
        "platform": _platform_note(trace, setting),
        "intervals": _intervals_note(trace, random, replications),
        "baseline": "wasted memory is normalised to that of a fixed window of 10 minutes",
    }
    return Comparison(pd.DataFrame(rows), notes)


def is_random(trace: Trace, policies: Mapping[str, KeepAlive], setting: Setting) -> bool:
    """Whether two replications can differ."""
    platform, rules = setting.platform, [checked_rule(policy) for policy in policies.values()]
    return (
        trace.is_random
        or platform.start_model.is_random
        or isinstance(platform.max_lifetime_s, Distribution)
        or platform.instance_choice == "random"
        or platform.router_matters
        or 0 < platform.start_failure_probability < 1
        or any(rule.needs_uniform for rule in rules if rule is not None)
    )


def number_of_runs(trace: Trace, policies: Mapping[str, KeepAlive], setting: Setting, replications: int) -> int:
    """How many runs `compare` makes of this, the baseline's included."""
    return (replications if is_random(trace, policies, setting) else 1) * len(_with_baseline(policies))


def _with_baseline(policies: Mapping[str, KeepAlive]) -> dict[str, KeepAlive]:
    """The policies, and after them, under a label of its own, the baseline if it is not one of them."""
    if BASELINE in policies.values():
        return dict(policies)
    label = "(baseline)"
    while label in policies:
        label = f"({label})"
    return {**policies, label: BASELINE}


def _replicate(
    trace: Trace, policies: Mapping[str, KeepAlive], setting: Setting, replication: int, watch: Watch
) -> dict[str, pd.Series]:
    """One replication of every policy; common random numbers come with the seed and the replication."""
    summaries, wanted = {}, _with_baseline(policies)
    for label, policy in wanted.items():
        watch.begin(label, len(trace))
        result = simulate(
            trace, policy, setting.platform, price=setting.price, provider=setting.provider, engine=setting.engine,
            seed=setting.seed, replication=replication, record=False, warm_up_s=setting.warm_up_s,
            horizon_s=setting.horizon_s, on_progress=watch.progress,
        )  # fmt: skip
        summaries[label] = result.summary
        watch.end(result.summary)
    base = next(summaries[label] for label, policy in wanted.items() if policy == BASELINE)
    for summary in summaries.values():
        summary["wasted_normalised"] = _ratio(summary["wasted_gb_s"], base["wasted_gb_s"])
    return {label: summaries[label] for label in policies}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else np.nan


def _row(summaries: list[pd.Series]) -> dict[str, float]:
    """Means over replications, and half-widths of the t intervals."""
    table = pd.DataFrame(summaries)
    row = {str(name): float(value) for name, value in table.mean(skipna=False).items()}
    return row | {f"{name}_ci95": half_width(table[name]) for name in WITH_INTERVALS}


def half_width(values: pd.Series) -> float:
    """Half-width of the 95 % t interval of the mean of replications; NaN if there is one, or one of them is NaN."""
    n = len(values)
    if n < 2:
        return np.nan
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * values.std(ddof=1, skipna=False) / np.sqrt(n))


def _intervals_note(trace: Trace, random: bool, replications: int) -> str:
    """What the half-widths are of; a trace that froze a draw is neither exact nor varied by replications."""
    if "frozen" in trace.about:
        frozen = f"the trace is {trace.about['frozen']}, which no interval knows of"
        return f"{_spread_note(replications)}; {frozen}" if random else f"no intervals: {frozen}"
    if not random:
        return "nothing is random here: the numbers are exact for this trace and platform"
    return _spread_note(replications)


def _spread_note(replications: int) -> str:
    if replications == 1:
        return "one replication: no intervals"
    return f"± half-widths of 95 % t intervals over {replications} replications"


def _workload_note(trace: Trace, setting: Setting) -> str:
    span = measured_span(trace, setting.warm_up_s, setting.horizon_s)
    counted = np.count_nonzero((trace.arrival_s >= span.start_s) & (trace.arrival_s <= span.end_s))
    warm_up = f" after a warm-up of {span.start_s:g} s" if span.start_s else ""
    apps = trace.functions.groupby(["owner", "app"]).ngroups
    source = f" ({trace.about['path']})" if "path" in trace.about else ""
    return (
        f"{counted:,} calls of {len(trace.functions):,} functions in {apps:,} apps over"
        f" {(span.end_s - span.start_s) / 3600:.3g} h{warm_up}{source}"
    )


def _life_note(life_s: float | Distribution) -> tuple[str, ...]:
    if isinstance(life_s, Distribution):
        return ("lives drawn for each instance",)
    return () if np.isinf(life_s) else (f"instances live at most {life_s:g} s",)


def _platform_note(trace: Trace, setting: Setting) -> str:
    platform = setting.platform
    limited = platform.max_instances < np.inf or platform.max_instances_per_unit < np.inf
    one = bool((platform.deployed(trace.functions)["concurrency"] == 1).all())
    life = _life_note(platform.max_lifetime_s)
    words = [
        *(() if limited else ("unlimited capacity",)),
        "one request an instance" if one else "several requests an instance",
        f"{platform.instance_choice.replace('_', ' ')} first",
        f"starts of {platform.start_s:g} s" if platform.start is None else "starts drawn phase by phase",
        *life,
        *(f"{f.name}={getattr(platform, f.name)}" for f in fields(platform)
          if f.name not in _TOLD and getattr(platform, f.name) != f.default),
    ]  # fmt: skip
    return ", ".join(words)
