"""The calendar: the order of events at one instant, and SimPy's own ways in it."""

from collections.abc import Iterator
from heapq import heappush
from itertools import permutations

import pytest
import simpy

from sim.core.time import ARRIVAL, COMPLETION, EXPIRY, READY, TICK
from sim.platform.calendar import Calendar, Recurring

Log = list[tuple[object, ...]]


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def log() -> Log:
    return []


def put(calendar: Calendar, log: Log, time_s: float, kind: int, number: int) -> Recurring:
    event = Recurring(calendar)
    event.callbacks = [lambda _: log.append((calendar.now, kind, number))]
    heappush(calendar.queue, (time_s, kind, number, event))
    return event


def test_at_one_instant_kinds_come_in_order_whoever_was_put_first() -> None:
    kinds = (COMPLETION, READY, ARRIVAL, TICK, EXPIRY)
    for order in permutations(kinds):
        calendar, log = Calendar(), []
        for kind in order:
            put(calendar, log, 3.0, kind, number=-kind)
        calendar.run()
        assert log == [(3.0, kind, -kind) for kind in kinds]


def test_events_of_a_kind_come_in_the_order_of_their_numbers(calendar: Calendar, log: Log) -> None:
    for number in (7, -2, 4):
        put(calendar, log, 1.0, ARRIVAL, number)
    put(calendar, log, 0.5, ARRIVAL, 9)
    calendar.run()
    assert log == [(0.5, ARRIVAL, 9), (1.0, ARRIVAL, -2), (1.0, ARRIVAL, 4), (1.0, ARRIVAL, 7)]


def test_what_an_event_causes_at_its_own_instant_joins_under_the_same_key(calendar: Calendar, log: Log) -> None:
    put(calendar, log, 1.0, EXPIRY, 0)
    put(calendar, log, 1.0, ARRIVAL, 2)
    first = put(calendar, log, 1.0, ARRIVAL, 1)
    first.callbacks.append(lambda _: put(calendar, log, 1.0, COMPLETION, 1))
    calendar.run()
    assert log == [(1.0, ARRIVAL, 1), (1.0, COMPLETION, 1), (1.0, ARRIVAL, 2), (1.0, EXPIRY, 0)]


def test_times_are_absolute(calendar: Calendar, log: Log) -> None:
    start = put(calendar, log, 0.1, ARRIVAL, 0)
    start.callbacks.append(lambda _: put(calendar, log, 0.3, ARRIVAL, 1))  # 0.1 + (0.3 - 0.1) is not 0.3
    calendar.run()
    assert log == [(0.1, ARRIVAL, 0), (0.3, ARRIVAL, 1)]


def clock(env: simpy.Environment, log: Log, name: str, tick_s: float) -> Iterator[simpy.Event]:
    while True:
        log.append((name, env.now))
        yield env.timeout(tick_s)


def test_plain_simpy_processes_and_run_until(calendar: Calendar, log: Log) -> None:
    calendar.process(clock(calendar, log, "fast", 0.5))
    calendar.process(clock(calendar, log, "slow", 1.0))
    calendar.run(until=2)
    assert log == [("fast", 0), ("slow", 0), ("fast", 0.5), ("slow", 1), ("fast", 1), ("fast", 1.5)]
    assert calendar.now == 2
    calendar.run(until=2.25)
    assert log[6:] == [("slow", 2), ("fast", 2)]


def test_run_until_an_event_returns_its_value(calendar: Calendar, log: Log) -> None:
    assert calendar.run(until=calendar.timeout(3, value="done")) == "done"
    assert calendar.now == 3


def test_run_until_stops_before_anything_at_that_instant(calendar: Calendar, log: Log) -> None:
    for kind in (COMPLETION, ARRIVAL):
        put(calendar, log, 2.0, kind, 0)
    calendar.run(until=2)
    assert log == []
    calendar.run()
    assert log == [(2.0, COMPLETION, 0), (2.0, ARRIVAL, 0)]


def test_a_control_loop_ticks_after_arrivals_and_before_expiries(calendar: Calendar, log: Log) -> None:
    def loop() -> Iterator[simpy.Event]:
        yield calendar.timeout(2.0)
        log.append((calendar.now, TICK, "tick"))

    calendar.process(loop())
    put(calendar, log, 2.0, EXPIRY, 0)
    put(calendar, log, 2.0, ARRIVAL, 0)
    calendar.run()
    assert log == [(2.0, ARRIVAL, 0), (2.0, TICK, "tick"), (2.0, EXPIRY, 0)]


def test_a_process_may_wait_for_another_and_share_a_resource(calendar: Calendar, log: Log) -> None:
    lock = simpy.Resource(calendar, capacity=1)

    def worker(name: str) -> Iterator[simpy.Event]:
        with lock.request() as turn:
            yield turn
            yield calendar.timeout(1.0)
        log.append((name, calendar.now))

    def boss() -> Iterator[simpy.Event]:
        yield calendar.all_of([calendar.process(worker("a")), calendar.process(worker("b"))])
        log.append(("boss", calendar.now))

    calendar.process(boss())
    calendar.run()
    assert log == [("a", 1.0), ("b", 2.0), ("boss", 2.0)]


@pytest.mark.parametrize("until", [None, 10.0])
def test_an_exception_in_a_process_surfaces(calendar: Calendar, until: float | None) -> None:
    def broken() -> Iterator[simpy.Event]:
        yield calendar.timeout(1.0)
        raise ValueError("the matter")

    calendar.process(broken())
    with pytest.raises(ValueError, match="the matter"):
        calendar.run(until=until)
    assert calendar.now == 1.0


def test_an_exception_that_another_process_handles_does_not(calendar: Calendar, log: Log) -> None:
    def broken() -> Iterator[simpy.Event]:
        yield calendar.timeout(1.0)
        raise ValueError("the matter")

    def careful() -> Iterator[simpy.Event]:
        try:
            yield calendar.process(broken())
        except ValueError:
            log.append(("handled", calendar.now))

    calendar.process(careful())
    calendar.run()
    assert log == [("handled", 1.0)]
