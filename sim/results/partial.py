"""Results of some of the functions of a run, which travel as files and are put together exactly.

A file is Parquet, a row a function; everything else is JSON in its metadata. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sim.core.errors import ConfigError
from sim.results import latency_bins
from sim.results.call_sums import Span
from sim.results.pricing import ProviderPrice
from sim.results.result import Result
from sim.results.store import write_whole
from sim.results.tally import COUNTS, HISTOGRAM, SECONDS, Tally, merged, summarise

FORMAT: Final = "keepwarm-shard"
VERSION: Final = 1
NAMES: Final = ("name", "app", "owner", "trigger")
NUMBERS: Final = ("memory_mb", "package_mb")
USD: Final = ("charge_usd", "other_usd")


@dataclass(frozen=True, eq=False)
class PartialResult:
    """What some of the functions of a run came to.

    Attributes:
        tally: the sums.
        functions: a row a function, as the platform runs it: name, app, owner, trigger, memory_mb, package_mb.
        functions_in_all: how many the run has.
        about: see `Result.about`; the same of all parts of a run.
    """

    tally: Tally
    functions: pd.DataFrame
    functions_in_all: int
    about: Mapping[str, Any]

    def __repr__(self) -> str:
        calls = int(self.tally.counts["calls"].sum())
        return f"<PartialResult: {len(self.functions):,} of {self.functions_in_all:,} functions, {calls:,} calls>"

    def save(self, path: str | Path) -> Path:
        """Write it as one file, whole or not at all; one that is there is replaced. Returns its path."""
        columns: dict[str, Any] = {"place": self.tally.function}
        columns |= {name: self.functions[name].to_numpy() for name in (*NAMES, *NUMBERS)}
        columns |= {**self.tally.counts, **self.tally.seconds}
        columns |= {name: getattr(self.tally, name) for name in USD}
        bins = np.flatnonzero(self.tally.latency_bins)
        head = {
            "format": FORMAT, "version": VERSION, "functions_in_all": self.functions_in_all, "about": dict(self.about),
            "latency_bins": [bins.tolist(), self.tally.latency_bins[bins].tolist()],
        }  # fmt: skip
        names = ["place", *NAMES, *NUMBERS, *COUNTS, *SECONDS, *USD]
        table = pa.Table.from_pydict({name: pa.array(columns[name]) for name in names})
        content = BytesIO()
        pq.write_table(table.replace_schema_metadata({FORMAT: json.dumps(head)}), content, compression="zstd")
        write_whole(Path(path), content.getvalue())
        return Path(path)


def load_partial(path: str | Path) -> PartialResult:
    """Read what `PartialResult.save` wrote.

    Raises:
        ConfigError: there is no such file, or it is no such result, or damaged.
    """
    try:
        table = pq.read_table(path)
        head = json.loads((table.schema.metadata or {})[FORMAT.encode()])
        if head["version"] != VERSION:
            raise ConfigError(f"{path} is of version {head['version']!r}; this program reads {VERSION}")
        return _decoded(table.to_pandas(), head)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    except (KeyError, ValueError, TypeError, IndexError, pa.ArrowException) as error:
        raise ConfigError(f"{path} is no part of a run, or damaged: {error}") from None


def _decoded(frame: pd.DataFrame, head: Mapping[str, Any]) -> PartialResult:
    bins = latency_bins.empty()
    place, count = head["latency_bins"]
    bins[np.array(place, np.int64)] = count
    tally = Tally(
        frame["place"].to_numpy(np.int64),
        {name: frame[name].to_numpy(np.int64) for name in COUNTS},
        {name: frame[name].to_numpy(np.float64) for name in SECONDS},
        frame["charge_usd"].to_numpy(np.float64),
        frame["other_usd"].to_numpy(np.float64),
        bins,
    )
    functions = frame[[*NAMES, *NUMBERS]].astype(dict.fromkeys(NAMES, object))
    return PartialResult(tally, functions, int(head["functions_in_all"]), head["about"])


def together(parts: Sequence[PartialResult], provider: ProviderPrice) -> Result:
    """The result of a run whose parts these are, in any order: to the bit the same, however it was cut.

    Raises:
        ConfigError: they are not of one run, or not all of it, or some functions are there twice.
    """
    if not parts:
        raise ConfigError("there are no parts to put together")
    first = parts[0]
    for part in parts[1:]:
        others = {key: (first.about.get(key), part.about.get(key)) for key in {*first.about, *part.about}}
        unlike = sorted(key for key, (one, other) in others.items() if one != other)
        if unlike or part.functions_in_all != first.functions_in_all:
            raise ConfigError(f"the parts are of different runs: {', '.join(unlike) or 'functions'} differ")
    place = np.concatenate([part.tally.function for part in parts])
    if not np.array_equal(np.sort(place), np.arange(first.functions_in_all)):
        there, twice = np.unique(place).size, place.size - np.unique(place).size
        more = f", and {twice:,} of them more than once" if twice else ""
        raise ConfigError(f"the parts have {there:,} of {first.functions_in_all:,} functions{more}")
    functions = pd.concat([part.functions for part in parts]).iloc[np.argsort(place)].reset_index(drop=True)
    span = Span(first.about["warm_up_s"], first.about["horizon_s"])
    tally = merged([part.tally for part in parts])
    summary, table = summarise(tally, functions, span, provider)
    return Result(summary, table, {**first.about, "percentiles": HISTOGRAM}, latency_bins=tally.latency_bins)
