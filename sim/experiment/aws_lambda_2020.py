"""How far the simulator is from real AWS Lambda: replay measured calls and compare their cold flags.

The measurements are those of Mahmoudi and Khazaei ("Performance Modeling of Serverless Computing Platforms", IEEE
Transactions on Cloud Computing, 2020; MIT licence): Poisson calls of one function at four rates, about 28 h each, with
the cold flag of every call. They are not part of the project; ``docs/aws_lambda_2020.md`` has what they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy  # scipy.stats takes a second to import, which scipy does when it is first asked for it

from sim.core.errors import TraceError
from sim.engine.engines import replay
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import COLD
from sim.workload.readers.cells import Kind, Number, Whole
from sim.workload.readers.csv_columns import Block, read_blocks
from sim.workload.trace import Trace

COLUMNS: Final[Mapping[str, Kind]] = {
    "arrival_s": Number("must be a finite number >= 0", least=0.0),
    "response_s": Number("must be a finite number >= 0", least=0.0),
    "is_cold": Whole("int32", 1),
}
CONNECTION_S: Final = 985.0
"""A connection of the client that is idle for longer is opened anew."""
HANDSHAKE_S: Final = 0.27
"""How much later a call on a new connection reaches the platform."""
RETURN_S: Final = 0.08
"""An instance is free this long before the client has its answer."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Measurement:
    """One file: the calls at one rate, in order of their arrival.

    Attributes:
        file: where they come from; None if they were made up.
        rate: calls a second that the client meant to send, by the file's name.
        arrival_s: float64[n], seconds at which the client sent the calls.
        response_s: float64[n], seconds it waited for the answers.
        is_cold: bool[n], measured: the first call that an instance served.
    """

    file: Path | None
    rate: float
    arrival_s: FloatArray
    response_s: FloatArray
    is_cold: BoolArray


@dataclass(frozen=True)
class Model:
    """What predicts the flags.

    Attributes:
        policy: how long idle instances stay.
        platform: what serves. Its start-up time is taken as 0: the measured responses contain it.
        as_seen: take the client's times as they are, instead of what must have reached the platform.
    """

    policy: KeepAlive
    platform: Platform
    as_seen: bool = False

    @property
    def replayed(self) -> Platform:
        """The platform as it serves measured calls: starts take no time of their own."""
        return replace(self.platform, start=None, start_s=0.0)


def read_measurements(folder: Path) -> list[Measurement]:
    """The measurements in a folder, by rising rate.

    Args:
        folder: where the ``rate_<calls a second>.csv`` lie.

    Raises:
        TraceError: no such folder or files, or a damaged one: which, and where.
    """
    if not folder.is_dir():
        raise TraceError("there is no such folder", file=folder)
    files = sorted(folder.glob("rate_*.csv"))
    if not files:
        raise TraceError("there are no files rate_*.csv", file=folder)
    return sorted(map(_read, files), key=lambda measurement: measurement.rate)


def _read(file: Path) -> Measurement:
    latest_s, blocks = 0.0, []
    for block in read_blocks(file, COLUMNS):
        blocks.append(_in_order(block, latest_s))
        latest_s = float(block.numbers("arrival_s")[-1])
    arrival_s, response_s, is_cold = (np.concatenate([block.numbers(name) for block in blocks]) for name in COLUMNS)
    if arrival_s.size < 2:
        raise TraceError("there must be two calls at least", file=file)
    return Measurement(file, _rate(file), arrival_s, response_s, is_cold == 1)


def _rate(file: Path) -> float:
    try:
        rate = float(file.stem.removeprefix("rate_"))
    except ValueError:
        rate = np.nan
    if not 0 < rate < np.inf:
        raise TraceError("its name must be rate_<calls a second>.csv", file=file)
    return rate


def _in_order(block: Block, latest_s: float) -> Block:
    backwards = np.diff(block.numbers("arrival_s"), prepend=latest_s) < 0
    return block.without(backwards, "arrival_s", "must not be before that of the row above")


def as_trace(measured: Measurement, *, as_seen: bool) -> tuple[Trace, IntArray]:
    """The calls as a trace whose service times are the responses.

    Args:
        measured: the calls.
        as_seen: see `Model`.

    Returns:
        The trace, and int64[n]: which of the calls each row of it is.
    """
    arrival_s, service_s = measured.arrival_s, measured.response_s
    if not as_seen:
        arrival_s, service_s = at_the_platform(arrival_s, service_s)
    order = np.argsort(arrival_s, kind="stable")
    return Trace.from_arrays(np.zeros(order.size, np.int64), arrival_s[order], service_s[order]), order


