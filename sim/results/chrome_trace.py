"""A span of a run as a file that Perfetto and Chrome open.

The form is the JSON of the Trace Event Format (Duman and Sinclair, "Trace Event Format", Google, 2016).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.core import checks
from sim.core.errors import ConfigError
from sim.results.call_sums import Span
from sim.results.result import Result
from sim.results.timeline import Event, Timeline

_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # everything but ASCII is escaped


def write_chrome_trace(
    result: Result,
    path: Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    functions: Sequence[int] | Sequence[str] | npt.NDArray[Any] | None = None,
) -> Path:
    """Write what happened in a span of a recorded run; see `sim.chrome_trace`."""
    if result.columns is None:
        raise ConfigError("the result holds no calls and instances to show: simulate with record=True")
    span = _checked_span(start_s, end_s, result.about["horizon_s"])
    chosen = range(len(result.functions)) if functions is None else _chosen(result, functions)
    shown = {"start_s": span.start_s, "end_s": span.end_s}
    head = {"displayTimeUnit": "ms", "otherData": {k: str(v) for k, v in {**result.about, **shown}.items()}}
    _write(path, head, Timeline(result.columns, result.functions, span).events(chosen))
    return path


def _write(path: Path, head: Event, events: Iterable[Event]) -> None:
    """One event a line, as they come, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("w", encoding="ascii", newline="\n") as file:
            file.write(f'{_encode(head)[:-1]},"traceEvents":[')
            separator = "\n"
            for event in events:
                file.write(f"{separator}{_encode(event)}")
                separator = ",\n"
            file.write("\n]}\n")
        os.replace(partial, path)  # noqa: PTH105 - atomic, which Path.rename is not everywhere
    finally:
        partial.unlink(missing_ok=True)


def _checked_span(start_s: float, end_s: float | None, horizon_s: float) -> Span:
    checks.number("start_s", start_s, low=0)
    if end_s is not None:
        checks.number("end_s", end_s, low=0)
    stop_s = horizon_s if end_s is None else float(end_s)
    if not start_s < stop_s <= horizon_s:
        raise ConfigError(
            f"the span to show must satisfy start_s < end_s <= {horizon_s:g}, where the run was measured to, not"
            f" {start_s:g} and {stop_s:g}"
        )
    return Span(float(start_s), stop_s)


def _chosen(result: Result, functions: Sequence[int] | Sequence[str] | npt.NDArray[Any]) -> list[int]:
    """Indices of functions given by index or name, in the order given."""
    if isinstance(functions, str):
        raise ConfigError(f"functions must be a list of indices or names, not {functions!r}")
    names = result.functions["name"].to_numpy()
    chosen = [_index(names, function) for function in functions]
    for place, function in enumerate(chosen):
        if function in chosen[:place]:
            raise ConfigError(f"functions: {names[function]!r} is chosen twice")
    return chosen


def _index(names: npt.NDArray[Any], function: Any) -> int:
    if not isinstance(function, str):
        checks.whole("functions", function, low=0)
        if function >= names.size:
            raise ConfigError(f"functions: there is no function {function} among {names.size}, counted from 0")
        return int(function)
    found = np.flatnonzero(names == function)
    if found.size != 1:
        why = "occurs in several apps: give indices instead" if found.size else "is the name of no function"
        raise ConfigError(f"functions: {function!r} {why}")
    return int(found[0])
