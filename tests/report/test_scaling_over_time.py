"""The figure of what scaling policies wanted, and the log it is drawn from."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import small_trace

import sim
from sim.experiment.run_folder import load_run
from sim.jobs import publish
from sim.policies import FixedScale, FixedWindow, Knative
from sim.report.gallery import gallery
from sim.report.scaling_over_time import LINES, MOST_PANELS, scaling
from sim.results.outcome import Outcome

POLICIES = {"window": FixedWindow(60), "knative <b>": Knative(), "two": FixedScale(2)}


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    trace = sim.load_trace(small_trace(tmp_path / "small"))
    return sim.run_experiment(tmp_path / "run", trace, POLICIES, sim.Platform(start_s=0.5), jobs=1)


def test_a_panel_a_policy_that_scales(outcome: Outcome) -> None:
    drawn = scaling(outcome.variants[0])
    assert drawn is not None
    panels = [axes for axes in drawn.figure.axes if axes.lines]
    assert [axes.get_title(loc="left") for axes in panels] == ["knative <b>", "two"]
    assert [len(axes.lines) for axes in panels] == [len(LINES)] * 2
    digest = outcome.variants[0].digests["two"][0]
    assert np.allclose(panels[1].lines[0].get_ydata(), 6.0)  # two of each of three functions
    assert np.allclose(digest.timeline["busy"] + digest.timeline["idle"], 6.0)
    assert "6 wanted" in drawn.alt
    assert "knative <b>" in drawn.caption
    names = [each.name for each in gallery(outcome.variants[0])]
    assert names.index("scaling") == names.index("memory") + 1


def test_without_a_scaler_there_is_none(tmp_path: Path) -> None:
    trace = sim.load_trace(small_trace(tmp_path / "small"))
    outcome = sim.run_experiment(tmp_path / "run", trace, {"w": FixedWindow(60)}, sim.Platform(start_s=0.5), jobs=1)
    assert scaling(outcome.variants[0]) is None
    assert outcome.decisions().empty
    publish(outcome, tmp_path / "run", page=False)
    assert not (tmp_path / "run" / "decisions.parquet").exists()


def test_many_policies_are_named_and_some_drawn(tmp_path: Path) -> None:
    trace = sim.load_trace(small_trace(tmp_path / "small"))
    many = {f"{n} each": FixedScale(n) for n in range(1, MOST_PANELS + 3)}
    outcome = sim.run_experiment(tmp_path / "run", trace, many, sim.Platform(start_s=0.5), jobs=1)
    drawn = scaling(outcome.variants[0], width_in=3.4)
    assert drawn is not None
    assert sum(bool(axes.lines) for axes in drawn.figure.axes) == MOST_PANELS
    assert "Not drawn, being more than 4: 5 each, 6 each." in drawn.caption


def test_the_log_is_in_the_folder_of_the_run(outcome: Outcome, tmp_path: Path) -> None:
    publish(outcome, tmp_path / "run", page=False)
    log = pd.read_parquet(tmp_path / "run" / "decisions.parquet")
    pd.testing.assert_frame_equal(log, load_run(tmp_path / "run").decisions())
    assert set(log["policy"]) == {"knative <b>", "two"}
    assert log.query("policy == 'two'")[["time_s", "wanted", "why"]].to_numpy().tolist() == [[0.0, 2, "at start"]] * 3
    result = sim.simulate(sim.load_trace(tmp_path / "small"), Knative(), sim.Platform(start_s=0.5))
    alone = log.query("policy == 'knative <b>'")
    assert alone["wanted"].tolist() == result.decisions["wanted"].tolist()
    assert alone["function"].tolist() == [f"{name}" for name in result.functions["name"][result.decisions["function"]]]


def test_what_is_wanted_adds_up(outcome: Outcome) -> None:
    """By time: the mean over the parts is what the steps of the log make of the span."""
    digest = outcome.variants[0].digests["knative <b>"][0]
    end_s, total = digest.timeline["to_s"].iloc[-1], 0.0
    for _, steps in digest.decisions.groupby("function"):
        until_s = [*steps["time_s"].iloc[1:], end_s]
        for time_s, wanted, until in zip(steps["time_s"], steps["wanted"], until_s, strict=True):
            total += wanted * max(0.0, min(until, end_s) - time_s)
    assert digest.timeline["wanted"].mean() * end_s == pytest.approx(total, rel=1e-9)
    assert digest.timeline["waiting"].sum() > 0


def test_panic_that_meets_the_most_pods_is_panic(tmp_path: Path) -> None:
    burst = sim.Trace.from_arrays([0] * 60, [100.0] * 60, 5.0, horizon_s=400.0)
    policies = {"bound": Knative(max_scale=2)}
    outcome = sim.run_experiment(tmp_path / "run", burst, policies, sim.Platform(start_s=0.5, concurrency=10), jobs=1)
    timeline = outcome.variants[0].digests["bound"][0].timeline
    assert "panic, bound" in set(outcome.variants[0].digests["bound"][0].decisions["why"])
    in_panic_s = (timeline["panic"] * (timeline["to_s"] - timeline["from_s"])).sum()
    assert in_panic_s == pytest.approx(74.0, abs=15.0)  # a stable window and as long as it is reached
    assert timeline["panic"].max() == 1.0
