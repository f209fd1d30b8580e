"""Configuration: finds configs, composes them by Hydra, and builds what they describe."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]  # what OmegaConf reads files with, and lets through

from sim.core.build import TARGET, Trust, build
from sim.core.errors import ConfigError
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.pricing import PriceBook, ProviderPrice
from sim.workload.synthesis import Synthesizer

VERSION_BASE: Final = "1.3"
ROOT: Final = "config"
ALONE: Final = "preset"
"""A root without defaults: to compose everything for the sake of one preset takes five times as long."""
ROOTS: Final = {"platform": "preset_platform"}
"""Roots for presets that bring others."""
REFERENCE: Final = re.compile(r"(?<!\\)\$\{")
TRUST_VARIABLE: Final = "KEEPWARM_TRUST"


def config_dir() -> Path:
    """The folder of configs: inside the package where it is installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "configs"


def trusted(packages: Sequence[str] = ()) -> Trust:
    """What the user trusts: packages named on the command line or in the environment, never in a config."""
    named = ",".join([*packages, os.environ.get(TRUST_VARIABLE, "")]).split(",")
    return Trust(tuple(name.strip() for name in named if name.strip()))


def load_platform(name: str = "default", **parameters: Any) -> Platform:
    """The platform of ``configs/platform/<name>.yaml``, with parameters replaced.

    Args:
        name: a preset: ``default``, ``constant_start``.
        **parameters: values for the preset's keys, e.g. ``start_s=1.0, max_lifetime_s=7200``.

    Raises:
        ConfigError: no such preset, an unknown key, a value of the wrong type.
    """
    return build(preset("platform", name, parameters), "platform", Platform, trusted())


def load_pricing(name: str = "aws_lambda_x86", **parameters: Any) -> PriceBook:
    """The user's price book of ``configs/pricing/<name>.yaml``; see `load_platform`."""
    return build(preset("pricing", name, parameters), "pricing", PriceBook, trusted())


def load_provider(name: str = "provider_ec2_m5", **parameters: Any) -> ProviderPrice:
    """The provider's prices of ``configs/pricing/<name>.yaml``; see `load_platform`."""
    return build(preset("provider", name, parameters, "pricing@provider"), "provider", ProviderPrice, trusted())


def policy_presets() -> dict[str, KeepAlive]:
    """The policies of ``configs/policy/``, by name."""
    nodes = {path.stem: _preset_file(path.stem, [config_dir()]) for path in sorted((config_dir() / "policy").iterdir())}
    return {name: build(node, f"policies.{name}", KeepAlive, trusted()) for name, node in nodes.items()}


def load_synthesis(name: str = "default", **parameters: Any) -> Synthesizer:
    """The recipe of ``configs/synthesis/<name>.yaml``, whose ``make()`` makes the trace; see `load_platform`."""
    return build(preset("synthesis", name, parameters, "synthesis"), "synthesis", Synthesizer, trusted())  # type: ignore[type-abstract]


def preset(key: str, name: str, parameters: Mapping[str, Any], group: str | None = None) -> dict[str, Any]:
    """A preset as plain values, with parameters replaced.

    Args:
        key: where it lies in a configuration.
        name: of the preset.
        parameters: values for its keys.
        group: Hydra's name of its group, if not `key`.

    Raises:
        ConfigError: no such preset, or it has no such parameter.
    """
    node = plain(compose_config([f"+{group or key}={name}"], name=ROOTS.get(key, ALONE)))[key]
    for parameter, value in parameters.items():
        if parameter not in node:
            raise ConfigError(f"{key}.{parameter}: {name} has no such parameter; it has {', '.join(_public(node))}")
        node[parameter] = value
    return dict(node)


