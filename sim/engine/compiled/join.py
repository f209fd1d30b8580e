"""The replays of several threads as one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.engine.compiled import layout
from sim.engine.compiled.jit import SOURCES, entry, unsigned

IntArray = npt.NDArray[np.int64]


def _merger(sources: str) -> Any:
    @entry
    def merge(names: Any, begin: Any, part: int, at: Any, lines: layout.Lines, to: layout.Lines) -> None:
        """Write the lines of a part where they belong among all of them, in order of their names.

        `names` are those of all parts, each ascending and beginning at `begin`, and `at` is a copy of that.
        """
        for line in range(begin[part + 1] - begin[part] if len(sources) else 0):
            name, place = names[unsigned(begin[part] + line)], line
            for other in range(begin.size - 1):
                if other != part:
                    while at[other] < begin[other + 1] and names[unsigned(at[other])] < name:
                        at[other] += 1
                    place += at[other] - begin[other]
            here, there = unsigned(place), unsigned(line)
            for column in range(lines.number.shape[1]):
                to.number[here, column] = lines.number[there, column]
            for column in range(lines.time_s.shape[1]):
                to.time_s[here, column] = lines.time_s[there, column]

    return merge


merge = _merger(SOURCES)


def joined(whole: layout.Run, runs: Sequence[layout.Run], owned: Sequence[npt.NDArray[np.bool_]]) -> layout.Run:
    """The replays of several threads as one.

    Args:
        whole: what they began with; it is used up.
        runs: theirs,
        owned: and whose functions each has replayed, bool[F].

    Returns:
        Sums of functions as they are, rows in order; instances that calls made in the order of these.
    """
    state, out = whole.state, whole.out
    for run, mine in zip(runs, owned, strict=True):
        out.sums[mine] = run.out.sums[mine]
        if state.learnt.size:
            state.learnt[mine] = run.state.learnt[mine]
    counts = np.stack([run.state.count for run in runs])
    state.count[:] = counts.sum(axis=0)
    refused = np.flatnonzero(counts[:, layout.REFUSED])
    if refused.size:
        out.refused[:] = runs[refused[0]].out.refused
    parts = [layout.Lines(*(table[: run.state.count[layout.LINES]] for table in run.lines)) for run in runs]
    lines = _one_after_another(parts) if whole.terms.traced_loads else _merged(parts)
    return whole._replace(lines=lines, out=_noted(out, runs))


def _one_after_another(parts: Sequence[layout.Lines]) -> layout.Lines:
    """All lines in any order: those that no call made are put in order in any case."""
    return layout.Lines(*(np.concatenate(tables) for tables in zip(*parts, strict=True)))


def _merged(parts: Sequence[layout.Lines]) -> layout.Lines:
    """All lines in the order of the calls that made them, which their names are."""
    names = np.concatenate([part.number[:, layout.NAME] for part in parts])
    begin = np.cumsum([0, *(len(part.number) for part in parts)])
    to = layout.Lines(*(np.empty((names.size, table.shape[1]), table.dtype) for table in parts[0]))

    def place(part: int) -> None:
        merge(names, begin, part, begin.copy(), parts[part], to)

    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(place, range(len(parts))))
    return to


def _noted(out: layout.Out, runs: Sequence[layout.Run]) -> layout.Out:
    """The lists of rows of all replays, each in order of rows."""
    for place, count in enumerate((layout.LOADING, layout.PREWARMED_ROWS, layout.HELD_ROWS)):
        rows = np.concatenate([run.out.noted[place, : run.state.count[count]] for run in runs])
        order = np.argsort(rows, kind="stable")
        out.noted[place, : rows.size] = rows[order]
        if place == layout.NOTED_LOADING:
            out.loading_s[: rows.size] = np.concatenate([head(run, "loading_s", count) for run in runs])[order]
    return out


def head(run: layout.Run, column: str, count: int) -> npt.NDArray[Any]:
    """What there is of a column of what is told."""
    told: npt.NDArray[Any] = getattr(run.out, column)[: run.state.count[count]]
    return told
