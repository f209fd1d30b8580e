"""A small valid trace of every format, for tests that go over all readers. A new reader adds its own here."""

import io
import pickle
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from sim import Trace, load_trace, save_by_function
from sim.workload.partition.layout import Layout


@dataclass(frozen=True)
class Sample:
    """Files that make a trace.

    Attributes:
        files: their bytes by name; a folder of them is what is loaded.
        calls: of the trace that they make.
        path: what to load inside the folder, where it is not the folder.
        options: the reader's, other than its defaults; those that keep a mutated file small.
        calls_file: the text file with a row a call, if there is one: then no row may get lost unsaid.
    """

    files: Mapping[str, bytes]
    calls: int
    path: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    calls_file: str | None = None

    def write(self, folder: Path) -> Path:
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder / self.path


def _azure2019() -> Sample:
    minutes = range(480, 486)
    keys = [("o1", "a1", "f"), ("o1", "a1", "g"), ("o2", "a2", "h")]
    counts = [(2, 0, 1, 0, 0, 3), (0, 0, 0, 0, 1, 0), (1, 0, 3, 12, 0, 0)]
    percentiles = [f"percentile_Average_{p}" for p in (0, 1, 25, 50, 75, 99, 100)]
    files = {
        "invocations.csv": [
            ["HashOwner", "HashApp", "HashFunction", "Trigger", *minutes],
            *([*key, "http", *row] for key, row in zip(keys, counts, strict=True)),
        ],
        "durations.csv": [
            ["HashOwner", "HashApp", "HashFunction", "Average", "Count", "Minimum", "Maximum", *percentiles],
            *([*key, 71.5, 288, 3, 612.0, 3, 4, 40, 70, 88.5, 300, 612] for key in keys),
        ],
        "memory.csv": [
            ["HashFunction", "HashOwner", "HashApp", "SampleCount", "AverageAllocatedMb"],
            *([name, owner, app, 7, 22.25] for owner, app, name in keys),
        ],
    }
    return Sample(
        {name: csv_bytes(rows) for name, rows in files.items()}, 23, options={"memory_limit_mb": 5}
    )  # fmt: skip


def _azure2021() -> Sample:
    rows = [
        ["app", "func", "end_timestamp", "duration"],
        *([f"a{i % 3}", f"f{i % 5}", 1.0 + 7.25 * ((i * 5) % 12), f"{0.071 * i:.3f}"] for i in range(12)),
    ]
    return Sample({"trace.txt": csv_bytes(rows)}, 12, calls_file="trace.txt")


def _iluvatar() -> Sample:
    calls = [["func_name", "invoke_time_ms"], *([f"f{i % 3}", 40 * i] for i in range(10))]
    functions = [
        ["func_name", "cold_dur_ms", "warm_dur_ms", "mem_mb", "image_name", "mean_iat"],
        *([f"f{i}", 5000 + i, 50 * i, 128, "docker.io/x/y:latest", 120.5] for i in range(4)),
    ]
    files = {"trace.csv": csv_bytes(calls), "metadata-trace.csv": csv_bytes(functions)}
    return Sample(files, 10, calls_file="trace.csv")


TABLE_COLUMNS = {
    "function": "fn", "app": "application", "arrival_s": "at", "duration_s": "took", "memory_mb": "mem", "vpc": "vpc",
}  # fmt: skip


def _huawei2023() -> Sample:
    names = ["day", "time", 0, 1, 2]
    requests = [[3, 86_400 * 3 + 60 * i, f"{i % 3}.0", "" if i % 2 else "1.0", "0.0"] for i in range(8)]
    delays = [[3, 86_400 * 3 + 60 * i, 0.25 * i, "", 0.5] for i in range(8)]
    limits = [[3, 86_400 * 3 + 60 * i, 512, 256, ""] for i in range(8)]
    instances = [[3, 86_400 * 3 + 60 * i, 2, 1, ""] for i in range(8)]
    tables = {
        "requests_minute": requests, "function_delay_minute": delays, "memory_limit_minute": limits,
        "instances_minute": instances,
    }  # fmt: skip
    files = {f"{metric}/day_003.csv": csv_bytes([names, *rows]) for metric, rows in tables.items()}
    return Sample(files, 11, options={"memory_limit_mb": 5})


