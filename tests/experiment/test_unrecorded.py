"""Experiments that record nothing: the same numbers, from traces whose calls nobody makes or that are on disk."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import keepwarm, small_counts

import sim
from sim import ConfigError, Platform, Trace
from sim.core.distributions import Exponential
from sim.experiment.cells import trace_key
from sim.experiment.notes import workload_note
from sim.experiment.setting import Setting
from sim.experiment.sharing import TraceOnDisk, share
from sim.platform.startup.models import PhasedStart
from sim.policies import FixedWindow, HybridHistogram, KeepAlive, Knative
from sim.report.gallery import gallery
from sim.results import latency_bins
from sim.results.digest import digest
from sim.results.store import decode, encode
from sim.workload.counted import CountedTrace
from sim.workload.synthesis.azure_scale import AzureScale

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

POLICIES = {"window": FixedWindow(60.0), "histogram": HybridHistogram()}
PLATFORM = Platform(start=PhasedStart({"create": Exponential(0.5), "runtime": 0.2}))
PERCENTILES = 2.0**-8
"""How far percentiles of a histogram may be off, relatively."""


def assert_same_numbers(one: pd.DataFrame, other: pd.DataFrame, *, percentiles: float) -> None:
    numbers = list(other.select_dtypes("number"))
    near = [name for name in numbers if re.fullmatch(r"latency_p\d+_s", name)]
    assert near
    np.testing.assert_allclose(one[near], other[near], rtol=percentiles, atol=1e-6)
    rest = [name for name in numbers if not name.startswith("latency_p")]  # nor their intervals
    pd.testing.assert_frame_equal(one[rest], other[rest], rtol=1e-9, atol=1e-12)


def counts(folder: Path) -> Trace:
    return sim.load_trace(small_counts(folder), arrivals="uniform")


def no_calls(*_: object) -> None:
    raise AssertionError("somebody asks for the calls of a trace of counts")


def test_counts_are_never_made_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = counts(tmp_path / "one")
    options = {"engine": "compiled", "replications": 3, "jobs": 1}
    recorded = sim.run_experiment(tmp_path / "recorded", trace, POLICIES, PLATFORM, **options)
    fresh = counts(tmp_path / "other")
    monkeypatch.setattr(CountedTrace, "_columns", property(no_calls))
    outcome = sim.run_experiment(tmp_path / "run", fresh, POLICIES, PLATFORM, record=False, **options)
    assert not outcome.failures
    assert_same_numbers(outcome.frame, recorded.frame, percentiles=PERCENTILES)
    assert set(outcome.differences["source"]) == {"replications"}
    assert outcome.notes["record"].endswith("percentiles of latencies are from a histogram, within 0.4 %")
    again = sim.load_run(tmp_path / "run")
    pd.testing.assert_frame_equal(again.frame, outcome.frame, check_exact=True)
    assert again.notes == outcome.notes


def test_figures_are_those_that_need_no_record(tmp_path: Path) -> None:
    trace = counts(tmp_path / "counts")
    figures, tails = [], []
    for record in (True, False):
        outcome = sim.run_experiment(
            tmp_path / str(record), trace, POLICIES, PLATFORM, record=record, engine="compiled", jobs=1
        )
        figures.append([drawn.name for drawn in gallery(outcome.variants[0])])
        tails.append(outcome.variants[0].digests["histogram"][0].tail)
    lost = {"instances", "memory", "phases"}
    assert lost < set(figures[0])
    assert figures[1] == [name for name in figures[0] if name not in lost]
    np.testing.assert_array_equal(tails[1]["survival"], tails[0]["survival"])
    np.testing.assert_allclose(tails[1]["latency_s"], tails[0]["latency_s"], rtol=PERCENTILES, atol=1e-6)


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_calls_in_memory_have_exact_percentiles_and_a_frontier(engine: str, tmp_path: Path) -> None:
    trace = sim.load_trace("traces/default").slice(0, 3600)
    whole, small = (
        sim.run_experiment(tmp_path / str(record), trace, POLICIES, PLATFORM, record=record, engine=engine, jobs=1)
        for record in (True, False)
    )
    assert_same_numbers(small.frame, whole.frame, percentiles=1e-9)
    assert small.notes["workload"] == whole.notes["workload"]
    assert "histogram" not in small.notes["record"]
    frontiers = [outcome.variants[0].frontier for outcome in (small, whole)]
    pd.testing.assert_frame_equal(*frontiers, check_exact=True)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_trace_on_disk_stays_there(jobs: int, tmp_path: Path) -> None:
    calls = sim.load_trace("traces/default").slice(0, 3600)
    sim.save_by_function(calls, tmp_path / "large")
    trace = sim.open_trace(tmp_path / "large")
    options = {"engine": "auto", "record": False, "replications": 2, "jobs": jobs}
    outcome = sim.run_experiment(tmp_path / "run", trace, POLICIES, PLATFORM, **options)
    assert not outcome.failures
    expected = sim.compare(calls, POLICIES, PLATFORM, engine="auto", replications=2)
    assert_same_numbers(outcome.frame, expected, percentiles=PERCENTILES)
    assert outcome.variants[0].frontier is None
    assert outcome.notes["workload"].startswith(f"{len(calls):,} calls of ")
    pd.testing.assert_frame_equal(sim.compare(trace, POLICIES, PLATFORM, **options), outcome.frame, check_exact=True)


@dataclass(frozen=True)
class Apart:
    """A source of one's own: calls of functions that are made when they are asked for."""

    functions: pd.DataFrame
    horizon_s: float = 1000.0

    @property
    def calls_per_function(self) -> np.ndarray:
        return np.arange(1, len(self.functions) + 1) * 10

    def content_hash(self) -> str:
        return "apart"

    def part(self, chosen: np.ndarray) -> Trace:
        calls = self.calls_per_function[chosen]
        arrival_s = np.concatenate([np.linspace(0, 999, count) for count in calls])
        table = self.functions.iloc[chosen].reset_index(drop=True)
        function = np.repeat(np.arange(chosen.size), calls)
        return Trace.from_arrays(function, arrival_s, 0.5, functions=table, horizon_s=self.horizon_s)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_source_of_ones_own(jobs: int, tmp_path: Path) -> None:
    source = Apart(sim.Trace.from_arrays(["a", "b", "c"], [0.0] * 3, 1.0).functions)
    options = {"engine": "compiled", "jobs": jobs, "replications": 2}
    outcome = sim.run_experiment(tmp_path / "run", source, POLICIES, PLATFORM, record=False, **options)
    assert not outcome.failures
    expected = sim.compare(source.part(np.arange(3)), POLICIES, PLATFORM, **options)
    assert_same_numbers(outcome.frame, expected, percentiles=PERCENTILES)
    with pytest.raises(ConfigError, match="is not in memory: it can be compared on with record=false"):
        sim.compare(source, POLICIES, PLATFORM, engine="compiled")


