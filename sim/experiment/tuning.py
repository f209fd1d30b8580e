"""The search for parameters of a policy: the Pareto front of some metrics, by optuna."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from sim.core.errors import ConfigError
from sim.experiment.intervals import WITH_INTERVALS

BATCH: Final = 8
"""Trials that are proposed at a time: the same however many run at once, so that the same search finds the same."""
STORAGE: Final = "tune.db"
STUDY: Final = "keepwarm"


@dataclass(frozen=True)
class Parameter:
    """What one parameter may be: a range of numbers, or one of several values.

    Attributes:
        name: of the policy's parameter.
        choices: the values there are; empty for a range.
        low: of the range, itself inside.
        high: likewise.
        log: whether ratios matter, not differences.
        whole: only whole numbers.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.choices and not self.low < self.high:
            raise ConfigError(f"{self.name}: the range from {self.low:g} to {self.high:g} is empty")
        if self.log and self.low <= 0:
            raise ConfigError(f"{self.name}: a logarithmic range begins above 0, not at {self.low:g}")

    def propose(self, trial: Any) -> None:
        """Let a trial of optuna's have a value."""
        if self.choices:
            trial.suggest_categorical(self.name, list(self.choices))
        elif self.whole:
            trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        else:
            trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def rounded(self, value: Any) -> Any:
        """What is really tried of a proposal: six digits, as labels show."""
        return float(f"{value:.6g}") if isinstance(value, float) and not self.choices else value


@dataclass(frozen=True)
class Search:
    """A search that can be gone on with: what was tried is in a file.

    Attributes:
        folder: of that file.
        parameters: what is varied.
        metrics: what is to be small, of the metrics with intervals.
        seed: of the proposals.
        context: all else that a trial's result depends on.
    """

    folder: Path
    parameters: Sequence[Parameter]
    metrics: Sequence[str]
    seed: int = 0
    context: str = ""

    def __post_init__(self) -> None:
        for metric in self.metrics:
            if metric not in WITH_INTERVALS:
                raise ConfigError(f"metrics: there is no {metric!r}; there is {', '.join(WITH_INTERVALS)}")
        if len(set(self.metrics)) != 2 or len(self.metrics) != 2:
            raise ConfigError("metrics: name two that differ, e.g. cold_start_rate,wasted_gb_s")
        if not self.parameters:
            raise ConfigError("no parameter is named to search over")

    def run(
        self, trials: int, tried: Callable[[Sequence[Mapping[str, Any]]], Sequence[Sequence[float] | None]]
    ) -> None:
        """Go on until so many trials have ended.

        Args:
            trials: in all.
            tried: the metrics of each of some settings of the parameters, None where there are none.
        """
        optuna = _optuna()
        study, states = self._study(optuna), optuna.trial.TrialState

        def tell(batch: Sequence[Any]) -> None:
            proposed = [{p.name: p.rounded(trial.params[p.name]) for p in self.parameters} for trial in batch]
            for trial, values in zip(batch, tried(proposed), strict=True):
                if values is None:
                    study.tell(trial.number, state=states.FAIL)
                else:
                    study.tell(trial.number, list(values))

        begun = study.get_trials(deepcopy=False, states=[states.RUNNING])  # by a search that was killed
        if {trial.number for trial in begun} <= self._to_be_run(study):
            tell(begun)
        else:
            for trial in begun:
                study.tell(trial.number, state=states.FAIL)
        while (ended := self._ended(study)) < trials:
            study.sampler = optuna.samplers.TPESampler(seed=(self.seed * 1_000_003 + ended) % 2**32)
            batch = [study.ask() for _ in range(min(BATCH, trials - ended))]
            for trial in batch:
                for parameter in self.parameters:
                    parameter.propose(trial)
            study.set_user_attr(f"batch {ended}", [trial.number for trial in batch])  # from now on it is to be run
            tell(batch)

    @staticmethod
    def _to_be_run(study: Any) -> set[int]:
        """The numbers of the trials whose batch had been proposed whole, whatever happened then."""
        batches = [numbers for name, numbers in study.user_attrs.items() if name.startswith("batch ")]
        return {number for numbers in batches for number in numbers}

    def check(self) -> None:
        """Refuse to go on with another search."""
        self._study(_optuna())

    def trials(self) -> pd.DataFrame:
        """A row a trial that gave something: its parameters, its metrics, and whether it is on the front."""
        optuna = _optuna()
        study = self._study(optuna)
        front = {trial.number for trial in study.best_trials}
        rows = [
            {
                **{p.name: p.rounded(trial.params[p.name]) for p in self.parameters},
                **dict(zip(self.metrics, trial.values, strict=True)),
                "on_front": trial.number in front,
            }
            for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
        ]
        names = [*(p.name for p in self.parameters), *self.metrics, "on_front"]
        table = pd.DataFrame(rows, columns=pd.Index(names))
        return table.drop_duplicates([p.name for p in self.parameters]).reset_index(drop=True)

    def _ended(self, study: Any) -> int:
        """Trials that gave something, or for certain nothing."""
        numbers = self._to_be_run(study)
        return sum(trial.state.is_finished() and trial.number in numbers for trial in study.get_trials(deepcopy=False))

    def _study(self, optuna: Any) -> Any:
        storage = f"sqlite:///{self.folder / STORAGE}"
        study = optuna.create_study(
            storage=storage, study_name=STUDY, directions=["minimize"] * len(self.metrics), load_if_exists=True
        )
        asked: dict[str, Any] = {
            "parameters": [repr(parameter) for parameter in self.parameters],
            "metrics": list(self.metrics),
        }
        asked["context"] = self.context
        before = study.user_attrs.get("asked", asked)
        if before != asked:
            what = next(key for key in asked if before.get(key) != asked[key])
            of = "of something else, or by another version" if what == "context" else f"with other {what}"
            raise ConfigError(f"{self.folder} holds a search {of}: name another folder")
        study.set_user_attr("asked", asked)
        return study


def _optuna() -> Any:
    """Optuna's module: an extra, and slow to import."""
    try:
        optuna = importlib.import_module("optuna")
    except ModuleNotFoundError:
        raise ConfigError("keepwarm tune needs optuna: pip install 'keepwarm[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
