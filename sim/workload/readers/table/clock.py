"""What a table's own times mean: units, and what counts as second zero."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from sim.core.errors import TraceError

UNITS: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
"""How many there are in a second."""
FIRST: Final = "first"
"""The origin that is the first arrival."""
LARGEST_ORIGIN: Final = 2**61
FARTHEST_S: Final = 1e8
"""Three years: a first arrival beyond it, counted from nothing, is a time of day and not of a trace."""


def units_per_s(option: str, unit: Any) -> float:
    """How many units of that name a second has.

    Raises:
        TraceError: there is no such unit.
    """
    if unit not in UNITS:
        raise TraceError(f"{option} must be one of {list(UNITS)}, not {unit!r}")
    return UNITS[unit]


def number_origin(origin: Any) -> float | int | None:
    """The origin of times that are numbers; None for the first arrival, and zero where nothing is said.

    Raises:
        TraceError: neither a number nor "first".
    """
    if origin == FIRST:
        return None
    number = 0 if origin is None else origin
    if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= LARGEST_ORIGIN:
        raise TraceError(f"origin must be a number, in time_unit, or {FIRST!r}, not {origin!r}")
    return int(number) if float(number).is_integer() else number


def timestamp_origin(origin: Any) -> int | None:
    """The origin of timestamps in nanoseconds since 1970, UTC unless it says otherwise; None for the first arrival.

    Raises:
        TraceError: neither a time nor "first".
    """
    if origin is None or origin == FIRST:
        return None
    why = f"origin must be a time such as '2024-05-01T12:00', or {FIRST!r}, not {origin!r}"
    if not isinstance(origin, str):
        raise TraceError(why)
    try:
        moment = pd.Timestamp(origin)
        return int((moment if moment.tzinfo else moment.tz_localize("UTC")).as_unit("ns").value)
    except (ValueError, TypeError):
        raise TraceError(why) from None


def refuse_far(first_arrival_s: float, origin: Any) -> None:
    """Refuse a trace that begins with years of nothing.

    Raises:
        TraceError: its times are of an epoch, and nothing is said of their origin.
    """
    if origin is None and first_arrival_s > FARTHEST_S:
        raise TraceError(
            f"the first call comes {first_arrival_s:,.0f} s after time zero: if times are counted from 1970, say"
            f" origin={FIRST!r}, or the time at which the trace begins; if they are not seconds, say time_unit"
        )
