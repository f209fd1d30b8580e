"""Text files as bytes, decompressed where they are compressed: gzip, xz or zstd, told by content and not by name.

Whatever is wrong with an archive (cut short, damaged, of another kind) is a `TraceError`; memory stays bounded. Damage
is found by the checksums that gzip, xz and the zstd command write; a zstd stream written without one has none.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import zlib
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa

from sim.core.errors import TraceError

SUFFIXES: Final = (".gz", ".xz", ".zst")
"""What a compressed file's name ends with, after its own name; content decides, whatever the name says."""

_MAGIC_BYTES: Final = 265
"""Of a file's start, what is looked at: a tar archive says so at byte 257."""
_CHUNK_BYTES: Final = 1 << 16
_XZ_MEMORY: Final = 1 << 29
"""Of its decompressor: eight times what the strongest preset of xz needs; a damaged header may ask for anything."""
_DAMAGE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException)
_NOT_READ: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"BZh[1-9]1AY&SY": "compressed by bzip2",
    b"\x04\x22\x4d\x18": "compressed by LZ4",
    b"PAR1": "a Parquet file, not text",
    b"\x80[\x02-\x05]": "a Python pickle, not text",
    b"(?s).{257}ustar": "a tar archive",
    b"\xff\xfe|\xfe\xff|[^\x00]\x00[^\x00]\x00|\x00[^\x00]\x00[^\x00]": "UTF-16 text: save it as UTF-8",
}


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


def open_stream(file: Path) -> io.BufferedReader:
    """The bytes of a text file, decompressed as they are read.

    Raises:
        TraceError: it cannot be opened, is of a kind that is not read here, or (in a later `read`) is damaged.
    """
    stream = open_bytes(file)
    try:
        refuse_other_kinds(stream.peek(_MAGIC_BYTES), file)
    except TraceError:
        stream.close()
        raise
    return stream


def open_bytes(file: Path) -> io.BufferedReader:
    """The bytes of any file, decompressed as they are read.

    Raises:
        TraceError: it cannot be opened, or (in a later `read`) is damaged.
    """
    try:
        raw = file.open("rb")
        start = raw.read(_MAGIC_BYTES)
        raw.seek(0)
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror}", file=file) from None
    return io.BufferedReader(_Guarded(_decompressor(raw, start), raw, file), _CHUNK_BYTES)


def refuse_other_kinds(start: bytes, file: Path) -> None:
    """Name what a file is whose first bytes are no text's.

    Raises:
        TraceError: an archive, another compression, UTF-16.
    """
    for magic, kind in _NOT_READ.items():
        if re.match(magic, start):
            unpack = ": unpack it first" if "archive" in kind or "compressed" in kind else ""
            raise TraceError(f"is {kind}{unpack}", file=file)


def plain_name(path: Path) -> str:
    """A file's name without the suffix of a compression."""
    return path.stem if path.suffix in SUFFIXES else path.name


def find_file(folder: Path, name: str) -> Path | None:
    """The file of that name in a folder, or else a compressed one; where there are several, the uncompressed."""
    candidates = (folder / f"{name}{suffix}" for suffix in ("", *SUFFIXES))
    return next((file for file in candidates if file.is_file()), None)


def _decompressor(raw: Any, start: bytes) -> _Source:
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if start.startswith(b"\xfd7zXZ\x00"):
        return _Xz(raw)
    if re.match(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", start):  # a frame; one to be skipped, as pzstd begins
        source: _Source = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
        return source
    return raw  # type: ignore[no-any-return]


class _Xz:
    """xz streams one after another. The standard library's reader takes garbage after the first for its end."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.one = self._new()
        self.ahead = b""

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        while True:
            if self.one.eof and not self._next_stream():
                return b""
            if self.one.needs_input and not self.ahead:
                self.ahead = self.raw.read(_CHUNK_BYTES)
                if not self.ahead:
                    raise EOFError
            data, self.ahead = self.one.decompress(self.ahead, size), b""
            if data:
                return data

    def _next_stream(self) -> bool:
        """Go on to the next stream, past padding; False at the end of the file."""
        rest = self.one.unused_data.lstrip(b"\0")
        while not rest and (more := self.raw.read(_CHUNK_BYTES)):
            rest = more.lstrip(b"\0")
        self.one, self.ahead = (self._new(), rest) if rest else (self.one, b"")
        return bool(rest)

    def close(self) -> None:
        self.raw.close()


class _Guarded(io.RawIOBase):
    """A source whose every trouble is a `TraceError` that names its file."""

    def __init__(self, source: _Source, raw: Any, file: Path) -> None:
        self.source, self.raw, self.file = source, raw, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        try:
            data = self.source.read(len(view))
        except _DAMAGE as error:
            what = str(error) or "it ends before its stream does"
            raise TraceError(f"is damaged, or was cut short: {what}", file=self.file) from None
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self.source.close()
            self.raw.close()
        super().close()
