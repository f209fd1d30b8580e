"""Configurations that are wrong are refused in one line before anything runs."""

from pathlib import Path

import pytest
from command import keepwarm
from compositions import SMALL, build, write

from sim import config
from sim.core.errors import ConfigError

# Policies of which one would silently take another's place


def test_a_policy_named_twice() -> None:
    with pytest.raises(ConfigError, match="the policy fixed_1m is named twice"):
        build("policy=[fixed_1m,fixed_2m,fixed_1m]")


def test_a_policy_named_twice_in_an_experiment(tmp_path: Path) -> None:
    write(tmp_path / "experiment" / "twice.yaml",
          "# @package _global_\ndefaults:\n  - override /policy: [fixed_1m, keep_forever, keep_forever]\n")  # fmt: skip
    with pytest.raises(ConfigError, match="the policy keep_forever is named twice"):
        build("experiment=twice", extra=(tmp_path,))


@pytest.mark.parametrize("first_line", ["", "# @package policies.fixed_1m\n", "# @package _global_\n"])
def test_a_preset_that_does_not_lie_under_its_name(tmp_path: Path, first_line: str) -> None:
    write(tmp_path / "policy" / "mine.yaml", f"{first_line}_target_: sim.policies.FixedWindow\nwindow_s: 7\n")
    with pytest.raises(ConfigError, match=r"policy/mine\.yaml: its first line must be: # @package policies\.mine"):
        build("policy=[fixed_1m,mine]", extra=(tmp_path,))


def test_a_file_that_would_be_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "policy" / "fixed_1m.yaml",
          "# @package policies.fixed_1m\n_target_: sim.policies.FixedWindow\nwindow_s: 7\n")  # fmt: skip
    done = keepwarm("run", *SMALL, f"--config-dir={tmp_path}")
    assert done.status == 2
    assert "would not be used: keepwarm has a policy/fixed_1m.yaml of its own" in done.err


# Overrides and files that are wrong


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "seed: not an override; write key=value, lists as key='[a,b]'"),
        ("policy=[fixed_1m", "policy=[fixed_1m: not an override"),
        ("=3", "=3: not an override"),
        ("policy.fixed_10m.window_s=", "write policies.fixed_10m.window_s="),
        ("policy.fixed_10m.window_s=3", "write policies.fixed_10m.window_s=3"),
        ("+policy.mine.x=3", "write +policies.mine.x=3"),
        ("policy.window_s=3", "policy.window_s: there is no such key"),
        ("platfrom=default", "platfrom: there is no such key"),
        ("sed=1", "sed: there is no such key"),
        ("seed.x=1", "seed.x: there is no such key"),
        ("policies.fixed_9m.window_s=1", "policies.fixed_9m.window_s: there is no such key"),
        ("policies.fixed_1m.windo=1", "policies.fixed_1m.windo: there is no such key"),
        ("policy=[fixed_9m]", "there is no policy called 'fixed_9m'; there is "),
        ("platform=nope", "there is no platform called 'nope'; there is "),
        ("pricing@provider=nope", "there is no pricing called 'nope'; there is "),
        ("experiment=nope", "experiment"),
        ("platform=null", "platform=null: name one of "),
        ("engine=5", "engine=5: name one of "),
        ("seed=1,2", "seed=1,2: several values; to sweep over them add --multirun, for a list write key='[a,b]'"),
        ("policy=fixed_1m,fixed_2m", "several values"),
    ],
)
def test_overrides_that_are_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        config.compose_config(["platform=constant_start", override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policies.fixed_1m.window_s="], "policies.fixed_1m.window_s: expected a number, got nothing"),
        (["policies.fixed_1m.window_s=abc"], "policies.fixed_1m.window_s: expected a number, got 'abc'"),
        (["policies.fixed_1m.window_s=null"], "policies.fixed_1m.window_s: expected a number, got nothing"),
        (["policies.fixed_1m.window_s=-1"], "policies.fixed_1m: FixedWindow: window_s must be a number of seconds"),
        (["policies.fixed_1m.window_s=nan"], "policies.fixed_1m: FixedWindow: window_s must be a number of seconds"),
        (["+policies.fixed_1m.windo=1"], "policies.fixed_1m.windo: there is no such parameter; there is window_s"),
        (["policies.fixed_1m=5"], "policies.fixed_1m: expected a mapping with _target_, got 5"),
        (["policies.fixed_1m=null"], "policies.fixed_1m: expected a mapping with _target_, got nothing"),
        (["~policies.fixed_1m._target_"], "policies.fixed_1m: expected a mapping with _target_, got {'window_s': 60"),
        (["policies=5"], "policies: expected a mapping, got 5"),
        (["policies=null"], "no policy is named: choose some, e.g. policy='[fixed_1m,fixed_10m]'"),
        (["~policies"], "no policy is named"),
        (["~platform"], "platform must be given"),
        (["~seed"], "seed must be given"),
        (["~workload"], "workload must be given"),
        (["+extra=1"], "extra: there is no such key; there is workload, platform, policies"),
        (["workload.path="], "workload.path must be given"),
        (["workload.path=null"], "workload.path: expected text or Path, got nothing"),
        (["~workload.path"], "workload: path must be given"),
        (["workload=azure2019"], "workload.path must be given: workload.path=..."),
        (["+workload.format=5"], "workload.format: expected text or null, got 5"),
        (["engine.name=warp"], "engine.name: there is no engine 'warp'; there is "),
        (["seed=1.5"], "seed: expected a whole number, got 1.5"),
        (["seed=true"], "seed: expected a whole number, got True"),
        (["seed="], "seed: expected a whole number, got nothing"),
        (["replications=0"], "replications.min must be a whole number >= 1, not 0"),
        (["replications=many"], "replications: expected a whole number or a mapping, got 'many'"),
        (["warm_up_s=soon"], "warm_up_s: expected a number, got 'soon'"),
        (["horizon_s=soon"], "horizon_s: expected a number or null, got 'soon'"),
        (["platform.start_s=abc"], "platform.start_s: expected a number or null, got 'abc'"),
        (["platform=default", "platform.start.phases.create=abc"],
         "platform.start.phases.create: expected Phase or Distribution or a number, got 'abc'"),
        (["platform=default", "+platform.start.phases.fly=1"], "platform.start: unknown start phase 'fly'"),
        (["platform._target_=sim.results.pricing.PriceBook"], "platform.start_s: there is no such parameter"),
        (["pricing=provider_ec2_m5"], "pricing: sim.results.pricing.ProviderPrice is not a PriceBook"),
        (["pricing.bills_start_up=1"], "pricing.bills_start_up: expected true or false, got 1"),
        (["seed=${nothing}"], "seed: Interpolation key 'nothing' not found"),
        (["seed=${seed}"], "seed: Recursive interpolation detected"),
        (["seed=${unheard:1}"], "seed: Unsupported interpolation type unheard"),
    ],
)  # fmt: skip
def test_values_that_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(*SMALL, *overrides)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("window_s: [1", "expected ',' or ']'"),
        ("window_s: 1\nwindow_s: 2", "duplicate key window_s"),
        ("\tx: 1", "found character '\\t'"),
        ("x: \x00", "special characters are not allowed"),
    ],
)
def test_a_file_that_is_no_yaml(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path / "policy" / "mine.yaml", f"# @package policies.mine\n{text}\n")
    with pytest.raises(ConfigError) as error:
        build("policy=[mine]", extra=(tmp_path,))
    assert words in str(error.value)
    assert "mine.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_of_configs_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder of configs at .*nowhere"):
        build(extra=(tmp_path / "nowhere",))
