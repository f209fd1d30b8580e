"""OpenFaaS: a step more at every alert, back to the least when it is over, and to none when nothing comes."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf

from sim.core import checks
from sim.policies.scaling.recent import RecentSeconds, require_whole_seconds
from sim.policies.scaling.role import Load, Scaler, Scaling, Unit


@dataclass(frozen=True)
class OpenFaas(Scaling):
    """The community edition of OpenFaaS: an alert on the rate of requests, and an idler.

    Every `tick_s` the alert's rule is evaluated: requests of the last `window_s` over its length, above
    `threshold_rps`. Once that has held for `for_s` the alert fires, and each time it is told there are to be
    ``ceil(max_replicas * scaling_factor_percent / 100)`` replicas more. At the first evaluation at which it does not
    hold the alert is resolved, and `min_replicas` are left. The idler looks every `reconcile_s` and takes the last
    replicas from a function without requests for `inactivity_s`; the next call brings back the least at once.

    Source: openfaas/faas, gateway/scaling/ranges.go (bounds, factor) and gateway/handlers/alerthandler.go (steps). That
    the alert compares 10 s with 5 requests a second for 5 s, that it is evaluated every 5 s and told again every 30,
    and the idler's times have not been verified. There the rate is of answers, and interpolated between samples; here
    it is of requests. A function in whose replicas a request still runs is not idle here.

    Attributes:
        threshold_rps: requests a second, above which the rule holds (unverified).
        window_s: whole seconds over which they are counted (unverified).
        for_s: seconds for which the rule must hold (unverified).
        repeat_s: seconds after which an alert that still fires is told again (unverified).
        scaling_factor_percent: of the most, of which a step is; 20 in older releases; 0: no steps.
        min_replicas: replicas that stay when an alert is resolved, and those that the next call brings.
        max_replicas: replicas at most; 20 in older releases (unverified).
        inactivity_s: seconds without requests until the last replicas go (unverified); infinity: there is no idler.
        reconcile_s: seconds between looks of the idler (unverified).
        initial_scale: replicas of every function when the trace begins; deployed long ago, an idle one has none.
        queue_depth: calls of a function that may wait.
        tick_s: seconds between evaluations of the rule (unverified).
    """

    threshold_rps: float = 5.0
    window_s: float = 10.0
    for_s: float = 5.0
    repeat_s: float = 30.0
    scaling_factor_percent: int = 10
    min_replicas: int = 1
    max_replicas: int = 5
    inactivity_s: float = 900.0
    reconcile_s: float = 60.0
    initial_scale: int = 0
    queue_depth: float = inf
    tick_s: float = 5.0

    def __post_init__(self) -> None:
        require_whole_seconds(self, "window_s")
        checks.number("OpenFaas: threshold_rps", self.threshold_rps, low=0)
        checks.number("OpenFaas: for_s", self.for_s, low=0)
        checks.number("OpenFaas: inactivity_s", self.inactivity_s, low=0, finite=False)
        for name in ("repeat_s", "reconcile_s", "tick_s"):
            checks.number(f"OpenFaas: {name}", getattr(self, name), above=0)
        checks.whole("OpenFaas: scaling_factor_percent", self.scaling_factor_percent)
        checks.number("OpenFaas: scaling_factor_percent", self.scaling_factor_percent, low=0, high=100)
        checks.whole("OpenFaas: min_replicas", self.min_replicas, low=1)
        checks.whole("OpenFaas: max_replicas", self.max_replicas, low=self.min_replicas)
        checks.whole("OpenFaas: initial_scale", self.initial_scale, low=0)
        checks.whole("OpenFaas: queue_depth", self.queue_depth, low=1, or_infinity=True)

    @property
    def step(self) -> int:
        """Replicas that an alert adds."""
        return -(-self.max_replicas * self.scaling_factor_percent // 100)

    def at_start(self) -> int:
        """The initial scale."""
        return self.initial_scale

    def scaler(self, unit: Unit) -> OpenFaasScaler:
        """The alert and the idler of one function."""
        return OpenFaasScaler(self)


class OpenFaasScaler(Scaler):
    """The alert and the idler of one function, and the replicas that they have left."""

    def __init__(self, policy: OpenFaas) -> None:
        self._policy = policy
        self._replicas = policy.initial_scale
        self._requests = RecentSeconds(int(policy.window_s))
        self._holds_since_s: float | None = None
        self._told_s: float | None = None  # when the alert that fires was last told
        self._active_s = self._looked_s = 0.0

    def wanted(self, load: Load) -> int:
        """Evaluate the rule, then let the idler look if it is its time."""
        self._requests.add(load.since, load.arrivals)
        self._note_activity(load)
        self._evaluate(load.now_s)
        self._look(load.now_s)
        return self._replicas

    def poked(self, load: Load) -> int:
        """The gateway brings back the least before it lets the request through."""
        self._active_s = load.now_s
        self._replicas = max(self._replicas, self._policy.min_replicas)
        return self._replicas

    @property
    def remembers(self) -> bool:
        """While there should be replicas, or the alert is not settled."""
        return self._replicas > 0 or self._holds_since_s is not None

    def _evaluate(self, now_s: float) -> None:
        policy = self._policy
        if self._requests.total / policy.window_s <= policy.threshold_rps:
            if self._told_s is not None:
                self._set(policy.min_replicas, "resolved")
            self._holds_since_s = self._told_s = None
            return
        if self._holds_since_s is None:
            self._holds_since_s = now_s
        fires = now_s - self._holds_since_s >= policy.for_s
        if fires and (self._told_s is None or now_s - self._told_s >= policy.repeat_s):
            self._told_s = now_s
            self._set(min(self._replicas + policy.step, policy.max_replicas), "firing")

    def _look(self, now_s: float) -> None:
        if floor(now_s / self._policy.reconcile_s) == floor(self._looked_s / self._policy.reconcile_s):
            return
        self._looked_s = now_s
        if now_s - self._active_s >= self._policy.inactivity_s:
            self._set(0, "idle")

    def _set(self, replicas: int, why: str) -> None:
        if replicas != self._replicas:
            self._replicas, self.why = replicas, why

    def _note_activity(self, load: Load) -> None:
        if load.in_flight:
            self._active_s = load.now_s
            return
        busy = [second for second, came in enumerate(load.arrivals) if came or load.concurrency[second]]
        if busy:
            self._active_s = max(self._active_s, float(load.since + busy[-1] + 1))
