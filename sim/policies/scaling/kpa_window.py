"""Knative's metric window: buckets of a second each, and their average."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import exp, floor, log, modf
from typing import Final

from sim.core import checks

NANOSECONDS: Final = 1_000_000_000
"""In a second."""
NEXT_SECOND: Final = 1.0 - 0.5e-9
"""The fraction of a second from which the nearest nanosecond is the next second."""
NEVER: Final = -(1 << 62)
"""The bucket of a write that has not been: so long ago that it is outside every window."""
LEAST_DECAY: Final = 0.2
"""The weight of the newest bucket of a weighted average is at least this, however long the window."""
WEIGHTS_MISS: Final = 0.0001
"""What the weights of a whole window lack to 1, unless the newest weighs `LEAST_DECAY`."""


def nanoseconds(seconds: float) -> int:
    """The nearest whole number of nanoseconds; the fraction is taken apart first, so that no digit of it is lost."""
    whole = int(seconds)
    return whole * NANOSECONDS + round((seconds - whole) * 1e9)


class KpaWindow:
    """The average of a metric over the seconds just past, as Knative's autoscaler sees it.

    Values recorded in one bucket add up. The *linear* average is the sum of the buckets over their number, to six
    digits, halves away from zero. Buckets count from the first write, for a young window is averaged over what it has
    seen, to the last one: silence in between counts as 0, but not since, as the oldest buckets leave the window and no
    new ones come. A window without writes is forgotten, and young again at the next. The *weighted* average gives the
    newest bucket the weight a and each older one 1 − a times its successor's, with a = max(1 − 0.0001^(1/n), 0.2) for
    n buckets; it is not rounded, and silence since the last write weighs in as 0.

    Source: Knative serving, 98e5ef90, pkg/autoscaler/aggregation/bucketing.go. As there, the sum is kept from write to
    write, so that even its rounding errors are the same, and a record or an average costs what has changed since the
    last one; only a weighted average goes through its buckets.

    Args:
        window_s: seconds, at least 1; in Knative 60 by default for the stable window and 6 for the panic window.
        granularity_s: whole seconds a bucket, 1 in Knative. Buckets begin at multiples of it.
        weighted: whether the average is the weighted one, Knative's aggregation algorithm "weighted-exponential".

    Raises:
        ConfigError: a parameter is not in its range.
    """

    __slots__ = ("_aged_to", "_aged_total", "_decay", "_first", "_last", "_ring", "_total", "_unit_s", "_window_ns")

    def __init__(self, window_s: float, granularity_s: int = 1, weighted: bool = False) -> None:
        checks.whole("KpaWindow: granularity_s", granularity_s, low=1)
        self._unit_s = int(granularity_s)
        self._window_ns = _window_ns(window_s)
        self._ring = array("d", [0.0]) * self._buckets_of(self._window_ns)  # bucket i is at i modulo its length
        self._decay = _decay(len(self._ring)) if weighted else None
        self._total = 0.0
        self._first = self._last = NEVER  # the buckets of the first and the last write
        self._aged_to, self._aged_total = NEVER, 0.0  # the total without what is over at a bucket after the last write

    def record(self, now_s: float, value: float) -> None:
        """Add a value to the bucket of `now_s`; one that lies a window or more before the last write is dropped."""
        self.record_each(now_s, (value,))

    def record_each(self, first_s: float, values: Iterable[float]) -> None:
        """Record a value a bucket: the first in that of `first_s`, each other one in the next."""
        self.record_from(self.bucket(first_s), values)

    def record_from(self, begin: int, values: Iterable[float]) -> None:
        """Record a value a bucket, from the bucket `begin` on."""
        ring, size, total, first, last = self._ring, len(self._ring), self._total, self._first, self._last
        for bucket, value in enumerate(values, begin):
            ahead = bucket - last
            if ahead == 1 < size:  # the usual case of what follows
                place, last = bucket % size, bucket
                total = total - ring[place] + value
                ring[place] = 0.0 + value
                continue
            if ahead <= -size:
                continue
            if ahead and (first == NEVER or bucket < first):
                first = bucket
            if ahead >= size:
                ring[:], total, first, last = array("d", [0.0]) * size, 0.0, bucket, bucket
            elif ahead > 0:
                for skipped in range(last + 1, bucket + 1):
                    total -= ring[skipped % size]
                    ring[skipped % size] = 0.0
                last = bucket
            ring[bucket % size] += value
            total += value
        self._total, self._first, self._last, self._aged_to = total, first, last, NEVER

    def average(self, now_s: float) -> float:
        """The average at `now_s`, which may lie before the last write; 0 if nothing was written for a window."""
        return self.average_at(self.bucket(now_s))

    def average_at(self, bucket: int) -> float:
        """The average at the times of a bucket."""
        size = len(self._ring)
        quiet = bucket - self._last if bucket > self._last else 0
        if quiet >= size:
            return 0.0
        if self._decay is not None:
            return self._weighted(self._decay, quiet)
        total = self._total_without_what_is_over(bucket) if quiet else self._total
        if total == 0.0:
            return 0.0
        return _six_digits(total / min(self._last - self._first + 1, size - quiet))

    def empty(self, now_s: float) -> bool:
        """Whether the last write was more than a window ago, or never: there is nothing to decide on."""
        return self.empty_at(self.bucket(now_s))

    def empty_at(self, bucket: int) -> bool:
        """The same at the times of a bucket."""
        return bucket - self._last > self._window_ns // (self._unit_s * NANOSECONDS)

    def resize(self, window_s: float, now_s: float) -> None:
        """Change the window, keeping the newest buckets that fit.

        The first write is taken to be a full old window before the last, even if there was none. If nothing was
        written in the old window, all that is kept is when the last write was.

        Raises:
            ConfigError: `window_s` is not a number of at least 1.
        """
        window_ns = _window_ns(window_s)
        if window_ns == self._window_ns:
            return
        size = self._buckets_of(window_ns)
        ring, total, first = array("d", [0.0]) * size, 0.0, NEVER
        if not self.empty(now_s):
            for age, value in enumerate(self._newest_first()[:size]):
                ring[(self._last - age) % size] = value
                total += value  # one by one: since Python 3.12 sum() rounds only once
            first = self._last - (len(self._ring) - 1)
        self._window_ns, self._ring, self._total, self._first = window_ns, ring, total, first
        self._decay = _decay(size) if self._decay is not None else None
        self._aged_to = NEVER

    def bucket(self, now_s: float) -> int:
        """The bucket of the nearest whole nanosecond."""
        second = floor(now_s)
        return (second + (now_s - second >= NEXT_SECOND)) // self._unit_s

    def _buckets_of(self, window_ns: int) -> int:
        """How many buckets a window touches, begun ones too."""
        return -(-window_ns // (self._unit_s * NANOSECONDS))

    def _total_without_what_is_over(self, bucket: int) -> float:
        """The total at a bucket after the last write, less the buckets that have left the window since."""
        ring, since = self._ring, self._aged_to
        if not self._last < since <= bucket:
            since, self._aged_total = self._last, self._total
        for over in range(since + 1, bucket + 1):
            self._aged_total -= ring[over % len(ring)]
        self._aged_to = bucket
        return self._aged_total

    def _weighted(self, decay: float, quiet: int) -> float:
        weight, total = decay * _power(1.0 - decay, quiet), 0.0
        for value in self._newest_first()[: len(self._ring) - quiet]:
            total += value * weight
            weight *= 1.0 - decay
        return total

    def _newest_first(self) -> array[float]:
        slot = self._last % len(self._ring)
        return self._ring[slot::-1] + self._ring[:slot:-1]


def _window_ns(window_s: float) -> int:
    checks.number("KpaWindow: window_s", window_s, low=1)
    return nanoseconds(window_s)


def _decay(buckets: int) -> float:
    return max(1.0 - exp(log(WEIGHTS_MISS) * (1.0 / buckets)), LEAST_DECAY)


def _power(base: float, exponent: int) -> float:
    """By squaring, and the root above by logarithm: as Go's math.Pow does it, whose last digit is not always C's."""
    power = 1.0
    while exponent:
        if exponent & 1:
            power *= base
        base *= base
        exponent >>= 1
    return power


def _six_digits(value: float) -> float:
    fraction, whole = modf(value * 1e6)
    if abs(fraction) >= 0.5:
        whole += 1.0 if fraction > 0 else -1.0
    return whole / 1e6
