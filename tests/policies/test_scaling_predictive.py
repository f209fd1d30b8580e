"""Predictive scaling: forecasts worked by hand, against their definition, and a run."""

from math import ceil, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import calls, lives, log
from ticks import load

import sim
from sim.core.errors import ConfigError
from sim.policies.scaling.predictive import Predictive, PredictiveScaler
from sim.policies.scaling.role import Unit

SMALL = {"period_s": 40.0, "phase_s": 10.0, "reactive_s": 10.0, "lead_s": 0.0, "tick_s": 10.0}


def ticks(scaler: PredictiveScaler, levels: list[float], tick_s: int = 10) -> list[int]:
    """What is wanted at each tick where requests in flight were as many in the seconds of the tick before it."""
    return [
        scaler.wanted(load(float(end), levels[end - tick_s : end])) for end in range(tick_s, len(levels) + 1, tick_s)
    ]


def seconds(*phases: float) -> list[float]:
    """A level for each of ten seconds, at its height in one of them."""
    return [level if second == 7 else level / 2 for level in phases for second in range(10)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        # At each tick the phase behind it is the floor, and the one before it was foreseen: 0, 4, 2, 0 of season one,
        # then the higher of 0, 4, 2, 0 and 0, 1, 6, 0.
        ({}, [0, 4, 2, 0, 4, 2, 6, 0, 4, 6, 0, 0]),
        ({"seasons": 1}, [0, 4, 2, 0, 4, 2, 6, 0, 1, 6, 0, 0]),
        ({"quantile": 0.5}, [0, 4, 2, 0, 4, 2, 6, 0, 1, 2, 0, 0]),    # of two the lower
        ({"headroom": 1.5}, [0, 4, 2, 0, 6, 3, 6, 0, 6, 9, 0, 0]),    # but not of the floor
        ({"lead_s": 10.0}, [0, 4, 2, 4, 4, 2, 6, 4, 6, 6, 0, 4]),     # the phase after that too
        ({"reactive_s": 20.0}, [0, 4, 4, 2, 4, 2, 6, 6, 4, 6, 0, 0]),
    ],
)  # fmt: skip
def test_golden_three_seasons(options: dict[str, float], wanted: list[int]) -> None:
    scaler = Predictive(**(SMALL | options)).scaler(Unit(1))
    assert ticks(scaler, seconds(0, 4, 2, 0, 0, 1, 6, 0, 0, 0, 0, 0)) == wanted


def test_golden_an_instance_takes_its_concurrency() -> None:
    scaler = Predictive(**SMALL).scaler(Unit(4))
    assert ticks(scaler, seconds(0, 9, 0, 0, 0, 0)) == [0, 3, 0, 0, 3, 0]
    assert scaler.wanted(load(61.0, [0.0], in_flight=5)) == 2


def test_what_no_season_that_counts_has_had_is_forgotten() -> None:
    scaler = Predictive(**(SMALL | {"seasons": 1})).scaler(Unit(1))
    assert not scaler.remembers
    assert scaler.poked(load(5.0, ready=0)) == 1
    assert ticks(scaler, seconds(0, 4)) == [0, 4]
    assert scaler.remembers
    assert scaler.poked(load(53.0, ready=0)) == 4
    assert scaler.wanted(load(59.0)) == 4
    assert scaler.remembers
    assert scaler.wanted(load(60.0, [0.0] * 40)) == 0
    assert not scaler.remembers


LEVELS = st.lists(st.integers(0, 5).map(float), min_size=20, max_size=120)


@given(
    LEVELS, st.sampled_from([1, 2, 5]), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 0.5, 0.75, 1.0]),
    st.sampled_from([0.5, 1.0, 2.0]), st.integers(0, 5), st.integers(1, 9), st.integers(1, 3),
)  # fmt: skip
def test_it_is_what_its_definition_says(
    levels: list[float], phase_s: int, phases: int, seasons: int, quantile: float, headroom: float, lead_s: int,
    reactive_s: int, concurrency: int,
) -> None:  # fmt: skip
    period_s = phase_s * phases
    policy = Predictive(
        period_s=float(period_s), phase_s=float(phase_s), seasons=seasons, quantile=quantile, headroom=headroom,
        lead_s=float(min(lead_s, period_s)), reactive_s=float(reactive_s), tick_s=2.0,
    )  # fmt: skip
    made = ticks(policy.scaler(Unit(concurrency)), levels, tick_s=2)
    for now_s, wanted in zip(range(2, len(levels) + 1, 2), made, strict=True):
        known = levels[:now_s]
        highest = max(known[-reactive_s:])
        for second in range(now_s, now_s + int(policy.lead_s) + 1):
            begin = second - second % phase_s
            earlier = [begin - k * period_s for k in range(1, seasons + 1) if begin >= k * period_s]
            peaks = [max(known[at : at + phase_s], default=0.0) for at in earlier]
            if peaks:
                highest = max(highest, headroom * np.quantile(peaks, quantile, method="inverted_cdf"))
        assert wanted == ceil(highest / concurrency)


@given(st.lists(st.integers(0, 9).map(float), min_size=4, max_size=4), st.integers(1, 3))
def test_what_comes_again_every_season_is_provided_for_from_the_second_on(
    season: list[float], concurrency: int
) -> None:
    policy = Predictive(**(SMALL | {"lead_s": 10.0}))
    made = ticks(policy.scaler(Unit(concurrency)), seconds(*season * 4))
    for k in range(4, 15):
        assert made[k - 1] * concurrency >= max(season[k % 4], season[(k + 1) % 4])


def test_a_run_whose_second_season_finds_its_instances_ready() -> None:
    # Two calls at once at phase 300 s of seasons of 600 s, and one that nothing foretells.
    trace = calls(*[(600.0 * k + 300.0, 5.0) for k in range(3) for _ in range(2)], (2000.0, 1.0))
    policy = Predictive(period_s=600, phase_s=60, lead_s=20, reactive_s=30)
    result = sim.simulate(trace, policy, sim.load_platform("constant_start", start_s=2.0))
    assert [kind for _, kind, _ in log(result.columns)] == ["cold", "queued"] + ["warm"] * 4 + ["cold"]
    # The first call wakes an instance, which serves the second from 307 to 312 s; at 310 s there have been two at once
    # and another starts; at 340 s the last 30 s have had one, at 350 s none. In later seasons two are there from 20 s
    # before the phase to its end.
    assert lives(result.columns) == [
        (0, 300.0, 302.0, 350.0), (-1, 310.0, 312.0, 340.0),
        (-2, 880.0, 882.0, 960.0), (-3, 880.0, 882.0, 960.0),
        (-4, 1480.0, 1482.0, 1560.0), (-5, 1480.0, 1482.0, 1560.0),
        (6, 2000.0, 2002.0, inf),
    ]  # fmt: skip
    assert result.decisions["why"].tolist() == [
        "call at zero", "reactive", "reactive", "reactive", "forecast", "reactive", "forecast", "reactive",
        "call at zero",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"period_s": 100.0, "phase_s": 30.0}, "period_s must be a multiple of phase_s"),
        ({"phase_s": 0.5}, "phase_s must be"),
        ({"seasons": 0}, "seasons must be"),
        ({"quantile": 1.1}, "quantile must be"),
        ({"headroom": 0.0}, "headroom must be"),
        ({"lead_s": 86401.0}, "lead_s must be"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Predictive(**wrong)
