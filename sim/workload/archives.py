"""Archives of strangers, unpacked: only below one folder, only plain files, only so much, and whole or not at all.

Nothing that an archive says is believed: a name that leads elsewhere, a link, a device, two files of one name, more
bytes than expected are each a reason to unpack nothing of it. Permissions, owners and times are not taken over.
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Final

from sim.core.errors import TraceError
from sim.workload.readers.streams import open_bytes

MOST_GROWTH: Final = 100
"""How many times its own size an archive may unpack to, where nobody says what is in it. Chosen: tables of counts,
mostly zeros, shrink to a twentieth or so; what deflate can do at most is a thousandth."""
MOST_MEMBERS: Final = 100_000

_ENCRYPTED: Final = 1
_HEADER_BYTES: Final = 1 << 20
"""What the names and other headers of one member of a tar may take, and what may follow the last."""
_BLOCK_BYTES: Final = 1 << 20
_LONGEST: Final = 1000
"""Characters of a name."""
_DAMAGE: Final = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, ValueError, OverflowError,
    LookupError, NotImplementedError, RuntimeError,
)  # fmt: skip
_MAGIC: Final = {
    ".zip": (b"PK\x03\x04", "a ZIP archive"),
    ".xz": (b"\xfd7zXZ\x00", "an xz archive"),
    ".rar": (b"Rar!\x1a\x07", "a RAR archive"),
}
MAGIC_BYTES: Final = 512
"""Of a file's start, what `refuse_start` wants to see."""


class DamagedArchiveError(TraceError):
    """An archive is cut short, damaged, or none at all: to download it anew may help."""


class UnsafeArchiveError(TraceError):
    """An archive holds what is not unpacked here: to download it anew will not help."""


def is_archive(name: str) -> bool:
    """Whether a file of that name is one that `unpack` can unpack."""
    return name.endswith((".zip", ".tar.xz"))


def refuse_start(name: str, start: bytes) -> None:
    """Say what is wrong with a file by its first bytes.

    Args:
        name: of the file; its suffix says what it should be.
        start: its first `MAGIC_BYTES` bytes, or all of it.

    Raises:
        TraceError: it is something else, for example a web page in its place.
    """
    magic, kind = _MAGIC.get(PurePosixPath(name).suffix, (b"", "a table"))
    is_page = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
    if is_page or not start.startswith(magic):
        what = "a web page" if is_page else "something else" if start else "nothing"
        raise TraceError(f"should be {kind}, and is {what}")


def unpack(
    archive: Path, name: str, folder: Path, *, most_bytes: int, flat: bool = False, taken: Collection[str] = ()
) -> list[str]:
    """Unpack a ZIP or an (xz-compressed) tar archive; either all of it is in the folder in the end, or nothing.

    Where the folder is not there yet, it appears with everything in it; where it is, files take the place of those of
    the same names, one after another.

    Args:
        archive: the file.
        name: what it is called, for its kind and for messages.
        folder: made if it is not there.
        most_bytes: that all files together may take.
        flat: put all files side by side, whatever folders they are in; hidden ones (and ``__MACOSX``) are left out.
        taken: names in the folder that no file of this archive may take.

    Returns:
        The names of the files, relative to the folder, sorted.

    Raises:
        DamagedArchiveError: it cannot be read to its end.
        UnsafeArchiveError: a file that is not plain, or would not be below the folder, or too much.
        OSError: the disk is full or not ours to write to.
    """
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    fresh.mkdir(parents=True)
    try:
        with _saying_what_is_damaged(name):
            names = _Unpacking(name, fresh, most_bytes, flat).run(archive)
        if both := sorted(set(taken).intersection(names)):
            raise UnsafeArchiveError(f"has a file {both[0]!r}, which another archive had{_NOTHING_DONE}", file=name)
        _move(fresh, folder, names)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return names


@contextmanager
def _saying_what_is_damaged(name: str) -> Iterator[None]:
    try:
        yield
    except (DamagedArchiveError, UnsafeArchiveError):
        raise
    except TraceError as error:  # of the stream below a tar: it names a file that is called differently in the end
        raise DamagedArchiveError(str(error).rpartition(": ")[2], file=name) from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the start, or what else no file has
            raise
        raise DamagedArchiveError("is damaged: it points to a place that it has not", file=name) from None
    except _DAMAGE as error:
        raise DamagedArchiveError(f"is damaged, or was cut short: {error!r}", file=name) from None


def _move(fresh: Path, folder: Path, names: list[str]) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, folder / name)  # noqa: PTH105 - atomic, which Path.rename is not everywhere


