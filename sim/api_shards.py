"""The public face of runs in shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.core.errors import ConfigError
from sim.engine.compiled.scenario import Conditions
from sim.engine.engines import COMPILED
from sim.engine.simulate import conditions_of
from sim.experiment.executors import Executor, Local
from sim.experiment.setting import Setting
from sim.experiment.shards import deal, part_of, parts_in_shards, shard_of
from sim.given import default_provider, setting_of, whole
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.partial import PartialResult, load_partial, together
from sim.results.pricing import PriceBook, ProviderPrice
from sim.results.result import Result
from sim.workload.source import Source


def simulate_in_shards(
    trace: Source,
    policy: KeepAlive,
    platform: Platform | None = None,
    *,
    shards: int,
    executor: Executor | None = None,
    threads: int = 1,
    seed: int = 0,
    replication: int = 0,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    price: PriceBook | None = None,
    provider: ProviderPrice | None = None,
) -> Result:
    """Replay a trace under one policy in shards of its functions, on the compiled engine, recording nothing.

    The result is the same to the bit, however many shards there are and wherever they run (``docs/scale.md``).

    Args:
        trace: as for `simulate`.
        policy: likewise.
        platform: likewise, and so is all that is not named here.
        shards: how many; functions are dealt to them so that all have about as many calls.
        executor: where they run: ``sim.Local(jobs)``, or ``sim.Ray(jobs)`` on a cluster; this process by default.
        threads: of each shard.
        seed: of every random draw.
        replication: its number.
        warm_up_s: start of the measured span.
        horizon_s: end of the measured span.
        price: what the user pays.
        provider: what memory costs the provider.

    Returns:
        The result: `summary`, with percentiles of latency within 0.4 %, and `functions`.

    Raises:
        ConfigError: as for `simulate`, or the compiled engine does not cover something.
        WorkerDiedError: a process died.
    """
    setting = setting_of(platform, price, provider, COMPILED, threads, seed, warm_up_s, horizon_s)
    conditions, about = _conditions(trace, policy, setting, replication)
    parts = parts_in_shards(trace, conditions, about, whole("shards", shards), executor or Local(1))
    return together(parts, setting.provider)


def simulate_shard(
    trace: Source,
    policy: KeepAlive,
    platform: Platform | None = None,
    *,
    shard: int,
    shards: int,
    threads: int = 1,
    seed: int = 0,
    replication: int = 0,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    price: PriceBook | None = None,
) -> PartialResult:
    """Replay one of the shards that `simulate_in_shards` would: for machines that know nothing of each other.

    Args:
        trace: as for `simulate`.
        policy: likewise.
        platform: likewise, and so is all that is not named here.
        shard: which, from 0.
        shards: how many there are.
        threads: how many work on it.
        seed: of every random draw.
        replication: its number.
        warm_up_s: start of the measured span.
        horizon_s: end of the measured span.
        price: what the user pays.

    Returns:
        What it came to: ``save(path)`` writes it, and `merge_shards` puts all of them together.

    Raises:
        ConfigError: as for `simulate_in_shards`, or there is no such shard.
    """
    setting = setting_of(platform, price, None, COMPILED, threads, seed, warm_up_s, horizon_s)
    conditions, about = _conditions(trace, policy, setting, replication)
    dealt = deal(trace, conditions, whole("shards", shards))
    if not 0 <= whole("shard", shard, low=0) < len(dealt):
        raise ConfigError(f"there is no shard {shard} among {len(dealt)}, counted from 0")
    return part_of(conditions, about, len(trace.functions), shard_of(trace, dealt[shard]))


def merge_shards(parts: Sequence[PartialResult | str | Path], *, provider: ProviderPrice | None = None) -> Result:
    """Put the shards of a run together, in any order.

    Args:
        parts: results of `simulate_shard`, or files of theirs.
        provider: what memory costs the provider; EC2 m5 by default.

    Raises:
        ConfigError: they are not of one run, some functions are missing or there twice, or a file is damaged.
    """
    loaded = [part if isinstance(part, PartialResult) else load_partial(part) for part in parts]
    return together(loaded, provider or default_provider())


def _conditions(
    trace: Source, policy: KeepAlive, setting: Setting, replication: int
) -> tuple[Conditions, dict[str, Any]]:
    """What shards are replayed under, and what their results say of it: enough to tell two runs apart."""
    conditions, about = conditions_of(
        trace, policy, setting.platform, price=setting.price, engine=COMPILED, threads=setting.threads,
        seed=setting.seed, replication=whole("replication", replication, low=0), warm_up_s=setting.warm_up_s,
        horizon_s=setting.horizon_s,
    )  # fmt: skip
    about |= {"platform": repr(setting.platform), "price": setting.price.name, "trace": trace.content_hash()}
    return conditions, about
