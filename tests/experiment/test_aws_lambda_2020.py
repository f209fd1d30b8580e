"""The two-window rule against a twin that asks lazily, and the measured cold flags against the engine."""

from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import sim
from sim.core.distributions import Quantiles
from sim.engine import reference
from sim.experiment.aws_lambda_2020 import at_the_platform, compare_with_measured, read_measurements, score
from sim.policies import FixedWindow, FunctionIdleWindow
from sim.results.columns import COLD


def lazily(
    arrivals: list[float], services: list[float], window_s: float, surplus_s: float, life_s: float
) -> list[bool]:
    """Cold flags: (idle since, row, created) of each instance, and the end of the latest call; nothing else."""
    instances: list[tuple[float, int, float]] = []
    latest, cold = -inf, []
    for row, (a, x) in enumerate(zip(arrivals, services, strict=True)):
        instances = [
            (e, r, c) for e, r, c in instances
            if a <= e or (a <= e + surplus_s and a <= latest + window_s and a <= max(c + life_s, e))
        ]  # fmt: skip
        free = [i for i in instances if i[0] <= a]
        cold.append(not free)
        created = a
        if free:
            instances.remove(max(free))
            created = max(free)[2]
        instances.append((a + x, row, created))
        latest = max(latest, a + x)
    return cold


GRID = st.integers(0, 12).map(lambda n: n * 0.3)


@given(
    gaps=st.lists(GRID, min_size=1, max_size=14),
    services=st.lists(GRID, min_size=14, max_size=14),
    window_s=GRID,
    surplus_s=GRID,
    life_s=st.sampled_from([0.3, 1.5, 3.0, inf]),
)
def test_the_two_windows_against_the_twin(
    gaps: list[float], services: list[float], window_s: float, surplus_s: float, life_s: float
) -> None:
    arrivals = np.cumsum(gaps).tolist()
    trace = sim.Trace.from_arrays(np.zeros(len(gaps), np.int64), arrivals, services[: len(gaps)])
    platform = sim.Platform(start_s=0.0, max_lifetime_s=life_s)
    columns = reference.run(trace, FunctionIdleWindow(window_s, surplus_s), platform, horizon_s=trace.horizon_s)
    expected = lazily(arrivals, services[: len(gaps)], window_s, surplus_s, life_s)
    assert (columns.requests.start_kind == COLD).tolist() == expected


def test_an_endless_function_window_is_a_fixed_window() -> None:
    rng = np.random.default_rng(0)
    trace = sim.Trace.from_arrays(
        np.zeros(2000, np.int64), np.cumsum(rng.exponential(5, 2000)), rng.exponential(4, 2000)
    )
    platform = sim.Platform(start_s=0.2)
    runs = [
        reference.run(trace, policy, platform, horizon_s=trace.horizon_s)
        for policy in (FunctionIdleWindow(inf, 20.0), FixedWindow(20.0))
    ]
    assert runs[0].requests.instance.tolist() == runs[1].requests.instance.tolist()


def test_drawn_lives_are_those_of_the_distribution_and_the_same_again() -> None:
    lives = Quantiles((0.0, 0.5, 1.0), (1.0, 10.0, 11.0))
    trace = sim.Trace.from_arrays(np.zeros(4000, np.int64), np.arange(4000.0) * 20, 0.5)
    platform = sim.Platform(start_s=0.0, max_lifetime_s=lives)
    first, again = (
        reference.run(trace, FixedWindow(inf), platform, horizon_s=trace.horizon_s).instances.ended_s for _ in range(2)
    )
    lived = first - trace.arrival_s
    assert first.tolist() == again.tolist()
    assert np.quantile(lived, [0.25, 0.5, 0.75]) == pytest.approx([5.5, 10.0, 10.5], abs=0.4)
    assert lived.max() < 11.0


def test_what_reaches_the_platform() -> None:
    arrival_s, service_s = at_the_platform(np.array([0.0, 1.0, 500.0, 1600.0]), np.full(4, 2.0))
    assert arrival_s.tolist() == [0.0, 1.27, 500.0, 1600.27]  # new, overlapping; kept; idle for too long
    assert service_s == pytest.approx([1.92, 1.65, 1.92, 1.65])


