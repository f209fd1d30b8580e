"""A replay by several threads, each of which serves functions of its own and sees no other's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import Any, Final

import numpy as np

from sim.engine.compiled import layout
from sim.engine.compiled.join import head, joined
from sim.engine.compiled.kernel import close_units, open_units, replay
from sim.engine.compiled.own import Owners, own_places
from sim.engine.compiled.setup import Prepared, grown
from sim.platform.trigger import Progress

BLOCK: Final = 1 << 20
"""Calls that a thread looks at, at a time: in between it hears that another one has failed, or Ctrl-C."""
HEARD_S: Final = 0.05
"""How often progress is told."""

Functions = tuple[Callable[..., Any], Callable[..., Any]]


class Part:
    """What one thread does.

    Attributes:
        run: a replay of its own; of calls, and of what is told a row a call, it has the same arrays as all others.
        mine: bool[F], the functions that it serves.
        seen: calls that it has come past.
    """

    def __init__(self, whole: layout.Run, owner: Owners, thread: int) -> None:
        self.mine = owner == thread
        self.seen = 0
        self._owner, self._thread = owner, thread
        state = layout.State(*(table.copy() for table in whole.state))
        state.units[~self.mine, layout.UNIT] = -1  # nothing is held for another's units
        lines = layout.Lines(*(np.empty_like(table) for table in whole.lines))
        own = {name: np.empty_like(getattr(whole.out, name)) for name in ("latency_s", "noted", "loading_s")}
        out = whole.out._replace(**own, sums=np.zeros_like(whole.out.sums), refused=np.zeros_like(whole.out.refused))
        self.run = whole._replace(state=state, lines=lines, out=out)

    def do(self, functions: Functions, stop: Event) -> None:
        """Replay what is its own, to the end or until `stop` is set."""
        calls, size = self.run.calls, self.run.calls.function.size
        places = np.empty(min(BLOCK, size), np.uint32)
        open_units(self.run)
        for first in range(0, size, BLOCK):
            if stop.is_set():
                return
            last = min(first + BLOCK, size)
            count = own_places(calls.function, self._owner, self._thread, first, last, places)
            self._replay(places[:count], functions)
            self.seen = last
        self.run = self.run._replace(calls=calls)
        while not close_units(self.run, functions[1]):
            self.run = grown(self.run)

    def _replay(self, own: layout.Array, functions: Functions) -> None:
        self.run = self.run._replace(calls=self.run.calls._replace(own=own))
        first = 0
        while first < own.size:
            first = replay(self.run, first, own.size, *functions)
            if first < own.size:
                self.run = grown(self.run)


def replay_in_threads(prepared: Prepared, owner: Owners, functions: Functions, on_progress: Progress) -> None:
    """Replay all calls of a scenario, a thread for each of the owners of functions.

    Progress is told by the thread that asks for all this, which is also the one that hears Ctrl-C. An error in any
    thread ends all of them and is raised.
    """
    threads, stop = int(owner.max()) + 1, Event()
    parts = [Part(prepared.run, owner, thread) for thread in range(threads)]
    with ThreadPoolExecutor(threads, "replay") as pool:
        try:
            running = [pool.submit(part.do, functions, stop) for part in parts]
            while wait(running, HEARD_S, FIRST_EXCEPTION).not_done and not any(map(_has_failed, running)):
                on_progress(min(part.seen for part in parts))
        finally:
            stop.set()
    for each in running:
        each.result()
    runs = [part.run for part in parts]
    prepared.run = joined(prepared.run, runs, [part.mine for part in parts])
    prepared.parts_s = [head(run, "latency_s", layout.LATENCIES) for run in runs]


def _has_failed(future: Any) -> bool:
    return future.done() and future.exception() is not None
