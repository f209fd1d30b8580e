"""Archives of strangers: only below their folder, only plain files, only so much, whole or not at all."""

import io
import lzma
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from stand_in import tarred, zipped

from sim.core.errors import KeepwarmError
from sim.workload import archives
from sim.workload.archives import DamagedArchiveError, UnsafeArchiveError, unpack

FILES = {"a.csv": b"1,2\n" * 1000, "below/b.csv": b"3\n", "below/deeper/c.csv": b""}
MAKERS: dict[str, Callable[..., bytes]] = {"x.zip": zipped, "x.tar.xz": tarred}


def unpacked(content: bytes, name: str, place: Path, *, flat: bool = False) -> dict[str, bytes]:
    """What an archive leaves in a folder, which must be what `unpack` says."""
    archive, folder = place / "archive", place / "folder"
    archive.write_bytes(content)
    names = unpack(archive, name, folder, most_bytes=10**6, flat=flat)
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    assert sorted(files) == names
    assert sorted(path.name for path in place.iterdir()) == ["archive", "folder"]
    return {name: file.read_bytes() for name, file in files.items()}


def refused(content: bytes, name: str, place: Path, why: str, **options: int | bool) -> None:
    """Nothing is left, in the folder or anywhere else."""
    archive = place / "archive"
    archive.write_bytes(content)
    with pytest.raises(UnsafeArchiveError, match=why):
        unpack(archive, name, place / "folder", **{"most_bytes": 10**6, **options})  # type: ignore[arg-type]
    assert [path.name for path in place.iterdir()] == ["archive"]


@pytest.mark.parametrize("name", MAKERS)
def test_folders_are_kept_or_not(name: str, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    assert unpacked(MAKERS[name](FILES), name, tmp_path / "1") == FILES
    flat = {Path(path).name: content for path, content in FILES.items()}
    hidden = {"__MACOSX/below/._b.csv": b"x", ".DS_Store": b"x"}
    assert unpacked(MAKERS[name](FILES | hidden), name, tmp_path / "2", flat=True) == flat


def test_what_is_plain_is_plain_afterwards(tmp_path: Path) -> None:
    member = tarfile.TarInfo("folder/")
    member.type, member.mode = tarfile.DIRTYPE, 0o000
    unpacked(tarred({"./run.sh": b"x"}, member, mode="w"), "x.tar.xz", tmp_path)
    assert stat.S_IMODE((tmp_path / "folder" / "run.sh").stat().st_mode) & 0o6111 == 0


def test_files_take_the_place_of_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.csv").write_bytes(b"old")
    (tmp_path / "folder" / "own.csv").write_bytes(b"mine")
    (tmp_path / "archive").write_bytes(zipped(FILES))
    names = unpack(tmp_path / "archive", "x.zip", tmp_path / "folder", most_bytes=10**6)
    assert names == sorted(FILES)
    assert (tmp_path / "folder" / "a.csv").read_bytes() == FILES["a.csv"]
    assert (tmp_path / "folder" / "own.csv").read_bytes() == b"mine"


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "member",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "//x",
        "a\\..\\x",
        "C:x",
        "C:/x",
        "..",
        "a\nb",
        "a\x1b[31m",
        "ü" * 128,
    ],
)
def test_names_that_lead_elsewhere(member: str, name: str, flat: bool, tmp_path: Path) -> None:
    refused(MAKERS[name](FILES | {member: b"x"}), name, tmp_path, "would not be below the folder", flat=flat)


def test_a_name_in_no_known_letters(tmp_path: Path) -> None:
    refused(tarred({"a/b\udcff": b"x"}), "x.tar.xz", tmp_path, "would not be below the folder")


