"""The command line of runs: ``keepwarm run``, ``keepwarm report`` and ``keepwarm rerun``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from sim import config, run_config, screening
from sim.cli_words import note, say
from sim.core.build import Trust
from sim.core.errors import ConfigError, KeepwarmError
from sim.experiment.index import CELLS, INDEX, read_index
from sim.experiment.run_folder import CONFIG, MANIFEST, claimed, load_run, read_config, read_manifest
from sim.jobs import Job, publish, short, show
from sim.results.outcome import merged

SEARCH: Final = ("tune.db", "trials.csv", "trials.parquet")
"""What a search leaves beside the comparison that it ends in."""
FAIL_FAST: Final = "--fail-fast"
SWEEP: Final = ("-m", "--multirun")
AS_RAISED: Final = "HYDRA_FULL_ERROR"
"""Hydra's variable: with it errors reach us, and not the terminal as a stack trace."""


def run(words: Sequence[str]) -> None:
    """``keepwarm run``: check the configuration, then let Hydra run it, once or as a sweep."""
    packages, rest = take_trust(words)
    trust = config.trusted(packages)
    sys.argv = ["keepwarm run"]
    parsed = get_args_parser().parse_intermixed_args([word for word in rest if word != FAIL_FAST])
    if FAIL_FAST in rest:
        parsed.overrides.append("fail_fast=true")
    options = [word for word in rest if word not in (*parsed.overrides, FAIL_FAST)]
    sys.argv += options + parsed.overrides  # Hydra wants options first
    if not (parsed.help or parsed.hydra_help or parsed.shell_completion):
        screening.screen(parsed, trust)
    besides = [part for package in packages for part in ("--trust", package)]
    besides += [option for option in options if option not in SWEEP]
    jobs = _Jobs(trust, besides, parsed.overrides, os.getpid())

    def job(composed: DictConfig) -> None:
        jobs.do(composed)

    with _errors_as_raised():
        hydra.main(version_base=config.VERSION_BASE, config_path=str(config.config_dir()), config_name=config.ROOT)(
            job
        )()
    if jobs.failed:
        raise KeepwarmError(f"of the sweep, not finished: {', '.join(jobs.failed)}")


@dataclass(frozen=True)
class _Jobs:
    """What Hydra hands over: one job, or those of a sweep.

    Attributes:
        trust: whose classes may be named.
        options: what was typed besides overrides,
        overrides: and these.
        process: that was told to run.
        failed: jobs of a sweep, in this process, that did not finish.
    """

    trust: Trust
    options: Sequence[str]
    overrides: Sequence[str]
    process: int
    failed: list[str] = field(default_factory=list)

    def do(self, composed: DictConfig) -> None:
        """One job."""
        place = HydraConfig.get()
        folder, by_time = Path(place.runtime.output_dir), config.is_named_by_time(place)
        sweep = place.mode == RunMode.MULTIRUN
        if sweep and _is_finished(folder, composed):
            note(f"finished already: {short(folder)}")
            return
        again = [*self.options, *(["--multirun", *self.overrides] if sweep else place.overrides.task)]
        try:
            with claimed(folder, may_rename=by_time) as mine:
                where = ("hydra.sweep.dir", Path(place.sweep.dir).absolute()) if sweep else ("hydra.run.dir", mine)
                with _going_on(mine, again, *where):
                    _job(composed, mine, self.trust, self.options).do()
        except KeepwarmError as error:
            if os.getpid() != self.process:  # a launcher's, which hands over what was raised, but no exit
                raise KeepwarmError(f"job {place.job.num}: {error}") from None
            if not sweep or composed.fail_fast:
                sys.exit(say(error))
            self.failed.append(f"job {place.job.num}")
            note(f"error in {self.failed[-1]}: {error}")
        finally:
            if by_time:
                _remove_empty_days(folder)


@contextmanager
def _errors_as_raised() -> Iterator[None]:
    before = os.environ.get(AS_RAISED)
    os.environ[AS_RAISED] = "1"
    try:
        yield
    except HydraException as error:
        raise ConfigError(config.tidy(str(error))) from None
    finally:
        os.environ.pop(AS_RAISED)
        if before is not None:
            os.environ[AS_RAISED] = before


def _job(composed: DictConfig, folder: Path, trust: Trust, options: Sequence[str]) -> Job:
    started, place = datetime.now(UTC), HydraConfig.get()
    presets = [Path(s.path) for s in place.runtime.config_sources if s.schema == "file"]
    values = config.plain(composed)
    built = run_config.build_run(values, presets, trust)
    return Job(built, config.to_yaml(values), place.overrides.task, folder, Console(), started, options)


def _is_finished(folder: Path, composed: DictConfig) -> bool:
    """Whether this very job of a sweep, begun again, has ended before."""
    written = folder / CONFIG
    if not ((folder / MANIFEST).exists() and written.exists()):
        return False
    return written.read_text("utf-8") == config.to_yaml(config.plain(composed))


