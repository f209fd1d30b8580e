"""One run in shards: each is some of the functions, replayed anywhere; what they come to is put together exactly."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.core.checks import whole
from sim.engine.compiled.scenario import Conditions
from sim.engine.tallying import groups, require_whole, tally
from sim.experiment.executors import Executor
from sim.platform.trigger import Progress
from sim.results.partial import NAMES, NUMBERS, PartialResult
from sim.workload.source import Source
from sim.workload.trace import Trace

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Shard:
    """Some of the functions.

    Attributes:
        source: where their calls are; of a trace in memory, only theirs.
        place: int64[f], their places in it.
        function: int64[f], their places in the table of all.
    """

    source: Source
    place: IntArray
    function: IntArray


def deal(source: Source, conditions: Conditions, shards: int) -> list[IntArray]:
    """Deal functions to shards of about equal numbers of calls: the largest first, each to the shard that has fewest.

    What shares instances or learns together is in one shard.

    Args:
        source: where the calls are.
        conditions: what they are replayed under.
        shards: how many.

    Returns:
        Places in the table, ascending, for each shard that has any functions.

    Raises:
        ConfigError: the policy must be shown the whole trace.
    """
    whole("shards", shards, low=1)
    require_whole(source, conditions.policy, np.arange(len(source.functions) if shards == 1 else 0))
    _, group = np.unique(groups(source.functions, conditions), return_inverse=True)
    calls = np.bincount(group, weights=source.calls_per_function)
    owner, load = np.zeros(calls.size, np.int64), [(0.0, shard) for shard in range(shards)]
    for head in np.argsort(-calls, kind="stable").tolist():
        total, shard = load[0]
        owner[head] = shard
        heapq.heapreplace(load, (total + calls[head] + 1.0, shard))  # one more, so that idle ones are dealt evenly too
    dealt = [np.flatnonzero(owner[group] == shard) for shard in range(shards)]
    return [function for function in dealt if function.size]


def shard_of(source: Source, function: IntArray) -> Shard:
    """The shard of some functions of a source."""
    if isinstance(source, Trace):
        return Shard(source.part(function), np.arange(function.size), function)
    return Shard(source, function, function)


def part_of(conditions: Conditions, about: Mapping[str, Any], functions_in_all: int, shard: Shard) -> PartialResult:
    """What a shard comes to."""
    found = replace(tally(shard.source, conditions, shard.place), function=shard.function)
    deployed = conditions.platform.deployed(shard.source.functions).iloc[shard.place].reset_index(drop=True)
    return PartialResult(found, deployed[[*NAMES, *NUMBERS]], functions_in_all, about)


def parts_in_shards(
    source: Source,
    conditions: Conditions,
    about: Mapping[str, Any],
    shards: int,
    executor: Executor,
    on_progress: Progress = lambda _: None,
) -> list[PartialResult]:
    """What all functions come to, replayed in shards.

    Args:
        source: where the calls are.
        conditions: what they are replayed under.
        about: of the run.
        shards: how many.
        executor: where they run.
        on_progress: told the number of calls in the shards that are through.
    """
    work = partial(part_of, conditions, about, len(source.functions))
    done, parts = 0, []
    for part in executor.each(work, [shard_of(source, function) for function in deal(source, conditions, shards)]):
        parts.append(part)
        done += int(source.calls_per_function[part.tally.function].sum())
        on_progress(done)
    return parts
