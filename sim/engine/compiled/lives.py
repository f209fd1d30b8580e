"""The lines of kernels as the table of instances that all engines return."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim.engine.compiled import layout
from sim.results.columns import Instances

IntArray = npt.NDArray[np.int64]


def in_order(lines: layout.Lines, made: int) -> IntArray:
    """The places of the first lines in order of creation; at one instant, those that calls made, then the others."""
    number, created_s = lines.number[:made], lines.time_s[:made, layout.CREATED]
    name, unasked = number[:, layout.NAME], number[:, layout.NAME] < 0
    order: IntArray = np.lexsort((np.abs(name), np.where(unasked, number[:, layout.FUNCTION], 0), unasked, created_s))
    return order


def instances(lines: layout.Lines, chosen: IntArray | slice) -> Instances:
    """Some lines, in the order chosen."""
    created, ready, idle_since, ended = (
        np.ascontiguousarray(lines.time_s[chosen, place])
        for place in (layout.CREATED, layout.READY, layout.IDLE_SINCE, layout.ENDED)
    )
    number = lines.number[chosen]
    return Instances(
        function=number[:, layout.FUNCTION].astype(np.int32),
        instance=np.ascontiguousarray(number[:, layout.NAME]),
        created_s=created,
        ready_s=ready,
        awaited=number[:, layout.AWAITED].astype(np.bool_),
        idle_since_s=idle_since,
        ended_s=ended,
    )
