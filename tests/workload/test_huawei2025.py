import gzip
import pickle

import numpy as np
import pandas as pd
import pytest

import sim
from sim import ConfigError, TraceError, load_trace
from sim.config import compose_config, plain
from sim.core.build import Trust, build
from sim.core.distributions import LogNormal, look_up
from sim.platform.startup import PHASES
from sim.platform.startup.by_memory import ByMemoryMb
from sim.platform.startup.measured import PHASES_OF, HuaweiStarts, as_measured, start_model_from_cold_starts
from sim.workload.functions import function_table
from sim.workload.readers.huawei2025.cold_starts import COSTS

START = 30 * 86_400
REQUESTS = ["time_worker", "time_frontend", "requestID", "clusterName", "funcName", "podID", "userID",
            "totalCost_worker", "workerCost", "runtimeCost", "totalCost_frontend", "frontendCost", "busCost",
            "readBodyCost", "writeRspCost", "cpu_usage", "memory_usage", "requestBodySize"]  # fmt: skip
COLD = ["day", "time", "clusterName", "funcName", "userID", "requestID", "totalCost_cold_start", "podAllocationCost",
        "deployCodeCost", "deployDependencyCost", "schedulingCost", "podID"]  # fmt: skip
SMALL, LARGE = "pool22-300-128-0000618412", "pool26-1000-1024-0006851174"


def request(function, user, pod, end, worker, runtime, frontend):
    """A row: its worker ends 1 ms before the frontend does."""
    return [START + end - 0.001, START + end, "763ff09a", 1, function, pod, user, worker, worker - runtime, runtime,
            frontend, 0.0003, 0.002, 0.00001, 0.00001, 0.29, 32.3, 1018]  # fmt: skip


def write(file, header, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(",".join(map(str, row)) + "\n" for row in [header, *rows]))


@pytest.fixture
def parts(tmp_path):
    """Two parts; function 296 of user 224 is in two pools, and one request began the day before."""
    one = [request(296, 224, SMALL, 10.0, 2.0, 1.75, 2.5), request(7, 9, LARGE, 3.0, 1.0, 0.5, 2.0)]
    two = [
        request(296, 224, LARGE, 20.0, 0.0, 0.0, 0.125),
        request(296, 224, "pool22-300-128-0000000007", 5.0, 1.0, 1.0, 1.0),
        request(7, 9, LARGE, 0.5, 1.0, 0.5, 2.0),
    ]
    write(tmp_path / "part-00000-c000.csv", REQUESTS, one)
    write(tmp_path / "part-00001-c000.csv", REQUESTS, two)
    return tmp_path


def report(trace, *keys):
    return [trace.about["report"][key] for key in keys]


def test_golden_rows(parts):
    trace = load_trace(parts)
    names = ["296---224---pool22-300-128", "7---9---pool26-1000-1024", "296---224---pool26-1000-1024"]
    assert trace.functions["name"].tolist() == names
    assert trace.functions["app"].tolist() == names
    assert trace.functions["owner"].tolist() == ["224", "9", "224"]
    assert trace.functions["memory_mb"].tolist() == [128.0, 1024.0, 1024.0]
    assert trace.arrival_s.tolist() == [1.0, 4.0, 7.5, 19.875]
    assert trace.duration_s.tolist() == [1.0, 1.0, 2.0, 0.0]
    assert trace.function.tolist() == [1, 0, 0, 2]
    assert trace.horizon_s == 19.875
    assert trace.about["format"] == "huawei2025"
    assert "CC-BY 4.0" in trace.about["licence"]
    assert report(trace, "functions", "calls", "calls_outside_span", "durations_zero") == [3, 4, 1, 1]


