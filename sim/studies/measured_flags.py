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
from sim.experiment.aws_lambda_2020 import Measurement, Model, as_trace, predict, read_measurements, score
from sim.experiment.comparison import Setting, half_width, is_random
from sim.report.cold_probability import cold_probability
from sim.studies.role import Findings, Study

RANGE: Final = (0.025, 0.975)
"""Quantiles over replications that bound a model's range."""
MEASURED: Final = ("measured_p_cold", "measured_low", "measured_high")
SHARES: Final = ("agreement", "precision", "recall")


@dataclass(frozen=True)
class MeasuredFlags(Study):
    """Replay measured calls under each model, one file (one rate) at a time, and judge every cold flag.

    Attributes:
        path: the folder of the measurements, ``rate_<calls a second>.csv``.
        models: what predicts the flags, by name. One that draws something is replayed in every replication, and its
            row holds means; the others are replayed once.
    """

    path: str
    models: Mapping[str, Model]

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("there is no model to judge")

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
        frame, notes = pd.DataFrame(rows), _notes(rows)
        figures = {"cold_probability": cold_probability(frame, notes)}
        return Findings(frame, _shown(frame), notes, figures, _inputs(self.path, files))


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


def _notes(rows: list[dict[str, Any]]) -> dict[str, str]:
    table = pd.DataFrame(rows)
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
        m.file.name: {"calls": m.is_cold.size, "sha256": hashlib.sha256(m.file.read_bytes()).hexdigest()} for m in files
    }
    return {"path": path, "files": about}
