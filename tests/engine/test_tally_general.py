"""Everything else on counts, part by part: what the recorded run says, and the same bits whatever the parts."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tallied import (
    DURATIONS,
    assert_same_results,
    assert_same_tallies,
    conditions,
    run,
    source,
    sources,
)
from test_compiled import CHOICES, LEARNING, platforms
from test_compiled_scenarios import Nonsense, Own, Raising

from sim.core.distributions import Exponential
from sim.core.errors import PolicyError
from sim.engine import tallying
from sim.engine.compiled.scenario import Conditions
from sim.engine.compiled.tally.coverage import is_plain
from sim.platform.platform import Platform
from sim.platform.startup import PhasedStart
from sim.policies import Clairvoyant, FixedWindow, KeepAlive, PingWarmer, ProvisionedFloor
from sim.results.tally import Tally, merged
from sim.workload.counts import CountSource, Recipe
from sim.workload.source import Source
from sim.workload.trace import Trace

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

ASKING = [*LEARNING, Own(), Clairvoyant(20.0), PingWarmer(25.0, 60.0, 0.5), PingWarmer(20.0, 60.0, 2.0, pings=2)]
LATE = PhasedStart({"create": Exponential(1.0), "handler": Exponential(0.5)})


def in_parts(trace: Source, given: Conditions, calls: int, minutes: int) -> Tally:
    """A tally with so little room that it is made part by part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallying, "PART_CALLS", calls)
        patch.setattr(tallying, "PART_MINUTES", minutes)
        return tallying.tally(trace, given)


def dealt(trace: Source, given: Conditions, dice: np.random.Generator, shares: int) -> Tally:
    """A tally put together, in any order, of shares of the functions; those that belong together are in one."""
    group = tallying.groups(trace.functions, given)
    share = dice.integers(0, shares, 1 + group.max(initial=0))[group]
    parts = [tallying.tally(trace, given, np.flatnonzero(share == number)) for number in dice.permutation(shares)]
    return merged(parts)


def assert_as_recorded(counts: CountSource, policy: KeepAlive, platform: Platform, **options: Any) -> None:
    """What is told of counts is what is recorded of their calls, by the compiled engine and by the reference."""
    trace = counts.draw(options.get("replication", 0), {})
    ours = run(trace, policy, platform, **options)
    assert_same_results(ours, run(trace, policy, platform, record=True, **options))
    assert_same_results(ours, run(trace, policy, platform, "simpy", **options))


spans = st.sampled_from([{}, {"horizon_s": 55.0}, {"warm_up_s": 30.0, "replication": 3}])


@examples(120)
@given(sources(), platforms(), st.sampled_from(ASKING), spans)
def test_policies_that_ask_for_more_than_a_window(
    counts: CountSource, platform: Platform, policy: KeepAlive, span: dict[str, Any]
) -> None:
    assert_as_recorded(counts, policy, platform, **span)


@examples(80)
@given(sources(), platforms(), st.sampled_from([FixedWindow(20.0), ProvisionedFloor(1, 3.0)]), spans)
def test_windows_on_every_platform_and_floors(
    counts: CountSource, platform: Platform, policy: KeepAlive, span: dict[str, Any]
) -> None:
    assert_as_recorded(counts, policy, platform, **span)


@pytest.mark.parametrize("durations", [*DURATIONS, "lognormal"])
def test_late_handlers_that_time_outs_cut_are_not_plain(durations: str) -> None:
    counts = source({(m, f): 9 for m in range(4) for f in range(3)}, Recipe("uniform", durations), timeout_s=2.0)
    assert not is_plain(counts.functions, FixedWindow(20.0), Platform(start=LATE))
    assert_as_recorded(counts, FixedWindow(20.0), Platform(start=LATE), horizon_s=200.0)


def test_log_normal_durations_are_drawn_before() -> None:
    counts = source({(m, f): 40 * m + 1 for m in range(4) for f in range(3)}, Recipe("poisson", "lognormal", 2))
    assert_as_recorded(counts, FixedWindow(20.0), Platform(start_s=0.5), replication=2, warm_up_s=20.0)