def test_a_span_without_a_call_is_refused(parts):
    """Another day's requests, of which nothing is inside day 30."""
    for options in (
        {"span_s": [0, START - 2]},
        {"span_s": [START + 8, START + 19]},
        {"span_s": [2 * START, 3 * START]},
    ):
        with pytest.raises(TraceError) as error:
            load_trace(parts, **options, functions=["296---224---pool22-300-128", "7---9---pool26-1000-1024"])
        for part in ("no call arrives", f"{START - 1.5:.3f} to {START + 7.5:.3f} s", f"[{START - 2}, {START + 8}]"):
            assert part in str(error.value)
    assert len(load_trace(parts, span_s=[START - 2, START + 8])) == 4  # what it says to say


def test_other_costs_and_clocks(parts):
    assert load_trace(parts, durations="runtime").duration_s.tolist() == [0.5, 1.0, 1.75, 0.0]
    assert load_trace(parts, durations="frontend").duration_s.tolist() == [2.0, 1.0, 2.5, 0.125]
    worker = load_trace(parts, arrivals="worker")
    assert worker.arrival_s == pytest.approx([1.999, 3.999, 7.999, 19.999])
    assert report(worker, "calls_outside_span") == [1]


def test_spans_and_selections(parts):
    assert load_trace(parts, span_s=[START + 2, START + 8]).arrival_s.tolist() == [2.0, 5.5]
    trace = load_trace(parts, functions=["296---224---pool22-300-128"])
    assert trace.arrival_s.tolist() == [4.0, 7.5]
    assert trace.functions["memory_mb"].tolist() == [128.0]
    some = set(load_trace(parts, share=0.7).functions["name"])
    assert some <= set(load_trace(parts, share=1).functions["name"])
    assert len(load_trace(parts / "part-00000-c000.csv")) == 2


def test_metadata_name_runtimes_and_triggers(parts):
    file = parts / "df_funcID_runtime_triggerType.csv"
    header = ["funcID", "cpu_request", "runtime", "triggerType-invocationType"]
    write(file, header, [["7---9---pool26-1000-1024", 100, "Python3", "workflow-S"], ["1---1---x", 1, "Java8", ""]])
    trace = load_trace(parts, metadata=str(file))
    assert trace.functions["runtime"].tolist() == ["python3.12", "Python3", "python3.12"]
    assert trace.functions["trigger"].tolist() == ["http", "workflow-S", "http"]
    assert report(trace, "metadata_missing") == [2]
    assert load_trace(parts).functions["runtime"].tolist() == ["python3.12"] * 3


def test_pods_without_a_pool(parts):
    write(parts / "part-00002-c000.csv", REQUESTS, [request(1, 2, "custom-image", 30.0, 1.0, 1.0, 1.0)])
    trace = load_trace(parts)
    assert trace.functions["name"].tolist()[-1] == "1---2---custom-image"
    assert trace.functions["memory_mb"].tolist()[-1] == 128.0
    assert report(trace, "memory_missing") == [1]


def test_compressed_parts(parts):
    before = load_trace(parts).content_hash()
    for file in list(parts.iterdir()):
        (parts / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert load_trace(parts).content_hash() == before


def cell(column, text, line=3, columns=REQUESTS, name="part-00000-c000.csv"):
    def spoil(folder):
        rows = [row.split(",") for row in (folder / name).read_text().splitlines()]
        rows[line - 1][columns.index(column)] = text
        (folder / name).write_text("\n".join(map(",".join, rows)) + "\n")

    return spoil


BAD = {
    "no time": (cell("time_frontend", ""), ["row 2", "'time_frontend'", "''", "line 3"]),
    "text": (cell("totalCost_worker", "slow"), ["row 2", "'totalCost_worker'", "slow"]),
    "negative": (cell("totalCost_frontend", "-1"), ["row 2", "'totalCost_frontend'", "-1"]),
    "longer than the data set": (cell("totalCost_frontend", "9e9"), ["row 2", "'time_frontend'", "totalCost_frontend"]),
    "no pod": (cell("podID", ""), ["row 2", "'podID'", "empty"]),
    "no function": (cell("funcName", ""), ["row 2", "'funcName'", "empty"]),
}


@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD)
def test_bad_rows_are_named_or_left_out(parts, spoil, words):
    spoil(parts)
    with pytest.raises(TraceError) as error:
        load_trace(parts)
    assert all(word in str(error.value) for word in ["part-00000-c000.csv", *words]), error.value
    trace = load_trace(parts, lenient=True)
    assert report(trace, "rows_dropped", "calls") == [1, 3]