def test_a_cloud_in_parts() -> None:
    cloud = AzureScale(functions=60, hours=3.0)
    options = {"engine": "compiled", "record": False, "jobs": 1}
    parts, whole = (sim.compare(trace, POLICIES, **options) for trace in (cloud.parts(), cloud.make()))
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)
    assert parts.attrs["workload"] == whole.attrs["workload"]
    assert repr(cloud.parts()) == repr(cloud.make()).replace("Trace:", "TraceParts:").replace(">", ", made in parts>")


def test_what_travels_of_a_trace_on_disk_is_its_place(tmp_path: Path) -> None:
    sim.save_by_function(sim.load_trace("traces/default").slice(0, 600), tmp_path / "large")
    trace = sim.open_trace(tmp_path / "large")
    shared = share(trace, tmp_path / "columns")
    assert shared == TraceOnDisk((tmp_path / "large").resolve())
    assert not (tmp_path / "columns").exists()
    assert trace_key(shared.draw(3)) == trace_key(trace)
    assert trace_key(trace) != trace_key(sim.load_trace(tmp_path / "large"))


def test_how_many_calls_of_a_large_trace_are_measured(tmp_path: Path) -> None:
    calls = Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 7000.0], 1.0, horizon_s=7200.0)
    sim.save_by_function(calls, tmp_path / "large")
    trace = sim.open_trace(tmp_path / "large")
    given = {"platform": PLATFORM, "price": sim.load_pricing(), "provider": sim.load_provider(), "record": False}
    assert workload_note(trace, Setting(**given)) == "3 calls of 2 functions in 2 apps over 2 h"
    cut = Setting(**given, warm_up_s=60.0)
    assert workload_note(trace, cut) == (
        "those of 3 calls that come in time, of 2 functions in 2 apps over 1.98 h after a warm-up of 60 s"
    )
    assert workload_note(calls, cut).startswith("1 call of")


