"""``keepwarm traces list``, ``download`` and ``convert``: what they print and write, and what they refuse."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Done, keepwarm, small_counts, small_trace
from workload.stand_in import StandIn, sends, sha256, stand_in, status, tarred

from sim import load_trace, open_trace
from sim.workload import transfer
from sim.workload.catalogue import CATALOGUE


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "*")
    with stand_in() as there:
        yield there


def traces(*words: str) -> Done:
    return keepwarm("traces", *words)


# list


def test_list_has_every_trace_in_a_row_of_its_own() -> None:
    done = traces("list")
    assert done.status == 0, done.err
    rows = {line.split()[0]: line for line in done.out.splitlines() if line and line[0] not in " -"}
    assert [name for name in rows if name in CATALOGUE] == list(CATALOGUE)
    cells = [cell for cell in rows["azure2019"].split("  ") if cell]
    assert [cell.strip() for cell in cells[2:]] == [
        "14 days", "~12.5 billion", "~70,000", "~143 MB", "CC-BY 4.0", "azure2019", "no",
    ]  # fmt: skip
    assert rows["default"].endswith("embedded")


def test_list_says_what_is_here(tmp_path: Path) -> None:
    small_counts(tmp_path / "counts")
    (tmp_path / "mine" / "azure2019").mkdir(parents=True)
    (tmp_path / "counts").rename(tmp_path / "mine" / "azure2019" / "azurefunctions-dataset2019")
    here = {line.split()[0]: line.split()[-1] for line in traces("list", "--folder", "mine").out.splitlines() if line}
    assert (here["azure2019"], here["azure2021"]) == ("yes", "no")


def test_list_of_one_has_its_files() -> None:
    done = traces("list", "azure2021")
    [file] = CATALOGUE["azure2021"].files
    assert f"{file.name}  yes" in done.out
    assert f"18,444,269  {file.sha256}" in done.out
    assert "bytes and sha256: a third party's, not the publishers'" in done.out
    assert traces("list", "huawei2025").out.count("per_request/R1/") == 20
    assert "clone it" in traces("list", "ibm2026").out


# download


def test_download_says_the_licence_first_and_the_use_last(server: StandIn, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in small_counts(tmp_path / "counts").iterdir()}
    url = server.on("/a.tar.xz", sends(tarred(files)))
    done = traces("download", "azure2019", "--url", url, "--no-checksum")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[1].startswith("CC-BY 4.0, Azure Public Dataset: Shahrad et al.")
    assert lines[2] == CATALOGUE["azure2019"].page
    assert "2.4 GB" in lines[3]
    assert lines[5].startswith("azurefunctions-dataset2019.tar.xz: 0.0 MB")
    calls = "traces/azure2019/azurefunctions-dataset2019"
    assert lines[-2:] == [
        f"use it: keepwarm run workload=azure2019 workload.path={calls}",
        f"look at it: keepwarm traces inspect {calls} format=azure2019",
    ]
    assert traces("inspect", calls, "format=azure2019").status == 0
    assert json.loads(Path("traces/azure2019/SOURCE.json").read_text())["trace"] == "azure2019"
    again = traces("download", "azure2019", "--url", url, "--no-checksum")
    assert "is here already" in again.out
    assert "use it:" in again.out


def test_download_of_another_file_than_expected(server: StandIn) -> None:
    content = tarred({"a": b"1"})
    done = traces("download", "azure2019", "--url", server.on("/a.tar.xz", sends(content)))
    assert done.status == 2
    assert f"has {len(content):,} bytes, and azurefunctions-dataset2019.tar.xz should have 142,968,140" in done.err
    assert not [path for path in Path().rglob("*") if path.is_file()]


def test_download_of_a_rar_says_how_to_unpack_it(server: StandIn) -> None:
    content = b"Rar!\x1a\x07\x01\x00"
    done = traces(
        "download", "azure2021", "--folder", "my folder", "--url", server.on("/x", sends(content)), "--no-checksum"
    )
    assert done.status == 0, done.err
    assert done.out.splitlines()[-2].startswith(
        "now: it is a RAR archive, which keepwarm does not unpack; RARLAB's unrar"
    )
    assert sha256(content) in done.out
    assert done.out.splitlines()[-1] == "then: keepwarm run workload=azure2021 workload.path='my folder'"
    assert sorted(path.name for path in Path("my folder").iterdir()) == [
        "AzureFunctionsInvocationTraceForTwoWeeksJan2021.rar",
        "SOURCE.json",
    ]


def test_download_of_some_files(server: StandIn) -> None:
    server.on("/cold_start/R2.zip", status(404))
    server.on("/runtime_triggerType/df_funcID_runtime_triggerType.csv", sends(b"funcID,runtime\n"))
    words = ("download", "huawei2025", "--url", server.url("/"), "--files")
    assert traces(*words, "runtime_triggerType/*").out.splitlines()[-1] == (
        "there are no calls of format huawei2025 in traces/huawei2025"
    )
    assert Path("traces/huawei2025/runtime_triggerType/df_funcID_runtime_triggerType.csv").is_file()
    done = traces(*words, "runtime_triggerType/*, cold_start/R2.zip")
    assert done.status == 2
    assert "/cold_start/R2.zip: the server answers 404" in done.err
    assert len([path for path, *_ in server.asked if path.startswith("/runtime")]) == 1


def test_download_that_is_stopped_says_that_it_goes_on(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: float) -> None:
        raise KeyboardInterrupt

    content = tarred({"invocations.csv": random.Random(1).randbytes(5000)})
    url = server.on("/a.tar.xz", sends(content, only=len(content) - 1))
    monkeypatch.setattr(transfer.time, "sleep", stopped)
    words = ("download", "azure2019", "--url", url, "--no-checksum")
    done = traces(*words)
    assert done.status == 130
    assert done.out.splitlines()[-1] == "what came is kept in traces/azure2019: the same command goes on with it"
    server.on("/a.tar.xz", sends(content))
    assert traces(*words).status == 0
    assert server.asked[-1][1] == f"bytes={len(content) - 1}-"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "traces download needs the name of a trace; there is default, azure2019"),
        (["azure"], "there is no trace called 'azure'"),
        (["default"], "default is not downloaded: it is part of keepwarm"),
        (["ibm2026"], "git repository"),
        (["azure2019", "--files", "x"], "azure2019 has no file 'x'"),
        (["azure2019", "--url", "file:///etc/passwd"], "is no address of the web"),
        (["azure2019", "--url", "/etc/passwd"], "is no address of the web"),
        (["huawei2023", "--url", "http://localhost/x"], "one address for 4 files"),
        (["azure2019", "--folder", "file", "--url", "http://localhost/x"], "file: a file is in the way"),
        (["azure2019", "--folder", "file/x", "--url", "http://localhost/x"], "file/x: cannot be written"),
        (["azure2019", "more"], "unrecognized arguments: more"),
        (["azure2019", "--trust", "x"], "unrecognized arguments"),
    ],
)
def test_download_refuses_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = traces("download", *words)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# convert


def test_convert_writes_the_canonical_form(tmp_path: Path) -> None:
    small_counts(tmp_path / "counts")
    done = traces("convert", "counts", "format=azure2019", "functions=[g]", "out=ours/g")
    assert done.status == 0, done.err
    wanted, got = load_trace("counts", functions=["g"]), load_trace("ours/g")
    assert got.content_hash() == wanted.content_hash()
    assert got.counts is not None
    size = sum(file.stat().st_size for file in Path("ours/g").iterdir())
    lines = done.out.splitlines()
    assert lines[0] == repr(wanted)
    assert "  rows dropped: 0" in lines
    assert lines[-2:] == [
        f"written to ours/g: {size:,} bytes, content {wanted.content_hash()}",
        "use it: keepwarm run workload.path=ours/g",
    ]


def test_convert_takes_transforms_and_what_it_wrote(tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    fewer = "transforms=[{_target_: sim.workload.sampling.Windows, spans_s: [[0, 600]]}]"
    assert traces("convert", "small", "out=fewer", fewer).status == 0
    assert len(load_trace("fewer")) == len(load_trace("small").slice(0, 600.0))
    assert traces("convert", "fewer", "out=fewer").status == 0
    assert traces("inspect", "fewer").status == 0


def test_convert_is_as_strict_as_a_run(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("function,arrival_s,duration_s\nf,0,1\nf,1,much\n")
    done = traces("convert", "bad.csv", "out=x")
    assert (done.status, done.out) == (2, "")
    assert "bad.csv, row 2, column 'duration_s'" in done.err
    assert not Path("x").exists()
    done = traces("convert", "bad.csv", "lenient=true", "out=x")
    assert done.status == 0
    assert "1 rows of its files dropped" in done.out
    assert "  rows dropped: 1" in done.out.splitlines()


def test_convert_of_real_calls_loses_none(shared: Path, tmp_path: Path) -> None:
    source = shared / "traces" / "azure2021_excerpt"
    done = traces("convert", str(source), "out=x")
    assert done.status == 0, done.err
    trace = load_trace(source)
    assert len(trace) == 199
    assert load_trace("x").content_hash() == trace.content_hash()
    assert trace.content_hash() in done.out


def test_convert_by_function(tmp_path: Path) -> None:
    trace = load_trace(small_trace(tmp_path / "small"))
    done = traces("convert", "small", "--by-function", "out=ours/large")
    assert done.status == 0, done.err
    opened = open_trace("ours/large")
    assert opened.part(range(3)).content_hash() == load_trace("ours/large").content_hash() == trace.content_hash()
    size = sum(file.stat().st_size for file in Path("ours/large").rglob("*.*") if file.is_file())
    assert done.out.splitlines()[-2:] == [
        f"written to ours/large: {size:,} bytes, content {opened.content_hash()}",
        "use it: sim.open_trace('ours/large')",
    ]
    assert traces("convert", "ours/large", "out=back").status == 0
    assert load_trace("back").content_hash() == trace.content_hash()
    assert "calls          40, " in traces("inspect", "ours/large", "format=by_function").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "traces convert needs the path of a trace, first"),
        (["out=x"], "traces convert needs the path of a trace, first"),
        (["small"], "out must be given: out=..."),
        (["small", "out=''"], "out must be given: out=..."),
        (["small", "out=3"], "out: expected text, got 3"),
        (["nowhere", "out=x"], "nowhere: there is no such file or folder"),
        (["small", "out=x", "speed=3"], "no options ['speed']"),
        (["small", "out=full"], "the folder is not a trace of this form, so it is not overwritten"),
        (["small", "out=small", "--by-function"], "the folder is not a trace of this form, so it is not overwritten"),
        (["small", "out=file"], "a file is in the way"),
        (["small", "out=file/x"], "cannot be written"),
        (["small", "out=x", "transforms=[{_target_: os.system}]"], "os.system is not trusted"),
        (["small", "out=x", "--figures", "y"], "unrecognized arguments"),
    ],
)
def test_convert_refuses_in_one_line(words: list[str], message: str, tmp_path: Path) -> None:
    small_trace(tmp_path / "small")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").touch()
    (tmp_path / "file").touch()
    done = traces("convert", *words)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "small"]
