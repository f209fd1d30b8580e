"""Scale to zero: when the last pod of a Knative revision goes."""

from __future__ import annotations


class ScaleToZero:
    """Keeps one pod for a while when none is wanted any more.

    A revision that has been active for less than the stable window keeps it for the rest of that. Then it is inactive,
    and calls are routed to the activator; the pod goes when it has been inactive for the longer of grace and retention,
    or for the retention if the activator has been in the path for the grace already.

    Source: Knative serving, 98e5ef90, pkg/reconciler/autoscaling/kpa/scaler.go (handleScaleToZero). There it is looked
    at again at the very moment, here at the next tick.

    Attributes:
        proxy_since_s: since when the activator has been in the path; None: it is not.
    """

    __slots__ = (
        "_active_since_s",
        "_grace_s",
        "_inactive_since_s",
        "_least_active_s",
        "_retention_s",
        "proxy_since_s",
    )

    def __init__(self, grace_s: float, retention_s: float, least_active_s: float) -> None:
        """All in seconds; `least_active_s` is the stable window."""
        self._grace_s, self._retention_s, self._least_active_s = grace_s, retention_s, least_active_s
        self._active_since_s: float | None = None
        self._inactive_since_s: float | None = None
        self.proxy_since_s: float | None = 0.0

    def settle(self, now_s: float, wanted: int, excess_burst_capacity: int) -> int:
        """The pods there should be, where `wanted` are by load and bounds."""
        if wanted > 0:
            if self._active_since_s is None:
                self._active_since_s = now_s
            self._inactive_since_s = None
            if excess_burst_capacity >= 0 or self.proxy_since_s is None:
                self._in_path(now_s, excess_burst_capacity < 0)
            return wanted
        if self._active_since_s is None:
            return 0
        if self._inactive_since_s is None:
            if now_s - self._active_since_s < self._least_active_s:
                return 1
            self._inactive_since_s = now_s
            self._in_path(now_s, True)
        inactive_s = now_s - self._inactive_since_s
        proxy_s = now_s - (now_s if self.proxy_since_s is None else self.proxy_since_s)
        if inactive_s < self._retention_s or max(inactive_s, proxy_s) < self._grace_s:
            return 1
        self._active_since_s = self._inactive_since_s = None
        return 0

    def _in_path(self, now_s: float, is_so: bool) -> None:
        if not is_so:
            self.proxy_since_s = None
        elif self.proxy_since_s is None:
            self.proxy_since_s = now_s
