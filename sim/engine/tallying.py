"""Tallies of functions: what their calls come to under a policy, wherever the calls are and however many they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import ConfigError
from sim.engine.ahead import ahead
from sim.engine.compiled.scenario import Conditions, Scenario
from sim.engine.compiled.tally.coverage import is_by_function, is_counted, is_plain
from sim.platform.trigger import Progress
from sim.policies.keepalive.role import KeepAlive
from sim.results.call_sums import TAIL, percentile_name
from sim.results.pricing import ProviderPrice
from sim.results.result import Result
from sim.results.tally import HISTOGRAM, Tally, merged, summarise
from sim.workload.arrivals import MINUTE_S
from sim.workload.partitioned import PartitionedTrace
from sim.workload.source import Source, without_calls
from sim.workload.trace import Trace

IntArray = npt.NDArray[np.int64]

PART_CALLS: Final = 1 << 23
"""Calls in memory at a time, unless a function, or an app whose functions share something, has more: 0.4 GB."""
PART_MINUTES: Final = 1 << 23
"""Minutes of functions in memory at a time: 0.3 GB if all have calls."""


def tally(
    source: Source, conditions: Conditions, chosen: IntArray | None = None, on_progress: Progress = lambda _: None
) -> Tally:
    """Replay the calls of some functions, as many at a time as there is room for.

    Args:
        source: where they are.
        conditions: what they are replayed under; the compiled engine covers it.
        chosen: int64[f], places in the table, ascending; all by default. Functions that share instances or learn
            together are there together, or not at all.
        on_progress: told the number of calls replayed.

    Raises:
        ConfigError: the policy must be shown the whole trace, and this is not it.
    """
    if chosen is None:
        chosen = np.arange(len(source.functions))
    require_whole(source, conditions.policy, chosen)
    by_function = is_by_function(conditions.policy, conditions.platform)
    if by_function and isinstance(source, PartitionedTrace):
        replay = _replay_of(conditions.scenario(without_calls(source, chosen), record=False))
        blocks = source.blocks(chosen)
        _kernels("engine").stream(replay, ahead(blocks) if conditions.threads > 1 else blocks, chosen, on_progress)
        streamed: Tally = replay.tally(chosen)
        return streamed
    done, tallies = 0, []
    parts = ((part, source.part(part)) for part in _parts(source, conditions, chosen, by_function))
    for part, trace in ahead(parts) if conditions.threads > 1 else parts:
        scenario = conditions.scenario(trace, record=False)
        if by_function:
            replay = _replay_of(scenario)
            _kernels("engine").replay(replay, lambda _: None)
            tallies.append(replay.tally(part))
        else:
            tallies.append(_kernels("together").tally(scenario, part))
        done += int(source.calls_per_function[part].sum())
        on_progress(done)
    return merged(tallies)


def require_whole(source: Source, policy: KeepAlive, chosen: IntArray) -> None:
    """Refuse to show a part of a trace to a policy that needs all of it."""
    whole = isinstance(source, Trace) and chosen.size == len(source.functions)
    if not whole and _answers_for_all(policy):
        raise ConfigError(
            f"{policy!r} answers for all calls of a trace, which must then be in memory and in one piece (a policy that"
            " needs the future, but of a unit's own calls only, may say so: future_is_own)"
        )


def _answers_for_all(policy: KeepAlive) -> bool:
    """Whether what a policy says depends on more than a unit's own calls."""
    if policy.needs_future:
        return not policy.future_is_own
    return policy.rule() is None and np.ndim(policy.windows_s(None)) > 0


def _replay_of(scenario: Scenario) -> Any:
    """What replays a scenario function after function."""
    if is_plain(scenario.trace.functions, scenario.policy, scenario.platform):
        return _kernels("plain_replay").PlainReplay(scenario, 0)
    return _kernels("kept_replay").KeptReplay(scenario)


def groups(functions: pd.DataFrame, conditions: Conditions) -> IntArray:
    """int64[F]: a number for each function, the same where functions share instances or learn together."""
    if conditions.platform.isolation == "app" or conditions.policy.learns_by == "app":
        app: IntArray = functions.groupby(["owner", "app"], sort=False).ngroup().to_numpy().astype(np.int64)
        return app
    return np.arange(len(functions), dtype=np.int64)


def _parts(source: Source, conditions: Conditions, chosen: IntArray, by_function: bool) -> Iterator[IntArray]:
    """The functions in runs for which there is room; what belongs together stays together.

    A trace in memory stays whole if its calls are there already, or if the policy is to be shown all of them.
    """
    in_one_piece = isinstance(source, Trace) and (source.counts is None or _answers_for_all(conditions.policy))
    if not chosen.size or in_one_piece:
        yield chosen
        return
    weight, most = source.calls_per_function[chosen], PART_CALLS
    if by_function and is_counted(source if isinstance(source, Trace) else source.part(chosen[:1])):
        weight, most = np.minimum(weight, max(1, round(source.horizon_s / MINUTE_S))), PART_MINUTES
    _, group = np.unique(groups(source.functions, conditions)[chosen], return_inverse=True)
    of_groups = np.bincount(group, weights=weight)
    run = (np.cumsum(of_groups) // most).astype(np.int64)[group]
    for number in np.unique(run):
        yield chosen[run == number]


def exactly(scenario: Scenario, on_progress: Progress) -> tuple[Tally, dict[str, float]]:
    """The tally of a plain scenario whose calls are in memory, and its percentiles, which are exact."""
    replay = _kernels("plain_replay").PlainReplay(scenario, scenario.rows)
    _kernels("engine").replay(replay, on_progress)
    quantiles: Any = import_module("sim.engine.compiled.order").quantiles
    parts_s = np.array_split(replay.latencies_s(), scenario.threads)
    values = quantiles(parts_s, [p / 100 for p in TAIL])
    percentiles = {percentile_name(p): value for p, value in zip(TAIL, values, strict=True)}
    return replay.tally(np.arange(len(scenario.trace.functions))), percentiles


def result_of(
    tally: Tally,
    functions: pd.DataFrame,
    conditions: Conditions,
    provider: ProviderPrice,
    about: Mapping[str, Any],
    percentiles: Mapping[str, float] | None = None,
) -> Result:
    """The result that a tally of all functions comes to, with percentiles of its histogram unless there are exact ones.

    Args:
        tally: of all functions.
        functions: their table, as the trace has it.
        conditions: what they were replayed under.
        provider: what memory costs.
        about: see `Result.about`.
        percentiles: exact ones, by the names of metrics.
    """
    summary, table = summarise(tally, conditions.platform.deployed(functions), conditions.span, provider)
    if percentiles is None:
        return Result(summary, table, {**about, "percentiles": HISTOGRAM}, latency_bins=tally.latency_bins)
    summary.update(pd.Series(percentiles))
    return Result(summary, table, about, latency_bins=tally.latency_bins)


def _kernels(name: str) -> Any:
    """Part of the compiled engine: numba takes half a second to import, and is imported when it is used."""
    return import_module(f"sim.engine.compiled.tally.{name}")
