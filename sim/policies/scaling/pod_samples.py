"""Samples of pods: what Kubernetes' autoscaler is told of each of them, as of the last scrape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from sim.policies.scaling.hpa_values import Sample, to_ns
from sim.policies.scaling.role import PodLoad, Unit

Reading: TypeAlias = tuple[int, int]
"""Nanoseconds: the time of a scrape, and what the counter of a pod had come to."""
FRESH_NS: Final = 10 * 10**9
"""Nanoseconds for which a container must have run for its start to be taken for a first reading."""


class PodSamples(ABC):
    """A metric of each pod of a unit.

    Each pod that is ready has a counter, which every scrape reads; a sample is its mean rate between the last two
    readings. Of a pod that was read only once, or not the last time, there is none; one that becomes ready at the very
    instant of a scrape is not read by it.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        """Without a scrape yet.

        Args:
            rates: what the counter of a pod gains a second while it serves 1, 2, ... requests.
        """
        self._rates = rates
        self._readings: dict[int, Reading] = {}
        self._samples: dict[int, Sample] = {}

    def scrape(self, now_s: float, pods: Iterable[PodLoad]) -> None:
        """Read the counters of `pods`."""
        before, self._readings, self._samples = self._readings, {}, {}
        now_ns = to_ns(now_s)
        for pod in pods:
            if pod.ready_s is None or to_ns(pod.ready_s) == now_ns:
                continue
            self._readings[pod.name] = reading = now_ns, to_ns(self._counter(pod))
            first = before.get(pod.name) or self._first_reading(to_ns(pod.ready_s), now_ns)
            if first is not None:
                gained, window_ns = reading[1] - first[1], now_ns - first[0]
                self._samples[pod.name] = Sample(self._milli(pod, gained, window_ns), now_s, window_ns / 1e9)

    def of(self, name: int) -> Sample | None:
        """The sample of a pod, if there is one."""
        return self._samples.get(name)

    def _first_reading(self, ready_ns: int, now_ns: int) -> Reading | None:
        """What stands for the reading before the first one."""
        return None

    def _counter(self, pod: PodLoad) -> float:
        return sum(rate * level_s for rate, level_s in zip(self._rates, pod.levels_s, strict=False))

    @abstractmethod
    def _milli(self, pod: PodLoad, gained_ns: int, window_ns: int) -> int:
        """The rate in 1/1000, as whoever serves the metric rounds it."""


class CpuSamples(PodSamples):
    """The CPU that pods use, from metrics-server.

    The start of a container is taken for a reading if at its first scrape it has run for at least 10 s, and for less
    than the time between two. A container starts when its instance is ready: how much of a start-up happens in it is
    not known here. Rates are cut to 1/10^9 of a core, and rounded up to 1/1000 when the autoscaler reads them.

    Source: metrics-server 0.6, pkg/storage/pod.go and types.go; Kubernetes 1.28, podautoscaler/metrics/client.go.
    """

    def __init__(self, rates: Sequence[float], scrape_s: float) -> None:
        """Without a scrape yet.

        Args:
            rates: cores that a pod uses while it serves 1, 2, ... requests.
            scrape_s: seconds between scrapes.
        """
        super().__init__(rates)
        self._scrape_ns = to_ns(scrape_s)

    def _first_reading(self, ready_ns: int, now_ns: int) -> Reading | None:
        return (ready_ns, 0) if FRESH_NS <= now_ns - ready_ns < self._scrape_ns else None

    def _milli(self, pod: PodLoad, gained_ns: int, window_ns: int) -> int:
        nano = gained_ns * 10**9 // window_ns
        return -(-nano // 10**6)


class MemorySamples(CpuSamples):
    """The memory that pods use at the instant of a scrape, from metrics-server: where there is a sample of CPU.

    A pod that serves nothing uses a share of its memory, one that serves all it can all of it, in proportion between.
    """

    def __init__(self, unit: Unit, idle_share: float, scrape_s: float) -> None:
        """Without a scrape yet.

        Args:
            unit: whose pods they are.
            idle_share: of its memory, used by a pod that serves nothing.
            scrape_s: seconds between scrapes.
        """
        super().__init__([], scrape_s)
        self._unit, self._idle_share = unit, idle_share

    def _milli(self, pod: PodLoad, gained_ns: int, window_ns: int) -> int:
        busy = pod.running / self._unit.concurrency
        return int(memory_milli(self._unit) * (self._idle_share + (1 - self._idle_share) * busy))


def memory_milli(unit: Unit) -> int:
    """What a pod of `unit` has and requests, in 1/1000 bytes."""
    return round(unit.memory_mb * 2**20) * 1000


class RequestSamples(PodSamples):
    """Requests that pods serve, on the average of the time between two scrapes, from Prometheus and its adapter.

    As ``rate`` gives it of a counter of request-seconds. The adapter cuts it to 1/1000.

    Source: prometheus-adapter, pkg/custom-provider/provider.go.
    """

    def __init__(self, concurrency: int) -> None:
        """Without a scrape yet; a pod serves at most `concurrency` requests at a time."""
        super().__init__([float(requests) for requests in range(1, concurrency + 1)])

    def _milli(self, pod: PodLoad, gained_ns: int, window_ns: int) -> int:
        return gained_ns * 1000 // window_ns


class RateSamples(RequestSamples):
    """Requests that pods begin a second, likewise."""

    def _counter(self, pod: PodLoad) -> float:
        return float(pod.begun)
