"""How far the simulator is from real AWS Lambda: replay measured calls and compare their cold flags.

The measurements are those of Mahmoudi and Khazaei ("Performance Modeling of Serverless Computing Platforms", IEEE
Transactions on Cloud Computing, 2020; MIT licence): Poisson calls of one function at four rates, about 28 h each, with
the cold flag of every call. They are not part of the project; ``docs/aws_lambda_2020.md`` has what they show.
"""

from __future__ import annotations

from heapq import heappop, heappush
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sim.core.errors import TraceError
from sim.engine import reference
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.results.columns import COLD
from sim.workload.trace import Trace

COLUMNS: Final = ("arrival_s", "response_s", "is_cold")
CONNECTION_S: Final = 985.0
"""A connection of the client that is idle for longer is opened anew."""
HANDSHAKE_S: Final = 0.27
"""How much later a call on a new connection reaches the platform."""
RETURN_S: Final = 0.08
"""An instance is free this long before the client has its answer."""

FloatArray = npt.NDArray[np.float64]


def compare_with_measured(
    folder: Path, policy: KeepAlive, platform: Platform, *, as_seen: bool = False
) -> pd.DataFrame:
    """Replay every file of measurements and hold the predicted cold flags against the measured ones.

    The first call of a file is replayed and left out: it was warm, so its instance is older than the file.

    Args:
        folder: where the ``rate_*.csv`` lie.
        policy: how long idle instances stay.
        platform: what serves; its start-up time is taken as 0, since the measured responses contain it.
        as_seen: take the client's times as they are, instead of what must have reached the platform.

    Returns:
        A row a file: `rate`, `calls`, `measured_cold`, `predicted_cold` (counts), `agreement`, `precision`, `recall`,
        `p_cold`, `measured_p_cold` and its 95 % Clopper-Pearson interval, `measured_low` and `measured_high`.

    Raises:
        TraceError: no such files, or not such files.
    """
    files = sorted(folder.glob("rate_*.csv"))
    if not files:
        raise TraceError("there are no files rate_*.csv", file=folder)
    return pd.DataFrame([_judge(file, policy, platform, as_seen=as_seen) for file in files])


def _judge(file: Path, policy: KeepAlive, platform: Platform, *, as_seen: bool) -> dict[str, float]:
    measured = _read(file)
    arrival_s, service_s = measured["arrival_s"].to_numpy(), measured["response_s"].to_numpy()
    if not as_seen:
        arrival_s, service_s = at_the_platform(arrival_s, service_s)
    order = np.argsort(arrival_s, kind="stable")
    trace = Trace.from_arrays(np.zeros(len(measured), np.int64), arrival_s[order], service_s[order])
    columns = reference.run(trace, policy, platform, horizon_s=trace.horizon_s)
    predicted = np.empty(len(measured), np.bool_)
    predicted[order] = columns.requests.start_kind == COLD
    return {"rate": float(file.stem.removeprefix("rate_"))} | _score(measured["is_cold"].to_numpy() == 1, predicted)


def _score(measured: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]) -> dict[str, float]:
    measured, predicted = measured[1:], predicted[1:]
    calls, cold, hits = measured.size, int(measured.sum()), int((measured & predicted).sum())
    interval = stats.binomtest(cold, calls).proportion_ci(0.95, "exact")
    return {
        "calls": calls,
        "measured_cold": cold,
        "predicted_cold": int(predicted.sum()),
        "agreement": float((measured == predicted).mean()),
        "precision": hits / predicted.sum() if predicted.any() else np.nan,
        "recall": hits / cold if cold else np.nan,
        "p_cold": float(predicted.mean()),
        "measured_p_cold": cold / calls,
        "measured_low": float(interval.low),
        "measured_high": float(interval.high),
    }


def _read(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file)
    except (ValueError, OSError) as error:
        raise TraceError(f"cannot be read: {error}", file=file) from None
    for column in COLUMNS:
        if column not in table.columns:
            raise TraceError("the column is missing", file=file, column=column)
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
        bad = ~(np.isfinite(values) & (values >= 0))
        if bad.any():
            raise TraceError("must be a finite number >= 0", file=file, row=int(np.argmax(bad)) + 1, column=column)
    if len(table) < 2:
        raise TraceError("there must be two calls at least", file=file)
    return table


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
    return arrival_s + late_s, response_s - late_s - RETURN_S
