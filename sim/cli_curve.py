"""The command line of the window curve: ``keepwarm curve``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from sim import config, run_config
from sim.core.build import build, check_type
from sim.core.errors import ConfigError
from sim.engine.window_curve import window_curve
from sim.platform.platform import Platform
from sim.report.curve import BASELINE_S, approximation, curve_figure, curve_table, normalised
from sim.report.figures import save_figure
from sim.report.text_table import plain_text, text_table
from sim.results.window_curve import MOST_POINTS, WindowCurve
from sim.workload.load import load_trace
from sim.workload.trace import Trace
from sim.workload.transform import Transform, transformed

ROOT: Final = "curve"
SPAN: Final = ("warm_up_s", "horizon_s")
KEYS: Final = ("workload", "platform", "seed", *SPAN)
BROUGHT: Final = ("policy", "policies", "pricing")
"""What presets of whole platforms bring, which is nothing to the curve."""

USAGE: Final = """keepwarm curve: every keep-alive window at once

  keepwarm curve [OVERRIDES] [--approximate] [--out FOLDER]
      cold starts and wasted memory-time under a fixed window, for all windows
      from one pass over the trace, and the least waste that any keep-alive
      could have had; OVERRIDES are a run's workload=, platform=, seed=,
      warm_up_s= and horizon_s=, e.g.
      keepwarm curve workload=azure2019 workload.path=FOLDER --out curve
      --out FOLDER        write curve.parquet, .csv, .png, .svg and
                          frontier.parquet, .csv there
      --approximate       leave out what the curve is not exact with (start
                          times, lives, caps, ...) instead of refusing it
      --trust PACKAGE     (or the environment variable KEEPWARM_TRUST) allow a
                          configuration to name classes of your own package

  On the platform that it takes unless told otherwise (no_start) starts take no
  time, and the numbers are exactly those of runs."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as all other commands do."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{self.prog}: {message}; see keepwarm curve --help")


@dataclass(frozen=True)
class Asked:
    """What a configuration describes; the trace is read later."""

    workload: Mapping[str, Any]
    transforms: tuple[Transform, ...]
    platform: Platform
    span: Mapping[str, Any]


def curve(words: Sequence[str]) -> None:
    """``keepwarm curve``: the table and, if asked, the files."""
    if {"-h", "--help"} & set(words):
        Console().print(USAGE, markup=False, highlight=False)
        return
    parser = _Parser(prog="curve", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--approximate", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--trust", action="append", default=[])
    given = parser.parse_intermixed_args(list(words))
    composed = config.plain(config.compose_config(given.overrides, name=ROOT))
    named = {re.split("[.@=]", override.lstrip("+~"))[0] for override in given.overrides}
    own = {key: value for key, value in composed.items() if key not in BROUGHT}
    asked = _asked(own | {key: None for key in BROUGHT if key in named}, given.trust)
    if given.out is not None and given.out.exists() and not given.out.is_dir():
        raise ConfigError(f"--out: a file is in the way at {given.out}")
    trace = transformed(load_trace(**asked.workload), asked.transforms)
    made = _made(trace, asked, approximate=given.approximate)
    notes = notes_of(trace, made, asked.span)
    console, shown = Console(), curve_table(made)
    console.print(repr(trace), markup=False, highlight=False)
    if console.is_terminal:
        console.print(text_table(shown, notes))
    else:
        console.print(plain_text(shown, notes), markup=False, highlight=False, soft_wrap=True, end="")
    if given.out is not None:
        files = write_curve(made, notes, given.out)
        console.print(f"written to {given.out}: {', '.join(files)}", markup=False, highlight=False, soft_wrap=True)


def _asked(values: Mapping[str, Any], packages: Sequence[str]) -> Asked:
    for key in values:
        if key not in KEYS:
            raise ConfigError(f"{key}: there is no such key; there is {', '.join(KEYS)}")
    for key in KEYS:
        if key not in values:
            raise ConfigError(f"{key} must be given")
    trust = config.trusted(packages)
    check_type(values["workload"], Mapping, "workload")
    for key in ("seed", *SPAN):
        check_type(values[key], run_config.NUMBERS[key], key)
    options, transforms = run_config.split_workload(values["workload"], trust)
    platform = build(values["platform"], "platform", Platform, trust)
    return Asked(options, transforms, platform, {key: values[key] for key in SPAN})


def _made(trace: Trace, asked: Asked, *, approximate: bool) -> WindowCurve:
    try:
        return window_curve(trace, asked.platform, approximate=approximate, **asked.span)
    except ConfigError as error:
        raise ConfigError(str(error).replace("(approximate)", "(--approximate)")) from None


def notes_of(trace: Trace, made: WindowCurve, span: Mapping[str, Any]) -> dict[str, str]:
    """What a reader must know: what was counted, on what, and how exact it is."""
    end_s = trace.horizon_s if span["horizon_s"] is None else span["horizon_s"]
    warm_up = f" after a warm-up of {span['warm_up_s']:g} s" if span["warm_up_s"] else ""
    source = f" ({trace.about['path']})" if "path" in trace.about else ""
    notes = {
        "workload": f"{made.calls:,} calls of {len(trace.functions):,} functions over"
                    f" {(end_s - span['warm_up_s']) / 3600:.3g} h{warm_up}{source}",
        "exactness": approximation(made) if made.approximate
                     else "exact: a run under FixedWindow has these cold starts, start times being zero",
    }  # fmt: skip
    if made.approximate:
        notes["exactness"] = f"an approximation, {notes['exactness']}"
    if trace.is_random:
        notes["draw"] = "the trace is made from counts: this is the curve of one draw of its arrivals and durations"
    elif "frozen" in trace.about:
        notes["draw"] = f"the trace is {trace.about['frozen']}"
    return notes


def write_curve(made: WindowCurve, notes: Mapping[str, str], folder: Path) -> list[str]:
    """Write the points of the curve and of the frontier, and the figure, each file whole or not at all.

    Returns:
        The names of the files.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    below = {key: note for key, note in notes.items() if key != "exactness" or not made.approximate}
    tables = {"curve": made.points(MOST_POINTS), "frontier": made.frontier.points(MOST_POINTS)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=folder) as unfinished:
            for name, table in tables.items():
                table["wasted_normalised"] = normalised(table["wasted_gb_s"].to_numpy(), made)
                _write_table(table, notes, Path(unfinished) / name)
            save_figure(curve_figure(made, below), Path(unfinished) / "curve")
            files = sorted(Path(unfinished).iterdir())
            for file in files:
                file.replace(folder / file.name)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error}") from None
    return [file.name for file in files]


def _write_table(table: pd.DataFrame, notes: Mapping[str, str], stem: Path) -> None:
    table.to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")
    columns = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**{f"keepwarm.{key}": note for key, note in notes.items()}, "keepwarm.baseline_s": f"{BASELINE_S:g}"}
    pq.write_table(columns.replace_schema_metadata(metadata), stem.with_suffix(".parquet"), compression="zstd")
