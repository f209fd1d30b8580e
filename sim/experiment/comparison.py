"""Compare policies on one workload in memory: nothing is kept but the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sim.experiment.executors import Local
from sim.experiment.experiment import Experiment, Intervals, Variant, run_experiment
from sim.experiment.replications import Replications
from sim.experiment.runner import CellsFailedError, Runner, Unwatched, Watch
from sim.experiment.setting import Setting
from sim.policies.keepalive.role import KeepAlive
from sim.results.outcome import VariantOutcome
from sim.workload.source import Source


def compare(
    trace: Source,
    policies: Mapping[str, KeepAlive],
    setting: Setting,
    *,
    replications: int | Replications = 1,
    intervals: Intervals = "replications",
    jobs: int | None = 1,
    watch: Watch | None = None,
) -> VariantOutcome:
    """Run every policy on the same replications of a trace; the digests are gone when this returns.

    The fixed 10-minute window is run in addition where it is not among the policies. Where nothing is random one
    replication says it all, whatever was asked for.

    Raises:
        CellsFailedError: something went wrong in one of the runs.
    """
    drawn = replications if isinstance(replications, Replications) else Replications(replications)
    experiment = Experiment([Variant("", "", lambda: trace, setting)], policies, drawn, intervals)
    with TemporaryDirectory(prefix="keepwarm-") as folder:
        runner = Runner(Local(jobs), Path(folder), fail_fast=True, watch=watch or Unwatched())
        outcome = run_experiment(experiment, runner).index.outcome()
    if outcome.failures:
        raise CellsFailedError("; ".join(outcome.failures))
    return replace(outcome.variants[0], digests={})
