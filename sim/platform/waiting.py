"""A call that waits: for an instance that starts, for a slot, or for room to start an instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.platform.calendar import Calendar, Recurring

if TYPE_CHECKING:
    from sim.platform.slots import SlottedInstance


class WaitingCall(Recurring):
    """A call that found no free slot; it is the event of its own patience running out.

    Attributes:
        function: the called function.
        k: which call of it this is, from 0.
        row: its row in the trace.
        service_s: how long it will run.
        is_ping: whether it is no invocation but a ping.
        claim: the starting instance that it is bound to, if any.
        over: whether it has started, given up or been rejected.
        unmet: whether it waits for room to start an instance.
        has_started_one: whether an instance bears its name already.
        since_s: when it came, where a scaler looks at that.
        let_in: whether it has passed the gate, where there is one.
        pause_s: how long it paused last, where it was throttled.
        last_s: when it comes again for the last time, where it was.
    """

    since_s = 0.0
    let_in = True
    pause_s = 0.0
    last_s = 0.0

    def __init__(
        self, calendar: Calendar, function: int, k: int, row: int, service_s: float, *, is_ping: bool = False
    ) -> None:
        super().__init__(calendar)
        self.function, self.k, self.row, self.service_s = function, k, row, service_s
        self.is_ping = is_ping
        self.claim: SlottedInstance | None = None
        self.over = False
        self.unmet = False
        self.has_started_one = False
