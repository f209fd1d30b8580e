"""What docs/tutorial.md shows and says of its log is what a run gives."""

import re
from pathlib import Path

import pandas as pd
import pytest
from command import keepwarm

import sim

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
SHOP = ("--config-dir", "docs/tutorial", "workload=shop", "platform=constant_start", "executor.jobs=1")


@pytest.fixture(scope="module")
def trace() -> sim.Trace:
    columns = {"function": "function", "arrival_s": "started_ms", "duration_s": "took_ms", "memory_mb": "memory_mb"}
    return sim.load_trace(ROOT / "docs" / "tutorial" / "shop.csv", format="csv", columns=columns, time_unit="ms",
                          origin=1779062400000, horizon_s=86400.0)  # fmt: skip


def test_the_table_is_what_its_command_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    policies = "policy=[no_keep_alive,fixed_1m,fixed_10m,fixed_60m]"
    done = keepwarm("run", *SHOP, policies, f"hydra.run.dir={tmp_path / 'run'}")
    assert (done.status, done.err) == (0, "")
    assert shown[1] in done.out


def test_the_log_is_as_it_is_said_to_be(trace: sim.Trace) -> None:
    assert (len(trace), len(trace.functions)) == (529, 4)
    assert "529 calls of 4 functions, no row dropped" in PAGE
    assert trace.about["report"]["rows_dropped"] == 0
    timer = trace.functions["name"].tolist().index("usage-report")
    gaps_s = pd.Series(trace.arrival_s[trace.function == timer]).diff().dropna()
    assert gaps_s.between(898, 902).all()  # the quarter of an hour of the story


def test_the_curve_and_the_policies_say_what_the_page_says(trace: sim.Trace) -> None:
    curve = sim.window_curve(trace).at([600, 1200, 3600]).set_index("window_s")
    share = curve["cold_starts"] / len(trace)
    assert [f"{share[window_s]:.0%}" for window_s in (600, 1200)] == ["33%", "9%"]
    assert 1.4 < curve["wasted_gb_s"][1200] / curve["wasted_gb_s"][600] < 1.5  # half as much again
    assert 3 < share[600] / share[1200] < 4  # a quarter, and a little
    policies = {name: getattr(sim.policies, name)() for name in ("FixedWindow", "HybridHistogram")}
    table = sim.compare(trace, policies, sim.load_platform("constant_start")).set_index("policy")
    learns = table.loc["HybridHistogram"]
    assert learns["cold_start_rate"] < share[3600]
    assert learns["wasted_normalised"] < 1.15
