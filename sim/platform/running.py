"""A request that runs on a processor which it shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sim.platform.slots import Slot


class Running(NamedTuple):
    """A request that runs, in the order of ends.

    Attributes:
        virtual_s: where the virtual clock stands at its end.
        row: which.
        slot: where.
        asked: cores.
        alone_s: when it would end if it were alone.
        slowdowns: how often requests had slowed each other down when it began.
    """

    virtual_s: float
    row: int
    slot: Slot
    asked: float
    alone_s: float
    slowdowns: int
