"""A file over HTTP from a server that breaks off, lies, changes the file, refuses and keeps silent."""

import io
import json
import random
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stand_in import (
    Answer,
    Notes,
    StandIn,
    hangs,
    leads_to,
    says,
    sends,
    sends_in_chunks,
    stand_in,
    status,
)

from sim.workload import web
from sim.workload.transfer import Patience, Wanted, discard, fetched
from sim.workload.web import TransferError

AT_ONCE = Patience(tries=4, first_wait_s=0.0, timeout_s=5.0)
CONTENT = random.Random(1).randbytes(300_000)
OTHER = random.Random(2).randbytes(250_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setenv("no_proxy", "*")
    with stand_in() as there:
        yield there


def get(urls: str | Sequence[str], target: Path, *, size: int | None = None, patience: Patience = AT_ONCE,
        name: str = "table.csv") -> tuple[bytes, Notes]:  # fmt: skip
    """What was fetched, and what was said about it."""
    notes = Notes()
    wanted = Wanted(name, [urls] if isinstance(urls, str) else urls, size)
    with fetched(wanted, target, notes, patience) as (partial, _):
        return partial.read_bytes(), notes


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_arrives(server: StandIn, tmp_path: Path) -> None:
    content, notes = get(server.on("/a", sends(CONTENT)), tmp_path / "new" / "t.csv")
    assert content == CONTENT
    assert notes.begun == [("table.csv", 0, 300_000)]
    assert notes.done == sorted(notes.done)
    assert notes.done[-1] == 300_000
    assert notes.said == []
    assert server.asked == [("/a", None, None)]
    assert left(tmp_path / "new" / "t.csv") == ["t.csv.partial", "t.csv.partial.json"]
    discard(tmp_path / "new" / "t.csv")
    assert left(tmp_path / "new" / "t.csv") == []


def test_what_broke_off_goes_on(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, only=100_000), sends(CONTENT, only=50_000), sends(CONTENT))
    content, notes = get(url, tmp_path / "t")
    assert content == CONTENT
    assert server.asked == [("/a", None, None), ("/a", "bytes=100000-", '"1"'), ("/a", "bytes=150000-", '"1"')]
    assert [done for _, done, _ in notes.begun] == [0, 100_000, 150_000]
    assert notes.said[0] == ("table.csv: the connection broke off after 100,000 of 300,000 bytes; try 2 of 4 in 0 s")


def test_what_is_given_up_goes_on_another_day(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, only=100_000), status(503))
    with pytest.raises(TransferError, match=r"503.*given up after 4 tries; what came is kept \(100,000 bytes\)"):
        get(url, tmp_path / "t")
    assert (tmp_path / "t.partial").read_bytes() == CONTENT[:100_000]
    server.on("/a", sends(CONTENT))
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert server.asked[-1] == ("/a", "bytes=100000-", '"1"')


def test_what_is_whole_is_not_asked_for_again(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT))
    get(url, tmp_path / "t")
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert len(server.asked) == 1


def test_without_an_etag_the_date_will_do(server: StandIn, tmp_path: Path) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    weak, none = sends(CONTENT, only=9000, version='W/"x"', date=date), sends(CONTENT, version=None, date=date)
    url = server.on("/a", weak, none)
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert server.asked[-1] == ("/a", "bytes=9000-", date)


@pytest.mark.parametrize(
    "second",
    [
        sends(CONTENT, ranges=False),
        sends(OTHER, version='"2"'),
        sends(CONTENT, version=None),
    ],
    ids=["ignores ranges", "another version", "names no version"],
)
def test_the_server_begins_anew(second: Answer, server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, only=100_000), second)
    content, notes = get(url, tmp_path / "t")
    assert content in (CONTENT, OTHER)
    assert server.asked[1] == ("/a", "bytes=100000-", '"1"')
    assert notes.begun[-1] == ("table.csv", 0, len(content))


def test_without_a_version_nothing_is_patched_together(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, version=None, only=100_000), sends(OTHER, version=None))
    assert get(url, tmp_path / "t")[0] == OTHER
    assert server.asked == [("/a", None, None)] * 2


def other_part(first: int, last: int, total: int, tag: str = '"1"', content: bytes = CONTENT) -> Answer:
    return status(206, {"Content-Range": f"bytes {first}-{last}/{total}", "ETag": tag,
                        "Content-Length": last - first + 1}, content[first : last + 1])  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [
        other_part(0, 299_999, 300_000),
        other_part(99_999, 299_999, 300_000),
        other_part(100_000, 200_000, 300_000),
        other_part(100_000, 399_999, 400_000, content=CONTENT + CONTENT),
        other_part(100_000, 299_999, 300_000, tag='"2"'),
        status(206, {"ETag": '"1"'}),
        status(206, {"Content-Range": "bytes 100000-299999/*", "ETag": '"1"'}),
        status(416),
    ],
    ids=["the start", "one off", "not to the end", "of another length", "of another version", "of nobody knows what",
         "of an unknown whole", "no such rest"],
)  # fmt: skip
def test_another_part_than_asked_for_is_not_put_to_the_first(second: Answer, server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, only=100_000), second, sends(CONTENT))
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert server.asked[2] == ("/a", None, None)


