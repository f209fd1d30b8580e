"""``keepwarm timeline``: a span of one run as a file to look at in Perfetto or Chrome."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from rich.console import Console

from sim import config, run_config
from sim.api import chrome_trace, simulate
from sim.core.errors import ConfigError
from sim.results.result import Result

USAGE: Final = """keepwarm timeline: a span of one run, to look at instance by instance

  keepwarm timeline [OVERRIDES] --out FILE
      run one policy and write what its instances did; overrides are those of
      keepwarm run. Open the file in https://ui.perfetto.dev or chrome://tracing
      --from SECONDS      the span's begin; 0 by default
      --to SECONDS        its end; the end of the run by default
      --functions A,B     names of the functions to show; all by default
      --config-dir FOLDER take presets of your own too
      --trust PACKAGE     allow a configuration to name its classes, e.g.

  keepwarm timeline policy='[fixed_10m]' --to 600 --functions f004,f012 \\
      --out timeline.json"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as all other commands do."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"timeline: {message}; see keepwarm timeline --help")


def timeline(words: Sequence[str]) -> None:
    """``keepwarm timeline``: run a policy and write a span of it."""
    console = Console()
    if not words or {"-h", "--help"} & set(words):
        console.print(USAGE, markup=False, highlight=False)
        return
    given = _parser().parse_intermixed_args(list(words))
    if given.out.is_dir() or not given.out.parent.is_dir():
        why = "is a folder" if given.out.is_dir() else "lies in a folder that there is not"
        raise ConfigError(f"--out: {given.out} {why}")
    result = _run(given.overrides, given.config_dir, given.trust)
    functions = None if given.functions is None else given.functions.split(",")
    try:
        chrome_trace(result, given.out, start_s=given.start_s, end_s=given.end_s, functions=functions)
    except OSError as error:
        raise ConfigError(f"{given.out}: cannot be written: {error}") from None
    written = f"written to {given.out}; open it in https://ui.perfetto.dev or chrome://tracing"
    console.print(f"{result!r}\n{written}", markup=False, highlight=False, soft_wrap=True)


def _parser() -> _Parser:
    parser = _Parser(prog="timeline", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", type=float, dest="start_s", default=0.0)
    parser.add_argument("--to", type=float, dest="end_s")
    parser.add_argument("--functions")
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    parser.add_argument("--trust", action="append", default=[])
    return parser


def _run(overrides: Sequence[str], presets: Sequence[Path], packages: Sequence[str]) -> Result:
    """The one policy of a configuration, run and recorded."""
    values = config.plain(config.compose_config(overrides, extra=presets))
    run = run_config.build_run(values, [config.config_dir(), *presets], config.trusted(packages))
    if run.study is not None or len(run.policies) != 1:
        what = "an experiment" if run.study is not None else ", ".join(run.policies)
        raise ConfigError(f"a timeline is of one policy, not of {what}: choose it, e.g. policy='[fixed_10m]'")
    setting, [policy] = run.setting, run.policies.values()
    return simulate(
        run.load_trace(), policy, setting.platform, price=setting.price, provider=setting.provider,
        engine=setting.engine, threads=setting.threads, seed=setting.seed, warm_up_s=setting.warm_up_s,
        horizon_s=setting.horizon_s,
    )  # fmt: skip