@examples(120)
@given(
    sources(), platforms(), st.sampled_from([*ASKING, FixedWindow(20.0), ProvisionedFloor(2, 3.0)]),
    st.sampled_from([1, 30, 1000]), st.sampled_from([1, 7]), st.integers(0, 99), st.sampled_from([2, 3]),
)  # fmt: skip
def test_the_same_bits_whatever_the_parts_the_threads_and_the_shares(
    counts: CountSource, platform: Platform, policy: KeepAlive, calls: int, minutes: int, dice: int, threads: int
) -> None:
    trace = counts.draw(1, {})
    given = conditions(trace, policy, platform, seed=3, replication=1, warm_up_s=20.0)
    whole = tallying.tally(trace, given)
    assert_same_tallies(in_parts(trace, given, calls, minutes), whole)
    assert_same_tallies(in_parts(trace, replace(given, threads=threads), calls, minutes), whole)
    assert_same_tallies(dealt(trace, given, np.random.default_rng(dice), threads), whole)


@dataclass(frozen=True)
class KeepPopular(KeepAlive):
    """Keep the functions that are called more often than others."""

    needs_future = True

    def windows_s(self, future: Trace | None) -> np.ndarray:
        calls = future.calls_per_function
        return np.where(calls > np.median(calls), 100.0, 0.0)[future.function]


def test_a_policy_that_needs_the_future_sees_all_functions() -> None:
    trace = source({(m, f): 1 + f for m in range(5) for f in range(6)}, Recipe(), average_s=[0.1] * 6).draw(0, {})
    given = conditions(trace, KeepPopular(), Platform(start_s=0.5))
    found = in_parts(trace, given, 5, 1)
    assert_same_tallies(found, tallying.tally(trace, given))
    assert found.counts["cold"].tolist() == [5, 10, 15, 1, 1, 1]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_same_bits_of_many_calls_in_parts(choice: str) -> None:
    cells = {(m, f): 1 + (37 * m + 91 * f) % 300 for m in range(10) for f in range(6)}
    trace = source(cells, Recipe("uniform", "percentiles")).draw(0, {})
    platform = Platform(start=LATE, isolation="app", instance_choice=choice, max_lifetime_s=Exponential(60.0))
    given = conditions(trace, FixedWindow(30.0), platform)
    whole = tallying.tally(trace, given)
    assert_same_tallies(in_parts(trace, replace(given, threads=2), 2000, 1), whole)
    assert_same_tallies(dealt(trace, given, np.random.default_rng(1), 3), whole)


def test_what_belongs_together_is_replayed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = source({(0, f): 2 for f in range(6)}, Recipe()).draw(0, {})
    found: list[list[int]] = []
    part = type(trace).part

    def keep(self: Any, chosen: np.ndarray) -> Any:
        found.append(chosen.tolist())
        return part(self, chosen)

    monkeypatch.setattr(type(trace), "part", keep)
    by_app = replace(LEARNING[1], learns_by="app")
    for policy, platform in ((by_app, Platform(start_s=0.0)), (Own(), Platform(start_s=0.0, isolation="app"))):
        found.clear()
        in_parts(trace, conditions(trace, policy, platform), 1, 1)
        assert found == [[0, 1], [2, 3], [4, 5]]
    found.clear()
    in_parts(trace, conditions(trace, Own(), Platform(start_s=0.0)), 1, 1)
    assert found == [[0], [1], [2], [3], [4], [5]]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("observing", [False, True])
def test_what_a_rule_does_wrong_is_noticed(observing: bool, threads: int) -> None:
    trace = source({(m, f): 1 for m in range(9) for f in range(3)}, Recipe()).draw(0, {})
    with pytest.raises(PolicyError, match="Raising: its rule raised an error"):
        run(trace, Raising(observing), Platform(start_s=0.0), threads=threads)
    with pytest.raises(PolicyError, match=r"Nonsense: its rule decided \(-1.0, inf, 0.0\)"):
        run(trace, Nonsense(), Platform(start_s=0.0), threads=threads)


@pytest.mark.parametrize(
    ("cells", "functions"), [({}, 0), ({}, 3), ({(2, 1): 1}, 3)], ids=["no functions", "no calls", "a single call"]
)
@pytest.mark.parametrize("policy", [*LEARNING, Clairvoyant(), PingWarmer(20.0, 60.0), ProvisionedFloor(2)], ids=repr)
def test_hardly_anything(cells: dict[tuple[int, int], int], functions: int, policy: KeepAlive) -> None:
    counts = source(cells, Recipe("uniform", "percentiles"), functions=functions, spans=((7, 3),))
    for isolation in ("function", "app"):
        assert_as_recorded(counts, policy, Platform(start_s=0.5, isolation=isolation))
    trace = counts.draw(0, {})
    given = conditions(trace, policy, Platform(start_s=0.5))
    assert_same_tallies(in_parts(trace, given, 1, 1), tallying.tally(trace, given))
