"""The command line: one command a word, each in a module of its own."""

from __future__ import annotations

import runpy
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Final, NoReturn

from rich.console import Console

from sim import config
from sim.cli_words import note, say
from sim.core.errors import ConfigError, KeepwarmError
from sim.report.policies import policy_table

USAGE: Final = """keepwarm: compare keep-alive policies on an invocation trace

  keepwarm run [OVERRIDES]   run a comparison (the same as python -m sim), e.g.
                             keepwarm run policy='[fixed_1m,fixed_10m]' policies.fixed_10m.window_s=300
                             or, with experiment=NAME, what that file of configs/experiment says
  keepwarm run --help        the configuration and Hydra's own options (--multirun, --cfg job, ...)
  keepwarm report DIR...     tables, figures and page of runs, made anew from what their folders hold
  keepwarm rerun DIR         do a run again, and say whether the outputs are the same to the byte
  keepwarm curve --help      cold starts and waste of every keep-alive window at once
  keepwarm tune --help       search the parameters of a policy
  keepwarm timeline --help   one run, instance by instance, for Perfetto
  keepwarm traces --help     look at traces, and make them
  keepwarm policies          the policies there are
  keepwarm bench             how fast this machine simulates, as ratios
  keepwarm --version

  run takes --trust PACKAGE (or the environment variable KEEPWARM_TRUST) to allow a configuration to name classes of
  your own package."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0; 2, with one message, for what the user can mend; 130, 143: stopped."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else "--help"
    if command in ("-h", "--help"):
        Console().print(USAGE, markup=False, highlight=False)
        return 0
    if command == "--version":
        Console().print(f"keepwarm {metadata.version('keepwarm')}", highlight=False)
        return 0
    try:
        if command not in COMMANDS:
            raise ConfigError(f"there is no command {command!r}; there is {', '.join(COMMANDS)}")
        with _terminable():
            resolve_name(COMMANDS[command])(words[1:])
    except KeepwarmError as error:
        return say(error)
    except KeyboardInterrupt as stop:
        note("\nstopped; what was not finished was not written")
        return 143 if isinstance(stop, Terminated) else 130
    return 0


class Terminated(KeyboardInterrupt):
    """The process was asked to end: the same way out as for Ctrl-C, with a status of its own."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise `Terminated` where the signal comes; what handled it before does so again afterwards."""
    if threading.current_thread() is not threading.main_thread():  # only that may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def policies(words: Sequence[str]) -> None:
    """``keepwarm policies``: every preset, with its class, paper and parameters."""
    if words:
        raise ConfigError(f"keepwarm policies takes no arguments, not {' '.join(words)!r}")
    Console().print(policy_table(config.policy_presets()))


def bench(words: Sequence[str]) -> None:
    """``keepwarm bench``: the benchmarks, from the package where it is installed, else from the checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "benchmarks" / "run.py"
    script = inside if inside.is_file() else package.parent / "benchmarks" / "run.py"
    if not script.is_file():
        raise ConfigError(f"the benchmarks are not where they belong, at {script}")
    sys.argv = ["keepwarm bench", *words]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "run": "sim.cli_run:run",
        "report": "sim.cli_run:report",
        "rerun": "sim.cli_run:rerun",
        "curve": "sim.cli_curve:curve",
        "timeline": "sim.cli_timeline:timeline",
        "tune": "sim.cli_tune:tune",
        "traces": "sim.cli_traces:traces",
        "policies": "sim.cli:policies",
        "bench": "sim.cli:bench",
    }
)
"""Where the function of each command is; it is imported when the command is asked for, so that each starts at once."""
