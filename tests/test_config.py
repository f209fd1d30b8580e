"""Configurations: every one shipped is built, parts of one are loaded alone, and changed ones are labelled."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from compositions import FOLDER, build, write
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import sim
from sim import config
from sim.core.build import Trust, resolve
from sim.core.errors import ConfigError
from sim.platform.startup import ConstantStart

FILES = sorted(path.relative_to(FOLDER) for path in FOLDER.glob("*/**/*.yaml"))


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


def test_a_configuration_is_written_as_it_was_read() -> None:
    plain = config.plain(config.compose_config(["platform=constant_start"]))
    assert OmegaConf.to_container(OmegaConf.create(config.to_yaml(plain))) == plain


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


@pytest.mark.parametrize("name", ["plain", "with space", "a,b [c] (d) {e}", "x='y'", "ü", "a\\b"])
def test_a_folder_of_configs_may_have_any_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "policy" / "mine.yaml",
          "# @package policies.mine\n_target_: sim.policies.KeepForever\n")  # fmt: skip
    assert labels("policy=[mine]", extra=(tmp_path / name,)) == ["mine"]
