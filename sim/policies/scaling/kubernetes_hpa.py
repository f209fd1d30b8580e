"""Kubernetes' horizontal pod autoscaler: pods by the CPU they use, or by the requests they serve, never none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Literal, get_args

from sim.core import checks
from sim.core.errors import ConfigError
from sim.core.time import next_multiple_s
from sim.policies.scaling.hpa import Hpa, HpaDecision
from sim.policies.scaling.hpa_values import Behavior, MetricSpec, Pod
from sim.policies.scaling.pod_samples import (
    CpuSamples,
    MemorySamples,
    PodSamples,
    RateSamples,
    RequestSamples,
    memory_milli,
)
from sim.policies.scaling.role import Load, PodLoad, Scaler, Scaling, Unit

Metric = Literal["cpu", "memory", "concurrency", "rps"]
LIMITS: Final = {
    "TooFewReplicas": "min replicas",
    "TooManyReplicas": "max replicas",
    "ScaleUpLimit": "rate limit",
    "ScaleDownLimit": "rate limit",
}


@dataclass(frozen=True)
class KubernetesHpa(Scaling):
    """Kubernetes' horizontal pod autoscaler over what metrics-server, or Prometheus, tells it of each pod.

    A function is a Deployment. Pods are scraped every `scrape_s`; at every multiple of `sync_s` the rule of `Hpa`
    decides from what the last scrape has said. Calls that wait for a free slot are in no metric: however many there
    are, a pod is never busier than busy, and a target at or above that never adds a pod.

    A running request uses what it asks for (see `Unit`), all of a pod's together no more than the pod has. That is also
    what the pod requests of its node, in 1/1000 of a core, so that it never uses more than 100 %. Nothing else uses
    CPU, nor does the start of a pod. A pod is Pending until its instance is ready; so is a replica for which the
    platform has no room. Instances that end by themselves are replaced at the next scrape or sync.

    Source: Kubernetes, pkg/controller/podautoscaler, 1.28 series, with the tolerances of 1.33 (see `Hpa`); its defaults
    of pkg/controller/podautoscaler/config and pkg/apis/autoscaling/v2. Scrapes: `CpuSamples`, `RequestSamples`, every
    15 s as in the manifests of metrics-server. All functions are scraped and synced at the same instants, which a
    cluster spreads; `scrape_lag_s` is an assumption, the mean of a lag that may be anything.

    Attributes:
        metric: CPU or memory over what pods request (cpu, memory), requests a pod serves on the average of the time
            between two scrapes (concurrency), or begins a second (rps); of several the one that wants most decides.
        target_cpu_percent: per cent of the cores that a pod requests, to be used.
        target_memory_percent: per cent of the memory that a pod requests, to be used.
        target_requests: requests that a pod should serve; Kubernetes has no default.
        target_rps: requests a second that a pod should begin; Kubernetes has no default.
        idle_memory_percent: per cent of its memory that a pod uses while it serves nothing; ours, no trace tells.
        min_replicas: pods at least, and when the trace begins.
        max_replicas: pods at most; Kubernetes wants it said, and this is AWS Lambda's default for an account.
        behavior: how scaling behaves either way; None: at most twice as many or 4 at each sync, down not below anything
            recommended within `downscale_stabilization_s`.
        tolerance: of the ratio of use and target, relative to 1, within which nothing changes.
        downscale_stabilization_s: seconds for which a recommendation keeps the pods from falling below it, where the
            behaviour does not say.
        sync_s: seconds between decisions.
        scrape_s: seconds between scrapes.
        scrape_lag_s: seconds from a scrape to the next multiple of `scrape_s`: how old metrics are when they are
            used, if that is `sync_s` too.
        queue_depth: calls of a function that may wait.
    """

    needs_seconds: ClassVar[bool] = False
    needs_pods: ClassVar[bool] = True
    metric: Metric | tuple[Metric, ...] = "cpu"
    target_cpu_percent: int = 80
    target_memory_percent: int = 80
    target_requests: float = 0.8
    target_rps: float = 10.0
    idle_memory_percent: float = 50.0
    min_replicas: int = 1
    max_replicas: int = 1000
    behavior: Behavior | None = None
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    sync_s: float = 15.0
    scrape_s: float = 15.0
    scrape_lag_s: float = 7.5
    queue_depth: float = 10_000

    def __post_init__(self) -> None:
        metric: object = self.metric
        if isinstance(metric, list):  # as a configuration has it
            object.__setattr__(self, "metric", tuple(metric))
        if not self.metrics or not set(self.metrics) <= set(get_args(Metric)):
            raise ConfigError(
                f"KubernetesHpa: metric must be one or several of {', '.join(get_args(Metric))}, not {self.metric!r}"
            )
        if self.min_replicas == 0:
            raise ConfigError(
                "KubernetesHpa: min_replicas must be >= 1: Kubernetes comes back from 0 only by a metric that is not "
                "measured on pods, behind a feature gate"
            )
        for name in ("target_cpu_percent", "target_memory_percent"):
            checks.whole(f"KubernetesHpa: {name}", getattr(self, name), low=1)
        checks.number("KubernetesHpa: idle_memory_percent", self.idle_memory_percent, low=0, high=100)
        checks.whole("KubernetesHpa: min_replicas", self.min_replicas, low=1)
        checks.whole("KubernetesHpa: max_replicas", self.max_replicas, low=self.min_replicas)
        checks.whole("KubernetesHpa: queue_depth", self.queue_depth, low=1, or_infinity=True)
        for name in ("target_requests", "target_rps"):
            checks.number(f"KubernetesHpa: {name}", getattr(self, name), low=0.001)
        for name in ("sync_s", "scrape_s"):
            checks.number(f"KubernetesHpa: {name}", getattr(self, name), above=0)
        checks.number("KubernetesHpa: scrape_lag_s", self.scrape_lag_s, low=0)
        if self.scrape_lag_s >= self.scrape_s:
            raise ConfigError(f"KubernetesHpa: scrape_lag_s must be < scrape_s, not {self.scrape_lag_s!r}")
        self.scaler(Unit(1))  # the rest is checked where it is used

    def at_start(self) -> int:
        """`min_replicas`."""
        return self.min_replicas

    @property
    def tick_s(self) -> float:  # type: ignore[override]  # another name for it
        """`sync_s`."""
        return self.sync_s

    def next_scrape_s(self, now_s: float) -> float:
        """The first scrape after `now_s`."""
        return next_multiple_s(now_s, self.scrape_s, self.scrape_lag_s)

    def next_sync_s(self, now_s: float) -> float:
        """The first sync after `now_s`."""
        return next_multiple_s(now_s, self.sync_s)

    def next_tick_s(self, now_s: float) -> float:
        """The next scrape or sync."""
        return min(self.next_scrape_s(now_s), self.next_sync_s(now_s))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All that count."""
        return (self.metric,) if isinstance(self.metric, str) else self.metric

    def samples(self, unit: Unit, metric: Metric) -> PodSamples:
        """A metric of pods of `unit`, before the first scrape."""
        if metric == "concurrency":
            return RequestSamples(unit.concurrency)
        if metric == "rps":
            return RateSamples(unit.concurrency)
        if metric == "memory":
            return MemorySamples(unit, self.idle_memory_percent / 100, self.scrape_s)
        cores = cpu_milli(unit) / 1000
        usage = [min(running * unit.cpu_share, cores) for running in range(1, unit.concurrency + 1)]
        return CpuSamples(usage, self.scrape_s)

    def hpa(self) -> Hpa:
        """The rule, before the first sync."""
        targets = {
            "cpu": MetricSpec("resource_util", self.target_cpu_percent, "cpu"),
            "memory": MetricSpec("resource_util", self.target_memory_percent, "memory"),
            "concurrency": MetricSpec("pods", round(self.target_requests * 1000), name="concurrency"),
            "rps": MetricSpec("pods", round(self.target_rps * 1000), name="rps"),
        }
        return Hpa(
            tuple(targets[metric] for metric in self.metrics), self.min_replicas, self.max_replicas, self.behavior,
            self.tolerance, downscale_stabilization_s=self.downscale_stabilization_s,
        )  # fmt: skip

    def scaler(self, unit: Unit) -> KubernetesHpaScaler:
        """The autoscaler of one Deployment."""
        return KubernetesHpaScaler(self, unit)


