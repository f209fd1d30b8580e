"""Many windows from one compiled pass, against runs and against the window curve, to the last bit of a window."""

from math import inf, nextafter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from small import Case, cases

import sim
from sim.core.errors import ConfigError
from sim.policies import FixedWindow

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

CASES = cases(start_ups=False, lives=False)


def assert_as_the_curve(trace: sim.Trace, platform: sim.Platform, windows_s: np.ndarray, **span: float) -> None:
    found = sim.many_windows(trace, windows_s, platform, **span)
    expected = sim.window_curve(trace, platform, **span).at(windows_s)
    assert found["cold_starts"].tolist() == expected["cold_starts"].tolist()
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12, atol=1e-12)


def test_golden() -> None:
    # An instance of 128 MB idles for 9 s and for 29 s within the 41 s, and at the end for 0 s
    trace = sim.Trace.from_arrays([0, 0, 0], [0.0, 10.0, 40.0], 1.0, horizon_s=41.0)
    table = sim.many_windows(trace, [inf, 0, 10, 9])
    assert table["cold_starts"].tolist() == [1, 3, 2, 2]
    assert (table["wasted_gb_s"] * 8).tolist() == [38.0, 0.0, 19.0, 18.0]


@examples(200)
@given(CASES, st.floats(0, 1), st.floats(0, 1))
def test_they_are_the_curve_at_every_edge_of_it(case: Case, one: float, other: float) -> None:
    warm_up_s, horizon_s = (share * case.trace.horizon_s for share in sorted((one, other)))
    edges = [w for window_s in case.window_s if window_s < inf for w in (window_s, nextafter(window_s, inf))]
    edges += sim.window_curve(case.trace, case.platform).warm_from_s.tolist()
    windows_s = np.array([*edges, *(nextafter(w, 0) for w in edges), 0.0, 5.0, inf])
    assert_as_the_curve(case.trace, case.platform, windows_s)
    assert_as_the_curve(case.trace, case.platform, windows_s, warm_up_s=warm_up_s, horizon_s=horizon_s)


@examples(60)
@given(CASES)
def test_they_are_runs(case: Case) -> None:
    windows_s = sorted({*case.window_s, 0.0})[:4]
    table = sim.many_windows(case.trace, windows_s, case.platform)
    for window_s, cold, wasted in zip(windows_s, table["cold_starts"], table["wasted_gb_s"], strict=True):
        summary = sim.simulate(case.trace, FixedWindow(window_s), case.platform, record=False).summary
        assert summary["cold_starts"] == cold
        assert summary["wasted_gb_s"] == pytest.approx(wasted, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("isolation", ["function", "app"])
def test_a_thousand_windows_of_a_real_trace(shared: Path, isolation: str) -> None:
    trace = sim.load_trace(shared / "traces/azure2019_100f_8h", format="azure2019").slice(0, 7200)
    platform = sim.Platform(start_s=0.0, isolation=isolation)
    windows_s = np.concatenate([np.linspace(0.0, 7200.0, 999), [inf]])
    assert_as_the_curve(trace, platform, windows_s)
    assert_as_the_curve(trace, platform, windows_s, warm_up_s=600.0, horizon_s=3600.0)
    for row in sim.many_windows(trace, windows_s, platform).iloc[::20].itertuples():
        run = sim.simulate(trace, FixedWindow(row.window_s), platform, engine="compiled", record=False).summary
        assert run["cold_starts"] == row.cold_starts
        assert run["wasted_gb_s"] == pytest.approx(row.wasted_gb_s, rel=1e-12)


def test_without_calls_there_is_nothing() -> None:
    trace = sim.Trace.from_arrays([0], [5.0], 1.0).slice(0, 4)
    table = sim.many_windows(trace, [0.0, 600.0])
    assert table["cold_starts"].tolist() == [0, 0]
    assert table["wasted_gb_s"].tolist() == [0.0, 0.0]


def test_without_numba_the_curve_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = sim.load_trace("traces/default").slice(0, 1200)
    windows_s = np.linspace(0.0, 600.0, 20)
    fast = sim.many_windows(trace, windows_s)
    monkeypatch.setattr("sim.engine.many_windows.is_installed", lambda: False)
    pd.testing.assert_frame_equal(fast, sim.many_windows(trace, windows_s), rtol=1e-12)


@pytest.mark.parametrize(
    ("windows_s", "options", "said"),
    [([-1.0], {}, "windows_s must be"), ([1.0], {"start_s": 1.0}, "starts take time"),
     ([1.0], {"start_s": 0.0, "max_instances": 3}, "the number of instances is limited")],
)  # fmt: skip
def test_what_is_not_exact_is_refused(windows_s: list[float], options: dict[str, float], said: str) -> None:
    trace = sim.Trace.from_arrays([0], [5.0], 1.0)
    with pytest.raises(ConfigError, match=said):
        sim.many_windows(trace, windows_s, sim.Platform(**{"start_s": 0.0, **options}))
