"""Traces of counts make their calls when they are asked for, and those are what the whole makes."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_traces import QUANTILES, counted, table

import sim
from sim.experiment.sharing import share
from sim.workload.counted import CountedTrace
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import DurationStatistics
from sim.workload.sampling import RandomSample, Windows
from sim.workload.transform import Redeploy


def is_made(trace: sim.Trace) -> bool:
    """Whether it holds calls."""
    return bool({"_columns", "function", "arrival_s", "duration_s", "service_s"} & set(vars(trace)))


def columns(trace: sim.Trace) -> tuple[list[int], list[float], list[float]]:
    return trace.function.tolist(), trace.arrival_s.tolist(), trace.duration_s.tolist()


def eagerly(source: CountSource, replication: int) -> list[tuple[float, int, float]]:
    """The calls as the documentation says, one by one: even arrivals, mean durations."""
    assert source.recipe == Recipe()
    cells = zip(source.function.tolist(), source.minute.tolist(), source.count.tolist(), strict=True)
    return sorted(
        (60.0 * minute + 60.0 * (j + 0.5) / count, function, float(source.durations.average_s[function]))
        for function, minute, count in cells for j in range(count)
    )  # fmt: skip


def small(recipe: Recipe | None = None) -> CountSource:
    known = DurationStatistics(np.array([0.25, 0.5]), np.outer(np.ones(2), QUANTILES))
    cells = np.array([0, 1, 0], np.int32), np.array([0, 0, 2], np.int32), np.array([2, 1, 3])
    return CountSource(*cells, table(2), known, ((100, 3),), recipe or Recipe())


def test_nothing_is_made_for_what_counts_can_answer(tmp_path: Path) -> None:
    trace = small().draw(0, {"path": "x"})
    assert repr(trace) == "<Trace: 6 calls of 2 functions over 180 s>"
    assert trace.calls_per_function.tolist() == [5, 1]
    assert trace.calls_after_horizon == 0
    assert "6" in trace._repr_html_()
    other = sim.load_trace(trace.save(tmp_path / "t"))
    parts = [trace.draw(1), trace.slice(60.0), trace.slice(functions=["f1"]), trace.slice(0.0, 60.0, [1, 0]),
             RandomSample(1).apply(trace), Windows(((60.0, 180.0),)).apply(trace),
             Redeploy({"memory_mb": 1.0}).apply(trace), other]  # fmt: skip
    assert [len(part) for part in parts] == [6, 3, 1, 3, 5, 3, 6, 6]
    assert other.content_hash() == trace.content_hash()
    assert not any(is_made(part) for part in (trace, *parts))
    assert trace.arrival_s.tolist() == [15.0, 30.0, 45.0, 130.0, 150.0, 170.0]
    assert is_made(trace)
    assert trace.duration_s.tolist() == [0.25, 0.5, 0.25, 0.25, 0.25, 0.25]
    assert trace.arrival_s is trace.arrival_s
    assert not trace.arrival_s.flags.writeable


@pytest.mark.parametrize(("recipe", "expected"), [
    (Recipe(), "6f9ef1a4ab1e16cee1ae5ef281bf359e"),
    (Recipe("poisson", "percentiles", 7), "e8a8a3187edeeb060d1774d7644be8a1"),
])  # fmt: skip
def test_golden_hashes(recipe: Recipe, expected: str) -> None:
    assert small(recipe).draw(2, {}).content_hash() == expected


@given(counted(), st.integers(0, 3))
def test_a_hash_does_not_depend_on_what_has_been_made(source: CountSource, replication: int) -> None:
    trace, same = source.draw(replication, {}), source.draw(replication, {"path": "elsewhere"})
    same.service_s  # noqa: B018
    assert is_made(same)
    assert trace.content_hash() == same.content_hash()
    assert not is_made(trace)
    assert len(trace) == len(same) == same.function.size
    assert trace.calls_per_function.tolist() == np.bincount(same.function, minlength=len(same.functions)).tolist()
    assert trace.calls_after_horizon == int((same.arrival_s > same.horizon_s).sum())


@given(counted(), st.integers(0, 3))
def test_even_calls_are_the_documented_ones(source: CountSource, replication: int) -> None:
    plain = replace(source, recipe=Recipe())
    trace = plain.draw(replication, {})
    found = zip(trace.arrival_s.tolist(), trace.function.tolist(), trace.duration_s.tolist(), strict=True)
    assert list(found) == eagerly(plain, replication)


@given(counted(least=2), st.integers(0, 2), st.data())
def test_what_changes_the_calls_changes_the_hash(source: CountSource, replication: int, data: st.DataObject) -> None:
    trace, recipe = source.draw(replication, {}), source.recipe
    others = [replace(source, recipe=replace(recipe, seed=4)), replace(source, spans=((101, 4), (200, 6)))]
    same = not recipe.is_random
    assert (source.draw(replication + 1, {}).content_hash() == trace.content_hash()) == same
    assert all((other.draw(replication, {}).content_hash() == trace.content_hash()) == same for other in others)
    if source.count.size:
        cell = data.draw(st.integers(0, source.count.size - 1))
        more = source.count.copy()
        more[cell] += 1
        longer = replace(
            source.durations,
            average_s=source.durations.average_s + 1.0,
            quantiles_s=source.durations.quantiles_s + 1.0,
        )
        for other in (replace(source, count=more), replace(source, durations=longer)):
            assert other.draw(replication, {}).content_hash() != trace.content_hash()


@given(counted(), st.integers(0, 3), st.booleans())
def test_what_travels_is_counts_and_makes_the_same_calls(source: CountSource, replication: int, is_used: bool) -> None:
    trace = source.draw(replication, {"path": "x"})
    assert source.labels.size == 10  # kept by the counts
    before = len(pickle.dumps(trace))
    if is_used:
        trace.service_s  # noqa: B018
        assert len(pickle.dumps(trace)) == before
    for other in (pickle.loads(pickle.dumps(trace)), copy.copy(trace), copy.deepcopy(trace)):
        assert not is_made(other)
        assert (other.replication, other.about) == (replication, {"path": "x"})
        assert other.content_hash() == trace.content_hash()
        assert columns(other) == columns(trace)


@given(counted(), st.integers(0, 3))
def test_what_is_saved_is_counts_and_which_draw_it_is(
    tmp_path_factory: pytest.TempPathFactory, source: CountSource, replication: int
) -> None:
    trace, folder = source.draw(replication, {}), tmp_path_factory.mktemp("saved")
    again = sim.load_trace(trace.save(folder))
    assert sorted(file.name for file in folder.iterdir()) == [
        "counts.parquet", "durations.parquet", "functions.parquet", "trace.json",
    ]  # fmt: skip
    assert again.replication == replication
    assert again.content_hash() == trace.content_hash()
    assert not is_made(again)
    assert not is_made(trace)
    assert columns(again) == columns(trace)


@given(counted(least=3), st.data(), st.integers(0, 2))
def test_a_slice_has_the_calls_of_the_whole(source: CountSource, data: st.DataObject, replication: int) -> None:
    whole = source.draw(replication, {})
    first = data.draw(st.integers(0, 9))
    last = data.draw(st.integers(first + 1, 10))
    chosen = data.draw(st.permutations(range(len(source.functions))))[: data.draw(st.integers(1, 3))]
    part = whole.slice(60.0 * first, 60.0 * last, chosen)
    assert not is_made(part)
    one_by_one = whole.recorded().slice(60.0 * first, 60.0 * last, chosen)
    assert len(part) == len(one_by_one)
    assert part.calls_per_function.tolist() == one_by_one.calls_per_function.tolist()
    for trace_function in range(len(chosen)):
        mine, theirs = (trace.function == trace_function for trace in (part, one_by_one))
        assert part.duration_s[mine].tolist() == one_by_one.duration_s[theirs].tolist()
        np.testing.assert_allclose(part.arrival_s[mine], one_by_one.arrival_s[theirs], rtol=0, atol=1e-9)
    assert part.functions.equals(one_by_one.functions)
    assert part.horizon_s == one_by_one.horizon_s


def test_an_earlier_horizon_leaves_calls_after_it() -> None:
    trace = replace(small().draw(0, {}), horizon_s=140.0)
    assert trace.calls_after_horizon == 2
    assert "2 calls after that" in repr(trace)
    assert trace.slice(60.0).counts is None


def test_counts_too_large_for_a_cell_are_refused() -> None:
    with pytest.raises(sim.TraceError, match=r"row 1.*too many"):
        replace(small(), count=np.array([1, 2**31, 1]))
    assert replace(small(), count=np.array([1, 2**31 - 1, 1])).count.dtype == np.int32


def test_a_folder_of_version_1_is_read_as_what_its_calls_are(tmp_path: Path) -> None:
    """It had the calls of a replication beside the counts, and did not say of which."""
    for replication in (0, 2):
        trace = small(Recipe("poisson", "percentiles", 7)).draw(replication, {"path": "x"})
        folder = version_1(trace, tmp_path / str(replication))
        again = sim.load_trace(folder)
        assert columns(again) == columns(trace)
        assert again.about.get("frozen") == ("one draw of arrivals and durations" if replication else None)
        assert isinstance(again, CountedTrace) == (replication == 0)


def version_1(trace: sim.Trace, folder: Path) -> Path:
    """A folder as earlier versions wrote it."""
    trace.recorded().save(folder / "calls")
    trace.save(folder / "counts")
    head = (folder / "counts" / "trace.json").read_text("utf-8")
    text = head.replace('"version": 2', '"version": 1').replace(f'"calls": {trace.counts.count.sum()}',
                                                                f'"calls": {len(trace)}')  # fmt: skip
    text = text.replace(f',\n  "replication": {trace.replication}', "")
    (folder / "counts" / "trace.json").write_text(text, "utf-8")
    (folder / "calls" / "invocations.parquet").rename(folder / "counts" / "invocations.parquet")
    return folder / "counts"


@pytest.mark.parametrize("arrivals", ["even", "uniform", "poisson"])
def test_a_real_trace_stays_counts_through_all_that_a_run_does_to_it(
    shared: Path, tmp_path: Path, arrivals: str
) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_500f_8h", arrivals=arrivals, durations="lognormal")
    if arrivals != "poisson":
        assert len(trace) == 3_037_902
    part = RandomSample(share=0.2).apply(trace).slice(3600.0, 7200.0)
    travelled = share(part, tmp_path / "columns").draw(3)
    saved = sim.load_trace(part.draw(3).save(tmp_path / "saved"))
    assert travelled.content_hash() == saved.content_hash() == part.draw(3).content_hash()
    assert not any(is_made(one) for one in (trace, part, travelled, saved))
    assert len(travelled) == travelled.function.size == saved.function.size > 1000
    assert columns(travelled) == columns(saved)
