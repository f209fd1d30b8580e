"""The adaptive window: golden decisions, and the quantile of the full list of gaps within its resolution."""

from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, decisions, run

from sim.core.errors import ConfigError
from sim.policies import AdaptiveWindow
from sim.policies.keepalive.adaptive_window import FINEST_S, STEPS
from sim.results.columns import COLD


def windows_s(policy: AdaptiveWindow, gaps_s: list[float]) -> list[float]:
    made = decisions(policy.rule(), gaps_s)
    assert {rest for _, *rest in map(tuple, made) for rest in [tuple(rest)]} == {(inf, 0.0)}
    return [unload_s for unload_s, _, _ in made]


def test_golden_decisions_of_ten_gaps() -> None:
    policy = AdaptiveWindow(quantile=0.5, min_gaps=2, min_window_s=1.0)
    gaps_s = [1.0, 8.0, 8.49, 8.5, 100.0, 100.0, 0.0, 1e9, 1e9, 1e9]
    assert windows_s(policy, gaps_s) == [
        600.0, 600.0,                       # too few
        1.0625,                             # the upper edge of the bin from 1 to 1 + 1/16
        8.5, 8.5, 8.5, 8.5, 8.5, 8.5,       # 8 and 8.49 share the bin from 8 to 8.5
        9.0, 9.0,
    ]  # fmt: skip


def test_the_default_is_kept_until_thirty_gaps_are_seen() -> None:
    assert windows_s(AdaptiveWindow(), [100.0] * 31) == [600.0] * 30 + [104.0] * 2


def test_windows_are_clamped() -> None:
    policy = AdaptiveWindow(quantile=1.0, min_gaps=1, min_window_s=5.0, max_window_s=50.0)
    assert windows_s(policy, [0.0, 4.0, 6.0, 49.0, 50.0, 51.0]) == [600.0, 5.0, 5.0, 6.25, 50.0, 50.0, 50.0]


def test_gaps_too_long_for_any_window_count_like_all_others() -> None:
    policy = AdaptiveWindow(quantile=0.5, min_gaps=1, min_window_s=1.0, max_window_s=50.0)
    assert windows_s(policy, [1e6, 1.0, 1e6, 1.0])[1:] == [50.0, 1.0625, 50.0, 1.0625]


SHORTEST_GAPS = [0.0, FINEST_S / 2, FINEST_S]


@given(
    gaps_s=st.lists(st.floats(0.0, 2e4) | st.sampled_from([*SHORTEST_GAPS, 1.0, 600.0, 14400.0, 1e7]), max_size=80),
    quantile=st.sampled_from([0.0, 0.05, 0.5, 0.95, 0.99, 1.0]),
    min_gaps=st.integers(0, 5),
)
def test_the_window_is_the_quantile_of_all_gaps_or_a_sixteenth_more(
    gaps_s: list[float], quantile: float, min_gaps: int
) -> None:
    policy = AdaptiveWindow(quantile=quantile, min_gaps=min_gaps, min_window_s=0.0)
    made = windows_s(policy, gaps_s)
    for n, window_s in enumerate(made):
        if n < max(min_gaps, 1):
            assert window_s == 600.0
            continue
        exact_s = float(np.sort(gaps_s[:n])[max(1, ceil(quantile * n)) - 1])
        upper_s = max(exact_s * (1 + 1 / STEPS), exact_s + FINEST_S if exact_s < FINEST_S else 0.0)
        assert min(exact_s, 14400.0) <= window_s <= max(FINEST_S, min(upper_s, 14400.0))


def test_it_misses_its_share_of_the_calls() -> None:
    gaps_s = np.random.default_rng(3).lognormal(5.0, 1.0, 20000)
    trace = calls(*[(a, 0.0) for a in np.cumsum(gaps_s)])
    cold = int((run(trace, AdaptiveWindow(quantile=0.9)).requests.start_kind == COLD).sum())
    assert 0.09 < cold / len(trace) < 0.101 + 0.002  # at most the share that the quantile leaves, and little less


@pytest.mark.parametrize(
    "parameters",
    [{"quantile": 1.1}, {"quantile": None}, {"min_gaps": -1}, {"default_window_s": -1.0}, {"min_window_s": 2e4},
     {"max_window_s": inf}, {"learns_by": ""}],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="AdaptiveWindow"):
        AdaptiveWindow(**parameters)
