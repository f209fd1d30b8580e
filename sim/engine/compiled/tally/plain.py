"""Windows, the most recently idle instance first: the calls of one function, of whose instances only ends matter.

An instance idle since the end of its last call is taken up to a window later. The latest end is taken first, so if that
one is too old all are; ends leave the busy instances in ascending order, so the idle ones are a stack. Most ends come in
ascending order too, if calls take equally long: those wait in a ring, and only the others in a heap.
"""

from __future__ import annotations

from math import inf

import numpy as np

from sim.engine.compiled.draws import phase_s, start_up_s
from sim.engine.compiled.jit import part
from sim.engine.compiled.kernel import billed_s, inside_s
from sim.engine.compiled.layout import Array
from sim.engine.compiled.tally.layout import (
    ASKED_STARTS,
    BILLED_S,
    BUSY_S,
    CALLED,
    CALLS,
    COLD,
    COLD_WAIT_S,
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
    Bins,
    Queues,
    Tallied,
)
from sim.engine.compiled.windows import drop_first, push

SHIFT, LOWEST, LAST_BIN = Bins.SHIFT, Bins.LOWEST, Bins.COUNT - 1


@part
def count_latency(bins: Array, latency_s: float) -> None:
    """Add a latency to the histogram."""
    place = (np.float64(latency_s).view(np.int64) >> SHIFT) - LOWEST
    bins[min(max(place, 0), LAST_BIN)] += 1


@part
def billed_start_s(run: Tallied, function: int, k: int) -> float:
    """The seconds of a start that are billed."""
    total_s = 0.0
    for phase in range(run.billed.size):
        if run.billed[phase]:
            total_s += phase_s(run.draws, function, phase, k, True)
    return total_s


@part
def start(run: Tallied, function: int, k: int, now_s: float, service_s: float) -> tuple[float, float]:
    """A call makes an instance; returns the call's start and end."""
    terms, sums = run.terms, run.sums[function]
    up_s, handler_s = start_up_s(run.draws, terms, function, k, True)
    start_s = now_s + up_s
    sums[STARTING_S] += inside_s(terms, now_s, start_s)
    if now_s >= terms.from_s:
        sums[STARTS] += 1.0
        sums[ASKED_STARTS] += 1.0
        sums[COLD] += 1.0
        sums[WAIT_S] += start_s - now_s
        sums[COLD_WAIT_S] += start_s - now_s
        sums[BILLED_S] += billed_s(terms, service_s + handler_s + billed_start_s(run, function, k))
    return start_s, start_s + handler_s + service_s


@part
def leave(run: Tallied, function: int, idle: int) -> None:
    """The idle instances of a function stay until their windows are over."""
    terms, stack, left_s = run.terms, run.queues.stack, run.sums[function, LEFT_IDLE_S]
    for place in range(idle):
        left_s += inside_s(terms, stack[place], stack[place] + terms.window_s)
    run.sums[function, LEFT_IDLE_S] = left_s


@part
def has_room(queues: Queues, calls: int) -> bool:
    """Whether so many further calls of the open function find room, whatever becomes of them."""
    at = queues.at
    busy = at[TAIL] - at[HEAD] + at[HEAPED]
    return bool(busy + at[IDLE] + calls < queues.stack.size)


@part
def serve(run: Tallied, function: int, arrival_s: Array, duration_s: Array, first: int, stop: int) -> None:
    """The next calls of the open function."""
    terms, queues, sums = run.terms, run.queues, run.sums[function]
    ring, heap, stack, at = queues.ring, queues.heap, queues.stack, queues.at
    head, tail, heaped, idle, called = at[HEAD], at[TAIL], at[HEAPED], at[IDLE], at[CALLED]
    mask, timeout_s = ring.size - 1, run.timeout_s[function]
    next_heap_s = heap[0] if heaped else inf
    next_ring_s = ring[head & mask] if head < tail else inf
    last_s = ring[(tail - 1) & mask] if head < tail else -inf
    busy_s, idle_s, latency_s, bill_s = sums[BUSY_S], sums[IDLE_S], sums[LATENCY_S], sums[BILLED_S]
    calls, known_s, known_bill_s = 0, -1.0, 0.0
    for i in range(first, stop):
        now_s = arrival_s[i]
        service_s = min(duration_s[i], timeout_s)
        while True:
            end_s = min(next_ring_s, next_heap_s)
            if end_s > now_s:
                break
            stack[idle] = end_s
            idle += 1
            if next_ring_s <= next_heap_s:
                head += 1
                next_ring_s = ring[head & mask] if head < tail else inf
            else:
                drop_first(heap, heaped)
                heaped -= 1
                next_heap_s = heap[0] if heaped else inf
        called += 1
        if idle and now_s <= stack[idle - 1] + terms.window_s:
            idle -= 1
            idle_s += inside_s(terms, stack[idle], now_s)
            start_s, end_s = now_s, now_s + service_s
            if now_s >= terms.from_s:
                if service_s != known_s:
                    known_s, known_bill_s = service_s, billed_s(terms, service_s)
                bill_s += known_bill_s
        else:
            leave(run, function, idle)
            idle = 0
            if tail - head + heaped >= terms.cap:
                if now_s >= terms.from_s:
                    calls += 1
                    sums[REJECTED] += 1.0
                continue
            sums[BILLED_S] = bill_s
            start_s, end_s = start(run, function, called - 1, now_s, service_s)
            bill_s = sums[BILLED_S]
        busy_s += inside_s(terms, start_s, end_s)
        if now_s >= terms.from_s:
            calls += 1
            latency_s += end_s - now_s
            count_latency(run.bins, end_s - now_s)
            if service_s < duration_s[i]:
                sums[CUT] += 1.0
        if end_s >= last_s or head == tail:
            ring[tail & mask] = end_s
            if head == tail:
                next_ring_s = end_s
            tail += 1
            last_s = end_s
        else:
            push(heap, heaped, end_s)
            heaped += 1
            next_heap_s = heap[0]
    sums[BUSY_S], sums[IDLE_S], sums[LATENCY_S], sums[BILLED_S] = busy_s, idle_s, latency_s, bill_s
    sums[CALLS] += calls
    at[HEAD], at[TAIL], at[HEAPED], at[IDLE], at[CALLED] = head, tail, heaped, idle, called


@part
def close(run: Tallied, function: int) -> None:
    """No more calls of the open function come: its last ones end, and their instances."""
    queues = run.queues
    ring, heap, stack, at = queues.ring, queues.heap, queues.stack, queues.at
    head, tail, heaped, idle = at[HEAD], at[TAIL], at[HEAPED], at[IDLE]
    mask = ring.size - 1
    while head < tail or heaped:
        if head < tail and (not heaped or ring[head & mask] <= heap[0]):
            stack[idle] = ring[head & mask]
            head += 1
        else:
            stack[idle] = heap[0]
            drop_first(heap, heaped)
            heaped -= 1
        idle += 1
    leave(run, function, idle)
    at[:] = 0
