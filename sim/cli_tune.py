"""``keepwarm tune``: search a policy's parameters, and report those on the Pareto front."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

from rich.console import Console

from sim import config, run_config
from sim.core.build import Trust, build
from sim.core.errors import ConfigError
from sim.experiment.cells import trace_key
from sim.experiment.experiment import Experiment, run_experiment
from sim.experiment.fingerprint import own_sources
from sim.experiment.index import CELLS
from sim.experiment.run_folder import MANIFEST, claimed, write_table
from sim.experiment.runner import Runner
from sim.experiment.tuning import STORAGE, Parameter, Search
from sim.jobs import Job
from sim.policies.keepalive.role import KeepAlive
from sim.report.progress import progress
from sim.run_config import Run

USAGE: Final = """keepwarm tune: search the parameters of a policy

  keepwarm tune policy='[NAME]' --parameter KEY=VALUES ... --out FOLDER [OVERRIDES]
      try settings of one policy's parameters, and report those that no other
      beats in both of two metrics, beside the policy as it was; e.g.
      keepwarm tune policy='[fixed_10m]' --parameter window_s=10.0..7200.0:log \\
          --trials 40 --out windows
      --parameter   KEY=LOW..HIGH (whole numbers if both are), KEY=LOW..HIGH:log,
                    or KEY=A,B,C
      --metrics A,B what is to be small; cold_start_rate,wasted_gb_s by default
      --trials N    how many in all; 40 by default. A search that was stopped, or
                    that is to go on, is begun again with the same words
      --config-dir FOLDER, --trust PACKAGE: as for keepwarm run"""


CONTEXT: Final = ("workload", "platform", "policies", "pricing", "provider", "engine", "seed", "replications",
                  "warm_up_s", "horizon_s", "record")  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as all other commands do."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"tune: {message}; see keepwarm tune --help")


def tune(words: Sequence[str]) -> None:
    """``keepwarm tune``: search, then report the front as a run does."""
    console, started = Console(), datetime.now(UTC)
    if not words or {"-h", "--help"} & set(words):
        console.print(USAGE, markup=False, highlight=False)
        return
    given = _parser().parse_intermixed_args(list(words))
    presets, trust = [config.config_dir(), *given.config_dir], config.trusted(given.trust)
    values = config.plain(config.compose_config(given.overrides, extra=given.config_dir))
    run = run_config.build_run(values, presets, trust)
    if run.study is not None or len(run.policies) != 1 or len(run.variants) != 1:
        raise ConfigError("tune: choose one policy, e.g. policy='[fixed_10m]', and vary nothing")
    [(name, node)] = values["policies"].items()
    parameters = [_parameter(word) for word in given.parameter]
    search = _prepared(given, values, run, parameters)
    for parameter in parameters:
        if parameter.name not in node:
            raise ConfigError(f"{parameter.name}: {name} has no such parameter; it has {', '.join(list(node)[1:])}")
    if (given.out / STORAGE).exists():  # a search that has ended may go on
        search.check()
        (given.out / MANIFEST).unlink(missing_ok=True)
    with claimed(given.out) as folder:
        (folder / CELLS).mkdir(exist_ok=True)
        try:
            refused = _search(search, given.trials, run, name, node, trust, folder, console)
        except KeyboardInterrupt:
            said = f"what was tried is kept in {given.out}; go on with the same words"
            Console(stderr=True).print(said, markup=False, highlight=False, soft_wrap=True)
            raise
        table = search.trials()
        if table.empty:
            raise ConfigError(
                f"tune: none of the settings that were tried can be run: {refused or 'they gave no numbers'}"
            )
        write_table(folder, "trials", table)
        front = [dict(row) for row in table[table["on_front"]][[p.name for p in parameters]].to_dict("records")]
        found = {name: node, **{_label(name, each): {**node, **each} for each in front}}
        whole = {**values, "policies": found}
        policies = {label: build(each, f"policies.{label}", KeepAlive, trust) for label, each in found.items()}
        Job(replace(run, policies=policies), config.to_yaml(whole), ["tune", *words], folder, console, started).do()


def _prepared(
    given: argparse.Namespace, values: Mapping[str, Any], run: Run, parameters: Sequence[Parameter]
) -> Search:
    """The search that was asked for; another context of the same folder is another search."""
    trace = trace_key(run.variants[0].load())
    context = json.dumps([own_sources(), trace, {k: values[k] for k in CONTEXT}], sort_keys=True)
    return Search(given.out, parameters, given.metrics.split(","), run.setting.seed, context)


def _search(
    search: Search, trials: int, run: Run, name: str, node: Mapping[str, Any], trust: Trust, folder: Path,
    console: Console,
) -> str:  # fmt: skip
    """Try settings until there are enough; each is a run like any other, kept and never run twice.

    Returns:
        Why the last of those was refused that were; empty if none was.
    """
    refused = [""]
    variant = replace(run.variants[0], load=cache(run.variants[0].load))
    with progress(console) as watch:
        runner = Runner(run.executor, folder / CELLS, limit_s=run.limit_s, watch=watch)

        def tried(batch: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
            policies: dict[str, KeepAlive] = {}
            for each in batch:
                try:
                    policies[_label(name, each)] = build({**node, **each}, f"policies.{name}", KeepAlive, trust)
                except ConfigError as error:  # values that do not go together
                    refused.append(str(error))
            if not policies:
                return [None] * len(batch)
            experiment = Experiment([variant], policies, run.replications)
            frame = run_experiment(experiment, runner).index.outcome().frame.set_index("policy")
            wanted = frame.reindex([_label(name, each) for each in batch]).reindex(columns=list(search.metrics))
            return [list(row) if row.notna().all() else None for _, row in wanted.iterrows()]

        search.run(trials, tried)
    return refused[-1]


def _label(name: str, parameters: Mapping[Any, Any]) -> str:
    return f"{name} ({', '.join(f'{key}={_short(value)}' for key, value in parameters.items())})"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _parameter(word: str) -> Parameter:
    """``KEY=LOW..HIGH``, ``KEY=LOW..HIGH:log`` or ``KEY=A,B,C``."""
    key, _, values = word.partition("=")
    if found := re.fullmatch(r"([-+.\deE]+?)\.\.([-+.\deE]+?)(:log)?", values):
        try:
            low, high = float(found[1]), float(found[2])
        except ValueError:
            raise ConfigError(f"--parameter {word}: {found[1]} or {found[2]} is no number") from None
        whole = not set(".eE") & set(found[1] + found[2])
        return Parameter(key, low=low, high=high, log=found[3] is not None, whole=whole)
    choices = config.read_options([f"{key}=[{values}]"])[key] if key and values else []
    if len(choices) < 2:
        raise ConfigError(f"--parameter {word}: write KEY=LOW..HIGH, KEY=LOW..HIGH:log or KEY=A,B,C")
    return Parameter(key, choices=tuple(choices))


def _parser() -> _Parser:
    parser = _Parser(prog="tune", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--parameter", action="append", default=[])
    parser.add_argument("--metrics", default="cold_start_rate,wasted_gb_s")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    parser.add_argument("--trust", action="append", default=[])
    return parser
