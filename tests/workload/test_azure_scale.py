"""A synthetic cloud of the size of Azure Functions 2019: made in any parts, with exactly the calls that it says."""

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import sim
from sim.core.random import stream
from sim.workload.statistics import busiest_share
from sim.workload.synthesis import AzureScale, Day, TraceParts, Zipf
from sim.workload.synthesis import minutes as module
from sim.workload.synthesis.minutes import Curve, by_minute, calls_before, counted, scattered, timed

DAY = Curve(0.5, 2880)
SCARCE = [[0, 0, 0, 2, 2], [4, 5, 9, 3, 7], [1, 1, 1, 1, 1]]
BUSY = [[0] * 5 + [1] * 5, [0, 1, 2, 3, 4] * 2, [7, 3, 4, 1, 5, 9, 10, 11, 9, 6]]
GOLDEN = ("8bdab76867e38f96669e3157de3db051", 384_744)


@cache
def small() -> TraceParts:
    return AzureScale(functions=40, hours=12.0, seed=3).parts(1)


def keys(functions: int) -> np.ndarray:
    numbers = np.arange(functions, dtype=np.uint64)
    return stream(5, 0, "test", numbers, numbers)


def dense(cells: tuple[np.ndarray, ...], rows: int, minutes: int) -> np.ndarray:
    """Counts as a matrix; cells must be in order, none twice or empty."""
    row, minute, count = cells
    table = np.zeros((rows, minutes), np.int64)
    table[row, minute] = count
    assert np.count_nonzero(table) == row.size
    return table


# Exactly


def test_golden_cells() -> None:
    scarce = scattered(keys(3), np.array([3, 0, 2]), np.array([0, 0, 60]), Curve(1.0, 10))
    assert [column.tolist() for column in scarce] == SCARCE
    busy = counted(keys(2), np.array([20, 45]), np.array([0, 60]), Curve(0.5, 5))
    assert [column.tolist() for column in busy] == BUSY
    timers = timed(np.array([20, 120, 600]), np.array([5, 59, 300]), Curve(0.5, 4))
    assert [column.tolist() for column in timers] == [[0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 0, 2], [3, 3, 3, 3, 1, 1]]


def test_golden_trace() -> None:
    trace = small().part([5, 0, 39])
    assert trace.functions["name"].tolist() == ["f05", "f00", "f39"]
    assert trace.calls_per_function.tolist() == small().calls_per_function[[5, 0, 39]].tolist()
    assert (trace.content_hash(), int(small().calls_per_function.sum())) == GOLDEN


def test_a_timer_is_called_at_its_times() -> None:
    for period, phase in ((7, 3), (60, 0), (61, 5), (86_400, 100), (3600, 3599)):
        times = np.arange(phase, DAY.minutes * 60, period)
        table = dense(timed(np.array([period]), np.array([phase]), DAY), 1, DAY.minutes)
        assert table[0].tolist() == np.bincount(times // 60, minlength=DAY.minutes).tolist()
        assert calls_before(DAY.minutes * 60, np.array([period]), np.array([phase])).tolist() == [times.size]


# By law


@settings(max_examples=25)
@given(st.lists(st.integers(0, 39), min_size=1, max_size=40, unique=True))
def test_a_function_is_the_same_in_every_part(chosen: list[int]) -> None:
    whole, part = everything(), small().part(chosen)
    assert part.content_hash() == whole.slice(functions=chosen).content_hash()
    assert len(part) == small().calls_per_function[chosen].sum()


@cache
def everything() -> sim.Trace:
    return small().recipe.make(1)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 1439)), min_size=1, max_size=6),
    st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([1, 70, 1500]), st.sampled_from([1, 500, 1 << 20]),
)  # fmt: skip
def test_numbers_are_exact_and_batches_change_nothing(
    functions: list[tuple[int, int]], base_share: float, minutes: int, batch: int
) -> None:
    calls, peaks = (np.array(column) for column in zip(*functions, strict=True))
    curve = Curve(base_share, minutes)
    for make in (scattered, counted):
        expected = dense(make(keys(calls.size), calls, peaks, curve), calls.size, minutes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_BATCH", batch)
            cells = make(keys(calls.size), calls, peaks, curve)
        found = dense(cells, calls.size, minutes)
        assert (found == expected).all()
        assert (found >= 0).all()
        assert found.sum(axis=1).tolist() == calls.tolist()
        function, minute, count = by_minute(cells, calls.size, minutes)
        assert list(zip(minute, function, count, strict=True)) == [
            (m, f, found[f, m]) for m, f in zip(*np.nonzero(found.T), strict=True)
        ]


def test_counting_and_sorting_calls_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, peaks = np.array([1, 150, 300, 2000]), np.array([0, 10, 10, 700])
    expected = dense(scattered(keys(4), calls, peaks, DAY), 4, DAY.minutes)
    for often in (0, 10**9):
        monkeypatch.setattr(module, "_DENSE", often)
        assert (dense(scattered(keys(4), calls, peaks, DAY), 4, DAY.minutes) == expected).all()


@pytest.mark.parametrize("mean", [1.5, 6.0, 200.0])
def test_busy_minutes_have_poisson_numbers(mean: float) -> None:
    minutes = 20_160
    cells = counted(keys(5), np.full(5, round(mean * minutes)), np.zeros(5, np.int64), Curve(1.0, minutes))
    table = dense(cells, 5, minutes)
    observed = np.bincount(table.ravel())
    expected = stats.poisson.pmf(np.arange(observed.size), mean)
    assert np.abs(np.cumsum(observed) / observed.sum() - np.cumsum(expected)).max() < 0.01
    assert table.var(axis=1) == pytest.approx(mean, rel=0.05)
    for row in table:
        assert abs(np.corrcoef(row[1:], row[:-1])[0, 1]) < 4 / minutes**0.5


@pytest.mark.parametrize("make", [scattered, counted])
def test_calls_follow_the_day(make: object) -> None:
    calls, peak = 400_000, 300
    table = dense(make(keys(1), np.array([calls]), np.array([peak]), DAY), 1, DAY.minutes)  # type: ignore[operator]
    hours = table.reshape(-1, 60).sum(axis=1)
    middle = (np.arange(DAY.minutes) + 0.5 - peak) * 2 * np.pi / 1440
    expected = calls / DAY.minutes * (1.0 + 0.5 * np.cos(middle)).reshape(-1, 60).sum(axis=1)
    assert np.abs(hours - expected).max() < 4.5 * expected.max() ** 0.5


@settings(max_examples=20)
@given(st.integers(1, 150), st.sampled_from([1.0, 6.5, 48.0]), st.integers(0, 5))
def test_every_size_adds_up(functions: int, hours: float, seed: int) -> None:
    recipe = AzureScale(functions=functions, hours=hours, seed=seed)
    parts = recipe.parts()
    assert int(parts.calls_per_function.sum()) == recipe.calls == len(recipe.make())
    assert parts.calls_per_function.min() >= 1
    assert len(parts.functions) == functions
    assert recipe.calls == pytest.approx(functions * hours / 24 * 19_237, rel=2e-5, abs=1)


def test_parts_travel_as_their_recipe() -> None:
    assert small().functions is small().functions
    assert len(pickle.dumps(small())) < 5000
    assert pickle.loads(pickle.dumps(small())).part([7]).content_hash() == small().part([7]).content_hash()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"hours": 0.01}, "hours"), ({"daily_calls": 0.05}, "daily_calls"), ({"base_share": 2.0}, "base_share"),
        ({"arrivals": "late"}, "arrivals"), ({"timers": None}, "timers"), ({"functions": 0}, "functions"),
        ({"durations": sim.load_platform("constant_start")}, "durations"),
    ],
)  # fmt: skip
def test_impossible_recipes_are_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(sim.ConfigError, match=word):
        AzureScale(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("chosen", "why"), [
    ([40], "no function 40 among 40"), ([-1], "no function -1"), ([3, 3], "twice"), ([0.5], "numbers"), (3, "list"),
])  # fmt: skip
def test_impossible_parts_are_refused(chosen: object, why: str) -> None:
    with pytest.raises(sim.TraceError, match=why):
        small().part(chosen)  # type: ignore[arg-type]


