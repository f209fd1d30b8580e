"""The command line run inside the tests' own process, and a small trace to run it on."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest import mock

import numpy as np
from hydra.core.global_hydra import GlobalHydra

from sim import Trace, cli


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


def keepwarm(*words: str) -> Done:
    """`keepwarm` with these arguments, in this process: an eighth of the time that a process of its own takes."""
    out, err = StringIO(), StringIO()
    with _as_it_was(), redirect_stdout(out), redirect_stderr(err):
        try:
            status = cli.main(words)
        except SystemExit as stopped:  # how Hydra, argparse and a failed job end
            status = stopped.code if isinstance(stopped.code, int) else 0 if stopped.code is None else 1
    return Done(status, out.getvalue(), err.getvalue())


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Arguments, log handlers and Hydra's state are those of before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with mock.patch.object(sys, "argv", ["keepwarm"]):
        try:
            yield
        finally:
            GlobalHydra.instance().clear()
            for handler in set(root.handlers).difference(handlers):
                handler.close()
            root.handlers[:] = handlers
            root.setLevel(level)


def small_trace(folder: Path) -> Path:
    """A trace of 40 calls of three functions over some 50 minutes, saved."""
    arrival_s = np.cumsum(np.tile([1.0, 45.0, 200.0, 2.5, 80.0, 90.0, 0.0, 130.0], 5))
    return Trace.from_arrays(np.arange(40) % 3, arrival_s, 0.5).save(folder)


def small_counts(folder: Path, third: object = 3) -> Path:
    """Counts of two functions in three minutes, as a sample of Azure's has them; `third` is f's in the last minute."""
    folder.mkdir()
    (folder / "invocations.csv").write_text(
        f"HashOwner,HashApp,HashFunction,Trigger,480,481,482\no,a,f,http,2,0,{third}\no,b,g,timer,1,5,1\n"
    )
    percents = (0, 1, 25, 50, 75, 99, 100)
    (folder / "durations.csv").write_text(
        "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,"
        + ",".join(f"percentile_Average_{percent}" for percent in percents)
        + "\no,a,f,500,9,100,900,100,120,300,500,700,880,900\no,b,g,50,9,50,50,50,50,50,50,50,50,50\n"
    )
    (folder / "memory.csv").write_text(
        "HashFunction,HashOwner,HashApp,SampleCount,AverageAllocatedMb\nf,o,a,9,100\ng,o,b,9,200\n"
    )
    return folder
