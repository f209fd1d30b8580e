"""``keepwarm curve``: what it prints and writes, and what it refuses in one line."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from command import Done, keepwarm, small_counts, small_trace

import sim
from sim import cli

FILES = ["curve.csv", "curve.parquet", "curve.png", "curve.svg", "frontier.csv", "frontier.parquet"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def curve(*words: str) -> Done:
    return keepwarm("curve", "workload.path=small", *words)


def rows(out: str) -> dict[str, list[str]]:
    """The table's cells by window."""
    lines = [line.rsplit(maxsplit=5) for line in out.splitlines()]
    return {line[0].strip(): line[1:] for line in lines if len(line) == 6}


def test_it_prints_what_runs_would_count(tmp_path: Path) -> None:
    trace = sim.load_trace(small_trace(tmp_path / "small"))
    done = curve()
    assert done.status == 0, done.err
    assert done.out.splitlines()[0] == repr(trace)
    table = rows(done.out)
    for label, window_s in (("0 s", 0), ("2 min", 120), ("10 min", 600)):
        summary = sim.simulate(trace, sim.policies.FixedWindow(window_s), sim.Platform(start_s=0.0)).summary
        assert table[label][0] == f"{summary['cold_starts']:.0f}"
        assert table[label][2] == f"{summary['wasted_gb_s']:.3g}"
    assert "exact: a run under FixedWindow has these cold starts" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_it_writes_the_curve_the_frontier_and_a_figure(tmp_path: Path) -> None:
    trace = sim.load_trace(small_trace(tmp_path / "small"))
    done = curve("warm_up_s=100", "--out", "here/below")
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1] == f"written to here/below: {', '.join(FILES)}"
    folder = tmp_path / "here" / "below"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    made = sim.window_curve(trace, warm_up_s=100.0)
    for name, points in (("curve", made.points()), ("frontier", made.frontier.points())):
        table = pq.read_table(folder / f"{name}.parquet")
        frame = table.to_pandas()
        assert frame.drop(columns="wasted_normalised").equals(points)
        assert frame["wasted_normalised"].equals(frame["wasted_gb_s"] / float(made.wasted_gb_s(600.0)))
        assert b"after a warm-up of 100 s" in table.schema.metadata[b"keepwarm.workload"]
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"{name}.csv"), frame)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert curve("warm_up_s=100", "--out", "here/below").status == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_approximation_is_refused_unless_asked_for_and_then_said(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    words = ("platform.start_s=0.5", "platform.max_lifetime_s=900")
    refused = curve(*words)
    assert refused.status == 2
    assert "starts take time; instances have a maximum lifetime" in refused.err
    assert "(--approximate)" in refused.err
    done = curve(*words, "--approximate", "--out", "out")
    assert done.status == 0, done.err
    said = "made as if it were not so that starts take time, or that instances have a maximum lifetime"
    assert f"an approximation, {said}" in " ".join(done.out.split())
    assert said in pq.read_table("out/curve.parquet").schema.metadata[b"keepwarm.exactness"].decode()


def test_counts_are_said_to_be_one_draw(tmp_path: Path) -> None:
    small_counts(tmp_path / "counts")
    words = ("curve", "workload=azure2019", "workload.path=counts")
    done = keepwarm(*words, "workload.arrivals=poisson", "seed=3")
    assert done.status == 0, done.err
    assert "this is the curve of one draw" in done.out
    assert "one draw" not in keepwarm(*words, "workload.arrivals=even", "workload.durations=mean").out


def test_the_platform_counts(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    assert curve("platform=constant_start", "platform.start_s=0").out == curve().out
    assert curve("platform=default").status == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["policy=fixed_1m"], "policy: there is no such key; there is workload, platform, seed, warm_up_s, horizon_s"),
        (["policies.fixed_1m.window_s=3"], "there is no such key"),
        (["policy=[fixed_1m]", "platform=knative"], "policy: there is no such key"),
        (["pricing=cloud_run"], "pricing: there is no such key"),
        (["platform=knative"], "instances serve several requests at a time"),
        (["+extra=1"], "extra: there is no such key; there is workload, platform, seed, warm_up_s, horizon_s"),
        (["~platform"], "platform must be given"),
        (["platform=nope"], "there is no platform called 'nope'"),
        (["platform.start_s=abc"], "platform.start_s: expected a number or null, got 'abc'"),
        (["platform._target_=os.system"], "os.system is not trusted"),
        (["warm_up_s=x"], "warm_up_s: expected a number, got 'x'"),
        (["warm_up_s=-1"], "0 <= warm_up_s <= horizon_s"),
        (["horizon_s=inf"], "0 <= warm_up_s <= horizon_s"),
        (["workload=null"], "workload=null: name one of"),
        (["workload.path=nowhere"], "nowhere: there is no such file or folder"),
        (["--out"], "expected one argument"),
        (["--out", "file"], "a file is in the way at file"),
        (["--out", "file/below"], "file/below: cannot be written"),
        (["--fast"], "unrecognized arguments: --fast"),
        (["window"], "not an override"),
    ],
)
def test_it_refuses_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    (tmp_path / "file").touch()
    done = curve(*words)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "small"]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["workload=default", "--help"]])
def test_help(words: list[str]) -> None:
    done = keepwarm("curve", *words)
    assert done.status == 0
    assert "keepwarm curve [OVERRIDES]" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_it_is_among_the_commands() -> None:
    assert "curve" in cli.COMMANDS
    assert "keepwarm curve" in keepwarm("--help").out
