"""A horizontal pod autoscaler and its target, made by hand, for tests."""

from dataclasses import dataclass, field
from typing import Any

from sim.policies.scaling.hpa import Hpa, HpaDecision
from sim.policies.scaling.hpa_values import Behavior, MetricSpec, Pod, Sample

PER_POD = MetricSpec("pods", 1000, name="concurrency")
CPU = MetricSpec("resource_util", 80, "cpu")


def ready_pods(count: int, request_milli: int = 1000) -> list[Pod]:
    """Pods that have been ready for long."""
    return [Pod(f"p{i}", "Running", -2000.0, True, -1900.0, False, request_milli, request_milli) for i in range(count)]


def samples(values_milli: list[int | None]) -> list[Sample | None]:
    return [None if value is None else Sample(value, 0.0, 15.0) for value in values_milli]


@dataclass
class Loop:
    """An autoscaler and its target, whose replicas are there at once."""

    autoscaler: Hpa
    replicas: int
    step_s: float = 15.0
    now_s: float = 0.0
    decisions: list[HpaDecision] = field(default_factory=list)

    def sync(self, load_milli: int) -> int:
        """One sync with a load that all replicas share, as an external metric."""
        self.now_s += self.step_s
        pods = ready_pods(self.replicas)
        self.decisions.append(self.autoscaler.decide(self.now_s, self.replicas, pods, [[load_milli]]))
        self.replicas = self.decisions[-1].desired
        return self.replicas


def shared_load(low: int = 1, high: int = 100, behavior: Behavior | None = None, **parameters: Any) -> Hpa:
    return Hpa((MetricSpec("external_per_pod", 1000, name="load"),), low, high, behavior, **parameters)
