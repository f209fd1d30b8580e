"""Comparisons: the same arrivals and draws for every policy, the baseline, means and intervals over replications."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import small_counts
from scipy import stats

from sim import ConfigError, Platform, Result, Trace, load_platform, load_pricing, load_provider, load_trace
from sim.core.distributions import LogNormal
from sim.experiment import cells
from sim.experiment.cells import Cell, Done
from sim.experiment.comparison import compare
from sim.experiment.intervals import WITH_INTERVALS
from sim.experiment.setting import Setting
from sim.platform.startup import PhasedStart
from sim.policies import Clairvoyant, FixedWindow, KeepAlive, KeepForever, NoKeepAlive, ProvisionedFloor, Scheduled
from sim.results.digest import Digest
from sim.results.pricing import PriceBook, ProviderPrice

RANDOM = Platform(PhasedStart({"create": LogNormal(0.1, 1.0), "runtime": LogNormal(0.2, 0.9)}))
EXACT = Platform(start_s=0.5)
A_DAY = Trace.from_arrays(["f", "g", "f", "f", "g", "f"], [0.0, 10.0, 30.0, 500.0, 1500.0, 1600.0], 2.0)


@cache  # composing them takes longer than most of these comparisons
def prices() -> tuple[PriceBook, ProviderPrice]:
    return load_pricing(), load_provider()


def setting(platform: Platform = EXACT, **options: object) -> Setting:
    return Setting(platform, *prices(), **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Run:
    """One run of a comparison: what went in, and what came out."""

    trace: Trace
    policy: KeepAlive
    replication: int
    result: Result


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Every run that a comparison makes, recorded in full."""
    made: list[Run] = []
    simulate = cells.simulate

    def watched(trace: Trace, policy: KeepAlive, platform: Platform, **options: object) -> Result:
        result = simulate(trace, policy, platform, **options | {"record": True})
        made.append(Run(trace, policy, options["replication"], result))
        return result

    monkeypatch.setattr(cells, "simulate", watched)
    return made


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, list[float]]], None]:
    """Let the runs of a comparison give the numbers that a test names, one a replication, and 1 for all else."""

    def give(numbers: dict[str, list[float]]) -> None:
        def answered(cell: Cell, *_: object) -> Digest:
            values = {name: 1.0 for name in ("invocations", *WITH_INTERVALS) if name != "wasted_normalised"}
            values |= {name: series[cell.replication] for name, series in numbers.items()}
            empty = pd.DataFrame()
            return Digest(pd.Series(values), pd.DataFrame({"calls": [1]}), empty, empty, empty, empty, 0)

        monkeypatch.setattr(cells, "_simulated", answered)

    return give


# The baseline


def test_the_baseline_is_run_in_addition_only_if_it_is_not_compared(runs: list[Run]) -> None:
    compare(A_DAY, {"a": FixedWindow(60)}, setting())
    assert [run.policy for run in runs] == [FixedWindow(60), FixedWindow(600.0)]
    runs.clear()
    compare(A_DAY, {"a": FixedWindow(60), "b": FixedWindow(600)}, setting())
    assert [run.policy for run in runs] == [FixedWindow(60), FixedWindow(600)]


def test_the_baseline_that_was_not_asked_for_is_no_row() -> None:
    assert compare(A_DAY, {"a": FixedWindow(60)}, setting()).frame["policy"].tolist() == ["a"]


def test_a_policy_may_have_the_baselines_label() -> None:
    frame = compare(A_DAY, {"(baseline)": FixedWindow(60), "((baseline))": NoKeepAlive()}, setting()).frame
    assert frame["policy_value"].tolist() == ["FixedWindow(window_s=60)", "NoKeepAlive()"]
    assert frame["wasted_normalised"].tolist()[0] < 1


@pytest.mark.parametrize(("platform", "replications"), [(EXACT, 1), (RANDOM, 1), (RANDOM, 3)])
def test_the_baselines_waste_is_exactly_one(platform: Platform, replications: int) -> None:
    policies = {"a": FixedWindow(60), "b": FixedWindow(600), "c": KeepForever(), "d": NoKeepAlive()}
    wasted = compare(A_DAY, policies, setting(platform), replications=replications).frame["wasted_normalised"]
    assert wasted[1] == 1.0
    assert wasted[0] < 1.0 < wasted[2]
    assert wasted[3] == 0.0


