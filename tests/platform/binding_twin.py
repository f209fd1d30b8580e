"""A brute-force twin of slots, queues, caps and patience; only its options know the platform."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, nan

from sim.core.random import uniform
from sim.platform.platform import Platform
from sim.platform.startup import ConstantStart, PhasedStart
from sim.results.columns import NO_INSTANCE

COMPLETION, READY, ARRIVAL, EXPIRY = 0, 1, 2, 4
Event = tuple[float, int, int, object]


@dataclass(frozen=True)
class Options:
    """What the platform of a case is asked for."""

    binding: str = "early"
    choice: str = "most_recently_idle"
    concurrency: int = 1
    unit_cap: float = inf
    cap: float = inf
    queue_limit: float = 0
    max_wait_s: float = inf
    start_up_s: float = 0.0
    life_s: float = inf
    by_app: bool = False
    failing: float = 0.0
    handler_s: float = 0.0
    timeout_s: float = inf

    @property
    def platform(self) -> Platform:
        phases = {"create": self.start_up_s, "handler": self.handler_s}
        return Platform(
            PhasedStart(phases) if self.handler_s else ConstantStart(self.start_up_s),
            max_lifetime_s=self.life_s, instance_choice=self.choice, binding=self.binding,
            concurrency=self.concurrency, max_wait_s=self.max_wait_s, max_instances_per_unit=self.unit_cap,
            max_instances=self.cap, queue_limit=self.queue_limit, isolation="app" if self.by_app else "function",
            start_failure_probability=self.failing, start_attempts=2,
        )  # fmt: skip


@dataclass(eq=False)
class Call:
    """An invocation."""

    row: int
    function: int
    k: int
    unit: int
    arrival_s: float
    service_s: float
    window_s: float
    waits: bool = False
    place: "Life | None" = None  # the starting instance that it is bound to (early, race)
    start_s: float = nan
    end_s: float = nan
    kind: str = ""
    outcome: str = ""
    instance: int = NO_INSTANCE


@dataclass(eq=False)
class Seat:
    """A slot; open: a call that comes may take it, if nobody has."""

    end_s: float = inf
    row: int = 0
    call: Call | None = None
    open: bool = False


@dataclass(eq=False)
class Life:
    """An instance."""

    maker: Call
    number: int
    succeeds: bool
    created_s: float
    ready_s: float
    retire_s: float
    seats: list[Seat]
    starting: bool = True
    served: bool = False
    awaited: bool = True
    opened_s: float = nan
    expiry_s: float = inf
    ended_s: float = inf
    loaded_s: float = nan

    @property
    def running(self) -> bool:
        return any(seat.call for seat in self.seats)


@dataclass
class Twin:
    """One run."""

    options: Options
    calls: list[Call]
    streams: list[int]
    failures: list[int]
    lives: list[Life] = field(default_factory=list)
    taken: dict[int, tuple[float, int]] = field(default_factory=dict)

    def run(self) -> "Twin":
        coming = list(self.calls)
        while happens := [*self.next_of_calls(coming), *(what for i in self.alive() for what in self.next_of(i))]:
            now_s, kind, _, what = min(happens, key=lambda h: h[:3])
            if kind == ARRIVAL:
                coming.pop(0)
                self.arrive(what)
            elif kind == READY:
                self.become_ready(what)
            elif kind == EXPIRY:
                self.expire(what, now_s)
            elif isinstance(what, Call):
                what.waits, what.outcome, what.place = False, "timed_out", None
            else:
                self.complete(*what)
            self.give_places()
        return self

    def next_of_calls(self, coming: list[Call]) -> Iterator[Event]:
        """The next arrival, and when waiting calls lose patience."""
        for call in coming[:1]:
            yield call.arrival_s, ARRIVAL, call.row, call
        for call in self.calls:
            if call.waits and self.options.max_wait_s < inf:
                yield call.arrival_s + self.options.max_wait_s, COMPLETION, call.row, call

    def next_of(self, life: Life) -> Iterator[Event]:
        """What an instance will do if nothing else happens."""
        number = life.number
        if life.starting:
            yield life.ready_s, READY, number, life
            return
        for seat in life.seats:
            if seat.call:
                yield seat.end_s, COMPLETION, seat.row, (life, seat)
        if not life.running and life.expiry_s < inf:
            yield life.expiry_s, EXPIRY, number, life
        elif life.running and any(s.open for s in life.seats) and life.retire_s < inf:
            yield max(life.retire_s, life.opened_s), EXPIRY, number, life

    # What there is.

    def alive(self, unit: int | None = None) -> list[Life]:
        return [i for i in self.lives if i.ended_s == inf and unit in (None, i.maker.unit)]

    def waiting(self, unit: int) -> list[Call]:
        return [c for c in self.calls if c.waits and c.unit == unit]

    def seekers(self, unit: int) -> list[Call]:
        """Calls that may take any slot, first come first."""
        return [c for c in self.waiting(unit) if self.options.binding != "early" or c.place is None]

    def homeless(self, unit: int) -> list[Call]:
        """Calls that nothing which starts is meant for: they wait for room."""
        calls = self.waiting(unit)
        if self.options.binding != "late":
            return [c for c in calls if c.place is None]
        return calls[self.options.concurrency * sum(i.starting for i in self.alive(unit)) :]

    def spare(self, unit: int) -> Life | None:
        for life in self.alive(unit):
            if life.starting and sum(c.place is life for c in self.waiting(unit)) < self.options.concurrency:
                return life
        return None

    def room(self, unit: int) -> bool:
        return len(self.alive()) < self.options.cap and len(self.alive(unit)) < self.options.unit_cap

    # What happens.

    def arrive(self, call: Call) -> None:
        free = [(life, seat) for life in self.alive(call.unit) for seat in life.seats if seat.open and not seat.call]
        if free:
            self.begin(*self.choose(free, call), call, call.arrival_s, "warm")
            return
        if self.options.binding == "late":
            starting = self.options.concurrency * sum(i.starting for i in self.alive(call.unit))
            place = starting > len(self.waiting(call.unit)) or self.launch(call, call.arrival_s)
        else:
            place = call.place = self.spare(call.unit) or self.launch(call, call.arrival_s)
        if place or len(self.homeless(call.unit)) < self.options.queue_limit:
            call.waits = True
        else:
            call.outcome = "rejected"

    def choose(self, free: list[tuple[Life, Seat]], call: Call) -> tuple[Life, Seat]:
        def use(at: tuple[Life, Seat]) -> tuple[float, int]:
            return at[1].end_s, at[1].row

        def creation(at: tuple[Life, Seat]) -> tuple[float, int, float, int]:
            return at[0].created_s, at[0].number, *use(at)

        choice = self.options.choice
        if choice == "by_concurrency":
            choice = "oldest_created" if self.options.concurrency <= 3 else "round_robin"
        if choice in ("least_connections", "power_of_two", "round_robin"):
            return self.choose_by_instance(sorted(free, key=creation), call)
        order = sorted(free, key=creation if "created" in choice else use)
        if choice == "random":
            return order[int(uniform(self.streams[call.function], call.k) * len(order))]
        return order[-1 if choice in ("most_recently_idle", "newest_created") else 0]

    def choose_by_instance(self, order: list[tuple[Life, Seat]], call: Call) -> tuple[Life, Seat]:
        lives = list(dict.fromkeys(life.number for life, _ in order))
        load = {life.number: sum(seat.call is not None for seat in life.seats) for life, _ in order}
        if self.options.choice == "least_connections":
            chosen = min(lives, key=lambda number: load[number])
        elif self.options.choice == "power_of_two":
            u = [uniform(self.streams[call.function], 2 * call.k + j) for j in (0, 1)]
            chosen = min((lives[int(each * len(lives))] for each in u), key=lambda number: load[number])
        else:
            made = {life.number: (life.created_s, life.number) for life, _ in order}
            later = [number for number in lives if made[number] > self.taken.get(call.unit, (-1.0, 0))]
            chosen = (later or lives)[0]
            self.taken[call.unit] = made[chosen]
        return next(at for at in order if at[0].number == chosen)

    def launch(self, call: Call, now_s: float) -> Life | None:
        if not self.room(call.unit):
            return None
        number, k = call.row, call.k
        if any(i.number == call.row for i in self.lives):  # its own failed, or served others: nobody names this one
            k = sum(i.number < 0 for i in self.lives if i.maker.unit == call.unit)
            number = -1 - k
        seats = [Seat() for _ in range(self.options.concurrency)]
        first, second = (uniform(self.failures[call.function], k + (j << 40)) >= self.options.failing for j in (0, 1))
        ready_s = now_s + self.options.start_up_s * (1 if first else 2)
        life = Life(call, number, first or second, now_s, ready_s, now_s + self.options.life_s, seats)
        self.lives.append(life)
        return life

    def begin(self, life: Life, seat: Seat, call: Call, now_s: float, kind: str) -> None:
        call.waits, call.place = False, None
        if not life.served:
            life.loaded_s = now_s + self.options.handler_s
        whole_s, latest_s = max(now_s, life.loaded_s) + call.service_s, now_s + self.options.timeout_s
        cut = call.service_s > self.options.timeout_s or whole_s > latest_s  # ends may round to one instant
        call.kind, call.outcome, call.instance = kind, "timed_out" if cut else "ok", life.number
        call.start_s, call.end_s = now_s, min(whole_s, latest_s)
        seat.end_s, seat.row, seat.call = call.end_s, call.row, call
        life.served = True

    def become_ready(self, life: Life) -> None:
        now_s = life.ready_s
        bound = [c for c in self.waiting(life.maker.unit) if c.place is life]
        life.starting, life.opened_s = False, now_s
        if not life.succeeds:
            lost = [c for c in self.waiting(life.maker.unit) if c in bound or (c is life.maker and life.number >= 0)]
            for call in lost:
                call.waits, call.outcome, call.place = False, "failed", None
            life.ready_s, life.ended_s, life.awaited = nan, now_s, bool(lost)
            self.give_room(now_s)
            return
        for seat in life.seats:
            seat.end_s, seat.row, seat.open = now_s, life.number, True
            seeking = [c for c in bound if c.waits] or self.seekers(life.maker.unit)
            if seeking:
                self.begin(life, seat, seeking[0], now_s, "queued" if life.served or life.number < 0 else "cold")
        life.awaited = life.served
        if not life.served:
            self.rest(life, now_s, life.maker.window_s if life.number >= 0 else 0.0)

    def rest(self, life: Life, now_s: float, window_s: float) -> None:
        life.expiry_s = max(now_s, min(now_s + window_s, life.retire_s))

    def complete(self, life: Life, seat: Seat) -> None:
        call, seat.call = seat.call, None
        now_s = call.end_s
        too_old = now_s > life.retire_s
        seeking = self.seekers(call.unit)
        seat.open = not too_old
        if seeking and not too_old:
            self.begin(life, seat, seeking[0], now_s, "queued")
        elif not life.running:
            self.rest(life, now_s, call.window_s)
            if too_old:  # open for calls that come at this very instant
                life.opened_s = now_s
                for other in life.seats:
                    other.open = True

    def expire(self, life: Life, now_s: float) -> None:
        if life.running:
            for seat in life.seats:
                seat.open = False
            return
        life.ended_s = now_s
        self.give_room(now_s)

    def give_room(self, now_s: float) -> None:
        """An instance has ended: whoever came first starts one, if its unit may."""
        while True:
            self.give_places()
            calls = sorted((c for u in {c.unit for c in self.calls} for c in self.homeless(u)), key=lambda c: c.row)
            call = next((c for c in calls if self.room(c.unit)), None)
            if call is None:
                return
            place = self.launch(call, now_s)
            if self.options.binding != "late":
                call.place = place

    def give_places(self) -> None:
        """A place in a starting instance that nobody is bound to (any more) goes to the first call without one."""
        if self.options.binding == "late":
            return
        for unit in {c.unit for c in self.calls}:
            while (homeless := self.homeless(unit)) and (place := self.spare(unit)):
                homeless[0].place = place
