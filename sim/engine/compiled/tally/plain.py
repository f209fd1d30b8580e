"""Windows, the most recently idle instance first: the calls of one function, of whose instances only ends matter.

An instance idle since the end of its last call is taken up to a window later. The latest end is taken first, so if
that one is too old all are; ends leave the busy instances in ascending order, so the idle ones are a stack. Most ends
come in ascending order too, if calls take equally long: those wait in a ring, and only the others in a heap.
"""

from __future__ import annotations

from math import inf

import numpy as np

from sim.engine.compiled.draws import start_up_s
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import Array
from sim.engine.compiled.sums import billed_s, billed_start_s, count_latency, inside_s
from sim.engine.compiled.tally.ends import drop_first, push
from sim.engine.compiled.tally.layout import (
    BILLED_S,
    BUSY_S,
    CALLED,
    CALLS,
    COLD,
    CUT,
    HEAD,
    HEAPED,
    IDLE,
    IDLE_S,
    LATENCY_S,
    LEFT_IDLE_S,
    REJECTED,
    STARTING_S,
    STARTS,
    TAIL,
    WAIT_S,
    Queues,
    Tallied,
)

LAST_S = float(np.finfo(np.float64).max)
NOT_COUNTED = -1.0


@part
def note_latency(run: Tallied, i: int, latency_s: float) -> None:
    """Note the latency of a call, if all are wanted."""
    if run.latency_s.size:
        run.latency_s[i] = latency_s


@part
def start(run: Tallied, function: int, k: int, now_s: float, service_s: float) -> tuple[float, float, float]:
    """A call makes an instance; returns the call's start and end, and what it is billed, in seconds."""
    terms, sums = run.terms, run.sums[function]
    up_s, handler_s = start_up_s(run.draws, terms, function, k, True)
    start_s = now_s + up_s
    end_s = start_s + handler_s + service_s
    sums[STARTING_S] += inside_s(terms, now_s, start_s)
    if now_s < terms.from_s:
        return start_s, end_s, 0.0
    sums[STARTS] += 1.0
    sums[COLD] += 1.0
    sums[WAIT_S] += start_s - now_s
    return start_s, end_s, billed_s(terms, service_s + handler_s + billed_start_s(run.draws, function, k))


@part
def leave(run: Tallied, function: int, idle: int) -> None:
    """The idle instances of a function stay until their windows are over."""
    terms, stack, left_s = run.terms, run.queues.stack, run.sums[function, LEFT_IDLE_S]
    for place in range(idle):
        left_s += inside_s(terms, stack[place], stack[place] + terms.window_s)
    run.sums[function, LEFT_IDLE_S] = left_s


@part
def refused(run: Tallied, function: int, counts: bool) -> bool:
    """Whether a call that finds no idle instance, so that all those end, finds no room for another either."""
    queues = run.queues
    at = queues.at
    leave(run, function, at[IDLE])
    at[IDLE] = 0
    if at[TAIL] - at[HEAD] + at[HEAPED] < run.terms.cap:
        return False
    run.sums[function, REJECTED] += counts
    return True


@part
def has_room(queues: Queues, calls: int) -> bool:
    """Whether so many further calls of the open function find room, whatever becomes of them."""
    at = queues.at
    busy = at[TAIL] - at[HEAD] + at[HEAPED]
    return bool(busy + at[IDLE] + calls < queues.stack.size)


@part
def end_calls(queues: Queues, until_s: float, next_ring_s: float, next_heap_s: float) -> tuple[float, float]:
    """Calls that have ended by now leave their instances idle; returns the next ends of the ring and of the heap."""
    ring, heap, at = queues.ring, queues.heap, queues.at
    head, heaped, idle = at[HEAD], at[HEAPED], at[IDLE]
    while min(next_ring_s, next_heap_s) <= until_s:
        queues.stack[idle] = min(next_ring_s, next_heap_s)
        idle += 1
        if next_ring_s <= next_heap_s:
            head += 1
            next_ring_s = ring[head & (ring.size - 1)] if head < at[TAIL] else inf
        else:
            drop_first(heap, heaped)
            heaped -= 1
            next_heap_s = heap[0] if heaped else inf
    at[HEAD], at[HEAPED], at[IDLE] = head, heaped, idle
    return next_ring_s, next_heap_s


@part
def begin(queues: Queues, end_s: float, next_ring_s: float, next_heap_s: float) -> tuple[float, float]:
    """A call runs until its end, likewise."""
    ring, at = queues.ring, queues.at
    tail, mask = at[TAIL], ring.size - 1
    if at[HEAD] == tail or end_s >= ring[(tail - 1) & mask]:
        ring[tail & mask] = end_s
        at[TAIL] = tail + 1
        return min(next_ring_s, end_s), next_heap_s
    push(queues.heap, at[HEAPED], end_s)
    at[HEAPED] += 1
    return next_ring_s, queues.heap[0]


@part
def serve(run: Tallied, function: int, arrival_s: Array, duration_s: Array, first: int, stop: int) -> None:
    """The next calls of the open function."""
    terms, sums, stack, at = run.terms, run.sums[function], run.queues.stack, run.queues.at
    timeout_s, known_s, known_bill_s = run.timeout_s[function], -1.0, 0.0
    next_ring_s = run.queues.ring[at[HEAD] & (run.queues.ring.size - 1)] if at[HEAD] < at[TAIL] else inf
    next_heap_s = run.queues.heap[0] if at[HEAPED] else inf
    busy_s, idle_s, latency_s, bill_s, calls = sums[BUSY_S], sums[IDLE_S], sums[LATENCY_S], sums[BILLED_S], sums[CALLS]
    for i in range(first, stop):
        now_s, service_s = arrival_s[i], min(duration_s[i], timeout_s)
        counts = now_s >= terms.from_s
        next_ring_s, next_heap_s = end_calls(run.queues, now_s, next_ring_s, next_heap_s)
        idle = at[IDLE]
        at[CALLED] += 1
        if idle and now_s <= stack[idle - 1] + terms.window_s:
            at[IDLE] = idle - 1
            idle_s += inside_s(terms, stack[idle - 1], now_s)
            start_s, end_s = now_s, now_s + service_s
            if counts:
                if service_s != known_s:
                    known_s, known_bill_s = service_s, billed_s(terms, service_s)
                bill_s += known_bill_s
        elif refused(run, function, counts):
            calls += counts
            note_latency(run, i, NOT_COUNTED)
            continue
        else:
            start_s, end_s, more_s = start(run, function, at[CALLED] - 1, now_s, service_s)
            bill_s += more_s
        busy_s += inside_s(terms, start_s, end_s)
        if counts:
            calls += 1
            latency_s += end_s - now_s
            count_latency(run.bins, end_s - now_s)
            sums[CUT] += service_s < duration_s[i]
        note_latency(run, i, end_s - now_s if counts else NOT_COUNTED)
        next_ring_s, next_heap_s = begin(run.queues, end_s, next_ring_s, next_heap_s)
    sums[BUSY_S], sums[IDLE_S], sums[LATENCY_S], sums[BILLED_S], sums[CALLS] = busy_s, idle_s, latency_s, bill_s, calls


@part
def close(run: Tallied, function: int) -> None:
    """No more calls of the open function come: its last ones end, and their instances."""
    queues = run.queues
    at = queues.at
    next_ring_s = queues.ring[at[HEAD] & (queues.ring.size - 1)] if at[HEAD] < at[TAIL] else inf
    end_calls(queues, LAST_S, next_ring_s, queues.heap[0] if at[HEAPED] else inf)
    leave(run, function, at[IDLE])
    at[:] = 0
