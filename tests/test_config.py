"""Configurations: every one shipped is built, changed ones are labelled, wrong ones refused before anything runs."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command import keepwarm, small_trace
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import sim
from sim import config, run_config
from sim.core.build import Trust, resolve
from sim.core.errors import ConfigError
from sim.platform.startup import ConstantStart

FOLDER = config.config_dir()
FILES = sorted(path.relative_to(FOLDER) for path in FOLDER.glob("*/**/*.yaml"))
ALONE = ["executor.jobs=1", "report=false"]  # workers would not find the modules that these tests swap
SMALL = ["platform=constant_start", "policy=[fixed_1m]", *ALONE]


def build(*overrides: str, extra: tuple[Path, ...] = ()) -> run_config.Run:
    composed = config.plain(config.compose_config(overrides, extra=extra))
    return run_config.build_run(composed, [*extra, FOLDER], Trust())


def labels(*overrides: str, **options: object) -> list[str]:
    return list(build("platform=constant_start", *overrides, **options).policies)  # type: ignore[arg-type]


def chosen(file: Path) -> list[str]:
    """What chooses a config of the folder on the command line."""
    group, name = file.parent.as_posix(), file.stem
    overrides = [] if group in ("platform", "experiment") else ["platform=constant_start"]
    if group == "policy":
        return [*overrides, f"policy=[{name}]"]
    if group == "pricing" and "ProviderPrice" in (FOLDER / file).read_text():
        return [*overrides, f"pricing@provider={name}"]
    if group == "platform" and "path: ???" in (FOLDER / file).read_text():
        overrides = ["platform.start.path=."]
    path = ["workload.path=somewhere"] if "path: ???" in (FOLDER / file).read_text() else []
    return [*overrides, f"{group}={name}", *path]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# What is shipped


def root_of(file: Path) -> str:
    """The root config whose defaults name the group of a file; `config` for experiments, which are of any group."""
    roots = {path.stem: OmegaConf.load(path).get("defaults", []) for path in sorted(FOLDER.glob("*.yaml"))}
    groups = {name: [str(key) for entry in defaults if OmegaConf.is_dict(entry) for key in entry]
              for name, defaults in roots.items()}  # fmt: skip
    return next(name for name, named in groups.items() if file.parent.as_posix() in [g.split("@")[0] for g in named])


def targets(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["_target_"]] if "_target_" in node else [])
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from targets(item)


def test_the_folder_of_configs_is_the_checkouts() -> None:
    assert {file.parent.name for file in FILES} >= {"workload", "platform", "policy", "pricing", "engine", "experiment"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_config_is_composed_and_built(file: Path) -> None:
    if (root := root_of(file)) != "config":  # not of a comparison: composed, and every class that it names is found
        composed = config.compose_config([f"{file.parent.as_posix()}={file.stem}"], name=root)
        for target in targets(OmegaConf.to_container(composed)):
            resolve(target, str(file), Trust())
        return
    run = build(*chosen(file))
    assert run.policies
    if file.parent.name == "policy":
        assert list(run.policies) == [file.stem]  # untouched, so labelled by its name alone
    assert pickle.loads(pickle.dumps(run)) == run


def test_the_default_run_compares_what_make_run_promises() -> None:
    run = build()
    assert list(run.policies) == [
        "no_keep_alive", "fixed_1m", "fixed_2m", "fixed_10m", "fixed_60m", "keep_forever", "clairvoyant"
    ]  # fmt: skip
    assert (run.setting.seed, run.replications.min, run.setting.warm_up_s, run.setting.horizon_s) == (0, 1, 0.0, None)


# load_platform


def test_parameters_of_a_platform_are_replaced_as_values() -> None:
    assert sim.load_platform("constant_start", start_s=1, max_lifetime_s=7200) == sim.Platform(
        start_s=1, max_lifetime_s=7200
    )
    assert sim.load_platform("default", start=ConstantStart(2.0)).start == ConstantStart(2.0)
    assert sim.load_platform("constant_start").start_s == 0.25


def test_none_stays_none() -> None:
    name = {"_target_": "sim.platform.startup.ConstantStart", "start_s": 3.0}
    platform = sim.load_platform("default", start=name)
    assert platform.start_s is None
    with pytest.raises(ConfigError, match="needs either start"):  # not: expected a number, got 'None'
        sim.load_platform("constant_start", start_s=None)
    with pytest.raises(ConfigError, match=r"platform\.max_lifetime_s: expected a number or Distribution, got nothing"):
        sim.load_platform("constant_start", max_lifetime_s=None)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("nope", {}, "there is no platform called 'nope'; there is "),
        ("a,b", {}, "several values"),
        ("x y=1", {}, "not an override"),
        (5, {}, "name one of "),
        ("constant_start", {"speed": 1}, "platform.speed: constant_start has no such parameter; it has start_s"),
        ("default", {"start_s": 1}, "platform.start_s: default has no such parameter; it has "),
        ("constant_start", {"_target_": "os.system"}, "os.system is not trusted"),
        ("default", {"start": {"_target_": "os.system", "command": "x"}}, "platform.start: os.system is not trusted"),
        ("constant_start", {"start_s": "1"}, "platform.start_s: expected a number or null, got '1'"),
        ("constant_start", {"start_s": -1}, "start_s must be a finite number of seconds >= 0, not -1"),
        ("constant_start", {"max_lifetime_s": 0}, "max_lifetime_s must be"),
        ("default", {"start": 1.0}, "platform.start: expected StartModel or null, got 1.0"),
    ],
)
def test_platforms_that_cannot_be(name: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        sim.load_platform(name, **parameters)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_prices_are_loaded_alike() -> None:
    assert sim.load_pricing("azure_consumption", minimum_s=0.0).minimum_s == 0.0
    assert sim.load_provider(utilisation=1.0).utilisation == 1.0
    with pytest.raises(ConfigError, match="is not a ProviderPrice"):
        sim.load_provider("cloud_run")
    with pytest.raises(ConfigError, match=r"provider\.gb: provider_ec2_m5 has no such parameter"):
        sim.load_provider(gb=1.0)


def test_hydra_is_left_as_it_was_found(tmp_path: Path) -> None:
    assert not GlobalHydra.instance().is_initialized()
    sim.load_platform("constant_start")
    assert not GlobalHydra.instance().is_initialized()
    write(tmp_path / "mine.yaml", "word: hello")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        sim.load_platform("constant_start")
        with pytest.raises(ConfigError):
            sim.load_platform("nope")
        assert compose("mine").word == "hello"
    assert not GlobalHydra.instance().is_initialized()


def test_a_platform_is_loaded_inside_a_running_hydra_application(tmp_path: Path) -> None:
    write(tmp_path / "conf" / "mine.yaml", "start_s: 2.5\nplatform: constant_start")
    app = """
