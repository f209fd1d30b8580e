"""The engines by name, and which of them runs a scenario."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from sim.core import checks
from sim.core.errors import ConfigError
from sim.engine import reference
from sim.engine.compiled.coverage import INSTALL, is_installed, why_not
from sim.engine.compiled.scenario import Conditions, Scenario
from sim.platform.platform import Platform
from sim.platform.trigger import Progress
from sim.policies.keepalive.role import KeepAlive
from sim.results import latency_bins
from sim.results.call_sums import CallSums, Span, call_sums, latencies_s
from sim.results.columns import Columns, Fleet
from sim.results.pricing import PriceBook
from sim.workload.source import Source
from sim.workload.trace import Trace

if TYPE_CHECKING:
    from sim.engine.compiled.told import Told

SIMPY: Final = "simpy"
COMPILED: Final = "compiled"
AUTO: Final = "auto"
ENGINES: Final = (SIMPY, COMPILED, AUTO)


def require_engine(name: object) -> str:
    """The name of an engine; ConfigError if it is none."""
    if name not in ENGINES:
        raise ConfigError(f"there is no engine {name!r}; there is {', '.join(ENGINES)}")
    return str(name)


def require_threads(engine: object, threads: int) -> None:
    """Refuse a number of threads that the engine of a name cannot have, and what is no engine."""
    checks.whole("threads", threads, low=1)
    if require_engine(engine) == SIMPY and threads != 1:
        raise ConfigError(f"threads must be 1 under engine=simpy, not {threads}; engine=compiled can have more")


def engine_for(name: str, trace: Source, policy: KeepAlive, platform: Platform) -> str:
    """Which engine runs a policy on a platform, if `name` is asked for: ``auto`` takes the compiled one where it can.

    Raises:
        ConfigError: there is no such engine, it is not installed, or it does not cover something.
    """
    if require_engine(name) == SIMPY:
        return SIMPY
    missing = why_not(trace, policy, platform)
    if name == AUTO:
        return COMPILED if not missing and is_installed() and _kernels().compiles(policy) else SIMPY
    if missing:
        raise ConfigError(
            f"the compiled engine does not cover {'; '.join(missing)}. engine=simpy does, and engine=auto chooses"
        )
    if not is_installed():
        raise ConfigError(INSTALL)
    return COMPILED


def replay(
    engine: str, trace: Trace, policy: KeepAlive, platform: Platform, *, horizon_s: float, seed: int, replication: int
) -> Columns:
    """The columns of every call that arrives up to `horizon_s`, from the engine of a name."""
    if engine_for(engine, trace, policy, platform) == SIMPY:
        return reference.run(trace, policy, platform, horizon_s=horizon_s, seed=seed, replication=replication)
    conditions = Conditions(
        policy=policy, platform=platform, span=Span(0.0, horizon_s), seed=seed, replication=replication
    )
    scenario = conditions.scenario(trace, record=True)
    return _told(scenario, lambda _: None).columns()


def summed(
    engine: str, scenario: Scenario, price: PriceBook, on_progress: Progress
) -> tuple[CallSums, Fleet, Columns | None, npt.NDArray[np.int64] | None]:
    """What a scenario comes to on the engine of a name, `SIMPY` or `COMPILED`.

    Returns:
        Sums of its calls and of all else; the columns if it is recorded, or else the histogram of latencies.
    """
    if engine == COMPILED:
        told = _told(scenario, on_progress)
        if scenario.record:
            return told.sums(price), told.fleet, told.columns(), None
        return told.sums(price), told.fleet, None, told.latency_bins()
    trace, platform, span = scenario.trace, scenario.platform, scenario.span
    columns = reference.run(
        trace, scenario.policy, platform, horizon_s=span.end_s, seed=scenario.seed, replication=scenario.replication,
        on_progress=on_progress,
    )  # fmt: skip
    memory_mb = platform.deployed(trace.functions)["memory_mb"].to_numpy()
    sums = call_sums(columns, trace.service_s[: scenario.rows], memory_mb, span, price)
    if scenario.record:
        return sums, columns, columns, None
    return sums, columns, None, latency_bins.of(latencies_s(columns.requests, span))


def _told(scenario: Scenario, on_progress: Progress) -> Told:
    """What comes of a scenario on the compiled engine."""
    return cast("Told", _kernels().run(scenario, on_progress))


def _kernels() -> Any:
    """The compiled engine: numba takes half a second to import, and is imported when it is used."""
    return import_module("sim.engine.compiled.engine")
