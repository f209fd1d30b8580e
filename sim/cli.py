"""The command line: ``keepwarm run``, ``traces``, ``policies`` and ``bench``."""

from __future__ import annotations

import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from sim import config
from sim.cli_traces import traces
from sim.core.build import Trust
from sim.core.errors import ConfigError, KeepwarmError
from sim.experiment.comparison import Comparison, compare, number_of_runs
from sim.experiment.manifest import manifest
from sim.experiment.run_folder import CLAIM, claimed, write_run
from sim.report.figures import pareto, save_figure
from sim.report.policies import policy_table
from sim.report.progress import progress
from sim.report.table import comparison_table, comparison_text

USAGE: Final = """keepwarm: compare keep-alive policies on an invocation trace

  keepwarm run [OVERRIDES]   run a comparison (the same as python -m sim), e.g.
                             keepwarm run policy='[fixed_1m,fixed_10m]' policies.fixed_10m.window_s=300
  keepwarm run --help        the configuration and Hydra's own options (--multirun, --cfg job, ...)
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
            COMMANDS[command](words[1:])
    except KeepwarmError as error:
        return _say(error)
    except KeyboardInterrupt as stop:
        Console(stderr=True).print("\nstopped; what was not finished was not written", highlight=False)
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


def _say(error: KeepwarmError) -> int:
    Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
    return 2


def run(words: Sequence[str]) -> None:
    """``keepwarm run``: check the configuration, then let Hydra run it, once or as a sweep."""
    packages, rest = _take_trust(words)
    trust = config.trusted(packages)
    sys.argv = ["keepwarm run"]
    parsed = get_args_parser().parse_intermixed_args(rest)
    sys.argv += [word for word in rest if word not in parsed.overrides] + parsed.overrides  # Hydra wants options first
    if not (parsed.help or parsed.hydra_help or parsed.shell_completion):
        config.screen(parsed, trust)

    def job(composed: DictConfig) -> None:
        place = HydraConfig.get()
        folder, by_time = Path(place.runtime.output_dir), config.is_named_by_time(place)
        try:
            with claimed(folder, may_rename=by_time) as mine:
                run_job(composed, mine, trust)
        except KeepwarmError as error:
            sys.exit(_say(error))
        finally:
            if by_time:
                _remove_empty_days(folder)

    hydra.main(version_base=config.VERSION_BASE, config_path=str(config.config_dir()), config_name=config.ROOT)(job)()


def _take_trust(words: Sequence[str]) -> tuple[list[str], list[str]]:
    packages, rest, pending = [], [], iter(words)
    for word in pending:
        if word == "--trust":
            packages.append(next(pending, ""))
        elif word.startswith("--trust="):
            packages.append(word.removeprefix("--trust="))
        else:
            rest.append(word)
    if "" in packages:
        raise ConfigError("--trust needs the name of a package")
    return packages, rest


def run_job(composed: DictConfig, folder: Path, trust: Trust) -> None:
    """One comparison: read, simulate, show, write into a folder that is this run's alone."""
    started = datetime.now(UTC)
    hydra_config = HydraConfig.get()
    presets = [Path(s.path) for s in hydra_config.runtime.config_sources if s.schema == "file"]
    values = config.plain(composed)
    configured = config.build_run(values, presets, trust)
    console = Console()
    trace = configured.load_trace()
    console.print(repr(trace), markup=False, highlight=False)
    policies, setting, replications = configured.policies, configured.setting, configured.replications
    with progress(console, number_of_runs(trace, policies, setting, replications)) as watch:
        compared = compare(trace, policies, setting, replications=replications, watch=watch)
    facts = manifest(
        trace,
        setting,
        overrides=hydra_config.overrides.task,
        replications=int(compared.frame["replications"].max()),
        started=started,
        ended=datetime.now(UTC),
    )
    with TemporaryDirectory(prefix=".", dir=folder) as unfinished:
        for file in save_figure(pareto(compared.frame, compared.notes), Path(unfinished) / "pareto"):
            file.replace(folder / file.name)
    write_run(folder, compared, config.to_yaml(values), facts)
    _show(console, compared, folder)


def _show(console: Console, compared: Comparison, folder: Path) -> None:
    if console.is_terminal:
        console.print(comparison_table(compared.frame, compared.notes, width=console.width))
    else:
        console.print(comparison_text(compared.frame, compared.notes), markup=False, highlight=False, soft_wrap=True)
    written = ", ".join(sorted(p.name for p in folder.iterdir() if p.name != CLAIM))
    console.print(f"written to {_short(folder)}: {written}", markup=False, highlight=False, soft_wrap=True)


def _short(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _remove_empty_days(folder: Path) -> None:
    """Remove the folder of the day, and that of the days, if they are empty and below the working directory."""
    with suppress(OSError):  # one is not empty
        for parent in folder.parents:
            if not (parent.is_relative_to(Path.cwd()) and parent != Path.cwd()):
                break
            parent.rmdir()


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
    runpy.run_path(str(script), run_name="__main__")


COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], None]]] = MappingProxyType(
    {"run": run, "traces": traces, "policies": policies, "bench": bench}
)
