"""What a phase of a cold start is made of.

Whatever is written, for one function it comes down to `offset + scale * value`: a constant, and at most one number
drawn from a table. That is what both engines use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.distributions import Constant, Distribution
from sim.core.errors import ConfigError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NO_TABLE: Final = -1
"""Stands where a function's phase is constant."""

CHOICES: Final = ("runtime", "package_kind", "vpc", "trigger")
"""Columns of the function table that `Choose` may look at."""


@dataclass(frozen=True)
class Affine:
    """One phase for each of F functions: seconds = offset + scale * (value drawn from its table).

    Attributes:
        tables: inverse-CDF tables, each as `Distribution.table`.
        table: int64[F], index into `tables`, or `NO_TABLE` where the phase takes `offset` seconds, always.
        scale: float64[F], 0 where there is no table.
        offset: float64[F], seconds.
    """

    tables: tuple[FloatArray, ...]
    table: IntArray
    scale: FloatArray
    offset: FloatArray


class Phase(ABC):
    """How long a phase takes, by function. A plain number means that many seconds, a distribution `Draw` of it."""

    @abstractmethod
    def resolve(self, functions: pd.DataFrame) -> Affine:
        """The phase for each row of a table of functions.

        Raises:
            ConfigError: a function is not provided for.
        """

    @property
    @abstractmethod
    def is_random(self) -> bool:
        """Whether any part of it is."""


PhaseLike = Phase | Distribution | float
DistributionLike = Distribution | float


def as_distribution(value: Any) -> Distribution:
    """The distribution that `value` is, or the constant that it stands for."""
    if isinstance(value, Distribution):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(float(value))
    raise ConfigError(f"expected a number or a distribution, not {value!r}")


def as_phase(value: Any) -> Phase:
    """The phase that `value` is, or stands for."""
    if isinstance(value, Phase):
        return value
    if isinstance(value, Distribution) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return Draw(value)
    raise ConfigError(f"expected a number of seconds, a distribution or a part of a phase, not {value!r}")


class _Leaf(Phase):
    """A distribution times something known of the function."""

    def __post_init__(self) -> None:
        self._drawn()

    def resolve(self, functions: pd.DataFrame) -> Affine:
        """See `Phase`; constants and factors of 0 are worked out here, so that nobody draws for them."""
        drawn, factor = self._drawn(), self._factor(functions)
        if not drawn.is_random:
            return _constant(factor * drawn.table[0])
        return Affine((drawn.table,), np.where(factor == 0, NO_TABLE, 0), factor, np.zeros(factor.size))

    @property
    def is_random(self) -> bool:
        """See `Phase`."""
        return self._drawn().is_random

    @abstractmethod
    def _drawn(self) -> Distribution: ...

    @abstractmethod
    def _factor(self, functions: pd.DataFrame) -> FloatArray: ...


@dataclass(frozen=True)
class Draw(_Leaf):
    """Seconds drawn from `distribution`."""

    distribution: DistributionLike

    def _drawn(self) -> Distribution:
        return as_distribution(self.distribution)

    def _factor(self, functions: pd.DataFrame) -> FloatArray:
        return np.ones(len(functions))


@dataclass(frozen=True)
class PerPackageMb(_Leaf):
    """Proportional to the size of the package: `s_per_mb` (seconds per MB, as packed) times `package_mb`."""

    s_per_mb: DistributionLike

    def _drawn(self) -> Distribution:
        return as_distribution(self.s_per_mb)

    def _factor(self, functions: pd.DataFrame) -> FloatArray:
        return _column(functions, "package_mb").to_numpy(np.float64)


@dataclass(frozen=True)
class PerMemoryMb(_Leaf):
    """Work that more memory, hence more processor, does sooner: `s_mb` (seconds times MB) over `memory_mb`.

    Attributes:
        s_mb: seconds it would take with 1 MB.
        up_to_mb: memory beyond this does not help, as where one whole processor has been reached.
        from_mb: memory below this counts as this, as where it is the smallest size that is sold.
    """

    s_mb: DistributionLike
    up_to_mb: float = inf
    from_mb: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.up_to_mb, bool | str) or not self.up_to_mb > 0:
            raise ConfigError(f"up_to_mb must be a number of MB > 0, not {self.up_to_mb!r}")
        if isinstance(self.from_mb, bool | str) or not 0 <= self.from_mb <= self.up_to_mb:
            raise ConfigError(f"from_mb must be a number of MB from 0 to up_to_mb, not {self.from_mb!r}")

    def _drawn(self) -> Distribution:
        return as_distribution(self.s_mb)

    def _factor(self, functions: pd.DataFrame) -> FloatArray:
        memory_mb: FloatArray = _column(functions, "memory_mb").to_numpy(np.float64)
        return 1.0 / np.clip(memory_mb, self.from_mb, self.up_to_mb)


@dataclass(frozen=True)
class PackageWork(PerMemoryMb):
    """The same for every MB of the package, as packed: `s_mb` times `package_mb` over `memory_mb`.

    Attributes:
        s_mb: seconds that 1 MB of package would take with 1 MB of memory.
        up_to_mb: memory beyond this does not help.
        from_mb: memory below this counts as this.
    """

    def _factor(self, functions: pd.DataFrame) -> FloatArray:
        package_mb: FloatArray = _column(functions, "package_mb").to_numpy(np.float64)
        return package_mb * super()._factor(functions)


