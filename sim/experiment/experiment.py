"""Experiments: policies on variants of a workload and a platform, replicated, cell by cell.

What a run's folder holds besides digests is an index: which of them belong to what. A comparison is always computed
from index and digests, right after a run and years later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import product
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, TypeVar

import numpy as np
import pandas as pd

from sim.core.distributions import Distribution
from sim.core.errors import ConfigError, KeepwarmError
from sim.engine.engines import AUTO, engine_for
from sim.engine.simulate import measured_span, require_price
from sim.engine.window_curve import window_curve
from sim.experiment.cells import Cell, cell_key, trace_key
from sim.experiment.fingerprint import own_sources
from sim.experiment.index import Index, IndexedVariant
from sim.experiment.manifest import trace_facts
from sim.experiment.notes import looked_at, platform_note, record_note, workload_note
from sim.experiment.replications import Replications
from sim.experiment.runner import Runner, failures_in_words
from sim.experiment.setting import Setting, require_instance
from sim.experiment.sharing import HeldTrace, TraceSource, share
from sim.platform.platform import Platform
from sim.policies.keepalive.fixed_window import FixedWindow
from sim.policies.keepalive.role import KeepAlive, checked_admission, checked_rule
from sim.results.digest import NAMES
from sim.workload.source import Source, about
from sim.workload.trace import Trace

BASELINE: Final = FixedWindow(600.0)
"""Wasted memory is normalised to this policy's (Shahrad et al., USENIX ATC 2020, section 5)."""
SHARED: Final = ".shared-"
"""Begins the name of the folder of columns."""
FRONTIER_POINTS: Final = 200
"""Of the clairvoyant frontier that a figure draws."""
T = TypeVar("T")
Intervals = Literal["replications", "apps"]


@dataclass(frozen=True)
class Variant:
    """One workload on one platform.

    Attributes:
        label: what is varied and how; empty if nothing is.
        workload: which workload: variants of the same share the trace.
        load: reads its trace.
        setting: everything else.
        own: the settings of those policies, by label, that run on a platform of their own.
    """

    label: str
    workload: str
    load: Callable[[], Source]
    setting: Setting
    own: Mapping[str, Setting] = field(default_factory=dict)

    def setting_of(self, policy: str) -> Setting:
        """What a policy is run with."""
        return self.own.get(policy, self.setting)


@dataclass(frozen=True, eq=False)
class Experiment:
    """What to run: every policy on every variant, replicated.

    Attributes:
        variants: at least one, no label twice.
        policies: by label, at least one.
        replications: how many, where something is random.
        intervals: where intervals come from.
    """

    variants: Sequence[Variant]
    policies: Mapping[str, KeepAlive]
    replications: Replications = field(default_factory=Replications)
    intervals: Intervals = "replications"

    def __post_init__(self) -> None:
        require_instance("policies", self.policies, Mapping)
        if not self.policies:
            raise ConfigError("there is no policy to compare")
        if "" in self.policies:
            raise ConfigError("every policy needs a label that is not empty")
        if not self.variants:
            raise ConfigError("there is no variant to run")
        for label, policy in self.policies.items():
            require_instance(f"policies[{label!r}]", policy, KeepAlive)
            for variant in self.variants:
                require_price(policy, variant.setting_of(label).price)


@dataclass(frozen=True, eq=False)
class Ready:
    """A variant whose trace was read: what is left of it is small.

    Attributes:
        variant: which.
        source: of its trace.
        trace_key: what stands for the trace in keys.
        trace_facts: for the manifest.
        facts: for the index: see `sim.experiment.index`.
        engines: which engine each policy takes, by label.
        functions: a row a function: name, app, owner, trigger, memory_mb.
        is_random: whether replications differ.
    """

    variant: Variant
    source: TraceSource
    trace_key: str
    trace_facts: Mapping[str, Any]
    facts: Mapping[str, Any]
    functions: pd.DataFrame
    is_random: bool
    engines: Mapping[str, str | None]


@contextmanager
def prepared(experiment: Experiment, runner: Runner) -> Iterator[list[Ready]]:
    """Read the traces, one at a time; their columns lie in files beside the digests while the experiment runs."""
    alone = runner.executor.in_process and len({variant.workload for variant in experiment.variants}) == 1
    with TemporaryDirectory(prefix=SHARED, dir=runner.folder, ignore_cleanup_errors=True) as place:
        ready: dict[str, Ready] = {}
        for workload in dict.fromkeys(variant.workload for variant in experiment.variants):
            of_it = [variant for variant in experiment.variants if variant.workload == workload]
            trace = of_it[0].load()
            _require_trace(trace, of_it)
            runner.watch.read(repr(trace))
            source = HeldTrace(trace) if alone else share(trace, Path(place) / f"{len(ready)}.columns")
            key, told = trace_key(trace), trace_facts(trace)
            ready |= {variant.label: _ready(variant, trace, source, key, told, experiment) for variant in of_it}
            del trace
        yield [ready[variant.label] for variant in experiment.variants]