def test_more_than_promised_is_not_taken(server: StandIn, tmp_path: Path) -> None:
    head = 'HTTP/1.1 206 x\r\nContent-Range: bytes 100000-299999/300000\r\nETag: "1"\r\nContent-Length: 250000\r\n\r\n'
    url = server.on("/a", sends(CONTENT, only=100_000), says(head, CONTENT[:250_000]), sends(CONTENT))
    assert get(url, tmp_path / "t")[0] == CONTENT


def test_a_length_that_is_too_long_is_a_connection_that_broke(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, promises=300_001, ranges=False))
    with pytest.raises(TransferError, match="broke off after 300,000 of 300,001 bytes; given up after 4 tries"):
        get(url, tmp_path / "t")


def test_a_length_that_is_too_short_is_not_the_size_expected(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT, promises=299_999))
    with pytest.raises(TransferError, match=r"has 299,999 bytes, and table.csv should have 300,000"):
        get(url, tmp_path / "t", size=300_000)
    assert left(tmp_path / "t") == []


def test_chunks_have_an_end(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends_in_chunks(CONTENT, breaks=True), sends_in_chunks(CONTENT))
    content, notes = get(url, tmp_path / "t")
    assert content == CONTENT
    assert notes.begun == [("table.csv", 0, None)] * 2
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert len(server.asked) == 2


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"])
def test_a_file_without_an_end_is_refused(head: str, server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="does not say how long the file is"):
        get(server.on("/a", says(head, CONTENT)), tmp_path / "t")


def test_a_file_changed_on_its_way_is_refused(server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="changes the file on its way"):
        get(server.on("/a", status(200, {"Content-Encoding": "gzip"}, CONTENT)), tmp_path / "t")


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_a_server_that_is_not_well_is_asked_again(code: int, server: StandIn, tmp_path: Path) -> None:
    content, notes = get(server.on("/a", status(code), status(code), sends(CONTENT)), tmp_path / "t")
    assert content == CONTENT
    assert [str(code) in sentence for sentence in notes.said] == [True, True]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_server_that_refuses_is_not(code: int, server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=f"/a: the server answers {code} "):
        get(server.on("/a", status(code)), tmp_path / "t")
    assert len(server.asked) == 1
    assert left(tmp_path / "t") == []