def test_waste_is_normalised_in_each_replication(answers: Callable[[dict[str, list[float]]], None]) -> None:
    answers({"wasted_gb_s": [1.0, 4.0]})
    frame = compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM), replications=2).frame
    assert (frame["wasted_normalised"][0], frame["wasted_normalised_ci95"][0]) == (1.0, 0.0)
    assert frame["wasted_gb_s"][0] == 2.5


def test_where_the_baseline_wastes_nothing_there_is_no_ratio() -> None:
    frame = compare(Trace.from_arrays([0], [0.0], [5.0]), {"a": FixedWindow(60)}, setting()).frame
    assert frame["wasted_gb_s"].tolist() == [0.0]
    assert np.isnan(frame["wasted_normalised"][0])


# The same draws


def starts_by_row(run: Run) -> dict[int, list[float]]:
    assert run.result.starts is not None
    phases = [name for name in run.result.starts if name.endswith("_s")]
    return {int(row): list(values) for row, *values in run.result.starts[["row", *phases]].itertuples(index=False)}


def test_the_policies_of_a_replication_meet_the_same_calls_and_start_draws(runs: list[Run]) -> None:
    policies = {"none": NoKeepAlive(), "1 min": FixedWindow(60), "10 min": FixedWindow(600), "all": Clairvoyant()}
    compare(A_DAY, policies, setting(RANDOM), replications=2)
    for replication in (0, 1):
        first, *others = [run for run in runs if run.replication == replication]
        started = starts_by_row(first)
        assert len(started) == len(A_DAY)  # without keep-alive every call starts an instance
        for other in others:
            assert other.trace is first.trace
            assert all(started[row] == phases for row, phases in starts_by_row(other).items())
            assert 0 < len(starts_by_row(other)) < len(A_DAY)


def test_replications_differ_in_their_start_draws(runs: list[Run]) -> None:
    compare(A_DAY, {"a": FixedWindow(600)}, setting(RANDOM), replications=2)
    zero, one = starts_by_row(runs[0]), starts_by_row(runs[1])
    assert zero.keys() == one.keys()
    assert all(zero[row] != one[row] for row in zero)


def test_a_recorded_trace_is_the_same_in_every_replication(runs: list[Run]) -> None:
    compare(A_DAY, {"a": FixedWindow(600)}, setting(RANDOM), replications=3)
    assert [run.replication for run in runs] == [0, 1, 2]
    assert all(run.trace is A_DAY for run in runs)


def test_a_trace_of_counts_is_drawn_anew_in_every_replication(runs: list[Run], tmp_path: Path) -> None:
    trace = load_trace(small_counts(tmp_path / "counts"), arrivals="uniform")
    compare(trace, {"a": FixedWindow(60), "b": FixedWindow(600)}, setting(), replications=3)
    assert [run.replication for run in runs] == [0, 0, 1, 1, 2, 2]
    drawn = [run.trace for run in runs[::2]]
    assert drawn[0] is trace
    assert [run.trace for run in runs[1::2]] == drawn  # the same object for both policies
    for replication, one in enumerate(drawn):
        assert one.content_hash() == trace.draw(replication).content_hash()
    assert len({one.content_hash() for one in drawn}) == 3
    assert all((one.calls_per_function == trace.calls_per_function).all() for one in drawn)


def test_the_setting_reaches_every_run(runs: list[Run]) -> None:
    compare(A_DAY, {"a": FixedWindow(60)}, setting(seed=5, warm_up_s=20.0, horizon_s=1000.0))
    for run in runs:
        assert {key: run.result.about[key] for key in ("seed", "warm_up_s", "horizon_s")} == {
            "seed": 5, "warm_up_s": 20.0, "horizon_s": 1000.0
        }  # fmt: skip
        assert run.result.summary["invocations"] == 2


def test_a_seed_gives_the_same_comparison_again_and_another_seed_another() -> None:
    frames = [compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM, seed=seed)).frame for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)
    assert frames[0]["latency_p99_s"][0] != frames[2]["latency_p99_s"][0]


# Replications and intervals


@dataclass(frozen=True)
class Tossing(KeepAlive):
    """A rule that draws."""

    def rule(self) -> object:
        from sim.policies.keepalive.rule import Rule

        return Rule((0.0,), lambda state, gap_s: None, lambda state, u: (600.0 * u, np.inf, 0.0), needs_uniform=True)


