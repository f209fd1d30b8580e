"""A web server of the tests' own that does what it is told: sends, breaks off, lies, keeps silent."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Asks the stand-in what to do."""

    protocol_version = "HTTP/1.1"
    server: "StandIn"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        self.close_connection = True
        with suppress(OSError):  # whoever asked has gone
            self.server.next_answer(self.path)(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, headers: Mapping[str, object]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, str(value))
        self.send_header("Connection", "close")
        self.end_headers()


class StandIn(ThreadingHTTPServer):
    """Answers of each path, one after another; the last one again and again.

    Attributes:
        asked: path, Range and If-Range of each request.
        over: set when the tests are done with it, for answers that wait.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.over = Event()

    def on(self, path: str, *answers: Answer) -> str:
        """Say what to do with a path; returns its address."""
        self.answers[path] = list(answers)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def next_answer(self, path: str) -> Answer:
        waiting = self.answers.get(path, [status(404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A server on a port of its own, until the end of the context."""
    with StandIn() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def sends(
    content: bytes, *, version: str | None = '"1"', ranges: bool = True, only: int | None = None,
    promises: int | None = None, kind: str = "application/octet-stream", date: str | None = None,
) -> Answer:  # fmt: skip
    """A file as a good server sends it; or only so many bytes of it, or with another length in its head."""

    def answer(handler: Handler) -> None:
        first, asked = 0, handler.headers.get("Range")
        if ranges and asked is not None and handler.headers.get("If-Range") in (version, date):
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                handler.head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0})
                return
        rest = content[first:]
        headers: dict[str, object] = {
            "Content-Type": kind, "ETag": version, "Last-Modified": date,
            "Content-Length": len(rest) if promises is None else promises,
        }  # fmt: skip
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.head(206 if first else 200, headers)
        handler.wfile.write(rest[:only])

    return answer


def sends_in_chunks(content: bytes, *, version: str = '"1"', breaks: bool = False) -> Answer:
    """A file of a length that nobody knows, perhaps without the mark of its end."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Transfer-Encoding": "chunked", "ETag": version})
        for i in range(0, len(content), 1000):
            chunk = content[i : i + 1000]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if not breaks:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def status(code: int, headers: Mapping[str, object] | None = None, body: bytes = b"") -> Answer:
    """A status and no file."""
    return lambda handler: (handler.head(code, {"Content-Length": len(body), **(headers or {})}),
                            handler.wfile.write(body), None)[-1]  # fmt: skip


def says(head: str, body: bytes = b"") -> Answer:
    """Exactly these bytes."""
    return lambda handler: (handler.wfile.write(head.encode() + body), None)[-1]


def leads_to(address: str) -> Answer:
    """A redirect."""
    return status(302, {"Location": address})


def hangs(content: bytes, *, after: int) -> Answer:
    """So much of a file, and then nothing, until the tests are over."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": len(content), "ETag": '"1"'})
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        handler.server.over.wait()

    return answer


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


def tarred(files: Mapping[str, bytes], *extra: tarfile.TarInfo, mode: str = "w:xz") -> bytes:
    """A tar archive, with members that have no content after the files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as packed:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
        for member in extra:
            packed.addfile(member)
    return out.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Notes:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int | None]] = []
        self.done: list[int] = []
        self.said: list[str] = []

    def begin(self, name: str, done: int, total: int | None) -> None:
        self.begun.append((name, done, total))

    def progress(self, done: int) -> None:
        self.done.append(done)

    def say(self, sentence: str) -> None:
        self.said.append(sentence)
