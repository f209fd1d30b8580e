"""Knative's decision rule: golden decisions, every decision recorded from the real one, and laws."""

import gzip
import json
import pickle
from collections.abc import Iterator
from math import ceil, floor, inf, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.errors import ConfigError
from sim.policies.scaling.kpa import NO_DECISION, Kpa, KpaDecision
from sim.policies.scaling.kpa_window import KpaWindow

MINUTE_NS = 60 * 10**9
NOT_OF_THE_RULE = {"scaling_metric"}
RENAMED = {"target_value": "target", "total_value": "total"}

LOADS = st.floats(0, 500)
TICKS = st.lists(
    st.tuples(st.sampled_from([0.5, 2.0, 2.0, 2.0, 7.0, 61.0]), st.integers(0, 12), LOADS, LOADS), max_size=30
)
"""Seconds since the tick before, ready pods, the two averages."""


def times(ticks: list[tuple[float, int, float, float]]) -> Iterator[tuple[float, int, float, float]]:
    now_s = 0.0
    for after_s, ready, stable, panic in ticks:
        now_s += after_s
        yield now_s, ready, stable, panic


def desired(kpa: Kpa, *ticks: tuple[float, int, float, float]) -> list[int]:
    return [kpa.decide(*tick).desired for tick in ticks]


def test_golden_pods_and_capacity_of_ten_ticks() -> None:
    kpa = Kpa(target=70, total=100, max_scale_up_rate=2)
    made = [
        kpa.decide(0.0, 0, 0.0, 0.0),
        kpa.decide(2.0, 0, 0.5, 1.0),
        kpa.decide(4.0, 1, 70.0, 70.0),
        kpa.decide(6.0, 1, 70.1, 70.5),     # two pods for one: panic
        kpa.decide(8.0, 2, 1000.0, 100.0),  # at most twice what is ready, in or out of panic
        kpa.decide(10.0, 4, 10.0, 0.0),     # panic lets none go
        kpa.decide(66.0, 4, 10.0, 0.0),     # a stable window after 6 s is not over yet
        kpa.decide(66.5, 4, 10.0, 0.0),     # now it is, and half may go
        kpa.decide(68.0, 3, 0.0, 0.0),
        kpa.decide(70.0, 1, 0.0, 0.0),
    ]  # fmt: skip
    assert made == [
        (0, -211, True),
        (1, -212, True),
        (1, -181, True),
        (2, -182, True),
        (4, -111, True),
        (4, 189, True),
        (4, 189, True),
        (2, 189, True),
        (1, 89, True),
        (0, -111, True),
    ]


def test_golden_a_low_rate_still_grows_by_one() -> None:
    assert desired(Kpa(1, 1, max_scale_up_rate=1.1), (0.0, 2, 3.0, 3.0)) == [3]


def test_golden_panic_begins_at_the_threshold_and_lasts_from_its_latest_tick() -> None:
    kpa = Kpa(10, 10, stable_window_s=6)
    seen = []
    for now_s, panic in [
        (2, 19.0),
        (4, 30.5),
        (6, 0.0),
        (8, 40.0),
        (14, 0.0),
        (14.0000000004, 0.0),
        (14.000000001, 0.0),
    ]:
        kpa.decide(now_s, 2, 0.0, panic)
        seen.append((kpa.in_panic, kpa.panic_time_s, kpa.max_panic_pods))
    assert seen == [
        (False, None, 1),
        (True, 4.0, 4),
        (True, 4.0, 4),
        (True, 8.0, 4),
        (True, 8.0, 4),  # strictly later, in whole nanoseconds
        (True, 8.0, 4),
        (False, None, 0),
    ]


def test_golden_more_than_one_pod_at_the_start_is_panic() -> None:
    kpa = Kpa(10, 10, initial_ready=5, now_s=100.0)
    assert (kpa.in_panic, kpa.panic_time_s, kpa.max_panic_pods) == (True, 100.0, 5)
    assert desired(kpa, (102.0, 5, 0.0, 0.0), (160.0, 5, 0.0, 0.0), (162.0, 5, 0.0, 0.0)) == [5, 5, 2]
    assert not Kpa(10, 10, initial_ready=1).in_panic


def test_golden_the_panic_average_counts_only_in_panic_and_the_larger_wins() -> None:
    assert desired(Kpa(10, 10, panic_threshold=4), (0.0, 1, 10.0, 30.0)) == [1]
    assert desired(Kpa(10, 10, panic_threshold=3), (0.0, 1, 10.0, 30.0)) == [3]
    assert desired(Kpa(10, 10, panic_threshold=3), (0.0, 1, 50.0, 30.0)) == [5]
    assert desired(Kpa(10, 10, panic_threshold=inf), (0.0, 1, 10.0, 1e6)) == [1]


