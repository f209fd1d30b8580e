"""A trace that stays counts a minute until somebody asks for its calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sim.workload import canonical
from sim.workload.trace import FloatArray, IntArray, Trace

if TYPE_CHECKING:
    import hashlib
    from pathlib import Path

    from sim.workload.counts import Calls, CountSource


def _column(place: int) -> Any:
    """A column that is made, with the two others, when it is first asked for."""
    return cached_property(lambda trace: trace._columns[place])


@dataclass(frozen=True, eq=False, repr=False)
class CountedTrace(Trace):
    """One draw of counts. Its columns are made when the first of them is asked for, and kept, but do not travel.

    All that counts can answer is answered without them: size, calls of functions, whole minutes, other draws, hash.

    Attributes:
        counts: what calls are made of.
        replication: which draw this is; without effect where the recipe draws nothing.
    """

    function: IntArray = field(init=False, default=_column(0))
    arrival_s: FloatArray = field(init=False, default=_column(1))
    duration_s: FloatArray = field(init=False, default=_column(2))
    counts: CountSource = field(kw_only=True)
    replication: int = field(kw_only=True)

    def __post_init__(self) -> None:
        """There are no columns yet."""

    def __getstate__(self) -> dict[str, Any]:
        """What it is, not what was made of it."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    def __len__(self) -> int:
        return int(self.calls_per_function.sum())

    @cached_property
    def _columns(self) -> Calls:
        return self.counts.columns(self.replication)

    @property
    def calls_after_horizon(self) -> int:
        """As of any trace; there are none unless the horizon was replaced by an earlier one."""
        return 0 if self.horizon_s >= self.counts.horizon_s else super().calls_after_horizon

    @cached_property
    def calls_per_function(self) -> npt.NDArray[np.int64]:
        """int64[F]: the number of calls of each function."""
        return self.counts.calls_per_function(self.replication)

    @property
    def is_random(self) -> bool:
        """Whether `draw` can give two different traces."""
        return self.counts.recipe.is_random

    def slice(
        self,
        start_s: float = 0.0,
        end_s: float | None = None,
        functions: Sequence[int] | Sequence[str] | npt.NDArray[Any] | None = None,
    ) -> Trace:
        """See `Trace.slice`: counts where the span is whole minutes."""
        stop = self._stop_s(start_s, end_s)
        counts: CountSource | None = self.counts
        if start_s > 0 or end_s is not None:
            as_counted = self.horizon_s == self.counts.horizon_s
            counts = self.counts.of_minutes([(start_s, min(stop, self.horizon_s))]) if as_counted else None
        if counts is None:
            return self.recorded().slice(start_s, end_s, functions)
        table = self.functions
        if functions is not None:
            chosen = self._indices(np.asarray(functions))
            counts = counts.of_functions(chosen)
            same = table is self.counts.functions
            table = counts.functions if same else table.iloc[chosen].reset_index(drop=True)
        return replace(self, counts=counts, functions=table, horizon_s=min(stop, self.horizon_s) - start_s)

    def draw(self, replication: int) -> Trace:
        """The trace of another replication; the same where the recipe draws nothing at random."""
        if replication == self.replication or not self.is_random:
            return self
        return replace(self, replication=replication)

    def recorded(self) -> Trace:
        """See `Trace.recorded`."""
        drawn = self.counts.recipe.drawn
        about = {**self.about, "frozen": f"one draw of {drawn}"} if drawn else self.about
        return Trace(self.function, self.arrival_s, self.duration_s, self.functions, self.horizon_s, about)

    def _write_calls(self, folder: Path) -> dict[str, Any]:
        counts = self.counts
        cells = {"function": counts.function, "minute": counts.minute, "count": counts.count}
        return canonical.write_counts(folder, cells, counts.durations) | {
            "recipe": asdict(counts.recipe), "spans": [list(span) for span in counts.spans],
            "replication": self.replication,
        }  # fmt: skip

    def _tell_calls(self, digest: hashlib.blake2b) -> None:
        self.counts.tell(digest, self.replication)
