"""What a reader does with a row that it cannot use: by default an error, and where it is lenient, leave it out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from sim.core.errors import TraceError

MOST_REASONS: Final = 20
_OTHER: Final = "other reasons"


@dataclass
class Faults:
    """The bad rows of one trace.

    Attributes:
        lenient: whether they are left out and counted; otherwise the first is an error.
        reasons: rows left out, by why; of more than `MOST_REASONS` the rest is one.
        first: the message of the first.

    Raises:
        TraceError: `lenient` is neither true nor false.
    """

    lenient: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    first: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.lenient, bool):
            raise TraceError(f"lenient must be true or false, not {self.lenient!r}")

    def meet(self, error: TraceError, reason: str, rows: int = 1) -> None:
        """Leave rows out.

        Args:
            error: what is wrong with the first of them, with file, row and column.
            reason: the same for all rows of its kind, without values.
            rows: how many.

        Raises:
            TraceError: the error given, unless lenient.
        """
        if not self.lenient:
            raise error
        if self.first is None:
            self.first = str(error)
        known = reason in self.reasons or len(self.reasons) < MOST_REASONS
        self.reasons[reason if known else _OTHER] += rows

    @property
    def rows(self) -> int:
        """How many rows were left out."""
        return self.reasons.total()

    def report(self) -> dict[str, Any]:
        """For `about["report"]`: ``rows_dropped``, and where there are any, their reasons and the first message."""
        if not self.rows:
            return {"rows_dropped": 0}
        return {"rows_dropped": self.rows, "rows_dropped_because": dict(self.reasons), "first_dropped": self.first}