def test_golden_the_scale_down_delay_goes_by_even_seconds() -> None:
    kpa = Kpa(10, 10, scale_down_delay_s=5)  # three buckets of 2 s
    made = [(0.0, 40.0), (1.9, 10.0), (2.0, 20.0), (5.9, 10.0), (6.0, 10.0), (7.9, 10.0), (8.0, 10.0)]
    assert desired(kpa, *((now_s, 4, stable, 0.0) for now_s, stable in made)) == [4, 4, 4, 4, 2, 2, 2]
    assert desired(kpa, (8.0, 2, 0.0, 0.0), (12.0, 2, 0.0, 0.0), (14.0, 1, 0.0, 0.0)) == [2, 2, 1]
    unreachable = Kpa(10, 10, scale_down_delay_s=5, reachable=False)
    assert desired(unreachable, (0.0, 4, 40.0, 0.0), (2.0, 4, 0.0, 0.0)) == [4, 0]


def test_golden_an_unreachable_revision_may_lose_all_its_pods_at_once() -> None:
    assert desired(Kpa(10, 10, reachable=True), (0.0, 9, 0.0, 0.0)) == [4]
    assert desired(Kpa(10, 10, reachable=False), (0.0, 9, 0.0, 0.0)) == [0]


def test_golden_activation_is_for_those_who_have_load() -> None:
    kpa = Kpa(10, 10, activation_scale=3)
    assert desired(kpa, (0.0, 0, 0.0, 0.0), (2.0, 0, 1.0, 1.0), (4.0, 3, 50.0, 50.0)) == [0, 3, 5]


@pytest.mark.parametrize(("burst", "capacity"), [(0, 0), (-1, -1), (-7.5, -1), (10, 99), (10.5, 99), (11, 98)])
def test_golden_excess_burst_capacity_is_of_the_ready_pods(burst: float, capacity: int) -> None:
    kpa = Kpa(7, 10, target_burst_capacity=burst)
    assert kpa.decide(0.0, 12, 0.0, 10.5).excess_burst_capacity == capacity


@pytest.mark.parametrize("unknown", [(None, 1.0, 99.0), (1, None, 99.0), (1, 1.0, None)])
def test_what_is_not_known_decides_nothing(unknown: tuple) -> None:
    kpa = Kpa(10, 10)
    assert kpa.decide(0.0, *unknown) == NO_DECISION == KpaDecision(0, 0, False)
    assert (kpa.in_panic, kpa.max_panic_pods) == (False, 1)


def test_an_update_is_for_later_decisions_and_all_or_nothing() -> None:
    kpa = Kpa(10, 10, scale_down_delay_s=0)
    assert desired(kpa, (0.0, 5, 50.0, 0.0)) == [5]
    kpa.update(target=25.0, scale_down_delay_s=60.0)
    assert desired(kpa, (2.0, 5, 75.0, 0.0), (4.0, 5, 50.0, 0.0)) == [3, 2]  # the delay is settled at the start
    with pytest.raises(ConfigError, match="Kpa: total"):
        kpa.update(target=1.0, total=-1.0)
    with pytest.raises(ConfigError, match="now_s cannot be updated; what can is target, total"):
        kpa.update(target=1.0, now_s=3.0)
    assert kpa.target == 25.0


def rule(spec: dict) -> dict:
    """The parameters of a recorded spec, in our words."""
    ours = {RENAMED.get(name, name): value for name, value in spec.items() if name not in NOT_OF_THE_RULE}
    return {
        f"{name[:-3]}_s" if name.endswith("_ns") else name: value / 1e9 if name.endswith("_ns") else value
        for name, value in ours.items()
    }


class Recorded:
    """A recorded sequence, its rule, and its windows where real ones fed it."""

    def __init__(self, sequence: dict) -> None:
        began_ns = sequence["init_panic_time_ns"] or sequence["ticks"][0]["now_ns"]
        self.ticks, self.origin_ns = sequence["ticks"], began_ns // MINUTE_NS * MINUTE_NS
        ready = 0 if "init_ready_err" in sequence else sequence["init_ready"]
        self.kpa = Kpa(**rule(sequence["spec"]), initial_ready=ready, now_s=self.seconds(began_ns))
        assert self.kpa.max_panic_pods == sequence["init_max_panic_pods"]
        assert self.panic_time_ns() == sequence["init_panic_time_ns"]
        self.linear, self.windows = sequence.get("agg") == "linear", []
        if sequence["feed"] == "window":
            widths_ns = (sequence["spec"]["stable_window_ns"], sequence["panic_window_ns"])
            self.windows = [KpaWindow(width_ns / 1e9, 1, not self.linear) for width_ns in widths_ns]

    def seconds(self, time_ns: int) -> float:
        return (time_ns - self.origin_ns) / 1e9

    def panic_time_ns(self) -> int | None:
        time_s = self.kpa.panic_time_s
        return None if time_s is None else self.origin_ns + round(time_s * 1e9)

    def averages(self, tick: dict) -> tuple[float | None, float | None]:
        """Ours where there are windows, held against the recorded ones; else what was recorded."""
        if not self.windows:
            return tick["stable"], tick["panic"]
        for time_ns, value in tick.get("stats", ()):
            for window in self.windows:
                window.record(self.seconds(time_ns), value)
        now_s = self.seconds(tick["now_ns"])
        if self.windows[0].empty(now_s):
            assert tick["stable"] is None
            return None, None
        ours = self.windows[0].average(now_s), self.windows[1].average(now_s)
        if tick["stable"] is None:  # the metric failed, whatever the windows held
            assert {"metric_err", "ready_err"} & tick.keys()
            return None, None
        recorded = (tick["stable"], tick["panic"])
        assert ours == (recorded if self.linear else pytest.approx(recorded, rel=1e-14, abs=0))
        return ours

    def replay(self) -> None:
        for tick in self.ticks:
            if "update" in tick:
                self.kpa.update(**rule(tick["update"]))
            ready = {"notfound": 0, "other": None}.get(tick.get("ready_err"), tick["ready"])
            decision = self.kpa.decide(self.seconds(tick["now_ns"]), ready, *self.averages(tick))
            assert decision == (tick["desired"], tick["ebc"], tick["valid"])
            state = (self.kpa.in_panic, self.panic_time_ns(), self.kpa.max_panic_pods)
            assert state == (tick["in_panic"], tick["panic_time_ns"], tick["max_panic_pods"])