def test_real_lambda(shared: Path) -> None:
    folder = shared / "measurements" / "aws_lambda_2020"
    usual = compare_with_measured(
        folder, FixedWindow(630.0), sim.Platform(start_s=0.0, max_lifetime_s=7200.0), as_seen=True
    )
    ours = compare_with_measured(folder, FunctionIdleWindow(), sim.Platform(start_s=0.0, max_lifetime_s=7150.0))
    assert ours["measured_cold"].tolist() == [59, 35, 28, 37]
    assert usual["wrong"].tolist() == [2, 5, 20, 58]
    assert ours["wrong"].tolist() == [0, 3, 11, 41]
    assert usual["agreement"].round(4).tolist() == [0.9892, 0.9856, 0.9747, 0.9885]
    assert ours["agreement"].round(4).tolist() == [1.0, 0.9914, 0.9861, 0.9919]
    assert ((ours["measured_low"] <= ours["p_cold"]) & (ours["p_cold"] <= ours["measured_high"])).all()
    assert usual["p_cold"].iloc[-1] > usual["measured_high"].iloc[-1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("arrival_s,response_s\n0,1\n", "is_cold"),
        ("arrival_s,response_s,is_cold\n0,1,0\n1,nan,0\n", "row 2, column 'response_s'"),
        ("arrival_s,response_s,is_cold\n0,1,0\n1,1,2\n", "row 2, column 'is_cold'"),
        ("arrival_s,response_s,is_cold\n0,1,0\n5,1,0\n4,1,0\n", "row 3, column 'arrival_s': must not be before"),
        ("arrival_s,response_s,is_cold\n0,1,0\n1,1\n", "row 2"),
        ("arrival_s,response_s,is_cold\n0,1,0\n", "two calls"),
        ("", "empty"),
    ],
)
def test_damaged_measurements(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "rate_0.1.csv").write_text(content)
    with pytest.raises(sim.TraceError, match=said):
        compare_with_measured(tmp_path, FixedWindow(630.0), sim.Platform(start_s=0.0))


@pytest.mark.parametrize("name", ["rate_.csv", "rate_x.csv", "rate_nan.csv", "rate_-1.csv", "rate_0.csv"])
def test_a_file_whose_name_is_no_rate(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("arrival_s,response_s,is_cold\n0,1,0\n1,1,0\n")
    with pytest.raises(sim.TraceError, match="its name must be rate_<calls a second>"):
        read_measurements(tmp_path)


def test_no_measurements(tmp_path: Path) -> None:
    with pytest.raises(sim.TraceError, match="no files"):
        read_measurements(tmp_path)
    with pytest.raises(sim.TraceError, match="no such folder"):
        read_measurements(tmp_path / "nowhere")


def test_files_are_ordered_by_their_rate_not_by_their_name(tmp_path: Path) -> None:
    for rate in ("10", "9", "0.5"):
        (tmp_path / f"rate_{rate}.csv").write_text("arrival_s,response_s,is_cold\n0,1,0\n1,1,1\n")
    assert [file.rate for file in read_measurements(tmp_path)] == [0.5, 9.0, 10.0]


def test_the_platforms_own_start_time_is_not_added(tmp_path: Path) -> None:
    (tmp_path / "rate_1.csv").write_text("arrival_s,response_s,is_cold\n0,1,0\n1,1,0\n2,1,0\n")
    slow = sim.Platform(start_s=50.0)  # a call at the very instant of a completion is warm, if starts take no time
    assert compare_with_measured(tmp_path, FixedWindow(630.0), slow, as_seen=True)["predicted_cold"].tolist() == [0]


def test_scores_are_those_of_the_four_counts() -> None:
    measured = np.array([0, 1, 1, 1, 0, 0, 0, 0, 0], np.bool_)
    predicted = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0], np.bool_)  # the first does not count
    result = score(measured, predicted)
    assert (result["calls"], result["measured_cold"], result["predicted_cold"], result["wrong"]) == (8, 3, 3, 2)
    assert (result["agreement"], result["precision"], result["recall"]) == (0.75, 2 / 3, 2 / 3)
    below = stats.binom.cdf(3, 8, result["measured_high"])  # Clopper and Pearson's definition
    above = stats.binom.sf(2, 8, result["measured_low"])
    assert (below, above) == pytest.approx((0.025, 0.025))