def test_what_would_not_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.workload.synthesis.azure_scale.default_limit_mb", lambda: 0.1)
    with pytest.raises(sim.TraceError, match=r"minutes of functions would need .* in parts"):
        small().part(range(40))
    assert len(small().part([0])) == small().calls_per_function[0]


def test_other_parts_may_be_others_day_and_popularity() -> None:
    night = AzureScale(
        functions=20, hours=24.0, daily_calls=2000.0, base_share=0.0, day=Day(2.0, 0.0), popularity=Zipf()
    )
    trace = night.make()
    others = np.flatnonzero((trace.functions["trigger"] != "timer").to_numpy())
    hours = np.bincount(trace.slice(functions=others).counts.minute // 60, minlength=24)
    assert hours[1:3].min() > 5 * hours[13:15].max()


# Against what is known of the real one


def test_the_whole_cloud_has_the_published_size_and_skew() -> None:
    parts = sim.load_synthesis("azure_scale").parts()  # type: ignore[attr-defined]
    calls, table, days = parts.calls_per_function, parts.functions, 14
    assert (len(table), parts.horizon_s) == (46_413, days * 86_400.0)
    assert calls.sum() == pytest.approx(12.5e9, rel=1e-6)
    apps = table.assign(calls=calls).groupby(["owner", "app"])["calls"].sum().to_numpy()
    assert (apps <= 24 * days).mean() == pytest.approx(0.45, abs=0.01)
    assert (apps <= 1440 * days).mean() == pytest.approx(0.81, abs=0.02)
    assert busiest_share(apps, 0.186) == pytest.approx(0.996, abs=0.003)
    assert apps.max() / apps.min() > 1e8
    sizes = table.groupby(["owner", "app"]).size()
    assert (sizes == 1).mean() == pytest.approx(0.54, abs=0.01)
    assert (sizes <= 10).mean() == pytest.approx(0.95, abs=0.01)
    shares = table.assign(calls=calls / calls.sum(), functions=1 / len(table)).groupby("trigger").sum(numeric_only=True)
    for trigger, of_functions, of_calls in (("timer", 0.156, 0.02), ("queue", 0.152, 0.335), ("event", 0.022, 0.247)):
        assert shares.loc[trigger, "functions"] == pytest.approx(of_functions, abs=0.001)
        assert shares.loc[trigger, "calls"] == pytest.approx(of_calls, abs=0.005)
    memory = table.groupby(["owner", "app"])["memory_mb"].sum()
    assert memory.quantile([0.5, 0.9]).tolist() == pytest.approx([140, 262], rel=0.03)
    busiest, rarest = parts.part([int(calls.argmax())]), parts.part(np.flatnonzero(calls == 1)[:50])
    assert len(busiest) == calls.max()
    assert rarest.counts.count.tolist() == [1] * 50


def test_the_skew_of_functions_is_that_of_a_real_sample(shared: Path) -> None:
    real = sim.load_trace(shared / "traces" / "azure2019_500f_8h").calls_per_function
    made = sim.load_synthesis("azure_scale").parts().calls_per_function  # type: ignore[attr-defined]
    for share in (0.01, 0.05, 0.1):
        assert busiest_share(made, share) == pytest.approx(busiest_share(real, share), abs=0.02)
