"""The study of measured flags: on calls that the rule itself made, on real ones, and through the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from command import keepwarm

import sim
from sim.core.distributions import Quantiles
from sim.core.errors import ConfigError
from sim.experiment.aws_lambda_2020 import Measurement, Model, predict
from sim.experiment.setting import Setting
from sim.policies import FixedWindow, FunctionIdleWindow
from sim.studies.measured_flags import MeasuredFlags
from sim.studies.role import Findings

LIVES = Quantiles((0.0, 0.21, 1.0), (0.0, 6880.0, 7270.0))
RULE = Model(FunctionIdleWindow(), sim.Platform(start_s=0.0, max_lifetime_s=LIVES), as_seen=True)
FIXED = Model(FunctionIdleWindow(), sim.Platform(start_s=0.0, max_lifetime_s=7150.0), as_seen=True)
USUAL = Model(FixedWindow(630.0), sim.Platform(start_s=0.0, max_lifetime_s=7200.0), as_seen=True)
RATES = (0.002, 0.01, 0.05)
CALLS = 2000
FILES = [
    "cold_probability.png", "cold_probability.svg", "config.yaml", "findings.csv", "findings.parquet", "manifest.json"
]  # fmt: skip
RUN = ("run", "experiment=aws_lambda_2020", "hydra.run.dir=run")


def setting(**changes: object) -> Setting:
    return Setting(sim.Platform(start_s=0.0), sim.load_pricing(), sim.load_provider(), **changes)  # type: ignore[arg-type]


def find(folder: Path, models: dict[str, Model], replications: int = 1, **changes: object) -> Findings:
    return MeasuredFlags(str(folder), models).run(setting(**changes), replications)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as the measured ones, whose flags are those of `RULE` with seed 7."""
    folder, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    for rate in RATES:
        arrival_s = np.cumsum(rng.exponential(1 / rate, CALLS))
        calls = Measurement(None, rate, arrival_s, np.full(CALLS, 2.0), np.zeros(CALLS, np.bool_))
        table = pd.DataFrame({"arrival_s": arrival_s, "response_s": 2.0, "is_cold": predict(calls, RULE, seed=7) * 1})
        table.to_csv(folder / f"rate_{rate}.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Calls that the rule itself made


def test_the_rule_foretells_its_own_flags_to_the_last(made: Path) -> None:
    frame = find(made, {"rule": RULE}, seed=7).frame
    assert frame["rate"].tolist() == list(RATES)
    assert frame["measured_cold"].min() > 0
    assert frame["wrong"].tolist() == [0, 0, 0]
    assert frame[["agreement", "precision", "recall"]].eq(1.0).all(axis=None)
    assert frame["p_cold"].tolist() == frame["measured_p_cold"].tolist()
    assert frame["inside"].all()


def test_other_lives_and_other_windows_are_what_makes_flags_wrong(made: Path) -> None:
    frame = find(made, {"rule": RULE, "fixed life": FIXED, "usual": USUAL}, seed=8).frame
    wrong = frame.pivot_table(index="rate", columns="model", values="wrong")
    assert (wrong.loc[0.05] > 0).all()
    assert wrong["usual"].sum() > wrong["fixed life"].sum()


def test_a_model_that_draws_is_replayed_in_every_replication(made: Path) -> None:
    once = [find(made, {"rule": RULE}, seed=s).frame for s in (3, 3, 4)]
    assert once[0].equals(once[1])
    assert not once[0].equals(once[2])
    frame = find(made, {"rule": RULE, "usual": USUAL}, 5, seed=3).frame.set_index(["model", "rate"])
    assert frame.loc["rule", "replications"].tolist() == [5, 5, 5]
    assert frame.loc["usual", "replications"].tolist() == [1, 1, 1]
    assert frame.loc["usual", ["p_cold_ci95", "p_cold_low", "p_cold_high"]].isna().all(axis=None)
    calls = pd.read_csv(made / "rate_0.05.csv")
    file = Measurement(None, 0.05, calls["arrival_s"].to_numpy(), calls["response_s"].to_numpy(), calls["is_cold"] == 1)
    p = np.array([predict(file, RULE, seed=3, replication=k)[1:].mean() for k in range(5)])
    row = frame.loc[("rule", 0.05)]
    assert row["p_cold"] == pytest.approx(p.mean())
    assert row["p_cold_ci95"] == pytest.approx(2.7764451 * p.std(ddof=1) / 5**0.5)
    assert p.min() <= row["p_cold_low"] <= row["p_cold"] <= row["p_cold_high"] <= p.max()


def test_between_the_measured_rates_there_are_only_predictions(made: Path) -> None:
    study = MeasuredFlags(str(made), {"usual": USUAL, "fixed": FIXED}, between_calls=300)
    frame = study.run(setting(), 1).frame
    between = frame[frame["measured_p_cold"].isna()]
    assert len(frame) - len(between) == 6
    assert between["rate"].iloc[[0, -1]].tolist() == pytest.approx([0.001, 0.1])
    assert between["inside"].isna().all()
    p = between[between["model"] == "fixed"]["p_cold"]
    assert p.iloc[0] == pytest.approx(
        np.exp(-0.001 * 638), abs=0.1
    )  # nearly alone: cold if the gap is beyond the window
    assert p.iloc[0] > p.iloc[8] > p.iloc[-1] > 0


# Real calls


def test_real_lambda_from_the_command_line(here: Path, shared: Path) -> None:
    folder = shared / "measurements" / "aws_lambda_2020"
    done = keepwarm(*RUN, f"workload.path={folder}", "replications=20", "study.between_calls=0")
    assert (done.status, done.err) == (0, "")
    assert sorted(path.name for path in (here / "run").iterdir()) == FILES
    frame = pd.read_csv(here / "run" / "findings.csv")
    wrong = frame.pivot_table(index="model", columns="rate", values="wrong")
    assert wrong.loc["usual"].tolist() == [2, 5, 20, 58]
    assert wrong.loc["ours"].tolist() == [0, 3, 11, 41]
    assert 60 < wrong.loc["preset"].sum() < 75
    outside = frame[~frame["inside"]]
    assert outside[["rate", "model"]].to_numpy().tolist() == [[0.0501, "usual"]]
    assert "usual 85, ours 55, preset 67" in done.out
    assert "0.0073 [0.0052, 0.0101]" in done.out
    manifest = json.loads((here / "run" / "manifest.json").read_text())
    assert [file["calls"] for file in manifest["inputs"]["files"].values()] == [186, 348, 791, 5050]


# The command line


def test_a_model_is_changed_from_the_command_line(here: Path, made: Path) -> None:
    words = [*RUN, f"workload.path={made}", "study.between_calls=0", "study.models.ours.as_seen=true", "replications=2"]
    assert keepwarm(*words, "~study.models.preset").status == 0
    before = pd.read_csv("run/findings.csv")
    assert keepwarm(*words, "study.models.ours.policy.window_s=60", "hydra.run.dir=other").status == 0
    after = pd.read_csv("other/findings.csv")
    assert before["model"].unique().tolist() == ["usual", "ours"]
    assert after["model"].unique().tolist() == ["usual", "ours", "preset"]
    cold = [frame[frame["model"] == "ours"]["predicted_cold"].sum() for frame in (before, after)]
    assert cold[1] > 2 * cold[0]


def test_the_same_study_gives_the_same_bytes(here: Path, made: Path) -> None:
    words = [*RUN, f"workload.path={made}", "replications=3", "study.between_calls=200"]
    for folder in ("one", "two"):
        assert keepwarm(*words, f"hydra.run.dir={folder}").status == 0
    for name in FILES[:-1]:
        assert (here / "one" / name).read_bytes() == (here / "two" / name).read_bytes(), name
    assert keepwarm(*words, "seed=1", "hydra.run.dir=three").status == 0
    assert (here / "one" / "findings.csv").read_bytes() != (here / "three" / "findings.csv").read_bytes()
    metadata = pq.read_schema(here / "one" / "findings.parquet").metadata
    assert {b"keepwarm.wrong", b"keepwarm.measured", b"keepwarm.replications"} < set(metadata)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "workload.path must be given: workload.path=..."),
        (["workload.path=nowhere"], "nowhere: there is no such folder"),
        (["workload.path=empty"], "empty: there are no files rate_*.csv"),
        (["workload.path=damaged"], "rate_0.1.csv, row 2, column 'response_s': must be a finite number >= 0"),
        (["workload.path={made}", "warm_up_s=5"], "warm_up_s and horizon_s: every measured call"),
        (["workload.path={made}", "study.models.ours.policy.windo_s=5"], "study.models.ours.policy.windo_s: there is"),
        (["workload.path={made}", "study.models.ours.as_seen=5"], "study.models.ours.as_seen: expected true or false"),
        (["workload.path={made}", "study.models.ours=5"], "study.models.ours: expected Model, got 5"),
        (["workload.path={made}", "study.between_calls=1"], "study: between_calls must be 0, or 2 or more, not 1"),
        (["workload.path={made}", "study=5"], "study: expected a mapping with _target_, got 5"),
        (["workload.path={made}", "study._target_=os.system"], "study: os.system is not trusted"),
        (["workload.path={made}", "study._target_=sim.Platform"], "study.path: there is no such parameter"),
        (["workload.path={made}", "~study._target_"], "study: expected a mapping with _target_"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_leaves_nothing(
    here: Path, made: Path, words: list[str], message: str
) -> None:
    (here / "empty").mkdir()
    (here / "damaged").mkdir()
    (here / "damaged" / "rate_0.1.csv").write_text("arrival_s,response_s,is_cold\n0,1,0\n1,much,0\n")
    done = keepwarm(*RUN, *(word.replace("{made}", str(made)) for word in words))
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (here / "run").exists()


def test_an_experiment_may_be_a_plain_comparison(here: Path) -> None:
    path = here / "conf" / "experiment" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "# @package _global_\ndefaults:\n  - override /platform: constant_start\n  - override /policy: [fixed_1m]\n"
        "workload: {transforms: []}\nhorizon_s: 600.0\n"
    )
    done = keepwarm("run", "--config-dir=conf", "experiment=mine", "hydra.run.dir=run")
    assert (done.status, done.err) == (0, "")
    assert pd.read_csv("run/comparison.csv")["policy"].tolist() == ["fixed_1m"]


def test_a_study_without_models_cannot_be() -> None:
    with pytest.raises(ConfigError, match="no model"):
        MeasuredFlags("somewhere", {})
