"""What a replay begins with: a trace, a policy and a platform as arrays."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.distributions import CELLS, Distribution
from sim.core.errors import ConfigError
from sim.core.random import stream
from sim.engine.compiled import layout
from sim.engine.compiled.scenario import Scenario
from sim.platform.asked import Asked
from sim.platform.pinger import NO_PINGS, ping_calls
from sim.platform.startup import StartDraws
from sim.policies.keepalive.demands import Floor
from sim.policies.keepalive.role import checked_windows_s

FloatArray = npt.NDArray[np.float64]
Keys = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]
FIRST_ROOM = 2
"""Slots that each unit has at first."""
FIRST_LINES, LIKELY_LINES = 1 << 16, 1 << 23
"""Instances for which there is room at first, whatever is replayed; and if each of so many calls makes one."""


class Prepared:
    """A scenario as kernels take it.

    Attributes:
        scenario: what it was made from.
        rows: calls that are replayed.
        deployed: the functions as the platform runs them.
        asked: what the policy asks.
        starts: the draws of starts that calls ask for.
        order: int64[n + p], the rows of calls and pings in order of arrival; None where there are no pings.
        pings: function and time of each ping.
        run: what the kernels work on.
        parts_s: latencies, as several threads have left them; None: they are in `run`.
    """

    parts_s: list[FloatArray] | None = None

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.rows = scenario, scenario.rows
        trace, platform = scenario.trace, scenario.platform
        self.deployed = platform.deployed(trace.functions)
        self.asked = asked = Asked.by(scenario.policy)
        size = len(self.deployed)
        self.pings = ping_calls(asked.pings, size, scenario.span.end_s) if asked.pings is not None else NO_PINGS
        self.order = self._order() if self.pings[0].size else None
        self._keys: Keys = trace.function_keys()
        self.starts, self._unasked = (self._bind(purpose) for purpose in ("start", "prewarm"))
        self._windows_s = self._windows()
        self.late = platform.start_model.loads_late
        self.run = layout.Run(self._calls(), self._terms(), self._draws(), self._state(), self._lines(), self._out())

    def _bind(self, purpose: str) -> StartDraws:
        scenario = self.scenario
        return scenario.platform.start_model.bind(
            self.deployed, scenario.seed, scenario.replication, *self._keys, purpose=purpose
        )

    def _streams(self, purpose: str) -> npt.NDArray[np.uint64]:
        return stream(self.scenario.seed, self.scenario.replication, purpose, *self._keys)

    def _order(self) -> npt.NDArray[np.int64]:
        arrival_s = np.concatenate([self.scenario.trace.arrival_s[: self.rows], self.pings[1]])
        return np.argsort(arrival_s, kind="stable")

    def _column(self, of_calls: npt.NDArray[Any], of_pings: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A column of calls and pings in order of arrival; of calls alone, itself."""
        of_calls = np.ascontiguousarray(of_calls[: self.rows])
        return of_calls if self.order is None else np.concatenate([of_calls, of_pings])[self.order]

    def _calls(self) -> layout.Calls:
        trace, asked = self.scenario.trace, self.asked
        ping_s = np.full(self.pings[0].size, asked.pings.ping_s if asked.pings is not None else 0.0)
        service_s = self._column(trace.service_s, ping_s)
        windows_s = self._windows_s
        duration_s = service_s if trace.service_s is trace.duration_s else self._column(trace.duration_s, ping_s)
        return layout.Calls(
            function=_read_only(self._column(trace.function, self.pings[0]).view(np.uint32)),
            arrival_s=_read_only(self._column(trace.arrival_s, self.pings[1])),
            service_s=_read_only(service_s),
            duration_s=_read_only(duration_s),
            number=_read_only(np.empty(0, np.int64) if self.order is None else self.order),
            windows_s=_read_only(np.empty(0) if isinstance(windows_s, float) else windows_s),
            timeout_s=_read_only(self.deployed["timeout_s"].to_numpy(np.float64)),
            rows=self.rows,
        )

    def _windows(self) -> float | FloatArray:
        """One window for all calls, or one for each of the trace; NaN where a rule decides."""
        if self.asked.rule is not None:
            return nan
        answer = checked_windows_s(self.scenario.policy, self.scenario.trace)
        if isinstance(answer, float):
            return answer
        if self.order is not None:
            raise ConfigError("the compiled engine does not cover a window a call together with pings")
        return np.ascontiguousarray(answer)

    def _terms(self) -> layout.Terms:
        scenario, platform, asked, price = self.scenario, self.scenario.platform, self.asked, self.scenario.price
        windows_s = self._windows_s
        return layout.Terms(
            window_s=windows_s if isinstance(windows_s, float) else nan,
            choice=layout.CHOICES.index(platform.instance_choice),
            cap=float(platform.max_instances_per_unit),
            lives=self.lives,
            late=self.late,
            traced_loads=self.traced_loads,
            from_s=scenario.span.start_s,
            to_s=scenario.span.end_s,
            step_s=float(price.granularity_s) if price is not None else 0.0,
            minimum_s=float(price.minimum_s) if price is not None else 0.0,
            record=self.records,
            held=self.held,
            renews=self.held > 0 and self.lives,
            learns=asked.rule is not None,
            draws=asked.rule is not None and asked.rule.needs_uniform,
            lead_s=float(platform.prewarm_lead_s),
        )

    @property
    def lives(self) -> bool:
        """Whether lives are limited."""
        life_s = self.scenario.platform.max_lifetime_s
        return isinstance(life_s, Distribution) or life_s < inf

    @property
    def held(self) -> int:
        """Instances of each unit that are always there, as far as there is room."""
        floor = self.asked.floor
        return int(min(floor.most, self.scenario.platform.max_instances_per_unit)) if isinstance(floor, Floor) else 0

    @property
    def traced_loads(self) -> bool:
        """Whether another call than the one that made an instance may have to do with the load of its handler."""
        asked, timeout_s = self.asked, self.deployed["timeout_s"].to_numpy()
        unasked = asked.rule is not None or bool(asked.floor) or asked.pings is not None
        return unasked or (self.late and bool((timeout_s < inf).any()))

    @property
    def records(self) -> bool:
        """Whether the kernel keeps a row a call: it does of pings, in any case."""
        return self.scenario.record or self.order is not None

    def _draws(self) -> layout.Draws:
        starts, life_s = self.starts, self.scenario.platform.max_lifetime_s
        own = [self._streams(purpose) for purpose in ("lifetime", "instance_choice", "keep_alive_rule")]
        return layout.Draws(
            key=np.column_stack([starts.key, self._bind("prewarm").key if self.traced_loads else starts.key, *own]),
            table=np.ascontiguousarray(starts.table.astype(np.int64)),
            affine=np.column_stack([starts.offset, starts.scale]).astype(np.float64),
            tables=_read_only(starts.tables if starts.tables.size else np.zeros((1, CELLS + 1))),
            billed=self._billed(),
            life=np.array(life_s.table) if isinstance(life_s, Distribution) else np.array([float(life_s)]),
        )

    def _billed(self) -> npt.NDArray[np.bool_]:
        """Whether each phase of a start is billed."""
        price, phases = self.scenario.price, self.starts.phases
        billed = np.zeros(len(phases), np.bool_)
        if price is not None:
            billed[price.billed_phases(phases)] = True
        return billed

    def _state(self) -> layout.State:
        size, room = len(self.deployed), FIRST_ROOM + self.held
        rule, policy = self.asked.rule, self.scenario.policy
        table = np.zeros((size, layout.UNIT_WIDTH), np.int64)
        table[:, layout.UNIT] = units(self.deployed, self.scenario.platform.isolation)
        by_app = rule is not None and policy.learns_by == "app"
        table[:, layout.GROUP] = units(self.deployed, "app") if by_app else table[:, layout.UNIT]
        table[:, layout.LAST] = -1
        for place in (layout.IDLE_AT, layout.BUSY_AT):
            table[:, place], table[:, place + 1] = room * np.arange(size), room
        count = np.zeros(8, np.int64)
        count[[layout.IDLE_USED, layout.BUSY_USED]] = room * size
        slots = 2 * room * size
        plans = np.full((size if rule is not None else 0, 7), inf)
        plans[:, layout.SINCE], plans[:, layout.STARTING] = nan, -1
        learnt = np.tile(np.array((*rule.state, 0.0) if rule is not None else (), np.float64), (len(plans), 1))
        coming = np.empty((size, self.held if self.lives else 0), np.int64)
        idle, ends, busy = np.zeros((slots, 4)), np.zeros(slots), np.zeros((slots, 2), np.int64)
        return layout.State(table, plans, coming, np.zeros(size), learnt, idle, ends, busy, count)

    def grow(self) -> None:
        """Twice as much room for what there is too little of."""
        self.run = grown(self.run)

    def latencies_s(self) -> list[FloatArray]:
        """Latencies of the counted calls that started, in parts, in any order."""
        if self.parts_s is not None:
            return self.parts_s
        return [self.run.out.latency_s[: self.run.state.count[layout.LATENCIES]]]

    def _lines(self) -> layout.Lines:
        likely = min(self.rows, LIKELY_LINES)  # room that is not used takes no memory
        lines = FIRST_LINES + likely + (1 + self.held) * len(self.deployed)
        return layout.Lines(np.empty((lines, 5), np.int64), np.empty((lines, 7)))

    def _out(self) -> layout.Out:
        served = self.rows + self.pings[0].size
        rows = served if self.records else 0
        loads = rows if self.traced_loads else 0
        return layout.Out(
            start_s=np.empty(rows), end_s=np.empty(rows), idle_since_s=np.empty(rows),
            start_kind=np.empty(rows, np.int8), outcome=np.empty(rows, np.int8), instance=np.empty(rows, np.int64),
            latency_s=np.empty(self.rows), bins=np.empty(0, np.int64), noted=np.empty((3, loads), np.int64),
            loading_s=np.empty(loads),
            sums=np.zeros((len(self.deployed), layout.SUM_WIDTH)), refused=np.zeros(3),
        )  # fmt: skip


def grown(run: layout.Run) -> layout.Run:
    """A replay with twice as much room for what there is too little of: lines, or else slots."""
    state, lines = run.state, run.lines
    if state.count[layout.LINES] + len(state.units) + 2 > len(lines.number):
        return run._replace(lines=layout.Lines(_twice(lines.number), _twice(lines.time_s)))
    more = {name: _twice(getattr(state, name)) for name in ("idle", "ends", "busy")}
    return run._replace(state=state._replace(**more))


def _twice(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The table with as many further rows, which nobody has touched yet."""
    wider = np.empty((2 * len(table), *table.shape[1:]), table.dtype)
    wider[: len(table)] = table
    return wider


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array as one that may not be written to: for numba that is another type, so all must be alike."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def units(functions: pd.DataFrame, isolation: str) -> npt.NDArray[np.int32]:
    """int32[F]: the first function of what shares instances, for each function."""
    if isolation == "function":
        return np.arange(len(functions), dtype=np.int32)
    app = functions.groupby(["owner", "app"], sort=False).ngroup().to_numpy()
    _, first, place = np.unique(app, return_index=True, return_inverse=True)
    return first[place].astype(np.int32)