def test_a_server_that_never_answers_is_given_up(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", hangs(CONTENT, after=0), hangs(CONTENT, after=2000))
    with pytest.raises(TransferError, match=r"no answer in time; given up after 2 tries; what came is kept \(2,000"):
        get(url, tmp_path / "t", patience=Patience(2, 0.0, 0.2))


def test_a_server_that_is_not_there(server: StandIn, tmp_path: Path) -> None:
    url = server.url("/a")
    server.server_close()
    with pytest.raises(TransferError, match=r"the connection broke \(Connection refused\); given up after 4 tries"):
        get(url, tmp_path / "t")


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://example.org/x", "data:text/plain,x", "http://user:secret@127.0.0.1/x", "http://[x/"],
)
def test_a_redirect_leads_to_the_web_only(address: str, server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(TransferError) as refused:
        get(server.on("/a", leads_to(address)), tmp_path / "t")
    assert "secret" not in str(refused.value)
    assert left(tmp_path / "t") == []


def test_a_redirect_never_gives_up_encryption() -> None:
    follow = web._Redirects().redirect_request
    request = urllib.request.Request("https://h/x")
    with pytest.raises(TransferError, match="leads to an address without encryption, 'http://h/x'"):
        follow(request, io.BytesIO(), 302, "Found", {}, "http://h/x")
    followed = follow(request, io.BytesIO(), 302, "Found", {}, "https://i/x")
    assert followed is not None
    assert followed.full_url == "https://i/x"


def test_a_wrong_certificate_is_no_passing_trouble(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        trouble = ssl.SSLCertVerificationError(1, "no")
        trouble.verify_message = "certificate has expired"
        raise urllib.error.URLError(trouble)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    with pytest.raises(TransferError, match="is not who it says it is: certificate has expired"):
        get("https://h/x", tmp_path / "t")


def test_a_redirect_is_followed_and_its_rest_asked_for(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", leads_to("/b"))
    server.on("/b", sends(CONTENT, only=100_000), sends(CONTENT))
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert server.asked[-1] == ("/b", "bytes=100000-", '"1"')
    server.on("/c", leads_to("/c"))
    with pytest.raises(TransferError, match="the server answers 302"):
        get(server.url("/c"), tmp_path / "t2")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "/etc/passwd", "http://", "http://h h/", "", "http://ü\n/"]
)
def test_only_the_web_is_asked(url: str, tmp_path: Path) -> None:
    with pytest.raises(TransferError):
        get(url, tmp_path / "t", patience=Patience(1, 0.0, 0.2))
    assert left(tmp_path / "t") == []


def test_a_page_in_place_of_an_archive_is_told_before_it_is_written(server: StandIn, tmp_path: Path) -> None:
    page = status(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html>Sign in</html>" * 100)
    begun = server.on("/a", sends(b"PK\x03\x04" + CONTENT, only=100_000), page)
    with pytest.raises(TransferError, match=r"should be a ZIP archive, and is a web page \(.* 'text/html'"):
        get(begun, tmp_path / "t", name="t.zip")
    assert (tmp_path / "t.partial").stat().st_size == 100_000  # what was begun may yet go on
    others = {"t.tar.xz": b"PK\x03\x04", "t.rar": b"Rar?", "t.csv": b"\xef\xbb\xbf <html>", "t.zip": b""}
    for name, content in others.items():
        with pytest.raises(TransferError, match="should be"):
            get(server.on("/b", sends(content)), tmp_path / "u", name=name)


def test_the_next_address_is_tried(server: StandIn, tmp_path: Path) -> None:
    first, second = server.on("/a", status(404)), server.on("/b", sends(CONTENT))
    assert get([first, second], tmp_path / "t")[0] == CONTENT
    with pytest.raises(TransferError, match=r"/a: .*404.*\n.*/c: .*404"):
        get([first, server.url("/c")], tmp_path / "u")


def test_what_was_begun_goes_on_before_the_first_address(server: StandIn, tmp_path: Path) -> None:
    first = server.on("/a", status(404), sends(OTHER))
    second = server.on("/b", sends(CONTENT, only=100_000), status(500))
    with pytest.raises(TransferError, match=r"404.*\n.*500"):
        get([first, second], tmp_path / "t")
    server.on("/b", sends(CONTENT))
    assert get([first, second], tmp_path / "t")[0] == CONTENT
    assert server.asked[-1] == ("/b", "bytes=100000-", '"1"')


def test_two_at_once_do_not_write_one_file(server: StandIn, tmp_path: Path) -> None:
    url = server.on("/a", sends(CONTENT))
    with (
        fetched(Wanted("t", [url]), tmp_path / "t", Notes(), AT_ONCE),
        pytest.raises(TransferError, match="is being written by another process"),
    ):
        get(url, tmp_path / "t")
    assert get(url, tmp_path / "t")[0] == CONTENT


def test_a_disk_that_is_too_small_is_told_first(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(TransferError, match="300,000 bytes are still to come, and 1,000 are free"):
        get(server.on("/a", sends(CONTENT)), tmp_path / "t")


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"url": 3, "version": null, "total": null}', "\x00", None])
def test_a_state_that_makes_no_sense_is_none(state: str | None, server: StandIn, tmp_path: Path) -> None:
    (tmp_path / "t.partial").write_bytes(b"something else")
    if state is not None:
        (tmp_path / "t.partial.json").write_text(state)
    assert get(server.on("/a", sends(CONTENT)), tmp_path / "t")[0] == CONTENT
    assert server.asked == [("/a", None, None)]


PROGRAM = """
import sys
from pathlib import Path
from stand_in import Notes
from sim.workload.transfer import Wanted, fetched
with fetched(Wanted("t", [sys.argv[1]]), Path(sys.argv[2]), Notes()):
    pass
"""


def test_what_came_before_a_kill_is_gone_on_with(server: StandIn, tmp_path: Path) -> None:
    url, partial = server.on("/a", hangs(CONTENT, after=200_000)), tmp_path / "t.partial"
    command = [sys.executable, "-c", PROGRAM, url, str(tmp_path / "t")]
    with subprocess.Popen(command, cwd=Path(__file__).parent, stderr=subprocess.DEVNULL) as process:
        while not partial.exists() or partial.stat().st_size < 200_000:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert json.loads((tmp_path / "t.partial.json").read_text()) == {"url": url, "version": '"1"', "total": 300_000}
    server.on("/a", sends(CONTENT))
    assert get(url, tmp_path / "t")[0] == CONTENT
    assert server.asked[-1] == ("/a", "bytes=200000-", '"1"')


@st.composite
def troubles(draw: st.DrawFn) -> list[Answer]:
    """Answers that are of no use, or of some, and in the end a good one."""
    one = st.one_of(
        st.integers(0, 5000).map(lambda n: sends(CONTENT[:5000], only=n)),
        st.integers(0, 5000).map(lambda n: sends(CONTENT[:5000], only=n, ranges=False)),
        st.integers(0, 5000).map(lambda n: sends(CONTENT[:5000], only=n, version=None)),
        st.integers(0, 4000).map(lambda n: sends(OTHER[:4000], only=n, version='"2"')),
        st.sampled_from([status(500), status(416), says(""), says("HTTP/1.1 2")]),
        st.integers(0, 4000).map(lambda n: sends_in_chunks(OTHER[:n], version='"2"', breaks=True)),
    )
    return [*draw(st.lists(one, max_size=8)), sends(CONTENT[:5000])]


@given(troubles())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_what_arrives_is_one_version_whole(
    server: StandIn, tmp_path_factory: pytest.TempPathFactory, answers: list[Answer]
) -> None:
    url = server.on("/a", *answers)
    target = tmp_path_factory.mktemp("any") / "t"
    content, _ = get(url, target, patience=Patience(20, 0.0, 5.0))
    assert content in (CONTENT[:5000], OTHER[:4000])