def predict(
    measured: Measurement, model: Model, *, engine: str = "simpy", seed: int = 0, replication: int = 0
) -> BoolArray:
    """bool[n]: which of the measured calls `model` says are cold.

    Args:
        measured: the calls.
        model: what serves them.
        engine: which engine replays them.
        seed: of lives that are drawn.
        replication: number of the replication, from 0.
    """
    trace, order = as_trace(measured, as_seen=model.as_seen)
    columns = replay(
        engine, trace, model.policy, model.replayed, horizon_s=trace.horizon_s, seed=seed, replication=replication
    )
    predicted = np.empty(order.size, np.bool_)
    predicted[order] = columns.requests.start_kind == COLD
    return predicted


def score(measured: BoolArray, predicted: BoolArray) -> dict[str, float]:
    """Hold predicted cold flags against measured ones.

    The first call is left out: it was warm, so its instance is older than the file.

    Args:
        measured: bool[n].
        predicted: bool[n].

    Returns:
        `calls`, `measured_cold`, `predicted_cold` and `wrong` (counts), `agreement`, `precision` and `recall` (of cold;
        NaN where none is predicted, or measured), `p_cold`, `measured_p_cold` and its 95 % Clopper-Pearson interval,
        `measured_low` and `measured_high`.
    """
    measured, predicted = measured[1:], predicted[1:]
    calls, cold, hits = measured.size, int(measured.sum()), int((measured & predicted).sum())
    interval = scipy.stats.binomtest(cold, calls).proportion_ci(0.95, "exact")
    return {
        "calls": calls,
        "measured_cold": cold,
        "predicted_cold": int(predicted.sum()),
        "wrong": int((measured != predicted).sum()),
        "agreement": float((measured == predicted).mean()),
        "precision": hits / int(predicted.sum()) if predicted.any() else np.nan,
        "recall": hits / cold if cold else np.nan,
        "p_cold": float(predicted.mean()),
        "measured_p_cold": cold / calls,
        "measured_low": float(interval.low),
        "measured_high": float(interval.high),
    }


def compare_with_measured(
    folder: Path, policy: KeepAlive, platform: Platform, *, as_seen: bool = False
) -> pd.DataFrame:
    """Replay every file of measurements and hold the predicted cold flags against the measured ones.

    Args:
        folder: where the ``rate_*.csv`` lie.
        policy: see `Model`, like the two that follow.
        platform: what serves.
        as_seen: whether the client's times are taken as they are.

    Returns:
        A row a file: `rate`, and what `score` returns.

    Raises:
        TraceError: no such files, or not such files.
    """
    model = Model(policy, platform, as_seen)
    return pd.DataFrame(
        [{"rate": file.rate, **score(file.is_cold, predict(file, model))} for file in read_measurements(folder)]
    )


def at_the_platform(arrival_s: FloatArray, response_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What reached the platform, from what the client saw; no cold flag is looked at.

    The client keeps its connections in a stack, the last released on top. A call on a new connection, or on one that
    was idle for more than `CONNECTION_S`, reaches the platform `HANDSHAKE_S` late. Every instance is free again
    `RETURN_S` before the client has its answer.

    Args:
        arrival_s: float64[n], seconds at which the client sent the calls, ascending.
        response_s: float64[n], seconds it waited for the answers.

    Returns:
        float64[n] each: arrivals at the platform, and seconds that an instance was busy.
    """
    released: list[float] = []
    busy: list[float] = []
    late_s = np.zeros(arrival_s.size)
    for i, (sent_s, waited_s) in enumerate(zip(arrival_s.tolist(), response_s.tolist(), strict=True)):
        while busy and busy[0] <= sent_s:
            released.append(heappop(busy))
        if i and (not released or sent_s - released[-1] > CONNECTION_S):
            late_s[i] = HANDSHAKE_S
        if released:
            released.pop()
        heappush(busy, sent_s + waited_s)
    return arrival_s + late_s, np.maximum(response_s - late_s - RETURN_S, 0.0)
