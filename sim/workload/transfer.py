"""One file over HTTP: streamed to ``<file>.partial``, and gone on with where it broke off.

How far a transfer came is the partial file's length. What it is a part of is in ``<file>.partial.json`` beside it: the
address, the version that the server named (ETag or Last-Modified), and the length. Both survive Ctrl-C and kill -9. The
rest is asked for by Range and If-Range, so that the server sends the rest of the same version, or all of a new one. A
server that names no version, or knows no ranges, sends everything anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from importlib import metadata
from io import BufferedRandom
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

from sim.core.errors import TraceError
from sim.workload.archives import MAGIC_BYTES, refuse_start
from sim.workload.web import BrokenError, NoSuchRestError, TransferError, blocks, opened

PARTIAL: Final = ".partial"
STATE: Final = ".partial.json"

_ENOUGH_BYTES: Final = 1 << 20
_LONGEST_WAIT_S: Final = 30.0
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class _GivenUpError(TransferError):
    """The connection broke too often; what came is there to go on with."""


@dataclass(frozen=True)
class Patience:
    """How long to put up with a bad connection.

    Attributes:
        tries: in a row that brought less than a megabyte each.
        first_wait_s: between the first two; twice as long each time, to half a minute.
        timeout_s: for a connection, and for each piece of an answer.
    """

    tries: int = 6
    first_wait_s: float = 1.0
    timeout_s: float = 30.0


PATIENCE: Final = Patience()


class Watch(Protocol):
    """Whoever wants to know how far a transfer is."""

    def begin(self, name: str, done: int, total: int | None) -> None:
        """A file's bytes begin to come: so many are there already, of so many, if that is known."""

    def progress(self, done: int) -> None:
        """So many of its bytes are there."""

    def say(self, sentence: str) -> None:
        """Something worth a line has happened."""


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        name: for messages; its suffix says what it must be.
        urls: where it is, the first choice first.
        size: bytes that it must have; None where that is not known.
    """

    name: str
    urls: Sequence[str]
    size: int | None = None


@dataclass(frozen=True)
class _Part:
    """What a partial file is a part of.

    Attributes:
        url: where it comes from.
        version: a strong ETag, or a date; None where the server names none.
        total: bytes of the whole; None until that is known.
    """

    url: str
    version: str | None
    total: int | None


@contextmanager
def fetched(wanted: Wanted, target: Path, watch: Watch, patience: Patience = PATIENCE) -> Iterator[tuple[Path, str]]:
    """A file, or the rest of it, fetched into ``<target>.partial``, which no other process touches meanwhile.

    Args:
        wanted: what.
        target: what it is to be called; its folder is made. Nothing of that name is touched.
        watch: told how far it is.
        patience: with the connection.

    Yields:
        The partial file, which is whole, and the address that it came from.

    Raises:
        TransferError: no address has it, the connection broke too often, or another process is at it.
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + PARTIAL)
    with _locked(partial) as out:
        yield partial, _from_any(wanted, out, watch, patience)


def discard(target: Path) -> None:
    """Remove what there is of a transfer to a file of that name."""
    for suffix in (PARTIAL, STATE):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


@contextmanager
def _locked(partial: Path) -> Iterator[BufferedRandom]:
    """The partial file, at its end, for this process alone; one in which nothing came is not left behind."""
    with partial.open("ab+") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TransferError(f"{partial} is being written by another process") from None
        out.seek(0, os.SEEK_END)
        try:
            yield out
        finally:
            if not out.seek(0, os.SEEK_END):
                discard(partial.with_name(partial.name.removesuffix(PARTIAL)))


def _from_any(wanted: Wanted, out: BufferedRandom, watch: Watch, patience: Patience) -> str:
    """Fetch it from the first address that has it, but go on with what was begun first; returns the address."""
    part, refused = _read_part(out), []
    for url in sorted(wanted.urls, key=lambda url: part is None or url != part.url):
        try:
            _persist(wanted, url, out, watch, patience)
        except _GivenUpError as error:
            refused.append(str(error))
            if out.tell():  # another address would begin anew
                break
        except TransferError as error:
            refused.append(str(error))
        else:
            return url
    raise TransferError("\n".join(refused))


def _persist(wanted: Wanted, url: str, out: BufferedRandom, watch: Watch, patience: Patience) -> None:
    """Try until the file is whole, or there is no point in it."""
    failed = 0
    while True:
        before = out.tell()
        try:
            _try_once(wanted, url, out, watch, patience.timeout_s)
            return
        except BrokenError as error:
            if isinstance(error, NoSuchRestError):
                _empty(out)
            failed = 1 if out.tell() - before >= _ENOUGH_BYTES else failed + 1
            if failed >= patience.tries:
                kept = f"; what came is kept ({out.tell():,} bytes), and the same command goes on" if out.tell() else ""
                raise _GivenUpError(f"{url}: {error}; given up after {failed} tries{kept}") from None
            wait_s = min(patience.first_wait_s * 2.0 ** (failed - 1), _LONGEST_WAIT_S)
            watch.say(f"{wanted.name}: {error}; try {failed + 1} of {patience.tries} in {wait_s:g} s")
            time.sleep(wait_s)


