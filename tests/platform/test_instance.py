"""Instances and their pool: which transitions there are, who is chosen next, and when an instance ends."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import numpy as np
import pytest

from sim.core.errors import IllegalTransitionError
from sim.core.time import COMPLETION, EXPIRY
from sim.engine import reference
from sim.platform.calendar import Calendar
from sim.platform.expiry import ExpiryTimer
from sim.platform.instance import BUSY, IDLE, STARTING, STATES, TERMINATED, Instance
from sim.platform.ledger import Ledger
from sim.platform.platform import Platform
from sim.platform.pool import ConstantWindowPool
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import START_KINDS, Columns
from sim.workload.trace import Trace


class World:
    """One instance in its pool, with nobody to call it."""

    def __init__(self) -> None:
        self.calendar = Calendar()
        self.ledger = Ledger(rows=4)
        self.pool = ConstantWindowPool(ExpiryTimer(self.calendar), self.ledger, [], 10.0)
        self.instance = Instance(self.calendar, self.ledger, self.pool, 0, 0, inf)
        self.instance.callbacks = self.instance.handlers = [self.pool.release]

    def bring_to(self, state: int) -> Instance:
        steps: list[Callable[[], None]] = [
            lambda: self.instance.serve_first(1.0, 3.0),
            lambda: self.pool.release(self.instance),
            lambda: self.pool.reclaim(self.instance, 13.0),
        ]
        for step in steps[:state]:
            step()
        assert self.instance.state == state
        return self.instance


ACTIONS: dict[str, Callable[[World], None]] = {
    "run its first call": lambda world: world.instance.serve_first(20.0, 21.0),
    "run another": lambda world: world.instance.serve(1, 20.0, 1.0),
    "be released": lambda world: world.pool.release(world.instance),
    "be reclaimed": lambda world: world.instance.terminate(20.0),
}
LEGAL = {
    (STARTING, "run its first call"): BUSY,
    (IDLE, "run another"): BUSY,
    (BUSY, "be released"): IDLE,
    (IDLE, "be reclaimed"): TERMINATED,
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("state", range(4), ids=STATES)
def test_only_these_transitions_are_legal(state: int, action: str) -> None:
    world = World()
    instance = world.bring_to(state)
    if (state, action) in LEGAL:
        ACTIONS[action](world)
        assert instance.state == LEGAL[state, action]
    else:
        with pytest.raises(IllegalTransitionError, match=f"instance 0 cannot go from {STATES[state]} to "):
            ACTIONS[action](world)
        assert instance.state == state


def test_an_instance_is_its_own_completion_and_its_timer_an_expiry() -> None:
    world = World()
    world.bring_to(BUSY)
    assert [entry[:3] for entry in world.calendar.queue] == [(3.0, COMPLETION, 0)]
    world.calendar.step()
    assert world.instance.state == IDLE
    assert [entry[:3] for entry in world.calendar.queue] == [(13.0, EXPIRY, 0)]
    world.calendar.run()
    assert world.instance.state == TERMINATED
    assert world.pool.free == []
    assert world.calendar.now == 13.0


@dataclass(frozen=True)
class Windows(KeepAlive):
    """A window for each call."""

    values: tuple[float, ...]

    def windows_s(self, future: Trace | None) -> np.ndarray:
        return np.array(self.values)


def serve(*calls: tuple[float, float, float], start_s: float = 0.0, life_s: float = inf) -> Columns:
    """Run calls (arrival, duration, window) of one function."""
    arrival_s, duration_s, windows_s = zip(*calls, strict=True)
    trace = Trace.from_arrays(np.zeros(len(calls), int), arrival_s, duration_s)
    platform = Platform(start_s=start_s, max_lifetime_s=life_s)
    return reference.run(trace, Windows(windows_s), platform, horizon_s=trace.horizon_s, seed=0, replication=0)


def lives(columns: Columns) -> dict[int, float]:
    """When each instance ended."""
    return dict(zip(columns.instances.instance.tolist(), columns.instances.ended_s.tolist(), strict=True))


def who(columns: Columns) -> list[tuple[str, int]]:
    """Start kind and instance of every call."""
    kinds = [START_KINDS[kind] for kind in columns.requests.start_kind]
    return list(zip(kinds, columns.requests.instance.tolist(), strict=True))


def test_the_most_recently_idle_serves_next() -> None:
    columns = serve(
        (0.0, 3.0, 9.0), (0.0, 1.0, 9.0), (0.0, 2.0, 9.0), (5.0, 1.0, 9.0), (5.0, 1.0, 9.0), (5.0, 1.0, 9.0)
    )
    assert [instance for _, instance in who(columns)] == [0, 1, 2, 0, 2, 1]


def test_of_two_that_end_at_once_the_one_of_the_later_row_serves_next() -> None:
    columns = serve((0.0, 2.0, 9.0), (1.0, 1.0, 9.0), (2.0, 1.0, 9.0), (2.0, 1.0, 9.0))
    assert [instance for _, instance in who(columns)] == [0, 1, 1, 0]


def test_a_zero_length_call_that_is_ready_as_another_ends_takes_its_place_by_row() -> None:
    # At 5 instance 0 ends row 3, then instance 2 becomes ready and ends row 2 at once: the later event, the lower row.
    columns = serve(
        (0.0, 1.0, 9.0),
        (3.0, 1.0, 9.0),
        (3.0, 0.0, 9.0),
        (4.0, 1.0, 9.0),
        (5.0, 1.0, 9.0),
        (5.0, 1.0, 9.0),
        start_s=2.0,
    )
    assert who(columns) == [("cold", 0), ("warm", 0), ("cold", 2), ("warm", 0), ("warm", 0), ("warm", 2)]


def test_a_call_is_warm_at_the_instant_of_a_completion_of_an_expiry_and_of_the_end_of_a_life() -> None:
    assert who(serve((0.0, 1.0, 0.0), (1.0, 1.0, 0.0)))[1] == ("warm", 0)
    assert who(serve((0.0, 1.0, 2.0), (3.0, 1.0, 0.0)))[1] == ("warm", 0)
    assert who(serve((0.0, 1.0, inf), (4.0, 1.0, inf), life_s=4.0))[1] == ("warm", 0)
    assert who(serve((0.0, 1.0, inf), (4.5, 1.0, inf), life_s=4.0))[1] == ("cold", 1)


def test_a_life_counts_from_creation_and_cuts_no_call() -> None:
    assert lives(serve((0.0, 1.0, inf), start_s=2.0, life_s=5.0)) == {0: 5.0}
    assert lives(serve((0.0, 9.0, inf), start_s=2.0, life_s=5.0)) == {0: 11.0}
    assert lives(serve((0.0, 1.0, inf), start_s=7.0, life_s=5.0)) == {0: 8.0}  # it was over before it was ready


def test_a_shorter_window_supersedes_a_longer_one() -> None:
    assert lives(serve((0.0, 1.0, 10.0), (2.0, 1.0, 1.0))) == {0: 4.0}


def test_an_alarm_superseded_and_set_again_for_its_first_instant_rings_once() -> None:
    columns = serve((0.0, 1.0, 10.0), (2.0, 1.0, 1.0), (3.5, 0.5, 7.0), (11.0, 0.0, 0.0))
    assert who(columns)[3] == ("warm", 0)
    assert lives(columns) == {0: 11.0}


def test_a_longer_window_moves_the_alarm_and_forever_stops_it() -> None:
    assert lives(serve((0.0, 1.0, 2.0), (2.0, 0.5, 6.0))) == {0: 8.5}
    assert lives(serve((0.0, 1.0, 2.0), (2.0, 0.5, inf))) == {0: inf}
    assert lives(serve((0.0, 1.0, 2.0), (2.0, 5.0, 1.0))) == {0: 8.0}  # busy when the first alarm rings


def test_one_timer_for_all_ends_each_in_its_time() -> None:
    columns = serve(
        (0.0, 1.0, 9.0), (0.0, 2.0, 3.0), (0.0, 3.0, 2.0), (0.0, 4.0, 0.0), (0.0, 5.0, inf), (0.0, 6.0, 4.0)
    )
    assert lives(columns) == {0: 10.0, 1: 5.0, 2: 5.0, 3: 4.0, 4: inf, 5: 10.0}
