"""Lambda's scaling: an instance a request, within the concurrency of an account and a rate of new instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sim.core import checks
from sim.core.errors import ConfigError
from sim.policies.keepalive.demands import Admission, Floor, Retries, TrackedFloor
from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.policies.rates import TokenBucket
from sim.policies.scaling.role import Scaling
from sim.workload.trace import Trace


@dataclass(frozen=True)
class LambdaScaling(KeepAlive):
    """Scale by the request, as AWS Lambda does: a request takes an idle instance or starts one, unless it is throttled.

    A request is throttled that would exceed the concurrency which its account has left, or its function's reservation,
    or ten requests a second for each of the account's concurrency; or that needs an instance where its function has
    started `starts_per_10_s` in the last seconds: a bucket of so many tokens, refilled continuously within 10 s. Calls
    of asynchronous triggers wait in Lambda's queue and come again after 1, 2, 4 ... 300 s, up to 6 h; others are
    rejected (status 429). Provisioned instances serve first and count as concurrency whether they are used or not.

    Source: AWS Lambda developer guide, scaling behaviour, concurrency, asynchronous invocation (2023-11 and later). The
    window is not documented: 10 minutes match measured rates of cold starts (Kondrashov et al., arXiv 2509.03104). In
    what order the limits are looked at is not documented; here concurrency, requests a second, starts. Not modelled:
    the free, best-effort bursts above the limits, the second queue of events whose function is at its reservation,
    instances that Lambda starts ahead of calls, and retries of calls that failed.

    Attributes:
        window_s: seconds that an instance stays idle.
        account_concurrency: requests in flight in all functions at once; 1,000 in a new account.
        unreserved: of the account's concurrency, what can neither be reserved nor provisioned.
        reserved: requests in flight of single functions at once, by name, which others cannot use.
        starts_per_10_s: instances that a function may start in 10 s.
        requests_per_concurrency_s: requests a second for each of the account's concurrency.
        asynchronous_triggers: of functions whose throttled calls come again; e.g. timer, event, storage.
        provisioned: instances of each function in `provisioned_functions` that are always there; or a scaling policy
            that says how many, such as `TargetTracking`.
        provisioned_functions: names of the functions that have them; None: all.
        allocation_s: seconds until an increase of provisioned instances begins; Lambda says one or two minutes.
        allocated_per_s: instances a second from then on; none serves a call until all are there.
    """

    window_s: float = 600.0
    account_concurrency: int = 1000
    unreserved: int = 100
    reserved: Mapping[str, int] = field(default_factory=dict, hash=False)
    starts_per_10_s: int = 1000
    requests_per_concurrency_s: float = 10.0
    asynchronous_triggers: tuple[str, ...] = ()
    provisioned: int | Scaling = 0
    provisioned_functions: tuple[str, ...] | None = None
    allocation_s: float = 90.0
    allocated_per_s: float = 100.0

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s)
        checks.whole("LambdaScaling: account_concurrency", self.account_concurrency, low=1)
        checks.whole("LambdaScaling: starts_per_10_s", self.starts_per_10_s, low=1)
        checks.number("LambdaScaling: requests_per_concurrency_s", self.requests_per_concurrency_s, above=0)
        if not isinstance(self.provisioned, Scaling):
            checks.whole("LambdaScaling: provisioned", self.provisioned, low=0)
        elif self.provisioned.needs_future or self.provisioned.needs_pods:
            raise ConfigError(f"LambdaScaling: {type(self.provisioned).__name__} cannot scale provisioned instances")
        self.admission()
        self.floor()

    def windows_s(self, future: Trace | None) -> float:
        """The window of the instances on demand."""
        return float(self.window_s)

    def admission(self) -> Admission:
        """The limits."""
        calls_per_s = self.account_concurrency * self.requests_per_concurrency_s
        return Admission(
            concurrency=self.account_concurrency,
            reserved=self.reserved,
            unreserved=self.unreserved,
            calls=TokenBucket(calls_per_s, calls_per_s),
            starts=TokenBucket(self.starts_per_10_s, self.starts_per_10_s / 10),
            retries=Retries(tuple(self.asynchronous_triggers)) if self.asynchronous_triggers else None,
        )

    def floor(self) -> Floor | TrackedFloor | None:
        """The provisioned instances."""
        functions = None if self.provisioned_functions is None else tuple(self.provisioned_functions)
        if isinstance(self.provisioned, Scaling):
            return TrackedFloor(self.provisioned, self.allocation_s, self.allocated_per_s, functions)
        if not self.provisioned:
            return None
        return Floor(((0.0, self.provisioned),), functions=functions, served_first=True)
