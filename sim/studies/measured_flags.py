"""Predicted cold flags against measured ones, for several models: how far each is from a real platform."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.core.errors import ConfigError
from sim.core.random import generator
from sim.experiment.aws_lambda_2020 import Measurement, Model, as_trace, predict, read_measurements, score
from sim.experiment.experiment import is_random
from sim.experiment.intervals import half_width
from sim.experiment.setting import Setting
from sim.report.cold_probability import cold_probability
from sim.studies.role import Findings, Study

RANGE: Final = (0.025, 0.975)
"""Quantiles over replications that bound a model's range."""
BETWEEN: Final = 17
"""Rates that were not measured."""
MEASURED: Final = ("measured_p_cold", "measured_low", "measured_high")
SHARES: Final = ("agreement", "precision", "recall")


@dataclass(frozen=True)
class MeasuredFlags(Study):
    """Replay measured calls under each model, one file (one rate) at a time, and judge every cold flag.

    Attributes:
        path: the folder of the measurements, ``rate_<calls a second>.csv``.
        models: what predicts the flags, by name. One that draws something is replayed in every replication, and its
            row holds means; the others are replayed once.
        between_calls: how many Poisson calls each model is shown at rates that were not measured, from half the lowest
            to twice the highest; 0: none. They all take the median of the measured responses.
    """

    path: str
    models: Mapping[str, Model]
    between_calls: int = 0

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("there is no model to judge")
        if self.between_calls and self.between_calls < 2:
            raise ConfigError(f"between_calls must be 0, or 2 or more, not {self.between_calls}")

    def run(self, setting: Setting, replications: int) -> Findings:
        """See `Study`; of the setting only engine and seed matter, and no call can be left out."""
        if setting.warm_up_s or setting.horizon_s is not None:
            raise ConfigError("warm_up_s and horizon_s: every measured call but the first of its file is judged")
        files = read_measurements(Path(self.path))
        rows = [
            {"rate": file.rate, "model": name, **_judge(file, model, setting, replications)}
            for file in files
            for name, model in self.models.items()
        ]
        judged = pd.DataFrame(rows)
        frame = pd.DataFrame([*rows, *self._between(files, setting)]).astype({"inside": "boolean"})
        notes = _notes(judged)
        if self.between_calls:
            notes["between"] = f"between the measured rates: {self.between_calls:,} Poisson calls a rate and model"
        below = {key: note for key, note in notes.items() if key != "measured"}  # which the figure's legend says
        figures = {"cold_probability": cold_probability(frame, below)}
        return Findings(frame, _shown(judged), notes, figures, _inputs(self.path, files))

    def _between(self, files: list[Measurement], setting: Setting) -> list[dict[str, Any]]:
        """A row for each model and rate that was not measured; the same calls for all, only faster or slower."""
        if not self.between_calls:
            return []
        gaps = generator(setting.seed, 0, "study.gaps").standard_exponential(self.between_calls)
        response_s = np.full(gaps.size, np.median(np.concatenate([file.response_s for file in files])))
        calls = [
            Measurement(None, float(rate), np.cumsum(gaps) / rate, response_s, np.zeros(gaps.size, np.bool_))
            for rate in np.geomspace(files[0].rate / 2, files[-1].rate * 2, BETWEEN)
        ]
        return [{"rate": made.rate, "model": name, **_cold(made, model, setting)}
                for made in calls for name, model in self.models.items()]  # fmt: skip


def _cold(made: Measurement, model: Model, setting: Setting) -> dict[str, float]:
    predicted = predict(made, model, engine=setting.engine, seed=setting.seed)[1:]
    return {
        "replications": 1,
        "calls": predicted.size,
        "predicted_cold": int(predicted.sum()),
        "p_cold": float(predicted.mean()),
    }


def _judge(file: Measurement, model: Model, setting: Setting, replications: int) -> dict[str, Any]:
    """The row of one model on one file: means over replications, and how far P(cold) varies."""
    trace, _ = as_trace(file, as_seen=model.as_seen)
    replayed = replace(setting, platform=model.replayed)
    n = replications if is_random(trace, {"": model.policy}, replayed) else 1
    scores = pd.DataFrame(
        [
            score(file.is_cold, predict(file, model, engine=setting.engine, seed=setting.seed, replication=k))
            for k in range(n)
        ]
    )
    row = scores.mean(skipna=False) if n > 1 else scores.iloc[0]
    low, high = np.quantile(scores["p_cold"], RANGE) if n > 1 else (np.nan, np.nan)
    return {
        "replications": n,
        **row.drop(list(MEASURED)),
        "p_cold_ci95": half_width(scores["p_cold"]),
        "p_cold_low": float(low),
        "p_cold_high": float(high),
        **row[list(MEASURED)],
        "inside": bool(row["measured_low"] <= row["p_cold"] <= row["measured_high"]),
    }


def _notes(table: pd.DataFrame) -> dict[str, str]:
    calls = int(table.drop_duplicates("rate")["calls"].sum())
    wrong = table.groupby("model", sort=False)["wrong"].sum()
    most = int(table["replications"].max())
    notes = {
        "wrong": f"wrong flags of {calls:,}: " + ", ".join(f"{model} {n:.4g}" for model, n in wrong.items()),
        "measured": "measured: with its 95 % Clopper-Pearson interval; inside: whether the model's P(cold) lies there",
    }
    if most > 1:
        notes["replications"] = f"±: half-widths of 95 % t intervals of the mean over {most} replications"
    return notes


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The table for people, every cell text."""
    half = [f" ± {h:.4f}" if np.isfinite(h) else "" for h in frame["p_cold_ci95"]]
    interval = zip(*(frame[name] for name in MEASURED), strict=True)
    columns = {
        "rate (1/s)": [f"{rate:g}" for rate in frame["rate"]],
        "model": frame["model"],
        "wrong": [f"{n:.4g}" for n in frame["wrong"]],
        **{name: [_share(value) for value in frame[name]] for name in SHARES},
        "P(cold)": [f"{p:.4f}{h}" for p, h in zip(frame["p_cold"], half, strict=True)],
        "measured": [f"{p:.4f} [{low:.4f}, {high:.4f}]" for p, low, high in interval],
        "inside": ["yes" if inside else "no" for inside in frame["inside"]],
    }
    return pd.DataFrame(columns)


def _share(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "–"


def _inputs(path: str, files: list[Measurement]) -> dict[str, Any]:
    about = {
        measured.file.name: {
            "calls": measured.is_cold.size,
            "sha256": hashlib.sha256(measured.file.read_bytes()).hexdigest(),
        }
        for measured in files
        if measured.file is not None
    }
    return {"path": path, "files": about}