def cpu_milli(unit: Unit) -> int:
    """What a pod of `unit` has and requests, in 1/1000 cores."""
    return max(1, round(unit.cores * 1000))


class KubernetesHpaScaler(Scaler):
    """The autoscaler of one Deployment: `hpa` decides at syncs, from the `samples` of scrapes."""

    remembers = True  # a Deployment replaces what is missing, whether anybody calls or not

    def __init__(self, policy: KubernetesHpa, unit: Unit) -> None:
        self.hpa = policy.hpa()
        self.samples = [policy.samples(unit, metric) for metric in policy.metrics]
        self._policy = policy
        self._as_pod = partial(Pod, cpu_request_milli=cpu_milli(unit), memory_request_milli=memory_milli(unit))
        self._replicas = policy.min_replicas
        self._scrape_at_s, self._sync_at_s = policy.next_scrape_s(0.0), policy.next_sync_s(0.0)

    def wanted(self, load: Load) -> int:
        """Scrape if it is time to, and then decide if it is time to."""
        if load.now_s >= self._scrape_at_s:
            for samples in self.samples:
                samples.scrape(load.now_s, load.pods)
            self._scrape_at_s = self._policy.next_scrape_s(load.now_s)
        if load.now_s >= self._sync_at_s:
            self._sync(load)
            self._sync_at_s = self._policy.next_sync_s(load.now_s)
        return self._replicas

    def poked(self, load: Load) -> int:
        """The Deployment replaces what is missing."""
        return self._replicas

    def _sync(self, load: Load) -> None:
        pods = [self._pod(pod) for pod in load.pods]
        missing = self._replicas - len(pods)
        values = [[samples.of(pod.name) for pod in load.pods] + [None] * missing for samples in self.samples]
        pods += [self._as_pod(f"without room {k}", "Pending") for k in range(missing)]
        decision = self.hpa.decide(load.now_s, self._replicas, pods, values)
        self.why = _why(decision, self._replicas)
        self._replicas = decision.desired

    def _pod(self, pod: PodLoad) -> Pod:
        name = str(pod.name)
        if pod.ready_s is None:
            return self._as_pod(name, "Pending", pod.created_s, ready=False)
        return self._as_pod(name, "Running", pod.created_s, True, pod.ready_s)


def _why(decision: HpaDecision, replicas: int) -> str:
    """The reason of a decision over so many replicas, in a word or two."""
    if decision.error:
        return "missing metrics"
    limited, _, reason = decision.conditions.scaling_limited.partition(":")
    if limited == "True":
        return LIMITS[reason]
    if decision.desired < replicas:
        return "below target"
    if decision.desired > replicas:  # be it because an earlier sync wanted that, and was limited
        return "above target" if max(each.replicas for each in decision.proposals) > replicas else "stabilised"
    return "stabilised" if decision.conditions.able_to_scale.endswith("Stabilized") else "no change"