def test_a_digest_without_a_record_is_read_as_it_was_written() -> None:
    trace = sim.load_trace("traces/default").slice(0, 600)
    made = digest(sim.simulate(trace, FixedWindow(60.0), record=False))
    read = decode(encode(made))
    assert not made.recorded
    assert not read.recorded
    assert encode(read) == encode(made)
    for name in ("timeline", "phases", "decisions"):
        assert len(getattr(read, name)) == 0


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_latencies_are_counted_whoever_replays(policy: KeepAlive) -> None:
    trace = sim.load_trace("traces/default").slice(0, 3600)
    options = {"warm_up_s": 600.0}
    recorded = sim.simulate(trace, policy, PLATFORM, **options)
    requests = recorded.columns.requests
    expected = latency_bins.of((requests.end_s - requests.arrival_s)[requests.arrival_s >= 600.0])
    assert recorded.latency_bins is None
    for engine in ("simpy", "compiled"):
        found = sim.simulate(trace, policy, PLATFORM, engine=engine, record=False, **options).latency_bins
        np.testing.assert_array_equal(found, expected)


def test_what_cannot_be_streamed_is_told(tmp_path: Path) -> None:
    sim.save_by_function(sim.load_trace("traces/default").slice(0, 600), tmp_path / "large")
    trace = sim.open_trace(tmp_path / "large")
    with pytest.raises(ConfigError, match="is not in memory: it can be compared on with record=false"):
        sim.compare(trace, POLICIES, PLATFORM, engine="compiled")
    outcome = sim.run_experiment(
        tmp_path / "run", trace, {"scaled": Knative(), **POLICIES}, PLATFORM, engine="auto", record=False, jobs=1
    )
    assert outcome.frame["policy"].tolist() == ["window", "histogram"]
    assert [failure.split(":")[0] for failure in outcome.failures] == ["scaled"]
    assert "is not in memory" in outcome.failures[0]


# On the command line


def test_a_run_on_a_trace_by_function(tmp_path: Path) -> None:
    sim.save_by_function(sim.load_trace("traces/default").slice(0, 3600), tmp_path / "large")
    words = [f"hydra.run.dir={tmp_path / 'run'}", f"workload.path={tmp_path / 'large'}", "workload=by_function",
             "policy=[fixed_10m,hybrid_histogram]", "record=false", "report=false"]  # fmt: skip
    done = keepwarm("run", *words, "engine=compiled")
    assert done.status == 0, done.err
    outcome = sim.load_run(tmp_path / "run")
    assert not any(each.recorded for digests in outcome.variants[0].digests.values() for each in digests)
    assert outcome.manifest["engines"]
    refused = keepwarm("run", *words, f"hydra.run.dir={tmp_path / 'other'}")
    assert refused.status != 0
    assert "is not in memory" in refused.err + refused.out
    whole = keepwarm("run", *words, "record=true", f"hydra.run.dir={tmp_path / 'whole'}")
    assert whole.status == 0, whole.err
    assert_same_numbers(outcome.frame, sim.load_run(tmp_path / "whole").frame, percentiles=PERCENTILES)


def test_a_study_records() -> None:
    done = keepwarm("run", "experiment=aws_lambda_2020", "workload.path=here", "record=false")
    assert done.status != 0
    assert "record: a study looks at every call" in done.err
