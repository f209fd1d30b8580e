"""The embedded trace: made by its recipe, within its bounds, with the published marginals."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim import cli
from sim.config import load_synthesis
from sim.core.build import Trust, build
from sim.workload import Trace, load_trace
from sim.workload.synthesis import Synthesis

TRACES = Path(__file__).parents[2] / "traces"


@pytest.fixture(scope="module")
def recipe() -> Synthesis:
    recipe = load_synthesis("default")
    assert isinstance(recipe, Synthesis)
    return recipe


@pytest.fixture(scope="module")
def default() -> Trace:
    return load_trace(TRACES / "default")


def assert_same(one: Trace, other: Trace) -> None:
    for column in ("function", "arrival_s", "duration_s"):
        assert getattr(one, column).dtype == getattr(other, column).dtype
        assert getattr(one, column).tobytes() == getattr(other, column).tobytes(), column
    pd.testing.assert_frame_equal(one.functions, other.functions, check_exact=True)
    assert one.horizon_s == other.horizon_s
    assert dict(one.about) == dict(other.about)


def test_recipe_regenerates_the_embedded_trace_bit_for_bit(recipe: Synthesis, default: Trace) -> None:
    assert_same(recipe.make(), default)


def test_the_trace_holds_the_recipe_that_makes_it_again(recipe: Synthesis, default: Trace) -> None:
    assert build(default.about["recipe"], "recipe", Synthesis, Trust()) == recipe


def test_readme_tells_how(default: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    readme = (TRACES / "README.md").read_text("utf-8")
    [command] = [line for line in readme.splitlines() if line.startswith("keepwarm traces synthesize")]
    assert cli.main(command.split()[1:]) == 0
    assert_same(load_trace(tmp_path / "traces" / "default"), default)
    exec(readme.split("```python\n")[1].split("```")[0], {})
    assert_same(load_trace(tmp_path / "again"), default)


def test_no_library_s_last_digit_shows(recipe: Synthesis, default: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("exp", "log", "log1p", "cos", "interp"):
        exact = getattr(np, name)
        monkeypatch.setattr(np, name, lambda *args, exact=exact: np.nextafter(exact(*args), np.inf))
    assert_same(recipe.make(), default)


def test_size(default: Trace) -> None:
    assert sum(file.stat().st_size for file in (TRACES / "default").iterdir()) <= 4_000_000
    assert len(default) == 450_000
    assert len(default.functions) == 400
    assert default.horizon_s == 86_400.0
    assert default.arrival_s[-1] < 86_400.0
    assert default.calls_per_function.min() >= 1


@pytest.mark.parametrize("column", ["arrival_s", "duration_s"])
def test_times_lie_on_the_grid_of_a_millisecond(default: Trace, column: str) -> None:
    values = getattr(default, column)
    assert np.array_equal(values, np.round(values * 1000.0) / 1000.0)
    assert default.duration_s.min() >= 0.001
    assert default.duration_s.max() <= 600.0


def test_timers_have_exact_periods_and_phases_of_their_own(recipe: Synthesis, default: Trace) -> None:
    assert recipe.timers is not None
    seen, phases = set(), set()
    for function in np.flatnonzero(default.functions["trigger"] == "timer"):
        arrivals = default.arrival_s[default.function == function]
        gaps = set(np.diff(arrivals).tolist()) or {86_400.0}
        assert len(gaps) == 1  # equal as floats, not nearly
        period = gaps.pop()
        assert arrivals[0] < period
        assert arrivals[-1] + period >= 86_400.0
        seen.add(period)
        phases.add(arrivals[0] / period)
    assert seen == set(recipe.timers.periods_s)
    assert len(phases) > 50


def app_calls(trace: Trace) -> pd.Series:
    return pd.Series(trace.calls_per_function).groupby(trace.functions["app"]).sum().sort_values(ascending=False)


def share(trigger: str, of_calls: bool) -> Any:
    def measure(trace: Trace) -> float:
        weights = trace.calls_per_function if of_calls else np.ones(len(trace.functions))
        return float(weights[trace.functions["trigger"] == trigger].sum() / weights.sum())

    return measure


def log_average(trace: Trace) -> pd.Series:
    return np.log(pd.Series(trace.duration_s).groupby(trace.function).mean())


def gap_variation(trace: Trace) -> float:
    apps = trace.functions["app"].to_numpy()[trace.function]
    gaps = [np.diff(arrivals) for _, arrivals in pd.Series(trace.arrival_s).groupby(apps)]
    return float(np.mean([gap.size > 1 and gap.std() > gap.mean() for gap in gaps]))


def base_share(trace: Trace) -> float:
    hours = np.bincount((trace.arrival_s // 3600.0).astype(int), minlength=24)
    return float(hours.min() / hours.mean())


PUBLISHED = {  # what: (published, tolerance, measured); Shahrad et al., USENIX ATC 2020
    "apps with one function": (0.54, 0.01, lambda t: (t.functions.groupby("app").size() == 1).mean()),
    "apps with at most ten": (0.95, 0.01, lambda t: (t.functions.groupby("app").size() <= 10).mean()),
    "apps at most once an hour": (0.45, 0.04, lambda t: (app_calls(t) <= 24).mean()),
    "apps at most once a minute": (0.81, 0.02, lambda t: (app_calls(t) <= 1440).mean()),
    # the rare apps' calls do not shrink with the total, so the head's share cannot be the published one
    "calls of the top 18.6 % of apps": (0.996, 0.035, lambda t: app_calls(t).iloc[:23].sum() / len(t)),
    "functions at most three times an hour": (0.5, 0.05, lambda t: (t.calls_per_function <= 72).mean()),
    "http functions": (0.55, 0.01, share("http", of_calls=False)),
    "queue functions": (0.152, 0.005, share("queue", of_calls=False)),
    "event functions": (0.022, 0.005, share("event", of_calls=False)),
    "timer functions": (0.156, 0.005, share("timer", of_calls=False)),
    "http calls": (0.36, 0.01, share("http", of_calls=True)),
    "queue calls": (0.335, 0.01, share("queue", of_calls=True)),
    "event calls": (0.247, 0.01, share("event", of_calls=True)),
    "timer calls": (0.02, 0.005, share("timer", of_calls=True)),
    "average duration, mean log": (-0.38, 0.05, lambda t: log_average(t).mean()),
    "average duration, sd log": (2.36, 0.1, lambda t: log_average(t).std()),
    "app memory, median": (140.0, 3.0, lambda t: t.functions.groupby("app")["memory_mb"].sum().median()),
    "app memory, p90": (262.0, 8.0, lambda t: t.functions.groupby("app")["memory_mb"].sum().quantile(0.9)),
    "apps with gaps of CV > 1": (0.40, 0.03, gap_variation),
    "constant base of the load": (0.5, 0.05, base_share),
}


@pytest.mark.parametrize("what", PUBLISHED)
def test_marginals_are_the_published_ones(default: Trace, what: str) -> None:
    published, tolerance, measure = PUBLISHED[what]
    assert float(measure(default)) == pytest.approx(published, abs=tolerance)


def test_load_is_modest_and_spread(default: Trace) -> None:
    assert 1.0 < default.duration_s.sum() / default.horizon_s < 10.0
    assert default.calls_per_function.max() < 0.15 * len(default)
    minutes = np.bincount((default.arrival_s // 60.0).astype(int), minlength=1440)
    assert minutes.max() < 3.0 * minutes.mean()


def cold_starts(trace: Trace, window_s: float) -> np.ndarray:
    """By brute force: a fixed window, starts that take no time, most recently idle first."""
    cold = np.zeros(len(trace), bool)
    busy: list[list[float]] = [[] for _ in range(len(trace.functions))]
    idle: list[list[float]] = [[] for _ in range(len(trace.functions))]
    columns = (trace.function.tolist(), trace.arrival_s.tolist(), trace.duration_s.tolist())
    for row, (f, arrival, duration) in enumerate(zip(*columns, strict=True)):
        while busy[f] and busy[f][0] <= arrival:
            idle[f].append(heapq.heappop(busy[f]))
        if idle[f] and arrival <= idle[f][-1] + window_s:
            idle[f].pop()
        else:
            idle[f].clear()
            cold[row] = True
        heapq.heappush(busy[f], arrival + duration)
    return cold


def test_windows_can_be_told_apart(default: Trace) -> None:
    apps = default.functions["app"].to_numpy()[default.function]
    cold = {minutes: cold_starts(default, 60.0 * minutes) for minutes in (1, 2, 10, 60)}
    rate = {minutes: flags.mean() for minutes, flags in cold.items()}
    p75 = {minutes: pd.Series(flags).groupby(apps).mean().quantile(0.75) for minutes, flags in cold.items()}
    assert 0.005 < rate[10] < 0.05
    assert rate[1] > 1.4 * rate[2] > 2.0 * rate[10] > 4.0 * rate[60]
    assert p75[10] == pytest.approx(0.50, abs=0.05)  # published, for a week and a warm-up by app: 0.50
    assert p75[60] == pytest.approx(0.25, abs=0.10)  # published: 0.25
