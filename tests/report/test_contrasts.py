"""Differences from the reference: signs and units, what is called real, and sentences to the letter."""

from math import nan

import numpy as np
import pandas as pd
import pytest
from comparisons import METRICS, comparison, day
from hypothesis import given
from hypothesis import strategies as st
from outcomes import of_frame

from sim.report.contrasts import NOUNS, contrasts, reference_of, sentence


def two(cold: tuple[float, float]) -> pd.DataFrame:
    values = np.tile(np.array([[1.0], [1.0]]), (1, len(METRICS)))
    frame = comparison(["a", "b"], values)
    frame["cold_start_rate"] = cold
    return frame


def test_the_reference_is_ten_minutes_or_the_first() -> None:
    assert reference_of(of_frame(day()).frame) == "fixed_10m"
    assert reference_of(of_frame(day().iloc[:2]).frame) == "no_keep_alive"
    assert reference_of(day()) == "no_keep_alive"
    assert reference_of(day().iloc[:0]) == ""


def test_a_sentence_to_the_letter() -> None:
    variant = of_frame(two((0.035, 0.04)), half=0.2)
    found = contrasts(variant, "b")
    assert sentence("a", "b", found["a"]) == (
        "a has 0.40 to 0.60 percentage points fewer cold starts than b; it does not differ from b in wasted"
        " memory-time, latency at P99, cost to users per million calls or cost to the provider per million calls."
    )


def test_what_is_not_shown_to_differ_is_not_called_equal() -> None:
    found = contrasts(of_frame(two((0.035, 0.04)), half=2.0, real=False), "b")
    assert sentence("a", "b", found["a"]).endswith("; it is not told apart from b by cold starts.")


def test_a_difference_of_runs_without_randomness_is_one_number() -> None:
    [cold, *_] = contrasts(of_frame(two((0.035, 0.04)), half=0.0, source="exact"), "b")["a"]
    assert (cold.text, cold.interval, cold.words) == ("−0.50", "", "0.50 percentage points fewer cold starts")


def test_without_an_interval_nothing_is_called_real() -> None:
    found = contrasts(of_frame(two((0.05, 0.04)), real=False, source="none"), "b")["a"]
    assert [contrast.verdict for contrast in found] == ["untold"] * len(NOUNS)
    assert sentence("a", "b", found) == (
        "a has 1.00 percentage points more cold starts than b, without an interval to judge that by."
    )


def test_what_there_is_no_difference_of_is_a_dash() -> None:
    variant = of_frame(two((nan, 0.04)))
    [cold, *_] = contrasts(variant, "b")["a"]
    assert (cold.text, cold.interval, cold.verdict) == ("–", "", "missing")


def test_names_are_printable_in_sentences() -> None:
    frame = two((0.05, 0.04)).assign(policy=["a\x1b", "b\n"])
    found = contrasts(of_frame(frame), "b\n")
    assert sentence("a\x1b", "b\n", found["a\x1b"]).startswith(
        "a\ufffd has 0.99 to 1.01 percentage points more cold starts than b"
    )


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=5),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.5, 3.0]),
)
def test_it_is_policy_minus_reference_whichever_way_round_the_pair_is(rates: list[float], at: int, half: float) -> None:
    labels = [f"p{i}" for i in range(len(rates))]
    frame = comparison(labels, np.ones((len(rates), len(METRICS)))).assign(cold_start_rate=rates)
    reference = labels[at % len(labels)]
    found = contrasts(of_frame(frame, half=half), reference)
    assert list(found) == [label for label in labels if label != reference]
    for label, [cold, *_] in found.items():
        size = frame.set_index("policy")["cold_start_rate"]
        assert cold.difference == size[label] - size[reference]
        assert cold.low == pytest.approx(cold.difference - half * abs(cold.difference))
        assert cold.low <= cold.difference <= cold.high
        assert cold.verdict == ("same" if cold.difference == 0 else "more" if cold.difference > 0 else "less")
