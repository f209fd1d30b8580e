"""A trace from a stand-in for its publishers: checked, unpacked where its reader looks for it, and written down."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from samples import MAKERS
from stand_in import Notes, StandIn, sends, sha256, stand_in, status, tarred, zipped

from sim import load_trace
from sim.core.errors import ConfigError
from sim.workload.archives import DamagedArchiveError, UnsafeArchiveError
from sim.workload.catalogue import CATALOGUE, Entry
from sim.workload.download import calls_of, download_files, order
from sim.workload.readers.huawei2025.cold_starts import read_cold_starts
from sim.workload.transfer import Patience
from sim.workload.web import TransferError

AT_ONCE = Patience(tries=3, first_wait_s=0.0, timeout_s=5.0)
TABLES = {"x/invocations.csv": b"1,2\n" * 500, "x/durations.csv": b"3\n"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "*")
    with stand_in() as there:
        yield there


def azure(url: str, **facts: object) -> Entry:
    """Azure's trace of 2019, with one file of ours."""
    entry = CATALOGUE["azure2019"]
    file = replace(entry.files[0], urls=(url,), size=None, sha256=None)
    return replace(entry, files=(replace(file, **facts),))  # type: ignore[arg-type]


def get(entry: Entry, folder: Path, *, verify: bool = True) -> list[str]:
    """Download it; returns what was said."""
    notes = Notes()
    download_files(replace(order(entry, folder, verify=verify), patience=AT_ONCE), notes)
    return notes.said


