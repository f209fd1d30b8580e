"""Metrics against numbers worked out by hand, and what they are where there is nothing to measure."""

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest

from sim import Platform, Result, Trace, simulate
from sim.engine import reference
from sim.policies import FixedWindow, KeepForever, NoKeepAlive
from sim.results import call_sums as of_calls
from sim.results import metrics
from sim.results.call_sums import Span, call_sums, quantile
from sim.results.columns import NOT_STARTED, REJECTED, TIMED_OUT
from sim.results.fleet_sums import fleet_sums
from sim.results.metrics import cold_shares
from sim.results.pricing import PriceBook, ProviderPrice

# A GB-second is 1 USD and a call 1 USD; start-up is billed in full. A GB-second of instances costs the provider 2 USD.
PRICE = PriceBook("p", "-", "-", usd_per_gb_s=1.0, usd_per_million_requests=1e6, granularity_s=0.0, minimum_s=0.0,
                  bills_start_up=True)  # fmt: skip
PROVIDER = ProviderPrice("n", "-", "-", node_usd_per_hour=7200.0, node_gb=2.0, utilisation=0.5)
START_1_S = Platform(start_s=1.0)

# Function f of app a has 1 GB, function g of app b half of it; g's package weighs 256 MB, f's 1024 MB.
FUNCTIONS = pd.DataFrame(
    {"name": ["f", "g"], "app": ["a", "b"], "memory_mb": [1024.0, 512.0], "package_mb": [1024.0, 256.0]}
)
# Starts take 1 s, windows are 10 s, the measured span is [5, 18].
#
#   call    arrives  runs for                       starting   busy       then idle until
#   f 0        2        3     cold, not counted     2-3        3-6        call f 1, at 8
#   f 1        8        2     warm on f 0's         -          8-10       20, its window's end
#   g 2       12        4     cold                  12-13      13-17      27
#   g 3       14        1     cold, 2's is busy     14-15      15-16      26
#   f 4       19        1     after the horizon: never simulated
CALLS = Trace.from_arrays(
    ["f", "f", "g", "g", "f"], [2.0, 8.0, 12.0, 14.0, 19.0], [3.0, 2.0, 4.0, 1.0, 1.0], functions=FUNCTIONS
)


def run(trace: Trace = CALLS, warm_up_s: float = 5.0, horizon_s: float | None = 18.0, **options: object) -> Result:
    settings = {"platform": START_1_S, "price": PRICE, "provider": PROVIDER, **options}
    policy = settings.pop("policy", FixedWindow(10.0))
    return simulate(trace, policy, warm_up_s=warm_up_s, horizon_s=horizon_s, **settings)  # type: ignore[arg-type]


