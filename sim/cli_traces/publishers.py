"""``keepwarm traces list`` and ``download``: what the publishers have, and how to get it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from sim.cli_traces.words import Parser, say, written
from sim.core.errors import ConfigError
from sim.report.trace_list import list_text, trace_list
from sim.report.transfers import transfers
from sim.workload.catalogue import CATALOGUE, THIRD_PARTY, Entry, File, find_entry
from sim.workload.download import calls_of, download_files, order

FOLDER: Final = "traces"
"""Where traces are, below the working directory, unless another folder is named."""
NOT_SAID: Final = "not said"

_COLD_STARTS: Final = "cold_start"


def show_list(words: Sequence[str]) -> None:
    """``keepwarm traces list``: the table of the public traces, or of the files of one."""
    parser = Parser("list")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--folder", type=Path, default=Path(FOLDER))
    given = parser.parse_intermixed_args(list(words))
    if given.name is None:
        rows = [_row(entry, given.folder / entry.name) for entry in CATALOGUE.values()]
        notes = [
            f"~: {THIRD_PARTY}; nobody publishes sizes or checksums. here: whether it is in {given.folder}.",
            "files of one: keepwarm traces list NAME; to get it: keepwarm traces download NAME",
        ]
    else:
        entry = find_entry(given.name)
        rows = [_file_row(file, entry) for file in entry.files] or [{"file": "none to download"}]
        known = [f"bytes and sha256: {THIRD_PARTY}"] if any(file.sha256 for file in entry.files) else []
        notes = [entry.notice, entry.page, *filter(None, [entry.advice]), *known]
    _show(Console(), rows, notes)


def download(words: Sequence[str]) -> None:
    """``keepwarm traces download``: fetch, check and unpack a trace, and say how to use it."""
    parser = Parser("download")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--files", default="")
    parser.add_argument("--url")
    parser.add_argument("--no-checksum", action="store_true")
    given = parser.parse_intermixed_args(list(words))
    if given.name is None:
        raise ConfigError(f"traces download needs the name of a trace; there is {', '.join(CATALOGUE)}")
    entry = find_entry(given.name)
    folder = given.folder or Path(FOLDER, entry.name)
    patterns = [pattern.strip() for pattern in given.files.split(",") if pattern.strip()]
    wanted = order(entry, folder, patterns=patterns, url=given.url, verify=not given.no_checksum)
    console = Console()
    say(console, "\n".join(filter(None, [f"{entry.name}: {entry.what}", entry.notice, entry.page, entry.advice])))
    say(console, "By downloading it you accept its licence; who publishes with it cites the work above.")
    try:
        with transfers(console) as watch:
            written(lambda: download_files(wanted, watch), folder)
    except KeyboardInterrupt:
        say(console, f"what came is kept in {folder}: the same command goes on with it")
        raise
    say(console, _use(entry, folder))


def _use(entry: Entry, folder: Path) -> str:
    """What to do with what was downloaded."""
    lines, calls, starts = [], calls_of(entry, folder), folder / _COLD_STARTS
    if calls is not None:
        path = shlex.quote(str(calls))
        lines.append(f"use it: keepwarm run workload={entry.format} workload.path={path}")
        lines.append(f"look at it: keepwarm traces inspect {path} format={entry.format}")
    elif entry.reads == ("",):  # there is something to be done by hand
        path = shlex.quote(str(folder))
        lines.append(f"now: {entry.advice}\nthen: keepwarm run workload={entry.format} workload.path={path}")
    else:
        lines.append(f"there are no calls of format {entry.format} in {folder}")
    if regions := sorted(place.name for place in starts.iterdir()) if starts.is_dir() else []:
        model = f"platform={entry.format} platform.start.path={shlex.quote(str(starts))}"
        lines.append(f"start-up times: {model} platform.start.region={regions[0]}")
    return "\n".join(lines)


def _row(entry: Entry, folder: Path) -> dict[str, str]:
    here = "embedded" if entry.size == "embedded" else "yes" if calls_of(entry, folder) else "no"
    return {
        "name": entry.name, "what": entry.what, "span": entry.span, "calls": entry.calls,
        "functions": entry.functions, "download": _size(entry), "licence": entry.licence, "format": entry.format,
        "here": here,
    }  # fmt: skip


def _size(entry: Entry) -> str:
    sizes = [file.size for file in entry.choose()] if entry.files else []
    known = [size for size in sizes if size is not None]
    return entry.size or (f"~{sum(known) / 1e6:,.0f} MB" if sizes and len(known) == len(sizes) else NOT_SAID)


def _file_row(file: File, entry: Entry) -> dict[str, str]:
    return {
        "file": file.name,
        "usual": "yes" if file in entry.choose() else "",
        "bytes": f"{file.size:,}" if file.size is not None else NOT_SAID,
        "sha256": file.sha256 or NOT_SAID,
    }


def _show(console: Console, rows: Sequence[Mapping[str, str]], notes: Sequence[str]) -> None:
    if console.is_terminal:
        console.print(trace_list(rows, notes, width=console.width))
    else:
        console.print(list_text(rows, notes), markup=False, highlight=False, soft_wrap=True, end="")