def _try_once(wanted: Wanted, url: str, out: BufferedRandom, watch: Watch, timeout_s: float) -> None:
    part, done = _read_part(out), out.tell()
    begun = part if part is not None and part.url == url and done else None
    if begun is not None and begun.total == done:
        return  # it was stopped between the last byte and what comes after
    headers = {"Accept-Encoding": "identity", "User-Agent": f"keepwarm/{metadata.version('keepwarm')}"}
    if begun is not None and begun.version is not None:
        headers |= {"Range": f"bytes={done}-", "If-Range": begun.version}
    total: int | None
    with opened(url, headers, timeout_s) as response:
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            total, coming = _check_rest(response, done, begun), blocks(response)
        else:
            total, coming = _begin_anew(wanted, url, response, out)
        _check_room(Path(out.name).parent, total, out.tell())
        watch.begin(wanted.name, out.tell(), total)
        _copy(coming, out, total, watch)
    if total is None:  # the server sent it in chunks: now it is known
        _write_part(out, _Part(url, None, out.tell()))
    elif out.tell() < total:
        raise BrokenError(f"the connection broke off after {out.tell():,} of {total:,} bytes")


def _begin_anew(
    wanted: Wanted, url: str, response: HTTPResponse, out: BufferedRandom
) -> tuple[int | None, Iterator[bytes]]:
    """Length and blocks of a whole file, of which the start has been looked at; what there was of another is gone."""
    total, coming, start = response.length, blocks(response), b""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise TransferError(f"{url}: the server changes the file on its way (Content-Encoding)")
    if total is None and not response.chunked:
        raise TransferError(f"{url}: the server does not say how long the file is; nobody could know if it were whole")
    if None not in (wanted.size, total) and total != wanted.size:
        raise TransferError(f"{url}: has {total:,} bytes, and {wanted.name} should have {wanted.size:,}")
    while len(start) < MAGIC_BYTES and (block := next(coming, b"")):
        start += block
    if len(start) < min(MAGIC_BYTES, total or 0):
        raise BrokenError(f"the connection broke off after {len(start):,} of {total:,} bytes")
    try:
        refuse_start(wanted.name, start)
    except TraceError as error:
        kind = response.headers.get("Content-Type", "no type")[:80]
        raise TransferError(f"{url}: {error} (its server calls it {kind!r})") from None
    _empty(out)
    _write_part(out, _Part(url, _version(response), total))
    return total, chain([start], coming)


def _check_rest(response: HTTPResponse, done: int, begun: _Part | None) -> int:
    """The length of the whole of which a part comes.

    Raises:
        NoSuchRestError: it is not the rest that was asked for.
    """
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    first, last, total = map(int, match.groups()) if match else (-1, -1, -1)
    is_rest = begun is not None and (first, last + 1) == (done, total) and begun.total in (None, total)
    if not is_rest or begun is None or _version(response) not in (None, begun.version):
        raise NoSuchRestError("the server sent another part than was asked for")
    return total


def _copy(coming: Iterator[bytes], out: BufferedRandom, total: int | None, watch: Watch) -> None:
    for block in coming:
        out.write(block)
        out.flush()  # what the system has outlives this process, however it ends
        watch.progress(out.tell())
        if total is not None and out.tell() > total:
            raise NoSuchRestError(f"the server sent more than the {total:,} bytes that it promised")


def _check_room(folder: Path, total: int | None, done: int) -> None:
    free = shutil.disk_usage(folder).free
    if total is not None and total - done > free:
        raise TransferError(f"{folder}: {total - done:,} bytes are still to come, and {free:,} are free")


def _version(response: HTTPResponse) -> str | None:
    """What If-Range takes: a strong ETag, or else a date."""
    tag: str | None = response.headers.get("ETag")
    date: str | None = response.headers.get("Last-Modified")
    return date if tag is None or tag.startswith("W/") else tag


def _empty(out: BufferedRandom) -> None:
    out.seek(0)
    out.truncate()


def _read_part(out: BufferedRandom) -> _Part | None:
    """What is written beside a partial file, if it makes sense."""
    try:
        part = _Part(**json.loads(_state_of(out).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    types = {"url": str, "version": str | None, "total": int | None}
    return part if all(isinstance(getattr(part, key), kind) for key, kind in types.items()) else None


def _write_part(out: BufferedRandom, part: _Part) -> None:
    state = _state_of(out)
    fresh = state.with_name(f"{state.name}.tmp")
    fresh.write_text(json.dumps(asdict(part)) + "\n", "utf-8")
    os.replace(fresh, state)  # noqa: PTH105 - atomic, which Path.rename is not everywhere


def _state_of(out: BufferedRandom) -> Path:
    return Path(out.name.removesuffix(PARTIAL) + STATE)
