"""Plain scenarios of recorded calls, function by function: what the reference and a recorded run say, to the bit."""

from dataclasses import dataclass, replace
from math import inf, nextafter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from agreement import assert_same_sums
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small import Case, Windows, cases, cases_with_a_gap_for_window, crowds
from tallied import assert_same_results, conditions, run
from test_compiled import traces

import sim
from sim.core.distributions import Exponential
from sim.core.errors import PolicyError
from sim.engine import simulate, tallying
from sim.engine.compiled.tally import engine, plain_replay, setup
from sim.engine.compiled.tally.coverage import is_plain
from sim.engine.compiled.tally.layout import BLOCK, HEAD, HEAPED, Queues
from sim.platform.platform import Platform
from sim.platform.startup import PhasedStart
from sim.policies import FixedWindow, KeepAlive, KeepForever, NoKeepAlive
from sim.results.pricing import PriceBook

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

BOOKS = [sim.load_pricing(name) for name in ("aws_lambda_arm", "azure_consumption", "cloud_run", "own_cluster")]
STEPS = PriceBook("steps", "", "", 1.0, 3.0, 0.25, 1.0, bills_start_up=True, start_up_phases=("create", "download"))
PHASED = {"create": Exponential(2.0), "runtime": 1.0, "download": Exponential(0.3)}
shares = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


def assert_plain(trace: sim.Trace, policy: KeepAlive, platform: Platform, **options: object) -> None:
    """It is replayed function by function, and comes to what the reference and the recording engine say."""
    assert is_plain(trace.functions, policy, platform)
    assert_same_sums(trace, policy, platform, **options)


@st.composite
def plain_platforms(draw: st.DrawFn) -> Platform:
    start = draw(st.sampled_from([{"start_s": 0.0}, {"start_s": 1.0}, {"start": PhasedStart(PHASED)},
                                  {"start": PhasedStart(PHASED | {"handler": Exponential(1.0)})}]))  # fmt: skip
    return Platform(**start, max_instances_per_unit=draw(st.sampled_from([inf, inf, 1, 3])))


@examples(200)
@given(cases_with_a_gap_for_window(lives=False), shares)
def test_one_window_equal_to_a_gap_to_the_last_bit(case: Case, span: list[float]) -> None:
    assert_plain(case.trace, FixedWindow(case.window_s[0]), case.platform)
    warm_up_s, horizon_s = (share * case.trace.horizon_s for share in span)
    assert_plain(case.trace, FixedWindow(case.window_s[0]), case.platform, warm_up_s=warm_up_s, horizon_s=horizon_s)


@examples(200)
@given(cases(lives=False, handlers=True, constant=True), st.sampled_from([inf, 1, 2]))
def test_late_handlers_and_caps(case: Case, cap: float) -> None:
    platform = replace(replace(case, timeout_s=inf).platform, max_instances_per_unit=cap)
    assert_plain(replace(case, timeout_s=inf).trace, FixedWindow(case.window_s[0]), platform)


@examples(100)
@given(crowds(), st.sampled_from([inf, 1, 4]))
def test_much_at_once(case: Case, cap: float) -> None:
    platform = replace(replace(case, life_s=inf).platform, max_instances_per_unit=cap)
    assert_plain(case.trace, FixedWindow(case.window_s[0]), platform)


@examples(200)
@given(traces(), plain_platforms(), st.sampled_from([FixedWindow(7.0), NoKeepAlive(), KeepForever()]), shares,
       st.sampled_from([*BOOKS, STEPS]))  # fmt: skip
def test_drawn_starts_and_every_price_book(
    trace: sim.Trace, platform: Platform, policy: KeepAlive, span: list[float], price: PriceBook
) -> None:
    if platform.start_model.loads_late:
        trace = replace(trace, functions=trace.functions.assign(timeout_s=inf))
    warm_up_s, horizon_s = (share * trace.horizon_s for share in span)
    assert_plain(trace, policy, platform, price=price, warm_up_s=warm_up_s, horizon_s=horizon_s, seed=2, replication=3)


