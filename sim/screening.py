"""Screening: what is wrong with a configuration, or names what nobody trusts, is refused before Hydra acts on it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from sim.config import ROOT, compose_config, config_dir, plain, tidy
from sim.core.build import TARGET, Trust, resolve
from sim.core.errors import ConfigError
from sim.run_config import NUMBERS, build_run

HYDRAS_OWN: Final = ("hydra", "hydra_plugins", "logging", "colorlog")
STREAMS: Final = ("ext://sys.stdout", "ext://sys.stderr")


def screen(arguments: argparse.Namespace, trust: Trust) -> None:
    """Refuse, before Hydra acts on anything, a configuration that is wrong or names what nobody trusts.

    Args:
        arguments: Hydra's own command line, parsed.
        trust: which packages classes may come from.
    """
    if arguments.experimental_rerun:
        raise ConfigError("--experimental-rerun is not supported; --config-dir and overrides do the same run again")
    if arguments.multirun and (arguments.cfg or arguments.info):
        raise ConfigError("--multirun runs jobs, --cfg and --info only show a configuration: leave one of them out")
    setup_globals()  # Hydra's own resolvers, such as ${now:}
    folder = Path(arguments.config_path) if arguments.config_path else config_dir()
    presets = [*([Path(arguments.config_dir)] if arguments.config_dir else []), folder]
    _check_hidden(presets)
    look = partial(compose_config, folder=folder, name=arguments.config_name or ROOT, extra=presets[:-1])
    overrides = list(arguments.overrides)
    composed = look(_jobs(overrides, presets)[0] if arguments.multirun else overrides, with_hydra=True)
    hydra = _as_in_a_job(composed)
    check_hydra_node(hydra, "hydra", trust)
    _check_folder(Path(hydra["sweep" if arguments.multirun else "run"]["dir"]))
    if arguments.multirun or composed.hydra.mode == RunMode.MULTIRUN:
        params = composed.hydra.sweeper.get("params") or {}
        given = {override.partition("=")[0] for override in overrides}
        overrides += [f"{key}={values}" for key, values in params.items() if key not in given]
        for job in _jobs(overrides, presets)[1:]:
            check_hydra_node(_as_in_a_job(look(job, with_hydra=True)), "hydra", trust)
    if not (arguments.cfg or arguments.info):
        with open_dict(composed):
            del composed["hydra"]
        build_run(plain(composed), presets, trust)


def _check_hidden(presets: Sequence[Path]) -> None:
    """Refuse files that Hydra would pass over without a word, for the sake of one that is found before."""
    *extra, folder = presets
    for name in (path.relative_to(folder) for path in sorted(folder.rglob("*.yaml"))):
        for hidden in (path / name for path in extra if (path / name).is_file()):
            raise ConfigError(f"{hidden} would not be used: keepwarm has a {name} of its own; give it another name")


def _jobs(overrides: Sequence[str], presets: Sequence[Path]) -> list[list[str]]:
    """The jobs of a sweep that differ in the files they are composed of; of swept values only the first is taken."""
    choices = []
    for override, parsed in zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True):
        key, values = parsed.get_key_element(), [override]
        if parsed.is_sweep_override() and not parsed.key_or_group.startswith("hydra."):
            values = [f"{key}={value}" for value in _swept(parsed, presets)]
        files = "." not in parsed.key_or_group and parsed.key_or_group not in NUMBERS
        choices.append(values if files else values[:1])
    return [list(job) for job in product(*choices)]


def _swept(override: Override, presets: Sequence[Path]) -> list[str]:
    """The values that a sweep takes; of an interval its start."""
    values: Any = override.value()
    if isinstance(values, IntervalSweep):
        return [f"{values.start:g}"]
    if isinstance(values, Glob):
        names = {path.stem for folder in presets for path in (folder / override.key_or_group).glob("*.yaml")}
        return values.filter(sorted(names))
    return list(override.sweep_string_iterator())


def _as_in_a_job(composed: DictConfig) -> Any:
    """Hydra's own node with everything that Hydra will put in, interpolations resolved."""
    try:
        for key, value in (("runtime.output_dir", "."), ("job.id", "0"), ("job.num", 0)):
            OmegaConf.update(composed, f"hydra.{key}", value, force_add=True)
        return OmegaConf.to_container(composed.hydra, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(tidy(str(error))) from None


def _check_folder(folder: Path) -> None:
    """Refuse a folder for results that cannot be made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"results cannot be written to {folder}: {there} is not a folder that can be written to")


def check_hydra_node(node: Any, where: str, trust: Trust) -> None:
    """Hydra builds its own launchers, callbacks and loggers: only Hydra's, its plugins' and the trusted ones may be."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in (TARGET, "()", "class") and value is not None:
                resolve(value, f"{where}.{key}", Trust((*HYDRAS_OWN, *trust.packages)))
            check_hydra_node(value, f"{where}.{key}", trust)
    elif isinstance(node, list):
        for i, item in enumerate(node):
            check_hydra_node(item, f"{where}[{i}]", trust)
    elif isinstance(node, str) and node.startswith("ext://") and node not in STREAMS:
        raise ConfigError(f"{where}: {node} is not trusted; there is {', '.join(STREAMS)}")
