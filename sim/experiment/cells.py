"""Cells: the runs that an experiment is made of, each done once, in any process, and found again by its key."""

from __future__ import annotations

import hashlib
import json
import os
import traceback
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from time import perf_counter

from sim.core.errors import KeepwarmError
from sim.engine.simulate import simulate
from sim.experiment.fingerprint import fingerprint
from sim.experiment.setting import Setting
from sim.experiment.sharing import TraceSource
from sim.experiment.time_limit import OutOfTimeError, time_limit
from sim.policies.keepalive.role import KeepAlive
from sim.results.digest import Digest, digest
from sim.results.store import VERSION, find_digest, write_digest, write_whole
from sim.workload.source import Source
from sim.workload.trace import Trace

RUNNING = ".running"
"""Ends the names of files that say which cells somebody works on."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One run: a policy on one replication of a variant.

    Attributes:
        key: 32 hexadecimal digits, the same for the same run.
        label: what it is for people.
        policy, setting, source, replication: what is run.
        unsure: why a result of the same key may be another's; empty where it is not.
    """

    key: str
    label: str
    policy: KeepAlive
    setting: Setting
    source: TraceSource
    replication: int
    unsure: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """How a cell ended.

    Attributes:
        key: of the cell.
        calls, cold_start_rate: of its summary; NaN if it failed.
        seconds: that it took.
        error: one line on what went wrong; empty if nothing did.
        trace: the traceback, where the error was not foreseen.
        hopeless: whether no other cell can do better: what it found cannot be written.
    """

    key: str
    calls: float
    cold_start_rate: float
    seconds: float
    error: str = ""
    trace: str = ""
    hopeless: bool = False


def trace_key(trace: Source) -> str:
    """What stands for a trace in keys: its columns, and the counts that other replications are drawn from."""
    return fingerprint((trace.content_hash(), trace.counts if isinstance(trace, Trace) else None)).digest


def cell_key(
    sources: str, trace: str, policy: KeepAlive, setting: Setting, replication: int, label: str = ""
) -> tuple[str, tuple[str, ...]]:
    """The key of a cell, and why a result of the same key may be another's: of all that a result depends on.

    Args:
        sources: the hash of the `sim` sources.
        trace: what stands for the trace.
        policy: what is run,
        setting: on what,
        replication: and which.
        label: of the policy: it tells apart what nothing else can.
    """
    told = fingerprint((policy, replace(setting, threads=1)))  # any number of threads gives the same
    whole = json.dumps([VERSION, sources, trace, told.digest, replication, label if told.unsure else ""])
    return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest(), told.unsure


def run_cell(cell: Cell, folder: Path, limit_s: float | None = None, *, may_die: bool = False) -> Done:
    """Run a cell and store its digest; whatever goes wrong in it is said in the answer.

    Args:
        cell: what to run.
        folder: of the digests.
        limit_s: seconds after which it is given up.
        may_die: whether this process may be ended where the cell cannot be interrupted otherwise.
    """
    started, mark = perf_counter(), folder / f"{cell.key}{RUNNING}"
    try:
        mark.touch()
        try:
            kept = _simulated(cell, limit_s, may_die)
            write_digest(folder, cell.key, kept)
        finally:
            mark.unlink(missing_ok=True)
    except OutOfTimeError:
        return _failed(cell, started, f"took longer than {limit_s:g} s")
    except KeepwarmError as error:
        return _failed(cell, started, str(error))
    except MemoryError:
        return _failed(cell, started, "there is not enough memory")
    except OSError as error:
        return _failed(cell, started, f"{folder} cannot be written to: {error.strerror}", hopeless=True)
    except CellError as error:
        return _failed(cell, started, str(error), error.trace)
    s = kept.summary
    return Done(cell.key, float(s["invocations"]), float(s["cold_start_rate"]), perf_counter() - started)


class CellError(Exception):
    """Something that nobody foresaw, raised in a cell: by a user's policy, or by a mistake of ours."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


def _simulated(cell: Cell, limit_s: float | None, may_die: bool) -> Digest:
    setting = cell.setting
    try:
        with time_limit(limit_s, may_die=may_die):
            result = simulate(
                cell.source.draw(cell.replication), deepcopy(cell.policy), setting.platform, price=setting.price,
                provider=setting.provider, engine=setting.engine, threads=setting.threads, seed=setting.seed,
                replication=cell.replication, record=setting.record, warm_up_s=setting.warm_up_s,
                horizon_s=setting.horizon_s,
            )  # fmt: skip
            return digest(result)
    except (KeepwarmError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a user's policy raises: all other cells go on
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"raised {type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        raise CellError(said, traceback.format_exc()) from None


def _failed(cell: Cell, started: float, error: str, trace: str = "", *, hopeless: bool = False) -> Done:
    return Done(cell.key, nan, nan, perf_counter() - started, error, trace, hopeless)


def finished(cells: Iterable[Cell], folder: Path, others: Sequence[Path] = ()) -> dict[str, Path]:
    """The digests that are there already, by key; those found in `others` are brought into `folder`."""
    found: dict[str, Path] = {}
    for cell in cells:
        if cell.unsure or cell.key in found:
            continue
        for place in (folder, *others):
            path = find_digest(place, cell.key)
            if path is not None:
                found[cell.key] = path if place == folder else _bring(path, folder)
                break
    return found


def _bring(path: Path, folder: Path) -> Path:
    """Another run's digest as this run's own: one file of two names where that can be."""
    here, fresh = folder / path.name, folder / f".{path.name}.{os.getpid()}.partial"
    try:
        os.link(path, fresh)
        os.replace(fresh, here)  # noqa: PTH105 - what is there may be damaged
    except OSError:  # another file system
        write_whole(here, path.read_bytes())
    return here