import hydra, sim
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base="1.3", config_path="conf", config_name="mine")
def main(cfg):
    before = HydraConfig.get().runtime.output_dir
    platform = sim.load_platform(cfg.platform, start_s=cfg.start_s)
    trace = sim.Trace.from_arrays([0], [1.0], [1.0])
    result = sim.simulate(trace, sim.policies.FixedWindow(60), platform)
    assert HydraConfig.get().runtime.output_dir == before
    assert hydra.compose("mine").start_s == 2.5
    print("waited", result.summary["wait_mean_s"])

main()
"""
    write(tmp_path / "app.py", app)
    done = subprocess.run(
        [sys.executable, "app.py", "start_s=3.5"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "waited 3.5\n"


# Labels


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["policy=[fixed_1m,fixed_10m]"], ["fixed_1m", "fixed_10m"]),
        (["policy=fixed_1m"], ["fixed_1m"]),
        (["policy=[fixed_10m,fixed_1m]", "policies.fixed_10m.window_s=300"], ["fixed_10m (window_s=300)", "fixed_1m"]),
        (["policy=[fixed_1m]", "policies.fixed_1m.window_s=60"], ["fixed_1m"]),
        (["policy=[fixed_1m]", "policies.fixed_1m.window_s=60.0"], ["fixed_1m"]),
        (["policy=[fixed_1m]", "policies.fixed_1m.window_s=inf"], ["fixed_1m (window_s=inf)"]),
        (["policy=[fixed_1m]", "~policies.fixed_1m.window_s"], ["fixed_1m (no window_s)"]),
        (["policy=[no_keep_alive]", "policies.no_keep_alive._target_=sim.policies.KeepForever"],
         ["no_keep_alive (_target_=sim.policies.KeepForever)"]),
        (["policy=[fixed_1m]", "+policies.mine={_target_:sim.policies.FixedWindow,window_s:5}"], ["fixed_1m", "mine"]),
        (["policy=[fixed_1m]", "+policies.5={_target_:sim.policies.FixedWindow,window_s:5}"], ["fixed_1m", "5"]),
    ],
)  # fmt: skip
def test_a_changed_preset_says_so(overrides: list[str], expected: list[str]) -> None:
    assert labels(*overrides) == expected


def test_a_users_presets_are_labelled_against_the_users_files(tmp_path: Path) -> None:
    write(tmp_path / "policy" / "mine.yaml",
          "# @package policies.mine\n_target_: sim.policies.FixedWindow\nwindow_s: 7\n")  # fmt: skip
    write(tmp_path / "experiment" / "short.yaml",
          "# @package _global_\ndefaults:\n  - override /policy: [mine, fixed_1m]\npolicies:\n  mine: {window_s: 8}\n"
          "  fixed_1m: {window_s: 9}\n")  # fmt: skip
    assert labels("policy=[mine]", extra=(tmp_path,)) == ["mine"]
    assert labels("experiment=short", extra=(tmp_path,)) == ["mine (window_s=8)", "fixed_1m (window_s=9)"]


def test_labels_name_rows_apart() -> None:
    run = build("platform=constant_start", "policy=[fixed_1m,fixed_2m]", "policies.fixed_2m.window_s=60")
    assert list(run.policies) == ["fixed_1m", "fixed_2m (window_s=60)"]


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


@pytest.mark.parametrize("name", ["plain", "with space", "a,b [c] (d) {e}", "x='y'", "ü", "a\\b"])
def test_a_folder_of_configs_may_have_any_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "policy" / "mine.yaml",
          "# @package policies.mine\n_target_: sim.policies.KeepForever\n")  # fmt: skip
    assert labels("policy=[mine]", extra=(tmp_path / name,)) == ["mine"]


def test_a_folder_of_configs_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder of configs at .*nowhere"):
        build(extra=(tmp_path / "nowhere",))


# Whom the user trusts


@pytest.mark.parametrize(
    ("arguments", "environment", "trusted"),
    [
        ([], "", ()),
        ([], "a", ("a",)),
        (["b"], "a, c.d ,", ("b", "a", "c.d")),
        (["a,b"], "", ("a", "b")),
    ],
)
def test_trust_comes_from_arguments_and_environment(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: str, trusted: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KEEPWARM_TRUST", environment)
    assert config.trusted(arguments) == Trust(trusted)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trace(tmp_path_factory.mktemp("traces") / "small")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: a package with a policy, and a preset of it. Whoever imports the package leaves a mark."""
    write(tmp_path / "minepkg" / "__init__.py", f"open({str(tmp_path / 'imported')!r}, 'w').close()\n")
    write(tmp_path / "minepkg" / "rules.py", """
import logging
from dataclasses import dataclass
import sim

@dataclass(frozen=True)
class Double(sim.policies.KeepAlive):
    window_s: float = 1.0

    def windows_s(self, future):
        return 2 * self.window_s

class Handler(logging.StreamHandler):
    pass
""")  # fmt: skip
    write(tmp_path / "conf" / "policy" / "double.yaml",
          "# @package policies.double\n_target_: minepkg.rules.Double\nwindow_s: 300\n")  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_users_policy_runs_if_its_package_is_trusted(mine: Path, trace: Path) -> None:
    done = keepwarm("run", "--config-dir", "conf", "--trust=minepkg", "platform=constant_start", "hydra.run.dir=run",
                    "policy=[double,fixed_10m]", f"workload.path={trace}", *ALONE)  # fmt: skip
    assert done.status == 0, done.err
    table = pd.read_csv("run/comparison.csv").set_index("policy")
    assert table.loc["double", "cold_starts"] == table.loc["fixed_10m", "cold_starts"]
    assert table.loc["double", "policy_value"] == "Double(window_s=300)"


