"""The starter: how long the start-up of an instance takes, phase by phase, and what it fetches."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from sim.core.random import uniform
from sim.platform.code_store import CodeStore
from sim.platform.registry import Registry
from sim.platform.startup import StartDraws
from sim.platform.startup.parts import NO_TABLE
from sim.results.columns import HANDLER, Starts

FAILED: Final = "failed"
"""The phase that the failed attempts of a start make up, before those of the last one."""
_ATTEMPT: Final = 40
"""Attempt j of start k draws number ``k + (j << 40)``: the first draws what it would if nothing ever failed."""

FirstAttempt = Callable[[StartDraws, int, int], tuple[float, ...]]
"""The phases of the first attempt at the k-th start of a function, in seconds."""


def from_nothing(draws: StartDraws, function: int, k: int) -> tuple[float, ...]:
    """All phases, as drawn."""
    return draws.draw(function, k)


class Start(NamedTuple):
    """A start that has begun.

    Attributes:
        start_up_s: seconds until the instance is ready, or its start has failed.
        succeeds: whether it will be ready.
        handler_s: seconds that the first call on it loads the handler.
    """

    start_up_s: float
    succeeds: bool
    handler_s: float


class Starter:
    """Draws the phases of a start and keeps a record of them.

    How long fetching the code takes is one of them; there are no caches, so that every start fetches the whole package.
    """

    def __init__(
        self,
        registry: Registry,
        code_store: CodeStore,
        bind: Callable[[str], StartDraws],
        first: FirstAttempt = from_nothing,
    ) -> None:
        """What starts are made of.

        Args:
            registry: the functions.
            code_store: their code.
            bind: the draws of starts that calls ask for (``start``), and of all others (``prewarm``).
            first: what is left of a start when it begins.
        """
        self._link, self._code_store, self._bind, self._first = registry.link, code_store, bind, first
        self._draws = bind("start")
        self.loads_late = HANDLER in self._draws.phases
        self._unasked: StartDraws | None = None
        self._kept = self._varying()
        self._function = array("i")
        self._rows = array("q")
        self._phases_s = array("d")

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases of a start, in order."""
        return self._draws.phases

    def _varying(self) -> tuple[int, ...]:
        """The places of the phases that may differ between two starts of one function."""
        if self._first is not from_nothing:
            return tuple(range(len(self.phases)))
        return tuple(np.flatnonzero((self._draws.table != NO_TABLE).any(axis=0)).tolist())

    def begin(self, function: int, k: int, row: int) -> Start:
        """The start that call `row`, the k-th (from 0) of its function, causes."""
        phases_s, success = self._attempt(self._first, self._draws, function, k)
        self._rows.append(row)
        self._function.append(function)
        self._phases_s.extend([phases_s[place] for place in self._kept])
        return self._begun(phases_s, success)

    def begin_unasked(self, function: int, k: int, *, held: bool = False) -> Start:
        """The k-th (from 0) start of an instance of a function that no call asked for; as `begin`.

        One that is to be held (a provisioned floor) always starts from nothing.
        """
        first = from_nothing if held else self._first
        return self._begun(*self._attempt(first, self._unasked_draws(), function, k))

    def begun_before(self, function: int, k: int) -> Start:
        """The same where the instance is ready at once: its start was over before the run, and its handler unloaded."""
        return Start(0.0, True, self._unasked_draws().draw(function, k)[-1] if self.loads_late else 0.0)

    def _unasked_draws(self) -> StartDraws:
        if self._unasked is None:
            self._unasked = self._bind("prewarm")
        return self._unasked

    def _begun(self, phases_s: tuple[float, ...], success: bool) -> Start:
        if self.loads_late:
            return Start(_total_s(phases_s[:-1]), success, phases_s[-1])
        return Start(_total_s(phases_s), success, 0.0)

    def _attempt(self, first: FirstAttempt, draws: StartDraws, function: int, k: int) -> tuple[tuple[float, ...], bool]:
        return first(draws, function, k), True

    def starts(self) -> Starts:
        """The columns of the starts so far."""
        rows = np.frombuffer(self._rows, np.int64)
        return Starts(
            phases=self.phases,
            row=rows,
            function=np.frombuffer(self._function, np.int32),
            kept=self._kept,
            kept_s=np.frombuffer(self._phases_s).reshape(rows.size, len(self._kept)),
            constant_s=self._draws.offset,
            package_mb=np.array([self._code_store.fetch(link) for link in self._link]),
        )


class RetryingStarter(Starter):
    """Every attempt fails with the same probability, at its end, and is repeated a number of times."""

    def __init__(
        self,
        registry: Registry,
        code_store: CodeStore,
        bind: Callable[[str], StartDraws],
        *,
        failure_probability: float,
        attempts: int,
        streams: list[int],
        first: FirstAttempt = from_nothing,
    ) -> None:
        """`streams` has each function's stream of failures."""
        super().__init__(registry, code_store, bind, first)
        self._probability, self._attempts, self._streams = failure_probability, attempts, streams

    @property
    def phases(self) -> tuple[str, ...]:
        """Those of a start, after its failed attempts."""
        return (FAILED, *self._draws.phases)

    def _varying(self) -> tuple[int, ...]:
        """All: any may be 0 because the start has failed."""
        return tuple(range(len(self.phases)))

    def _attempt(self, first: FirstAttempt, draws: StartDraws, function: int, k: int) -> tuple[tuple[float, ...], bool]:
        lost_s = 0.0
        for attempt in range(self._attempts):
            number = k + (attempt << _ATTEMPT)
            phases_s = draws.draw(function, number) if attempt else first(draws, function, k)
            if uniform(self._streams[function], number) >= self._probability:
                return (lost_s, *phases_s), True
            lost_s += self._begun(phases_s, False).start_up_s
        return (lost_s, *(0.0 for _ in draws.phases)), False


def _total_s(phases_s: tuple[float, ...]) -> float:
    start_up_s = 0.0
    for phase_s in phases_s:
        start_up_s += phase_s
    return start_up_s
