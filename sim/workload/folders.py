"""Folders that are written whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.core.errors import TraceError


@contextmanager
def whole_folder(path: Path, is_ours: Callable[[Path], bool], files: Collection[str]) -> Iterator[Path]:
    """A new folder to write to, which takes the place of `path` when the block ends well and is gone when it does not.

    Args:
        path: what the folder is to be in the end; its parents are made. A folder of the same form is replaced.
        is_ours: whether a folder that is there is of that form.
        files: the names that the form has in its folder.

    Raises:
        TraceError: the path holds something else, which would be lost.
    """
    target = path.resolve()
    _refuse_to_destroy(target, is_ours, files)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        fresh.mkdir()
        yield fresh
        _replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _refuse_to_destroy(target: Path, is_ours: Callable[[Path], bool], files: Collection[str]) -> None:
    """Only nothing, an empty folder, or a folder of the same form may give way."""
    if not target.exists():
        return
    if not target.is_dir():
        raise TraceError("a file is in the way; a trace is written as a folder", file=target)
    inside = sorted(entry.name for entry in target.iterdir())
    if inside and not is_ours(target):
        raise TraceError("the folder is not a trace of this form, so it is not overwritten; choose another name",
                         file=target)  # fmt: skip
    foreign = [name for name in inside if name not in files]
    if foreign:
        raise TraceError(f"the trace there is not replaced, {foreign} in its folder would be lost", file=target)


def _replace(fresh: Path, target: Path) -> None:
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_suffix(".old")
    target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old)
