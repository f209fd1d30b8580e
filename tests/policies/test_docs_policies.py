"""The page on policies: its examples run, its table is what a run gives, and it has every policy."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import sim
from sim import policies
from sim.policies import FixedWindow, HybridHistogram, KeepAlive, StemCells

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "policies.md").read_text(encoding="utf-8")
SCALING = (DOCS / "scaling.md").read_text(encoding="utf-8")


def test_the_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 5
    module = ModuleType("page_on_policies")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where pickle looks for the class
    exec("\n".join(blocks), module.__dict__)


@pytest.mark.parametrize("name", sorted(set(policies.__all__) - {"KeepAlive", "Scaling"}))
def test_every_policy_has_its_section(name: str) -> None:
    page = SCALING if ".scaling." in getattr(policies, name).__module__ else PAGE
    assert re.search(rf"^### .*`{name}`", page, re.MULTILINE)


def test_the_parameters_of_the_histogram_are_all_named() -> None:
    for name in HybridHistogram.__dataclass_fields__:
        assert name == "needs_future" or f"`{name}`" in PAGE


def test_by_app_the_histogram_has_2_5_times_fewer_cold_starts_at_the_waste_of_ten_minutes() -> None:
    trace = sim.load_trace(Path(__file__).resolve().parents[2] / "traces" / "default")
    platform = replace(sim.load_platform("default"), isolation="app")

    def row(policy: KeepAlive, of_s: float) -> str:
        s = sim.simulate(trace, policy, platform, record=False).summary
        share[policy] = s["app_cold_share_p75"]
        waste[policy] = s["wasted_gb_s"]
        return (f"| {s['cold_start_rate']:.2%} | {share[policy]:.1%} | {waste[policy] / of_s:.2f}"
                f" | {s['instance_starts']:,.0f} |")  # fmt: skip

    share: dict[KeepAlive, float] = {}
    waste: dict[KeepAlive, float] = {}
    ten, near, hybrid = FixedWindow(600), FixedWindow(660), HybridHistogram(range_s=3600)
    row(ten, 1.0)
    assert f"| `FixedWindow(660)` {row(near, waste[ten])}\n" in PAGE
    assert f"| `HybridHistogram(range_s=3600)` {row(hybrid, waste[ten])}\n" in PAGE
    assert waste[hybrid] == pytest.approx(waste[near], rel=0.03)
    assert share[near] / share[hybrid] >= 2.4


@pytest.mark.xdist_group("azure2019")
def test_on_real_traffic_cells_make_starts_shorter_and_change_next_to_no_kind(shared: Path) -> None:
    folder = shared / "traces" / "azure2019_100f_8h"
    trace = sim.load_trace(folder, format="azure2019", arrivals="even", durations="mean")
    platform = sim.load_platform("default")
    waste_of_ten = 0.0
    kinds, waits_s = {}, {}
    for policy, name in (
        (FixedWindow(600), "FixedWindow(600)"),
        (StemCells(), "StemCells()"),
        (StemCells(min_count=4), "StemCells(min_count=4)"),
    ):
        result = sim.simulate(trace, policy, platform)
        s, calls = result.summary, result.invocations
        kinds[name] = calls["start_kind"]
        wait_s = (calls["start_s"] - calls["arrival_s"])[calls["start_kind"] == "cold"]
        waits_s[name] = wait_s
        waste_of_ten = waste_of_ten or s["wasted_gb_s"]
        p50, p90, p99 = np.quantile(wait_s, [0.5, 0.9, 0.99])
        assert (
            f"| `{name}` | {s['cold_starts']:.0f} | {s['stem_cell_starts']:.0f} | {1e3 * wait_s.mean():.0f} |"
            f" {1e3 * p50:.0f} | {1e3 * p90:.0f} | {1e3 * p99:.0f} | {s['latency_p99_s']:.3f} |"
            f" {s['wasted_gb_s'] / waste_of_ten:.2f} |\n"
        ) in PAGE
    ten, cells = "FixedWindow(600)", "StemCells()"
    assert np.flatnonzero(kinds[ten] != kinds[cells]).tolist() == [11, 19, 55]  # as the page says, one by one
    both = waits_s[ten].index.intersection(waits_s[cells].index)
    assert (waits_s[cells][both] <= waits_s[ten][both]).all()