BY_HAND = {
    "invocations": 3,  # f 1, g 2, g 3
    "cold_starts": 2,  # g 2, g 3
    "cold_start_rate": 2 / 3,
    "warm": 1,  # f 1
    "prewarmed": 0,
    "queued": 0,
    "rejected": 0,
    "timed_out": 0,
    "failed": 0,
    "stale_hops": 0,  # there is one router
    # Shares of apps and of functions: a 0 of 1, b 2 of 2. Sorted 0, 1; the p-quantile lies at position p.
    "app_cold_share_p50": 0.5,
    "app_cold_share_p75": 0.75,
    "app_cold_share_p90": 0.9,
    "function_cold_share_p50": 0.5,
    "function_cold_share_p75": 0.75,
    "function_cold_share_p90": 0.9,
    "always_cold_functions": 0.5,  # g of f, g
    # Latencies: f 1 2 s, g 2 1 + 4 = 5 s, g 3 1 + 1 = 2 s. Sorted 2, 2, 5; the p-quantile lies at position 2 p.
    "latency_p50_s": 2.0,
    "latency_p95_s": 4.7,  # position 1.9: 2 + 0.9 x 3
    "latency_p99_s": 4.94,  # position 1.98: 2 + 0.98 x 3
    "latency_p99_9_s": 4.994,  # position 1.998: 2 + 0.998 x 3
    "latency_mean_s": 3.0,  # (2 + 5 + 2) / 3
    "wait_mean_s": 2 / 3,  # (0 + 1 + 1) / 3
    "cold_wait_mean_s": 1.0,
    # Busy in [5, 18]: f 5-6 and 8-10 = 3 s of 1 GB; g 13-17 and 15-16 = 5 s of 0.5 GB.
    "busy_gb_s": 3 * 1.0 + 5 * 0.5,
    # Idle: f 6-8 and 10-18 = 10 s; g 17-18 and 16-18 = 3 s.
    "idle_gb_s": 10 * 1.0 + 3 * 0.5,
    # Starting: f 2-3 lies before the span; g 12-13 and 14-15 = 2 s.
    "starting_gb_s": 2 * 0.5,
    "wasted_gb_s": 11.5,  # the idle ones: every start was waited for
    "mean_instances": (3 + 5 + 10 + 3 + 2) / 13,  # all of these seconds, over 18 - 5
    "mean_busy_instances": (3 + 5) / 13,
    "mean_idle_instances": (10 + 3) / 13,
    "pings": 0,
    "instance_starts": 2,  # at 12 and 14
    "stem_cell_starts": 0,
    "downloaded_gb": 2 * 256 / 1024,  # g's package twice; f's before the span
    # f 1: 2 s x 1 GB + 1 = 3; g 2: (1 + 4) s x 0.5 GB + 1 = 3.5; g 3: (1 + 1) s x 0.5 GB + 1 = 2.
    "user_cost_usd": 8.5,
    "user_cost_per_million_usd": 8.5e6 / 3,
    "provider_cost_usd": (5.5 + 11.5 + 1.0) * 2,
    "provider_cost_per_million_usd": 36e6 / 3,
}


def test_every_metric_is_worked_out_by_hand() -> None:
    assert set(run().summary.index) == set(BY_HAND)


@pytest.mark.parametrize("name", BY_HAND)
def test_a_metric(name: str) -> None:
    assert run().summary[name] == pytest.approx(BY_HAND[name], rel=1e-12, abs=0)


