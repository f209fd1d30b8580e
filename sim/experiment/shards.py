"""One run in shards: each is some of the functions, replayed anywhere, and what they come to is put together exactly."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from sim.core.checks import whole
from sim.core.errors import ConfigError
from sim.engine.compiled.scenario import Conditions
from sim.engine.tallying import Source, groups, tally
from sim.experiment.executors import Executor
from sim.platform.trigger import Progress
from sim.results.tally import Tally, merged
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
    """
    whole("shards", shards, low=1)
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


def tally_of(conditions: Conditions, shard: Shard) -> Tally:
    """What a shard comes to."""
    return replace(tally(shard.source, conditions, shard.place), function=shard.function)


def tally_in_shards(
    source: Source, conditions: Conditions, shards: int, executor: Executor, on_progress: Progress = lambda _: None
) -> Tally:
    """What all functions come to, replayed in shards: the same to the bit, however many there are and wherever they run.

    Args:
        source: where the calls are.
        conditions: what they are replayed under.
        shards: how many.
        executor: where they run.
        on_progress: told the number of calls in the shards that are through.

    Raises:
        ConfigError: there is nothing to replay.
    """
    dealt = deal(source, conditions, shards)
    if not dealt:
        raise ConfigError("there are no functions to replay")
    done, tallies = 0, []
    for found in executor.each(partial(tally_of, conditions), [shard_of(source, function) for function in dealt]):
        tallies.append(found)
        done += int(source.calls_per_function[found.function].sum())
        on_progress(done)
    return merged(tallies)


def check_whole(tallies: Sequence[Tally], functions: int) -> None:
    """Refuse tallies that are not of all functions together, each once.

    Raises:
        ConfigError: some functions are missing, or in two of them.
    """
    there = np.sort(np.concatenate([each.function for each in tallies]))
    if not np.array_equal(there, np.arange(functions)):
        raise ConfigError(f"the shards are of {np.unique(there).size:,} of {functions:,} functions, {there.size:,} in all")