def test_a_part_with_other_columns_is_an_error_and_not_less_data(parts):
    cell("podID", "pod", 1, name="part-00001-c000.csv")(parts)
    with pytest.raises(TraceError) as error:
        load_trace(parts)
    assert all(word in str(error.value) for word in ["part-00001-c000.csv", "'podID'", "missing"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"durations": "bus"}, ["durations", "'worker', 'runtime', 'frontend'"]),
        ({"arrivals": "bus"}, ["arrivals", "'frontend', 'worker'"]),
        ({"span_s": [5]}, ["span_s"]),
        ({"span_s": [5, 4]}, ["span_s"]),
        ({"functions": ["296"]}, ["'296'"]),
        ({"share": 1e-9}, ["no function is left"]),
        ({"memory_limit_mb": 1e-5}, ["calls", "MB"]),
    ],
)
def test_impossible_options_are_named(parts, options, words):
    with pytest.raises(TraceError) as error:
        load_trace(parts, **options)
    assert all(word in str(error.value) for word in words), error.value


def cold(pod, *costs):
    schedule, allocate, code, dependencies = costs
    return [0, 51937.425, 1, 10, 134, "82f1", sum(costs), allocate, code, dependencies, schedule, pod]


@pytest.fixture
def starts(tmp_path):
    """Region R1: 2000 cold starts of small pods on day 0, 1000 of large ones on day 1, which take ten times as long."""
    random = np.random.default_rng(5)
    seconds = random.lognormal(-2, 1, (3000, 4))
    seconds[:, 3] = 0
    for day, rows, pod, factor in ((0, seconds[:2000], SMALL, 1), (1, seconds[2000:], LARGE, 10)):
        write(tmp_path / "R1" / f"day_{day:02}.csv", COLD, [cold(pod, *(factor * row).tolist()) for row in rows])
    seconds[2000:] *= 10
    return tmp_path, seconds


def drawn(model, memory_mb, n=40_000):
    table = function_table(pd.DataFrame({"name": ["f"], "memory_mb": [memory_mb]}))
    u = (np.arange(n) + 0.5) / n
    values = {}
    for name, phase in zip(model.phase_names, model.resolve(table), strict=True):
        values[name] = np.full(n, phase.offset[0])
        if phase.table[0] >= 0:
            values[name] += phase.scale[0] * look_up(phase.tables[phase.table[0]], u)
    return values


def test_cold_starts_become_phases(starts):
    path, seconds = starts
    model = start_model_from_cold_starts(path, region="R1")
    assert model.phase_names == tuple(name for name in PHASES if name in PHASES_OF) == tuple(PHASES_OF)
    assert model.is_random
    for memory_mb, rows in ((128, slice(2000)), (256, slice(2000)), (512, slice(2000, None))):
        values = drawn(model, memory_mb)
        for i, phase in enumerate(PHASES_OF):
            measured = seconds[rows, i]
            quantiles = [0.01, 0.1, 0.5, 0.9, 0.99]
            np.testing.assert_allclose(np.quantile(values[phase], quantiles), np.quantile(measured, quantiles), 0.01)
            assert values[phase].mean() == pytest.approx(measured.mean(), rel=0.02)
    assert set(values["prepare"]) == {0.0}


def test_regardless_of_size(starts):
    path, seconds = starts
    model = start_model_from_cold_starts(path / "R1", by="all")
    for memory_mb in (128, 1024):
        assert np.median(drawn(model, memory_mb)["create"]) == pytest.approx(np.median(seconds[:, 1]), rel=0.01)
    small = start_model_from_cold_starts(path / "R1", days=[0])
    assert np.median(drawn(small, 1024)["create"]) == pytest.approx(np.median(seconds[:2000, 1]), rel=0.01)


