"""Several routers, each of which knows what it has learnt."""

from __future__ import annotations

from functools import partial
from heapq import heappush

from sim.core.random import uniform
from sim.core.time import ARRIVAL
from sim.platform.calendar import Calendar, Recurring
from sim.platform.ledger import Ledger
from sim.platform.news import News
from sim.platform.slotted_pool import SlottedPool
from sim.platform.waiting import WaitingCall
from sim.results.columns import QUEUED, WARM


class ManyRouters:
    """Routers in front of pools; each call, and each ping, goes to one at random.

    A router takes an entry of its cache for the truth. If that slot is not free, the call has lost `hop_s`, and the
    router chooses anew from what it knows then; if it knows none, the call is a miss.

    Args:
        pools: one a function; functions of one app may share theirs.
        streams: each function's stream of draws for its calls: the k-th call takes draw k.
        ping_streams: the same for its pings, which are counted apart.
    """

    def __init__(
        self,
        calendar: Calendar,
        ledger: Ledger,
        news: News,
        pools: list[SlottedPool],
        *,
        streams: list[int],
        ping_streams: list[int],
        hop_s: float,
    ) -> None:
        self._calendar, self._ledger, self._news, self._pools = calendar, ledger, news, pools
        self._streams, self._ping_streams, self._hop_s = streams, ping_streams, hop_s
        self._calls, self._pings = [0] * len(pools), [0] * len(pools)

    def route(self, function: int, row: int, now_s: float, service_s: float) -> None:
        """Serve the call `row`, which arrives now."""
        k = self._calls[function]
        self._calls[function] = k + 1
        self._pools[function].keeper.arrived(now_s)
        self._send(uniform(self._streams[function], k), function, k, row, now_s, service_s)

    def ping(self, function: int, row: int, now_s: float, ping_s: float) -> None:
        """Serve a ping, which comes now; to an instance choice its number is that of the next call."""
        u = uniform(self._ping_streams[function], self._pings[function])
        self._pings[function] += 1
        self._send(u, function, self._calls[function], row, now_s, ping_s, is_ping=True)

    def _send(
        self, u: float, function: int, k: int, row: int, now_s: float, service_s: float, *, is_ping: bool = False
    ) -> None:
        news, pool = self._news, self._pools[function]
        router = news.via[row] = int(u * len(news.caches))
        entry = news.caches[router].take(pool.function, function, k)
        if entry is not None and news.slots[pool.function].take(entry, router):
            pool.serve(entry.slot, function, row, now_s, service_s, WARM)
            return
        call = WaitingCall(self._calendar, function, k, row, service_s, is_ping=is_ping)
        if entry is None:
            pool.wait(call, now_s)
        else:
            pool.limit_wait(call, now_s)
            self._hop(call, now_s)

    def _hop(self, call: WaitingCall, arrival_s: float) -> None:
        """Lose time over an entry that was out of date."""
        self._ledger.hops[call.row] += 1
        back = Recurring(self._calendar)
        back.callbacks = [partial(self._resume, call, arrival_s)]
        heappush(self._calendar.queue, (self._calendar._now + self._hop_s, ARRIVAL, call.row, back))

    def _resume(self, call: WaitingCall, arrival_s: float, _event: Recurring) -> None:
        if call.over:  # it has given up
            return
        now_s, news, pool = self._calendar._now, self._news, self._pools[call.function]
        router = news.via[call.row]
        entry = news.caches[router].take(pool.function, call.function, call.k)
        if entry is None:
            pool.binding.miss(pool, call)
        elif news.slots[pool.function].take(entry, router):
            call.over = True
            kind = WARM if now_s == arrival_s else QUEUED
            pool.serve(entry.slot, call.function, call.row, now_s, call.service_s, kind)
        else:
            self._hop(call, arrival_s)
