"""``keepwarm timeline``: what it writes, and what it refuses in one line."""

import json
from pathlib import Path

import pytest
from command import Done, keepwarm, small_trace

import sim


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_trace(tmp_path / "small")
    monkeypatch.chdir(tmp_path)


def timeline(*words: str) -> Done:
    return keepwarm("timeline", "workload=default", "workload.path=small", *words)


def test_it_writes_what_a_script_would(tmp_path: Path) -> None:
    done = timeline("policy=[fixed_1m]", "policies.fixed_1m.window_s=90", "--from", "100", "--to", "900",
                    "--functions", "2,0", "--out", "t.json", "seed=3", "platform=constant_start")  # fmt: skip
    assert done.status == 0, done.err
    assert "FixedWindow(window_s=90): 40 calls" in done.out
    assert "written to t.json; open it in https://ui.perfetto.dev" in done.out
    result = sim.simulate(sim.load_trace("small"), sim.policies.FixedWindow(90), sim.load_platform("constant_start"),
                          seed=3)  # fmt: skip
    sim.chrome_trace(result, "by_script.json", start_s=100, end_s=900, functions=["2", "0"])
    assert Path("t.json").read_bytes() == Path("by_script.json").read_bytes()
    assert len(json.loads(Path("t.json").read_text())["traceEvents"]) > 20


def test_help_is_there() -> None:
    assert "keepwarm timeline [OVERRIDES] --out FILE" in keepwarm("timeline", "--help").out
    assert keepwarm("timeline").out == keepwarm("timeline", "--help").out
    assert "keepwarm timeline --help" in keepwarm("--help").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["policy=[fixed_1m]"], "timeline: the following arguments are required: --out"),
        (["--out", "t.json"], "a timeline is of one policy, not of no_keep_alive, fixed_1m, "),
        (["experiment=aws_lambda_2020", "--out", "t.json"], "a timeline is of one policy, not of an experiment"),
        (["policy=[fixed_1m]", "--out", "t.json", "--functions", "f"], "'f' is the name of no function"),
        (["policy=[fixed_1m]", "--out", "t.json", "--to", "soon"], "argument --to: invalid float value: 'soon'"),
        (["policy=[fixed_1m]", "--out", "t.json", "--to", "nan"], "end_s must be a finite number"),
        (["policy=[fixed_1m]", "--out", "t.json", "--from", "1e9"], "must satisfy start_s < end_s <= "),
        (["policy=[fixed_1m]", "--out", "."], "--out: . is a folder"),
        (["policy=[fixed_1m]", "--out", "no/t.json"], "--out: no/t.json lies in a folder that there is not"),
        (["policy=[fixed_1m]", "--out", "t.json", "--what"], "unrecognized arguments: --what"),
        (["policy=[fixed_9m]", "--out", "t.json"], "there is no policy called 'fixed_9m'"),
        (["policy=[fixed_1m]", "polices.x=1", "--out", "t.json"], "polices.x: there is no such key"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], message: str) -> None:
    done = timeline(*words)
    assert done.status == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["small"]
