"""One run: a trace, a policy, a platform, an engine; and what came out of it."""

from __future__ import annotations

from typing import Any

from sim.core import checks
from sim.core.errors import ConfigError
from sim.engine.compiled.scenario import Scenario
from sim.engine.engines import COMPILED, engine_for, require_threads, summed
from sim.engine.tallying import summary_of, tallies
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
from sim.workload.trace import Trace


def simulate(
    trace: Trace,
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
    _check_types(trace, policy, platform)
    require_price(policy, price)
    require_threads(engine, threads)
    span = measured_span(trace, warm_up_s, horizon_s)
    taken = engine_for(engine, trace, policy, platform)
    scenario = Scenario(trace, policy, platform, span, seed, replication, price=price, record=record, threads=threads)
    about: dict[str, Any] = {
        "policy": repr(policy),
        "engine": taken,
        "seed": seed,
        "replication": replication,
        "warm_up_s": span.start_s,
        "horizon_s": span.end_s,
    }
    if taken == COMPILED and not record and tallies(trace, policy, platform):
        summary, table, percentiles = summary_of(scenario, provider, on_progress)
        return Result(summary, table, about | ({"percentiles": percentiles} if percentiles else {}))
    sums, fleet, columns = summed(taken, scenario, price, on_progress)
    deployed = platform.deployed(trace.functions)
    instances = fleet_sums(fleet, deployed["memory_mb"].to_numpy(), span, price)
    table = metrics.per_function(sums, instances, deployed)
    return Result(metrics.summarise(sums, instances, table, span, provider), table, about, columns)


def require_price(policy: KeepAlive, price: PriceBook) -> None:
    """Refuse a policy that holds instances under a price book that has prices, but none for that."""
    floor = checked_floor(policy)
    holds = floor.most if isinstance(floor, Floor) else floor
    least = policy.least if isinstance(policy, Scaling) else 0
    if (holds or least) and not price.provisioned_usd_per_gb_s and not price.is_free:
        raise ConfigError(f"{policy!r} holds instances, and the price book {price.name!r} has no rate for that")


def _check_types(trace: Trace, policy: KeepAlive, platform: Platform) -> None:
    for name, value, kind in (("trace", trace, Trace), ("policy", policy, KeepAlive), ("platform", platform, Platform)):
        if not isinstance(value, kind):
            hint = " (an instance, not the class)" if isinstance(value, type) else ""
            raise ConfigError(f"{name} must be a {kind.__name__}{hint}, not {value!r}")


def measured_span(trace: Trace, warm_up_s: float, horizon_s: float | None) -> Span:
    """The measured span of a run of `trace`; ConfigError if there is none."""
    checks.number("warm_up_s", warm_up_s, finite=False)
    if horizon_s is not None:
        checks.number("horizon_s", horizon_s, finite=False)
    end_s = trace.horizon_s if horizon_s is None else float(horizon_s)
    if not 0 <= warm_up_s <= end_s < float("inf"):
        raise ConfigError(f"the measured span must satisfy 0 <= warm_up_s <= horizon_s, not {warm_up_s} and {end_s}")
    return Span(float(warm_up_s), end_s)