def _require_trace(trace: object, variants: Sequence[Variant]) -> None:
    """Refuse what is no trace, or not in memory where calls are recorded."""
    if isinstance(trace, type) or not callable(getattr(trace, "part", None)):
        require_instance("trace", trace, Trace)
    if not isinstance(trace, Trace) and any(variant.setting.record for variant in variants):
        raise ConfigError(f"{trace!r} is not in memory: it can be compared on with record=false, engine=compiled")


def _ready(
    variant: Variant, trace: Source, source: TraceSource, key: str, told: Mapping[str, Any], experiment: Experiment
) -> Ready:
    setting = variant.setting
    functions = setting.platform.deployed(trace.functions)[list(NAMES)]
    facts = {
        "workload": workload_note(trace, setting),
        "platform": _platforms_note(trace, variant, experiment.policies),
        "frozen": about(trace).get("frozen"),
        "is_random": any(
            is_random(trace, {label: policy}, variant.setting_of(label))
            for label, policy in experiment.policies.items()
        ),
        "replications": asdict(experiment.replications),
        "seed": setting.seed,
        "warm_up_s": setting.warm_up_s,
        "horizon_s": measured_span(trace, setting.warm_up_s, setting.horizon_s).end_s,
        "trace": told["hash"],
        "provider_usd_per_gb_s": setting.provider.usd_per_gb_s,
        "frontier": _frontier(trace, variant, experiment.policies),
    }
    if experiment.intervals == "apps" and not all(
        _apps_are_alone(policy, variant.setting_of(label).platform) for label, policy in experiment.policies.items()
    ):
        raise ConfigError("intervals=apps draws apps as if each were alone; with a cap on instances they are not")
    engines = {
        label: _engine(trace, policy, variant.setting_of(label)) for label, policy in experiment.policies.items()
    }
    facts["record"] = record_note(trace, setting, engines.values())
    return Ready(variant, source, key, told, facts, functions, facts["is_random"], engines)


def _engine(trace: Source, policy: KeepAlive, setting: Setting) -> str | None:
    """Which engine runs a policy; None if it breaks down when it is asked what it wants."""
    if setting.engine != AUTO:
        return setting.engine
    return _asked(lambda asking: engine_for(AUTO, trace, asking, setting.platform), policy)


def _frontier(trace: Source, variant: Variant, policies: Mapping[str, KeepAlive]) -> dict[str, Any] | None:
    """The clairvoyant frontier; None where policies have platforms of their own, and so frontiers.

    It looks at every call, so where nothing is recorded it is there only if calls are in memory in any case.
    """
    setting = variant.setting
    known = looked_at(trace, setting)
    if known is None or any(variant.setting_of(label).platform != setting.platform for label in policies):
        return None
    curve = window_curve(
        known, setting.platform, warm_up_s=setting.warm_up_s, horizon_s=setting.horizon_s, approximate=True
    )
    points = curve.frontier.points(FRONTIER_POINTS)
    rates = points["cold_start_rate"].tolist()
    return {
        "wasted_gb_s": points["wasted_gb_s"].tolist(),
        "cold_start_rate": [None if np.isnan(rate) else rate for rate in rates],
        "leaves_out": list(curve.approximate),
    }


def _platforms_note(trace: Source, variant: Variant, policies: Mapping[str, KeepAlive]) -> str:
    """What serves; where policies have platforms of their own, what serves each."""
    notes: dict[str, list[str]] = {}
    for label in policies:
        notes.setdefault(platform_note(trace, variant.setting_of(label)), []).append(label)
    if len(notes) == 1:
        return next(iter(notes))
    return "; ".join(f"{', '.join(labels)}: {note}" for note, labels in notes.items())


def _apps_are_alone(policy: KeepAlive, platform: Platform) -> bool:
    """Whether what serves one app would be the same if there were no others."""
    return (
        platform.max_instances == platform.max_instances_per_unit == inf and _asked(checked_admission, policy) is None
    )