def test_the_table_of_functions() -> None:
    table = run().functions.set_index("name")
    expected = pd.DataFrame(
        {
            "calls": [1, 2], "started": [1, 2], "warm": [1, 0], "cold": [0, 2], "queued": [0, 0], "rejected": [0, 0],
            "timed_out": [0, 0], "starts": [0, 2], "starting_s": [0.0, 2.0], "busy_s": [3.0, 5.0],
            "idle_s": [10.0, 3.0], "user_cost_usd": [3.0, 5.5], "memory_mb": [1024.0, 512.0], "app": ["a", "b"],
        },
        index=pd.Index(["f", "g"], name="name"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(table[list(expected)], expected, check_dtype=False, check_index_type=False)


def test_calls_before_the_warm_up_are_recorded_and_not_counted() -> None:
    calls = run().invocations
    assert calls is not None
    assert calls["counted"].tolist() == [False, True, True, True]
    assert calls["start_kind"].tolist() == ["cold", "warm", "cold", "cold"]
    assert calls["start_s"].tolist() == [3.0, 8.0, 13.0, 15.0]
    assert calls["end_s"].tolist() == [6.0, 10.0, 17.0, 16.0]


def test_both_ends_of_the_span_are_included() -> None:
    assert run(warm_up_s=8.0, horizon_s=14.0).summary["invocations"] == 3
    assert run(warm_up_s=np.nextafter(8.0, 9.0), horizon_s=np.nextafter(14.0, 13.0)).summary["invocations"] == 1


def test_a_counted_call_is_counted_whole_beyond_the_horizon_and_memory_is_not() -> None:
    summary = run(warm_up_s=12.0, horizon_s=13.5).summary  # g 2 alone: starting 12-13, busy 13-17
    assert (summary["invocations"], summary["latency_p50_s"], summary["user_cost_usd"]) == (1, 5.0, 3.5)
    assert (summary["starting_gb_s"], summary["busy_gb_s"]) == (0.5, 0.25)
    assert summary["mean_instances"] == pytest.approx((1.5 + 1.5) / 1.5)  # f's idles throughout


def test_without_limits_the_whole_trace_is_measured() -> None:
    summary = run(warm_up_s=0.0, horizon_s=None).summary
    assert summary["invocations"] == 5
    assert summary["cold_start_rate"] == 3 / 5
    assert summary["downloaded_gb"] == (1024 + 2 * 256) / 1024


def test_the_horizon_may_lie_beyond_the_last_call() -> None:
    summary = run(warm_up_s=0.0, horizon_s=100.0).summary  # windows end at 30 (f), 27 and 26 (g)
    assert summary["idle_gb_s"] == pytest.approx((2 + 9 + 10) * 1.0 + (10 + 10) * 0.5)
    assert summary["mean_busy_instances"] == pytest.approx((3 + 2 + 1 + 4 + 1) / 100)


@pytest.mark.parametrize(("policy", "idle_gb_s"), [(NoKeepAlive(), 0.0), (KeepForever(), 11.5)])
def test_waste_depends_on_the_policy(policy: object, idle_gb_s: float) -> None:
    assert run(policy=policy).summary["wasted_gb_s"] == idle_gb_s


def test_apps_and_functions_are_weighed_apart() -> None:
    # App x of one owner: 1 of 4 cold over its functions; another owner's app x: 2 of 2.
    table = pd.DataFrame(
        {
            "owner": ["o", "o", "p", "p"], "app": ["x", "x", "x", "y"], "cold": [1, 0, 2, 0], "started": [1, 3, 2, 0]
        }
    )  # fmt: skip
    shares = cold_shares(table)
    assert shares["app_cold_share_p50"] == (0.25 + 1.0) / 2
    assert shares["function_cold_share_p50"] == 1.0  # of 1, 0, 1
    assert shares["always_cold_functions"] == 2 / 3


def test_quantiles_interpolate_between_order_statistics() -> None:
    values = np.array([4.0, 1.0, 3.0, 2.0])
    assert [quantile(values, p) for p in (0.0, 0.25, 0.5, 0.9, 1.0)] == pytest.approx([1.0, 1.75, 2.5, 3.7, 4.0])
    assert np.isnan(quantile(np.empty(0), 0.5))


def test_the_part_of_an_interval_inside_the_span() -> None:
    begin = np.array([0.0, 0.0, 6.0, 9.0, 11.0, nan, 7.0, 2.0])
    end = np.array([4.0, 6.0, 7.0, 12.0, 12.0, 6.0, nan, np.inf])
    assert Span(5.0, 10.0).overlap_s(begin, end).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 5.0]


# Nothing to measure

RATES = [name for name in BY_HAND if name not in (
    "invocations", "cold_starts", "warm", "prewarmed", "queued", "rejected", "timed_out", "failed", "busy_gb_s",
    "idle_gb_s", "starting_gb_s", "wasted_gb_s", "mean_instances", "mean_busy_instances", "mean_idle_instances",
    "pings", "stale_hops", "instance_starts", "stem_cell_starts", "downloaded_gb", "user_cost_usd", "provider_cost_usd",
)]  # fmt: skip
MEANS = ["mean_instances", "mean_busy_instances", "mean_idle_instances"]


def assert_nothing_but(summary: pd.Series, **expected: float) -> None:
    """Rates are NaN and sums 0, but for those named."""
    wanted = {name: nan if name in RATES else 0.0 for name in summary.index} | expected
    np.testing.assert_allclose(summary.to_numpy(), [wanted[name] for name in summary.index], rtol=1e-12, atol=0)


def test_no_call_at_all() -> None:
    nothing = Trace.from_arrays(np.empty(0, np.int64), [], [])
    result = run(nothing, 0.0, None)
    assert_nothing_but(result.summary, **dict.fromkeys(MEANS, nan))  # its span has no length
    assert len(result.functions) == 0
    assert result.invocations is not None
    assert len(result.invocations) == 0


def test_functions_that_nobody_calls() -> None:
    quiet = Trace.from_arrays(np.empty(0, np.int64), [], [], functions=FUNCTIONS, horizon_s=60.0)
    result = run(quiet, 0.0, None)
    assert_nothing_but(result.summary)
    assert result.functions["calls"].tolist() == [0, 0]


def test_everything_before_the_warm_up() -> None:
    first = CALLS.slice(0.0, 3.0)  # f 0 alone: busy to 6, idle to 16
    assert_nothing_but(
        run(first, 5.0, 18.0).summary, busy_gb_s=1.0, idle_gb_s=10.0, wasted_gb_s=10.0, mean_instances=11 / 13,
        mean_busy_instances=1 / 13, mean_idle_instances=10 / 13, provider_cost_usd=22.0,
    )  # fmt: skip


def test_everything_after_the_horizon() -> None:
    assert_nothing_but(run(warm_up_s=0.0, horizon_s=1.0).summary)


def test_a_span_without_length() -> None:
    summary = run(warm_up_s=8.0, horizon_s=8.0).summary
    assert (summary["invocations"], summary["warm"], summary["latency_p50_s"]) == (1, 1, 2.0)
    assert summary[["busy_gb_s", "idle_gb_s", "starting_gb_s", "provider_cost_usd"]].tolist() == [0.0] * 4
    assert summary[MEANS].isna().all()
    assert np.isnan(summary["cold_wait_mean_s"])  # nothing was cold


def test_calls_that_never_started_count_as_calls_and_nowhere_else() -> None:
    columns = reference.run(CALLS, FixedWindow(10.0), START_1_S, horizon_s=18.0)
    requests = columns.requests
    kind, outcome = requests.start_kind.copy(), requests.outcome.copy()
    start_s, end_s = requests.start_s.copy(), requests.end_s.copy()
    kind[3], start_s[3], end_s[3] = NOT_STARTED, nan, nan  # g 3 was not served
    outcome[2:] = TIMED_OUT, REJECTED
    columns = replace(columns, requests=replace(requests, start_kind=kind, outcome=outcome, start_s=start_s,
                                                end_s=end_s))  # fmt: skip
    span = Span(5.0, 18.0)
    sums = call_sums(columns, CALLS.duration_s[:4], CALLS.functions["memory_mb"].to_numpy(), span, PRICE)
    fleet = fleet_sums(columns, CALLS.functions["memory_mb"].to_numpy(), span, PRICE)
    table = metrics.per_function(sums, fleet, CALLS.functions)
    summary = metrics.summarise(sums, fleet, table, span, PROVIDER)
    counts = summary[["invocations", "warm", "cold_starts", "rejected", "timed_out"]]
    assert counts.tolist() == [3, 1, 1, 1, 1]
    assert summary["cold_start_rate"] == 1 / 2
    assert summary["latency_mean_s"] == (2.0 + 5.0) / 2
    assert summary["user_cost_usd"] == 3.0 + 3.5
    assert summary["user_cost_per_million_usd"] == pytest.approx(6.5e6 / 3)  # of calls, a third of which never started
    assert summary["always_cold_functions"] == 1 / 2  # g's one call that started was cold


# Properties of every summary


def test_a_summary_is_one_type_throughout() -> None:
    assert run().summary.dtype == np.float64


def test_calls_charged_in_chunks_cost_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run().functions["user_cost_usd"].tolist()
    monkeypatch.setattr(of_calls, "CHUNK", 2)
    assert run().functions["user_cost_usd"].tolist() == whole


def test_not_recording_changes_no_number() -> None:
    bare = run(record=False)
    assert (bare.invocations, bare.instances, bare.starts) == (None, None, None)
    pd.testing.assert_series_equal(bare.summary, run().summary)
    pd.testing.assert_frame_equal(bare.functions, run().functions)