def test_a_package_is_trusted_by_the_environment(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPWARM_TRUST", "other,minepkg")
    done = keepwarm("run", "--config-dir=conf", "platform=constant_start", "policy=[double]", "workload.path=nowhere")
    assert (done.status, done.err) == (2, "error: nowhere: there is no such file or folder\n")
    assert (mine / "imported").exists()


@pytest.mark.parametrize(
    "words", [[], ["--trust", "minepk"], ["--trust=minepkg.rule"], ["+trust=minepkg"],
              ["hydra.job.env_set={KEEPWARM_TRUST: minepkg}"]]
)  # fmt: skip
def test_no_config_can_make_itself_trusted(mine: Path, words: list[str]) -> None:
    done = keepwarm("run", "--config-dir=conf", "platform=constant_start", "policy=[double]", *words)
    assert done.status == 2
    assert "not trusted" in done.err or "no such key" in done.err
    assert not (mine / "imported").exists()
    assert not (mine / "outputs").exists()


EVIL = "# @package _global_\nhydra: {job_logging: {handlers: {console: {(): minepkg.rules.Handler}}}}\n"
HYDRA_NODES = [
    "launcher: {_target_: minepkg.rules.Double}",
    "sweeper: {_target_: minepkg.rules.Double}",
    "callbacks: {x: {_target_: minepkg.rules.Double}}",
    "callbacks: {x: {_target_: logging.os.system, command: touch imported}}",
    "callbacks: {x: {_target_: logging.config.fileConfig, fname: x}}",
    "callbacks: {x: {_target_: hydra.utils.get_class, path: minepkg.rules.Double}}",
    "callbacks: {x: {_target_: hydra._internal.utils._locate, path: minepkg.rules.Double}}",
    "callbacks: {x: {_target_: sim.cli.Path}}",
    "callbacks: {x: {_target_: simulator.X}}",
    "callbacks: {x: {_target_: '${workload.format}'}}",
    "job_logging: {handlers: {console: {class: minepkg.rules.Handler}}}",
    "job_logging: {handlers: {console: {(): minepkg.rules.Handler}}}",
    "job_logging: {handlers: {console: {stream: ext://minepkg.rules.Handler}}}",
    "job_logging: {handlers: {console: {stream: '${workload.format}'}}}",
    "job_logging: {formatters: {simple: {(): minepkg.rules.Handler}}}",
    "job_logging: {filters: {x: {(): minepkg.rules.Handler}}}",
    "job_logging: {filters: {x: {args: [{class: minepkg.rules.Handler}]}}}",
    "hydra_logging: {handlers: {console: {class: minepkg.rules.Handler}}}",
]


@pytest.mark.parametrize("node", HYDRA_NODES)
def test_hydra_builds_nothing_untrusted(mine: Path, node: str) -> None:
    write(mine / "conf" / "experiment" / "evil.yaml",
          f"# @package _global_\nworkload: {{format: 'ext://minepkg.rules'}}\nhydra:\n  {node}\n")  # fmt: skip
    done = keepwarm("run", "--config-dir=conf", *SMALL, "experiment=evil")
    assert done.status == 2
    assert done.err.startswith("error: hydra.")
    assert "trusted" in done.err or "not a class" in done.err or "dotted name" in done.err
    assert not (mine / "imported").exists()
    assert not (mine / "outputs").exists()


@pytest.mark.parametrize("sweep", ["experiment=good,evil", "experiment=glob(*)", "experiment=glob([e*,g*])"])
def test_every_job_of_a_sweep_is_looked_at_before_the_first(mine: Path, sweep: str) -> None:
    write(mine / "conf" / "experiment" / "good.yaml", "# @package _global_\nseed: 1\n")
    write(mine / "conf" / "experiment" / "evil.yaml", EVIL)
    done = keepwarm("run", "--multirun", "--config-dir=conf", *SMALL, "seed=1,2,3", sweep)
    assert done.status == 2
    assert "minepkg.rules.Handler is not trusted" in done.err
    assert not (mine / "imported").exists()
    assert not (mine / "multirun").exists()


def test_a_sweep_that_a_config_asks_for_is_looked_at_too(mine: Path) -> None:
    write(mine / "conf" / "hydra" / "job_logging" / "evil.yaml",
          "version: 1\nhandlers: {console: {(): minepkg.rules.Handler}}\nroot: {handlers: [console]}\n")  # fmt: skip
    write(mine / "conf" / "experiment" / "good.yaml",
          "# @package _global_\n"
          "hydra: {mode: MULTIRUN, sweeper: {params: {hydra/job_logging: 'stdout,evil'}}}\n")  # fmt: skip
    done = keepwarm("run", "--config-dir=conf", *SMALL, "experiment=good")
    assert done.status == 2
    assert "minepkg.rules.Handler is not trusted" in done.err
    assert not (mine / "imported").exists()


def test_hydra_may_build_what_the_user_trusts(mine: Path) -> None:
    node = "# @package _global_\nhydra: {job_logging: {handlers: {console: {class: minepkg.rules.Handler}}}}\n"
    write(mine / "conf" / "experiment" / "good.yaml", node)
    done = keepwarm("run", "--config-dir=conf", "--trust=minepkg", *SMALL, "experiment=good", "workload.path=nowhere")
    assert done.err == "error: nowhere: there is no such file or folder\n"


@pytest.mark.parametrize(
    "overrides", [["hydra/job_logging=default"], ["hydra/job_logging=none"], ["hydra.verbose=true"]]
)
def test_hydras_own_choices_are_allowed(mine: Path, overrides: list[str]) -> None:
    done = keepwarm("run", *SMALL, *overrides, "workload.path=nowhere")
    assert "error: nowhere: there is no such file or folder\n" in done.err


def test_a_pickled_job_is_not_run_again(mine: Path) -> None:
    done = keepwarm("run", "--experimental-rerun", "job.pickle")
    assert (done.status, done.err[:42]) == (2, "error: --experimental-rerun is not support")


def test_a_configuration_is_written_as_it_was_read() -> None:
    plain = config.plain(config.compose_config(["platform=constant_start"]))
    assert OmegaConf.to_container(OmegaConf.create(config.to_yaml(plain))) == plain


def test_a_run_can_be_repeated_from_its_own_config(mine: Path, trace: Path) -> None:
    words = ["policies.fixed_1m.window_s=90", *SMALL, f"workload.path={trace}"]
    assert keepwarm("run", *words, "hydra.run.dir=one").status == 0
    os.mkdir("again")  # noqa: PTH102
    (mine / "again" / "config.yaml").write_bytes((mine / "one" / "config.yaml").read_bytes())
    done = keepwarm("run", f"--config-path={mine / 'again'}", "hydra.run.dir=two", "hydra.output_subdir=null")
    assert done.status == 0, done.err
    assert (mine / "two" / "config.yaml").read_bytes() == (mine / "one" / "config.yaml").read_bytes()