def test_measured_distributions_keep_their_tail():
    values = np.random.default_rng(0).lognormal(0, 1.5, 100_000)
    fitted, known = as_measured(values), LogNormal(1.0, float(np.exp(1.5 * 2.3263478740408408)))
    np.testing.assert_allclose(fitted.table[41:-41], known.table[41:-41], rtol=0.1)
    assert fitted.table.mean() == pytest.approx(values.mean(), rel=0.02)
    assert as_measured(np.array([0.25])).table.tolist() == [0.25] * 4097


def test_the_columns_are_the_phases():
    assert PHASES_OF == {
        "schedule": "schedulingCost", "create": "podAllocationCost", "download": "deployCodeCost",
        "prepare": "deployDependencyCost",
    }  # fmt: skip
    assert tuple(PHASES_OF.values()) == COSTS


def test_a_simulation_with_measured_starts(parts, starts):
    path, _ = starts
    platform = sim.Platform(start=HuaweiStarts(str(path), region="R1"))
    result = sim.simulate(load_trace(parts), sim.policies.FixedWindow(60), platform)
    again = sim.simulate(load_trace(parts), sim.policies.FixedWindow(60), pickle.loads(pickle.dumps(platform)))
    assert (result.invocations["start_kind"] == "cold").sum() == 3
    columns = [f"{phase}_s" for phase in PHASES_OF]
    assert result.starts[columns].to_numpy().tolist() == again.starts[columns].to_numpy().tolist()


def test_the_preset(starts):
    path, _ = starts
    config = plain(compose_config(["platform=huawei2025", f"platform.start.path={path}", "platform.start.region=R1"]))
    platform = build(config["platform"], "platform", sim.Platform, Trust())
    assert platform.start_model.phase_names == tuple(PHASES_OF)
    assert platform.start_model.is_random
    with pytest.raises(ConfigError, match=r"platform\.start\.path must be given"):
        plain(compose_config(["platform=huawei2025"]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "runtime"}, ["by", "size or all"]),
        ({"path": "nowhere"}, ["nowhere"]),
        ({"by": ["size"]}, ["by"]),
    ],
)
def test_impossible_models_are_refused(starts, options, words):
    path, _ = starts
    with pytest.raises(ConfigError) as error:
        HuaweiStarts(**({"path": str(path)} | options))
    assert all(word in str(error.value) for word in words), error.value


def test_what_is_wrong_with_cold_starts_is_named(starts):
    path, _ = starts
    for options, words in (
        ({}, ["region", "R1"]),
        ({"region": "R9"}, ["R9"]),
        ({"region": "R1", "days": [0, 7]}, ["days [7]", "[0, 1]"]),
    ):
        with pytest.raises(TraceError) as error:
            start_model_from_cold_starts(path, **options)
        assert all(word in str(error.value) for word in words), error.value
    cell("schedulingCost", "-0.5", 5, COLD, "R1/day_00.csv")(path)
    with pytest.raises(TraceError) as error:
        start_model_from_cold_starts(path, region="R1")
    assert all(word in str(error.value) for word in ["day_00.csv", "row 4", "'schedulingCost'", "-0.5"])
    assert start_model_from_cold_starts(path, region="R1", lenient=True).is_random


def test_by_memory():
    table = function_table(pd.DataFrame({"name": list("abc"), "memory_mb": [128, 256, 257]}))
    phase = ByMemoryMb(256, 0.5, LogNormal(1.0, 2.0))
    resolved = phase.resolve(table)
    assert resolved.offset.tolist() == [0.5, 0.5, 0.0]
    assert resolved.table.tolist() == [-1, -1, 0]
    assert phase.is_random
    assert not ByMemoryMb(256, 0.5, 0.25).is_random
    for wrong in ((0, 1, 1), ("x", 1, 1), (256, "fast", 1), (256, 1, None)):
        with pytest.raises(ConfigError):
            ByMemoryMb(*wrong)
