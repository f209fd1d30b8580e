"""Experiments as a whole: variants, precision asked for, apps drawn anew, and what the folder gives back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import keepwarm, small_counts, small_trace
from six_calls import TRACE

import sim
from sim import ConfigError, Platform, load_platform
from sim.config import policy_presets
from sim.core.random import generator
from sim.experiment.intervals import half_width
from sim.experiment.replications import Replications
from sim.experiment.variation import variations
from sim.policies import FixedWindow, NoKeepAlive
from sim.results.outcome import merged

POLICIES = {"1 min": FixedWindow(60), "10 min": FixedWindow(600)}


# Variants


def test_every_policy_on_every_trace_and_platform(tmp_path: Path) -> None:
    traces = {"whole": TRACE, "early": TRACE.slice(0, 600)}
    platforms = {"fast": Platform(start_s=0.1), "slow": Platform(start_s=5.0)}
    outcome = sim.run_experiment(tmp_path / "run", traces, POLICIES, platforms, jobs=1)
    assert [variant.label for variant in outcome.variants] == [
        "whole, fast",
        "whole, slow",
        "early, fast",
        "early, slow",
    ]
    frame = outcome.frame
    assert frame["variant"].tolist() == np.repeat([variant.label for variant in outcome.variants], 2).tolist()
    for trace_name, trace in traces.items():
        for platform_name, platform in platforms.items():
            alone = sim.compare(trace, POLICIES, platform)
            part = frame[frame["variant"] == f"{trace_name}, {platform_name}"].drop(columns="variant")
            pd.testing.assert_frame_equal(part.reset_index(drop=True), alone, check_exact=True)
    pd.testing.assert_frame_equal(sim.load_run(tmp_path / "run").frame, frame, check_exact=True)


def test_vary_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_trace(tmp_path / "small")
    words = [
        "run",
        "workload.path=small",
        "policy=[fixed_1m,fixed_10m]",
        "platform=constant_start",
        "executor.jobs=1",
        "report=false",
    ]
    done = keepwarm(*words, "vary={platform.start_s: [0.5, 4.0], seed: [1, 2]}", "hydra.run.dir=out")
    assert done.status == 0, done.err
    outcome = sim.load_run("out")
    labels = [f"platform.start_s={s}, seed={seed}" for s in (0.5, 4.0) for seed in (1, 2)]
    assert [variant.label for variant in outcome.variants] == labels
    assert keepwarm(*words, "platform.start_s=4.0", "seed=2", "hydra.run.dir=alone").status == 0
    alone = sim.load_run("alone").frame
    pd.testing.assert_frame_equal(outcome.variants[3].frame, alone, check_exact=True)
    assert keepwarm("report", "out", "alone", "--out", "both").status == 0
    page = (tmp_path / "both" / "report.html").read_text("utf-8")
    assert page.count("<pre><code>keepwarm run workload.path=small") == 2  # how both were made
    assert "<dt>out: seed</dt>" in page
    assert "<dt>alone: seed</dt>" in page
    assert keepwarm("rerun", "out").status == 0


def test_presets_may_be_varied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_trace(tmp_path / "small")
    words = ["workload.path=small", "policy=[fixed_1m]", "executor.jobs=1", "hydra.run.dir=out", "report=false"]
    done = keepwarm("run", *words, "vary={platform: [constant_start, default]}")
    assert done.status == 0, done.err
    notes = [variant.notes["platform"] for variant in sim.load_run("out").variants]
    assert "starts of" in notes[0]
    assert "drawn phase by phase" in notes[1]


def test_merged_outcomes_keep_their_names(tmp_path: Path) -> None:
    one, two = (sim.run_experiment(tmp_path / name, TRACE, POLICIES, Platform(start_s=s), jobs=1)
                for name, s in (("a", 0.1), ("b", 1.0)))  # fmt: skip
    assert merged({"a": one}) is one
    assert merged({"a": one, "b": two}).frame["variant"].tolist() == ["a", "a", "b", "b"]


def test_a_label_must_say_something() -> None:
    with pytest.raises(ConfigError, match="needs a label"):
        sim.compare(TRACE, {"": FixedWindow(60)})


def test_presets_are_varied_before_their_parameters() -> None:
    config = {"platform": {"life": 1}, "workload": {"seed": 3, "path": "p"}, "seed": 3}
    vary = {"platform.life": [60, 7200], "platform": ["a"], "seed": [1]}
    found = dict(variations(config, vary, lambda group, name: {"life": -1, "name": name}))
    assert found == {
        f"platform.life={life}, platform=a, seed=1": {
            "platform": {"life": life, "name": "a"}, "workload": {"seed": 1, "path": "p"}, "seed": 1
        }
        for life in (60, 7200)
    }  # fmt: skip


# Replications


def test_replications_go_on_until_the_interval_is_narrow(tmp_path: Path) -> None:
    trace = sim.load_trace(small_counts(tmp_path / "counts", 40), arrivals="poisson")
    wanted = {"min": 3, "max": 60, "target_rel_halfwidth": 0.1, "metric": "wasted_gb_s"}
    outcome = sim.run_experiment(tmp_path / "run", trace, POLICIES, Platform(start_s=0.5), replications=wanted, jobs=1)
    frame = outcome.frame
    n = int(frame["replications"][0])
    assert (frame["replications"] == n).all()  # all policies the same, so that they stay paired
    assert n == 60 or (frame["wasted_gb_s_ci95"] <= 0.1 * frame["wasted_gb_s"]).all()
    fixed = sim.compare(trace, POLICIES, Platform(start_s=0.5), replications=n)
    pd.testing.assert_frame_equal(fixed, frame, check_exact=True)


def test_a_target_that_is_missed_is_told(tmp_path: Path) -> None:
    trace = sim.load_trace(small_counts(tmp_path / "counts", 40), arrivals="poisson")
    wanted = {"min": 2, "max": 3, "target_rel_halfwidth": 1e-6, "metric": "wasted_gb_s"}
    outcome = sim.run_experiment(tmp_path / "run", trace, POLICIES, Platform(start_s=0.5), replications=wanted, jobs=1)
    said = "the half-width asked for, 1e-06 of the mean of wasted_gb_s, was not reached in 3 replications for"
    assert said in outcome.variants[0].notes["intervals"]
    assert sim.load_run(tmp_path / "run").variants[0].notes == outcome.variants[0].notes


def test_how_many_replications_come_next() -> None:
    until = Replications(min=4, max=1000, target_rel_halfwidth=0.05, metric="cold_start_rate")
    wide = pd.DataFrame({"a": generator(1, 0, "t").normal(1.0, 0.3, 4)})
    assert until.missed(wide).endswith(f"4 replications for a ({half_width(wide['a']) / wide['a'].mean():.2g})")
    assert until.missed(pd.DataFrame({"a": [1.0] * 4, "b": [0.0] * 4, "c": [np.nan] * 4})) == ""
    assert until.next(wide) == 8  # never more than twice: the width itself is uncertain
    assert until.next(pd.DataFrame({"a": [1.0, 1.0, 1.0, 1.0]})) == 4
    assert until.next(pd.DataFrame({"a": [0.0] * 4})) == 4
    assert until.next(pd.DataFrame({"a": [np.nan] * 4})) == 4
    assert replace(until, max=6).next(wide) == 6
    assert Replications(4).next(wide) == 4


def test_a_target_narrows_the_interval_about_as_foretold() -> None:
    until, draws = Replications(5, 100_000, 0.02), generator(2, 0, "t").normal(1.0, 0.2, 100_000)
    n = 5
    while (more := until.next(pd.DataFrame({"a": draws[:n]}))) > n:
        n = more
    assert 200 < n < 900  # (1.96 · 0.2 / 0.02)² = 384


# What the folder gives back


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not the folder of a comparison"):
        sim.load_run(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        sim.load_run(tmp_path)
    (tmp_path / "index.json").write_text('{"format": "keepwarm-run", "version": 99}')
    with pytest.raises(ConfigError, match="version 99"):
        sim.load_run(tmp_path)
    (tmp_path / "index.json").write_text(
        '{"format": "keepwarm-run", "version": 1, "variants": [{"functions": "../secret.parquet"}]}'
    )
    with pytest.raises(ConfigError, match="may not lie outside its run's folder"):
        sim.load_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", "[1]"),
        ("manifest.json", "{"),
        ("config.yaml", b"\xff\xfe\xff"),
        ("index.json", "[" * 100_000),
        (
            "index.json",
            '{"format": "keepwarm-run", "version": 1, "variants": [], "policies": [], "failures": [], "intervals": ""}',
        ),
    ],
)
def test_a_damaged_folder_is_told_in_one_line(tmp_path: Path, name: str, content: str | bytes) -> None:
    sim.run_experiment(tmp_path / "run", TRACE, POLICIES, Platform(start_s=0.5), jobs=1)
    (tmp_path / "run" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match="is damaged"):
        sim.load_run(tmp_path / "run")


def test_keys_in_an_index_are_keys(tmp_path: Path) -> None:
    sim.run_experiment(tmp_path / "run", TRACE, POLICIES, Platform(start_s=0.5), jobs=1)
    index = tmp_path / "run" / "index.json"
    whole = json.loads(index.read_text())
    whole["variants"][0]["cells"]["1 min"] = ["/etc/*"]
    index.write_text(json.dumps(whole))
    with pytest.raises(ConfigError, match="a key that is none"):
        sim.load_run(tmp_path / "run")


def test_notes_and_policies_in_an_index_are_such(tmp_path: Path) -> None:
    sim.run_experiment(tmp_path / "run", TRACE, POLICIES, Platform(start_s=0.5), jobs=1)
    index = tmp_path / "run" / "index.json"
    whole = index.read_text()
    for keys in (("variants", 0, "facts", "workload"), ("policies", 0, "value"), ("policies", 1, "needs_future")):
        changed = place = json.loads(whole)
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = {}
        index.write_text(json.dumps(changed))
        with pytest.raises(ConfigError, match="is damaged"):
            sim.load_run(tmp_path / "run")


def test_where_replications_are_missing_it_says_so(tmp_path: Path) -> None:
    sim.run_experiment(tmp_path / "run", TRACE, POLICIES, load_platform(), replications=3, jobs=1)
    whole = json.loads((tmp_path / "run" / "index.json").read_text())
    key = whole["variants"][0]["cells"]["1 min"][2]
    next((tmp_path / "run" / "cells").glob(f"{key}-*")).unlink()
    outcome = sim.load_run(tmp_path / "run")
    assert outcome.frame["replications"].tolist() == [2, 2]
    assert outcome.failures == ["only the first 2 of 3 replications are used, those that every policy has"]


# Real traces


def test_real_traces_with_a_bootstrap_over_apps(shared: Path, tmp_path: Path) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_100f_8h", format="azure2019").slice(0, 3600)
    outcome = sim.run_experiment(tmp_path / "run", trace, POLICIES | {"none": NoKeepAlive()}, Platform(start_s=0.5),
                                 intervals="apps", jobs=2)  # fmt: skip
    frame = outcome.frame.set_index("policy")
    assert (frame["cold_start_rate_low"] <= frame["cold_start_rate"]).all()
    assert (frame["cold_start_rate"] <= frame["cold_start_rate_high"]).all()
    assert frame["cold_start_rate_ci95"]["10 min"] > 0
    assert frame["latency_p99_s_ci95"].isna().all()
    assert frame.loc["none", ["cold_start_rate_low", "cold_start_rate_high"]].tolist() == [1.0, 1.0]
    assert "bootstrap over" in outcome.variants[0].notes["intervals"]
    pairs = outcome.differences.query("metric == 'cold_start_rate'").set_index(["policy", "other"])
    assert pairs["real"]["1 min", "10 min"]


def test_cells_that_belong_to_no_app_are_in_no_interval(tmp_path: Path) -> None:
    trace = sim.load_trace("traces/default").slice(0, 1800)
    cells = policy_presets()["stem_cells"]
    frame = sim.compare(trace, {"cells": cells, "10 min": FixedWindow(600)}, intervals="apps").set_index("policy")
    assert np.isnan(frame["wasted_gb_s_low"]["cells"])
    assert frame["wasted_gb_s_low"]["10 min"] <= frame["wasted_gb_s"]["10 min"] <= frame["wasted_gb_s_high"]["10 min"]
    assert frame["cold_start_rate_low"]["cells"] <= frame["cold_start_rate_high"]["cells"]


def test_apps_that_compete_cannot_be_drawn_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="intervals=apps draws apps as if each were alone"):
        sim.run_experiment(tmp_path, TRACE, POLICIES, Platform(start_s=0.5, max_instances=3), intervals="apps", jobs=1)
