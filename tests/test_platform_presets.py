"""Platforms as presets: each brings its policy and prices, has its page, and runs; all of them in one comparison."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import keepwarm

import sim
from sim.config import compose_config, plain, platform_preset, policy_presets
from sim.core.build import Trust, build
from sim.core.errors import ConfigError
from sim.results.pricing import PriceBook
from sim.run_config import build_run

ROOT = Path(__file__).resolve().parents[1]
BROUGHT = {
    "aws_lambda": ("aws_lambda", "AWS Lambda x86_64"),
    "azure_consumption": ("azure", "Azure Functions Consumption"),
    "cloud_run": ("cloud_run", "Google Cloud Run, request-based"),
    "knative": ("knative", "own cluster, no price per call"),
    "kubernetes_hpa": ("kubernetes_hpa", "own cluster, no price per call"),
    "openfaas": ("openfaas", "own cluster, no price per call"),
    "openwhisk": ("openwhisk", "own cluster, no price per call"),
}


@pytest.mark.parametrize("name", BROUGHT)
def test_a_platform_brings_its_policy_and_prices_which_can_be_chosen_anew(name: str) -> None:
    policy, prices = BROUGHT[name]
    brought = plain(compose_config([f"platform={name}"]))
    assert list(brought["policies"]) == [policy]
    assert brought["pricing"]["name"] == prices
    anew = plain(compose_config([f"platform={name}", "policy=[fixed_10m]", "pricing=aws_lambda_arm"]))
    assert list(anew["policies"]) == ["fixed_10m"]
    assert anew["pricing"]["name"] == "AWS Lambda arm64"
    assert anew["platform"] == brought["platform"]
    experiment = plain(compose_config([f"platform={name}", "experiment=scaling"]))
    assert {"fixed_30s", "knative_60s_half", "kubernetes_hpa"} <= set(experiment["policies"])


@pytest.mark.parametrize("name", BROUGHT)
def test_company_in_an_instance_has_its_price(name: str) -> None:
    two = sim.Trace.from_arrays([0, 0], [100.0, 100.0], 1.0)
    platform = sim.load_platform(name, concurrency=2, cores_per_request=20.0)
    calls = sim.simulate(two, sim.policies.FixedScale(1), platform).invocations
    assert (calls["end_s"] - calls["start_s"]).tolist() == pytest.approx([2.0, 2.0], abs=0.1)  # a handler may load


@pytest.mark.parametrize("name", BROUGHT)
def test_a_platform_has_its_page(name: str) -> None:
    page = (ROOT / "docs" / "platforms" / f"{name}.md").read_text("utf-8")
    assert page.index("\nModelled:") < page.index("\nNot modelled")
    assert f"platform={name}" in page
    assert f"platforms/{name}.md" in (ROOT / "docs" / "platforms.md").read_text("utf-8")


@pytest.mark.parametrize("name", BROUGHT)
def test_every_call_of_a_real_trace_has_an_outcome_and_waits_for_what_started(name: str) -> None:
    trace = sim.load_trace(ROOT / "traces" / "default").slice(0, 900)
    _, pricing = platform_preset(name)
    price = build(pricing, "pricing", PriceBook, Trust())
    policy = policy_presets()[BROUGHT[name][0]]
    result = sim.simulate(trace, policy, sim.load_platform(name), price=price)
    calls = result.invocations
    ran = calls[calls["outcome"] == "ok"]
    assert len(calls) == len(trace)
    assert set(calls["outcome"]) <= {"ok", "timed_out"}
    assert len(ran) > 0.99 * len(trace)
    assert (ran["start_s"] >= ran["arrival_s"]).all()
    assert np.array_equal(ran["start_kind"] == "warm", ran["start_s"] == ran["arrival_s"])
    cold = ran[ran["start_kind"] == "cold"]
    assert (cold["start_s"] > cold["arrival_s"]).all()
    user_usd = result.summary["user_cost_per_million_usd"]
    assert user_usd == 0 if pricing["usd_per_gb_s"] == 0 else user_usd > 0


@pytest.mark.parametrize("name", BROUGHT)
def test_littles_law(name: str) -> None:
    """What runs at an instant, counted from the instances, is the rate of calls times how long they run."""
    trace = sim.load_trace(ROOT / "traces" / "default").slice(0, 900)
    result = sim.simulate(trace, policy_presets()[BROUGHT[name][0]], sim.load_platform(name, concurrency=1))
    calls, span_s = result.invocations, trace.horizon_s
    run_s = (calls["end_s"].clip(upper=span_s) - calls["start_s"].clip(upper=span_s)).mean()
    assert result.summary["mean_busy_instances"] == pytest.approx(len(calls) / span_s * run_s, rel=1e-9)


@pytest.mark.parametrize("name", [name for name in BROUGHT if name not in ("aws_lambda", "openwhisk")])
def test_the_utilisation_law_where_instances_serve_many(name: str) -> None:
    """Cores in use, counted from what runs side by side in each instance, are the rate of calls times their work."""
    trace = sim.load_trace(ROOT / "traces" / "default").slice(0, 450)
    platform = sim.load_platform(name, cores=0.5)  # so that there is company to be felt
    share = platform.cores_per_request
    assert share is not None
    calls = sim.simulate(trace, policy_presets()[BROUGHT[name][0]], platform).invocations
    ran = calls[calls["outcome"] == "ok"]
    owner = trace.functions["app" if platform.isolation == "app" else "name"].to_numpy()[ran["function"]]
    used_core_s, slowed = 0.0, False
    for _, mine in ran.groupby([owner, "instance"]):
        edges = pd.concat([pd.Series(1, mine["start_s"]), pd.Series(-1, mine["end_s"])]).groupby(level=0).sum()
        running, gaps_s = edges.cumsum().to_numpy()[:-1], np.diff(edges.index)
        used_core_s += float((np.minimum(running * share, 0.5) * gaps_s).sum())
        slowed |= bool((running * share > 0.5).any())
    work_core_s = float(trace.service_s[ran.index].sum()) * min(share, 0.5)
    assert used_core_s == pytest.approx(work_core_s, rel=1e-9)
    assert slowed


def test_policies_run_on_platforms_of_their_own(tmp_path: Path) -> None:
    common = ["horizon_s=900", "report=false"]
    said = keepwarm("run", "experiment=platforms", *common, f"hydra.run.dir={tmp_path / 'all'}")
    assert said.status == 0, said.err
    together = pd.read_parquet(tmp_path / "all" / "comparison.parquet").set_index("policy")
    assert set(together.index) == {policy for policy, _ in BROUGHT.values()}
    said = keepwarm("run", "platform=azure_consumption", *common, f"hydra.run.dir={tmp_path / 'one'}")
    assert said.status == 0, said.err
    alone = pd.read_parquet(tmp_path / "one" / "comparison.parquet").set_index("policy")
    keys = ["cold_start_rate", "latency_p99_s", "wasted_gb_s", "user_cost_per_million_usd"]
    assert together.loc["azure", keys].tolist() == alone.loc["azure", keys].tolist()
    facts, alone_facts = (
        json.loads((tmp_path / name / "index.json").read_text("utf-8"))["variants"][0]["facts"]
        for name in ("all", "one")
    )
    assert "knative: unlimited capacity, several requests an instance, power of two first" in facts["platform"]
    assert facts["frontier"] is None  # each platform has its own
    assert alone_facts["frontier"]["leaves_out"]
    notes = facts["platform"].split("; ")
    assert [note.split(":")[0] for note in notes if "no price for a call" in note] == [
        "openwhisk", "knative", "kubernetes_hpa, openfaas",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["+platform_of.nobody=knative"], "platform_of.nobody: no such policy is compared; there is fixed_10m"),
        (["+platform_of.fixed_10m=nowhere"], "there is no platform called 'nowhere'"),
        (
            ["+platform_of.fixed_10m=knative", "+vary.platform.max_lifetime_s=[60,70]"],
            "vary.platform: with platform_of",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], said: str) -> None:
    config = plain(compose_config(["policy=[fixed_10m]", *words]))
    with pytest.raises(ConfigError, match=said):
        build_run(config, [ROOT / "configs"], Trust())
