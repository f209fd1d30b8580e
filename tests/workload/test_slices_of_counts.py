"""Slices of traces made from counts: whole minutes and functions are redrawn, anything else is one draw and says so."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_traces import counted, rows

import sim
from sim import Trace
from sim.workload.counts import CountSource
from sim.workload.merging import merge
from sim.workload.sampling import Windows
from sim.workload.transform import ScaleRate, ScaleTime

FROZEN = {
    ("even", "mean"): None,
    ("even", "percentiles"): "one draw of durations",
    ("uniform", "mean"): "one draw of arrivals",
    ("uniform", "percentiles"): "one draw of arrivals and durations",
    ("poisson", "mean"): "one draw of arrivals",
    ("poisson", "percentiles"): "one draw of arrivals and durations",
}


def frozen_of(source: CountSource) -> str | None:
    return FROZEN[source.recipe.arrivals, source.recipe.durations]


@given(counted(), st.integers(0, 9), st.integers(1, 10), st.booleans(), st.integers(0, 2))
def test_whole_minutes_are_drawn_as_in_the_whole(
    source: CountSource, first: int, minutes: int, to_the_end: bool, replication: int
) -> None:
    start_s = 60.0 * first
    end_s = None if to_the_end else start_s + 60.0 * minutes  # perhaps after the horizon
    part = source.draw(0, {}).slice(start_s, end_s)
    other = source.draw(replication, {}).slice(start_s, end_s)
    again = part.draw(replication)
    assert part.counts is not None
    assert part.is_random == source.recipe.is_random
    assert "frozen" not in part.about
    assert part.horizon_s == part.counts.horizon_s
    assert again.function.tolist() == other.function.tolist()
    assert again.duration_s.tolist() == other.duration_s.tolist()
    np.testing.assert_allclose(again.arrival_s, other.arrival_s, atol=1e-9)


@given(counted(least=3), st.data(), st.integers(0, 2))
def test_functions_in_any_order_are_drawn_as_in_the_whole(
    source: CountSource, data: st.DataObject, replication: int
) -> None:
    functions = len(source.functions)
    chosen = data.draw(st.permutations(range(functions)))[: data.draw(st.integers(1, functions))]
    part = source.draw(0, {}).slice(functions=chosen)
    assert part.draw(replication).content_hash() == (
        source.draw(replication, {}).slice(functions=chosen).content_hash()
    )
    named = {f"f{i}" for i in chosen}
    assert sorted(rows(part)) == sorted(row for row in rows(source.draw(0, {})) if row[0] in named)


@given(counted())
def test_whatever_cannot_be_redrawn_says_what_it_is_one_draw_of(source: CountSource) -> None:
    trace = source.draw(0, {"path": "somewhere"})
    for changed in (
        trace.slice(30.0), trace.slice(0.0, 90.0), trace.slice(60.0, 90.0, functions=[0]),
        Windows(((0.0, 90.0),)).apply(trace), ScaleTime(2.0).apply(trace), ScaleRate(0.5).apply(trace),
        merge([trace, Trace.from_arrays(["x"], [0.0], 1.0)]), trace.recorded(),
    ):  # fmt: skip
        assert changed.counts is None
        assert changed.about.get("frozen") == frozen_of(source)
    assert "frozen" not in trace.about
    assert trace.slice(30.0).about["path"] == "somewhere"
    assert trace.slice(30.0).recorded().about.get("frozen") == frozen_of(source)


def test_a_trace_whose_horizon_was_changed_cuts_its_calls_not_its_counts(tmp_path: Path) -> None:
    trace = sim.load_trace(write(tmp_path), arrivals="uniform")
    longer = sim.load_trace(write(tmp_path), arrivals="uniform")
    object.__setattr__(longer, "horizon_s", 150.0)
    assert longer.slice(60.0).counts is None
    assert trace.slice(60.0).counts is not None
    assert longer.slice(functions=["f"]).counts is not None  # nothing of the time is cut


def test_merged_draws_are_told_once_each(tmp_path: Path) -> None:
    arrivals, durations = (
        sim.load_trace(write(tmp_path), **options) for options in ({"arrivals": "poisson"}, {"durations": "lognormal"})
    )
    assert merge([arrivals, durations, arrivals]).about["frozen"] == "one draw of arrivals, one draw of durations"


def test_frozen_is_saved(tmp_path: Path) -> None:
    cut = sim.load_trace(write(tmp_path), arrivals="poisson").slice(30.0)
    assert sim.load_trace(cut.save(tmp_path / "cut")).about["frozen"] == "one draw of arrivals"


@pytest.mark.parametrize("edge_s", [100 * 60.0, 100 * 60.0 + 30.0])
def test_a_real_day_is_cut_as_it_is_drawn(shared: Path, edge_s: float) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_100f_8h", arrivals="poisson")
    part = trace.slice(edge_s, edge_s + 3600.0)
    if edge_s % 60.0:
        assert part.about["frozen"] == "one draw of arrivals"
        assert part.draw(1) is part
    else:
        other = trace.draw(1).slice(edge_s, edge_s + 3600.0)
        assert part.draw(1).function.tolist() == other.function.tolist()
        assert len(other) != len(part)


def write(folder: Path) -> Path:
    """Counts of two functions in three minutes."""
    percents = (0, 1, 25, 50, 75, 99, 100)
    key = "HashOwner,HashApp,HashFunction"
    (folder / "invocations.csv").write_text(f"{key},Trigger,1,2,3\no,a,f,http,2,0,3\no,b,g,timer,1,5,1\n")
    (folder / "durations.csv").write_text(
        f"{key},Average,Count,{','.join(f'percentile_Average_{p}' for p in percents)}\n"
        "o,a,f,500,9,100,120,300,500,700,880,900\n"
    )
    (folder / "memory.csv").write_text(f"{key},SampleCount,AverageAllocatedMb\no,a,f,9,100\n")
    return folder
