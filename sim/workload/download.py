"""A public trace from its publishers: fetched, checked, unpacked, and ``SOURCE.json`` beside it to say whence it is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sim.core.errors import ConfigError
from sim.workload.archives import MOST_GROWTH, DamagedArchiveError, UnsafeArchiveError, is_archive, unpack
from sim.workload.catalogue import THIRD_PARTY, Entry, File
from sim.workload.load import READERS
from sim.workload.transfer import PATIENCE, Patience, Wanted, Watch, discard, fetched
from sim.workload.web import TransferError, check_url

SOURCE: Final = "SOURCE.json"
ROOM: Final = 4
"""How many times what an archive is said to unpack to it may: nobody's figure is exact."""


@dataclass(frozen=True)
class Order:
    """What to download, and how.

    Attributes:
        entry: the trace.
        files: of it.
        folder: the trace's; made if it is not there.
        verify: whether size and checksum must be the expected ones, where there are any.
        patience: with connections.
    """

    entry: Entry
    files: Sequence[File]
    folder: Path
    verify: bool = True
    patience: Patience = PATIENCE


def order(
    entry: Entry, folder: Path, *, patterns: Sequence[str] = (), url: str | None = None, verify: bool = True
) -> Order:
    """An order that can be carried out.

    Args:
        entry: the trace.
        folder: where to.
        patterns: of the files' names; the usual ones by default.
        url: another place to fetch from: of the one file chosen, or, ending in ``/``, of the folder with their names.
        verify: size and checksum.

    Raises:
        ConfigError: there is nothing to download, a pattern matches nothing, or one address for several files.
        TransferError: the address is not of the web.
    """
    if not entry.files:
        raise ConfigError(f"{entry.name} is not downloaded: {entry.advice}; see {entry.page}")
    files = entry.choose(tuple(patterns))
    if url is not None:
        check_url(url)
        if len(files) > 1 and not url.endswith("/"):
            raise ConfigError(f"--url: one address for {len(files)} files; if it is their folder, end it with /")
        files = [replace(file, urls=(url + file.name if url.endswith("/") else url,)) for file in files]
    return Order(entry, files, folder, verify)


def download_files(wanted: Order, watch: Watch) -> Path:
    """Fetch the files of an order that are not there yet.

    Args:
        wanted: the order.
        watch: told how far it is.

    Returns:
        Where the trace's reader finds its calls; the trace's folder where there is something to do by hand first.

    Raises:
        TransferError: a file could not be fetched, or is not the one expected. What came of it is kept where it is of
            use: the next download goes on with it.
        TraceError: an archive is damaged (it is thrown away), or unsafe (it is kept as it is).
        OSError: a folder cannot be written to.
    """
    if wanted.folder.exists() and not wanted.folder.is_dir():
        raise ConfigError(f"{wanted.folder}: a file is in the way")
    for file in wanted.files:
        if (there := _known(wanted.folder).get(file.name)) and _is_complete(wanted.folder, there):
            watch.say(f"{file.name}: is here already, by {SOURCE}")
            discard(wanted.folder / file.stored)
        else:
            _get(file, wanted, watch)
    return calls_of(wanted.entry, wanted.folder) or wanted.folder


def calls_of(entry: Entry, folder: Path) -> Path | None:
    """The folder below a trace's whose calls its reader would read, or None: they are not here."""
    places = [folder / place for place in entry.reads]
    return next((place for place in places if place.exists() and READERS[entry.format].fits(place)), None)


def _get(file: File, wanted: Order, watch: Watch) -> None:
    target = wanted.folder / file.stored
    size = file.size if wanted.verify else None
    with fetched(Wanted(file.name, file.urls, size), target, watch, wanted.patience) as (partial, url):
        facts = {"url": url, "bytes": partial.stat().st_size, "sha256": _sha256(partial)}
        if wanted.verify and file.sha256 is not None and facts["sha256"] != file.sha256:
            discard(target)
            raise TransferError(_mismatch(file, wanted.entry, url, str(facts["sha256"])))
        files = _put(file, partial, wanted.folder, _taken(file, wanted.folder))
        facts |= {"checked": _checked(file, wanted), "fetched": datetime.now(UTC).isoformat(timespec="seconds")}
        _record(wanted, file, facts | {"files": files})
        discard(target)
    watch.say(f"{file.name}: {facts['bytes']:,} bytes, sha256 {facts['sha256']}, {facts['checked']}")


def _mismatch(file: File, entry: Entry, url: str, got: str) -> str:
    return (
        f"{file.name} is not the file expected, and was thrown away\n"
        f"  from      {url}\n  expected  sha256 {file.sha256}\n  got       sha256 {got}\n"
        f"The checksum expected is {THIRD_PARTY}, so the publishers may have put a new file there. Try again; if it is"
        f" the same again, look at {entry.page}, and take it as it is with --no-checksum"
    )


def _checked(file: File, wanted: Order) -> str:
    if file.sha256 is None:
        return "no checksum is published"
    return f"as expected (the checksum is {THIRD_PARTY})" if wanted.verify else "not checked"


def _put(file: File, partial: Path, folder: Path, taken: Collection[str]) -> list[str]:
    """Unpack an archive, or give any other file its name; returns the names, relative to the trace's folder."""
    if not is_archive(file.name):
        name = Path(file.into, Path(file.name).name).as_posix()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, folder / name)  # noqa: PTH105 - atomic, which Path.rename is not everywhere
        return [name]
    growth = MOST_GROWTH * partial.stat().st_size if file.unpacked_size is None else ROOM * file.unpacked_size
    try:
        names = unpack(partial, file.name, folder / file.into, most_bytes=growth, flat=True, taken=taken)
    except DamagedArchiveError as error:
        discard(folder / file.stored)
        raise DamagedArchiveError(f"{error}; it was thrown away: try again") from None
    except UnsafeArchiveError as error:
        os.replace(partial, folder / file.stored)  # noqa: PTH105
        discard(folder / file.stored)
        where = f"it is kept as {folder / file.stored}: if you trust it, unpack it yourself into {folder / file.into}"
        raise UnsafeArchiveError(f"{error}; {where}") from None
    return [Path(file.into, name).as_posix() for name in names]


def _taken(file: File, folder: Path) -> set[str]:
    """Names in the folder of an archive that are those of other archives, as far as `SOURCE` says."""
    others = [
        facts["files"] for name, facts in _known(folder).items() if name != file.name and _is_complete(folder, facts)
    ]
    places = [Path(str(name)) for names in others for name in names]
    return {place.name for place in places if place.parent == Path(file.into)}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _record(wanted: Order, file: File, facts: Mapping[str, Any]) -> None:
    entry = wanted.entry
    head = {"trace": entry.name, "licence": entry.notice, "page": entry.page}
    known = dict(sorted((_known(wanted.folder) | {file.name: facts}).items()))
    fresh = wanted.folder / f"{SOURCE}.tmp"
    fresh.write_text(json.dumps(head | {"downloads": known}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    os.replace(fresh, wanted.folder / SOURCE)  # noqa: PTH105


def _known(folder: Path) -> dict[str, Any]:
    """What `SOURCE` says of each file; nothing if it is not there or makes no sense."""
    try:
        downloads = json.loads((folder / SOURCE).read_text("utf-8"))["downloads"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return downloads if isinstance(downloads, dict) else {}


def _is_complete(folder: Path, facts: Any) -> bool:
    files = facts.get("files") if isinstance(facts, dict) else None
    return isinstance(files, list) and bool(files) and all((folder / str(name)).is_file() for name in files)