def special(kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo("special")
    member.type, member.linkname, member.devmajor, member.devminor = kind, target, 1, 3
    return member


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    "member",
    [
        special(tarfile.SYMTYPE, "/etc/passwd"),
        special(tarfile.SYMTYPE, "a.csv"),
        special(tarfile.LNKTYPE, "/etc/passwd"),
        special(tarfile.LNKTYPE, "a.csv"),
        special(tarfile.CHRTYPE),
        special(tarfile.BLKTYPE),
        special(tarfile.FIFOTYPE),
    ],
    ids=["symbolic link out", "symbolic link in", "hard link out", "hard link in", "device", "disk", "pipe"],
)
def test_what_is_no_plain_file_in_a_tar(member: tarfile.TarInfo, flat: bool, tmp_path: Path) -> None:
    refused(tarred(FILES, member), "x.tar.xz", tmp_path, "'special' is a link, a device", flat=flat)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_what_is_no_plain_file_in_a_zip(kind: int, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        member = zipfile.ZipInfo("special")
        member.external_attr = (kind | 0o777) << 16
        packed.writestr(member, "/etc/passwd")
    refused(out.getvalue(), "x.zip", tmp_path, "'special' is a link, a device")


def test_a_zip_that_needs_more_than_deflate(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("a", b"x" * 1000)
    refused(out.getvalue(), "x.zip", tmp_path, "packed by something else")
    locked = bytearray(zipped({"a": b"x"}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    refused(bytes(locked), "x.zip", tmp_path, "encrypted")


@pytest.mark.parametrize("flat", [False, True])
def test_two_files_of_one_name(flat: bool, tmp_path: Path) -> None:
    twice = tarred({"a.csv": b"1"}, tarfile.TarInfo("a.csv"))
    refused(twice, "x.tar.xz", tmp_path, "has two files 'a.csv'", flat=flat)
    for files in ({"a": b"", "A": b""}, {"a/b": b"", "./a/B": b""}):
        refused(tarred(files), "x.tar.xz", tmp_path, "has two files", flat=flat)
    refused(tarred({"a/x": b"1", "b/x": b"2"}), "x.tar.xz", tmp_path, "has two files 'x'", flat=True)
    refused(tarred({"a": b"1", "a/b": b"2"}), "x.tar.xz", tmp_path, "is a file and a folder")
    refused(tarred({"a/b": b"1", "a": b"2"}), "x.tar.xz", tmp_path, "is a file and a folder")


@pytest.mark.parametrize("name", MAKERS)
def test_more_than_it_may(name: str, tmp_path: Path) -> None:
    content = MAKERS[name]({"a": b"\0" * 600_000, "b": b"\0" * 400_001})
    assert len(content) < 3000
    refused(content, name, tmp_path, "more than the 1,000,000 bytes that it may")


def test_a_zip_that_says_it_is_small(tmp_path: Path) -> None:
    bomb = bytearray(zipped({"a": b"\0" * 2_000_000}))
    for place, offset in ((bomb.index(b"PK\x01\x02"), 24), (bomb.index(b"PK\x03\x04"), 22)):
        bomb[place + offset : place + offset + 4] = (100).to_bytes(4, "little")
    (tmp_path / "archive").write_bytes(bomb)
    with pytest.raises(DamagedArchiveError):
        unpack(tmp_path / "archive", "x.zip", tmp_path / "folder", most_bytes=1000)


def test_a_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 20_000_000
    content = lzma.compress(member.tobuf(tarfile.GNU_FORMAT) + b"\0" * member.size, preset=0)
    refused(content, "x.tar.xz", tmp_path, "has a header of more than 1,048,576 bytes", most_bytes=10**12)


def test_holes_are_no_content(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type = tarfile.GNUTYPE_SPARSE
    refused(tarred({}, member), "x.tar.xz", tmp_path, "a file with holes")


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    unpacked(zipped(FILES), "x.zip", tmp_path)
    (tmp_path / "more").mkdir()
    refused(zipped(FILES | {"d": b""}), "x.zip", tmp_path / "more", "has more than 3 files and folders")


@pytest.mark.parametrize("name", MAKERS)
def test_cut_short_anywhere_it_is_damaged(name: str, tmp_path: Path) -> None:
    content = MAKERS[name]({"a": random.Random(1).randbytes(3000), "b": b"1"})
    (tmp_path / "archive").write_bytes(content)
    for length in {*range(0, len(content), 97), *range(len(content) - 70, len(content))}:
        (tmp_path / "archive").write_bytes(content[:length])
        with pytest.raises(DamagedArchiveError, match=f"{name}: "):
            unpack(tmp_path / "archive", name, tmp_path / "folder", most_bytes=10**6)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_an_archive_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zipped({}))
    with pytest.raises(DamagedArchiveError, match="has no files in it"):
        unpack(tmp_path / "archive", "x.zip", tmp_path / "folder", most_bytes=10**6)


names = st.lists(st.sampled_from(["a", "b.csv", "ü", "c d", "e-f"]), min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(names, st.binary(max_size=300), min_size=1, max_size=5), st.sampled_from(list(MAKERS)))
def test_what_went_in_comes_out(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], name: str) -> None:
    folders = {str(parent) for path in files for parent in Path(path).parents}
    place = tmp_path_factory.mktemp("any")
    if folders & set(files):
        refused(MAKERS[name](files), name, place, "is a file and a folder")
    else:
        assert unpacked(MAKERS[name](files), name, place) == files


@given(st.data(), st.sampled_from(list(MAKERS)), st.booleans())
@examples(200)
def test_damage_is_told_and_leads_nowhere(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str, flat: bool
) -> None:
    # The tar without its compression: below a checksum, hardly any change would get as far as tar.
    content = bytearray(zipped(FILES) if name == "x.zip" else tarred(FILES, special(tarfile.SYMTYPE, "a"), mode="w"))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + 1] = data.draw(st.binary(min_size=0, max_size=3))
    folder = tmp_path_factory.mktemp("any")
    (folder / "archive").write_bytes(content)
    try:
        unpack(folder / "archive", name, folder / "folder", most_bytes=10**6, flat=flat)
    except KeepwarmError:
        assert [path.name for path in folder.iterdir()] == ["archive"]
    else:
        assert sorted(path.name for path in folder.iterdir()) == ["archive", "folder"]
        assert all(path.is_file() or path.is_dir() for path in folder.rglob("*"))
        assert not any(path.is_symlink() for path in folder.rglob("*"))
