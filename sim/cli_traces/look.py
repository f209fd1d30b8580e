"""``keepwarm traces inspect`` and ``convert``: read a trace as a run would; show it, or write it in our own form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sim import config, run_config
from sim.cli_traces.words import say, trusting, written
from sim.core.build import check_type
from sim.core.errors import ConfigError
from sim.report.drawing import trace_figures
from sim.report.trace_table import facts_of, report_of, span, trace_tables, trace_text
from sim.workload.load import load_trace
from sim.workload.partition.saving import save_by_function
from sim.workload.partitioned import open_trace
from sim.workload.statistics import trace_statistics
from sim.workload.trace import Trace
from sim.workload.transform import transformed


def inspect(words: Sequence[str]) -> None:
    """``keepwarm traces inspect``: show a trace and, if asked, write its figures."""
    parser = trusting("inspect")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--figures", type=Path)
    given = parser.parse_intermixed_args(list(words))
    if not given.words:
        raise ConfigError("traces inspect needs the path of a trace; see keepwarm traces --help")
    path, options = given.words[0], config.read_options(given.words[1:])
    if given.figures is not None and given.figures.exists() and not given.figures.is_dir():
        raise ConfigError(f"--figures: a file is in the way at {given.figures}")
    trace = _read(path, options, given.trust)
    facts, report = {"read from": path, **facts_of(trace)}, report_of(trace)
    title = f"{path}: {len(trace):,} calls of {len(trace.functions):,} functions in {span(trace.horizon_s)}"
    statistics = trace_statistics(trace)
    del trace  # the pictures need room too
    console = Console()
    if console.is_terminal:
        for table in trace_tables(statistics, facts, report):
            console.print(table, "")
    else:
        console.print(trace_text(statistics, facts, report), markup=False, highlight=False, soft_wrap=True, end="")
    if given.figures is not None:
        files = written(lambda: trace_figures(statistics, given.figures, title), given.figures)
        say(console, f"written to {given.figures}: {', '.join(sorted(file.name for file in files))}")


def convert(words: Sequence[str]) -> None:
    """``keepwarm traces convert``: write a trace of any format in a form of our own, and say what became of it."""
    parser = trusting("convert")
    parser.add_argument("--by-function", action="store_true")
    parser.add_argument("words", nargs="*")
    given = parser.parse_intermixed_args(list(words))
    if not given.words or "=" in given.words[0]:
        raise ConfigError("traces convert needs the path of a trace, first; see keepwarm traces --help")
    path, options = given.words[0], config.read_options(given.words[1:])
    out = options.pop("out", None)
    if out is None:
        raise ConfigError("out must be given: out=...")
    check_type(out, str, "out")
    if not out:
        raise ConfigError("out must be given: out=...")
    trace = _read(path, options, given.trust)
    if given.by_function:
        written(lambda: save_by_function(trace, out), Path(out))
        content, use = open_trace(out).content_hash(), f"use it: sim.open_trace({out!r})"
    else:
        written(lambda: trace.save(out), Path(out))
        content, use = trace.content_hash(), f"use it: keepwarm run workload.path={out}"
    console = Console()
    size = sum(file.stat().st_size for file in Path(out).rglob("*") if file.is_file())
    say(console, f"{trace!r}\n{_notes(trace)}written to {out}: {size:,} bytes, content {content}\n{use}")


def _read(path: str, options: dict[str, object], trust: Sequence[str]) -> Trace:
    loading, transforms = run_config.split_workload({**options, "path": path}, config.trusted(trust))
    return transformed(load_trace(**loading), transforms)


def _notes(trace: Trace) -> str:
    """What the reader dropped, mended or took for granted, a line each."""
    return "".join(f"  {what}: {value}\n" for what, value in report_of(trace).items())
