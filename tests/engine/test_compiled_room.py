"""The compiled engine where there is hardly any room at first: whatever it makes room for, the answers are the same."""

from dataclasses import replace

import pytest
from agreement import assert_agree
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from tallied import sources
from test_compiled import LEARNING, WINDOWED, platforms, traces
from test_tally_general import assert_as_recorded

import sim
from sim.engine.compiled import setup
from sim.engine.compiled.tally import kept_replay
from sim.platform.platform import Platform
from sim.policies import KeepAlive, PingWarmer, ProvisionedFloor
from sim.workload.counts import CountSource

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

POLICIES = st.sampled_from([*WINDOWED, *LEARNING, PingWarmer(5.0, 3.0, 0.5), ProvisionedFloor(2, 3.0)])


def hardly_any_room(patch: pytest.MonkeyPatch) -> None:
    for module, name in ((setup, "FIRST_LINES"), (setup, "FIRST_ROOM"), (kept_replay, "SLOTS")):
        patch.setattr(module, name, 1)
    patch.setattr(setup, "LIKELY_LINES", 0)


@examples(400)
@given(traces(), platforms(), POLICIES, st.floats(0.05, 1.0), st.booleans())
def test_of_calls(trace: sim.Trace, platform: Platform, policy: KeepAlive, share: float, short: bool) -> None:
    if short:
        platform = replace(platform, max_lifetime_s=max(share * trace.horizon_s, 0.01))
    with pytest.MonkeyPatch.context() as patch:
        hardly_any_room(patch)
        assert_agree(trace, policy, platform)


@examples(100)
@given(sources(), platforms(), POLICIES, st.floats(0.05, 1.0), st.booleans())
def test_of_counts(counts: CountSource, platform: Platform, policy: KeepAlive, share: float, short: bool) -> None:
    if short:
        platform = replace(platform, max_lifetime_s=max(share * counts.horizon_s, 0.01))
    with pytest.MonkeyPatch.context() as patch:
        hardly_any_room(patch)
        assert_as_recorded(counts, policy, platform)
