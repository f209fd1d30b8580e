"""What Kubernetes' autoscaler is told of pods, scrape by scrape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pods import pod

from sim.policies import KubernetesHpa
from sim.policies.scaling.hpa_values import Sample
from sim.policies.scaling.kubernetes_hpa import cpu_milli
from sim.policies.scaling.pod_samples import CpuSamples, MemorySamples, RateSamples, RequestSamples
from sim.policies.scaling.role import Unit


def test_cpu_has_a_sample_at_the_first_scrape_from_10_s_on_and_else_at_the_second() -> None:
    samples = CpuSamples([1.0], 15.0)
    ready_s = {0: 0.0, 1: 0.1, 2: 5.0, 3: 5.1, 4: 15.0, 5: None}
    samples.scrape(15.0, [pod(name, at_s, 3.0) for name, at_s in ready_s.items()])
    assert [samples.of(name) for name in range(6)] == [
        None,  # it has run for 15 s, so should have been scraped before
        Sample(202, 15.0, 14.9),  # 3 / 14.9 is 0.20134..., rounded up
        Sample(300, 15.0, 10.0),
        None,  # 9.9 s
        None,
        None,
    ]
    samples.scrape(30.0, [pod(0, 0.0, 3.0), pod(2, 5.0, 18.0), pod(3, 5.1, 3.0 + 1e-9), pod(4, 15.0, 9.0)])
    assert [samples.of(name) for name in range(6)] == [
        Sample(0, 30.0, 15.0),
        None,  # it was not there to be read
        Sample(1000, 30.0, 15.0),
        Sample(0, 30.0, 15.0),  # less than 1/10^9 of a core is none
        None,  # ready at the very instant of the first scrape: this is its first reading
        None,
    ]
    samples.scrape(45.0, [pod(1, 0.1, 9.0), pod(3, 5.1, 3.1), pod(4, 15.0, 9.000001)])
    assert [samples.of(name) for name in (1, 3, 4)] == [None, Sample(7, 45.0, 15.0), Sample(1, 45.0, 15.0)]


def test_requests_have_a_sample_at_the_second_scrape_only() -> None:
    samples = RequestSamples(3)
    samples.scrape(15.0, [pod(0, 0.0, 5.0, 1.0), pod(1, 4.0, 2.0)])
    assert samples.of(0) is samples.of(1) is None
    samples.scrape(30.0, [pod(0, 0.0, 9.0, 3.0, 4.0), pod(1, 4.0, 2.0 + 1.0 / 3.0)])
    assert samples.of(0) == Sample(1333, 30.0, 15.0)  # 4 + 2 * 2 + 3 * 4 request-seconds in 15 s, cut
    assert samples.of(1) == Sample(22, 30.0, 15.0)  # 1 / 45, cut


@given(
    st.integers(1, 6), st.floats(0.01, 3.0), st.floats(0.01, 4.0), st.lists(st.floats(0.0, 2.5), min_size=6, max_size=6)
)
def test_a_pod_uses_what_its_requests_do_but_never_more_than_it_has(
    slots: int, each: float, cores: float, spent_s: list[float]
) -> None:
    unit = Unit(slots, cores=cores, cpu_share=each)
    samples, has = KubernetesHpa().samples(unit, "cpu"), cpu_milli(unit) / 1000
    samples.scrape(15.0, [pod(0, 0.0)])
    samples.scrape(30.0, [pod(0, 0.0, *spent_s[:slots])])
    used = sum(min(level * each, has) * level_s for level, level_s in enumerate(spent_s[:slots], 1)) / 15.0
    sample = samples.of(0)
    assert sample is not None
    assert used * 1000 - 1e-3 <= sample.value_milli < used * 1000 + 1.001
    assert sample.value_milli <= has * 1000


@pytest.mark.parametrize(("cores", "milli"), [(1.0, 1000), (128 / 1769, 72), (2.0, 2000), (0.0001, 1)])
def test_cores_are_requested_in_thousandths(cores: float, milli: int) -> None:
    assert cpu_milli(Unit(1, cores=cores)) == milli


def test_memory_is_that_of_the_scrape_where_there_is_a_sample_of_cpu() -> None:
    samples = MemorySamples(Unit(4, memory_mb=100.0), 0.5, 15.0)
    samples.scrape(15.0, [pod(0, 4.0)._replace(running=1), pod(1, 10.0)])
    assert samples.of(0) == Sample(65_536_000_000, 15.0, 11.0)  # 62.5 of 100 MB, in 1/1000 bytes
    assert samples.of(1) is None
    samples.scrape(30.0, [pod(0, 4.0), pod(1, 10.0)._replace(running=4)])
    assert [samples.of(name) for name in (0, 1)] == [
        Sample(52_428_800_000, 30.0, 15.0),
        Sample(104_857_600_000, 30.0, 15.0),
    ]


def test_the_rate_is_of_requests_begun_between_two_scrapes() -> None:
    samples = RateSamples(1)
    samples.scrape(15.0, [pod(0, 4.0)._replace(begun=2)])
    assert samples.of(0) is None
    samples.scrape(30.0, [pod(0, 4.0)._replace(begun=12)])
    assert samples.of(0) == Sample(666, 30.0, 15.0)
