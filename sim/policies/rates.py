"""Rates: how often something may happen, as a bucket of tokens or a number a period."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from sim.core import checks

ROUNDING: Final = 1e-9
"""Of a token: ten refills of 0.1 are one token, whatever float64 makes of them."""


class Counter(Protocol):
    """What has been taken of a rate so far."""

    def take(self, now_s: float) -> bool:
        """Take one, if there is one; `now_s` never falls."""


class Rate(Protocol):
    """How often something may happen; a value."""

    def counter(self) -> Counter:
        """A counter of which nothing has been taken yet."""


@dataclass(frozen=True)
class TokenBucket:
    """At most `capacity` at once, and `refill_per_s` more every second, continuously, never above the capacity.

    Attributes:
        capacity: tokens, full at first.
        refill_per_s: tokens a second.
    """

    capacity: float
    refill_per_s: float

    def __post_init__(self) -> None:
        checks.number("capacity", self.capacity, low=1)
        checks.number("refill_per_s", self.refill_per_s, low=0)

    def counter(self) -> BucketCounter:
        """A full bucket."""
        return BucketCounter(self)


class BucketCounter:
    """A bucket, and what was in it when it was last looked at."""

    __slots__ = ("_bucket", "_since_s", "_tokens")

    def __init__(self, bucket: TokenBucket) -> None:
        self._bucket, self._tokens, self._since_s = bucket, bucket.capacity, 0.0

    def take(self, now_s: float) -> bool:
        """See `Counter`."""
        filled = self._tokens + (now_s - self._since_s) * self._bucket.refill_per_s
        self._tokens, self._since_s = min(filled, self._bucket.capacity), now_s
        if self._tokens < 1 - ROUNDING:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True)
class Quota:
    """At most `most` in each period, counted anew from its start: periods begin at multiples of their length.

    Attributes:
        most: how many.
        period_s: seconds.
    """

    most: int
    period_s: float

    def __post_init__(self) -> None:
        checks.whole("most", self.most, low=1)
        checks.number("period_s", self.period_s, above=0)

    def counter(self) -> QuotaCounter:
        """Nothing has been taken."""
        return QuotaCounter(self)


class QuotaCounter:
    """What has been taken in the period under way."""

    __slots__ = ("_period", "_quota", "_taken")

    def __init__(self, quota: Quota) -> None:
        self._quota, self._taken, self._period = quota, 0, -inf

    def take(self, now_s: float) -> bool:
        """See `Counter`."""
        period = now_s // self._quota.period_s
        if period > self._period:
            self._period, self._taken = period, 0
        if self._taken >= self._quota.most:
            return False
        self._taken += 1
        return True