@pytest.mark.parametrize(
    ("platform", "policy", "replications"),
    [
        (EXACT, FixedWindow(60), 1),
        (RANDOM, FixedWindow(60), 3),
        (Platform(start_s=0.5, instance_choice="random"), FixedWindow(60), 3),
        (Platform(start_s=0.5, routers=3), FixedWindow(60), 1),
        (Platform(start_s=0.5, route_delay_s=1.0), FixedWindow(60), 1),
        (Platform(start_s=0.5, routers=3, route_delay_s=1.0), FixedWindow(60), 3),
        (Platform(start_s=0.5, start_failure_probability=0.5), FixedWindow(60), 3),
        (EXACT, Tossing(), 3),
    ],
)
def test_where_nothing_is_random_one_replication_says_it_all(
    runs: list[Run], platform: Platform, policy: KeepAlive, replications: int
) -> None:
    policies = {"a": policy, "b": FixedWindow(600)}
    compared = compare(A_DAY, policies, setting(platform), replications=3)
    assert len(runs) == 2 * replications
    assert compared.frame["replications"].tolist() == [replications] * 2
    assert ("nothing is random" in compared.notes["intervals"]) == (replications == 1)


def test_a_trace_of_counts_without_a_draw_is_not_random(tmp_path: Path) -> None:
    trace = load_trace(small_counts(tmp_path / "counts"), arrivals="even", durations="mean")
    assert compare(trace, {"a": FixedWindow(60)}, setting(), replications=5).frame["replications"].tolist() == [1]


def test_one_draw_is_not_called_exact(tmp_path: Path) -> None:
    trace = load_trace(small_counts(tmp_path / "counts"), arrivals="poisson")
    for cut, platform, note in (
        (trace.slice(30.0), EXACT, "no intervals: the trace is one draw of arrivals, which no interval knows of"),
        (trace.slice(30.0), RANDOM, "over 2 replications; the trace is one draw of arrivals, which no interval"),
        (trace.slice(60.0), EXACT, "± half-widths of 95 % t intervals over 2 replications"),
    ):
        compared = compare(cut, {"a": FixedWindow(60)}, setting(platform), replications=2)
        assert note in compared.notes["intervals"]
        assert "exact" not in compared.notes["intervals"]


@pytest.mark.parametrize("numbers", [[1.0, 2.0, 4.0], [0.25, 0.5], [3.0, 3.0, 3.0], [1e9, 1e9 + 1, 1e9 + 5, 1e9 - 3]])
def test_intervals_are_students(answers: Callable[[dict[str, list[float]]], None], numbers: list[float]) -> None:
    answers({"latency_p99_s": numbers})
    frame = compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM), replications=len(numbers)).frame
    mean, half = frame["latency_p99_s"][0], frame["latency_p99_s_ci95"][0]
    assert mean == pytest.approx(np.mean(numbers), rel=1e-15)
    if half == 0:
        assert len(set(numbers)) == 1
        return
    low, high = stats.t.interval(0.95, len(numbers) - 1, loc=np.mean(numbers), scale=stats.sem(numbers))
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-12)


def test_an_interval_by_hand(answers: Callable[[dict[str, list[float]]], None]) -> None:
    answers({"cold_start_rate": [1.0, 2.0, 3.0]})  # standard deviation 1, t(0.975, 2) = 4.302653
    frame = compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM), replications=3).frame
    assert frame["cold_start_rate_ci95"][0] == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)


def test_a_metric_that_is_missing_once_has_neither_mean_nor_interval(
    answers: Callable[[dict[str, list[float]]], None],
) -> None:
    answers({"latency_p50_s": [1.0, np.nan, 3.0]})
    frame = compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM), replications=3).frame
    assert frame[["latency_p50_s", "latency_p50_s_ci95"]].isna().all(axis=None)


def test_one_replication_has_no_intervals() -> None:
    compared = compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM))
    assert compared.frame[[f"{name}_ci95" for name in WITH_INTERVALS]].isna().all(axis=None)
    assert compared.notes["intervals"] == "one replication: no intervals"


def test_intervals_name_their_source() -> None:
    compared = compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM), replications=2)
    assert compared.notes["intervals"] == "± half-widths of 95 % t intervals over 2 replications"


# Rows and notes


def test_rows_come_in_the_order_given() -> None:
    policies = {"z": FixedWindow(60), "a": KeepForever(), "m": FixedWindow(600), "b": Clairvoyant(30)}
    frame = compare(A_DAY, policies, setting()).frame
    assert frame["policy"].tolist() == ["z", "a", "m", "b"]
    assert frame["policy_value"].tolist() == [repr(policy) for policy in policies.values()]
    assert frame["needs_future"].tolist() == [False, False, False, True]