@dataclass(frozen=True)
class Choose(Phase):
    """One phase or another by a column of the function table.

    Attributes:
        column: one of `CHOICES`.
        cases: what to take for which value. Several values share a case when commas part them, as in
            ``"nodejs20, nodejs22"``; truth is written ``"true"`` or ``"false"``.
        otherwise: what to take for every other value; None makes them an error.
    """

    column: str
    cases: Mapping[str, PhaseLike]
    otherwise: PhaseLike | None = None

    def __post_init__(self) -> None:
        if self.column not in CHOICES:
            raise ConfigError(f"cannot choose by {self.column!r}; choose by one of {', '.join(CHOICES)}")
        given: Any = self.cases
        if not isinstance(given, Mapping):
            raise ConfigError(f"the cases of {self.column} must be a mapping of values to phases, not {given!r}")
        seen: set[str] = set()
        for key, case in given.items():
            values = _values(key)
            if twice := seen & values:
                raise ConfigError(f"{self.column} {', '.join(sorted(twice))}: two cases for one value")
            seen |= values
            _about(f"{self.column} {key}", case)
        if self.otherwise is not None:
            _about(f"{self.column}, otherwise", self.otherwise)

    def resolve(self, functions: pd.DataFrame) -> Affine:
        """See `Phase`."""
        given = _column(functions, self.column).map(_text)
        left = np.ones(len(functions), np.bool_)
        chosen: list[tuple[npt.NDArray[np.bool_], Affine]] = []
        for key, case in self.cases.items():
            rows = given.isin(_values(key)).to_numpy()
            if rows.any():
                chosen.append((rows, as_phase(case).resolve(functions[rows])))
            left &= ~rows
        if left.any():
            if self.otherwise is None:
                known = ", ".join(map(str, self.cases))
                raise ConfigError(f"no case for {self.column} {given[left].iloc[0]!r} (only for {known}), no otherwise")
            chosen.append((left, as_phase(self.otherwise).resolve(functions[left])))
        return merged(len(functions), chosen)

    @property
    def is_random(self) -> bool:
        """See `Phase`."""
        parts = [*self.cases.values(), *([] if self.otherwise is None else [self.otherwise])]
        return any(as_phase(part).is_random for part in parts)


@dataclass(frozen=True)
class Sum(Phase):
    """Several parts one after the other, of which, for any one function, at most one is random."""

    parts: Sequence[PhaseLike]

    def __post_init__(self) -> None:
        given: Any = self.parts
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise ConfigError(f"parts must be a list of phases, not {given!r}")
        for number, part in enumerate(given):
            _about(f"part {number}", part)

    def resolve(self, functions: pd.DataFrame) -> Affine:
        """See `Phase`."""
        total = _constant(np.zeros(len(functions)))
        for part in self.parts:
            total = _added(total, as_phase(part).resolve(functions))
        return total

    @property
    def is_random(self) -> bool:
        """See `Phase`."""
        return any(as_phase(part).is_random for part in self.parts)


def _constant(offset: FloatArray) -> Affine:
    return Affine((), np.full(offset.size, NO_TABLE), np.zeros(offset.size), offset)


def _added(first: Affine, then: Affine) -> Affine:
    if bool(np.any((first.table != NO_TABLE) & (then.table != NO_TABLE))):
        raise ConfigError("a sum may have only one random part for a function; put the other in a phase of its own")
    moved = np.where(then.table == NO_TABLE, NO_TABLE, then.table + len(first.tables))
    return Affine(
        tables=first.tables + then.tables,
        table=np.where(first.table == NO_TABLE, moved, first.table),
        scale=first.scale + then.scale,  # one of the two is 0
        offset=first.offset + then.offset,
    )


def merged(size: int, chosen: Sequence[tuple[npt.NDArray[np.bool_], Affine]]) -> Affine:
    """One phase of several, each for rows of its own.

    Args:
        size: the number of functions.
        chosen: which of them, and the phase for these alone.
    """
    whole = _constant(np.zeros(size))
    for rows, affine in chosen:
        whole.table[rows] = np.where(affine.table == NO_TABLE, NO_TABLE, affine.table + len(whole.tables))
        whole.scale[rows], whole.offset[rows] = affine.scale, affine.offset
        whole = Affine(whole.tables + affine.tables, whole.table, whole.scale, whole.offset)
    return whole


def _about(where: str, part: Any) -> None:
    try:
        as_phase(part)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _column(functions: pd.DataFrame, name: str) -> pd.Series:
    if name not in functions.columns:
        raise ConfigError(f"the table of functions has no column {name!r}")
    return functions[name]


def _text(value: object) -> str:
    return str(bool(value)).lower() if isinstance(value, bool | np.bool_) else str(value)


def _values(key: object) -> set[str]:
    """The values that a case is for."""
    return {value.strip() for value in _text(key).split(",")}