@pytest.mark.parametrize(("feed", "ticks"), [("window", 10_800), ("synthetic", 9_000)])
def test_every_recorded_decision(shared: Path, feed: str, ticks: int) -> None:
    replayed = 0
    with gzip.open(shared / "golden" / "kpa_scale.jsonl.gz", "rt") as lines:
        for sequence in map(json.loads, lines):
            if sequence["feed"] == feed:
                Recorded(sequence).replay()
                replayed += len(sequence["ticks"])
    assert replayed == ticks


@given(
    ticks=TICKS,
    initial_ready=st.integers(0, 5),
    threshold=st.floats(1.1, 10),
    delay_s=st.sampled_from([0.0, 3.0, 20.0]),
)
def test_in_panic_the_pods_wanted_never_fall(ticks: list, initial_ready: int, threshold: float, delay_s: float) -> None:
    kpa = Kpa(10, 10, threshold, initial_ready=initial_ready, scale_down_delay_s=delay_s)
    for tick in times(ticks):
        was_in_panic, most = kpa.in_panic, kpa.max_panic_pods
        wanted = kpa.decide(*tick).desired
        if was_in_panic and kpa.in_panic:
            assert wanted >= kpa.max_panic_pods >= most  # what the delay holds from before the panic may go


@given(ticks=TICKS, up=st.floats(1.01, 20), down=st.floats(1.01, 20), reachable=st.booleans())
def test_outside_panic_the_rates_bound_what_is_wanted(ticks: list, up: float, down: float, reachable: bool) -> None:
    kpa = Kpa(10, 10, inf, up, down, reachable=reachable)
    for now_s, ready, stable, panic in times(ticks):
        pods, load = max(1, ready), ceil(stable / 10)
        wanted = kpa.decide(now_s, ready, stable, panic).desired
        least, most = floor(pods / down) if reachable else 0, ceil(up * pods)
        assert least <= wanted <= most
        assert wanted == load or (wanted == least > load) or (wanted == most < load)


@given(ticks=TICKS, up=st.floats(1.01, 20), initial_ready=st.integers(0, 5))
def test_in_panic_too_growth_is_bounded_by_the_most_pods_ready_in_it(
    ticks: list, up: float, initial_ready: int
) -> None:
    kpa = Kpa(10, 10, max_scale_up_rate=up, initial_ready=initial_ready)
    most = initial_ready
    for now_s, ready, stable, panic in times(ticks):
        if not kpa.in_panic:
            most = kpa.max_panic_pods
        most = max(most, ceil(up * max(1, ready)))
        assert kpa.decide(now_s, ready, stable, panic).desired <= most


@given(ticks=TICKS, delay_s=st.floats(0.1, 30))
def test_delayed_is_the_highest_of_the_undelayed_in_the_ticks_of_the_delay(ticks: list, delay_s: float) -> None:
    delayed, plain, wanted = Kpa(10, 10, scale_down_delay_s=delay_s), Kpa(10, 10), []
    for now_s, *seen in times(ticks):
        wanted.append((now_s // 2, plain.decide(now_s, *seen).desired))
        expected = max(pods for tick, pods in wanted if tick > now_s // 2 - ceil(delay_s / 2))
        assert delayed.decide(now_s, *seen).desired == expected


@given(ticks=TICKS)
def test_a_pickled_rule_goes_on_as_it_would_have(ticks: list) -> None:
    kpa = Kpa(10, 10, scale_down_delay_s=7)
    for tick in times(ticks):
        copy = pickle.loads(pickle.dumps(kpa))
        assert kpa.decide(*tick) == copy.decide(*tick)


@pytest.mark.parametrize(
    ("name", "value"),
    [("target", 0), ("target", nan), ("total", -1), ("panic_threshold", 0), ("max_scale_up_rate", 1),
     ("max_scale_down_rate", 1), ("max_scale_down_rate", inf), ("stable_window_s", 0), ("scale_down_delay_s", -1),
     ("target_burst_capacity", "211"), ("activation_scale", 1.5), ("reachable", 1), ("initial_ready", -1),
     ("now_s", None)],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"Kpa: {name} must be"):
        Kpa(**{"target": 70, "total": 100, name: value})
