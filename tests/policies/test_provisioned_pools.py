"""Pools that are ready before the first call, against queueing theory.

n held instances whose overflow keeps nothing (a window of 0) serve calls as a loss system does: Erlang's B is the share
that finds all n busy, whatever the distribution of service. Held and overflow instances together are M/G/infinity.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from theory import Sampler, assert_mean, erlang_b, poisson_calls

import sim
from sim.policies import ProvisionedFloor

LENGTH_S, WARM_UP_S = 3000.0, 50.0
SERVICES: dict[str, Sampler] = {
    "exponential": lambda random, n: random.exponential(1.0, n),
    "deterministic": lambda _, n: np.full(n, 1.0),
    "hyperexponential": lambda random, n: random.exponential(np.where(random.random(n) < 0.1, 5.5, 0.5)),
}


def runs(held: int, load: float, service: str) -> list[pd.Series]:
    """Summaries of ten replications of a pool that is offered `load`."""
    platform = sim.Platform(start_s=0.0)
    traces = (poisson_calls(seed, load, LENGTH_S, SERVICES[service]) for seed in range(10))
    policy = ProvisionedFloor(held, window_s=0.0)
    return [sim.simulate(trace, policy, platform, record=False, warm_up_s=WARM_UP_S).summary for trace in traces]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("held", "load"), [(1, 0.5), (4, 3.0)])
def test_what_a_pool_cannot_serve_is_erlangs_loss(held: int, load: float, service: str) -> None:
    loss, summaries = erlang_b(held, load), runs(held, load, service)
    assert_mean([s["cold_start_rate"] for s in summaries], loss, width=0.15)
    assert_mean([s["mean_busy_instances"] for s in summaries], load, width=0.15)
    assert_mean([s["mean_idle_instances"] for s in summaries], held - load * (1 - loss), width=0.15)


@pytest.mark.parametrize("service", SERVICES)
def test_a_pool_for_all_is_m_g_infinity(service: str) -> None:
    held = int(stats.poisson.isf(1e-12, 3.0))
    summaries = runs(held, 3.0, service)
    assert [s["cold_starts"] for s in summaries] == [0] * len(summaries)
    assert [s["mean_instances"] for s in summaries] == pytest.approx([held] * len(summaries), rel=1e-12)
    assert_mean([s["mean_busy_instances"] for s in summaries], 3.0, width=0.1)
    assert all(s["prewarmed"] <= held for s in summaries)