def test_a_row_holds_the_metrics_of_the_run(runs: list[Run]) -> None:
    frame = compare(A_DAY, {"a": FixedWindow(60), "b": FixedWindow(600)}, setting()).frame
    for row, run in enumerate(runs):
        for name, value in run.result.summary.items():
            np.testing.assert_equal(frame[name][row], value)


def test_notes_say_what_was_compared_on_what() -> None:
    notes = compare(A_DAY, {"a": FixedWindow(60)}, setting()).notes
    assert notes["workload"] == "6 calls of 2 functions in 2 apps over 0.444 h"
    spans = {
        (10.0, 1500.0): "4 calls of 2 functions in 2 apps over 0.414 h after a warm-up of 10 s",
        (0.0, 499.0): "3 calls of 2 functions in 2 apps over 0.139 h",
    }
    for (warm_up_s, horizon_s), note in spans.items():
        compared = compare(A_DAY, {"a": FixedWindow(60)}, setting(warm_up_s=warm_up_s, horizon_s=horizon_s))
        assert compared.notes["workload"] == note
        assert note.startswith(f"{compared.frame['invocations'][0]:.0f} calls")
    one = Trace.from_arrays(["f"], [0.0], 1.0, horizon_s=3600.0)
    assert compare(one, {"a": FixedWindow(60)}, setting()).notes["workload"] == "1 call of 1 function in 1 app over 1 h"
    assert notes["platform"] == (
        "unlimited capacity, one request an instance, most recently idle first, starts of 0.5 s"
    )
    limited = Platform(start_s=0.0, max_lifetime_s=90.0, max_instances=3, concurrency=2)
    assert compare(A_DAY, {"a": FixedWindow(60)}, setting(limited)).notes["platform"] == (
        "several requests an instance, most recently idle first, starts of 0 s, instances live at most 90 s,"
        " max_instances=3"
    )
    assert "starts drawn phase by phase" in compare(A_DAY, {"a": FixedWindow(60)}, setting(RANDOM)).notes["platform"]


class Listener:
    """Writes down what a comparison tells."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def read(self, trace: str) -> None:
        self.told.append(trace)

    def planned(self, cells: int, reused: int) -> None:
        self.told.append((cells, reused))

    def done(self, label: str, done: Done) -> None:
        self.told.append((label, done.calls, done.error))


def test_whoever_watches_is_told_of_every_run() -> None:
    watch = Listener()
    compare(A_DAY, {"a": FixedWindow(60)}, setting(), watch=watch)
    assert watch.told == [
        "<Trace: 6 calls of 2 functions over 1,600 s>", (2, 0), ("a", 6.0, ""), ("(baseline)", 6.0, "")
    ]  # fmt: skip


# What is refused


FINE = {"a": FixedWindow(60)}
UNPRICED = Setting(EXACT, load_pricing("azure_consumption"), load_provider())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare(A_DAY, {}, setting()), "there is no policy to compare"),
        (
            lambda: compare(A_DAY, FINE, setting(), replications=0),
            "replications.min must be a whole number >= 1, not 0",
        ),
        (
            lambda: compare(A_DAY, {"a": FixedWindow(60), "b": ProvisionedFloor()}, UNPRICED),
            "ProvisionedFloor(n=1, window_s=600.0) holds instances, and the price book 'Azure",
        ),
        (lambda: compare("default", FINE, setting()), "trace must be a Trace, not 'default'"),
        (lambda: compare(A_DAY, [FixedWindow(60)], setting()), "policies must be a Mapping"),
        (lambda: compare(A_DAY, {"a": FixedWindow}, setting()), "policies['a'] must be a KeepAlive (an instance, not"),
        (lambda: compare(A_DAY, {"a": 60}, setting()), "policies['a'] must be a KeepAlive, not 60"),
        (lambda: compare(A_DAY, FINE, setting("default")), "platform must be a Platform, not 'default'"),
        (lambda: compare(A_DAY, FINE, setting(warm_up_s=2.0, horizon_s=1.0)), "the measured span must satisfy"),
    ],
)
def test_what_cannot_be_compared(runs: list[Run], call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        call()
    assert message in str(error.value)
    assert runs == []


def test_floors_that_hold_nothing_need_no_price() -> None:
    idle = {"a": ProvisionedFloor(0), "b": Scheduled(((0.0, 0), (5.0, 0)))}
    assert compare(A_DAY, idle, UNPRICED).frame["cold_start_rate"].tolist() == [4 / 6, 4 / 6]


def test_the_presets_of_the_public_face_are_compared_alike() -> None:
    assert compare(A_DAY, {"a": FixedWindow(60)}, setting(load_platform("constant_start"))).frame["invocations"][0] == 6