def inside(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


UNPACKED = ["azurefunctions-dataset2019/durations.csv", "azurefunctions-dataset2019/invocations.csv"]


def test_a_trace_is_unpacked_and_its_source_written_down(server: StandIn, tmp_path: Path) -> None:
    content = tarred(TABLES)
    entry = azure(server.on("/a.tar.xz", sends(content)), size=len(content), sha256=sha256(content))
    said = get(entry, tmp_path / "t")
    assert inside(tmp_path / "t") == ["SOURCE.json", *UNPACKED]
    assert (tmp_path / "t" / UNPACKED[1]).read_bytes() == TABLES["x/invocations.csv"]
    source = json.loads((tmp_path / "t" / "SOURCE.json").read_text("utf-8"))
    facts = source["downloads"].pop("azurefunctions-dataset2019.tar.xz")
    assert source == {"trace": "azure2019", "licence": entry.notice, "page": entry.page, "downloads": {}}
    assert datetime.fromisoformat(facts.pop("fetched")).tzinfo is not None
    assert facts == {
        "url": server.url("/a.tar.xz"), "bytes": len(content), "sha256": sha256(content),
        "checked": "as expected (the checksum is a third party's, not the publishers')", "files": UNPACKED,
    }  # fmt: skip
    assert said == [f"{entry.files[0].name}: {len(content):,} bytes, sha256 {sha256(content)}, {facts['checked']}"]


def test_what_is_here_is_not_fetched_again(server: StandIn, tmp_path: Path) -> None:
    entry = azure(server.on("/a", sends(tarred(TABLES))))
    get(entry, tmp_path)
    assert get(entry, tmp_path) == ["azurefunctions-dataset2019.tar.xz: is here already, by SOURCE.json"]
    assert len(server.asked) == 1
    (tmp_path / UNPACKED[0]).unlink()
    get(entry, tmp_path)
    assert inside(tmp_path) == ["SOURCE.json", *UNPACKED]


def test_another_file_than_expected_is_not_kept(server: StandIn, tmp_path: Path) -> None:
    content, expected = tarred(TABLES), tarred({"other": b""})
    entry = azure(server.on("/a", sends(content)), sha256=sha256(expected))
    with pytest.raises(TransferError) as refused:
        get(entry, tmp_path)
    message = str(refused.value)
    assert f"expected  sha256 {sha256(expected)}\n  got       sha256 {sha256(content)}\n" in message
    assert "is a third party's, not the publishers'" in message
    assert "--no-checksum" in message
    assert inside(tmp_path) == []
    assert get(entry, tmp_path, verify=False)[0].endswith("not checked")
    assert inside(tmp_path) == ["SOURCE.json", *UNPACKED]
    assert (
        json.loads((tmp_path / "SOURCE.json").read_text())["downloads"][entry.files[0].name]["checked"] == "not checked"
    )


def test_a_length_that_is_too_short_leaves_a_damaged_archive(server: StandIn, tmp_path: Path) -> None:
    content = tarred(TABLES)
    entry = azure(server.on("/a", sends(content, promises=len(content) - 1)))
    with pytest.raises(DamagedArchiveError, match="it was thrown away: try again"):
        get(entry, tmp_path)
    assert inside(tmp_path) == []
    server.on("/a", sends(content))
    get(entry, tmp_path)


def test_an_unsafe_archive_is_kept_as_it_is(server: StandIn, tmp_path: Path) -> None:
    content = tarred({"../x": b""})
    entry = azure(server.on("/a", sends(content)))
    with pytest.raises(UnsafeArchiveError, match=r"not be below the folder.* kept as .*2019\.tar\.xz: if you trust it"):
        get(entry, tmp_path)
    assert inside(tmp_path) == ["azurefunctions-dataset2019.tar.xz"]
    assert (tmp_path / "azurefunctions-dataset2019.tar.xz").read_bytes() == content


@pytest.mark.parametrize("facts", [{"unpacked_size": None}, {"unpacked_size": 60_000}])
def test_an_archive_may_unpack_to_so_much(facts: dict[str, object], server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(tarred({"a": b"\0" * 240_001})))
    with pytest.raises(UnsafeArchiveError, match=r"would unpack to more than the .* bytes that it may"):
        get(azure(url, **facts), tmp_path)
    get(azure(url, unpacked_size=60_001), tmp_path / "more")


def test_a_download_goes_on_after_a_break_and_is_checked_as_a_whole(server: StandIn, tmp_path: Path) -> None:
    content = tarred({"a": random.Random(1).randbytes(50_000)})
    entry = azure(server.on("/a", sends(content, only=20_000), status(500)), sha256=sha256(content))
    with pytest.raises(TransferError, match="given up"):
        get(entry, tmp_path)
    assert inside(tmp_path) == [f"azurefunctions-dataset2019.tar.xz.partial{end}" for end in ("", ".json")]
    server.on("/a", sends(content))
    get(entry, tmp_path)
    assert server.asked[-1] == ("/a", "bytes=20000-", '"1"')
    assert inside(tmp_path) == ["SOURCE.json", "azurefunctions-dataset2019/a"]


def test_what_is_whole_but_not_unpacked_needs_no_server(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = azure(server.on("/a", sends(tarred(TABLES))))
    with monkeypatch.context() as broken:
        broken.setattr("sim.workload.download.unpack", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            get(entry, tmp_path)
    get(entry, tmp_path)
    assert len(server.asked) == 1
    assert inside(tmp_path) == ["SOURCE.json", *UNPACKED]


def test_a_source_that_makes_no_sense_is_none(server: StandIn, tmp_path: Path) -> None:
    entry = azure(server.on("/a", sends(tarred(TABLES))))
    for text in ("", "[]", '{"downloads": 3}', '{"downloads": {"azurefunctions-dataset2019.tar.xz": {"files": [3]}}}'):
        (tmp_path / "SOURCE.json").write_text(text)
        get(entry, tmp_path)
    assert len(server.asked) == 4


def test_a_file_in_the_way(server: StandIn, tmp_path: Path) -> None:
    (tmp_path / "t").touch()
    with pytest.raises(ConfigError, match="a file is in the way"):
        get(azure(server.on("/a", sends(b""))), tmp_path / "t")


def test_what_cannot_be_ordered(tmp_path: Path) -> None:
    for name, why in (("default", "is part of keepwarm"), ("ibm2026", "git repository of 7z archives")):
        with pytest.raises(ConfigError, match=f"{name} is not downloaded: it .*{why}"):
            order(CATALOGUE[name], tmp_path)
    with pytest.raises(ConfigError, match="--url: one address for 4 files; if it is their folder, end it with /"):
        order(CATALOGUE["huawei2023"], tmp_path, url="http://localhost/x.zip")
    with pytest.raises(TransferError, match="is no address of the web"):
        order(CATALOGUE["azure2021"], tmp_path, url="file:///etc/passwd")
    urls = [file.urls for file in order(CATALOGUE["huawei2023"], tmp_path, url="http://h/x/").files]
    assert urls[0] == ("http://h/x/requests_minute.zip",)


# What is downloaded is what the readers take: samples of each format, packed as the publishers pack theirs


def published(server: StandIn, name: str, files: dict[str, bytes], folder: Path) -> Path:
    """Where the calls of a trace are, after its files have come from a stand-in."""
    for file, content in files.items():
        server.on(f"/{file}", sends(content))
    wanted = order(CATALOGUE[name], folder, patterns=list(files), url=server.url("/"), verify=False)
    calls = download_files(replace(wanted, patience=AT_ONCE), Notes())
    assert calls_of(CATALOGUE[name], folder) in (calls, None)
    return calls


def test_azure_2019_is_read(server: StandIn, tmp_path: Path) -> None:
    sample = MAKERS["azure2019"]()
    archive = tarred({f"./{name}": content for name, content in sample.files.items()})
    calls = published(server, "azure2019", {"azurefunctions-dataset2019.tar.xz": archive}, tmp_path)
    assert len(load_trace(calls, format="azure2019")) == sample.calls


def test_azure_2021_is_read_once_it_is_unpacked(server: StandIn, tmp_path: Path) -> None:
    archive = b"Rar!\x1a\x07\x01\x00"
    [file] = CATALOGUE["azure2021"].files
    calls = published(server, "azure2021", {file.name: archive}, tmp_path)
    assert calls == tmp_path
    assert calls_of(CATALOGUE["azure2021"], tmp_path) is None
    assert (tmp_path / file.name).read_bytes() == archive
    sample = MAKERS["azure2021"]()
    (tmp_path / file.name.replace("rar", "txt")).write_bytes(sample.files["trace.txt"])
    assert calls_of(CATALOGUE["azure2021"], tmp_path) == tmp_path
    assert len(load_trace(calls, format="azure2021")) == sample.calls


@pytest.mark.parametrize("above", ["", "private_dataset/csv_files/"])
def test_huawei_2023_is_read(above: str, server: StandIn, tmp_path: Path) -> None:
    sample = MAKERS["huawei2023"]()
    archives = {}
    for name, content in sample.files.items():
        metric, _, day = name.partition("/")
        archives[f"{metric}.zip"] = zipped({f"{above}{metric}/{day}" if above else day: content})
    calls = published(server, "huawei2023", archives, tmp_path)
    trace = load_trace(calls, format="huawei2023")
    assert len(trace) == sample.calls
    assert trace.functions["memory_mb"].tolist()[:2] == [256.0, 256.0]


def test_huawei_2023_public_is_read(server: StandIn, tmp_path: Path) -> None:
    day = b"day,time,0,1\n0,0,2.0,\n0,60,0.0,1.0\n"
    archive = zipped({"public_dataset/csv_files/requests_minute/day_00.csv": day, "__MACOSX/._day_00.csv": b"x"})
    calls = published(server, "huawei2023_public", {"public_dataset.zip": archive}, tmp_path)
    assert len(load_trace(calls)) == 3


def test_huawei_2025_is_read(server: StandIn, tmp_path: Path) -> None:
    sample = MAKERS["huawei2025"]()
    [part] = sample.files.values()
    header, *rows = part.splitlines(keepends=True)
    cold = (
        "day,time,clusterName,funcName,userID,requestID,totalCost_cold_start,podAllocationCost,deployCodeCost,"
        "deployDependencyCost,schedulingCost,podID\n30,2600000.5,1,10,134,82f1,2.25,0.5,0.25,0.5,1,pool24-600-512-0001\n"
    )
    files = {
        "per_request/R2/R2_00000_00019.zip": zipped({"R2/part-00000.csv": header + b"".join(rows[:5])}),
        "per_request/R2/R2_00020_00039.zip": zipped({"R2/part-00020.csv": header + b"".join(rows[5:])}),
        "cold_start/R2.zip": zipped({"R2/day_30.csv": cold.encode()}),
        "runtime_triggerType/df_funcID_runtime_triggerType.csv": b"funcID,runtime\n",
    }
    calls = published(server, "huawei2025", files, tmp_path)
    assert calls == tmp_path / "per_request" / "R2"
    assert len(load_trace(calls, format="huawei2025", **sample.options)) == sample.calls
    assert read_cold_starts(tmp_path / "cold_start", "R2").seconds.tolist() == [[1.0, 0.5, 0.25, 0.5]]
    assert list(json.loads((tmp_path / "SOURCE.json").read_text())["downloads"]) == sorted(files)
    assert not [name for name in inside(tmp_path) if "zip" in name]


def test_one_archive_does_not_take_the_place_of_another(server: StandIn, tmp_path: Path) -> None:
    names = ("per_request/R2/R2_00000_00019.zip", "per_request/R2/R2_00020_00039.zip")
    one, other = zipped({"part.csv": b"1"}), zipped({"part.csv": b"2"})
    with pytest.raises(UnsafeArchiveError, match=r"has a file 'part\.csv', which another archive had"):
        published(server, "huawei2025", dict(zip(names, (one, other), strict=True)), tmp_path)
    assert (tmp_path / "per_request" / "R2" / "part.csv").read_bytes() == b"1"
    assert (tmp_path / "per_request-R2-R2_00020_00039.zip").read_bytes() == other
