"""Ski rental: golden decisions, the table against its formula, and the two competitive ratios."""

from math import e, inf, log

import numpy as np
import pytest
from plans import calls, decisions, run

from sim.core.errors import ConfigError
from sim.core.random import stream, uniform
from sim.policies import FixedWindow, SkiRental
from sim.results.columns import COLD

T = 600.0
RATIO = e / (e - 1)


def cost(window_s: float, gap_s: float) -> float:
    """Idle seconds, and a start's worth of them if the call comes too late."""
    return gap_s if gap_s <= window_s else window_s + T


def test_the_deterministic_one_is_a_window_known_before() -> None:
    assert SkiRental().rule() is None
    assert SkiRental(T).windows_s(None) == T
    rows = [(i * 7.0, 1.0) for i in range(10)] + [(700.0, 1.0)]
    ours, fixed = run(calls(*rows), SkiRental(T)), run(calls(*rows), FixedWindow(T))
    assert np.array_equal(ours.instances.ended_s, fixed.instances.ended_s)


def test_golden_decisions_of_ten_draws() -> None:
    rule = SkiRental(T, randomised=True).rule()
    assert rule is not None
    assert rule.needs_uniform
    made = decisions(rule, [1.0] * 10, lambda k: k / 10 if k < 10 else 1 - 2**-53)
    assert {d[1:] for d in made} == {(inf, 0.0)}
    windows = [T * log(1 + u / 10 * (e - 1)) for u in range(11)]
    assert [d[0] for d in made] == pytest.approx(windows, abs=6e-6 * T)
    assert made[0][0] == 0.0
    assert all(0.0 <= d[0] <= T for d in made)


def test_the_table_misses_the_formula_by_less_than_it_says() -> None:
    rule = SkiRental(1.0, randomised=True).rule()
    assert rule is not None
    for u in np.linspace(0, 1, 10001, endpoint=False).tolist():
        assert rule.decide([], u)[0] == pytest.approx(log(1 + u * (e - 1)), abs=6e-6)


def test_the_deterministic_one_pays_at_most_twice_what_is_needed() -> None:
    for gap_s in (1.0, 599.0, 600.0, 600.001, 601.0, 1e6):
        assert cost(T, gap_s) <= 2 * min(gap_s, T) + 1e-9
    assert cost(T, T + 1e-9) == pytest.approx(2 * T)  # the adversary's gap


@pytest.mark.parametrize("gap_s", [1.0, 60.0, 300.0, 599.0, 600.0, 601.0, 1e6])
def test_the_randomised_one_pays_1_582_times_what_is_needed_whatever_the_gap(gap_s: float) -> None:
    rule = SkiRental(T, randomised=True).rule()
    assert rule is not None
    key = stream(0, 0, "test", 1, 2)
    costs = np.array([cost(rule.decide([], uniform(key, k))[0], gap_s) for k in range(40_000)]) / min(gap_s, T)
    assert costs.mean() == pytest.approx(RATIO, abs=4 * costs.std() / 200)


def test_on_the_platform_the_adversary_gets_what_the_theorems_say() -> None:
    gap_s = T + 1.0
    trace = calls(*[(k * gap_s, 0.0) for k in range(5000)])
    for policy, ratio, tolerance in ((SkiRental(T), 2.0, 1e-9), (SkiRental(T, randomised=True), RATIO, 0.02)):
        ran = run(trace, policy)
        idle_s = (ran.instances.ended_s - ran.instances.idle_since_s)[:-1].sum()  # all but the last are reclaimed
        starts = int((ran.requests.start_kind == COLD).sum())
        assert starts == len(trace)
        paid_s = idle_s + T * (starts - 1)
        assert paid_s / (T * (len(trace) - 1)) == pytest.approx(ratio, abs=tolerance)


@pytest.mark.parametrize("worth_s", [-1.0, inf, float("nan"), True, "600"])
def test_what_a_start_is_worth_is_a_finite_time(worth_s: object) -> None:
    with pytest.raises(ConfigError, match="start_worth_s"):
        SkiRental(worth_s)  # type: ignore[arg-type]
