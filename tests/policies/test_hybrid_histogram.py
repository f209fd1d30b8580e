"""The hybrid histogram: golden decisions, a twin on full lists of gaps, timers and Poisson calls."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, decisions, lives, log, run

import sim
from sim.core.errors import ConfigError
from sim.platform.platform import Platform
from sim.policies import FixedWindow, HybridHistogram
from sim.policies.keepalive.rule import Decision
from sim.results.columns import COLD

STANDARD = (14400.0, inf, 0.0)
EAGER = HybridHistogram(min_gaps=0)


def last(policy: HybridHistogram, gaps_s: Sequence[float]) -> Decision:
    return decisions(policy.rule(), gaps_s)[-1]


def window(unload_at_s: float, head_s: float, tail_s: float) -> object:
    """Golden numbers as the paper writes them: [0.9 head, 1.1 tail]."""
    return pytest.approx((unload_at_s, 0.9 * head_s, 1.1 * tail_s - 0.9 * head_s) if head_s else (1.1 * tail_s, inf, 0))


def test_golden_decisions_of_ten_gaps() -> None:
    gaps_s = [600, 610, 599, 3600, 60, 59.9, 14399.9, 14400, 100000, 660]
    assert decisions(EAGER.rule(), gaps_s) == [
        STANDARD,
        window(0, 600, 660),
        window(0, 600, 660),
        window(0, 540, 660),
        window(0, 540, 3660),
        window(0, 60, 3660),
        window(0, 0, 3660),
        window(0, 0, 14400),
        window(0, 0, 14400),
        window(0, 0, 14400),
        window(0, 0, 14400),
    ]


def test_ten_gaps_teach_it_by_default_and_nine_do_not() -> None:
    made = decisions(HybridHistogram().rule(), [300.0] * 11)
    assert made[:10] == [STANDARD] * 10
    assert made[10:] == [window(0, 300, 360)] * 2


def test_gaps_out_of_bounds_count_towards_the_ten() -> None:
    made = decisions(HybridHistogram().rule(), [14400.0] * 4 + [300.0] * 6)
    assert made[9:] == [STANDARD, window(0, 300, 360)]


def test_more_than_half_out_of_bounds_is_too_many_and_half_is_not() -> None:
    made = decisions(EAGER.rule(), [300.0, 14400.0, 20000.0, 300.0])
    assert made == [STANDARD, window(0, 300, 360), window(0, 300, 360), STANDARD, window(0, 300, 360)]


def test_gaps_out_of_bounds_alone_teach_nothing() -> None:
    assert last(replace(EAGER, oob_threshold=1.0), [14400.0] * 30) == STANDARD


def test_a_head_of_zero_unloads_only_after_the_tail() -> None:
    assert last(EAGER, [30.0] * 20) == pytest.approx((66.0, inf, 0.0))


def test_percentiles_leave_out_the_extremes() -> None:
    gaps_s = [60.0] * 4 + [600.0] * 95 + [6000.0]
    assert last(EAGER, gaps_s) == window(0, 600, 660)
    assert last(EAGER, [*gaps_s[1:], 6000.0]) == window(0, 600, 6060)  # the 99th of 100 is 6000 s now
    assert last(EAGER, [60.0, *gaps_s[:-2], 6000.0]) == window(0, 60, 660)  # the 5th is 60 s now
    assert last(replace(EAGER, head_percentile=0.0, tail_percentile=100.0), gaps_s) == window(0, 60, 6060)


def test_it_is_representative_iff_the_counts_vary_enough() -> None:
    # n gaps in each of k of 240 bins: the variance of the counts is n^2 k (240 - k) / 240^2, so CV^2 = 240 / k - 1
    for bins, taken in ((47, True), (48, True), (49, False), (240, False)):
        gaps_s = [60.0 * (i % bins) for i in range(7 * bins)]
        assert (last(EAGER, gaps_s) != STANDARD) is taken
    assert last(replace(EAGER, cv_threshold=0.0), [60.0 * i for i in range(240)]) != STANDARD


def test_margins_bins_and_range_are_parameters() -> None:
    policy = HybridHistogram(bin_s=10.0, range_s=100.0, head_margin=0.5, tail_margin=2.0, min_gaps=1)
    assert policy.bins == 10
    assert decisions(policy.rule(), [45.0, 100.0, 100.0]) == [
        (100.0, inf, 0.0), (0.0, 20.0, 80.0), (0.0, 20.0, 80.0), (100.0, inf, 0.0),
    ]  # fmt: skip
    assert last(replace(policy, head_margin=0.0), [45.0]) == (100.0, inf, 0.0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"bin_s": 0.0}, {"bin_s": 7.0}, {"bin_s": 28800.0}, {"range_s": inf}, {"range_s": -1.0},
        {"head_percentile": 101},
        {"head_percentile": 50, "tail_percentile": 49}, {"head_margin": 1.1}, {"tail_margin": 0.9},
        {"cv_threshold": -1},
        {"min_gaps": float("nan")}, {"oob_threshold": 2}, {"learns_by": "function"}, {"bin_s": True},
    ],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="HybridHistogram"):
        HybridHistogram(**parameters)


# The twin: the same rule from the paper's words, on the whole list of gaps.


def twin(policy: HybridHistogram, gaps_s: Sequence[float]) -> Decision:
    standard = (policy.range_s, inf, 0.0)
    inside = np.sort([gap for gap in gaps_s if gap < policy.range_s])
    n, bins = inside.size, int(policy.range_s / policy.bin_s)
    out_of_bounds = len(gaps_s) - n
    if len(gaps_s) < policy.min_gaps or n == 0 or out_of_bounds / len(gaps_s) > policy.oob_threshold:
        return standard
    index = np.minimum(np.floor(inside / policy.bin_s), bins - 1).astype(int)
    counts = [Fraction(int(c)) for c in np.bincount(index, minlength=bins)]
    mean = sum(counts) / bins
    variance = sum((c - mean) ** 2 for c in counts) / bins
    if variance < (Fraction(policy.cv_threshold) * mean) ** 2:
        return standard
    head_bin, tail_bin = (index[max(1, ceil(Fraction(p) * n / 100)) - 1] for p in (policy.head_percentile,
                                                                                   policy.tail_percentile))  # fmt: skip
    head_s, tail_s = float(head_bin * policy.bin_s), float((tail_bin + 1) * policy.bin_s)
    if head_s * policy.head_margin == 0:
        return policy.tail_margin * tail_s, inf, 0.0
    prewarm_s = policy.head_margin * head_s
    return 0.0, prewarm_s, policy.tail_margin * tail_s - prewarm_s


POLICIES = st.builds(
    HybridHistogram,
    bin_s=st.sampled_from([60.0, 20.0, 7.5]),
    range_s=st.sampled_from([120.0, 600.0, 14400.0]),
    head_percentile=st.sampled_from([0.0, 5.0, 30.0, 50.0]),
    tail_percentile=st.sampled_from([50.0, 99.0, 100.0]),
    head_margin=st.sampled_from([0.0, 0.9, 1.0]),
    cv_threshold=st.sampled_from([0.0, 1.0, 1.5, 2.0, 5.0]),
    min_gaps=st.integers(0, 12),
    oob_threshold=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
GAPS = st.one_of(
    st.lists(st.floats(0.0, 20000.0), max_size=60),
    st.lists(st.sampled_from([0.0, 5.0, 60.0, 100.0, 119.9, 120.0, 599.0, 600.0, 7000.0, 14400.0]), max_size=150),
    st.lists(st.integers(0, 40).map(lambda i: 7.5 * i), max_size=150),
)


@given(policy=POLICIES, gaps_s=GAPS)
def test_it_decides_as_its_twin_after_every_gap(policy: HybridHistogram, gaps_s: list[float]) -> None:
    made = decisions(policy.rule(), gaps_s)
    assert made == [twin(policy, gaps_s[:n]) for n in range(len(gaps_s) + 1)]


# On the platform


def test_a_timer_has_no_cold_start_after_learning_and_hardly_any_waste() -> None:
    """Each period of 600 s: 599 s idle; head 540, tail 600; from 486 s after its end an instance is there."""
    trace = calls(*[(600.0 * k, 1.0) for k in range(100)])
    platform = Platform(start_s=1.0, prewarm_lead_s=1.0)
    ran = run(trace, HybridHistogram(), start_s=1.0, prewarm_lead_s=1.0)
    kinds = [kind for _, kind, _ in log(ran)]
    assert kinds == ["cold"] + ["warm"] * 99
    # The first call starts late by 1 s, so the first gap is 598 s; the end of the 11th call has seen ten.
    assert ran.requests.prewarmed.tolist() == list(range(11, 100))
    hybrid = sim.simulate(trace, HybridHistogram(), platform).summary["wasted_gb_s"]
    fixed = sim.simulate(trace, FixedWindow(600), platform).summary["wasted_gb_s"]
    assert fixed == 598 + 98 * 599
    assert hybrid == pytest.approx(598 + 9 * 599 + 89 * (1 + 599 - 486))
    after_learning = 89 * (1 + 599 - 486) / (89 * 599)
    assert after_learning < 0.2


def test_a_finer_histogram_wastes_less() -> None:
    trace = calls(*[(600.0 * k, 1.0) for k in range(100)])
    policy = HybridHistogram(bin_s=10.0, head_margin=1.0, tail_margin=1.0)
    ran = run(trace, policy, prewarm_lead_s=0.0)
    assert [kind for _, kind, _ in log(ran)].count("cold") == 1
    assert lives(ran)[-2][1:3] == (99 * 600 + 1 - 600 + 590, 99 * 600 + 1 - 600 + 590)  # 9 of 599 s


def test_on_poisson_calls_it_is_a_long_window() -> None:
    """Gaps of 300 s in the mean: the head is 0, the 99th percentile about 1380 s, so nearly every call is warm."""
    gaps_s = np.random.default_rng(7).exponential(300.0, 4000)
    unload_s, prewarm_s, _ = last(HybridHistogram(), gaps_s.tolist())
    assert prewarm_s == inf
    assert 1.1 * 1260 <= unload_s <= 1.1 * 1560
    trace = calls(*[(a, 0.0) for a in np.cumsum(gaps_s)])
    policies = {"hybrid": HybridHistogram(), "window": FixedWindow(unload_s), "ten minutes": FixedWindow(600)}
    cold = {name: int((run(trace, policy).requests.start_kind == COLD).sum()) for name, policy in policies.items()}
    assert abs(cold["hybrid"] - cold["window"]) <= 10
    assert cold["hybrid"] < cold["ten minutes"] / 10
