"""Prices: billing steps to the last digit, memory sizes, what start-up costs, and what is refused."""

import math
from decimal import ROUND_CEILING, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.config import load_pricing, load_provider
from sim.core.errors import ConfigError
from sim.results.columns import Starts
from sim.results.pricing import PriceBook, ProviderPrice

BOOKS = ("aws_lambda_x86", "aws_lambda_arm", "azure_consumption", "cloud_run")
SECONDS = {"name": "seconds", "source": "-", "date": "-", "usd_per_million_requests": 0.0, "bills_start_up": True}


def book(**prices: object) -> PriceBook:
    """A book in which a billed second of 1 GB is 1 USD, so that charges read as billed seconds."""
    return PriceBook(**SECONDS | {"usd_per_gb_s": 1.0, "granularity_s": 0.001, "minimum_s": 0.0} | prices)  # type: ignore[arg-type]


def charge(prices: PriceBook, execution_s: float, start_up_s: float = 0.0, memory_mb: float = 1024.0) -> float:
    [usd] = prices.charge_usd(np.array([execution_s]), np.array([start_up_s]), np.array([memory_mb]))
    return float(usd)


# Time


@pytest.mark.parametrize(
    ("execution_s", "steps"),
    [
        (0.003, 3),
        (1.001, 1001),
        (4.35, 4350),
        (0.057, 57),
        (1.1, 1100),
        (0.29, 290),
        (0.0030001, 4),
        (0.0005, 1),
        (1e-12, 1),
        (0.0, 0),
        (899.9999, 900_000),
        (86_400.001, 86_400_001),
        (0.1 + 0.2, 300),
    ],
)
def test_time_is_rounded_up_to_whole_milliseconds(execution_s: float, steps: int) -> None:
    assert charge(book(), execution_s) == pytest.approx(steps * 0.001, rel=1e-12)


@given(st.integers(0, 10**8), st.sampled_from([0.001, 0.1, 1.0, 0.05]))
def test_whole_steps_are_never_rounded_up(steps: int, granularity_s: float) -> None:
    for time_s in (steps * granularity_s, float(Decimal(steps) * Decimal(str(granularity_s)))):
        assert charge(book(granularity_s=granularity_s), time_s) == pytest.approx(steps * granularity_s, rel=1e-12)


@given(st.integers(0, 10**9).map(lambda microseconds: microseconds / 10**6))
def test_microseconds_are_billed_as_in_decimal_arithmetic(time_s: float) -> None:
    exact = (Decimal(repr(time_s)) * 1000).to_integral_value(ROUND_CEILING)
    assert round(charge(book(), time_s) * 1000) == int(exact)


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_more_time_never_costs_less(a: float, b: float) -> None:
    short, long = sorted((a, b))
    assert charge(book(), short) <= charge(book(), long)


@pytest.mark.parametrize(("execution_s", "billed_s"), [(0.0, 0.1), (0.05, 0.1), (0.1, 0.1), (0.1001, 0.101)])
def test_a_call_costs_the_minimum_at_least(execution_s: float, billed_s: float) -> None:
    assert charge(book(minimum_s=0.1), execution_s) == pytest.approx(billed_s, rel=1e-12)


def test_without_granularity_time_is_billed_as_it_is() -> None:
    assert charge(book(granularity_s=0.0), 0.12345) == 0.12345


# Start-up


def test_execution_and_start_up_are_rounded_as_one_sum() -> None:
    assert charge(book(), 0.0005, 0.0005) == pytest.approx(0.001)
    assert charge(book(bills_start_up=False), 0.0005, 10.0) == pytest.approx(0.001)


def starts(phases: tuple[str, ...], *phase_s: list[float]) -> Starts:
    """Starts of one function, of which every second phase is kept as a constant of it."""
    kept = tuple(range(0, len(phases), 2))
    seconds, n = np.array(phase_s), len(phase_s)
    function = np.arange(n, dtype=np.int32)
    return Starts(phases, np.arange(n), function, kept, seconds[:, list(kept)], seconds, np.zeros(n))


