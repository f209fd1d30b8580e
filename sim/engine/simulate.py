"""One run: a trace, a policy, a platform, an engine; and what came out of it."""

from __future__ import annotations

from typing import Any

from sim.core import checks
from sim.core.errors import ConfigError
from sim.engine import tallying
from sim.engine.compiled.scenario import Conditions
from sim.engine.compiled.tally.coverage import is_plain
from sim.engine.engines import COMPILED, engine_for, require_threads, summed
from sim.platform.platform import Platform
from sim.platform.trigger import Progress
from sim.policies.keepalive.demands import Floor
from sim.policies.keepalive.role import KeepAlive, checked_floor
from sim.policies.scaling.role import Scaling
from sim.results import metrics
from sim.results.call_sums import Span
from sim.results.fleet_sums import fleet_sums
from sim.results.pricing import PriceBook, ProviderPrice
from sim.results.result import Result
from sim.workload.source import Source
from sim.workload.trace import Trace


def simulate(
    trace: Source,
    policy: KeepAlive,
    platform: Platform,
    *,
    price: PriceBook,
    provider: ProviderPrice,
    engine: str = "simpy",
    threads: int = 1,
    seed: int = 0,
    replication: int = 0,
    record: bool = True,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    on_progress: Progress = lambda _: None,
) -> Result:
    """Run `policy` on `platform` with the calls of `trace`; see `sim.simulate` for the arguments.

    Raises:
        ConfigError: an argument is of the wrong type or makes no sense.
    """
    conditions, about = conditions_of(
        trace, policy, platform, price=price, engine=engine, threads=threads, seed=seed, replication=replication,
        warm_up_s=warm_up_s, horizon_s=horizon_s,
    )  # fmt: skip
    sums_only = about["engine"] == COMPILED and not record
    if not isinstance(trace, Trace) or (sums_only and trace.counts is not None):
        _require_sums_only(trace, sums_only)
        tally = tallying.tally(trace, conditions, on_progress=on_progress)
        return tallying.result_of(tally, trace.functions, conditions, provider, about)
    if sums_only and is_plain(trace.functions, policy, platform):
        tally, percentiles = tallying.exactly(conditions.scenario(trace, record=False), on_progress)
        return tallying.result_of(tally, trace.functions, conditions, provider, about, percentiles)
    sums, fleet, columns, bins = summed(about["engine"], conditions.scenario(trace, record=record), price, on_progress)
    deployed, span = platform.deployed(trace.functions), conditions.span
    instances = fleet_sums(fleet, deployed["memory_mb"].to_numpy(), span, price)
    table = metrics.per_function(sums, instances, deployed)
    return Result(metrics.summarise(sums, instances, table, span, provider), table, about, columns, bins)


def conditions_of(
    trace: Source,
    policy: KeepAlive,
    platform: Platform,
    *,
    price: PriceBook,
    engine: str,
    threads: int,
    seed: int,
    replication: int,
    warm_up_s: float,
    horizon_s: float | None,
) -> tuple[Conditions, dict[str, Any]]:
    """What calls are replayed under, checked, and what a result says of it (see `Result.about`)."""
    _check_types(trace, policy, platform)
    require_price(policy, price)
    require_threads(engine, threads)
    span = measured_span(trace, warm_up_s, horizon_s)
    taken = engine_for(engine, trace, policy, platform)
    about: dict[str, Any] = {
        "policy": repr(policy), "engine": taken, "seed": seed, "replication": replication, "warm_up_s": span.start_s,
        "horizon_s": span.end_s,
    }  # fmt: skip
    conditions = Conditions(
        policy=policy, platform=platform, span=span, seed=seed, replication=replication, price=price, threads=threads
    )
    return conditions, about


def _require_sums_only(trace: Source, sums_only: bool) -> None:
    if not sums_only:
        raise ConfigError(
            f"{trace!r} is not in memory: with record=False, engine='compiled' replays it part by part, as far as it"
            " covers the policy and the platform"
        )


def require_price(policy: KeepAlive, price: PriceBook) -> None:
    """Refuse a policy that holds instances under a price book that has prices, but none for that."""
    floor = checked_floor(policy)
    holds = floor.most if isinstance(floor, Floor) else floor
    least = policy.least if isinstance(policy, Scaling) else 0
    if (holds or least) and not price.provisioned_usd_per_gb_s and not price.is_free:
        raise ConfigError(f"{policy!r} holds instances, and the price book {price.name!r} has no rate for that")


def _check_types(trace: Source, policy: KeepAlive, platform: Platform) -> None:
    known = Trace if isinstance(trace, type) or not callable(getattr(trace, "part", None)) else object
    for name, value, kind in (("trace", trace, known), ("policy", policy, KeepAlive), ("platform", platform, Platform)):
        if not isinstance(value, kind):
            hint = " (an instance, not the class)" if isinstance(value, type) else ""
            raise ConfigError(f"{name} must be a {kind.__name__}{hint}, not {value!r}")


def measured_span(trace: Source, warm_up_s: float, horizon_s: float | None) -> Span:
    """The measured span of a run of `trace`; ConfigError if there is none."""
    checks.number("warm_up_s", warm_up_s, finite=False)
    if horizon_s is not None:
        checks.number("horizon_s", horizon_s, finite=False)
    end_s = trace.horizon_s if horizon_s is None else float(horizon_s)
    if not 0 <= warm_up_s <= end_s < float("inf"):
        raise ConfigError(f"the measured span must satisfy 0 <= warm_up_s <= horizon_s, not {warm_up_s} and {end_s}")
    return Span(float(warm_up_s), end_s)
