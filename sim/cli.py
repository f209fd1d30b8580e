"""The command line: ``keepwarm run``, ``timeline``, ``traces``, ``policies`` and ``bench``."""

from __future__ import annotations

import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from sim import config, screening
from sim.cli_timeline import timeline
from sim.cli_traces import traces
from sim.core.build import Trust
from sim.core.errors import ConfigError, KeepwarmError
from sim.experiment.comparison import compare, number_of_runs
from sim.experiment.manifest import manifest
from sim.experiment.run_folder import CLAIM, claimed, write_run
from sim.report.figures import pareto, save_figure
from sim.report.policies import policy_table
from sim.report.progress import progress
from sim.report.table import comparison_table, comparison_text
from sim.report.text_table import plain_text, text_table
from sim.studies.role import Study
from sim.workload.trace import Trace

USAGE: Final = """keepwarm: compare keep-alive policies on an invocation trace

  keepwarm run [OVERRIDES]   run a comparison (the same as python -m sim), e.g.
                             keepwarm run policy='[fixed_1m,fixed_10m]' policies.fixed_10m.window_s=300
                             or, with experiment=NAME, what that file of configs/experiment says
  keepwarm run --help        the configuration and Hydra's own options (--multirun, --cfg job, ...)
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
        screening.screen(parsed, trust)

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


@dataclass(frozen=True)
class Job:
    """What a comparison and a study have in common.

    Attributes:
        run: what was configured.
        config_yaml: the configuration, as it is written.
        overrides: those of the command line.
        folder: for the results, and this run's alone.
        console: what people see.
        started: when.
    """

    run: config.Run
    config_yaml: str
    overrides: Sequence[str]
    folder: Path
    console: Console
    started: datetime

    def manifest(self, read: Trace | Mapping[str, Any], replications: int) -> dict[str, Any]:
        """The manifest of a job that ends now."""
        return manifest(
            read, self.run.setting, overrides=self.overrides, replications=replications, started=self.started,
            ended=datetime.now(UTC),
        )  # fmt: skip

    def save_figures(self, figures: Mapping[str, Figure]) -> None:
        """Write each as PNG and SVG, whole or not at all."""
        with TemporaryDirectory(prefix=".", dir=self.folder) as unfinished:
            files = [file for name, figure in figures.items() for file in save_figure(figure, Path(unfinished) / name)]
            for file in files:
                file.replace(self.folder / file.name)

    def show(self, table: Table, text: str) -> None:
        """The table for a terminal or the text for a file or pipe, and what was written."""
        if self.console.is_terminal:
            self.console.print(table)
        else:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        written = ", ".join(sorted(p.name for p in self.folder.iterdir() if p.name != CLAIM))
        self.console.print(f"written to {_short(self.folder)}: {written}",
                           markup=False, highlight=False, soft_wrap=True)  # fmt: skip


def run_job(composed: DictConfig, folder: Path, trust: Trust) -> None:
    """One comparison or study: read, simulate, write into a folder that is this run's alone, show."""
    started = datetime.now(UTC)
    hydra_config = HydraConfig.get()
    presets = [Path(s.path) for s in hydra_config.runtime.config_sources if s.schema == "file"]
    values = config.plain(composed)
    job = Job(
        config.build_run(values, presets, trust), config.to_yaml(values), hydra_config.overrides.task,
        folder, Console(), started,
    )  # fmt: skip
    if job.run.study is None:
        _compare(job)
    else:
        _study(job, job.run.study)


def _compare(job: Job) -> None:
    trace = job.run.load_trace()
    job.console.print(repr(trace), markup=False, highlight=False)
    policies, setting, replications = job.run.policies, job.run.setting, job.run.replications
    with progress(job.console, number_of_runs(trace, policies, setting, replications)) as watch:
        compared = compare(trace, policies, setting, replications=replications, watch=watch)
    facts = job.manifest(trace, int(compared.frame["replications"].max()))
    job.save_figures({"pareto": pareto(compared.frame, compared.notes)})
    write_run(job.folder, compared, job.config_yaml, facts)
    job.show(
        comparison_table(compared.frame, compared.notes, width=job.console.width),
        comparison_text(compared.frame, compared.notes),
    )


def _study(job: Job, study: Study) -> None:
    with job.console.status(type(study).__name__):
        found = study.run(job.run.setting, job.run.replications)
    facts = job.manifest(found.inputs, job.run.replications)
    job.save_figures(found.figures)
    write_run(job.folder, found, job.config_yaml, facts, name="findings")
    job.show(text_table(found.shown, found.notes), plain_text(found.shown, found.notes))


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
    {"run": run, "timeline": timeline, "traces": traces, "policies": policies, "bench": bench}
)
