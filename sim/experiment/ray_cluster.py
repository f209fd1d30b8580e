"""Cells on a Ray cluster, or on a local Ray started for them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import joblib

from sim.core.errors import ConfigError
from sim.experiment.cells import Cell, Done
from sim.experiment.executors import Answer, Executor, Item, WorkerDiedError, require_jobs, work_on

WAVE: Final = 8
"""Cells a job that are handed out at a time: Ray's backend says nothing before all of them have ended."""


@dataclass(frozen=True)
class Ray(Executor):
    """The workers of a Ray cluster, through Ray's own joblib backend.

    All of them must see the run's folder under the same path.

    Attributes:
        jobs: cells at a time; None: one a core that Ray has.
        address: of the cluster, as ``ray.init`` takes it; None: a local one is started, and stopped at the end.
    """

    jobs: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        require_jobs(self.jobs)

    @property
    def in_process(self) -> bool:
        """Never."""
        return False

    def run(self, cells: Sequence[Cell], folder: Path, limit_s: float | None) -> Generator[Done, None, None]:
        """See `Executor`."""
        yield from self.each(partial(work_on, folder=folder, limit_s=limit_s), cells)

    def each(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> Generator[Answer, None, None]:
        """See `Executor`."""
        with self._connected() as ray:
            jobs = self.jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
            for first in range(0, len(items), WAVE * jobs):
                wave = items[first : first + WAVE * jobs]
                try:
                    with joblib.parallel_config(backend="ray", n_jobs=jobs):
                        yield from joblib.Parallel(batch_size=1)(joblib.delayed(work)(item) for item in wave)
                except ray.exceptions.RayError as death:
                    raise WorkerDiedError from death

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Ray's module, once there is a cluster; it is an extra, and slow to import."""
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # or a local one leaves a token in the home directory
        try:
            ray, backend = importlib.import_module("ray"), importlib.import_module("ray.util.joblib")
        except ModuleNotFoundError:
            raise ConfigError("executor=ray needs Ray: pip install 'keepwarm[ray]'") from None
        ours = not ray.is_initialized()
        if ours:
            local = {} if self.address else {"num_cpus": self.jobs, "include_dashboard": False}
            try:
                ray.init(self.address, log_to_driver=False, configure_logging=False, **local)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise ConfigError(f"executor.address: no Ray cluster at {self.address!r}: {error}") from None
        backend.register_ray()
        try:
            yield ray
        finally:
            if ours:
                ray.shutdown()
