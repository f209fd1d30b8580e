"""The manifest: what is needed to do a run again, and to know whether it is the same."""

from __future__ import annotations

import platform as machine
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np

from sim.experiment.setting import Setting
from sim.workload.source import Source, about

PACKAGES: Final = (
    "keepwarm", "simpy", "numpy", "pandas", "pyarrow", "scipy", "matplotlib", "hydra-core", "omegaconf", "numba",
)  # fmt: skip


def manifest(
    read: Mapping[str, Any], setting: Setting, *, overrides: Sequence[str], options: Sequence[str] = (),
    replications: int, started: datetime, ended: datetime,
) -> dict[str, Any]:  # fmt: skip
    """Versions, commit, overrides, seeds, what was read and all else a run has to say, host and times, for JSON."""
    return {
        "versions": {"python": sys.version.split()[0], **{name: _version(name) for name in PACKAGES}},
        "source": git_state(Path(__file__).resolve().parent),
        "overrides": list(overrides),
        "options": list(options),
        "engine": setting.engine,
        "seed": setting.seed,
        "replications": replications,
        **_plain(read),
        "host": {
            "system": machine.platform(), "machine": machine.machine(), "name": machine.node(),
            "directory": str(Path.cwd()),
        },
        "started": started.isoformat(),
        "ended": ended.isoformat(),
        "seconds": (ended - started).total_seconds(),
    }  # fmt: skip


def trace_facts(trace: Source) -> dict[str, Any]:
    """What a trace is: its size, its hash, and what its reader said about it."""
    return {
        "calls": int(trace.calls_per_function.sum()),
        "functions": len(trace.functions),
        "horizon_s": trace.horizon_s,
        "hash": trace.content_hash(),
        "about": _plain(about(trace)),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that `folder` belongs to, and whether it was changed; None outside a checkout."""
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*words: str) -> str | None:
        command = [git, "-C", str(folder), *words]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", __file__) is None:  # not ours: a package inside somebody's checkout
        return None
    return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
