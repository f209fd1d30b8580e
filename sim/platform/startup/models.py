"""Models of a cold start: which phases it has and how long they take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.core.errors import ConfigError
from sim.core.random import stream
from sim.platform.startup.draws import StartDraws
from sim.platform.startup.parts import Affine, Draw, Phase, PhaseLike, as_phase
from sim.results.columns import HANDLER

UIntArray = npt.NDArray[np.uint64]

PHASES: Final = ("schedule", "create", "download", "prepare", "mount", "network", "runtime", HANDLER)
"""The phases of a cold start in their order: find a place for the instance; create its sandbox; download and unpack
the package; prepare the environment; mount the code; attach the network (VPC); start the runtime and the user's code;
load the handler. The last is no part of the start-up: the first call on the instance does it, before the user's code.
"""


class StartModel(ABC):
    """How long a cold start takes, phase by phase; the start-up time is their sum, first to last, but for `HANDLER`."""

    @property
    @abstractmethod
    def phase_names(self) -> tuple[str, ...]:
        """The phases, in their order."""

    @property
    @abstractmethod
    def is_random(self) -> bool:
        """Whether two starts of one function can differ."""

    @abstractmethod
    def resolve(self, functions: pd.DataFrame) -> tuple[Affine, ...]:
        """Each phase for every function, in the order of `phase_names`.

        Args:
            functions: the table of functions, a row each (`sim.workload.functions`).

        Raises:
            ConfigError: a function is not provided for; the message names the phase.
        """

    @property
    def loads_late(self) -> bool:
        """Whether there is a handler to load, in the last phase, when an instance is first called."""
        return HANDLER in self.phase_names

    def bind(
        self,
        functions: pd.DataFrame,
        seed: int,
        replication: int,
        key_high: UIntArray,
        key_low: UIntArray,
        *,
        purpose: str = "start",
    ) -> StartDraws:
        """The model for the functions of a trace, with the random numbers of one replication.

        Args:
            functions: the table of functions, F rows.
            seed: the run's seed.
            replication: its number, from 0.
            key_high: uint64[F], the high halves of the functions' keys.
            key_low: uint64[F], the low halves.
            purpose: what the draws are for; each phase draws for ``f"{purpose}.{phase}"``. Starts that no call
                caused are a purpose of their own.

        Raises:
            ConfigError: a function is not provided for; the message names the phase.
        """
        names = self.phase_names
        keys = [stream(seed, replication, f"{purpose}.{name}", key_high, key_low) for name in names]
        return StartDraws(names, self.resolve(functions), np.column_stack(keys))


@dataclass(frozen=True)
class ConstantStart(StartModel):
    """Every start takes `start_s` seconds, in the one phase "start"."""

    start_s: float

    def __post_init__(self) -> None:
        if isinstance(self.start_s, bool | str) or not 0 <= self.start_s < inf:
            raise ConfigError(f"start_s must be a finite number of seconds >= 0, not {self.start_s!r}")

    @property
    def phase_names(self) -> tuple[str, ...]:
        """See `StartModel`."""
        return ("start",)

    @property
    def is_random(self) -> bool:
        """See `StartModel`."""
        return False

    def resolve(self, functions: pd.DataFrame) -> tuple[Affine, ...]:
        """See `StartModel`."""
        return (Draw(self.start_s).resolve(functions),)


@dataclass(frozen=True)
class PhasedStart(StartModel):
    """A start in phases, each by runtime, package, memory or network as its parts say.

    Attributes:
        phases: what the phases named are made of, in any order (they happen in the order of `PHASES`); one that is not
            named does not happen. A number means seconds, a distribution is drawn from.
    """

    phases: Mapping[str, PhaseLike]

    def __post_init__(self) -> None:
        given: Any = self.phases
        if not isinstance(given, Mapping) or not given:
            raise ConfigError(f"phases must be a mapping of names to phases, not {given!r}")
        for name, phase in given.items():
            if name not in PHASES:
                raise ConfigError(f"unknown start phase {name!r}; a start has {', '.join(PHASES)}")
            try:
                as_phase(phase)
            except ConfigError as error:
                raise ConfigError(f"start phase {name!r}: {error}") from None

    @property
    def phase_names(self) -> tuple[str, ...]:
        """See `StartModel`."""
        return tuple(name for name in PHASES if name in self.phases)

    @property
    def is_random(self) -> bool:
        """See `StartModel`."""
        return any(phase.is_random for _, phase in self._in_order())

    def resolve(self, functions: pd.DataFrame) -> tuple[Affine, ...]:
        """See `StartModel`."""
        resolved = []
        for name, phase in self._in_order():
            try:
                resolved.append(phase.resolve(functions))
            except ConfigError as error:
                raise ConfigError(f"start phase {name!r}: {error}") from None
        return tuple(resolved)

    def _in_order(self) -> list[tuple[str, Phase]]:
        return [(name, as_phase(self.phases[name])) for name in self.phase_names]
