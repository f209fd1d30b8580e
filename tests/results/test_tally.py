"""Tallies: put together in any order, whole or refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.results import latency_bins
from sim.results.call_sums import Span
from sim.results.tally import COUNTS, SECONDS, Tally, merged, summarise

PROVIDER = sim.load_provider()
FUNCTIONS = sim.Trace.from_arrays(range(6), [0.0] * 6, 0.0).functions.assign(app=list("xxyyzz"), package_mb=512.0)


def drawn(function: np.ndarray, seed: int = 1) -> Tally:
    """Anything a tally may hold, of some of the functions; each function's numbers are its own."""
    rows = {f: np.random.default_rng([seed, f]) for f in function.tolist()}
    started = np.array([int(dice.integers(0, 50)) for dice in rows.values()], np.int64)
    cold = started // 3
    counts = dict.fromkeys(COUNTS, np.zeros_like(started))
    counts |= {"calls": started + 2, "rejected": np.full_like(started, 2), "cold": cold, "warm": started - cold,
               "starts": cold, "asked_starts": cold}  # fmt: skip
    seconds = {name: np.array([dice.random() for dice in rows.values()]) for name in SECONDS}
    usd, other_usd = (np.array([dice.random() for dice in rows.values()]) for _ in range(2))
    latency_s = [dice.exponential(1.0, n) for dice, n in zip(rows.values(), started.tolist(), strict=True)]
    return Tally(function, counts, seconds, usd, other_usd, latency_bins.of(np.concatenate([*latency_s, np.empty(0)])))


def assert_same(one: Tally, other: Tally) -> None:
    np.testing.assert_array_equal(one.function, other.function)
    for name in COUNTS:
        np.testing.assert_array_equal(one.counts[name], other.counts[name], name, strict=True)
    for name in SECONDS:
        np.testing.assert_array_equal(one.seconds[name], other.seconds[name], name, strict=True)
    for name in ("charge_usd", "other_usd", "latency_bins"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name, strict=True)


def test_each_is_of_its_own_functions_only() -> None:
    assert drawn(np.array([4])).seconds["busy_s"] == drawn(np.arange(6)).seconds["busy_s"][4]


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6), st.permutations(range(4)), st.integers(0, 3))
def test_whatever_the_parts_and_their_order(share: list[int], order: list[int], nested: int) -> None:
    whole = drawn(np.arange(6))
    parts = [drawn(np.flatnonzero(np.array(share) == number)) for number in order]
    assert_same(merged(parts), whole)
    assert_same(merged([merged(parts[: nested + 1]), *parts[nested + 1 :]]), whole)
    assert_same(merged([whole]), whole)


def test_nothing_or_a_function_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to put together"):
        merged([])
    with pytest.raises(ValueError, match="a function is in two of the tallies"):
        merged([drawn(np.array([0, 3])), drawn(np.array([3, 4]))])


@pytest.mark.parametrize("function", [[0, 1, 2], [0, 1, 2, 3, 4, 6], []])
def test_a_part_is_not_told_as_the_whole(function: list[int]) -> None:
    with pytest.raises(ValueError, match=f"a tally of {len(function)} functions, but there are 6"):
        summarise(drawn(np.array(function, np.int64)), FUNCTIONS, Span(0.0, 10.0), PROVIDER)


def test_what_it_comes_to() -> None:
    tally = drawn(np.arange(6))
    summary, table = summarise(tally, FUNCTIONS, Span(0.0, 10.0), PROVIDER)
    seconds, started = tally.seconds, int(table["started"].sum())
    assert summary["invocations"] == tally.counts["calls"].sum() == started + 12
    assert summary["cold_start_rate"] == tally.counts["cold"].sum() / started
    assert summary["latency_mean_s"] == seconds["latency_s"].sum() / started
    assert summary["cold_wait_mean_s"] == seconds["cold_wait_s"].sum() / tally.counts["cold"].sum()
    assert summary["downloaded_gb"] == tally.counts["asked_starts"].sum() / 2
    np.testing.assert_array_equal(table["busy_s"], seconds["busy_s"] + seconds["ping_busy_s"])
    idle_s = seconds["idle_s"] + seconds["ping_idle_s"] + seconds["left_idle_s"]
    np.testing.assert_array_equal(table["idle_s"], idle_s)
    np.testing.assert_array_equal(table["user_cost_usd"], tally.charge_usd + tally.other_usd)


def test_of_no_calls_there_are_no_means() -> None:
    none = drawn(np.arange(6))
    none = replace(none, counts=dict.fromkeys(COUNTS, np.zeros(6, np.int64)), latency_bins=latency_bins.empty())
    summary, _ = summarise(none, FUNCTIONS, Span(0.0, 10.0), PROVIDER)
    assert summary[["latency_mean_s", "wait_mean_s", "cold_wait_mean_s", "latency_p50_s"]].isna().all()
    assert summary["cold_starts"] == 0
