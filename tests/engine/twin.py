"""The brute-force twin: what the engine must do, once more, as plainly as it can be said.

One function at a time, in the order of its calls; a plain list of instances, looked at in full for every call; no heap,
no events, nothing of the package. Completions come before arrivals and expiries after them, so an instance is usable
iff its last call has ended and its time is not over: ``end <= arrival <= expiry``, both equalities included. The first
call on an instance loads its handler before anything else; a time-out cuts load and execution together.
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple


class Served(NamedTuple):
    """What happened to one call, and when the instance that served it would be reclaimed."""

    row: int
    kind: str
    start_s: float
    end_s: float
    instance: int
    expiry_s: float
    created_s: float
    loaded_s: float
    timed_out: bool


def twin(
    calls: Iterable[tuple[int, float, float, float]],
    start_up_s: float = 0.0,
    life_s: float = inf,
    handler_s: float = 0.0,
    timeout_s: float = inf,
) -> list[Served]:
    """Serve the calls of one function: (row, arrival_s, duration_s, window_s of the instance that ends it)."""
    served: list[Served] = []
    instances: list[Served] = []  # each as its last call left it
    for row, arrival_s, duration_s, window_s in calls:
        instances = [i for i in instances if arrival_s <= i.expiry_s]
        usable = [i for i in instances if i.end_s <= arrival_s]
        if usable:
            last = max(usable, key=lambda i: (i.end_s, i.row))
            instances.remove(last)
            kind, start_s, name, created_s = "warm", arrival_s, last.instance, last.created_s
            loaded_s = last.loaded_s
        else:
            kind, start_s, name, created_s = "cold", arrival_s + start_up_s, row, arrival_s
            loaded_s = start_s + handler_s
        end_s = max(start_s, loaded_s) + duration_s
        timed_out = duration_s > timeout_s or end_s > start_s + timeout_s
        end_s = min(end_s, start_s + timeout_s)
        expiry_s = max(end_s, min(end_s + window_s, created_s + life_s))
        instances.append(Served(row, kind, start_s, end_s, name, expiry_s, created_s, loaded_s, timed_out))
        served.append(instances[-1])
    return served