def platform_preset(name: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A platform as plain values, and the user's price book that it brings, if it brings one."""
    node = plain(compose_config([f"+platform={name}"], name=ROOTS["platform"]))
    return node["platform"], node.get("pricing")


def _public(node: Mapping[Any, Any]) -> list[str]:
    return [key for key in node if key != TARGET]


def compose_config(
    overrides: Sequence[str] = (),
    *,
    folder: Path | None = None,
    name: str = ROOT,
    extra: Sequence[Path] = (),
    with_hydra: bool = False,
) -> DictConfig:
    """Compose the configuration, inside a running Hydra application too.

    Args:
        overrides: as on the command line.
        folder: where the root config lies, if not among ours.
        name: the root config.
        extra: folders to search besides.
        with_hydra: keep Hydra's own node.

    Raises:
        ConfigError: what Hydra had to say, as one message.
    """
    check_overrides(overrides)
    search = [f"hydra.searchpath=[{','.join(map(_as_source, extra))}]"] if extra else []
    try:
        with _hydra(folder or config_dir()):
            composed = compose(name, overrides=[*overrides, *search], return_hydra_config=with_hydra)
            if name not in (ALONE, *ROOTS.values()):
                _check_choices(name, [*overrides, *search])
    except (HydraException, OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
        there = _keys_beside(str(error), overrides, partial(compose_config, folder=folder, name=name, extra=extra))
        raise ConfigError(f"{tidy(str(error))}{there}") from None
    return composed


def _keys_beside(message: str, overrides: Sequence[str], look: Callable[[Sequence[str]], DictConfig]) -> str:
    """The keys there are where an override named one that there is not; nothing if the message is of something else."""
    found = re.search(r"Could not override '(.*)'", message)
    key = found[1] if found else ""
    others = [override for override in overrides if override.partition("=")[0] != key]
    if not key or len(others) == len(overrides):
        return ""
    place = key.rpartition(".")[0]
    node = OmegaConf.select(look(others), place) if place else look(others)
    if not isinstance(node, DictConfig) or not len(node):
        return ""
    choices = ["policy"] if not place and "policies" in node else []
    there = f"; there is {', '.join(map(str, [*_public(node), *choices]))}"
    return f"{there}; a reader's own option is added with +{key}=..." if place == "workload" else there


def _as_source(folder: Path) -> str:
    """A folder as Hydra's grammar wants it, whatever is in its name."""
    if not folder.is_dir():
        raise ConfigError(f"there is no folder of configs at {folder}")
    name = str(folder.resolve()).replace("'", r"\'")
    return f"'file://{name}'"


@contextmanager
def _hydra(folder: Path) -> Iterator[None]:
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(folder.resolve()), version_base=VERSION_BASE):
            yield
    finally:
        Singleton.set_state(before)


def check_overrides(overrides: Sequence[str]) -> None:
    """Refuse what is easily typed instead of what was meant."""
    parser = OverridesParser.create()
    for override in overrides:
        try:
            parsed = parser.parse_override(override)
        except HydraException:
            parsed = None
        if parsed is None or not parsed.key_or_group:
            raise ConfigError(f"{override}: not an override; write key=value, lists as key='[a,b]'")
        if _is_group(parsed) and not parsed.is_delete() and isinstance(parsed.value(), int | float | None):
            raise ConfigError(f"{override}: name one of {_presets_in(parsed.key_or_group)}")
        if found := re.match(r"(\+{0,2})policy\.(\w+)\.(.*)", override):
            meant = f"{found[1]}policies.{found[2]}.{found[3]}"
            raise ConfigError(f"{override}: parameters of a policy lie under policies; write {meant}")


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """``key=value`` words as plain values, by the grammar of overrides; not for configurations but for functions."""
    parser, options = OverridesParser.create(), {}
    for word in words:
        try:
            option = parser.parse_override(word)
        except HydraException:
            option = None
        if option is None or not option.key_or_group or option.type is not OverrideType.CHANGE:
            raise ConfigError(f"{word}: not an option; write key=value, lists as key='[a,b]'")
        if option.is_sweep_override():
            raise ConfigError(f"{option.key_or_group}: several values; for a list write {option.key_or_group}='[a,b]'")
        options[option.key_or_group] = option.value()
    return options


def _presets_in(group: str) -> str:
    return ", ".join(sorted(path.stem for path in (config_dir() / group).glob("*.yaml")))


def _is_group(override: Override) -> bool:
    return (config_dir() / override.key_or_group).is_dir()


def _check_choices(name: str, overrides: Sequence[str]) -> None:
    """Refuse policies of which one would silently take the place of another."""
    loader = GlobalHydra.instance().config_loader()
    defaults = loader.compute_defaults_list(name, list(overrides), RunMode.RUN).defaults
    chosen = [(str(d.config_path).removeprefix("policy/"), d.package) for d in defaults
              if str(d.config_path).startswith("policy/")]  # fmt: skip
    for policy, package in chosen:
        if chosen.count((policy, package)) > 1:
            raise ConfigError(f"the policy {policy} is named twice")
        if package != f"policies.{policy}":
            raise ConfigError(f"policy/{policy}.yaml: its first line must be: # @package policies.{policy}")


def tidy(message: str) -> str:
    """What Hydra means, without its search path, links and advice that our checks would refuse."""
    if found := re.search(r"Could not (?:find|load) '([\w@]+)/([^']*)'", message):
        group = found[1].split("@")[0]
        there = _presets_in(group)
        return f"there is no {group} called {found[2]!r}; there is {there}" if there else message.partition("\n")[0]
    if found := re.search(r"Ambiguous value for argument '(.*)'", message):
        return f"{found[1]}: several values; to sweep over them add --multirun, for a list write key='[a,b]'"
    if found := re.search(r"Could not override '(.*)'", message):
        return f"{found[1]}: there is no such key"
    kept = message.partition("\nConfig search path:")[0]
    kept = re.sub(r"\nSee https?://\S+.*", "", kept)
    return " ".join(re.sub(r"\n\s*(full_key|object_type|reference_type)[:=].*", "", kept).split())


def plain(config: DictConfig) -> dict[str, Any]:
    """The composed configuration as plain values, interpolations resolved."""
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        if "Missing mandatory value" in str(error):
            referred = re.search(r"while resolving interpolation: Missing mandatory value: (\S+)", str(error))
            key = referred[1] if referred else key
            raise ConfigError(f"{key} must be given: {key}=...") from None
        raise ConfigError(f"{key}: {tidy(str(error))}" if key else tidy(str(error))) from None


def policy_label(name: str, node: Mapping[str, Any], presets: Sequence[Path]) -> str:
    """The name of a policy's row: that of its preset, with whatever was changed in it."""
    original = _preset_file(name, presets)
    changed = [f"{k}={v}" for k, v in node.items() if original.get(k, v) != v or (original and k not in original)]
    changed += [f"no {key}" for key in original if key not in node]
    return f"{name} ({', '.join(changed)})" if changed else str(name)


def _preset_file(name: str, presets: Sequence[Path]) -> dict[str, Any]:
    for folder in presets:
        path = folder / "policy" / f"{name}.yaml"
        if path.is_file():
            loaded = OmegaConf.to_container(OmegaConf.load(path))
            return {str(k): v for k, v in loaded.items()} if isinstance(loaded, dict) else {}
    return {}


def is_named_by_time(hydra: Any) -> bool:
    """Whether the clock names a run's folder, by Hydra's own node; a sweep's jobs are numbered."""
    written: Any = OmegaConf.to_container(hydra.run, resolve=False)
    return hydra.mode == RunMode.RUN and "${now:" in str(written["dir"])


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """A plain configuration that `to_yaml` wrote: all is said, and nothing is looked up (in the environment, say)."""
    if REFERENCE.search(text):
        raise ConfigError(f"{where} is damaged: it refers to something with ${{...}}, which a run never writes")
    try:
        read = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise ConfigError(f"{where} is damaged: {tidy(str(error))}") from None
    if not isinstance(read, dict):
        raise ConfigError(f"{where} is damaged: it holds no configuration")
    return {str(key): value for key, value in read.items()}


def to_yaml(config: Mapping[str, Any]) -> str:
    """A plain configuration as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))
