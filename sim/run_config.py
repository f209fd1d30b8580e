"""Runs: what a composed configuration describes, built and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from sim.config import platform_preset, policy_label, preset
from sim.core import checks
from sim.core.build import Trust, build, check_arguments, check_type
from sim.core.errors import ConfigError
from sim.engine.engines import ENGINES
from sim.engine.simulate import require_price
from sim.experiment.executors import Executor
from sim.experiment.experiment import Experiment, Intervals, Variant
from sim.experiment.replications import Replications
from sim.experiment.setting import Setting
from sim.experiment.variation import SCALARS, variations
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.pricing import PriceBook, ProviderPrice
from sim.studies.role import Study
from sim.workload.load import BY_FUNCTION, find_trace, load_trace
from sim.workload.partitioned import open_trace
from sim.workload.source import Source
from sim.workload.trace import Trace
from sim.workload.transform import Transform, transformed

_OWN_KEYS: Final = ("workload", "platform", "policies", "pricing", "provider", "engine", "executor", "study", "vary",
                    "platform_of")  # fmt: skip
_OPTIONAL: Final = ("policies", "study", "vary", "platform_of")
NUMBERS: Final = {
    "seed": int,
    "replications": int | Mapping[str, Any],
    "intervals": Literal["replications", "apps"],
    "threads": int,
    "record": bool,
    "warm_up_s": float,
    "horizon_s": float | None,
    "cell_limit_s": float | None,
    "fail_fast": bool,
    "report": bool,
    "reuse": list[str],
}
"""The types of what is no component."""


@dataclass(frozen=True)
class Reading:
    """How a trace is read: the arguments of `load_trace`, and what is done to it then.

    Attributes:
        options, transforms: these.
        streams: whether one by function stays on disk, if nothing is done to it.
    """

    options: Mapping[str, Any]
    transforms: tuple[Transform, ...]
    streams: bool = False

    def __call__(self) -> Source:
        """Read it."""
        if self.streams and not self.transforms and not self.options.get("lenient"):
            place, name = find_trace(self.options["path"], self.options.get("format"))
            if name == BY_FUNCTION:
                return open_trace(place)
        return transformed(load_trace(**self.options), self.transforms)


@dataclass(frozen=True)
class Run:
    """A run as configured: everything but the traces is built. Without a study it compares policies.

    Attributes:
        policies: by the labels of their rows.
        workload: where nothing is varied, the arguments of `load_trace`; else those of the first variant.
        transforms: applied to its trace, in order.
        setting: likewise.
        variants: all of them.
        replications, intervals: see `sim.experiment.experiment.Experiment`.
        executor, limit_s, fail_fast, reuse: see `sim.experiment.runner.Runner`.
        report: whether page and figures are made.
        study: what is run instead.
    """

    policies: Mapping[str, KeepAlive]
    workload: Mapping[str, Any]
    transforms: tuple[Transform, ...]
    setting: Setting
    variants: Sequence[Variant]
    replications: Replications
    intervals: Intervals
    executor: Executor
    limit_s: float | None
    fail_fast: bool
    report: bool
    reuse: Sequence[Path]
    study: Study | None

    def load_trace(self) -> Trace:
        """Read the workload, and change it as configured."""
        return transformed(load_trace(**self.workload), self.transforms)

    @property
    def experiment(self) -> Experiment:
        """The comparison."""
        return Experiment(self.variants, self.policies, self.replications, self.intervals)


def build_run(
    config: Mapping[str, Any], presets: Sequence[Path], trust: Trust, labels: Sequence[str] | None = None
) -> Run:
    """Build what a composed configuration describes; the traces are read later.

    Args:
        config: plain values, without Hydra's node.
        presets: folders that hold ``policy/<name>.yaml``, to tell what was changed.
        trust: which packages classes may come from.
        labels: of the policies, where it is known already.
    """
    _check_keys(config)
    nodes = config.get("policies") or {}
    check_type(nodes, Mapping, "policies")
    built = {name: build(node, f"policies.{name}", KeepAlive, trust) for name, node in nodes.items()}
    if not built:
        raise ConfigError("no policy is named: choose some, e.g. policy='[fixed_1m,fixed_10m]'")
    named = labels or [policy_label(name, node, presets) for name, node in nodes.items()]
    policies = dict(zip(named, built.values(), strict=True))
    vary = config.get("vary") or {}
    check_type(vary, Mapping, "vary")
    own = _platforms_of(config, dict(zip(built, named, strict=True)), vary)
    made = [_variant(label, values, trust, own) for label, values in variations(config, vary, _preset_of_group)]
    for label, policy in policies.items():
        require_price(policy, made[0].variant.setting_of(label).price)
    if config["cell_limit_s"] is not None:
        checks.number("cell_limit_s", config["cell_limit_s"], above=0)
    for folder in config["reuse"]:
        if not Path(folder).is_dir():
            raise ConfigError(f"reuse: there is no folder {folder}")
    node = config.get("study")
    study = build(node, "study", Study, trust) if node is not None else None  # type: ignore[type-abstract]
    if study is not None and len(made) > 1:
        raise ConfigError("vary: a study says itself what it varies")
    if study is not None and not config["record"]:
        raise ConfigError("record: a study looks at every call")
    return Run(
        policies, made[0].options, made[0].transforms, made[0].setting, [each.variant for each in made],
        _replications(config["replications"]), config["intervals"],
        build(config["executor"], "executor", Executor, trust),  # type: ignore[type-abstract]
        config["cell_limit_s"], config["fail_fast"], config["report"],
        [Path(folder) for folder in config["reuse"]], study,
    )  # fmt: skip


@dataclass(frozen=True)
class _Made:
    """A variant, and what its trace is read with."""

    variant: Variant
    options: Mapping[str, Any]
    transforms: tuple[Transform, ...]

    @property
    def setting(self) -> Setting:
        return self.variant.setting


def _platforms_of(
    config: Mapping[str, Any], labels: Mapping[str, str], vary: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """The nodes of platform and prices of those policies, by label, that are to run on a preset of their own."""
    chosen = config.get("platform_of") or {}
    check_type(chosen, Mapping, "platform_of")
    fixed = sorted({str(key).partition(".")[0] for key in vary} & {"platform", "pricing"})
    if chosen and fixed:
        raise ConfigError(f"vary.{fixed[0]}: with platform_of policies have platforms of their own; vary one of them")
    found = {}
    for policy, name in chosen.items():
        if policy not in labels:
            raise ConfigError(f"platform_of.{policy}: no such policy is compared; there is {', '.join(labels)}")
        platform, pricing = platform_preset(str(name))
        found[labels[policy]] = platform, pricing or config["pricing"]
    return found


def _variant(label: str, config: Mapping[str, Any], trust: Trust, own: Mapping[str, tuple[Any, Any]]) -> _Made:
    check_type(config["workload"], Mapping, "workload")
    for key in (*SCALARS, "threads", "record"):
        check_type(config[key], NUMBERS[key], key)
    options, transforms = split_workload(config["workload"], trust)
    setting = Setting(
        platform=build(config["platform"], "platform", Platform, trust),
        price=build(config["pricing"], "pricing", PriceBook, trust),
        provider=build(config["provider"], "provider", ProviderPrice, trust),
        engine=_engine(config["engine"]),
        threads=config["threads"],
        record=config["record"],
        **{key: config[key] for key in SCALARS},
    )
    of_policies = {
        policy: replace(
            setting,
            platform=build(platform, "platform", Platform, trust),
            price=build(pricing, "pricing", PriceBook, trust),
        )
        for policy, (platform, pricing) in own.items()
    }
    key = json.dumps(config["workload"], sort_keys=True)
    variant = Variant(label, key, Reading(options, transforms, not config["record"]), setting, of_policies)
    return _Made(variant, options, transforms)


def _preset_of_group(group: str, name: str) -> dict[str, Any]:
    return preset(group, name, {}, "pricing@provider" if group == "provider" else group)


def _replications(node: int | Mapping[str, Any]) -> Replications:
    if not isinstance(node, Mapping):
        return Replications(node)
    check_arguments(Replications, node, "replications")
    return Replications(**node)


def split_workload(workload: Mapping[str, Any], trust: Trust) -> tuple[dict[str, Any], tuple[Transform, ...]]:
    """The arguments of `load_trace` in a workload's configuration, and its `transforms` built, in their order."""
    options = dict(workload)
    nodes = options.pop("transforms", None) or ()
    check_arguments(load_trace, options, "workload")
    if not options["path"]:
        raise ConfigError("workload.path must be given: workload.path=...")
    check_type(nodes, list[Any], "workload.transforms")
    places = [f"workload.transforms[{i}]" for i in range(len(nodes))]
    built = [build(node, place, Transform, trust) for node, place in zip(nodes, places, strict=True)]  # type: ignore[type-abstract]
    return options, tuple(built)


def _engine(node: Any) -> str:
    name = node.get("name") if isinstance(node, Mapping) else node
    if name not in ENGINES:
        raise ConfigError(f"engine.name: there is no engine {name!r}; there is {', '.join(ENGINES)}")
    return str(name)


def _check_keys(config: Mapping[str, Any]) -> None:
    for key in config:
        if key not in _OWN_KEYS and key not in NUMBERS:
            raise ConfigError(f"{key}: there is no such key; there is {', '.join((*_OWN_KEYS, *NUMBERS))}")
    for key in (*_OWN_KEYS, *NUMBERS):
        if key not in config and key not in _OPTIONAL:
            raise ConfigError(f"{key} must be given")
    for key, kind in NUMBERS.items():
        check_type(config[key], kind, key)