def is_random(trace: Source, policies: Mapping[str, KeepAlive], setting: Setting) -> bool:
    """Whether two replications can differ."""
    platform, rules = setting.platform, [_asked(checked_rule, policy) for policy in policies.values()]
    return (
        (isinstance(trace, Trace) and trace.is_random)
        or platform.start_model.is_random
        or isinstance(platform.max_lifetime_s, Distribution)
        or platform.instance_choice in ("random", "power_of_two")
        or platform.router_matters
        or 0 < platform.start_failure_probability < 1
        or any(rule.needs_uniform for rule in rules if rule is not None)
    )


def _asked(question: Callable[[KeepAlive], T], policy: KeepAlive) -> T | None:
    """What a policy answers; None if it breaks down, which its own cells will tell."""
    try:
        return question(policy)
    except KeepwarmError:
        raise
    except Exception:  # noqa: BLE001 - whatever a user's policy raises
        return None


@dataclass(frozen=True, eq=False)
class Ran:
    """What there is when an experiment was run.

    Attributes:
        index: of everything, failures too.
        traces: facts of the trace of each variant, by label.
        engines: which engine each policy took, by the label of the variant, then its own.
        replications: the largest number there is of any variant.
        unsure: why some cells cannot be reused.
    """

    index: Index
    traces: Mapping[str, Mapping[str, Any]]
    engines: Mapping[str, Mapping[str, str | None]]
    replications: int
    unsure: Sequence[str]


def run_experiment(experiment: Experiment, runner: Runner, on_plan: Callable[[Index], None] = lambda _: None) -> Ran:
    """Run what was not run, until all replications are there; cells that fail are told in the index.

    Args:
        experiment: what.
        runner: how.
        on_plan: is given the index before each round.
    """
    policies, sources = with_baseline(experiment.policies), own_sources()
    with prepared(experiment, runner) as ready:
        wanted = [experiment.replications.min if each.is_random else 1 for each in ready]
        cells: dict[tuple[int, str, int], Cell] = {}
        while True:
            for i, each in enumerate(ready):
                for replication, label in product(range(wanted[i]), policies):
                    if (i, label, replication) not in cells:
                        cells[i, label, replication] = _cell(each, label, policies[label], replication, sources)
            on_plan(_index(experiment, ready, cells, runner))
            runner.run(cells.values())
            index = _index(experiment, ready, cells, runner)
            more = [index.next_replications(i, experiment.replications) if each.is_random else 1
                    for i, each in enumerate(ready)]  # fmt: skip
            if more == wanted:
                unsure = dict.fromkeys(why for cell in cells.values() for why in cell.unsure)
                traces = {each.variant.label: each.trace_facts for each in ready}
                engines = {each.variant.label: each.engines for each in ready}
                return Ran(index, traces, engines, max(wanted), list(unsure))
            wanted = more


def with_baseline(policies: Mapping[str, KeepAlive]) -> dict[str, KeepAlive]:
    """The policies, and after them, under an empty label, what waste is normalised to; if it is one of them, once."""
    return {**policies, "": BASELINE}


def _cell(ready: Ready, label: str, policy: KeepAlive, replication: int, sources: str) -> Cell:
    setting = ready.variant.setting_of(label)
    key, unsure = cell_key(sources, ready.trace_key, policy, setting, replication, label)
    name = _named(label, ready.variant.label, replication)
    return Cell(key, name, policy, setting, ready.source, replication, unsure)


def _shown(policy: KeepAlive) -> str:
    """A policy and its parameters; where in memory it lies is nobody's concern, and never the same twice."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(policy))


def _named(label: str, variant: str, replication: int) -> str:
    """A run for people; the first replication is not numbered, since it may be the only one."""
    parts = [label or "(baseline)", variant, f"replication {replication}" if replication else ""]
    return ", ".join(filter(None, parts))


def _index(
    experiment: Experiment, ready: Sequence[Ready], cells: Mapping[tuple[int, str, int], Cell], runner: Runner
) -> Index:
    policies = [{"label": label, "value": _shown(policy), "needs_future": policy.needs_future}
                for label, policy in experiment.policies.items()]  # fmt: skip
    by_policy: dict[tuple[int, str], list[str]] = {}
    for (i, name, _), cell in cells.items():  # in order of replications
        by_policy.setdefault((i, name), []).append(cell.key)

    variants = [
        IndexedVariant(
            each.variant.label, each.facts, each.functions,
            {label: by_policy[i, label] for label in experiment.policies}, by_policy[i, ""],
        )
        for i, each in enumerate(ready)
    ]  # fmt: skip
    failures = failures_in_words(cells.values(), runner.failures)
    return Index(experiment.intervals, policies, variants, runner.digests, failures)
