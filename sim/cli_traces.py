"""The command line of traces: ``keepwarm traces inspect``, ``keepwarm traces synthesize``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NoReturn

from rich.console import Console

from sim import config
from sim.core.build import build, check_type
from sim.core.errors import ConfigError, KeepwarmError
from sim.report.trace_figures import trace_figures
from sim.report.trace_table import facts_of, report_of, span, trace_tables, trace_text
from sim.workload.load import load_trace
from sim.workload.statistics import trace_statistics
from sim.workload.synthesis import Synthesizer
from sim.workload.transform import transformed

ROOT: Final = "traces"

USAGE: Final = """keepwarm traces: look at traces, and make them

  keepwarm traces inspect PATH [KEY=VALUE ...] [--figures FOLDER]
      a trace in numbers and, if asked, in pictures; KEY=VALUE are its format,
      that format's own options and transforms, as in a run's workload, e.g.
      keepwarm traces inspect traces/default --figures figures
      keepwarm traces inspect FOLDER format=azure2019 arrivals=uniform

  keepwarm traces synthesize [OVERRIDES] out=FOLDER
      make a trace by a recipe of configs/synthesis, e.g.
      keepwarm traces synthesize synthesis=flash_crowd \\
          synthesis.functions=50 out=crowd
      --cfg               show the recipe, and make nothing
      --config-dir FOLDER take recipes of your own too (FOLDER/synthesis/*.yaml)

  Both take --trust PACKAGE (or the environment variable KEEPWARM_TRUST) to
  allow a configuration to name classes of your own package."""


def traces(words: Sequence[str]) -> None:
    """``keepwarm traces``: one of its commands."""
    command = words[0] if words else "--help"
    if command in ("-h", "--help") or {"-h", "--help"} & set(words):
        Console().print(USAGE, markup=False, highlight=False)
        return
    if command not in COMMANDS:
        raise ConfigError(f"there is no command 'traces {command}'; there is {', '.join(COMMANDS)}")
    COMMANDS[command](words[1:])


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as all other commands do."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}; see keepwarm traces --help")


def _parser(command: str) -> _Parser:
    parser = _Parser(prog=f"traces {command}", add_help=False, allow_abbrev=False)
    parser.add_argument("--trust", action="append", default=[])
    return parser


def inspect(words: Sequence[str]) -> None:
    """``keepwarm traces inspect``: read a trace as a run would, show it and, if asked, write its figures."""
    parser = _parser("inspect")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--figures", type=Path)
    given = parser.parse_intermixed_args(list(words))
    if not given.words:
        raise ConfigError("traces inspect needs the path of a trace; see keepwarm traces --help")
    path = given.words[0]
    workload = {**config.read_options(given.words[1:]), "path": path}
    options, transforms = config.split_workload(workload, config.trusted(given.trust))
    if given.figures is not None and given.figures.exists() and not given.figures.is_dir():
        raise ConfigError(f"--figures: a file is in the way at {given.figures}")
    trace = transformed(load_trace(**options), transforms)
    facts, report = {"read from": path, **facts_of(trace)}, report_of(trace)
    title = f"{path}: {len(trace):,} calls of {len(trace.functions):,} functions in {span(trace.horizon_s)}"
    statistics = trace_statistics(trace)
    del trace  # the pictures need room too
    console = Console()
    if console.is_terminal:
        for table in trace_tables(statistics, facts, report):
            console.print(table, "")
    else:
        console.print(trace_text(statistics, facts, report), markup=False, highlight=False, soft_wrap=True, end="")
    if given.figures is not None:
        files = _written(lambda: trace_figures(statistics, given.figures, title), given.figures)
        _say(console, f"written to {given.figures}: {', '.join(sorted(file.name for file in files))}")


def synthesize(words: Sequence[str]) -> None:
    """``keepwarm traces synthesize``: make a trace by a recipe and save it."""
    parser = _parser("synthesize")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--cfg", action="store_true")
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    given = parser.parse_intermixed_args(list(words))
    overrides = [*given.overrides, "out=null"] if given.cfg else given.overrides
    values = config.plain(config.compose_config(overrides, name=ROOT, extra=given.config_dir))
    console = Console()
    if given.cfg:
        _say(console, config.to_yaml(values["synthesis"]).rstrip())
        return
    out, replication = _checked(values)
    recipe = build(values["synthesis"], "synthesis", Synthesizer, config.trusted(given.trust))  # type: ignore[type-abstract]
    try:
        trace = recipe.make(replication)
    except KeepwarmError as error:
        raise ConfigError(f"synthesis: {error}") from None
    _written(lambda: trace.save(out), out)
    _say(console, f"{trace!r}\nwritten to {out}; look at it with: keepwarm traces inspect {out}")


def _checked(values: Mapping[str, Any]) -> tuple[Path, int]:
    for key in values:
        if key not in ("synthesis", "out", "replication"):
            raise ConfigError(f"{key}: there is no such key; there is synthesis, out, replication")
    check_type(values["out"], str, "out")
    if not values["out"]:
        raise ConfigError("out must be given: out=...")
    check_type(values["replication"], int, "replication")
    if values["replication"] < 0:
        raise ConfigError(f"replication: must be 0 or more, not {values['replication']}")
    return Path(values["out"]), values["replication"]


def _written(write: Callable[[], Any], where: Path) -> Any:
    try:
        return write()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be written: {error}") from None


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], None]]] = MappingProxyType(
    {"inspect": inspect, "synthesize": synthesize}
)
