"""Laws of the arrival processes that have a rate: Poisson, modulated, on and off, flash crowds, timers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.errors import ConfigError
from sim.workload.synthesis import MMPP, FlashCrowd, Interrupted, Modulated, Periodic, Poisson, Process, RateProcess
from sim.workload.synthesis.arrivals import Day
from sim.workload.synthesis.modulated import Steps

HOUR = 3600.0
DAY = 86_400.0
RANDOM = [Poisson(), MMPP((1.0, 10.0), (600.0, 60.0)), Interrupted(60.0, 240.0), FlashCrowd(600.0, 5.0)]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(1)


def dispersion(times_s: np.ndarray, width_s: float, horizon_s: float) -> float:
    """Variance by mean of the calls in bins: 1 for a Poisson process."""
    numbers = np.bincount((times_s // width_s).astype(int), minlength=int(horizon_s / width_s))
    return float(numbers.var() / numbers.mean())


# All of them


@pytest.mark.parametrize("process", [*RANDOM, Periodic(), Periodic((), 5.0)])
@pytest.mark.parametrize("rate", [1e-9, 0.001, 2.0])
def test_calls_lie_in_the_span(process: RateProcess, rate: float, random: np.random.Generator) -> None:
    assert isinstance(process, RateProcess)
    for _ in range(20):
        times = process.arrivals_s(rate, HOUR, random)
        assert times.dtype == np.float64
        assert np.all((times >= 0.0) & (times < HOUR))


@pytest.mark.parametrize("process", RANDOM)
@pytest.mark.parametrize("calls", [0, 1, 5000])
def test_random_ones_also_place_a_given_number(process: Process, calls: int, random: np.random.Generator) -> None:
    assert isinstance(process, Process)
    times = process.times_s(calls, Day().clock(0.5, DAY, 0.5), random)
    assert times.shape == (calls,)
    assert np.all((times >= 0.0) & (times <= DAY))


def test_a_path_without_calls_still_places_them(random: np.random.Generator) -> None:
    times = Interrupted(0.001, 1e9).times_s(100, Day().clock(1.0, HOUR, 0.5), random)
    assert 0.0 <= times.min() < times.max() < HOUR


# Poisson


def test_poisson_counts_have_dispersion_one(random: np.random.Generator) -> None:
    times = Poisson().arrivals_s(2.0, 20_000.0, random)
    tolerance = 4.0 * (2.0 / 2000) ** 0.5
    for width in (10.0, 100.0):
        assert dispersion(times, width, 20_000.0) == pytest.approx(1.0, abs=tolerance * (width / 10.0) ** 0.5)


def test_poisson_totals_are_poisson(random: np.random.Generator) -> None:
    totals = np.array([Poisson().arrivals_s(0.02, HOUR, random).size for _ in range(4000)])
    assert totals.mean() == pytest.approx(72.0, abs=4 * (72 / 4000) ** 0.5)
    assert totals.var() == pytest.approx(72.0, rel=4 * (2 / 4000) ** 0.5)


def test_poisson_gaps_are_exponential(random: np.random.Generator) -> None:
    gaps = np.diff(np.sort(Poisson().arrivals_s(1.0, 50_000.0, random)))
    assert gaps.mean() == pytest.approx(1.0, rel=0.02)
    assert gaps.std() == pytest.approx(1.0, rel=0.03)
    assert (gaps > 2.0).mean() == pytest.approx(np.exp(-2.0), abs=0.005)


# Modulated


@pytest.mark.parametrize(
    "process", [MMPP((1.0, 10.0), (300.0, 30.0)), MMPP((0.0, 1.0, 5.0), (60.0, 120.0, 30.0)), Interrupted(60.0, 240.0)]
)
def test_the_mean_rate_is_the_function_s(process: Modulated, random: np.random.Generator) -> None:
    short = np.array([process.arrivals_s(0.5, 100.0, random).size for _ in range(4000)])  # as it starts in steady state
    assert short.mean() == pytest.approx(50.0, abs=4 * short.std() / 4000**0.5)
    long = np.array([process.arrivals_s(0.5, 10_000.0, random).size for _ in range(200)])
    assert long.mean() == pytest.approx(5000.0, abs=4 * long.std() / 200**0.5)


def test_counts_of_an_mmpp_are_dispersed_as_the_formula_says(random: np.random.Generator) -> None:
    """With two levels, Var N(t) = m t + 2 v / s (t - (1 - exp(-s t)) / s): Fischer and Meier-Hellstern, 1993."""
    process, rate, width = MMPP((1.0, 9.0), (60.0, 20.0)), 2.0, 30.0
    levels = rate * np.array([1.0, 9.0]) / 3.0
    share, speed = np.array([0.75, 0.25]), 1 / 60.0 + 1 / 20.0
    spread = float((share * levels**2).sum() - rate**2)
    variance = rate * width + 2 * spread / speed * (width - (1 - np.exp(-speed * width)) / speed)
    times = process.arrivals_s(rate, 600_000.0, random)
    assert dispersion(times, width, 600_000.0) == pytest.approx(variance / (rate * width), rel=0.05)


def test_time_is_shared_among_levels_as_they_are_held(random: np.random.Generator) -> None:
    process = MMPP((0.0, 1.0, 3.0), (100.0, 200.0, 700.0))
    assert process.steady.tolist() == pytest.approx([0.1, 0.2, 0.7])
    first = [process.path(1e-9, random).total_s / 1e-9 for _ in range(3000)]  # the level at the very start
    shares = [np.isclose(first, level / 2.3).mean() for level in (0.0, 1.0, 3.0)]
    assert shares == pytest.approx([0.1, 0.2, 0.7], abs=0.035)


def test_on_and_off(random: np.random.Generator) -> None:
    times = np.sort(Interrupted(30.0, 270.0).arrivals_s(1.0, 200_000.0, random))
    gaps = np.diff(times)
    silences = gaps[gaps > 5.0]  # with ten calls a second while on, exp(-50) of the gaps inside a spell
    assert silences.size == pytest.approx(200_000 / 300, rel=0.15)
    assert silences.mean() == pytest.approx(270.0, rel=0.15)
    assert np.median(gaps) == pytest.approx(np.log(2) / 10.0, rel=0.05)


def test_stays_that_are_too_short_for_the_span_are_refused(random: np.random.Generator) -> None:
    with pytest.raises(ConfigError, match="stays_s is too short"):
        MMPP((1.0, 2.0), (1e-6, 1e-6)).path(DAY, random)


# Flash crowds


@pytest.mark.parametrize("shape", [(60.0, 300.0, 600.0), (0.0, 300.0, 0.0), (100.0, 0.0, 0.0), (0.0, 0.0, 0.0)])
def test_a_crowd_adds_what_it_says(shape: tuple[float, float, float], random: np.random.Generator) -> None:
    rise, hold, fall = shape
    crowd = FlashCrowd(1000.0, 20.0, *shape)
    total = HOUR + 19.0 * (rise / 2 + hold + fall / 2)
    assert crowd.path(HOUR, random).total_s == pytest.approx(total)
    calls = np.array([crowd.arrivals_s(0.1, HOUR, random).size for _ in range(500)])
    assert calls.mean() == pytest.approx(0.1 * total, abs=4 * (0.1 * total / 500) ** 0.5)


def test_a_crowd_has_the_shape_it_says(random: np.random.Generator) -> None:
    times = FlashCrowd(1000.0, 11.0, 200.0, 400.0, 1000.0).arrivals_s(100.0, HOUR, random)
    rates = np.bincount((times // 100.0).astype(int), minlength=36) / 100.0 / 100.0
    expected = np.ones(36)
    expected[10:12] = 3.5, 8.5
    expected[12:16] = 11.0
    expected[16:26] = np.arange(10.5, 1.0, -1.0)
    assert rates == pytest.approx(expected, abs=0.15)


def test_a_crowd_that_overruns_the_span_is_cut(random: np.random.Generator) -> None:
    assert FlashCrowd(50.0, 3.0, 0.0, 100.0, 100.0).path(100.0, random).total_s == pytest.approx(200.0)
    assert FlashCrowd(500.0, 3.0).path(100.0, random).total_s == pytest.approx(100.0)


def test_a_crowd_comes_to_its_share_of_functions(random: np.random.Generator) -> None:
    crowd = FlashCrowd(10.0, 3.0, share=0.3)
    hit = sum(crowd.path(HOUR, random).total_s > HOUR for _ in range(2000))
    assert hit == pytest.approx(600, abs=4 * (2000 * 0.21) ** 0.5)


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 10.0)), min_size=1, max_size=8),
    st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=8),
)
def test_steps_pass_their_integral_in_order(steps: list[tuple[float, float]], shares: list[float]) -> None:
    ends, levels = np.cumsum([width for width, _ in steps]), np.array([level for _, level in steps])
    path = Steps(ends, levels, float(ends[-1]))
    assert path.total_s == pytest.approx(sum(width * level for width, level in steps))
    if path.total_s:
        u = np.sort(shares)
        seconds = path.seconds(u)
        assert np.all(np.diff(seconds) >= -1e-9)
        starts = np.concatenate(([0.0], ends[:-1]))
        passed = (np.clip(seconds[:, None] - starts, 0.0, ends - starts) * levels).sum(axis=1)
        assert passed == pytest.approx(u * path.total_s, abs=1e-6)


# Timers


@pytest.mark.parametrize("rate", [1 / 60, 1 / 250, 1 / 3600, 1 / 7200])
def test_timers_without_jitter_have_exact_gaps(rate: float, random: np.random.Generator) -> None:
    times = Periodic().arrivals_s(rate, DAY, random)
    period = Periodic().period_s(rate)
    assert set(np.diff(times).tolist()) == {period}
    assert times[0] == int(times[0]) < period
    assert times[-1] + period >= DAY


@given(st.floats(1e-5, 1.0), st.floats(0.0, 30.0), st.booleans(), st.integers(0, 9))
def test_jitter_is_late_and_bounded(rate: float, jitter: float, aligned: bool, seed: int) -> None:
    timer = Periodic(jitter_s=jitter, aligned=aligned)
    times = np.sort(timer.arrivals_s(rate, DAY, np.random.default_rng(seed)))
    period = timer.period_s(rate)
    phase = 0.0 if aligned else np.floor(np.random.default_rng(seed).random() * period)
    due = phase + period * np.arange(times.size)
    assert np.all((times >= due) & (times <= due + jitter))
    assert DAY / period - 1 <= times.size + (jitter > 0) <= DAY / period + 2


def test_periods_are_the_nearest_in_ratio() -> None:
    timer = Periodic((60.0, 240.0, 3600.0))
    assert [timer.period_s(1 / wanted) for wanted in (1, 119, 121, 929, 931, 1e9)] == [60, 60, 240, 240, 3600, 3600]
    assert Periodic(()).period_s(1 / 12.3456) == 12.346
    assert Periodic(()).period_s(1e9) == 0.001


# What cannot be


@pytest.mark.parametrize(
    ("process", "parameters", "named"),
    [
        (MMPP, {"rates": (1.0,), "stays_s": (1.0,)}, "rates must be two or more"),
        (MMPP, {"rates": (0.0, 0.0), "stays_s": (1.0, 1.0)}, "one of them above 0"),
        (MMPP, {"rates": (1.0, 2.0), "stays_s": (1.0,)}, "rates has 2 entries and stays_s 1"),
        (MMPP, {"rates": (1.0, -2.0), "stays_s": (1.0, 1.0)}, r"rates\[1\]"),
        (MMPP, {"rates": (1.0, 2.0), "stays_s": (1.0, 0.0)}, r"stays_s\[1\]"),
        (MMPP, {"rates": 3.0, "stays_s": (1.0, 0.0)}, "rates must be a list"),
        (Interrupted, {"on_s": 0.0, "off_s": 1.0}, "on_s"),
        (Interrupted, {"on_s": 1.0, "off_s": -1.0}, "off_s"),
        (FlashCrowd, {"start_s": -1.0, "peak": 2.0}, "start_s"),
        (FlashCrowd, {"start_s": 1.0, "peak": 0.5}, "peak"),
        (FlashCrowd, {"start_s": 1.0, "peak": 2.0, "share": 2.0}, "share"),
        (FlashCrowd, {"start_s": 1.0, "peak": 2.0, "fall_s": float("inf")}, "fall_s"),
        (Periodic, {"periods_s": (60.0, 60.0)}, "periods_s must rise"),
        (Periodic, {"jitter_s": -1.0}, "jitter_s"),
        (Periodic, {"aligned": 1}, "aligned"),
    ],
)
def test_bad_parameters_are_named(process: Any, parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        process(**parameters)