@dataclass
class _Unpacking:
    """One archive on its way into an empty folder.

    Attributes:
        name: of the archive, for messages.
        folder: where to.
        left: bytes that may still be written.
        flat: whether folders are left out.
    """

    name: str
    folder: Path
    left: int
    flat: bool

    def __post_init__(self) -> None:
        self.most = self.left
        self.members = 0
        self.written: dict[str, str] = {}

    def run(self, archive: Path) -> list[str]:
        """Unpack it; returns the names of the files."""
        if self.name.endswith(".zip"):
            self._zip(archive)
        else:
            self._tar(archive)
        if not self.written:
            raise DamagedArchiveError("has no files in it", file=self.name)
        return sorted(self.written.values())

    def _zip(self, archive: Path) -> None:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if sum(member.file_size for member in members) > self.left:  # before the first byte is written
                raise self._too_much()
            for member in members:
                kind = stat.S_IFMT(member.external_attr >> 16)
                is_plain = kind in (0, stat.S_IFREG, stat.S_IFDIR) and not member.flag_bits & _ENCRYPTED
                is_plain &= member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                what = "a link, a device, encrypted, or packed by something else than deflate"
                path = self._path(member.filename, what, is_plain=is_plain)
                if not member.is_dir() and path is not None:
                    with packed.open(member) as source:
                        self._write(path, source)

    def _tar(self, archive: Path) -> None:
        with open_bytes(archive) as source:
            stream = _Rationed(source, self.name)
            with tarfile.open(fileobj=stream, mode="r|", bufsize=tarfile.RECORDSIZE) as packed:
                while True:
                    stream.left = _HEADER_BYTES
                    member = packed.next()
                    if member is None:
                        break
                    is_plain = (member.isreg() or member.isdir()) and not member.issparse()
                    path = self._path(member.name, "a link, a device or a file with holes", is_plain=is_plain)
                    if member.isdir():
                        continue
                    if member.size > self.left:
                        raise self._too_much()
                    stream.left = member.size + _HEADER_BYTES
                    if path is not None and (content := packed.extractfile(member)) is not None:
                        self._write(path, content)
            stream.left = _HEADER_BYTES
            while source.read(_BLOCK_BYTES):  # to the stream's own checksum
                pass

    def _path(self, name: str, otherwise: str, *, is_plain: bool) -> Path | None:
        """Where a member goes; None for one that is left out.

        Raises:
            UnsafeArchiveError: it is not plain, its name leads elsewhere, or it is one too many.
        """
        parts = PurePosixPath(name).parts
        if not is_plain:
            raise UnsafeArchiveError(f"{name!r} is {otherwise}{_NOTHING_DONE}", file=self.name)
        if not _is_below(name):
            raise UnsafeArchiveError(f"{name!r} would not be below the folder{_NOTHING_DONE}", file=self.name)
        self.members += 1
        if self.members > MOST_MEMBERS:
            raise UnsafeArchiveError(f"has more than {MOST_MEMBERS:,} files and folders{_NOTHING_DONE}", file=self.name)
        if not parts or (self.flat and any(part.startswith((".", "__MACOSX")) for part in parts)):
            return None
        return self.folder.joinpath(*(parts[-1:] if self.flat else parts))

    def _write(self, path: Path, source: IO[bytes]) -> None:
        name = path.relative_to(self.folder).as_posix()
        if name.casefold() in self.written:
            raise UnsafeArchiveError(f"has two files {name!r}{_NOTHING_DONE}", file=self.name)
        self.written[name.casefold()] = name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            out = path.open("xb")
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            why = f"{name!r} is a file and a folder{_NOTHING_DONE}"
            raise UnsafeArchiveError(why, file=self.name) from None
        with out:
            while block := source.read(_BLOCK_BYTES):
                self.left -= len(block)
                if self.left < 0:
                    raise self._too_much()
                out.write(block)

    def _too_much(self) -> UnsafeArchiveError:
        return UnsafeArchiveError(f"would unpack to more than the {self.most:,} bytes that it may{_NOTHING_DONE}",
                                  file=self.name)  # fmt: skip


_NOTHING_DONE: Final = "; nothing of it was unpacked"


def _is_below(name: str) -> bool:
    """Whether a name is that of something below the folder that it is taken from, on any system."""
    path = PurePosixPath(name)
    odd = not name.isprintable() or "\\" in name or ":" in name or len(name) > _LONGEST
    return not (
        odd or path.is_absolute() or ".." in path.parts or any(len(os.fsencode(part)) > 255 for part in path.parts)
    )


class _Rationed(io.RawIOBase):
    """A stream that gives so much and no more, so that a header that claims to be huge cannot fill the memory."""

    def __init__(self, source: io.BufferedReader, name: str) -> None:
        self.source, self.name, self.left = source, name, _HEADER_BYTES

    def read(self, size: int = -1, /) -> bytes:
        data = self.source.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise UnsafeArchiveError(f"has a header of more than {_HEADER_BYTES:,} bytes{_NOTHING_DONE}",
                                     file=self.name)  # fmt: skip
        return data