def _huawei2025() -> Sample:
    header = ["time_worker", "time_frontend", "requestID", "clusterName", "funcName", "podID", "userID",
              "totalCost_worker", "workerCost", "runtimeCost", "totalCost_frontend", "requestBodySize"]  # fmt: skip
    rows = [header]
    for i in range(12):
        end, cost, pod = 2_592_000 + 7 * i, 0.125 * i, f"pool2{i % 2}-{300 + 300 * (i % 2)}-128-000{i}"
        rows.append([end, end + 0.001, f"a{i}", 1, 10 + i % 3, pod, 5, cost, 0.001, 0.75 * cost, cost + 0.002, 100])
    files = {"part-00000-c000.csv": csv_bytes(rows)}
    return Sample(files, 12, options={"span_s": [0, 1e31]}, calls_file="part-00000-c000.csv")


def _ibm2026() -> Sample:
    frame = pd.DataFrame({
        "NamespaceHash": ["n0", "n0", "n1"], "AppHash": ["a", "b", "a"], "NumEvents": [12, 1, 2],
        "InvocationTimes": [[18_000.5 + 60 * i for i in range(12)], [18_100], [19_000.25, 19_001]],
        "AppExecTimes": [[0.5 * i for i in range(12)], [7], [1.5, 2]], "TotalExecTimes": [[9.0] * 12, [9], [9, 9]],
        "PodHash": [["p", "q"] * 6, ["r"], ["s", "s"]],
    })  # fmt: skip
    settings = pd.DataFrame({
        "NamespaceHash": ["n0", "n1"], "AppHash": ["a", "a"], "AppContainerRequestCpu": [[1.0], [0.5]],
        "AppContainerRequestMemory": [[4.0, float("nan")], [0.25]], "AppContainerConcurrency": [[100.0], [1]],
        "AppMinScale": [[0], [1]],
    })  # fmt: skip
    files = {"week_1.pickle": pickle.dumps(frame, 4), "app_configs.pickle": pickle.dumps(settings, 5)}
    return Sample(files, 15, options={"memory_limit_mb": 5})


def _table() -> pd.DataFrame:
    return pd.DataFrame({
        "at": [1_700_000_000_250 + 1_000 * ((i * 7) % 11) for i in range(11)],
        "fn": [f"f{i % 4}" for i in range(11)],
        "application": ["shop"] * 11,
        "took": [3.5 * i for i in range(11)],
        "mem": [128 << (i % 4) for i in range(11)],
        "vpc": [i % 4 == 2 for i in range(11)],
        "note": ["é"] * 11,
    })  # fmt: skip


def _csv() -> Sample:
    options = {"columns": TABLE_COLUMNS, "time_unit": "ms", "origin": "first"}
    return Sample({"calls.csv": _table().to_csv(index=False).encode()}, 11, "calls.csv", options, "calls.csv")


def _parquet() -> Sample:
    frame = _table()
    frame["at"] = pd.to_datetime(frame["at"], unit="ms", utc=True)
    data = io.BytesIO()
    frame.to_parquet(data, index=False, write_page_checksum=True)
    options = {"columns": TABLE_COLUMNS, "duration_unit": "ms"}
    return Sample({"calls.parquet": data.getvalue()}, 11, "calls.parquet", options)


def _canonical() -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        source = _azure2019()
        (Path(folder) / "source").mkdir()
        options = dict(source.options) | {"arrivals": "uniform"}
        trace = load_trace(source.write(Path(folder) / "source"), **options)
        written = trace.save(Path(folder) / "trace")
        return Sample({file.name: file.read_bytes() for file in sorted(written.iterdir())}, len(trace))


def _by_function() -> Sample:
    calls = [1, 0, 2, 2, 0, 1, 1, 2], [0, 1, 1, 2, 3.25, 3.25, 5, 8], [0.5, 0, 1 / 3, 2, 2, 2, 1, 7]
    trace = replace(Trace.from_arrays(*calls), about={"report": {"rows_dropped": 0}})
    with tempfile.TemporaryDirectory() as folder:
        written = save_by_function(trace, Path(folder) / "trace", layout=Layout(group_calls=2, groups_a_file=2))
        files = sorted(file for file in written.rglob("*") if file.is_file())
        return Sample({file.relative_to(written).as_posix(): file.read_bytes() for file in files}, len(trace))


def csv_bytes(rows: list[list[object]]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


MAKERS: dict[str, Callable[[], Sample]] = {
    "by_function": _by_function,
    "canonical": _canonical,
    "azure2019": _azure2019,
    "azure2021": _azure2021,
    "iluvatar": _iluvatar,
    "huawei2023": _huawei2023,
    "huawei2025": _huawei2025,
    "ibm2026": _ibm2026,
    "csv": _csv,
    "parquet": _parquet,
}
"""What makes the sample of each format of `sim.workload.load.READERS`."""


def load(sample: Sample, folder: Path, format: str, **options: object) -> Trace:
    """The trace of a sample's files in a folder."""
    return load_trace(folder / sample.path, format=format, **{**sample.options, **options})
