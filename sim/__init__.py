"""keepwarm: a discrete-event simulator for FaaS scheduling research."""

from sim import policies
from sim.api import (
    chrome_trace,
    compare,
    many_windows,
    run_experiment,
    simulate,
    window_curve,
)
from sim.api_shards import merge_shards, simulate_in_shards, simulate_shard
from sim.config import load_platform, load_pricing, load_provider, load_synthesis
from sim.core.errors import ConfigError, KeepwarmError, PolicyError, TraceError
from sim.experiment.executors import Local
from sim.experiment.ray_cluster import Ray
from sim.experiment.run_folder import load_run
from sim.platform.platform import Platform
from sim.results.outcome import Outcome
from sim.results.partial import PartialResult
from sim.results.result import Result
from sim.workload import PartitionedTrace, PartitionWriter, Trace, load_trace, open_trace, save_by_function

__all__ = [
    "ConfigError",
    "KeepwarmError",
    "Local",
    "Outcome",
    "PartialResult",
    "PartitionWriter",
    "PartitionedTrace",
    "Platform",
    "PolicyError",
    "Ray",
    "Result",
    "Trace",
    "TraceError",
    "chrome_trace",
    "compare",
    "load_platform",
    "load_pricing",
    "load_provider",
    "load_run",
    "load_synthesis",
    "load_trace",
    "many_windows",
    "merge_shards",
    "open_trace",
    "policies",
    "run_experiment",
    "save_by_function",
    "simulate",
    "simulate_in_shards",
    "simulate_shard",
    "window_curve",
]