def bursts(calls: int, *, drawn: bool) -> sim.Trace:
    """Many more calls of one function at a time than there is room for at first; another one in between."""
    dice = np.random.default_rng(5)
    arrival_s = np.floor(dice.random(calls) * 60) if drawn else np.arange(calls) / 512
    duration_s = dice.exponential(90.0, calls) if drawn else np.full(calls, 45.0)
    function = (dice.random(calls) < 0.01).astype(np.int64)
    return sim.Trace.from_arrays(function, arrival_s, duration_s, functions=pd.DataFrame({"name": ["a", "b"]}))


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Where the open function stood, each time that its instances were given more room."""
    found, wider = [], setup.wider

    def widen(old: Queues) -> Queues:
        found.append(old.at.copy())
        return wider(old)

    monkeypatch.setattr(setup, "wider", widen)
    return found


@pytest.mark.parametrize("drawn", [True, False], ids=["ends out of order", "ends in order"])
def test_more_instances_than_there_is_room_for_at_first(drawn: bool, rooms: list[np.ndarray]) -> None:
    trace = bursts(36_000, drawn=drawn)
    for policy, platform in ((FixedWindow(20.0), Platform(start_s=0.25)), (KeepForever(), Platform(start_s=0.0))):
        assert_plain(trace, policy, platform, warm_up_s=5.0)
    assert rooms
    assert (rooms[0][HEAPED] > 1000) == drawn


def test_a_ring_that_goes_round_many_times() -> None:
    # 600,000 calls a fortieth of a second apart, of which 400 run at a time, and now and then a short one
    calls = 600_000
    duration_s = np.where(np.arange(calls) % 97, 10.0, 0.5)
    trace = sim.Trace.from_arrays(np.zeros(calls, int), np.arange(calls) / 40, duration_s)
    results = [run(trace, FixedWindow(3.0), Platform(start_s=0.25), record=record) for record in (False, True)]
    assert_same_results(*results, binned=False)


def test_a_ring_that_is_moved_after_it_went_round(rooms: list[np.ndarray]) -> None:
    arrival_s = np.concatenate([np.arange(20_001) / 40, 1000 + np.arange(20_000) / 160])
    duration_s = np.where(arrival_s < 1000, 0.5, 150.0)
    trace = sim.Trace.from_arrays(np.zeros(arrival_s.size, int), arrival_s, duration_s, horizon_s=1400.0)
    assert_plain(trace, FixedWindow(60.0), Platform(start_s=0.25), warm_up_s=500.0)
    assert rooms[0][HEAD] > 1 << 14


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 1])
def test_blocks_that_end_with_a_function(size: int) -> None:
    dice = np.random.default_rng(size)
    arrival_s = np.sort(dice.random(2 * size)) * 100
    trace = sim.Trace.from_arrays(np.arange(2 * size) % 2, arrival_s, dice.exponential(0.05, 2 * size))
    for cap in (inf, 4):
        platform = Platform(start_s=0.25, max_instances_per_unit=cap)
        results = [run(trace, FixedWindow(0.5), platform, record=record) for record in (False, True)]
        assert_same_results(*results, binned=False)
    assert 0 < results[0].summary["rejected"] < size


def test_a_pass_that_stops_goes_on_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = bursts(20_000, drawn=True)
    whole = run(trace, FixedWindow(20.0), Platform(start_s=0.25))
    monkeypatch.setattr(plain_replay, "MOST", 1)
    monkeypatch.setattr(engine, "TASK", 10)
    for threads in (1, 2, 3):
        again = run(trace, FixedWindow(20.0), Platform(start_s=0.25), threads=threads)
        assert again.summary.equals(whole.summary)
        assert again.functions.equals(whole.functions)


@pytest.mark.parametrize("policy", [FixedWindow(600), NoKeepAlive(), KeepForever()], ids=repr)
def test_the_embedded_trace(policy: KeepAlive) -> None:
    trace = sim.load_trace("traces/default").slice(0, 7200)
    assert_plain(trace, policy, sim.load_platform("default"), warm_up_s=600.0, horizon_s=6000.0)


@pytest.mark.xdist_group("azure2019")
def test_a_real_trace(shared: Path) -> None:
    trace = sim.load_trace(shared / "traces/azure2019_100f_8h", format="azure2019", arrivals="uniform").slice(0, 3600)
    for calls, binned in ((trace, True), (trace.recorded(), False)):
        ours, theirs = (run(calls, FixedWindow(60), Platform(start_s=0.5), engine) for engine in ("compiled", "simpy"))
        assert_same_results(ours, theirs, binned=binned)


def test_windows_a_call_need_no_future_to_be_no_single_window() -> None:
    trace = sim.Trace.from_arrays([0, 0, 0], [0.0, 10.0, 30.0], 1.0)
    assert_same_sums(trace, Windows((20.0, 5.0, 5.0)), Platform(start_s=0.5))


@dataclass(frozen=True)
class Answering(KeepAlive):
    answer: object

    def windows_s(self, future: sim.Trace | None) -> object:
        return self.answer


@pytest.mark.parametrize("answer", [-1.0, np.nan, "long", None, [1.0]])
def test_windows_that_are_none_are_refused_in_the_words_of_the_reference(answer: object) -> None:
    trace, said = sim.Trace.from_arrays([0, 0], [0.0, 10.0], 1.0), []
    for name in ("simpy", "compiled"):
        with pytest.raises(PolicyError) as error:
            run(trace, Answering(answer), Platform(start_s=0.5), name)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_a_window_of_any_kind_of_number_is_one() -> None:
    trace = sim.Trace.from_arrays([0, 0], [0.0, 10.0], 1.0)
    for answer in (9, np.float32(9), np.array(9)):
        assert run(trace, Answering(answer), Platform(start_s=0.0)).summary["cold_starts"] == 1
    assert run(trace, Answering(nextafter(9, 0)), Platform(start_s=0.0)).summary["cold_starts"] == 2


def test_progress_ends_with_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, told = sim.load_trace("traces/default").slice(0, 3600), []
    monkeypatch.setattr(engine, "TASK", 1000)
    provider, price = sim.load_provider(), sim.load_pricing()
    simulate.simulate(
        trace, FixedWindow(), Platform(start_s=0.0), price=price, provider=provider, engine="compiled", record=False,
        threads=2, on_progress=told.append,
    )  # fmt: skip
    assert told == sorted(told)
    assert told[-1] == len(trace)


def test_an_interrupt_ends_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, asked = sim.load_trace("traces/default"), []
    over = plain_replay.over_columns

    def count(*arguments: object) -> bool:
        asked.append(1)
        return bool(over(*arguments))

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "TASK", 1000)
    monkeypatch.setattr(plain_replay, "MOST", 1)
    monkeypatch.setattr(plain_replay, "over_columns", count)
    with pytest.raises(KeyboardInterrupt):
        simulate.simulate(
            trace, FixedWindow(), Platform(start_s=0.0), price=sim.load_pricing(), provider=sim.load_provider(),
            engine="compiled", record=False, threads=2, on_progress=interrupt,
        )  # fmt: skip
    assert len(asked) < len(trace) / BLOCK


def test_a_tally_says_which_functions_are_missing() -> None:
    trace = sim.Trace.from_arrays([0, 1], [0.0, 10.0], 1.0)
    given = conditions(trace, FixedWindow(), Platform(start_s=0.0))
    with pytest.raises(ValueError, match="a tally of 1 functions, but there are 2"):
        tallying.result_of(tallying.tally(trace, given, np.array([1])), trace.functions, given, sim.load_provider(), {})
