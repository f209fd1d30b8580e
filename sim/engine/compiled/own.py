"""Which calls are a thread's own."""

from __future__ import annotations

import heapq
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.engine.compiled.jit import SOURCES, entry, unsigned
from sim.engine.compiled.layout import GROUP, Array, Run

Owners = npt.NDArray[np.uint16]

WEIGHED: Final = 4096
"""Groups that are dealt by their number of calls; the others, which have least, are dealt in turn."""
SAMPLE: Final = 1 << 20
"""Calls that are looked at to know how many a group has."""


def owners(run: Run, threads: int) -> Owners:
    """Deal groups of functions to threads, the largest first, each to the thread that has the fewest calls so far.

    Groups are what shares instances or learns together. There are never more threads than groups that are called.

    Returns:
        uint16[F], the thread of each function, from 0 on.
    """
    group, function = run.state.units[:, GROUP], run.calls.function
    owner = np.zeros(group.size, np.uint16)
    if threads == 1 or not function.size:
        return owner
    calls = np.bincount(group[function[:: max(function.size // SAMPLE, 1)]], minlength=group.size)
    largest = np.argsort(-calls, kind="stable")
    heads, threads = largest[:WEIGHED], min(threads, int(np.count_nonzero(calls)))
    owner[largest[WEIGHED:]] = np.arange(max(group.size - WEIGHED, 0)) % threads
    load = [(0, thread) for thread in range(threads)]
    for head in heads.tolist():
        total, thread = load[0]
        owner[head] = thread
        heapq.heapreplace(load, (total + int(calls[head]), thread))
    dealt: Owners = owner[group]
    return dealt


def _chooser(sources: str) -> Any:
    @entry
    def own_places(function: Array, owner: Array, thread: int, first: int, stop: int, places: Array) -> int:
        """Write the places of a thread's own calls among some; returns how many there are.

        There is no branch, since nobody can foretell whose the next call is: `places` has room for all.
        """
        count = 0
        for i in range(first, stop if len(sources) else first):
            places[unsigned(count)] = i
            count += int(owner[function[i]] == thread)
        return count

    return own_places


own_places = _chooser(SOURCES)