@contextmanager
def _going_on(folder: Path, words: Sequence[str], key: str, place: Path) -> Iterator[None]:
    """Say, where a run ends early, what is kept of it and how to go on: the same words, `key` naming the `place`."""
    try:
        yield
    except BaseException:
        cells = len(list((folder / CELLS).glob("*.parquet")))
        if cells:
            others = [word for word in words if not word.startswith(f"{key}=")]
            again = shlex.join(["keepwarm", "run", f"{key}={short(place)}", *others])
            said = "one finished run is kept" if cells == 1 else f"{cells} finished runs are kept"
            note(f"{said} in {short(folder)}; go on with: {again}")
        raise


def report(words: Sequence[str]) -> None:
    """``keepwarm report``: tables, figures and page of runs, made anew from what their folders hold."""
    folders, out = _folders(words)
    if out is None:
        if len(folders) > 1:
            raise ConfigError("report of several runs needs a folder of its own: --out FOLDER")
        out = folders[0]
    elif len(folders) > 1 and (out / INDEX).exists():
        raise ConfigError(f"--out: {out} holds a run of its own; name another folder")
    outcome = merged({str(folder): load_run(folder) for folder in folders})
    out.mkdir(parents=True, exist_ok=True)
    publish(outcome, out)
    console = Console()
    show(outcome, console)
    for failure in outcome.failures:
        note(f"missing: {failure}")
    console.print(f"written to {short(out.absolute())}", markup=False, highlight=False, soft_wrap=True)


def _folders(words: Sequence[str]) -> tuple[list[Path], Path | None]:
    folders, out, pending = [], None, iter(words)
    for word in pending:
        if word == "--out" or word.startswith("--out="):
            out = Path(next(pending, "") if word == "--out" else word.removeprefix("--out="))
        elif word.startswith("-"):
            raise ConfigError(f"report: there is no option {word}; there is --out FOLDER")
        else:
            folders.append(Path(word))
    if not folders:
        raise ConfigError("report needs the folder of a run, or several")
    return folders, out


def rerun(words: Sequence[str]) -> None:
    """``keepwarm rerun``: do a finished run again, beside it, and say whether the outputs are the same to the byte."""
    packages, rest = take_trust(words)
    if len(rest) != 1:
        raise ConfigError("rerun needs the folder of one run")
    before, started = Path(rest[0]).resolve(), datetime.now(UTC)
    if not (before / MANIFEST).exists():
        raise ConfigError(f"{before} does not hold a finished run: there is no {MANIFEST}")
    text, manifest = read_config(before), read_manifest(before)
    labels = [policy["label"] for policy in read_index(before).policies] if (before / INDEX).exists() else None
    values = {**config.read_yaml(text, str(before / CONFIG)), "reuse": []}
    with (
        claimed(before.with_name(f"{before.name}-rerun"), may_rename=True) as mine,
        _working_in(manifest.get("host", {}).get("directory")),
    ):
        built = run_config.build_run(values, [config.config_dir()], config.trusted(packages), labels)
        overrides, options = (list(map(str, manifest.get(key, []))) for key in ("overrides", "options"))
        Job(built, text, overrides, mine, Console(), started, options).do()
    differing = sorted(_differing(before, mine))
    if differing:
        more = f" and {len(differing) - 10} more" if len(differing) > 10 else ""
        note(f"not identical: {', '.join(differing[:10])}{more}{_what_else(before, mine)}")
        sys.exit(1)
    Console().print(f"identical: every output of {before} but its manifest is the same to the byte", markup=False,
                    highlight=False, soft_wrap=True)  # fmt: skip


@contextmanager
def _working_in(directory: object) -> Iterator[None]:
    """Relative paths mean what they meant to the run, if there still is the folder that it ran in."""
    if not isinstance(directory, str) or not Path(directory).is_dir():
        yield
        return
    with chdir(directory):
        yield


def _differing(one: Path, other: Path) -> Iterator[str]:
    """Files that only one has, or that hold different bytes."""
    keys = read_index(other).keys if (other / INDEX).exists() else set()
    names = {p.relative_to(folder) for folder in (one, other) for p in folder.rglob("*") if p.is_file()}
    stale = {name for name in names if name.parts[0] == CELLS and name.stem.partition("-")[0] not in keys}
    for name in names - stale - {Path(MANIFEST), *map(Path, SEARCH)}:
        files = [folder / name for folder in (one, other)]
        if not all(file.is_file() for file in files) or files[0].read_bytes() != files[1].read_bytes():
            yield str(name)


def _what_else(one: Path, other: Path) -> str:
    """What differs between the manifests that could be the reason."""
    then, now = (_versions(read_manifest(folder)) for folder in (one, other))
    changed = [f"{name} {then.get(name)} then, {now[name]} now" for name in now if then.get(name) != now[name]]
    return f" ({'; '.join(changed)})" if changed else ""


def _versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    source, trace = manifest.get("source") or {}, manifest.get("trace", {})
    return {**manifest.get("versions", {}), "commit": source.get("commit"), "trace": trace.get("hash")}


def take_trust(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The packages that ``--trust`` names, and all other words."""
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


def _remove_empty_days(folder: Path) -> None:
    """Remove the folder of the day, and that of the days, if they are empty and below the working directory."""
    with suppress(OSError):  # one is not empty
        for parent in folder.parents:
            if not (parent.is_relative_to(Path.cwd()) and parent != Path.cwd()):
                break
            parent.rmdir()