THREE = starts(("create", "download", "runtime"), [0.1, 0.2, 0.4], [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("options", "billed_s"),
    [
        ({}, [0.1 + 0.2 + 0.4, 7.0]),
        ({"start_up_phases": ("runtime",)}, [0.4, 4.0]),
        ({"start_up_phases": ["download", "runtime"]}, [0.2 + 0.4, 6.0]),
        ({"start_up_phases": ("start",)}, [0.1 + 0.2 + 0.4, 7.0]),
        ({"bills_start_up": False}, [0.0, 0.0]),
    ],
)
def test_the_billed_part_of_a_start_up(options: dict[str, object], billed_s: list[float]) -> None:
    assert book(**options).billed_start_up_s(THREE).tolist() == billed_s


def test_a_start_in_one_phase_is_billed_whole() -> None:
    assert load_pricing("aws_lambda_x86").billed_start_up_s(starts(("start",), [0.25])).tolist() == [0.25]


# Memory, processors, requests


@pytest.mark.parametrize(
    ("memory_mb", "billed_mb"), [(0.0, 128), (128.0, 128), (129.0, 256), (160.0, 256), (1536.0, 1536), (9e9, 1536)]
)
def test_memory_is_rounded_up_and_kept_within_bounds(memory_mb: float, billed_mb: float) -> None:
    azure = load_pricing("azure_consumption")
    assert azure.billed_memory_mb(np.array([memory_mb])).tolist() == [billed_mb]


def test_memory_that_is_almost_a_step_is_that_step() -> None:
    prices = book(memory_step_mb=0.1)
    assert prices.billed_memory_mb(np.array([0.3, 170.7]))[0] == pytest.approx(0.3, rel=1e-12)
    assert prices.billed_memory_mb(np.array([170.7]))[0] == pytest.approx(170.7, rel=1e-12)


@pytest.mark.parametrize(("memory_mb", "vcpu"), [(512.0, 1.0), (4096.0, 1.0), (8192.0, 2.0), (32768.0, 8.0)])
def test_processors_come_with_memory(memory_mb: float, vcpu: float) -> None:
    prices = book(usd_per_gb_s=0.0, usd_per_vcpu_s=1.0, vcpu_per_gb=0.25, vcpu_minimum=1.0)
    assert charge(prices, 1.0, memory_mb=memory_mb) == pytest.approx(vcpu)


def test_a_gb_is_1024_mb() -> None:
    assert charge(book(), 1.0, memory_mb=512.0) == 0.5


def test_every_call_pays_for_its_request() -> None:
    free = np.zeros(1_000_000)
    usd = load_pricing("aws_lambda_x86", minimum_s=0.0).charge_usd(free, free, free + 128.0)
    assert usd.sum() == pytest.approx(0.20)


# The shipped books, against bills worked out by hand


@pytest.mark.parametrize(
    ("name", "execution_s", "start_up_s", "memory_mb", "usd"),
    [
        ("aws_lambda_x86", 0.0702, 0.0, 512.0, 0.071 * 0.5 * 0.0000166667 + 2e-7),
        ("aws_lambda_x86", 0.0702, 0.1, 512.0, 0.171 * 0.5 * 0.0000166667 + 2e-7),
        ("aws_lambda_arm", 1.0, 0.0, 64.0, 0.125 * 0.0000133334 + 2e-7),
        ("azure_consumption", 3.0, 5.0, 500.0, 3.0 * 0.5 * 0.000016 + 2e-7),
        ("azure_consumption", 0.0, 0.0, 1.0, 0.1 * 0.125 * 0.000016 + 2e-7),
        ("cloud_run", 0.201, 0.0, 512.0, 0.3 * (0.5 * 0.0000025 + 0.000024) + 4e-7),
    ],
)
def test_bills(name: str, execution_s: float, start_up_s: float, memory_mb: float, usd: float) -> None:
    assert charge(load_pricing(name), execution_s, start_up_s, memory_mb) == pytest.approx(usd, rel=1e-9)


@pytest.mark.parametrize("name", BOOKS)
def test_a_book_says_where_it_is_from_and_when(name: str) -> None:
    prices = load_pricing(name)
    assert prices.name
    assert "http" in prices.source
    assert prices.date[:2] == "20"


def test_the_provider_pays_for_nodes_that_are_partly_full() -> None:
    price = load_provider("provider_ec2_m5")
    assert price.usd_per_gb_s == pytest.approx(0.096 / 8 / 3600 / 0.8)
    assert ProviderPrice("n", "s", "d", 3600.0, 2.0, 0.5).usd_per_gb_s == 1.0


def test_charges_are_one_a_call() -> None:
    calls = np.array([0.1, 0.2, 0.3])
    usd = book().charge_usd(calls, np.zeros(3), np.full(3, 1024.0))
    assert usd.shape == (3,)
    assert usd.dtype == np.float64
    nothing = np.empty(0)
    assert book().charge_usd(nothing, nothing, nothing).shape == (0,)


# What is refused


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        ({"usd_per_gb_s": -1.0}, "usd_per_gb_s"),
        ({"usd_per_gb_s": math.nan}, "usd_per_gb_s"),
        ({"usd_per_gb_s": math.inf}, "usd_per_gb_s"),
        ({"usd_per_gb_s": "1"}, "usd_per_gb_s"),
        ({"granularity_s": True}, "granularity_s"),
        ({"bills_start_up": 1}, "bills_start_up"),
        ({"start_up_phases": "runtime"}, "start_up_phases"),
        ({"date": 2025}, "date.*quote"),
        ({"memory_minimum_mb": 256.0, "memory_maximum_mb": 128.0}, "memory_maximum_mb"),
        ({"memory_maximum_mb": 0.0}, "memory_maximum_mb"),
    ],
)
def test_impossible_prices_are_refused(prices: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        book(**prices)


@pytest.mark.parametrize(("gb", "utilisation"), [(0.0, 0.5), (8.0, 0.0), (8.0, 1.01), (8.0, math.nan)])
def test_impossible_nodes_are_refused(gb: float, utilisation: float) -> None:
    with pytest.raises(ConfigError, match=r"node_gb|utilisation"):
        ProviderPrice("n", "s", "d", 1.0, gb, utilisation)


@pytest.mark.parametrize("wrong", [-1e-9, math.nan])
def test_negative_and_missing_amounts_are_refused(wrong: float) -> None:
    fine, bad = np.array([1.0]), np.array([wrong])
    for arguments in ((bad, fine, fine), (fine, bad, fine), (fine, fine, bad)):
        with pytest.raises(ValueError, match="must be >= 0"):
            book().charge_usd(*arguments)
