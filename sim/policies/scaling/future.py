"""What a policy is shown that declares `needs_future`: the calls of each unit, before they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.workload.trace import FloatArray, Trace


class Future(NamedTuple):
    """The calls of one unit, in their order.

    Attributes:
        arrival_s: float64[n], seconds from the start of the trace, ascending.
        service_s: float64[n], seconds that they run.
    """

    arrival_s: FloatArray
    service_s: FloatArray

    def busy(self) -> npt.NDArray[np.int64]:
        """int64[n]: calls that run just after each arrival, its own included, if none of them waits.

        At one instant ends come before arrivals, and a call of no duration is over before the next one comes.
        """
        end_s = self.arrival_s + self.service_s
        instant = end_s == self.arrival_s
        over = np.searchsorted(np.sort(end_s[~instant]), self.arrival_s, "right")
        brief = np.cumsum(instant) - instant
        running: npt.NDArray[np.int64] = np.arange(1, end_s.size + 1) - over - brief
        return running


def futures(trace: Trace, units: Sequence[int], horizon_s: float) -> dict[int, Future]:
    """The calls up to `horizon_s` of every unit that has any.

    Args:
        trace: all calls.
        units: for each function the unit it is part of.
        horizon_s: seconds, of the last calls that are shown.
    """
    rows = int(np.searchsorted(trace.arrival_s, horizon_s, "right"))
    of_call = np.array(units, np.int64)[trace.function[:rows]]
    order = np.argsort(of_call, kind="stable")
    named, first = np.unique(of_call[order], return_index=True)
    arrival_s, service_s = trace.arrival_s[order], trace.service_s[order]
    parts = zip(np.split(arrival_s, first[1:]), np.split(service_s, first[1:]), strict=True)
    return {unit: Future(*part) for unit, part in zip(named.tolist(), parts, strict=False)}
